#ifndef SCAN_RECORD_H
#define SCAN_RECORD_H

#include "base/buf.h"
#include "formats/format.h"
#include "scan/set/format.h"

/* A signature in the set: a row of bytes that is decoded when its anchor was
 * met, which is rare; so it is small before it is quick.  Numbers are
 * varints (7 bits a byte, the last without its top bit).
 *
 *	signature   name.text name.number target flags
 *	            conditions_len conditions  expression_len expression
 *	            subs  len[subs]  sub[subs]
 *	conditions  (kind, fields)...
 *	expression  a tree, see enum sig_op
 *	sub         kind, fields; a body: place, variants, variant...
 *	place       from index offset shift
 *	variant     flags parts part...
 *	part        gap_min gap_max len pivot pivot_len form bytes
 *	            [masks] [specials  (at len count negated bytes)...]
 *
 * Decoding trusts nothing: a reader gives false, or stays at its end with
 * `bad` set, for what cannot be.  Bytes that are looked for are masked as
 * mask.h says and stay so. */

struct reader {
	const unsigned char *p, *end;
	bool bad;
};
uint64_t read_number(struct reader *r, uint64_t max);
struct span read_span(struct reader *r, uint64_t len);
struct reader reader_of(struct span s);

void write_number(struct buf *b, uint64_t n);
/* Its length, then the bytes. */
void write_span(struct buf *b, struct span s);
/* The same, masked. */
void write_masked(struct buf *b, struct span s);

/* ---- the signature --------------------------------------------------------- */

#define SIG_LOGICAL    1u   /* has an expression; else its one sub decides */
#define SIG_IS_FORMAT  2u   /* tells the format `name.number`, no infection */
#define SIG_IS_MEMBER  4u   /* of what a container says of a member */
#define SIG_IS_GROUP   8u   /* only macros look for it */
#define SIG_IS_BLOCKED 16u  /* a certificate of enemies */
#define SIG_IS_TRUSTED 32u  /* one that vouches for programs, no infection */
#define SIG_IS_LINK    64u  /* of a link in a mail; no conditions */
#define SIG_IS_ICON    128u /* an icon of programs, no infection */

struct sig {
	uint32_t at; /* offset of the record */
	struct set_name name;
	enum set_target target;
	unsigned flags;
	struct span conditions, expression;
	uint32_t subs;
	struct span sub[SUBS_MAX];
};
/* `record` as set_record() gives it for `at`. */
bool sig_read(struct span record, uint32_t at, struct sig *out);

enum sig_condition { /* ranges: two numbers, from and to */
	COND_FILE_SIZE = 1,
	COND_ENTRY,
	COND_SECTIONS,
	COND_CONTAINER,      /* a format */
	COND_INTERMEDIATES,  /* how many; formats, the outermost first */
	COND_HANDLER,        /* a format: look again as that */
	COND_FORMAT,         /* the object's own */
	COND_CONTAINER_SIZE, /* ranges again: of the container, */
	COND_PACKED,         /* and of a member as it is packed */
	COND_SIZE,           /* and unpacked */
	COND_ENCRYPTED,      /* 0 or 1 */
	COND_POSITION,       /* the first member is 1 */
	COND_ICON,           /* see read_icon_groups() */
	CONDITIONS
};

/* One name for each column; NULL: any group. */
void write_icon_groups(struct buf *b, const struct span name[ICON_COLUMNS]);
void read_icon_groups(struct reader *r, struct span name[ICON_COLUMNS]);

enum sig_op {   /* then: comparison, number, second number; then: */
	OP_SUB, /* the index of a sub */
	OP_ALL, /* how many, and that many trees: all of them */
	OP_ANY, /* at least one of them */
	OPS
};
enum sig_compare { CMP_NONE, CMP_EQUAL, CMP_MORE, CMP_LESS, CMPS };
#define EXPRESSION_DEPTH 32u

/* An image: its hash as two numbers of 32 bits.  A macro: least and greatest
 * distance, group.  A name: flags and masked
 * text of a regular expression.  A certificate: what it may be used for, its
 * serial number's SHA-1, or nothing, its RSA modulus.  A link: masked text, a
 * regular expression with what clamscan puts around it.  An icon: its groups
 * as in a condition, and its digits as in the line: the row has the numbers. */
enum sig_kind {
	SUB_BODY = 1,
	SUB_PCRE,
	SUB_BYTES,
	SUB_MACRO,
	SUB_IMAGE,
	SUB_NAME,
	SUB_CERT,
	SUB_LINK,
	SUB_ICON,
	SUB_KINDS
};

enum sig_from {
	FROM_ANY,
	FROM_START,
	FROM_END,   /* n bytes before it */
	FROM_ENTRY, /* the entry point, and n behind */
	FROM_BEFORE_ENTRY,
	FROM_SECTION,       /* n behind the start of section `index` */
	FROM_WHOLE_SECTION, /* anywhere within it */
	FROM_LAST_SECTION,
	FROM_VERSION, /* at an entry of the version information */
	FROM_MACRO,   /* group `index`: only used by a macro sub */
	PLACE_KINDS
};
/* It may begin at [offset, offset + shift] from there. */
struct sig_place {
	enum sig_from from;
	uint32_t index;
	uint64_t offset, shift;
};
void write_place(struct buf *b, const struct sig_place *p);
struct sig_place read_place(struct reader *r);

#define VARIANT_EDGE_START 1u /* must touch the start of the object */
#define VARIANT_EDGE_END   2u
#define VARIANT_NOCASE     4u
#define VARIANT_LEAD       8u /* its first byte is before what the place says */
#define VARIANT_WORD       16u /* no letter or digit on either side */
#define VARIANT_WIDE       32u /* UTF-16, for the sake of that */

#define FORM_MASKS         1u
#define FORM_SPECIALS      2u

/* `len` bytes that follow each other: (data & mask) == byte at each place,
 * and the specials, whose places have mask 0. */
struct sig_part {
	const unsigned char *bytes; /* masked as mask.h says */
	const unsigned char *masks; /* as they are; NULL: all ff */
	uint32_t len;
	uint32_t gap_min, gap_max; /* bytes between the part before and this */
	uint32_t pivot, pivot_len; /* its rarest literal: what is looked for */
	uint32_t specials;
	struct span special; /* encoded: struct sig_special for each */
};
/* `count` alternatives of `len` bytes each at place `at`. */
struct sig_special {
	uint32_t at, len, count;
	bool negated;               /* none of them */
	const unsigned char *bytes; /* count * len, each alternative masked */
};
struct sig_variant {
	unsigned flags;
	uint32_t parts;
	struct sig_part part[PARTS_MAX];
};
bool read_variant(struct reader *r, struct sig_variant *out);
bool read_special(
    struct reader *r, const struct sig_part *p, struct sig_special *out);

#endif
