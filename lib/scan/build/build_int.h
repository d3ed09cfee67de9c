#ifndef SCAN_BUILD_INT_H
#define SCAN_BUILD_INT_H

#include "scan/build/body.h"
#include "scan/scan.h"
#include "scan/set/record.h"

/* What a set is made of, while it is collected.  The bufs hold arrays of
 * the named structs. */

#define ENGINE_LEVEL   230u /* ClamAV's functionality level that we claim */
#define BUILD_BYTES    (UINT32_MAX - 4096u) /* offsets are 32 bits */
#define BUILD_ROWS     ((size_t)1 << 36)    /* bytes of a table */
#define RULES_TEXT_MAX (256u << 20)
#define FIELDS_MAX     80u /* a logical signature has 3 and its subs */

struct rule_file {
	char *name;
	char *text; /* NUL-ended; rules that were dropped are blanks */
	bool whole; /* we read it otherwise than libyara: not to be divided */
};

/* An anchor on its way into the filters of its target. */
struct anchor_row {
	uint64_t hash;
	struct set_anchor anchor;
};
struct always_row {
	uint32_t sig, target;
};

/* Left out: the signature of this name, or only if its line has this MD5. */
struct ignored_name {
	unsigned char name[32]; /* its SHA-256 */
	unsigned char line[16];
	uint32_t has_line;
	uint32_t text; /* in `texts`, if there is a base */
};

/* Texts that are kept once: offsets in `texts`, found by their hash. */
struct text_index {
	uint32_t *slot; /* 0: free */
	size_t size, used;
};

struct scan_builder {
	struct scan_set *base; /* that is added to, or NULL */
	scan_problem_fn *problem;
	void *arg;
	struct scan_counts counts;
	struct buf texts; /* NUL-ended, from offset 1 on */
	struct text_index index;
	struct buf hash[HASH_USES][HASH_KINDS]; /* rows as in the set, with the
						   whole digest in front */
	struct buf records;
	struct buf anchors; /* struct anchor_row */
	struct buf always;  /* struct always_row */
	struct buf members; /* struct set_member */
	struct buf groups;  /* struct set_group */
	struct buf certs;   /* struct set_cert */
	struct buf types;   /* struct set_type */
	struct buf links;   /* struct set_link */
	struct buf icons;   /* struct set_icon */
	bool asks_icons;    /* a signature has COND_ICON */
	struct buf ignored; /* struct ignored_name */
	struct buf rules;   /* struct rule_file */
	size_t rules_size;
	struct sig_draft *draft;    /* scratch of sig.c */
	const char *file;           /* the one being added */
	char source[SCAN_NAME_MAX]; /* its name without the folder */
	const struct signature_format *format;
	struct buf carry; /* what stands behind the last whole line */
	size_t line;
	struct span text; /* the line itself */
};
#define BUILD_HASH_ROW(digest_len) ((digest_len) + sizeof(struct set_hash))

extern const uint32_t filter_widths[FILTERS];

/* ---- build.c ---------------------------------------------------------------- */

/* Counts the line and tells the caller of the builder. */
void build_problem(struct scan_builder *b, size_t line, const char *reason);
/* Offset of a copy of `s` in the texts, 0 when they are full. */
uint32_t build_text(struct scan_builder *b, struct span s);
/* The name of a signature from the file being added. */
enum err build_name(struct scan_builder *b, struct span name,
    struct set_name *out, struct errinfo *ei) MUST_USE;
/* The same, whole in its text: its number says something else. */
enum err build_plain_name(struct scan_builder *b, struct span name,
    struct set_name *out, struct errinfo *ei) MUST_USE;
/* Fields between `sep`; FIELDS_MAX + 1 when there are more. */
size_t
build_split(struct span line, char sep, struct span fields[FIELDS_MAX + 1]);
/* "minFL[:maxFL]" from field `at` on.  An empty field says nothing. */
enum err build_level(const struct span *f, size_t n, size_t at, bool *fits,
    struct errinfo *ei) MUST_USE;
/* Whether an .ign2 file takes this signature out. */
bool build_is_ignored(const struct scan_builder *b, struct span name);

/* A file in pieces; scan_builder_add() is all three. */
enum err build_open(
    struct scan_builder *b, const char *name, struct errinfo *ei) MUST_USE;
bool build_knows(const char *name); /* whether its ending is a format's */
void build_feed(struct scan_builder *b, struct span piece);
enum err build_close(struct scan_builder *b, struct errinfo *ei) MUST_USE;
/* build_container.c: a .cvd, .cld or .cud, whole; `first`: only those of its
 * files whose turn is first, else the others. */
