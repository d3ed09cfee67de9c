#ifndef TEXT_STAGE_H
#define TEXT_STAGE_H

#include "base/buf.h"

/* Single characters on their way into a buf. */
#define STAGE_BYTES 4096u
struct stage {
	struct buf *to;
	size_t len, before; /* bytes here; bytes that went on */
	char bytes[STAGE_BYTES];
};

static inline void
stage_flush(struct stage *s)
{
	buf_add(s->to, s->bytes, s->len);
	s->before += s->len;
	s->len = 0;
}

static inline void
stage_char(struct stage *s, char c)
{
	if (s->len == STAGE_BYTES)
		stage_flush(s);
	s->bytes[s->len++] = c;
}

static inline void
stage_span(struct stage *s, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		stage_char(s, text.ptr[i]);
}

static inline bool
stage_empty(const struct stage *s)
{
	return s->len + s->before == 0;
}

#endif
