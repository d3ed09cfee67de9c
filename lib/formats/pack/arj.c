/* ARJ: a main header, then a header and data for each file.  Read: methods 0
 * (stored), 1 to 3 (LZ77 over 26 kB with two Huffman trees that change from
 * block to block) and 4 (LZ77 with fixed prefix codes).  Garbled members are
 * told but not read.  The checksums are not compared: a wrong one does not
 * make the bytes harmless. */

#include <stdlib.h>

#include "formats/bytes.h"
#include "formats/pack/flow.h"
#include "formats/pack/huff.h"
#include "formats/pack/pack.h"

#define WINDOW     32768u
#define HEADER_MAX 2600u

/* ---- methods 1 to 3 -------------------------------------------------------- */

#define LITERALS 510u /* 256 bytes, 254 lengths from 3 on */
#define PLACES   17u
#define LENGTHS  19u

struct lz {
	struct bits b;
	struct huff lengths, literals, places;
	unsigned block; /* symbols that are left of it */
};

/* Up to `n` lengths of three bits, 7 and more in unary; after the third of
 * the code-length tree a gap of up to three. */
static bool
read_small_tree(struct bits *b, struct huff *h, unsigned n, unsigned count_bits,
    unsigned gap_after)
{
	uint8_t lens[LENGTHS] = { 0 };
	unsigned count = msb_get(b, count_bits), i = 0;

	if (count == 0) {
		unsigned symbol = msb_get(b, count_bits);

		huff_single(h, symbol);
		return symbol < n;
	}
	if (count > n)
		return false;
	while (i < count) {
		unsigned len = msb_get(b, 3);

		if (len == 7)
			while (len < HUFF_LEN_MAX && msb_get(b, 1) == 1)
				len++;
		lens[i++] = (uint8_t)len;
		if (i == gap_after)
			i += msb_get(b, 2);
	}
	return huff_build(h, lens, n, HUFF_MSB);
}

/* How many symbols have no code: one, a few, or many. */
static unsigned
gap(struct bits *b, int symbol)
{
	if (symbol == 0)
		return 1;
	return symbol == 1 ? msb_get(b, 4) + 3 : msb_get(b, 9) + 20;
}

static bool
read_literal_tree(struct lz *z)
{
	uint8_t lens[LITERALS] = { 0 };
	unsigned count = msb_get(&z->b, 9), i = 0;

	if (count == 0) {
		unsigned symbol = msb_get(&z->b, 9);

		huff_single(&z->literals, symbol);
		return symbol < LITERALS;
	}
	if (count > LITERALS)
		return false;
	while (i < count) {
		int c = huff_msb(&z->lengths, &z->b);

		if (c < 0 || bits_over(&z->b))
			return false;
		if (c <= 2)
			i += gap(&z->b, c);
		else
			lens[i++] = (uint8_t)(c - 2);
	}
	return huff_build(&z->literals, lens, LITERALS, HUFF_MSB);
}

static bool
read_block(struct lz *z)
{
	z->block = msb_get(&z->b, 16);
	return z->block > 0 &&
	    read_small_tree(&z->b, &z->lengths, LENGTHS, 5, 3) &&
	    read_literal_tree(z) &&
	    read_small_tree(&z->b, &z->places, PLACES, 5, 0);
}

static bool
lz_copy(struct lz *z, unsigned len, struct flow *f)
{
	int slot = huff_msb(&z->places, &z->b);
	size_t back = 0;

	if (slot < 0)
		return false;
	if (slot > 0)
		back = (1u << (slot - 1)) | msb_get(&z->b, (unsigned)slot - 1);
	flow_copy(f, back + 1, len);
	return true;
}

static bool
lz_blocks(struct lz *z, struct flow *f)
{
	while (flow_wants(f)) {
		int c;

		if (z->block == 0 && !read_block(z))
			return false;
		z->block--;
		c = huff_msb(&z->literals, &z->b);
		if (c < 0 || bits_over(&z->b))
			return false;
		if (c < 256)
			flow_put(f, (uint8_t)c);
		else if (!lz_copy(z, (unsigned)c - 253, f))
			return false;
	}
	return true;
}

static bool
most(struct span in, struct flow *f)
{
	struct lz *z = calloc(1, sizeof(*z));
	bool ok;

	if (z == NULL) {
		peel_note(f->out, PEEL_MEMORY);
		return true;
	}
	z->b = bits_of(in);
	ok = lz_blocks(z, f);
	free(z);
	return ok;
}

/* ---- method 4 --------------------------------------------------------------- */