enum err build_container(struct scan_builder *b, const char *name,
    struct span bytes, bool first, struct errinfo *ei) MUST_USE;

/* A line of one format.  What is not wanted here (a level, an ignored name)
 * is counted by the function itself and is OK. */
typedef enum err
line_fn(struct scan_builder *b, struct span line, struct errinfo *ei);

struct signature_format {
	const char *ending;
	line_fn *fn; /* NULL: to be had whole: YARA rules, a container */
	enum scan_turn turn;
};
/* ---- hash.c, ndb.c, ldb.c, ftm.c, member.c, cert.c, link.c, icon.c ----- */

/* What is looked for within other things: .ftm lines of type 1. */
enum err build_formats(struct scan_builder *b, struct errinfo *ei) MUST_USE;

line_fn add_hit, add_allowed, add_section, add_import, add_indicator,
    add_manifest, add_body, add_old_body, add_logical, add_ignored, add_type,
    add_member, add_certificate, add_shown_link, add_allowed_link, add_url_hash,
    add_icon;
/* Whether a group of icons may be called so. */
enum err build_icon_group(struct span name, struct errinfo *ei) MUST_USE;

/* ---- sig.c: from text to record --------------------------------------- */

struct sig_draft *draft_new(void); /* NULL: memory */
void draft_free(struct sig_draft *d);
/* Begins a signature; its subs follow, in order. */
void draft_begin(
    struct sig_draft *d, const struct set_name *name, enum set_target target);
void draft_target(struct sig_draft *d, enum set_target target);
/* It is no infection but tells where something of this format begins. */
void draft_format(struct sig_draft *d, enum format f);
/* It is about members of containers of this format. */
void draft_member(struct sig_draft *d, enum format container);
/* It is about links of mails, `hash` of its text. */
void draft_link(struct sig_draft *d, enum link_kind kind, uint32_t hash);
/* It belongs to a macro group. */
void draft_group(struct sig_draft *d, uint32_t group);
/* It is a certificate of this subject; else one of enemies. */
void draft_certificate(
    struct sig_draft *d, const unsigned char subject[CERT_NAME], bool trusted);
/* It is an icon of programs; the row's place is filled in. */
void draft_icon(struct sig_draft *d, const struct set_icon *row);
struct buf *draft_conditions(struct sig_draft *d);
/* A body signature's place and text, with modifiers as VARIANT_* and
 * DRAFT_*. */
#define DRAFT_WIDE  64u
#define DRAFT_ASCII 128u
enum err draft_body(struct sig_draft *d, const struct sig_place *place,
    struct span text, unsigned flags, struct errinfo *ei) MUST_USE;
/* A sub of another kind, encoded; `needs` are the subs of which one matches
 * whenever it does. */
enum err draft_sub(struct sig_draft *d, struct span encoded, uint64_t needs,
    struct errinfo *ei) MUST_USE;
/* Adds it to the builder.  `needs`: bits of the subs of which one matches
 * whenever the signature does; 0: no such subs.  `expression` is empty for
 * a body signature. */
enum err draft_end(struct scan_builder *b, struct sig_draft *d,
    struct span expression, uint64_t needs, struct errinfo *ei) MUST_USE;
/* How dear it is to look for these subs: how often one of them would be met
 * in 2^-n of all places, as a sum. */
double draft_cost(const struct sig_draft *d, uint64_t subs);
uint32_t draft_subs(const struct sig_draft *d);
bool draft_is_body(const struct sig_draft *d, uint32_t sub);

/* "*", "n", "EOF-n", "EP+n", ..., each but the first with ",maxshift". */
enum err
place_parse(struct span s, struct sig_place *out, struct errinfo *ei) MUST_USE;
enum err
target_parse(struct span s, enum set_target *out, struct errinfo *ei) MUST_USE;

/* ---- expression.c ------------------------------------------------------- */

/* Compiles "0&(1|2)>3,2" as record.h says.  *needs: the cheapest subs of
 * which one matches whenever it holds, 0 when there are none. */
enum err
expression_compile(const struct sig_draft *d, uint32_t subs, struct span text,
    struct buf *out, uint64_t *needs, struct errinfo *ei) MUST_USE;

/* ---- YARA: rules/build/ ------------------------------------------------- */

/* rules/build/add.c: take a YARA file without the rules that do not compile,
 * and those that need them, each of which is a problem. */
enum err build_rules_add(
    struct scan_builder *b, struct span text, struct errinfo *ei) MUST_USE;
/* rules/build/group.c: compile all that were added into what rules_open()
 * reads, appended to `out`. */
enum err build_rules_save(
    struct scan_builder *b, struct buf *out, struct errinfo *ei) MUST_USE;

#endif
