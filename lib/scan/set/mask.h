#ifndef SCAN_MASK_H
#define SCAN_MASK_H

#include "base/span.h"

/* What signatures look for is stored masked: otherwise every scanner, ours
 * included, would find its viruses in the set file.  Byte i of a literal is
 * XORed with byte i % 8 of SET_MASK; so is libyara's stream as a whole.  No
 * secret: the bytes just must not stand there as they are, nor under one
 * byte's XOR, which rules look for too. */
#define SET_MASK UINT64_C(0xa7d31b8e65f9c24d) /* part of the format */

static inline unsigned char
mask_byte(unsigned char c, size_t i)
{
	return c ^ (unsigned char)(SET_MASK >> (i % 8 * 8));
}

/* Masks, or unmasks; `first` is the index of in[0].  May be in place. */
static inline void
mask_copy(void *out, const void *in, size_t n, size_t first)
{
	const unsigned char *from = in;
	unsigned char *to = out;

	for (size_t i = 0; i < n; i++)
		to[i] = mask_byte(from[i], first + i);
}

#endif