/* A number of `from` to `to` bits, the width told in unary; each width goes
 * on where the one before ended. */
static unsigned
stepped(struct bits *b, unsigned from, unsigned to)
{
	unsigned width = from, base = 0;

	while (width < to && msb_get(b, 1) == 1)
		base += 1u << width++;
	return base + msb_get(b, width);
}

static bool
fastest(struct span in, struct flow *f)
{
	struct bits b = bits_of(in);

	while (flow_wants(f) && !bits_over(&b)) {
		unsigned len = stepped(&b, 0, 7);

		if (len == 0)
			flow_put(f, (uint8_t)msb_get(&b, 8));
		else
			flow_copy(f, stepped(&b, 9, 13) + (size_t)1, len + 2);
	}
	return !bits_over(&b);
}

static bool
stored(struct span in, struct flow *f)
{
	flow_span(f, in);
	return true;
}

/* ---- headers ---------------------------------------------------------------- */

typedef bool method_fn(struct span in, struct flow *f);
static method_fn *const methods[] = { stored, most, most, most, fastest };
#define METHODS (sizeof(methods) / sizeof(methods[0]))

enum { GARBLED = 0x01, NO_DATA = 8, NO_DATA_NO_CRC = 9 };

struct header {
	unsigned flags, method;
	uint32_t packed, size, crc;
	struct span name;
	uint64_t end; /* behind it and what extends it */
};

enum header_end { HEADER_READ, HEADER_LAST, HEADER_BAD };

static enum header_end
header_read(struct span s, uint64_t at, struct header *h)
{
	static const struct span mark = { "\x60\xea", 2 };
	uint16_t size, more;
	uint8_t first, flags, method;
	struct span text;

	if (!bytes_are(s, at, mark) || !bytes_le16(s, at + 2, &size))
		return HEADER_BAD;
	if (size == 0)
		return HEADER_LAST;
	(void)bytes_u8(s, at + 4, &first);
	(void)bytes_u8(s, at + 8, &flags);
	(void)bytes_u8(s, at + 9, &method);
	(void)bytes_le32(s, at + 16, &h->packed);
	(void)bytes_le32(s, at + 20, &h->size);
	(void)bytes_le32(s, at + 24, &h->crc);
	if (size > HEADER_MAX || first < 30 || first > size ||
	    !bytes_have(s, at, 4u + size + 4u))
		return HEADER_BAD;
	h->flags = flags;
	h->method = method;
	text = bytes_sub(s, at + 4 + first, (uint64_t)size - first);
	h->name = span_cut(text, '\0', &text);
	h->end = at + 4u + size + 4u;
	/* Headers that extend it, each with a checksum, until an empty one. */
	while (bytes_le16(s, h->end, &more)) {
		h->end += 2;
		if (more == 0)
			return HEADER_READ;
		h->end += more + UINT64_C(4);
	}
	return HEADER_BAD;
}

static bool
member(const struct header *h, struct span data, struct peel *out)
{
	struct peel_member m = peel_named(h->name, FORMAT_ANY);
	struct flow f;
	bool ok;

	m.encrypted = (h->flags & GARBLED) != 0;
	m.packed = h->packed;
	m.size = h->size;
	m.crc = h->crc;
	if (m.encrypted || h->method >= METHODS) {
		peel_note(out, m.encrypted ? PEEL_ENCRYPTED : PEEL_UNSUPPORTED);
		return peel_begin(out, &m) && peel_end(out);
	}
	if (h->method == 0 && data.len == h->packed)
		return peel_slice(out, &m, data);
	if (!flow_begin(&f, out, &m, WINDOW, 0, h->size))
		return false;
	ok = methods[h->method](data, &f);
	return flow_end(&f, ok && f.left == 0);
}

void
open_arj(struct span object, struct peel *out)
{
	struct header h = { 0 };
	enum header_end end = header_read(object, 0, &h);

	if (end == HEADER_BAD && !span_starts(object, "\x60\xea"))
		return;
	while (end == HEADER_READ) {
		struct span data;

		end = header_read(object, h.end, &h);
		if (end != HEADER_READ)
			break;
		if (h.method == NO_DATA || h.method == NO_DATA_NO_CRC)
			continue;
		data = bytes_sub(object, h.end, h.packed);
		h.end += h.packed;
		if (data.len < h.packed)
			peel_note(out, PEEL_DAMAGED);
		if ((h.packed > 0 || h.size > 0) && !member(&h, data, out))
			return;
	}
	if (end == HEADER_BAD)
		peel_note(out, PEEL_DAMAGED);
}
