#ifndef SCAN_GRAMS_H
#define SCAN_GRAMS_H

#include "base/span.h"

/* Which four bytes stand at the even places of an object, as a bitmap: most
 * literals that are not in an object are known not to be without looking
 * through it.  Made when it is asked for the second time, of objects that are
 * neither small nor huge. */
struct grams { /* one thread at a time */
	struct span object;
	uint64_t *map;
	unsigned bits, room; /* 2^bits in use, room for 2^room */
	unsigned asked;
	bool ready;
};
void grams_object(struct grams *g, struct span object);
void grams_clear(struct grams *g);
/* False: these bytes stand nowhere in the object, in capital letters or
 * small ones. */
bool grams_may_have(struct grams *g, const unsigned char *bytes, size_t n);

#endif
