#include "formats/exe/exe_int.h"

/* PE/COFF ("PE Format", Microsoft), read as signatures expect it.  Windows
 * loads files that break the norm, so does this: alignments that are no power
 * of two, any number of sections, an optional header of any magic.  What it
 * refuses is what ClamAV 1.4 refuses, found out by giving it such files. */

#define FILE_HEADER    24u /* with "PE\0\0" */
#define SECTION_HEADER 40u
#define OPTIONAL_32    96u /* without data directories */
#define OPTIONAL_64    112u
#define MAGIC_64       0x20bu
#define RAW_UNIT       0x200u /* what loaders round PointerToRawData to */

static uint32_t
round_down(uint32_t v, uint32_t unit)
{
	return unit == 0 ? v : v / unit * unit;
}

/* Wraps at 32 bits, as the sizes in the file do. */
static uint32_t
round_up(uint32_t v, uint32_t unit)
{
	return unit == 0 ? v : (v / unit + (v % unit != 0)) * unit;
}

struct section_header {
	uint32_t va_size, va, raw_size, raw, flags;
};

static bool
header_read(struct span object, const struct exe *x, uint64_t i,
    struct section_header *h)
{
	uint64_t at = x->sections_at + i * SECTION_HEADER;

	(void)bytes_le32(object, at + 8, &h->va_size);
	(void)bytes_le32(object, at + 12, &h->va);
	(void)bytes_le32(object, at + 16, &h->raw_size);
	(void)bytes_le32(object, at + 20, &h->raw);
	return bytes_le32(object, at + 36, &h->flags);
}

/* Cuts [raw, raw + size) to the object; a size of 0 if nothing is left. */
static uint32_t
cut(struct span object, uint32_t raw, uint32_t size)
{
	if (raw >= object.len)
		return 0;
	return size > object.len - raw ? (uint32_t)(object.len - raw) : size;
}

static void
section_of(struct span object, const struct exe *x,
    const struct section_header *h, struct exe_section *s)
{
	uint32_t raw = round_down(h->raw, x->file_align);
	uint32_t size = round_up(h->raw_size, x->file_align);
	uint32_t va_size = round_up(h->va_size, x->section_align);

	if (va_size == 0 && size != 0)
		va_size = round_up(h->raw_size, x->section_align);
	*s = (struct exe_section){ .raw = raw,
		.raw_size = cut(object, raw, size),
		.va = round_down(h->va, x->section_align),
		.va_size = va_size,
		.flags = h->flags };
}

bool
pe_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s)
{
	struct section_header h;

	if (!header_read(object, x, i, &h))
		return false;
	section_of(object, x, &h, s);
	return true;
}

/* What is wrong with a section: signatures may not speak of any section of a
 * file with numbers of 2^31 and more.  If those are of a section behind the
 * file, its other sections may still be hashed; not so if there is no other,
 * and then signatures may yet speak of the entry point. */
#define FLAW_OFFSETS 1u
#define FLAW_HASHES  2u

static unsigned
section_flaws(
    struct span object, const struct exe *x, const struct section_header *h)
{
	uint32_t size = round_up(h->raw_size, x->file_align);
	uint32_t claimed = h->raw_size, raw = h->raw;
	bool behind = false;
	unsigned flaws;

	if (size == 0) {
		raw = 0;
	} else if (round_down(raw, x->file_align) >= object.len) {
		behind = true;
		claimed = raw = 0;
	} else {
		claimed = cut(object, raw, claimed);
	}
	flaws = behind && x->sections == 1 ? FLAW_HASHES : 0;
	if (((h->va | h->va_size | claimed | raw) >> 31) != 0)
		flaws |= FLAW_OFFSETS | (behind ? 0 : FLAW_HASHES);
	return flaws;
}

/* Files are linked with a large FileAlignment and then rewritten with the
 * usual one without changing the header. */
static uint32_t
alignment(struct span object, const struct exe *x, uint32_t claimed)
{
	struct section_header h;

	for (uint64_t i = 0; claimed != 0 && i < x->sections; i++)
		if (header_read(object, x, i, &h) && h.raw_size != 0 &&
		    h.raw % claimed != 0 && h.raw % RAW_UNIT == 0)
			return RAW_UNIT;
	return claimed;
}

