#ifndef TESTS_FORMATS_WRITING_H
#define TESTS_FORMATS_WRITING_H

#include "base/buf.h"

/* How tests write packed samples: numbers and bits into a buf. */

static inline void
put_le(struct buf *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_char(b, (char)(v >> (8 * i)));
}

static inline void
put_be(struct buf *b, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		buf_char(b, (char)(v >> (8 * bytes)));
}

static inline void
put_zeros(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_char(b, 0);
}

/* Zeros up to `at`. */
static inline void
put_until(struct buf *b, size_t at)
{
	if (b->len < at)
		put_zeros(b, at - b->len);
}

/* Overwrites what stands at `at`. */
static inline void
patch_le(struct buf *b, size_t at, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		b->ptr[at + i] = (char)(v >> (8 * i));
}

/* Bits, gathered in one byte or word until it is full. */
struct bitter {
	struct buf *to;
	uint32_t acc;
	unsigned have;
};

/* The highest bit of a byte first. */
static inline void
put_msb(struct bitter *w, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		w->acc = w->acc << 1 | (v >> n & 1);
		if (++w->have == 8) {
			buf_char(w->to, (char)w->acc);
			w->acc = w->have = 0;
		}
	}
}

static inline void
end_msb(struct bitter *w)
{
	while (w->have != 0)
		put_msb(w, 0, 1);
}

/* The lowest bit of a byte first; v from its lowest bit on. */
static inline void
put_lsb(struct bitter *w, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		w->acc |= (v >> i & 1) << w->have;
		if (++w->have == 8) {
			buf_char(w->to, (char)w->acc);
			w->acc = w->have = 0;
		}
	}
}

static inline void
end_lsb(struct bitter *w)
{
	while (w->have != 0)
		put_lsb(w, 0, 1);
}

#endif
