#include "formats/exe/pe_pack.h"

/* yoda's Crypter 1.x.  It does not compress: sections are encrypted byte by
 * byte, and so is most of its stub, each by a loop of its own that was made
 * anew for the program out of simple steps:
 *	lodsb; STEPS; stosb; loop
 * of which ecx, that counts down, may be part.  The first loop stands at the
 * entry point, the second in what the first one decrypts.  The steps are read
 * and done, and the file is given without the section of the crypter. */

#define STUB_MAX  0x4000u
#define HEAD_MAX  0x80u
#define STEPS_MAX 96u
#define SECTION   40u
#define TICK      (1u << 16)

enum step_kind { ADD, SUB, XOR, ROL, ROR, ADD_COUNT, SUB_COUNT, XOR_COUNT };
struct step {
	enum step_kind kind;
	uint8_t by;
};
struct steps {
	struct step step[STEPS_MAX];
	size_t n;
};

/* Instructions on al; `bytes` of them, then an operand if `operand`. */
static const struct code {
	uint8_t byte[2], bytes;
	bool operand, idle;
	enum step_kind kind;
	uint8_t by; /* when there is no operand */
} codes[] = {
	{ { 0x04 }, 1, true, false, ADD, 0 },
	{ { 0x2c }, 1, true, false, SUB, 0 },
	{ { 0x34 }, 1, true, false, XOR, 0 },
	{ { 0xc0, 0xc0 }, 2, true, false, ROL, 0 },
	{ { 0xc0, 0xc8 }, 2, true, false, ROR, 0 },
	{ { 0x02, 0xc1 }, 2, false, false, ADD_COUNT, 0 },
	{ { 0x2a, 0xc1 }, 2, false, false, SUB_COUNT, 0 },
	{ { 0x32, 0xc1 }, 2, false, false, XOR_COUNT, 0 },
	{ { 0xfe, 0xc0 }, 2, false, false, ADD, 1 },
	{ { 0xfe, 0xc8 }, 2, false, false, SUB, 1 },
	{ { 0xf6, 0xd0 }, 2, false, false, XOR, 0xff },
	{ { 0x90 }, 1, false, true, ADD, 0 },      /* nop */
	{ { 0xf8 }, 1, false, true, ADD, 0 },      /* clc */
	{ { 0xf9 }, 1, false, true, ADD, 0 },      /* stc */
	{ { 0xf5 }, 1, false, true, ADD, 0 },      /* cmc */
	{ { 0xeb, 0x01 }, 2, true, true, ADD, 0 }, /* jmp over a byte */
};

static const struct code *
code_find(struct span s, uint64_t at)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (bytes_are(s, at,
			(struct span){
			    (const char *)codes[i].byte, codes[i].bytes }))
			return &codes[i];
	return NULL;
}

/* From behind lodsb to the loop. */
static bool
steps_read(struct span s, uint64_t at, struct steps *out)
{
	out->n = 0;
	for (unsigned turn = 0; turn < STEPS_MAX; turn++) {
		const struct code *c;
		uint8_t by;

		if (bytes_are(s, at, SPAN("\xaa\xe2")))
			return out->n > 0;
		c = code_find(s, at);
		if (c == NULL)
			return false;
		at += c->bytes;
		by = c->by;
		if (c->operand && !bytes_u8(s, at++, &by))
			return false;
		if (!c->idle)
			out->step[out->n++] = (struct step){ c->kind, by };
	}
	return false;
}

static uint8_t
rotate(uint8_t v, unsigned left)
{
	left %= 8;
	return (uint8_t)(v << left | v >> (8 - left));
}

static uint8_t
steps_do(const struct steps *s, uint8_t v, uint8_t count)
{
	for (size_t i = 0; i < s->n; i++) {
		uint8_t by = s->step[i].by;

		switch (s->step[i].kind) {
		case ADD_COUNT:
			v = (uint8_t)(v + count);
			break;
		case SUB_COUNT:
			v = (uint8_t)(v - count);
			break;
		case XOR_COUNT:
			v ^= count;
			break;
		case ADD:
			v = (uint8_t)(v + by);
			break;
		case SUB:
			v = (uint8_t)(v - by);
			break;
		case XOR:
			v ^= by;
			break;
		case ROL:
			v = rotate(v, by & 31u);
			break;
		case ROR:
			v = rotate(v, 8u - by % 8u);
			break;
		}
	}
	return v;
}

/* `n` bytes at `at`, as far as there are so many, while ecx counts from n. */
static bool
decrypt(struct buf *b, uint64_t at, uint32_t n, const struct steps *s,
    struct peel *ticker)
{
	for (uint32_t i = 0; i < n && at + i < b->len; i++) {
		if (i % TICK == TICK - 1 && !peel_tick(ticker))
			return false;
		b->ptr[at + i] = (char)steps_do(
		    s, (uint8_t)b->ptr[at + i], (uint8_t)(n - i));
	}
	return true;
}

struct stub {
	uint64_t at;      /* file offset of what the first loop decrypts */
	uint32_t n, base; /* base: what its addresses have at the entry point */
	struct steps steps;
};

static size_t
find(struct span s, struct span pattern)
{
	const char *p = memmem(s.ptr, s.len, pattern.ptr, pattern.len);

	return p == NULL ? SIZE_MAX : (size_t)(p - s.ptr);
}

