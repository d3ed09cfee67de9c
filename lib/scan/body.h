#ifndef SCAN_BODY_H
#define SCAN_BODY_H

#include "base/buf.h"
#include "scan/format.h"

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
	uint8_t edges; /* EDGE_*: a marker matched the object's edge */
	bool lead;     /* the first byte is a marker's: offsets begin behind */
};
typedef enum err
body_variant_fn(void *arg, const struct body_variant *v, struct errinfo *ei);
/* Calls fn for each variant until one fails. */
enum err body_expand(struct span text, body_variant_fn *fn, void *arg,
    struct errinfo *ei) MUST_USE;

/* A variant in pieces.  Offsets in `part` and `specials` are from the start
 * of these buffers. */
struct body {
	struct set_part part[PARTS_MAX];
	uint32_t parts;
	struct buf bytes, masks; /* of the same length */
	struct buf specials;     /* struct set_special [] */
	struct buf options;      /* what specials point at */
};
void body_init(struct body *b);
void body_clear(struct body *b); /* frees; may be used again */
enum err
body_parse(struct span text, struct body *b, struct errinfo *ei) MUST_USE;

/* Where the rarest literal of the body stands. */
struct body_anchor {
	uint32_t width; /* 8, 4 or 2 */
	uint32_t part, at;
	uint64_t literal;
};
/* False when no part has two fixed bytes next to each other. */
bool body_anchor(const struct body *b, struct body_anchor *out);

/* The value of a hex digit, or -1. */
int body_digit(char c);

#endif
