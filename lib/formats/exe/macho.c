#include "formats/exe/exe_int.h"

/* Mach-O (Apple's <mach-o/loader.h>, <mach-o/fat.h>).  Sections are those of
 * all segments, numbered through.  ClamAV knows an entry point of PowerPC
 * threads only; with Intel's and with LC_MAIN it is the begin of the file,
 * and so it is here, since signatures for them were written against that. */

#define COMMANDS_MAX  1024u
#define SECTIONS_MAX  255u /* of a segment */
#define ALIGN_MAX     31u  /* exponent of 2 */

#define LC_SEGMENT    1u
#define LC_THREAD     4u
#define LC_UNIXTHREAD 5u
#define LC_SEGMENT_64 0x19u
#define CPU_POWERPC   18u
#define CPU_POWERPC64 0x1000012u

/* Offsets that differ between 32 and 64 bits. */
struct layout {
	uint8_t header, segment, nsects;
	uint8_t section, size, offset, align, flags;
	uint32_t command;
};
static const struct layout layouts[] = {
	{ 28, 56, 48, 68, 36, 40, 44, 56, LC_SEGMENT },
	{ 32, 72, 64, 80, 40, 48, 52, 64, LC_SEGMENT_64 },
};

static const struct layout *
layout_of(const struct exe *x)
{
	return &layouts[x->wide];
}

/* Goes from load command to load command. */
struct walk {
	uint64_t at, next;
	uint32_t left, command;
	uint32_t sections; /* of this command, if it is a segment */
	bool broken;
};

static struct walk
walk_begin(const struct exe *x)
{
	return (struct walk){ .next = x->sections_at, .left = x->segments };
}

static bool
walk_segment(struct span object, const struct exe *x, struct walk *w)
{
	const struct layout *l = layout_of(x);
	uint64_t size;

	(void)exe_u32(object, x, w->at + l->nsects, &w->sections);
	size = l->segment + (uint64_t)w->sections * l->section;
	w->next = w->at + size;
	w->broken =
	    w->sections > SECTIONS_MAX || !bytes_have(object, w->at, size);
	return !w->broken;
}

static bool
walk_next(struct span object, const struct exe *x, struct walk *w)
{
	uint32_t size;

	if (w->left == 0)
		return false;
	w->left--;
	w->at = w->next;
	w->sections = 0;
	(void)exe_u32(object, x, w->at, &w->command);
	w->broken = !exe_u32(object, x, w->at + 4, &size);
	if (w->broken)
		return false;
	/* No size a command can have: nothing behind it can be trusted. */
	if (size < 8)
		w->left = 0;
	w->next = w->at + size;
	if (w->command == layout_of(x)->command)
		return walk_segment(object, x, w);
	return true;
}

/* Section `i` of the segment at w->at; false if it is malformed. */
static bool
section_read(struct span object, const struct exe *x, const struct walk *w,
    uint64_t i, struct exe_section *s)
{
	const struct layout *l = layout_of(x);
	uint64_t at = w->at + l->segment + i * l->section, rest;
	uint32_t offset, align;

	(void)exe_word(object, x, at + 32, &s->va);
	(void)exe_word(object, x, at + l->size, &s->va_size);
	(void)exe_u32(object, x, at + l->offset, &offset);
	(void)exe_u32(object, x, at + l->align, &align);
	(void)exe_u32(object, x, at + l->flags, &s->flags);
	s->raw = offset;
	if (align > ALIGN_MAX)
		return false;
	rest = s->va_size & ((1ull << align) - 1);
	rest = rest == 0 ? 0 : (1ull << align) - rest;
	return !__builtin_add_overflow(s->va_size, rest, &s->raw_size) &&
	    s->raw_size <= UINT32_MAX;
}

bool
macho_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s)
{
	struct walk w = walk_begin(x);

	while (walk_next(object, x, &w)) {
		if (i < w.sections)
			return section_read(object, x, &w, i, s);
		i -= w.sections;
	}
	return false;
}

/* The first section that has the address in memory wins. */
bool
macho_offset(
    struct span object, const struct exe *x, uint64_t va, uint64_t *out)
{
	struct walk w = walk_begin(x);
	struct exe_section s;

	while (walk_next(object, x, &w))
		for (uint32_t i = 0; i < w.sections; i++)
			if (section_read(object, x, &w, i, &s) && s.va <= va &&
			    va - s.va < s.va_size) {
				*out = s.raw + (va - s.va);
				return true;
			}
	*out = 0;
	return false;
}

static bool
sections_parse(struct span object, struct exe *x, const struct walk *w)
{
	struct exe_section s;

	for (uint32_t i = 0; i < w->sections; i++) {
		if (!section_read(object, x, w, i, &s))
			return false;
		exe_sections_note(x, object, x->sections++, &s);
	}
	return true;
}

/* Where a thread begins: srr0, the first register of a PowerPC's state. */
static bool
thread_parse(struct span object, const struct exe *x, const struct walk *w,
    uint64_t *entry)
{
	uint32_t cpu, narrow = 0;
	bool had = false;

	*entry = 0;
	(void)exe_u32(object, x, 4, &cpu);
	if (w->command != LC_THREAD && w->command != LC_UNIXTHREAD)
		return false;
	if (cpu == CPU_POWERPC)
		had = exe_u32(object, x, w->at + 16, &narrow);
	else if (cpu == CPU_POWERPC64)
		return x->big ? bytes_be64(object, w->at + 16, entry)
			      : bytes_le64(object, w->at + 16, entry);
	*entry = narrow;
	return had;
}

bool
macho_parse(struct span object, struct exe *x)
{
	uint64_t entry = 0, at;
	struct walk w;

	x->big = (unsigned char)object.ptr[0] == 0xfe;
	x->wide = (unsigned char)object.ptr[x->big ? 3 : 0] == 0xcf;
	(void)exe_u32(object, x, 16, &x->segments);
	x->sections_at = layout_of(x)->header;
	if (!bytes_have(object, 0, x->sections_at) || x->segments == 0 ||
	    x->segments > COMMANDS_MAX)
		return false;
	w = walk_begin(x);
	while (walk_next(object, x, &w)) {
		if (!sections_parse(object, x, &w))
			return false;
		if (thread_parse(object, x, &w, &at))
			entry = at;
	}
	x->has_entry = entry != 0;
	/* Without any section ClamAV takes the address for the offset. */
	if (x->sections == 0)
		x->entry = entry;
	else if (entry != 0 && !macho_offset(object, x, entry, &x->entry))
		return false;
	return !w.broken;
}
