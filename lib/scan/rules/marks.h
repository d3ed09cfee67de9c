#ifndef SCAN_RULES_MARKS_H
#define SCAN_RULES_MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Numbers below `size` that were marked, each once, in that order. */
struct marks {
	unsigned char *is;
	uint32_t *list;
	size_t count, size;
};

/* To be freed either way; false when memory is out. */
static inline bool
marks_make(struct marks *m, size_t n)
{
	m->size = n;
	m->is = calloc(n == 0 ? 1 : n, 1);
	m->list = calloc(n == 0 ? 1 : n, sizeof(*m->list));
	return m->is != NULL && m->list != NULL;
}

static inline void
marks_free(struct marks *m)
{
	free(m->is);
	free(m->list);
}

static inline void
marks_clear(struct marks *m)
{
	for (size_t i = 0; i < m->count; i++)
		m->is[m->list[i]] = 0;
	m->count = 0;
}

static inline void
mark(struct marks *m, uint32_t i)
{
	if (m->is[i] != 0)
		return;
	m->is[i] = 1;
	m->list[m->count++] = i;
}

#endif
