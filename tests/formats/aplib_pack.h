#ifndef TESTS_FORMATS_APLIB_PACK_H
#define TESTS_FORMATS_APLIB_PACK_H

#include "testing.h"

#include "base/span.h"

/* A packer for aPLib's streams: bits in bytes that are begun where the first
 * of their bits is needed. */
struct packer {
	unsigned char bytes[0x2000];
	size_t len, tag;
	unsigned left;
	uint32_t last; /* offset of the match before */
	bool literal;
};

static inline void
put_byte(struct packer *p, uint32_t v)
{
	p->bytes[p->len++] = (unsigned char)v;
}

static inline void
put_bits(struct packer *p, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		if (p->left == 0) {
			p->tag = p->len;
			put_byte(p, 0);
			p->left = 8;
		}
		p->left--;
		p->bytes[p->tag] |= (unsigned char)(((v >> n) & 1) << p->left);
	}
}

static inline void
put_gamma(struct packer *p, uint32_t n)
{
	unsigned bits = 31u - (unsigned)__builtin_clz(n);

	while (bits-- > 0) {
		put_bits(p, (n >> bits) & 1, 1);
		put_bits(p, bits > 0, 1);
	}
}

static inline void
put_match(struct packer *p, uint32_t offset, uint32_t len)
{
	uint32_t more = offset >= 32000 || offset < 128 ? 2 : offset >= 1280;

	if (len < 4 && offset < 128) {
		put_bits(p, 6, 3);
		put_byte(p, offset << 1 | (len - 2));
	} else if (p->literal && offset == p->last) {
		put_bits(p, 2, 2);
		put_gamma(p, 2);
		put_gamma(p, len);
	} else {
		put_bits(p, 2, 2);
		put_gamma(p, (offset >> 8) + 1 + (p->literal ? 2 : 1));
		put_byte(p, offset);
		put_gamma(p, len - more);
	}
	p->last = offset;
	p->literal = false;
}

static inline void
put_literal(struct packer *p, unsigned char c, const char *before, size_t n)
{
	p->literal = true;
	if (c == 0) {
		put_bits(p, 0x70, 7);
		return;
	}
	for (uint32_t o = 1; o < 16 && o <= n; o++)
		if ((unsigned char)before[n - o] == c) {
			put_bits(p, 0x70 | o, 7);
			return;
		}
	put_bits(p, 0, 1);
	put_byte(p, c);
}

static inline void
pack(struct span in, struct packer *p)
{
	p->left = 0;
	p->last = 0;
	p->literal = true;
	put_byte(p, (unsigned char)in.ptr[0]);
	for (size_t at = 1; at < in.len;) {
		size_t best = 0, offset = 0;

		for (size_t o = 1; o <= at; o++) {
			size_t n = 0;

			while (at + n < in.len &&
			    in.ptr[at + n] == in.ptr[at + n - o])
				n++;
			if (n > best) {
				best = n;
				offset = o;
			}
		}
		if (best < 5 && (best < 2 || offset >= 128)) {
			put_literal(p, (unsigned char)in.ptr[at], in.ptr, at);
			at++;
			continue;
		}
		put_match(p, (uint32_t)offset, (uint32_t)best);
		at += best;
	}
	put_bits(p, 6, 3);
	put_byte(p, 0);
}

static inline void
text_make(char *out, size_t n)
{
	uint32_t noise = 3;

	for (size_t i = 0; i < n; i++) {
		noise = noise * 1664525 + 1013904223;
		out[i] = (char)(noise >> 24);
		if (i % 50 < 20)
			out[i] = 0;
		if (i % 700 < 300)
			out[i] = "push ebx; call [esi]; "[i % 22];
	}
}

#endif
