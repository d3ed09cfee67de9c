#ifndef PACK_BITS_H
#define PACK_BITS_H

#include "base/span.h"

/* Bits of a hostile stream.  Behind its end come zeros without end;
 * bits_over() tells that some of them were taken, and decoders that loop ask
 * it.  At most BITS_MAX at once. */
#define BITS_MAX 32u
struct bits {
	const uint8_t *at, *end;
	uint64_t acc;    /* msb: left-aligned; lsb: right-aligned */
	unsigned have;   /* bits in acc */
	unsigned padded; /* of them, and of those taken: not from the stream */
	bool words;      /* msb only: 16-bit little-endian words (LZX) */
};

static inline struct bits
bits_of(struct span s)
{
	const uint8_t *p = (const uint8_t *)s.ptr;

	return (struct bits){ .at = p, .end = p == NULL ? p : p + s.len };
}

/* The padding is what was put in last, so it is what is taken last. */
static inline bool
bits_over(const struct bits *b)
{
	return b->padded > b->have;
}

/* Bytes of the stream from which no bit was taken. */
static inline size_t
bits_rest(const struct bits *b)
{
	unsigned real = b->have > b->padded ? b->have - b->padded : 0;

	return (size_t)(b->end - b->at) + real / 8;
}

static inline uint8_t
bits_byte(struct bits *b)
{
	if (b->at < b->end)
		return *b->at++;
	/* Counted up to where it cannot matter any more. */
	if (b->padded < 1u << 20)
		b->padded += 8;
	return 0;
}

/* ---- the first bit of a byte is its highest ------------------------------ */

static inline void
msb_fill(struct bits *b)
{
	while (b->have <= 48) {
		uint64_t first = bits_byte(b), second = bits_byte(b);
		uint64_t word =
		    b->words ? second << 8 | first : first << 8 | second;

		b->acc |= word << (48 - b->have);
		b->have += 16;
	}
}

static inline uint32_t
msb_peek(struct bits *b, unsigned n)
{
	if (b->have < n)
		msb_fill(b);
	return n == 0 ? 0 : (uint32_t)(b->acc >> (64 - n));
}

static inline void
msb_skip(struct bits *b, unsigned n) /* what was peeked at */
{
	b->acc <<= n;
	b->have -= n;
}

static inline uint32_t
msb_get(struct bits *b, unsigned n)
{
	uint32_t v = msb_peek(b, n);

	msb_skip(b, n);
	return v;
}

/* ---- the first bit of a byte is its lowest -------------------------------- */

static inline void
lsb_fill(struct bits *b)
{
	while (b->have <= 56) {
		b->acc |= (uint64_t)bits_byte(b) << b->have;
		b->have += 8;
	}
}

static inline uint32_t
lsb_peek(struct bits *b, unsigned n)
{
	if (b->have < n)
		lsb_fill(b);
	return (uint32_t)(b->acc & ((UINT64_C(1) << n) - 1));
}

static inline void
lsb_skip(struct bits *b, unsigned n) /* what was peeked at */
{
	b->acc >>= n;
	b->have -= n;
}

static inline uint32_t
lsb_get(struct bits *b, unsigned n)
{
	uint32_t v = lsb_peek(b, n);

	lsb_skip(b, n);
	return v;
}

#endif
