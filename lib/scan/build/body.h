#ifndef SCAN_BODY_H
#define SCAN_BODY_H

#include "base/buf.h"
#include "scan/set/record.h"

/* Body signatures as text: hex digits, ?? and nibbles, gaps (*, {n-m},
 * [n-m]), alternatives (aa|bb) and !(aa|bb), and the markers (B) word
 * boundary, (L) line boundary, (W) not a letter or digit.  Used only while a
 * set is built. */

#define BODY_TEXT_MAX     (1u << 18)
#define BODY_VARIANTS_MAX 256u /* patterns that one signature may become */
#define BODY_NEST_MAX     16u

/* A signature without alternatives of unequal length and without markers:
 * those are written out, so that one signature may be several variants. */
struct body_variant {
	struct span text;
	unsigned edges; /* VARIANT_EDGE_*: a marker matched the edge */
	bool lead;      /* the first byte is a marker's: offsets begin behind */
};
typedef enum err
body_variant_fn(void *arg, const struct body_variant *v, struct errinfo *ei);
/* Calls fn for each variant until one fails. */
enum err body_expand(struct span text, body_variant_fn *fn, void *arg,
    struct errinfo *ei) MUST_USE;

/* A variant in pieces.  Offsets are from the start of these buffers. */
struct body_part {
	uint32_t bytes; /* in `bytes`, and the masks in `masks` */
	uint32_t len;
	uint32_t gap_min, gap_max;
	uint32_t special, specials; /* in `specials` */
	uint32_t pivot, pivot_len;  /* the rarest literal */
	bool masked;                /* else all is literal */
};
struct body_special {
	uint32_t at, len, count;
	uint32_t bytes; /* in `options`: count * len */
	bool negated;
};
struct body {
	struct body_part part[PARTS_MAX];
	uint32_t parts;
	struct buf bytes, masks; /* of the same length */
	struct buf specials;     /* struct body_special [] */
	struct buf options;      /* what specials point at */
};
void body_init(struct body *b);
void body_clear(struct body *b); /* frees; may be used again */
enum err
body_parse(struct span text, struct body *b, struct errinfo *ei) MUST_USE;
/* Everything in small letters, for a match without regard to case. */
void body_fold(struct body *b);
/* As a variant of a record. */
void body_write(const struct body *b, unsigned flags, struct buf *out);

#define ANCHOR_MAX 9u
/* Where the rarest literal of the body stands. */
struct body_anchor {
	uint32_t len; /* 9, 5, 4 or 2 */
	uint32_t part, at;
	unsigned char literal[ANCHOR_MAX];
	uint32_t bits; /* once in 2^bits places, roughly */
};
/* False when no part has two fixed bytes next to each other. */
bool body_anchor(const struct body *b, struct body_anchor *out);

/* The value of a hex digit, or -1. */
int body_digit(char c);

#endif
