#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

/* Memory that lives and dies together: one arena for each request, scanned
 * object or report, with a ceiling given at birth.  One thread at a time. */
struct arena;

/* NULL when memory is out.  `ceiling` is the most bytes it will ever hand
 * out. */
struct arena *arena_new(size_t ceiling);
void arena_free(struct arena *a);  /* accepts NULL */
void arena_clear(struct arena *a); /* forget all, keep the first block */

/* Zeroed, aligned for any type; NULL above the ceiling or out of memory. */
void *
arena_alloc(struct arena *a, size_t count, size_t size) __attribute__((malloc));
#define ARENA_NEW(a, type, n) ((type *)arena_alloc((a), (n), sizeof(type)))

/* A NUL-terminated copy, or NULL. */
char *arena_text(struct arena *a, struct span s);
/* A copy of the bytes; .ptr is NULL on failure. */
struct span arena_span(struct arena *a, struct span s);
char *arena_fmt(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