/* False if offsets do not apply; *hashable if section hashes do. */
static bool
sections_parse(struct span object, struct exe *x, bool *hashable)
{
	struct section_header h;
	struct exe_section s;
	unsigned flaws = 0;

	*hashable = bytes_have(
	    object, x->sections_at, (uint64_t)x->sections * SECTION_HEADER);
	if (!*hashable)
		return false;
	x->file_align = alignment(object, x, x->file_align);
	for (uint64_t i = 0; i < x->sections; i++) {
		(void)header_read(object, x, i, &h);
		section_of(object, x, &h, &s);
		exe_sections_note(x, object, i, &s);
		flaws |= section_flaws(object, x, &h);
	}
	*hashable = (flaws & FLAW_HASHES) == 0;
	return (flaws & FLAW_OFFSETS) == 0;
}

/* The optional header at `at`, `len` bytes of it; *entry is an RVA. */
static bool
optional_parse(struct span object, struct exe *x, uint64_t at, uint64_t len,
    uint32_t *entry)
{
	uint64_t fixed;
	uint16_t magic;
	uint32_t base, size_of_headers;

	(void)bytes_le16(object, at, &magic);
	x->pe32plus = x->wide = magic == MAGIC_64;
	fixed = x->pe32plus ? OPTIONAL_64 : OPTIONAL_32;
	(void)bytes_le32(object, at + 16, entry);
	(void)bytes_le32(object, at + 28, &base);
	x->image_base = base;
	if (x->pe32plus)
		(void)bytes_le64(object, at + 24, &x->image_base);
	(void)bytes_le32(object, at + 32, &x->section_align);
	(void)bytes_le32(object, at + 36, &x->file_align);
	(void)bytes_le32(object, at + 60, &size_of_headers);
	x->header_image = round_up(size_of_headers, x->section_align);
	x->checksum_at = at + 64;
	(void)bytes_le16(object, at + 68, &x->subsystem);
	(void)bytes_le32(object, at + fixed - 4, &x->dirs);
	x->dirs_at = at + fixed;
	if (x->dirs > EXE_DIRS)
		x->dirs = EXE_DIRS;
	if (len < fixed + x->dirs * sizeof(struct exe_dir) ||
	    !bytes_have(object, at, fixed + x->dirs * 8ull))
		return false;
	for (uint32_t i = 0; i < x->dirs; i++) {
		(void)bytes_le32(object, x->dirs_at + 8ull * i, &x->dir[i].rva);
		(void)bytes_le32(
		    object, x->dirs_at + 8ull * i + 4, &x->dir[i].size);
	}
	return true;
}

bool
pe_parse(struct span object, struct exe *x)
{
	uint16_t sections, optional;
	uint32_t header, entry;
	bool sound;

	if (!bytes_le32(object, 60, &header) || header == 0 ||
	    !bytes_are(object, header, SPAN("PE\0\0")) ||
	    !bytes_have(object, header, FILE_HEADER))
		return false;
	x->header = header;
	(void)bytes_le16(object, x->header + 4, &x->machine);
	(void)bytes_le16(object, x->header + 6, &sections);
	(void)bytes_le32(object, x->header + 8, &x->timestamp);
	(void)bytes_le16(object, x->header + 20, &optional);
	(void)bytes_le16(object, x->header + 22, &x->characteristics);
	if (sections == 0 || optional < OPTIONAL_32 ||
	    !optional_parse(
		object, x, x->header + FILE_HEADER, optional, &entry))
		return false;
	x->sections = sections;
	x->sections_at = x->header + FILE_HEADER + optional;
	sound = sections_parse(object, x, &x->has_sections);
	x->has_entry = pe_offset(object, x, entry, &x->entry);
	x->has_sections = x->has_sections && x->has_entry;
	return sound && x->has_entry;
}

/* The last section that has the address wins; the raw data counts, not the
 * memory.  Headers are mapped as they are. */
bool
pe_offset(struct span object, const struct exe *x, uint64_t rva, uint64_t *out)
{
	struct exe_section far;

	*out = 0;
	if (rva < x->header_image) {
		*out = rva < object.len ? rva : 0;
		return rva < object.len;
	}
	for (uint64_t i = x->sections; i-- > 0;) {
		const struct exe_section *s = &far;

		if (i < EXE_SECTIONS_MAX)
			s = &x->section[i];
		else if (!pe_section(object, x, i, &far))
			continue;
		if (s->va <= rva && rva - s->va < s->raw_size) {
			*out = rva - s->va + s->raw;
			return true;
		}
	}
	return false;
}
