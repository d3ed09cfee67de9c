#include <stdlib.h>

#include "formats/exe/pe_pack.h"

/* Upack (Dwing), from 0.36 on.  Its headers overlap and its stub is scattered
 * over them: the entry point
 *	mov esi, TABLE; lodsd; push eax; push [esi + X]; jmp NEXT
 * gives the original entry point; what it jumps to copies the rest of the
 * decoder behind the packed bytes
 *	..; mov edi, [esi]; mov esi, TAIL; push WORDS; pop ecx; rep movsd; ..
 * and uses what stands behind that as a second table.  The last of the words
 * that are copied is where the packed bytes begin.
 *	It is LZMA, with nothing of positions, with a model that is laid out
 * differently, and no end mark.  Afterwards calls are made relative again. */

#define STUB_MAX 0x100u
#define CODE_MAX 0x400u
#define WORD     4u
#define TICK     (1u << 16)

#define STATES   12u
#define AFTER    7u /* states from this one on follow a match */
#define ALIGN    16u
#define SLOTS    64u
#define LITERAL  0x300u
#define FAIR     1024u /* of 2048: a bit of which nothing is known */
#define BITS     11u

/* ---- where things are ---------------------------------------------------------- */

struct plan {
	uint32_t from, to, end; /* virtual addresses */
	uint32_t entry;
	uint32_t calls, call_base;
	uint8_t mark;    /* first byte of calls that were made absolute */
	uint8_t context; /* bits of the byte before that choose a model */
};

/* The offset in the image; far behind it if it is not in there. */
static uint64_t
place(const struct pe_image *im, uint32_t va)
{
	return (uint32_t)(va - im->image_base - im->base);
}

static const int16_t entry_code[] = { 0xbe, ANY, ANY, ANY, ANY, 0xad, 0x50,
	0xff, 0x76, ANY, 0xeb, ANY };
/* push [esi + X]; lodsd; push eax; mov edi, [esi]; mov esi, TAIL;
 * push WORDS; pop ecx; rep movsd; push [esi + 4]; or eax, -1 */
static const int16_t copy_code[] = { 0xff, 0x76, ANY, 0xad, 0x50, 0x8b, 0x3e,
	0xbe, ANY, ANY, ANY, ANY, 0x6a, ANY, 0x59, 0xf3, 0xa5, 0xff, 0x76, 0x04,
	0x83, 0xc8, 0xff };
/* mov edi, [esi + START]; push edi; push ecx */
static const int16_t start_code[] = { 0x8b, 0x7e, ANY, 0x57, 0x51 };
/* stosb; cmp edi, [esi + END]; jb */
static const int16_t end_code[] = { 0xaa, 0x3b, 0x7e, ANY, 0x0f, 0x82 };
/* mov eax, [edi]; cmp al, MARK; jne; mov al, 0; bswap eax; add eax, [esi + X] */
static const int16_t call_code[] = { 0x8b, 0x07, 0x3c, ANY, 0x75, ANY, 0xb0,
	0x00, 0x0f, 0xc8, 0x03, 0x46, ANY };
/* movzx ebp, byte [edi - 1]; shr ebp, BITS */
static const int16_t context_code[] = { 0x0f, 0xb6, 0x6f, 0xff, 0xc1, 0xed,
	ANY };

/* The word that the displacement at `at` finds in the table. */
static bool
by_displacement(struct span s, uint64_t at, uint64_t table, uint32_t *out)
{
	uint8_t displacement;

	return bytes_u8(s, at, &displacement) && displacement < 0x80 &&
	    bytes_le32(s, table + displacement, out);
}

/* What the code says that stands behind the packed bytes at last; its first
 * half is where the table says. */
static bool
tail_read(
    const struct pe_image *im, uint64_t tail, uint64_t table, struct plan *p)
{
	struct span s = buf_view(&im->bytes);
	uint32_t decoder;
	uint64_t at;
	uint8_t shift;

	if (!code_find(s, tail, STUB_MAX, PATTERN(end_code), &at) ||
	    !by_displacement(s, at + 3, table, &p->end) ||
	    !code_find(s, tail, STUB_MAX, PATTERN(call_code), &at) ||
	    !bytes_u8(s, at + 3, &p->mark) ||
	    !by_displacement(s, at + 12, table, &p->call_base) ||
	    !bytes_le32(s, table + 4, &p->calls) ||
	    !bytes_le32(s, table, &decoder) ||
	    !code_find(
		s, place(im, decoder), CODE_MAX, PATTERN(context_code), &at) ||
	    !bytes_u8(s, at + 6, &shift) || shift > 8)
		return false;
	p->context = (uint8_t)(8 - shift);
	return true;
}

