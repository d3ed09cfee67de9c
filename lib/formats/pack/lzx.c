#include "formats/pack/lzx.h"

#include <stdlib.h>
#include <string.h>

#include "formats/pack/huff.h"

#define SLOTS_MAX 50u
#define MAIN_MAX  (256u + 8u * SLOTS_MAX)
#define LENGTHS   249u
#define PRETREE   20u
#define ALIGNED   8u
#define E8_FRAMES 32768u /* calls are translated in the first 1 GiB */
#define MATCH_MIN 2u

enum block { BLOCK_NONE, BLOCK_VERBATIM, BLOCK_ALIGNED, BLOCK_RAW };

struct lzx {
	struct bits b;
	uint8_t *window;
	size_t size, at;
	uint64_t total;     /* bytes of output before the frame */
	uint32_t recent[3]; /* distances */
	enum block block;
	uint32_t left;    /* bytes of the block */
	bool padded;      /* the block is followed by a byte of padding */
	bool begun;       /* the head behind a reset was read */
	uint32_t e8_size; /* 0: calls stand as they were */
	unsigned main_symbols;
	uint32_t base[SLOTS_MAX];
	uint8_t extra[SLOTS_MAX];
	uint8_t main_lens[MAIN_MAX], lengths_lens[LENGTHS];
	struct huff main, lengths, aligned, pretree;
	uint8_t frame[LZX_FRAME]; /* with calls translated */
};

struct lzx *
lzx_new(unsigned window_bits)
{
	struct lzx *z = calloc(1, sizeof(*z));
	uint32_t base = 0;
	unsigned slots = 0;

	if (z == NULL)
		return NULL;
	z->size = (size_t)1 << window_bits;
	z->window = calloc(1, z->size);
	if (z->window == NULL) {
		free(z);
		return NULL;
	}
	for (; slots < SLOTS_MAX && base < z->size; slots++) {
		unsigned extra = slots < 4 ? 0 : slots / 2 - 1;

		if (extra > 17)
			extra = 17;
		z->base[slots] = base;
		z->extra[slots] = (uint8_t)extra;
		base += 1u << extra;
	}
	z->main_symbols = 256 + 8 * slots;
	return z;
}

void
lzx_free(struct lzx *z)
{
	if (z == NULL)
		return;
	free(z->window);
	free(z);
}

void
lzx_reset(struct lzx *z, struct span in, uint64_t at)
{
	z->b = bits_of(in);
	z->b.words = true;
	z->recent[0] = z->recent[1] = z->recent[2] = 1;
	z->block = BLOCK_NONE;
	z->left = 0;
	z->padded = z->begun = false;
	z->e8_size = 0;
	z->at = 0;
	z->total = at;
	memset(z->main_lens, 0, sizeof(z->main_lens));
	memset(z->lengths_lens, 0, sizeof(z->lengths_lens));
}

/* ---- trees ------------------------------------------------------------------ */

/* Lengths are told as differences from those of the block before. */
static bool
read_lens(struct lzx *z, uint8_t *lens, unsigned from, unsigned to)
{
	uint8_t pre[PRETREE];

	for (unsigned i = 0; i < PRETREE; i++)
		pre[i] = (uint8_t)msb_get(&z->b, 4);
	if (!huff_build(&z->pretree, pre, PRETREE, HUFF_MSB))
		return false;
	while (from < to) {
		int c = huff_msb(&z->pretree, &z->b);
		unsigned run = 1;
		uint8_t len;

		if (c < 0 || bits_over(&z->b))
			return false;
		if (c == 17)
			run = msb_get(&z->b, 4) + 4;
		else if (c == 18)
			run = msb_get(&z->b, 5) + 20;
		else if (c == 19)
			run = msb_get(&z->b, 1) + 4;
		if (c == 19)
			c = huff_msb(&z->pretree, &z->b);
		else if (c > 16)
			c = lens[from];
		if (c < 0 || c > 16 || run > to - from)
			return false;
		len = (uint8_t)((17u + lens[from] - (unsigned)c) % 17u);
		while (run-- > 0)
			lens[from++] = len;
	}
	return true;
}

static bool
read_trees(struct lzx *z)
{
	uint8_t lens[ALIGNED];

	if (z->block == BLOCK_ALIGNED) {
		for (unsigned i = 0; i < ALIGNED; i++)
			lens[i] = (uint8_t)msb_get(&z->b, 3);
		if (!huff_build(&z->aligned, lens, ALIGNED, HUFF_MSB))
			return false;
	}
	return read_lens(z, z->main_lens, 0, 256) &&
	    read_lens(z, z->main_lens, 256, z->main_symbols) &&
	    huff_build(&z->main, z->main_lens, z->main_symbols, HUFF_MSB) &&
	    read_lens(z, z->lengths_lens, 0, LENGTHS) &&
	    huff_build(&z->lengths, z->lengths_lens, LENGTHS, HUFF_MSB);
}

/* ---- blocks ----------------------------------------------------------------- */

/* From bits to bytes: what was read ahead is given back. */
static void
leave_bits(struct bits *b)
{
	unsigned real = b->have > b->padded ? b->have - b->padded : 0;

	b->at -= real / 8;
	b->padded = bits_over(b) ? BITS_MAX : 0;
	b->acc = 0;
	b->have = 0;
}

