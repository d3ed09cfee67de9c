#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

/* Growing bytes with a ceiling given at birth.  A failed append sets `full`
 * and all later ones do nothing, so that a writer checks once, at the end.
 * One thread at a time. */
struct buf {
	char *ptr; /* NUL-terminated once anything was added */
	size_t len, cap, max;
	bool full;
};

struct buf buf_make(size_t max); /* holds nothing yet; cannot fail */
void buf_free(struct buf *b);
void buf_clear(struct buf *b); /* forget the bytes, keep the memory */
/* Forget what was added behind the first `len` bytes, and that something did
 * not fit: how a function that failed leaves its output untouched. */
void buf_cut(struct buf *b, size_t len);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_span(struct buf *b, struct span s);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_utf8(struct buf *b, uint32_t code); /* up to 10ffff */
void buf_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Of one that holds an array: its rows, which only its owner may change. */
#define BUF_ROWS(b, type)  ((type *)(void *)(b)->ptr)
#define BUF_COUNT(b, type) ((b)->len / sizeof(type))

struct span buf_view(const struct buf *b); /* valid until the next append */
/* ERR_LIMIT if anything did not fit. */
enum err buf_check(const struct buf *b, struct errinfo *ei) MUST_USE;

#endif