/* call $ + 5; pop ebp; sub ebp, HERE; mov ecx, END; sub ecx, BEGIN */
static bool
stub_read(struct span object, const struct exe *x, struct stub *s)
{
	struct span code = bytes_sub(object, x->entry, HEAD_MAX);
	size_t at = find(code, SPAN("\x60\xe8\0\0\0\0\x5d\x81\xed"));
	uint32_t here, end, begin;
	size_t loop;

	if (at == SIZE_MAX || !bytes_le32(code, at + 9, &here) ||
	    !bytes_are(code, at + 13, SPAN("\xb9")) ||
	    !bytes_le32(code, at + 14, &end) ||
	    !bytes_are(code, at + 18, SPAN("\x81\xe9")) ||
	    !bytes_le32(code, at + 20, &begin))
		return false;
	loop = find(code, SPAN("\xeb\x01\xc2\xac"));
	if (loop == SIZE_MAX || !steps_read(code, loop + 4, &s->steps))
		return false;
	s->base = here - (uint32_t)at - 6;
	s->at = x->entry + (uint32_t)(begin - s->base);
	s->n = end - begin;
	return begin >= s->base && begin - s->base < STUB_MAX && end >= begin &&
	    s->n < STUB_MAX && s->n > 0 && bytes_have(object, s->at, 1);
}

/* Which sections the crypter leaves as they are, by how their names begin;
 * its own as well. */
static bool
is_plain(struct span name, const struct exe_section *s)
{
	static const struct span names[] = { { "rsrc", 4 }, { ".rsr", 4 },
		{ "relo", 4 }, { ".rel", 4 }, { "yC\0\0", 4 }, { ".eda", 4 },
		{ ".tls", 4 } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_are(name, 0, names[i]))
			return true;
	return s->raw == 0 || s->raw_size == 0;
}

/* Each section counts from its size as the header has it.  No two may share
 * bytes: so the work is one walk over the file. */
static bool
sections_decrypt(struct span object, const struct exe *x, uint32_t own,
    const struct steps *steps, struct pe_image *im, struct peel *out)
{
	uint64_t room = object.len;

	for (uint32_t i = 0; i < x->sections && i < EXE_SECTIONS_MAX; i++) {
		uint64_t at = x->sections_at + (uint64_t)i * SECTION;
		const struct exe_section *s = &x->section[i];
		uint32_t n;

		if (i == own || is_plain(span_from(object, at), s))
			continue;
		(void)bytes_le32(object, at + 16, &n);
		if (s->raw_size > room)
			return false;
		room -= s->raw_size;
		if (n > s->raw_size)
			n = (uint32_t)s->raw_size;
		if (!decrypt(&im->bytes, s->raw, n, steps, out))
			return false;
	}
	return true;
}

static void
set(struct buf *b, uint64_t at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n && at + i < b->len; i++)
		b->ptr[at + i] = (char)(v >> (8 * i));
}

/* The entry point that the stub's data have: what comes before the value is
 * rotated is the sum of the base and of that. */
static void
entry_restore(const struct exe *x, const struct stub *s, struct pe_image *im)
{
	struct span code = bytes_sub(buf_view(&im->bytes), x->entry, STUB_MAX);
	size_t at = find(code, SPAN("\x03\x1a\xc1\xcb\x07"));
	uint32_t where, entry;

	if (at == SIZE_MAX || at < 6 ||
	    !bytes_are(code, at - 6, SPAN("\x81\xc2")) ||
	    !bytes_le32(code, at - 4, &where) ||
	    !bytes_le32(code, (uint32_t)(where - s->base), &entry))
		return;
	set(&im->bytes, x->header + 40, entry, 4);
}

/* Without the crypter's section, if it is the last one. */
static void
own_drop(const struct exe *x, uint32_t own, struct pe_image *im)
{
	uint64_t raw = x->section[own].raw;

	if (own + 1 != x->sections)
		return;
	for (uint32_t i = 0; i < own; i++)
		if (x->section[i].raw + x->section[i].raw_size > raw)
			return;
	if (raw < x->sections_at + (uint64_t)x->sections * SECTION)
		return;
	buf_cut(&im->bytes, (size_t)raw);
	set(&im->bytes, x->header + 6, own, 2);
	set(&im->bytes, x->header + 80, (uint32_t)x->section[own].va, 4);
	/* The imports were the stub's. */
	if (x->dirs > 1)
		set(&im->bytes, x->dirs_at + 8, 0, 8);
}

static bool
own_find(const struct exe *x, uint32_t *own)
{
	for (uint32_t i = 1; i < x->sections && i < EXE_SECTIONS_MAX; i++) {
		const struct exe_section *s = &x->section[i];

		*own = i;
		if (x->entry >= s->raw && x->entry - s->raw < s->raw_size)
			return true;
	}
	return false;
}

enum unpacked
pe_yc(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct stub s;
	struct steps steps;
	struct span code;
	uint32_t own;
	size_t loop;

	if (x->pe32plus || !own_find(x, &own) || !stub_read(object, x, &s))
		return UNPACKED_NOT;
	im->whole = true;
	im->bytes.max = object.len;
	buf_span(&im->bytes, object);
	if (im->bytes.full || !decrypt(&im->bytes, s.at, s.n, &s.steps, out))
		return UNPACKED_BROKEN;
	code = bytes_sub(buf_view(&im->bytes), s.at, s.n);
	loop = find(code, SPAN("\x8b\xfe\xeb\x04\x90\xeb\x01"));
	if (loop == SIZE_MAX || !bytes_are(code, loop + 8, SPAN("\xac")) ||
	    !steps_read(code, loop + 9, &steps) ||
	    !sections_decrypt(object, x, own, &steps, im, out))
		return UNPACKED_BROKEN;
	entry_restore(x, &s, im);
	own_drop(x, own, im);
	return UNPACKED_DONE;
}
