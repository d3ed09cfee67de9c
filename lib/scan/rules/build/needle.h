#ifndef SCAN_RULES_BUILD_NEEDLE_H
#define SCAN_RULES_BUILD_NEEDLE_H

#include "base/buf.h"
#include "scan/rules/build/text.h"
#include "scan/rules/rules_format.h"

/* From a string of a rule to its needles, at build time: bytes of which at
 * least one must stand in an object in which libyara finds the string. */

#define NEEDLE_MAX 64u /* bytes of one */

struct needle {
	uint32_t bytes; /* in `bytes` of the list */
	uint16_t len;
	uint16_t flags;
	uint16_t
	    keys; /* NEEDLE_XOR: the least, and the most in the upper byte */
};

struct needles {
	struct buf list;  /* struct needle */
	struct buf bytes; /* with nocase in small letters */
};

void needles_init(struct needles *n);
void needles_free(struct needles *n);
/* Appends those of a string.  False, and nothing appended: it has none that
 * can be searched for. */
bool needles_add(struct needles *n, const struct rule_string *s);

/* The place within a needle of `width` whole bytes that are rarest in
 * files, and how rare; false: it has no such place. */
bool needle_anchor(const struct needles *n, const struct needle *e,
    uint32_t width, uint32_t *at, uint32_t *score);
/* How rare `width` bytes are.  0 is for those that are everywhere. */
uint32_t needle_score(const unsigned char *bytes, uint32_t width);

#endif
