#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buf
buf_make(size_t max)
{
	return (struct buf){ .max = max };
}

void
buf_free(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){ .max = b->max };
}

void
buf_clear(struct buf *b)
{
	buf_cut(b, 0);
}

void
buf_cut(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	b->full = false;
	if (b->ptr != NULL)
		b->ptr[len] = '\0';
}

/* Make room for n more bytes and a NUL. */
static bool
reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap == 0 ? 256 : b->cap;
	char *p;

	if (b->full || n > b->max - b->len || n >= SIZE_MAX - b->len) {
		b->full = true;
		return false;
	}
	if (b->ptr != NULL && b->len + n + 1 <= b->cap)
		return true;
	while (cap < b->len + n + 1)
		cap = cap > SIZE_MAX / 2 ? b->len + n + 1 : cap * 2;
	p = realloc(b->ptr, cap);
	if (p == NULL) {
		b->full = true;
		return false;
	}
	b->ptr = p;
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0 || !reserve(b, n))
		return;
	memcpy(b->ptr + b->len, bytes, n);
	b->len += n;
	b->ptr[b->len] = '\0';
}

void
buf_span(struct buf *b, struct span s)
{
	buf_add(b, s.ptr, s.len);
}

void
buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_utf8(struct buf *b, uint32_t code)
{
	char text[4];
	size_t n = utf8_encode(code, text);

	for (size_t i = 0; i < n; i++)
		buf_char(b, text[i]);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		b->full = true;
	else if (n > 0 && reserve(b, (size_t)n)) {
		(void)vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

struct span
buf_view(const struct buf *b)
{
	return (struct span){ b->ptr, b->len };
}

enum err
buf_check(const struct buf *b, struct errinfo *ei)
{
	if (b->full)
		return err_set(ei, ERR_LIMIT, "more than %zu bytes", b->max);
	return OK;
}