static bool
raw_begin(struct lzx *z)
{
	unsigned odd = z->b.have & 15;

	/* 1 to 16 bits of padding, then the three distances. */
	(void)msb_get(&z->b, odd == 0 ? 16 : odd);
	leave_bits(&z->b);
	if (bits_over(&z->b) || z->b.end - z->b.at < 12)
		return false;
	for (unsigned i = 0; i < 3; i++, z->b.at += 4)
		z->recent[i] = z->b.at[0] | (uint32_t)z->b.at[1] << 8 |
		    (uint32_t)z->b.at[2] << 16 | (uint32_t)z->b.at[3] << 24;
	return true;
}

static bool
block_begin(struct lzx *z)
{
	unsigned type;

	if (z->padded && z->b.at < z->b.end)
		z->b.at++;
	type = msb_get(&z->b, 3);
	z->left = msb_get(&z->b, 24);
	if (bits_over(&z->b) || type < BLOCK_VERBATIM || type > BLOCK_RAW)
		return false;
	z->block = (enum block)type;
	z->padded = z->block == BLOCK_RAW && (z->left & 1) != 0;
	return z->block == BLOCK_RAW ? raw_begin(z) : read_trees(z);
}

/* A new distance of this slot, the lowest bits of it perhaps coded. */
static bool
far_distance(struct lzx *z, unsigned slot, uint32_t *out)
{
	unsigned extra = z->extra[slot];
	uint32_t low = 0;
	int c = 0;

	if (z->block == BLOCK_ALIGNED && extra >= 3) {
		low = msb_get(&z->b, extra - 3) << 3;
		c = huff_msb(&z->aligned, &z->b);
	} else {
		low = msb_get(&z->b, extra);
	}
	*out = z->base[slot] - 2 + low + (uint32_t)c;
	return c >= 0;
}

/* The last three distances have slots of their own. */
static bool
distance(struct lzx *z, unsigned slot, uint32_t *out)
{
	if (slot < 3) {
		*out = z->recent[slot];
		z->recent[slot] = z->recent[0];
	} else {
		if (!far_distance(z, slot, out))
			return false;
		z->recent[2] = z->recent[1];
		z->recent[1] = z->recent[0];
	}
	z->recent[0] = *out;
	return *out > 0 && *out <= z->size;
}

/* How many bytes a match gave; 0: it is none, or longer than `room`. */
static size_t
match(struct lzx *z, unsigned code, size_t room)
{
	size_t len = (code & 7) + MATCH_MIN;
	uint32_t back;

	if ((code & 7) == 7) {
		int more = huff_msb(&z->lengths, &z->b);

		if (more < 0)
			return 0;
		len += (unsigned)more;
	}
	if (!distance(z, code >> 3, &back) || len > room)
		return 0;
	for (size_t i = 0; i < len; i++, z->at++)
		z->window[z->at] = z->window[(z->at - back) & (z->size - 1)];
	return len;
}

static size_t
codes(struct lzx *z, size_t n)
{
	size_t done = 0;

	while (done < n) {
		int c = huff_msb(&z->main, &z->b);
		size_t len = 1;

		if (c < 0 || bits_over(&z->b))
			break;
		if (c < 256)
			z->window[z->at++] = (uint8_t)c;
		else
			len = match(z, (unsigned)c - 256, n - done);
		if (len == 0)
			break;
		done += len;
	}
	return done;
}

static size_t
raw(struct lzx *z, size_t n)
{
	size_t there = (size_t)(z->b.end - z->b.at);

	if (n > there)
		n = there;
	memcpy(z->window + z->at, z->b.at, n);
	z->at += n;
	z->b.at += n;
	return n;
}

/* ---- frames ----------------------------------------------------------------- */

/* Targets of x86 calls were made absolute before packing. */
static struct span
translated(struct lzx *z, struct span s)
{
	int64_t base = (int64_t)z->total, size = z->e8_size;

	if (z->e8_size == 0 || s.len <= 10 || z->total / LZX_FRAME >= E8_FRAMES)
		return s;
	memcpy(z->frame, s.ptr, s.len);
	for (size_t i = 0; i < s.len - 10; i++) {
		int64_t here = base + (int64_t)i;
		int32_t to;

		if (z->frame[i] != 0xe8)
			continue;
		memcpy(&to, z->frame + i + 1, sizeof(to));
		if (to >= -here && to < size) {
			to = (int32_t)(to >= 0 ? to - here : to + size);
			memcpy(z->frame + i + 1, &to, sizeof(to));
		}
		i += 4;
	}
	return (struct span){ (const char *)z->frame, s.len };
}

static void
stream_begin(struct lzx *z)
{
	if (z->begun)
		return;
	z->begun = true;
	if (msb_get(&z->b, 1) == 1) {
		z->e8_size = msb_get(&z->b, 16) << 16;
		z->e8_size |= msb_get(&z->b, 16);
	}
}

struct span
lzx_frame(struct lzx *z, size_t len, bool *ok)
{
	struct span s;
	size_t done = 0;

	if (z->size - z->at < LZX_FRAME)
		z->at = 0;
	s = (struct span){ (const char *)z->window + z->at, 0 };
	stream_begin(z);
	*ok = len <= LZX_FRAME;
	while (*ok && done < len) {
		size_t n = len - done, got;

		if (z->left == 0) {
			*ok = block_begin(z);
			continue;
		}
		if (n > z->left)
			n = z->left;
		got = z->block == BLOCK_RAW ? raw(z, n) : codes(z, n);
		z->left -= (uint32_t)got;
		done += got;
		*ok = got == n;
	}
	msb_skip(&z->b, z->b.have & 15);
	s.len = done;
	s = translated(z, s);
	z->total += done;
	return s;
}
