#ifndef PACK_HUFF_H
#define PACK_HUFF_H

#include "formats/pack/bits.h"

/* Canonical prefix codes: symbols in the order of their code lengths, then
 * of their numbers; the first code is all zeros.  Deflate, LZX, LZH, bzip2
 * and Shannon-Fano trees are all of this kind. */
#define HUFF_LEN_MAX     20u
#define HUFF_SYMBOLS_MAX 704u
#define HUFF_FAST        9u

enum huff_order {
	HUFF_MSB,         /* read with msb_ */
	HUFF_LSB,         /* read with lsb_, a code's first bit comes first */
	HUFF_LSB_INVERTED /* and every bit of it is turned over (implode) */
};

struct huff {
	unsigned longest; /* bits; 0: no code, or one of no bits */
	uint16_t only;    /* the symbol of no bits, see huff_single() */
	bool single;
	uint16_t count[HUFF_LEN_MAX + 1];
	uint16_t symbol[HUFF_SYMBOLS_MAX];
	/* length << 10 | symbol of the next HUFF_FAST bits; 0: longer */
	uint16_t fast[1u << HUFF_FAST];
};

#define HUFF_NONE (-1) /* these bits are no code */

/* From the length of each symbol's code, 0 for those without one.  False:
 * more codes than there is room for, or a length over HUFF_LEN_MAX.  A tree
 * with codes to spare is taken; decoding one of those gives HUFF_NONE. */
bool huff_build(
    struct huff *h, const uint8_t *lens, size_t n, enum huff_order order);
/* One symbol of no bits at all (LZH). */
void huff_single(struct huff *h, unsigned symbol);

int huff_long(const struct huff *h, uint32_t code, unsigned *len);

/* The next symbol, or HUFF_NONE. */
static inline int
huff_msb(const struct huff *h, struct bits *b)
{
	uint32_t code = msb_peek(b, HUFF_LEN_MAX);
	unsigned fast = h->fast[code >> (HUFF_LEN_MAX - HUFF_FAST)];
	unsigned len = fast >> 10;
	int symbol = (int)(fast & 0x3ff);

	if (len == 0)
		symbol = huff_long(h, code, &len);
	msb_skip(b, len);
	return symbol;
}

/* `turn`: 0, or all ones for HUFF_LSB_INVERTED. */
int huff_lsb_long(
    const struct huff *h, uint32_t bits, uint32_t turn, unsigned *len);

static inline int
huff_lsb(const struct huff *h, struct bits *b, uint32_t turn)
{
	uint32_t code = lsb_peek(b, HUFF_LEN_MAX);
	unsigned fast = h->fast[code & ((1u << HUFF_FAST) - 1)];
	unsigned len = fast >> 10;
	int symbol = (int)(fast & 0x3ff);

	if (len == 0)
		symbol = huff_lsb_long(h, code, turn, &len);
	lsb_skip(b, len);
	return symbol;
}

#endif
