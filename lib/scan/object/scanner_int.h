#ifndef SCAN_SCANNER_INT_H
#define SCAN_SCANNER_INT_H

#include "crypt/crypt.h"
#include "formats/peel.h"
#include "formats/text/html.h"
#include "scan/icons/icons.h"
#include "scan/links/links.h"
#include "scan/match/match.h"
#include "scan/rules/rules.h"

/* What scanner.c (the file and its verdict), look.c (one object) and
 * members.c (what is in it) share. */

#define EMBEDDED_SHOWN 32u

struct scanner {
	struct scan_set *set;
	struct scan_limits limits;
	struct matcher *matcher;
	struct rules *rules; /* NULL: the set has none */
	struct links *links; /* the same */
	struct icons *icons; /* the same */
	struct digest *digest;
	struct buf text;  /* normalised */
	struct html html; /* the same of a page */
	struct buf imports;
	unsigned char *small; /* SMALL_MAX bytes */
	/* facts about the object that was asked for last */
	const struct object *facts_of;
	bool is_exe;
	struct exe exe;
	const struct object *image_of; /* of which the next two tell */
	bool is_image;
	uint64_t image;
	bool has_versions;
	size_t versions;
	uint64_t version[PE_VERSION_MAX];
	/* the file under way */
	struct scan_verdict *v;
	int64_t deadline_ns;
	uint32_t today; /* days since 1970 */
	uint64_t packed, unpacked;
	uint32_t members;
	bool stop; /* found, or a limit of the whole file passed */
};

/* The file, or something unpacked from it.  Its containers stay alive, so
 * that an allow list may name any of them. */
struct object {
	const struct object *parent;
	struct span bytes;
	enum format format; /* FORMAT_ANY: to be found out */
	enum format also;   /* what a zip is besides: a document; or ANY */
	enum format again;  /* a signature wants it looked at as this */
	/* what begins in its middle */
	struct embedded {
		enum format format;
		size_t at;
	} embedded[EMBEDDED_SHOWN];
	uint32_t embeddeds;
	bool is_embedded; /* it is one of these: the rest of its parent */
	uint32_t depth;
	unsigned digests; /* bits of the kinds that are known */
	unsigned char digest[HASH_KINDS][DIGEST_MAX];
	bool asked_certs, is_vouched; /* see certs_vouch() */
	char inner[SCAN_INNER_MAX];
};

/* The first reason is the one that is told. */
void scanner_note(
    struct scanner *s, const struct object *o, enum scan_reason reason);
/* As that, and nothing more is unpacked. */
void scanner_give_up(
    struct scanner *s, const struct object *o, enum scan_reason reason);
/* The object is infected.  True: that is all that is asked for. */
bool scanner_found(struct scanner *s, const struct object *o, const char *name,
    const char *source);
/* A heuristic, told when nothing worse is: peel_suspect()'s name. */
void scanner_suspect(
    struct scanner *s, const struct object *o, const char *heuristic);
/* The same, by a signature's own name and source: always told. */
void scanner_suspect_by(struct scanner *s, const struct object *o,
    const char *name, const char *source);
bool scanner_in_time(struct scanner *s, const struct object *o);
/* Takes the object apart after looking at it. */
void scanner_object(struct scanner *s, struct object *o);

/* ---- look.c ------------------------------------------------------------------- */

/* Hashes, bodies and rules; true: the verdict is in. */
bool look_at(struct scanner *s, struct object *o);
/* A signature matches the object.  True: that is all that is asked for; not
 * if the object, or what it came in, is known to be good. */
bool look_found(
    struct scanner *s, const struct object *o, const struct set_name *name);
/* What exe_parse() says of the object that is looked at, and has filled in
 * even when it says no; until another is asked for. */
const struct exe *look_facts(struct scanner *s, const struct object *o);
/* The object, or what it came in, is known to be good. */
bool look_allowed(struct scanner *s, const struct object *o);
/* False: no memory. */
bool look_digests(struct scanner *s, struct object *o, unsigned kinds);

/* ---- cert.c ------------------------------------------------------------------- */

/* Looks for certificates of enemies; true: the verdict is in. */
bool certs_look(struct scanner *s, const struct object *o);
/* Whether a trusted certificate vouches for the object. */
bool certs_vouch(struct scanner *s, struct object *o);

/* ---- icon.c ------------------------------------------------------------------- */

/* Whether an icon of the program is like one of these groups; NULL: any. */
bool icons_look(struct scanner *s, const struct object *o, const struct exe *x,
    const struct span name[ICON_COLUMNS]);

/* ---- names.c ------------------------------------------------------------------ */

/* What a container says of a member. */
struct member_facts {
	struct span name;      /* as it is packed, folders and all */
	uint64_t packed, size; /* PEEL_UNKNOWN: it does not say */
	bool encrypted;
	uint32_t position; /* the first is 1 */
};
/* Looks for signatures of members; true: the verdict is in. */
bool names_look(struct scanner *s, const struct object *member,
    const struct member_facts *facts);

/* ---- disguise.c --------------------------------------------------------------- */

/* Suspects a member, whose format is known, by its name. */
void
disguise_look(struct scanner *s, const struct object *member, struct span name);

/* ---- part.c ------------------------------------------------------------------- */

/* Takes a member apart that is known by its name alone: a part of a document. */
void
part_look(struct scanner *s, const struct object *member, struct span name);
/* ---- letters.c ---------------------------------------------------------------- */

/* Looks at the links of a mail's part; true: the verdict is in. */
bool letters_look(struct scanner *s, const struct object *o);

/* ---- members.c ---------------------------------------------------------------- */

void members_scan(struct scanner *s, const struct object *o);
/* What an opener makes of bytes of the object. */
void members_open(struct scanner *s, const struct object *o, struct span bytes,
    opener_fn *opener);

#endif
