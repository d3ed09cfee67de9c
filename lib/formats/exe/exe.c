#include "formats/exe/exe_int.h"

struct kind {
	const char *magic;
	size_t len;
	bool (*parse)(struct span, struct exe *);
	bool (*section)(
	    struct span, const struct exe *, uint64_t, struct exe_section *);
	bool (*offset)(struct span, const struct exe *, uint64_t, uint64_t *);
	enum format format;
};

static const struct kind kinds[] = {
	{ "MZ", 2, pe_parse, pe_section, pe_offset, FORMAT_MSEXE },
	{ "\177ELF", 4, elf_parse, elf_section, elf_offset, FORMAT_ELF },
	{ "\xfe\xed\xfa\xce", 4, macho_parse, macho_section, macho_offset,
	    FORMAT_MACHO },
	{ "\xfe\xed\xfa\xcf", 4, macho_parse, macho_section, macho_offset,
	    FORMAT_MACHO },
	{ "\xce\xfa\xed\xfe", 4, macho_parse, macho_section, macho_offset,
	    FORMAT_MACHO },
	{ "\xcf\xfa\xed\xfe", 4, macho_parse, macho_section, macho_offset,
	    FORMAT_MACHO },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *
kind_find(struct span object)
{
	for (size_t i = 0; i < KINDS; i++)
		if (bytes_are(object, 0,
			(struct span){ kinds[i].magic, kinds[i].len }))
			return &kinds[i];
	return NULL;
}

bool
exe_parse(struct span object, struct exe *out)
{
	const struct kind *k = kind_find(object);

	memset(out, 0, sizeof(*out));
	if (k == NULL)
		return false;
	out->format = k->format;
	return k->parse(object, out);
}

bool
exe_section_find(struct span object, const struct exe *x, uint64_t i,
    struct exe_section *out)
{
	const struct kind *k = kind_find(object);

	memset(out, 0, sizeof(*out));
	if (k == NULL || i >= x->sections)
		return false;
	if (i < EXE_SECTIONS_MAX) {
		*out = x->section[i];
		return true;
	}
	return k->section(object, x, i, out);
}

bool
exe_offset(struct span object, const struct exe *x, uint64_t va, uint64_t *out)
{
	const struct kind *k = kind_find(object);

	*out = 0;
	return k != NULL && k->offset(object, x, va, out);
}

void
exe_sections_note(
    struct exe *x, struct span object, uint64_t i, const struct exe_section *s)
{
	uint64_t end;

	if (i < EXE_SECTIONS_MAX)
		x->section[i] = *s;
	if (s->raw_size == 0 || s->raw >= object.len)
		return;
	end = s->raw_size > object.len - s->raw ? object.len
						: s->raw + s->raw_size;
	if (end > x->overlay)
		x->overlay = end;
}

bool
exe_u16(struct span object, const struct exe *x, uint64_t at, uint16_t *out)
{
	return x->big ? bytes_be16(object, at, out)
		      : bytes_le16(object, at, out);
}

bool
exe_u32(struct span object, const struct exe *x, uint64_t at, uint32_t *out)
{
	return x->big ? bytes_be32(object, at, out)
		      : bytes_le32(object, at, out);
}

bool
exe_word(struct span object, const struct exe *x, uint64_t at, uint64_t *out)
{
	uint32_t narrow;
	bool had;

	if (x->wide)
		return x->big ? bytes_be64(object, at, out)
			      : bytes_le64(object, at, out);
	had = exe_u32(object, x, at, &narrow);
	*out = narrow;
	return had;
}
