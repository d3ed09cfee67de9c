#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static uint64_t
hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

static struct prepared *
set_of(struct cache *c, const char *text)
{
	return c->slot[(hash(text) >> 32) % CACHE_SETS];
}

struct prepared *
cache_find(struct cache *c, const char *text, const char *kinds)
{
	struct prepared *p = set_of(c, text);

	for (size_t i = 0; i < CACHE_WAYS; i++, p++)
		if (p->text != NULL && !p->busy && strcmp(p->text, text) == 0 &&
		    strcmp(p->kinds, kinds) == 0) {
			p->used = ++c->ticks;
			return p;
		}
	return NULL;
}

struct prepared *
cache_claim(
    struct cache *c, const char *text, const char *kinds, void **evicted)
{
	struct prepared *p = set_of(c, text), *best = NULL;
	char *copy;

	*evicted = NULL;
	for (size_t i = 0; i < CACHE_WAYS; i++, p++)
		if (!p->busy && (best == NULL || p->used < best->used))
			best = p; /* a free slot was used at 0 */
	if (best == NULL || strlen(kinds) >= sizeof(best->kinds))
		return NULL;
	copy = strdup(text);
	if (copy == NULL)
		return NULL;
	*evicted = best->handle;
	free(best->text);
	*best = (struct prepared){ .text = copy, .used = ++c->ticks };
	memcpy(best->kinds, kinds, strlen(kinds));
	return best;
}

void
cache_drop(struct prepared *p)
{
	free(p->text);
	*p = (struct prepared){ 0 };
}