static bool
plan_read(const struct pe_image *im, uint64_t stub, struct plan *p)
{
	struct span s = buf_view(&im->bytes);
	uint32_t table, tail_va;
	uint64_t next, at, tail;
	uint8_t jump, words;

	if (!code_is(s, stub, PATTERN(entry_code)))
		return false;
	(void)bytes_le32(s, stub + 1, &table);
	(void)bytes_u8(s, stub + 11, &jump);
	next = stub + 12 + jump;
	if (!bytes_le32(s, place(im, table), &p->entry) ||
	    !code_is(s, next, PATTERN(copy_code)))
		return false;
	(void)bytes_le32(s, next + 8, &tail_va);
	(void)bytes_u8(s, next + 13, &words);
	tail = place(im, tail_va);
	return words > 0 &&
	    bytes_le32(s, tail + WORD * (words - 1ull), &p->from) &&
	    code_find(s, next, STUB_MAX, PATTERN(start_code), &at) &&
	    by_displacement(s, at + 2, tail + WORD * words, &p->to) &&
	    tail_read(im, tail, tail + WORD * words, p);
}

/* ---- the method ------------------------------------------------------------------ */

/* Each is how likely a bit is 0. */
struct lengths {
	uint16_t choice[2], low[8], middle[8], high[256];
};
struct model {
	uint16_t match[STATES], rep[STATES], older[STATES], same[STATES];
	uint16_t second[STATES], third[STATES];
	uint16_t slot[4][SLOTS], distance[128], align[ALIGN];
	struct lengths len, rep_len;
	uint16_t literal[LITERAL << 8];
};

struct decoder {
	struct span in;
	uint64_t at;
	uint32_t range, code;
	bool over;
	unsigned state;
	uint32_t recent[4]; /* distances */
	struct model *model;
};

static unsigned
bit(struct decoder *d, uint16_t *fair)
{
	uint32_t bound = (d->range >> BITS) * *fair;
	unsigned got = d->code >= bound;
	uint8_t c;

	if (got == 0) {
		d->range = bound;
		*fair = (uint16_t)(*fair + (((1u << BITS) - *fair) >> 5));
	} else {
		d->range -= bound;
		d->code -= bound;
		*fair = (uint16_t)(*fair - (*fair >> 5));
	}
	if (d->range >> 24 == 0) {
		d->over = !bytes_u8(d->in, d->at++, &c) || d->over;
		d->code = d->code << 8 | c;
		d->range <<= 8;
	}
	return got;
}

/* Bits that are not worth a model, the highest first. */
static uint32_t
bits_direct(struct decoder *d, unsigned n)
{
	uint32_t v = 0;
	uint8_t c;

	while (n-- > 0) {
		d->range >>= 1;
		v = v << 1 | (d->code >= d->range);
		if (d->code >= d->range)
			d->code -= d->range;
		if (d->range >> 24 != 0)
			continue;
		d->over = !bytes_u8(d->in, d->at++, &c) || d->over;
		d->code = d->code << 8 | c;
		d->range <<= 8;
	}
	return v;
}

/* `n` bits, each with a model by those before; fair[0] is not used. */
static uint32_t
tree(struct decoder *d, uint16_t *fair, unsigned n)
{
	uint32_t m = 1;

	for (unsigned i = 0; i < n; i++)
		m = m << 1 | bit(d, &fair[m]);
	return m - (1u << n);
}

/* The lowest bit first. */
static uint32_t
tree_reverse(struct decoder *d, uint16_t *fair, unsigned n)
{
	uint32_t m = 1, v = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned b = bit(d, &fair[m]);

		m = m << 1 | b;
		v |= b << i;
	}
	return v;
}

/* Bytes of a match, less 2. */
static uint32_t
length_read(struct decoder *d, struct lengths *l)
{
	if (bit(d, &l->choice[0]) == 0)
		return tree(d, l->low, 3);
	if (bit(d, &l->choice[1]) == 0)
		return 8 + tree(d, l->middle, 3);
	return 16 + tree(d, l->high, 8);
}

static uint32_t
distance_read(struct decoder *d, uint32_t len)
{
	uint32_t slot = tree(d, d->model->slot[len < 3 ? len : 3], 6), v;
	unsigned n = slot / 2 - 1;

	if (slot < 4)
		return slot + 1;
	v = (2 | (slot & 1)) << n;
	if (n <= 5)
		return v + tree_reverse(d, d->model->distance + v, n) + 1;
	v += bits_direct(d, n - 4) << 4;
	return v + tree_reverse(d, d->model->align, 4) + 1;
}

/* One of the distances before becomes the first one. */
static void
recent_move(struct decoder *d, unsigned i)
{
	uint32_t v = d->recent[i];

	for (; i > 0; i--)
		d->recent[i] = d->recent[i - 1];
	d->recent[0] = v;
}

