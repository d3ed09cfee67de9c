#include "formats/exe/pe_pack.h"

/* aPLib (Joergen Ibsen), which MEW, FSG and others carry in their stubs.
 * Bits come from bytes, the highest first, which stand between the literal
 * bytes where they are first needed.
 *	0 byte			a literal
 *	10 gamma byte gamma	a match: offset, length
 *	110 byte		7 bits of offset, 1 of length; 0 ends
 *	111 bbbb		a byte at a near offset, or 0 */

#define TICK (1u << 16)

struct stream {
	const struct span *in;
	uint64_t at;
	unsigned tag, left;
	bool over;
};

static unsigned
byte(struct stream *s)
{
	uint8_t c;

	s->over = !bytes_u8(*s->in, s->at, &c) || s->over;
	s->at++;
	return c;
}

static unsigned
bit(struct stream *s)
{
	if (s->left == 0) {
		s->tag = byte(s);
		s->left = 8;
	}
	s->left--;
	return (s->tag >> s->left) & 1;
}

static uint32_t
gamma_number(struct stream *s)
{
	uint32_t n = 1;

	do {
		n = n * 2 + bit(s);
	} while (bit(s) != 0 && !s->over);
	return n;
}

struct match {
	uint32_t offset, len;
	bool literal; /* whether a literal came before */
};

/* A match with an offset of its own, or the one before. */
static void
match_long(struct stream *s, struct match *m)
{
	uint32_t n = gamma_number(s) - (m->literal ? 2 : 1), offset;

	m->literal = false;
	if (n == 0) {
		m->len = gamma_number(s);
		return;
	}
	offset = (n - 1) << 8;
	offset |= byte(s);
	m->len = gamma_number(s);
	if (offset >= 32000 || offset < 128)
		m->len += 2;
	else if (offset >= 1280)
		m->len += 1;
	m->offset = offset;
}

/* False at the end. */
static bool
match_read(struct stream *s, struct match *m)
{
	unsigned n;

	if (bit(s) == 0) {
		match_long(s, m);
		return true;
	}
	if (bit(s) == 0) {
		n = byte(s);
		m->offset = n >> 1;
		m->len = 2 + (n & 1);
		m->literal = false;
		return m->offset != 0;
	}
	n = 0;
	for (unsigned i = 0; i < 4; i++)
		n = n * 2 + bit(s);
	m->literal = true;
	m->offset = n; /* kept by the caller only for this byte */
	m->len = 1;
	return true;
}

/* The bytes at *to - offset to *to, one by one since they may overlap. */
static bool
put_match(struct pe_image *im, size_t begin, size_t *to, uint32_t offset,
    uint32_t len)
{
	char *mem = im->bytes.ptr;

	if (offset > *to - begin || len > im->bytes.len - *to)
		return false;
	if (offset == 0) {
		memset(mem + *to, 0, len);
		*to += len;
		return true;
	}
	for (; len > 0; len--, (*to)++)
		mem[*to] = mem[*to - offset];
	return true;
}

bool
aplib_unpack(struct pe_image *im, size_t *from, size_t *to, size_t room,
    struct peel *ticker)
{
	struct span in = buf_view(&im->bytes);
	struct stream s = { .in = &in, .at = *from };
	struct match m = { 0, 1, true };
	size_t begin = *to, tick = begin;
	bool done = false;

	if (*to >= in.len)
		return false;
	im->bytes.ptr[(*to)++] = (char)byte(&s);
	while (!done && !s.over) {
		if (*to - begin > room || *to >= in.len)
			return false;
		if (*to - tick > TICK && !peel_tick(ticker))
			return false;
		if (*to - tick > TICK)
			tick = *to;
		if (bit(&s) == 0) {
			im->bytes.ptr[(*to)++] = (char)byte(&s);
			m.literal = true;
		} else {
			uint32_t before = m.offset;

			done = !match_read(&s, &m);
			if (!done &&
			    (s.over ||
				!put_match(im, begin, to, m.offset, m.len)))
				return false;
			if (m.literal)
				m.offset = before;
		}
	}
	*from = (size_t)s.at;
	return done && !s.over;
}
