#include <stdlib.h>

#include "formats/exe/pe_pack.h"

/* WWPack32 1.x (Warezak and Wierzbicki).  The stub stands in a section of its
 * own, which begins with the entry point, and ends with a list of blocks: each
 * is packed LZ77 at its own begin.  Bits come from words of 32, the highest
 * first; a word is taken as soon as the one before is used up, between the
 * literal bytes. */

#define LIST       0x2a1u /* of blocks, from the entry point */
#define LIST_ROW   17u
#define ENTRY_JUMP 0x294u
#define BLOCKS_MAX 256u
#define TICK       65536u

struct bits {
	struct span in;
	uint64_t at;
	uint32_t word;
	unsigned left;
	bool over;
};

static void
refill(struct bits *b)
{
	/* The last word is followed by none. */
	if (!bytes_le32(b->in, b->at, &b->word))
		b->over = b->at > b->in.len;
	b->at += 4;
	b->left = 32;
}

static uint32_t
take(struct bits *b, unsigned n)
{
	uint32_t v = 0;

	while (n-- > 0) {
		b->left--;
		v = v << 1 | ((b->word >> b->left) & 1);
		if (b->left == 0)
			refill(b);
	}
	return v;
}

/* Offsets of matches of 2 bytes; 0 is the end of the block. */
static uint32_t
offset_near(struct bits *b)
{
	static const struct {
		uint8_t bits;
		uint16_t base;
	} kinds[] = { { 5, 1 }, { 6, 33 }, { 8, 97 }, { 9, 353 } };
	uint32_t kind = take(b, 2), v = take(b, kinds[kind].bits);

	return v == 0x1ff ? 0 : v + kinds[kind].base;
}

static uint32_t
offset_far(struct bits *b)
{
	uint32_t kind = take(b, 3);
	unsigned n;

	if (kind == 7)
		return take(b, 15) + 0x5fe1;
	if (kind == 6)
		return take(b, 14) + 0x1fe1;
	if (kind == 5)
		n = 12;
	else if (kind == 4)
		n = 10 + take(b, 1);
	else if (kind == 3)
		n = 8 + take(b, 1);
	else
		n = kind + 5;
	return take(b, n) + (1u << n) - 0x1f;
}

/* Lengths of 5 and more. */
static uint32_t
length_long(struct bits *b)
{
	uint32_t v, base = 13;

	if (take(b, 1) == 0)
		return 5 + take(b, 1);
	v = take(b, 3);
	if (v != 0)
		return v + 6;
	v = take(b, 4);
	if (v != 0)
		return v + 13;
	for (unsigned n = 5; n <= 7; n++) {
		base = (base + 2) * 2 - 1;
		if (take(b, 1) == 1)
			return take(b, n) + base;
	}
	return take(b, 14);
}

/* One block of `size` bytes; what the stream leaves is zero. */
static bool
block_unpack(
    struct span in, unsigned char *out, size_t size, struct peel *ticker)
{
	struct bits b = { .in = in };
	size_t n = 0;
	uint8_t c;

	memset(out, 0, size);
	refill(&b);
	for (uint32_t turn = 1; !b.over; turn++) {
		uint32_t kind, offset, len;

		if (turn % TICK == 0 && !peel_tick(ticker))
			return false;
		if (take(&b, 1) == 0) {
			if (n == size || !bytes_u8(in, b.at++, &c))
				return false;
			out[n++] = c;
			continue;
		}
		kind = take(&b, 2);
		offset = kind == 3 ? offset_near(&b) : offset_far(&b);
		if (offset == 0)
			return true;
		len = kind == 3 ? 2 : kind + 2;
		if (kind == 0)
			len = length_long(&b);
		if (offset > n || len > size - n)
			return false;
		for (; len > 0; len--, n++)
			out[n] = out[n - offset];
	}
	return false;
}

/* A row of the list, as places in the image. */
struct row {
	uint32_t at, size, packed_at, packed;
	uint8_t more;
};

static bool
row_read(struct span all, uint32_t stub, uint32_t i, struct row *r)
{
	uint64_t at = stub + LIST + (uint64_t)i * LIST_ROW;
	uint32_t before, last, words, packed_last;

	(void)bytes_le32(all, at, &before);
	(void)bytes_le32(all, at + 4, &last);
	(void)bytes_le32(all, at + 8, &words);
	(void)bytes_le32(all, at + 12, &packed_last);
	if (!bytes_u8(all, at + 16, &r->more) || words == 0 ||
	    words > all.len / 4)
		return false;
	r->at = stub - before;
	r->size = last + 4;
	r->packed = words * 4;
	r->packed_at = r->at + packed_last + 4 - r->packed;
	return bytes_have(all, r->at, r->size) &&
	    bytes_have(all, r->packed_at, r->packed);
}

static enum unpacked
blocks_unpack(struct pe_image *im, uint32_t stub, struct peel *out)
{
	struct span all = buf_view(&im->bytes);
	unsigned char *done = malloc(all.len);
	size_t room = all.len;
	enum unpacked u = UNPACKED_BROKEN;
	struct row r;

	for (uint32_t i = 0; done != NULL && i < BLOCKS_MAX; i++) {
		if (!row_read(all, stub, i, &r) || r.size > room ||
		    !block_unpack(bytes_sub(all, r.packed_at, r.packed), done,
			r.size, out))
			break;
		room -= r.size;
		memcpy(im->bytes.ptr + r.at, done, r.size);
		if (r.more == 0) {
			u = UNPACKED_DONE;
			break;
		}
	}
	free(done);
	return u;
}

enum unpacked
pe_wwpack(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	uint32_t entry, jump;

	if (x->pe32plus || !pe_entry_rva(object, x, &entry) ||
	    !bytes_are(object, x->entry,
		SPAN("\x53\x55\x8b\xe8\x33\xdb\xeb\x60\r\n\r\nWWPack32")) ||
	    !bytes_are(object, x->entry + ENTRY_JUMP, SPAN("\xe9")) ||
	    !bytes_le32(object, x->entry + ENTRY_JUMP + 1, &jump))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im) || entry < im->base)
		return UNPACKED_BROKEN;
	im->entry = entry + ENTRY_JUMP + 5 + jump;
	/* The stub's own section is not kept. */
	if (im->parts > 1 && im->part[im->parts - 1].va == entry)
		im->parts--;
	return blocks_unpack(im, entry - im->base, out);
}
