#include "formats/pack/huff.h"

#include <string.h>

static uint32_t
reversed(uint32_t code, unsigned len)
{
	uint32_t r = 0;

	for (unsigned i = 0; i < len; i++)
		r |= (code >> i & 1) << (len - 1 - i);
	return r;
}

static void
fast_add(struct huff *h, uint32_t code, unsigned len, unsigned symbol,
    enum huff_order order)
{
	uint16_t entry = (uint16_t)(len << 10 | symbol);
	unsigned room = HUFF_FAST - len;

	for (uint32_t i = 0; i < 1u << room; i++) {
		uint32_t all = code << room | i, at = all;

		if (order != HUFF_MSB)
			at = reversed(all, HUFF_FAST);
		if (order == HUFF_LSB_INVERTED)
			at ^= (1u << HUFF_FAST) - 1;
		h->fast[at] = entry;
	}
}

/* Whether the codes fit; how long the longest is. */
static bool
count_lens(struct huff *h, const uint8_t *lens, size_t n)
{
	uint64_t left = 1;

	for (size_t i = 0; i < n; i++) {
		if (lens[i] > HUFF_LEN_MAX)
			return false;
		h->count[lens[i]]++;
	}
	h->count[0] = 0;
	for (unsigned len = 1; len <= HUFF_LEN_MAX; len++) {
		left <<= 1;
		if (h->count[len] > left)
			return false;
		left -= h->count[len];
		if (h->count[len] > 0)
			h->longest = len;
	}
	return true;
}

bool
huff_build(struct huff *h, const uint8_t *lens, size_t n, enum huff_order order)
{
	uint32_t code[HUFF_LEN_MAX + 2] = { 0 };
	uint16_t at[HUFF_LEN_MAX + 2] = { 0 };

	memset(h, 0, sizeof(*h));
	if (n > HUFF_SYMBOLS_MAX || !count_lens(h, lens, n)) {
		memset(h, 0, sizeof(*h));
		return false;
	}
	for (unsigned len = 1; len <= HUFF_LEN_MAX; len++) {
		at[len + 1] = (uint16_t)(at[len] + h->count[len]);
		code[len + 1] = (code[len] + h->count[len]) << 1;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned len = lens[i];

		if (len == 0)
			continue;
		h->symbol[at[len]++] = (uint16_t)i;
		if (len <= HUFF_FAST)
			fast_add(h, code[len]++, len, (unsigned)i, order);
	}
	return true;
}

void
huff_single(struct huff *h, unsigned symbol)
{
	memset(h, 0, sizeof(*h));
	h->single = true;
	h->only = (uint16_t)symbol;
}

/* `code`: the next HUFF_LEN_MAX bits, first bit highest. */
int
huff_long(const struct huff *h, uint32_t code, unsigned *len)
{
	uint32_t first = 0, index = 0;

	*len = 0;
	if (h->single)
		return h->only;
	for (unsigned n = 1; n <= h->longest; n++) {
		uint32_t head = code >> (HUFF_LEN_MAX - n);

		if (head - first < h->count[n]) {
			*len = n;
			return h->symbol[index + (head - first)];
		}
		index += h->count[n];
		first = (first + h->count[n]) << 1;
	}
	/* Something is taken, so that a stream comes to its end. */
	*len = 1;
	return HUFF_NONE;
}

int
huff_lsb_long(const struct huff *h, uint32_t bits, uint32_t turn, unsigned *len)
{
	return huff_long(h, reversed(bits ^ turn, HUFF_LEN_MAX), len);
}
