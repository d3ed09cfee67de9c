#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 8192
#define ALIGN      16

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGN) unsigned char bytes[];
};

struct arena {
	struct block *head;
	size_t given, ceiling;
};

struct arena *
arena_new(size_t ceiling)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->ceiling = ceiling;
	return a;
}

static void
free_blocks(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_blocks(a->head);
	free(a);
}

void
arena_clear(struct arena *a)
{
	if (a->head != NULL) {
		free_blocks(a->head->next);
		a->head->next = NULL;
		a->head->used = 0;
	}
	a->given = 0;
}

static struct block *
block_new(size_t need)
{
	size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE;
	struct block *b = malloc(sizeof(*b) + size);

	if (b != NULL)
		*b = (struct block){ .size = size };
	return b;
}

void *
arena_alloc(struct arena *a, size_t count, size_t size)
{
	struct block *b = a->head;
	size_t need;
	void *p;

	if (__builtin_mul_overflow(count, size, &need) ||
	    need > a->ceiling - a->given || need > SIZE_MAX / 2)
		return NULL;
	need = (need + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (need > a->ceiling - a->given)
		return NULL;
	if (b == NULL || need > b->size - b->used) {
		b = block_new(need);
		if (b == NULL)
			return NULL;
		b->next = a->head;
		a->head = b;
	}
	p = b->bytes + b->used;
	b->used += need;
	a->given += need;
	memset(p, 0, need);
	return p;
}

char *
arena_text(struct arena *a, struct span s)
{
	char *p = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1, 1);

	if (p != NULL && s.len > 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

struct span
arena_span(struct arena *a, struct span s)
{
	char *p = arena_text(a, s);

	return (struct span){ p, p == NULL ? 0 : s.len };
}

char *
arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0)
		p = arena_alloc(a, (size_t)n + 1, 1);
	if (p != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}