/* How many bytes from recent[0] back; 0: a literal. */
static uint32_t
match_read(struct decoder *d)
{
	struct model *m = d->model;
	unsigned s = d->state;
	uint32_t len;

	if (bit(d, &m->match[s]) == 0)
		return 0;
	d->state = s < AFTER ? 7 : 10;
	if (bit(d, &m->rep[s]) == 0) {
		recent_move(d, 3);
		len = length_read(d, &m->len);
		d->recent[0] = distance_read(d, len);
		return len + 2;
	}
	d->state = s < AFTER ? 8 : 11;
	if (bit(d, &m->older[s]) == 0) {
		if (bit(d, &m->same[s]) == 0) {
			d->state = s < AFTER ? 9 : 11;
			return 1;
		}
	} else if (bit(d, &m->second[s]) == 0) {
		recent_move(d, 1);
	} else {
		recent_move(d, 2 + bit(d, &m->third[s]));
	}
	return length_read(d, &m->rep_len) + 2;
}

/* Behind a match the byte that would have continued it is a model too, as
 * long as the bits are its own. */
static uint8_t
literal_read(struct decoder *d, unsigned before, unsigned context, int match)
{
	uint16_t *fair =
	    d->model->literal + (size_t)LITERAL * (before >> (8 - context));
	uint32_t m = 1;

	for (unsigned i = 8; match >= 0 && i-- > 0;) {
		unsigned want = (unsigned)match >> i & 1, b;

		b = bit(d, &fair[(want + 1) << 8 | m]);
		m = m << 1 | b;
		if (b != want)
			break;
	}
	while (m < 0x100)
		m = m << 1 | bit(d, &fair[m]);
	if (d->state < 4)
		d->state = 0;
	else
		d->state -= d->state < 10 ? 3 : 6;
	return (uint8_t)m;
}

/* From `begin` to `end` in the image; what is packed may be overwritten. */
static bool
stream_unpack(struct decoder *d, const struct plan *p, size_t begin, size_t end,
    struct pe_image *im, struct peel *out)
{
	uint8_t *mem = (uint8_t *)im->bytes.ptr;
	size_t to = begin, tick = begin;

	while (to < end && !d->over) {
		bool after = to > begin && d->state >= AFTER;
		uint32_t n = match_read(d);

		if (n > 0 && d->recent[0] - 1 >= to - begin)
			return false;
		if (n == 0) {
			mem[to] = literal_read(d, to > begin ? mem[to - 1] : 0,
			    p->context, after ? mem[to - d->recent[0]] : -1);
			to++;
		}
		for (; n > 0 && to < end; n--, to++)
			mem[to] = mem[to - d->recent[0]];
		if (to - tick > TICK && !peel_tick(out))
			return false;
		if (to - tick > TICK)
			tick = to;
	}
	return !d->over;
}

/* The targets of so many calls and jumps, big-endian behind the mark. */
static void
unfilter(struct pe_image *im, size_t begin, size_t end, const struct plan *p)
{
	uint8_t *mem = (uint8_t *)im->bytes.ptr;
	uint32_t calls = p->calls;

	for (size_t i = begin; calls > 0 && i + 5 <= end; i++) {
		uint32_t v;

		if ((mem[i] != 0xe8 && mem[i] != 0xe9) || mem[i + 1] != p->mark)
			continue;
		v = (uint32_t)(mem[i + 2] << 16 | mem[i + 3] << 8 | mem[i + 4]);
		v += p->call_base - (p->to + (uint32_t)(i - begin) + 1);
		for (unsigned k = 0; k < 4; k++)
			mem[i + 1 + k] = (uint8_t)(v >> (8 * k));
		i += 4;
		calls--;
	}
}

static bool
image_unpack(const struct plan *p, struct pe_image *im, struct peel *out)
{
	struct decoder d = { .in = buf_view(&im->bytes),
		.at = place(im, p->from),
		.range = UINT32_MAX,
		.recent = { 1, 1, 1, 1 } };
	uint64_t begin = place(im, p->to), end = place(im, p->end);
	bool ok = false;

	if (begin >= end || end > im->bytes.len ||
	    !bytes_be32(d.in, d.at, &d.code))
		return false;
	d.at += 4;
	d.model = malloc(sizeof(*d.model));
	if (d.model != NULL) {
		uint16_t *fair = (uint16_t *)(void *)d.model;

		for (size_t i = 0; i < sizeof(*d.model) / sizeof(*fair); i++)
			fair[i] = FAIR;
		ok = stream_unpack(&d, p, begin, end, im, out);
	}
	free(d.model);
	if (ok)
		unfilter(im, begin, end, p);
	return ok;
}

enum unpacked
pe_upack(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct plan p;
	uint32_t entry;

	if (x->pe32plus || !pe_entry_rva(object, x, &entry) ||
	    !code_is(object, x->entry, PATTERN(entry_code)))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im) || entry < im->base ||
	    !plan_read(im, entry - im->base, &p) || !image_unpack(&p, im, out))
		return UNPACKED_BROKEN;
	/* What was packed, and the stub, stand behind, and are not kept. */
	im->parts = 1;
	im->part[0] = (struct pe_part){ ".upack", p.to - im->image_base,
		p.end - p.to, 0xe0000060 };
	im->entry = p.entry - im->image_base;
	buf_cut(&im->bytes, place(im, p.end));
	return UNPACKED_DONE;
}
