#ifndef SCAN_NEEDLE_OF_LINKS_H
#define SCAN_NEEDLE_OF_LINKS_H

#include "base/span.h"

/* Letters that stand in all that a regular expression matches: looking for
 * them first saves almost all of its work. */
#define NEEDLE_MAX 31u
struct needle {
	unsigned char len; /* 0: none are known */
	char text[NEEDLE_MAX];
};
/* The longest run that is outside of all parentheses, or its beginning. */
void needle_of(struct span regex, struct needle *out);
bool needle_in(const struct needle *n, struct span subject);

#endif
