#include "scan/match/grams.h"

#include <stdlib.h>
#include <string.h>

#include "scan/set/format.h"

#define OBJECT_MIN 4096u
#define OBJECT_MAX (8u << 20)
#define BITS_MIN   14u
#define GRAM       4u
#define GRAMS_MAX  16u /* of a literal that are looked up */

void
grams_object(struct grams *g, struct span object)
{
	g->object = object;
	g->asked = 0;
	g->ready = false;
}

void
grams_clear(struct grams *g)
{
	free(g->map);
	*g = (struct grams){ .map = NULL };
}

static uint64_t
bit_of(const struct grams *g, const void *at)
{
	uint32_t w;

	memcpy(&w, at, sizeof(w));
	return (w & FILTER_FOLD) * FILTER_MULTIPLIER >> (64 - g->bits);
}

/* Eight bits for each even place. */
static bool
make_room(struct grams *g)
{
	g->bits = BITS_MIN;
	while (((size_t)1 << g->bits) < 4 * g->object.len)
		g->bits++;
	if (g->bits > g->room) {
		free(g->map);
		g->map = malloc((size_t)1 << (g->bits - 3));
		g->room = g->map == NULL ? 0 : g->bits;
	}
	return g->map != NULL;
}

static bool
make(struct grams *g)
{
	const char *p = g->object.ptr;

	if (!make_room(g))
		return false;
	memset(g->map, 0, (size_t)1 << (g->bits - 3));
	for (size_t at = 0; at + GRAM <= g->object.len; at += 2) {
		uint64_t bit = bit_of(g, p + at);

		g->map[bit >> 6] |= UINT64_C(1) << (bit & 63);
	}
	g->ready = true;
	return true;
}

/* All that would stand at even places if the literal began at one, or, from
 * its second byte on, if it did not. */
static bool
has_all(const struct grams *g, const unsigned char *bytes, size_t n)
{
	for (size_t at = 0; at + GRAM <= n && at < 2 * GRAMS_MAX; at += 2) {
		uint64_t bit = bit_of(g, bytes + at);

		if ((g->map[bit >> 6] >> (bit & 63) & 1) == 0)
			return false;
	}
	return true;
}

bool
grams_may_have(struct grams *g, const unsigned char *bytes, size_t n)
{
	if (n <= GRAM || g->object.len < OBJECT_MIN ||
	    g->object.len > OBJECT_MAX || ++g->asked < 2 ||
	    (!g->ready && !make(g)))
		return true;
	return has_all(g, bytes, n) || has_all(g, bytes + 1, n - 1);
}
