#ifndef SCAN_RULES_BUILD_ANCHOR_H
#define SCAN_RULES_BUILD_ANCHOR_H

#include "base/span.h"
#include "scan/rules/rules_format.h"

/* Where in a needle to look for it: at the bytes that are rarest in files. */

/* Bytes of a needle, or of what may become one. */
struct run {
	const unsigned char *bytes, *masks; /* no masks: all of them count */
	size_t len;
};

/* How many needles have an anchor of that hash so far, roughly. */
struct crowds {
	uint16_t count[1u << 16];
};

/* The best place of `width` whole bytes, and how good it is: from 0 for
 * bytes that are everywhere to 10 for each, four times that; less where a
 * crowd is (NULL: there are none).  False: there is no such place. */
bool anchor_place(struct run r, uint32_t width, const struct crowds *c,
    uint32_t *at, int32_t *score);
/* The best place for a long anchor, which joins its crowd. */
bool
anchor_choose(struct run r, struct crowds *c, uint32_t *at, uint32_t *hash);
/* The same of a needle under XOR, of at least NEEDLE_XOR_MIN bytes. */
void anchor_choose_xor(struct run r, uint32_t *at, uint32_t *hash);

#endif
