#include "formats/exe/pe_pack.h"

/* yoda's Crypter 1.x.  It does not compress: sections are encrypted byte by
 * byte, and so is most of its stub, each by a loop of its own that was made
 * anew for the program out of simple steps:
 *	lodsb; STEPS; stosb; loop
 * of which ecx, that counts down, may be part.  The first loop stands at the
 * entry point, the second in what the first one decrypts.  The steps are read
 * and done, and the file is given without the section of the crypter. */

#define STUB_MAX 0x4000u
#define HEAD_MAX 0x80u
#define SECTION  40u

/* stosb; loop */
static const struct span loop_end = { "\xaa\xe2", 2 };

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
	if (loop == SIZE_MAX ||
	    !steps_read(code, loop + 4, loop_end, &s->steps))
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
		if (!steps_do(steps, &im->bytes, s->raw, n, n, out))
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
	if (im->bytes.full ||
	    !steps_do(&s.steps, &im->bytes, s.at, s.n, s.n, out))
		return UNPACKED_BROKEN;
	code = bytes_sub(buf_view(&im->bytes), s.at, s.n);
	loop = find(code, SPAN("\x8b\xfe\xeb\x04\x90\xeb\x01"));
	if (loop == SIZE_MAX || !bytes_are(code, loop + 8, SPAN("\xac")) ||
	    !steps_read(code, loop + 9, loop_end, &steps) ||
	    !sections_decrypt(object, x, own, &steps, im, out))
		return UNPACKED_BROKEN;
	entry_restore(x, &s, im);
	own_drop(x, own, im);
	return UNPACKED_DONE;
}
