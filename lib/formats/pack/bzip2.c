/* bzip2 as NSIS has it: blocks that begin with a byte 0x31, and a byte 0x17
 * behind the last; no checksums, no randomised blocks, always 900 kB.  What
 * is within a block is as bzip2 packs it. */

#include <stdlib.h>
#include <string.h>

#include "formats/pack/codec.h"
#include "formats/pack/huff.h"

#define BLOCK_MAX     900000u
#define GROUPS_MAX    6u
#define GROUP         50u
#define SELECTORS_MAX 18002u
#define ALPHABET_MAX  258u
#define RUN_MAX       21u /* bits of a run's length */

enum { RUN_A, RUN_B };

struct block {
	struct bits b;
	uint32_t *tt; /* a byte, and above it the place of the next */
	uint32_t used, origin;
	uint8_t bytes[256]; /* those that occur, moved to the front */
	unsigned distinct;
	struct huff codes[GROUPS_MAX];
	unsigned groups, selectors;
	uint8_t selector[SELECTORS_MAX];
};

static bool
read_map(struct block *k)
{
	uint32_t rows = msb_get(&k->b, 16);

	k->distinct = 0;
	for (unsigned i = 0; i < 16; i++) {
		uint32_t row = 0;

		if ((rows & 0x8000u >> i) != 0)
			row = msb_get(&k->b, 16);
		for (unsigned j = 0; j < 16; j++)
			if ((row & 0x8000u >> j) != 0)
				k->bytes[k->distinct++] = (uint8_t)(i * 16 + j);
	}
	return k->distinct > 0;
}

static bool
read_selectors(struct block *k)
{
	uint8_t order[GROUPS_MAX] = { 0, 1, 2, 3, 4, 5 };

	k->groups = msb_get(&k->b, 3);
	k->selectors = msb_get(&k->b, 15);
	if (k->groups < 2 || k->groups > GROUPS_MAX || k->selectors < 1)
		return false;
	for (unsigned i = 0; i < k->selectors; i++) {
		unsigned j = 0;
		uint8_t to;

		while (msb_get(&k->b, 1) == 1)
			if (++j >= k->groups)
				return false;
		if (bits_over(&k->b))
			return false;
		to = order[j];
		memmove(order + 1, order, j);
		order[0] = to;
		/* More than any block can need are read and not kept. */
		if (i < SELECTORS_MAX)
			k->selector[i] = to;
	}
	if (k->selectors > SELECTORS_MAX)
		k->selectors = SELECTORS_MAX;
	return true;
}

static bool
read_codes(struct block *k)
{
	uint8_t lens[ALPHABET_MAX];

	for (unsigned g = 0; g < k->groups; g++) {
		unsigned len = msb_get(&k->b, 5);

		for (unsigned i = 0; i < k->distinct + 2; i++) {
			while (len >= 1 && len <= HUFF_LEN_MAX &&
			    msb_get(&k->b, 1) == 1)
				len =
				    msb_get(&k->b, 1) == 0 ? len + 1 : len - 1;
			if (len < 1 || len > HUFF_LEN_MAX)
				return false;
			lens[i] = (uint8_t)len;
		}
		if (!huff_build(&k->codes[g], lens, k->distinct + 2, HUFF_MSB))
			return false;
	}
	return !bits_over(&k->b);
}

static bool
repeat(struct block *k, uint8_t byte, uint32_t n)
{
	if (n > BLOCK_MAX - k->used)
		return false;
	while (n-- > 0)
		k->tt[k->used++] = byte;
	return true;
}

/* Moves byte j of those that occur to the front, and gives it. */
static uint8_t
to_front(struct block *k, unsigned j)
{
	uint8_t byte = k->bytes[j];

	memmove(k->bytes + 1, k->bytes, j);
	k->bytes[0] = byte;
	return byte;
}

/* Runs of the byte in front are told in digits of 1 and 2. */
static bool
read_symbols(struct block *k)
{
	unsigned digit = 0;
	uint32_t run = 0;

	k->used = 0;
	for (uint32_t n = 0; n / GROUP < k->selectors; n++) {
		int c = huff_msb(&k->codes[k->selector[n / GROUP]], &k->b);

		if (c < 0 || bits_over(&k->b))
			return false;
		if (c <= RUN_B) {
			if (digit >= RUN_MAX)
				return false;
			run += (c == RUN_A ? 1u : 2u) << digit++;
			continue;
		}
		if (!repeat(k, k->bytes[0], run))
			return false;
		digit = run = 0;
		if ((unsigned)c == k->distinct + 1)
			return k->origin < k->used;
		if (!repeat(k, to_front(k, (unsigned)c - 1), 1))
			return false;
	}
	return false;
}

/* Every byte gets the place of the one that follows it. */
static void
untransform(struct block *k)
{
	uint32_t place[256] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < k->used; i++)
		place[k->tt[i] & 0xff]++;
	for (unsigned c = 0; c < 256; c++) {
		uint32_t n = place[c];

		place[c] = sum;
		sum += n;
	}
	for (uint32_t i = 0; i < k->used; i++)
		k->tt[place[k->tt[i] & 0xff]++] |= i << 8;
}

/* Four alike are followed by how many more. */
static void
write_block(const struct block *k, struct flow *f)
{
	uint32_t at = k->tt[k->origin] >> 8;
	unsigned alike = 0;
	int last = -1;

	for (uint32_t i = 0; i < k->used && flow_wants(f); i++) {
		uint8_t byte = (uint8_t)k->tt[at];

		at = k->tt[at] >> 8;
		if (alike == 4) {
			for (unsigned n = 0; n < byte; n++)
				flow_put(f, (uint8_t)last);
			alike = 0;
			last = -1;
			continue;
		}
		alike = byte == last ? alike + 1 : 1;
		last = byte;
		flow_put(f, byte);
	}
}

static bool
blocks(struct block *k, struct flow *f)
{
	while (flow_wants(f)) {
		uint32_t mark = msb_get(&k->b, 8);

		if (mark != 0x31)
			return mark == 0x17 && !bits_over(&k->b);
		k->origin = msb_get(&k->b, 24);
		if (!read_map(k) || !read_selectors(k) || !read_codes(k) ||
		    !read_symbols(k))
			return false;
		untransform(k);
		write_block(k, f);
	}
	return true;
}

bool
codec_bzip2_nsis(struct span in, struct flow *f, size_t *used)
{
	struct block *k = calloc(1, sizeof(*k));
	bool ok = true;

	if (k != NULL)
		k->tt = malloc(BLOCK_MAX * sizeof(*k->tt));
	if (k == NULL || k->tt == NULL) {
		peel_note(f->out, PEEL_MEMORY);
		goto out;
	}
	k->b = bits_of(in);
	ok = blocks(k, f);
	if (used != NULL)
		*used = in.len - bits_rest(&k->b);
out:
	if (k != NULL)
		free(k->tt);
	free(k);
	return ok;
}
