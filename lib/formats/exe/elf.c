#include "formats/exe/exe_int.h"

/* ELF ("System V ABI", gABI chapters 4 and 5).  The limits are ClamAV's: a
 * file beyond them has no entry point and no sections for signatures. */

#define SEGMENTS_MAX 128u
#define SECTIONS_MAX 256u

/* Offsets that differ between ELFCLASS32 and 64. */
struct layout {
	uint8_t header, phoff, shoff, counts;
	uint8_t segment, p_offset, p_vaddr, p_memsz;
	uint8_t section, sh_flags, sh_addr, sh_offset, sh_size;
};
static const struct layout layouts[] = {
	{ 52, 28, 32, 42, 32, 4, 8, 20, 40, 8, 12, 16, 20 },
	{ 64, 32, 40, 54, 56, 8, 16, 40, 64, 8, 16, 24, 32 },
};

static const struct layout *
layout_of(const struct exe *x)
{
	return &layouts[x->wide];
}

bool
elf_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s)
{
	const struct layout *l = layout_of(x);
	uint64_t at = x->sections_at + i * l->section, flags;

	(void)exe_word(object, x, at + l->sh_flags, &flags);
	(void)exe_word(object, x, at + l->sh_addr, &s->va);
	(void)exe_word(object, x, at + l->sh_offset, &s->raw);
	(void)exe_word(object, x, at + l->sh_size, &s->raw_size);
	s->va_size = s->raw_size;
	s->flags = (uint32_t)flags;
	return bytes_have(object, at, l->section);
}

/* The first segment that has the address in memory wins, of any type. */
bool
elf_offset(struct span object, const struct exe *x, uint64_t va, uint64_t *out)
{
	const struct layout *l = layout_of(x);
	uint64_t at = x->segments_at, vaddr, size, offset;

	for (uint32_t i = 0; i < x->segments; i++, at += l->segment) {
		(void)exe_word(object, x, at + l->p_offset, &offset);
		(void)exe_word(object, x, at + l->p_vaddr, &vaddr);
		(void)exe_word(object, x, at + l->p_memsz, &size);
		if (vaddr <= va && va - vaddr < size)
			return !__builtin_add_overflow(offset, va - vaddr, out);
	}
	*out = 0;
	return false;
}

/* A table of `n` rows of `row` bytes, as the header describes it. */
static bool
table_lies_within(struct span object, const struct exe *x, uint64_t at,
    uint64_t counts, uint64_t row, uint32_t most, uint32_t *out)
{
	uint16_t size, n;

	(void)exe_u16(object, x, counts, &size);
	(void)exe_u16(object, x, counts + 2, &n);
	*out = n;
	return n == 0 ||
	    (n <= most && size == row && bytes_have(object, at, n * row));
}

static bool
header_parse(struct span object, struct exe *x)
{
	uint8_t class, data;

	(void)bytes_u8(object, 4, &class);
	(void)bytes_u8(object, 5, &data);
	if ((class != 1 && class != 2) || (data != 1 && data != 2))
		return false;
	x->wide = class == 2;
	x->big = data == 2;
	return bytes_have(object, 0, layout_of(x)->header);
}

bool
elf_parse(struct span object, struct exe *x)
{
	const struct layout *l;
	struct exe_section s;
	uint64_t entry;

	if (!header_parse(object, x))
		return false;
	l = layout_of(x);
	(void)exe_word(object, x, 24, &entry);
	(void)exe_word(object, x, l->phoff, &x->segments_at);
	(void)exe_word(object, x, l->shoff, &x->sections_at);
	if (!table_lies_within(object, x, x->segments_at, l->counts, l->segment,
		SEGMENTS_MAX, &x->segments) ||
	    !table_lies_within(object, x, x->sections_at, l->counts + 4u,
		l->section, SECTIONS_MAX, &x->sections))
		return false;
	/* Libraries and object files have none: for signatures it is at 0. */
	x->has_entry = true;
	if (x->segments != 0 && entry != 0 &&
	    !elf_offset(object, x, entry, &x->entry))
		return false;
	for (uint64_t i = 0; i < x->sections; i++)
		if (elf_section(object, x, i, &s))
			exe_sections_note(x, object, i, &s);
	return true;
}
