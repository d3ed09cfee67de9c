#include "formats/exe/pe_pack.h"

/* Petite 2.x (Ian Luck).  The stub begins with
 *	mov eax, DATA
 * and walks over records behind DATA, which its own code names:
 *	lea edx, [eax + TABLE]; mov ecx, [edx]; btr ecx, 31
 * With bit 31 a record moves words from one place to another, the last one
 * first; otherwise it unpacks a section: from, size, to, size of the zeros
 * behind.  A source of 0 ends them.  What is unpacked may lie over what it is
 * unpacked from.  Bits come from bytes, the highest first:
 *	0 byte			a literal, mixed with the bytes that are left
 *	1 gamma			2: the distance before, else its high bits */

#define STUB_MAX    0x200u
#define RECORDS_MAX 256u
#define TICK        (1u << 16)

/* Distances from which a match is longer, by the size of the section. */
static const struct scale {
	uint32_t below;
	unsigned bits; /* of the distance, beside those of its number */
	uint32_t near, far;
} scales[] = {
	{ 0x10000, 5, 0x3a0, 0x3fa0 },
	{ 0x40000, 7, 0x680, 0x7e80 },
	{ UINT32_MAX, 8, 0x500, 0x7d00 },
};

struct stream {
	struct span in;
	uint64_t at;
	unsigned tag, left;
	uint32_t last; /* distance */
	bool over;
};

static unsigned
byte(struct stream *s)
{
	uint8_t c;

	s->over = !bytes_u8(s->in, s->at, &c) || s->over;
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

/* The length of the next match, at the distance that is now the last. */
static uint32_t
match_read(struct stream *s, const struct scale *scale)
{
	uint32_t n = gamma_number(s), more = 0, len;

	if (n > 2) {
		n -= 3;
		for (unsigned i = 0; i < scale->bits; i++)
			n = n * 2 + bit(s);
		s->last = n + 1;
		more = 1u + (s->last > scale->near) + (s->last > scale->far);
	}
	len = bit(s) * 2;
	len += bit(s);
	if (len == 0)
		len = gamma_number(s) + 2;
	return len + more;
}

/* One section of `size` bytes at `to`; both lie in the image. */
static bool
section_unpack(struct pe_image *im, uint64_t from, uint64_t to, uint32_t size,
    struct peel *ticker)
{
	struct stream s = { .in = buf_view(&im->bytes), .at = from };
	char *mem = im->bytes.ptr + to;
	const struct scale *scale = scales;
	uint32_t n = 0, len;

	while (size >= scale->below && scale->below != UINT32_MAX)
		scale++;
	mem[n++] = (char)byte(&s);
	for (uint32_t turn = 1; n < size; turn++) {
		if (s.over || (turn % TICK == 0 && !peel_tick(ticker)))
			return false;
		if (bit(&s) == 0) {
			mem[n] = (char)(byte(&s) ^ (size - n));
			n++;
			continue;
		}
		len = match_read(&s, scale);
		if (s.last == 0 || s.last > n + to || len > size - n)
			return false;
		for (; len > 0; len--, n++)
			mem[n] = mem[(ptrdiff_t)n - (ptrdiff_t)s.last];
	}
	return !s.over;
}

/* `words` of four bytes, of which the last stand at `from` and go to `to`. */
static bool
words_move(struct pe_image *im, uint64_t from, uint64_t to, uint32_t words)
{
	uint64_t n = (uint64_t)words * 4, len = im->bytes.len;

	if (words == 0)
		return true;
	if (from >= len || to >= len || len - from < 4 || len - to < 4 ||
	    n > from + 4 || n > to + 4)
		return false;
	memmove(
	    im->bytes.ptr + (to + 4 - n), im->bytes.ptr + (from + 4 - n), n);
	return true;
}

/* All addresses are RVAs.  The work is bounded by `room`, some times the size
 * of the image. */
static enum unpacked
records_run(struct pe_image *im, uint64_t at, struct peel *out)
{
	struct span all = buf_view(&im->bytes);
	uint64_t room = 4ull * all.len;
	uint32_t v[3];

	for (unsigned i = 0; i < RECORDS_MAX; i++) {
		bool moves, good;
		uint64_t n;

		if (!bytes_load(all, at, v, sizeof(v)))
			return UNPACKED_BROKEN;
		if (v[0] == 0)
			return UNPACKED_DONE;
		moves = v[0] >> 31 != 0;
		at += moves ? 12 : 16;
		v[0] &= INT32_MAX;
		n = moves ? v[0] * 4ull : v[1];
		if (n > room)
			return UNPACKED_BROKEN;
		room -= n;
		if (moves)
			good = words_move(
			    im, v[1] - im->base, v[2] - im->base, v[0]);
		else
			good = v[1] == 0 ||
			    (v[2] >= im->base &&
				bytes_have(all, v[2] - im->base, v[1]) &&
				section_unpack(im, v[0] - im->base,
				    v[2] - im->base, v[1], out));
		if (!good)
			return UNPACKED_BROKEN;
	}
	return UNPACKED_BROKEN;
}

/* The RVA of the first record. */
static bool
stub_read(struct span object, const struct exe *x, uint32_t *table)
{
	static const struct span walk = { "\x8b\x0a\x0f\xba\xf1\x1f\x73", 7 };
	struct span code = bytes_sub(object, x->entry, STUB_MAX);
	uint32_t data, offset;
	const char *p;
	size_t at;

	if (!bytes_are(code, 0, SPAN("\xb8")) || !bytes_le32(code, 1, &data) ||
	    !bytes_are(code, 5, SPAN("\x68")))
		return false;
	p = memmem(code.ptr, code.len, walk.ptr, walk.len);
	at = p == NULL ? 0 : (size_t)(p - code.ptr);
	if (at < 6 || !bytes_are(code, at - 6, SPAN("\x8d\x90")) ||
	    !bytes_le32(code, at - 4, &offset))
		return false;
	*table = data - (uint32_t)x->image_base + offset;
	return true;
}

enum unpacked
pe_petite(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	uint32_t table, entry;
	enum unpacked u;

	if (x->pe32plus || !pe_entry_rva(object, x, &entry) ||
	    !stub_read(object, x, &table))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im))
		return UNPACKED_BROKEN;
	/* Where the program begins is hidden in what was unpacked. */
	im->entry = im->base;
	u = records_run(im, table - (uint64_t)im->base, out);
	while (im->parts > 1 &&
	    im->part[im->parts - 1].va >= entry / 0x1000 * 0x1000)
		im->parts--;
	return u;
}
