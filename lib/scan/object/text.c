#include <string.h>

#include "scan/object/type.h"

/* Texts as signatures for them expect it: small letters, single blanks,
 * nothing but ASCII. */

#define CHUNK     4096u
#define ALL(byte) (UINT64_C(0x0101010101010101) * (byte))

struct normal {
	unsigned char of[256]; /* what becomes of a byte; 0: left out */
	unsigned char last;    /* written */
};

/* Normalises n bytes into `out`; how many were written. */
typedef size_t normal_fn(struct normal *t, const char *in, size_t n, char *out);

static void
fill(struct normal *t)
{
	for (unsigned c = 0; c < 256; c++) {
		bool white = c == ' ' || (c >= '\t' && c <= '\r');
		bool large = c >= 'A' && c <= 'Z';

		if (white)
			t->of[c] = ' ';
		else if (c < ' ' || c > 0x7f)
			t->of[c] = 0;
		else
			t->of[c] = (unsigned char)(large ? c + 'a' - 'A' : c);
	}
}

static size_t
normalise(struct normal *t, const char *in, size_t n, char *out)
{
	size_t put = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = t->of[(unsigned char)in[i]];

		out[put] = (char)c;
		put += c != 0 && (c != ' ' || t->last != ' ');
		t->last = c == 0 ? t->last : c;
	}
	return put;
}

#ifdef __x86_64__
#define HIGH ALL(0x80)

/* The high bit of each byte that is `from` to `to`; of bytes below 0x80. */
static inline uint64_t
bytes_within(uint64_t x, unsigned from, unsigned to)
{
	return ((x | HIGH) - ALL(from)) & ~((x | HIGH) - ALL(to + 1)) & HIGH;
}

/* All bits of the bytes whose high bit is set. */
static inline uint64_t
whole_bytes(uint64_t high)
{
	return (high >> 7) * 0xff;
}

/* Takes the bytes out whose high bit is set in `drop`; how many stay of n. */
__attribute__((target("bmi2,popcnt"))) static inline size_t
squeeze(uint64_t *x, uint64_t drop, size_t n)
{
	if (drop == 0)
		return n;
	*x = __builtin_ia32_pext_di(*x, ~whole_bytes(drop));
	return n - (size_t)__builtin_popcountll(drop);
}

/* White space becomes blanks, what is no text goes; how many stay of 8. */
__attribute__((target("bmi2,popcnt"))) static inline size_t
without_controls(uint64_t *x)
{
	uint64_t high = *x & HIGH, low = *x & ~HIGH;
	uint64_t white = bytes_within(low, '\t', '\r') & ~high;
	uint64_t control = bytes_within(low, 0, ' ' - 1) & ~white;

	*x = (low & ~whole_bytes(white)) | (ALL(' ') & whole_bytes(white));
	return squeeze(x, high | control, 8);
}

/* Eight bytes at once. */
__attribute__((target("bmi2,popcnt"))) static size_t
normalise_bmi2(struct normal *t, const char *in, size_t n, char *out)
{
	size_t i = 0, put = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t x, blank, before;
		size_t left = 8;

		memcpy(&x, in + i, sizeof(x));
		if ((x & HIGH) != 0 || bytes_within(x, 0, ' ' - 1) != 0)
			left = without_controls(&x);
		x |= bytes_within(x, 'A', 'Z') >> 2;
		blank = bytes_within(x, ' ', ' ');
		before = blank << 8 | (t->last == ' ' ? 0x80 : 0);
		left = squeeze(&x, blank & before, left);
		memcpy(out + put, &x, sizeof(x));
		put += left;
		if (left > 0)
			t->last = (unsigned char)(x >> (8 * left - 8));
	}
	return put + normalise(t, in + i, n - i, out + put);
}
#endif

static normal_fn *
choose(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("bmi2"))
		return normalise_bmi2;
#endif
	return normalise;
}

void
text_normalise(struct span object, struct buf *out)
{
	normal_fn *fn = choose();
	struct normal t = { .last = 0 };
	char chunk[CHUNK];

	fill(&t);
	for (size_t i = 0; i < object.len; i += CHUNK) {
		size_t n = object.len - i < CHUNK ? object.len - i : CHUNK;

		buf_add(out, chunk, fn(&t, object.ptr + i, n, chunk));
	}
}
