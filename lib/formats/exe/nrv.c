#include "formats/exe/pe_pack.h"

/* NRV2B, NRV2D and NRV2E (Oberhumer's UCL).  Bits come from words of 32, the
 * highest first, that stand between the bytes where they are first needed.
 * A 1 announces a literal byte; a 0 a match, whose offset is a number in
 * pairs of bits followed by a byte, and 2 (after counting from 1) the offset
 * of the match before. */

#define END_MARK UINT32_MAX
#define TICK     (1u << 16) /* bytes between two looks at the clock */

struct bits {
	struct span in;
	size_t at;
	uint32_t word;
	unsigned left;
	bool over; /* the input ended */
};

struct match {
	uint32_t offset, len;
};

static uint32_t
bit(struct bits *b)
{
	if (b->left == 0) {
		b->over = !bytes_le32(b->in, b->at, &b->word) || b->over;
		b->at += 4;
		b->left = 32;
	}
	b->left--;
	return (b->word >> b->left) & 1;
}

static uint32_t
byte(struct bits *b)
{
	uint8_t c;

	b->over = !bytes_u8(b->in, b->at, &c) || b->over;
	b->at++;
	return c;
}

/* A number whose highest bit is not stored: bits, each followed by a 1 if it
 * was the last.  Wraps on input that no packer makes; so the caller checks. */
static uint32_t
number(struct bits *b, uint32_t n)
{
	do {
		n = n * 2 + bit(b);
	} while (bit(b) == 0 && !b->over);
	return n;
}

/* Of NRV2D and NRV2E: every other step counts from one less. */
static uint32_t
number_stepped(struct bits *b)
{
	uint32_t n = 1;

	while (!b->over) {
		n = n * 2 + bit(b);
		if (bit(b) == 1)
			break;
		n = (n - 1) * 2 + bit(b);
	}
	return n;
}

/* False at the end mark; `m` holds the match before. */
static bool
match_2b(struct bits *b, struct match *m)
{
	uint32_t n = number(b, 1), offset;

	if (n != 2) {
		offset = (n - 3) * 256 + byte(b);
		if (offset == END_MARK)
			return false;
		m->offset = offset + 1;
	}
	m->len = bit(b);
	m->len = m->len * 2 + bit(b);
	if (m->len == 0)
		m->len = number(b, 1) + 2;
	m->len += m->offset > 0xd00;
	return true;
}

/* The offset of both others, whose lowest bit is one of the length. */
static bool
offset_2de(struct bits *b, struct match *m)
{
	uint32_t n = number_stepped(b), offset;

	if (n == 2) {
		m->len = bit(b);
		return true;
	}
	offset = (n - 3) * 256 + byte(b);
	if (offset == END_MARK)
		return false;
	m->len = (offset & 1) ^ 1;
	m->offset = (offset >> 1) + 1;
	return true;
}

static bool
match_2d(struct bits *b, struct match *m)
{
	if (!offset_2de(b, m))
		return false;
	m->len = m->len * 2 + bit(b);
	if (m->len == 0)
		m->len = number(b, 1) + 2;
	m->len += m->offset > 0x500;
	return true;
}

static bool
match_2e(struct bits *b, struct match *m)
{
	if (!offset_2de(b, m))
		return false;
	if (m->len != 0)
		m->len = 1 + bit(b);
	else if (bit(b) != 0)
		m->len = 3 + bit(b);
	else
		m->len = number(b, 1) + 3;
	m->len += m->offset > 0x500;
	return true;
}

/* len + 1 bytes from `offset` before the end; they may overlap. */
static bool
copy(struct buf *out, const struct match *m)
{
	uint64_t n = (uint64_t)m->len + 1;

	if (m->offset == 0 || m->offset > out->len || n > out->max - out->len)
		return false;
	while (n > 0 && !out->full) {
		size_t step = n < m->offset ? (size_t)n : m->offset;
		char piece[1024];

		if (step > sizeof(piece))
			step = sizeof(piece);
		memcpy(piece, out->ptr + (out->len - m->offset), step);
		/* What repeats itself is added often enough at once. */
		while (step < n && step + m->offset <= sizeof(piece)) {
			memcpy(piece + step, piece, m->offset);
			step += m->offset;
		}
		if (step > n)
			step = (size_t)n;
		buf_add(out, piece, step);
		n -= step;
	}
	return !out->full;
}

bool
nrv_unpack(
    enum nrv method, struct span in, struct buf *out, struct peel *ticker)
{
	static bool (*const matches[NRVS])(
	    struct bits *, struct match *) = { match_2b, match_2d, match_2e };
	struct bits b = { .in = in };
	struct match m = { 1, 0 };
	size_t tick = out->len;

	while (!b.over && !out->full) {
		if (out->len - tick >= TICK) {
			tick = out->len;
			if (!peel_tick(ticker))
				return false;
		}
		if (bit(&b) == 1)
			buf_char(out, (char)byte(&b));
		else if (!matches[method](&b, &m))
			return !b.over;
		else if (b.over || !copy(out, &m))
			return false;
	}
	return false;
}
