#include "pe_build.h"

#define NO UINT64_MAX

/* What ClamAV 1.4.6 does with the same files: entry points and sections were
 * found by signatures EP+0, Sx+0, SL+0, whether a section is hashed by .mdb
 * signatures. */
static const struct pe_row {
	const char *name;
	size_t size;
	uint32_t entry, section_align, file_align, headers;
	struct pe_build_section section[3];
	bool offsets, hashes;
	uint64_t at; /* the entry point, in the file */
	uint64_t raw[3], raw_size[3];
} pe_rows[] = {
	{ "plain", 0x1000, 0x1000, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    true, true, 0x400, { 0x400, 0x800 }, { 0x400, 0x600 } },
	{ "offsets are rounded down, sizes up", 0x1000, 0x1000, 0x1000, 0x200,
	    0x400,
	    { { 0x1000, 0x1000, 0x400, 0x410 },
		{ 0x1000, 0x2000, 0x300, 0xa34 } },
	    true, true, 0x400, { 0x400, 0xa00 }, { 0x400, 0x400 } },
	{ "an alignment the sections do not have is 0x200", 0x1000, 0x1000,
	    0x1000, 0x1000, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x300, 0xa00 } },
	    true, true, 0x400, { 0x400, 0xa00 }, { 0x400, 0x400 } },
	{ "unless they have none at all", 0x2000, 0x1000, 0x1000, 0x1000, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x410 },
		{ 0x1000, 0x2000, 0x300, 0xa10 } },
	    true, true, 0, { 0, 0 }, { 0x1000, 0x1000 } },
	{ "no alignment", 0x2000, 0x1000, 0x1000, 0, 0x400,
	    { { 0x1000, 0x1000, 0x410, 0x430 },
		{ 0x1000, 0x2000, 0x301, 0xa34 } },
	    true, true, 0x430, { 0x430, 0xa34 }, { 0x410, 0x301 } },
	{ "one that is no power of two", 0x2000, 0x1000, 0x1000, 3, 0x400,
	    { { 0x1000, 0x1000, 0x410, 0x430 },
		{ 0x1000, 0x2000, 0x301, 0xa34 } },
	    true, true, 0x42f, { 0x42f, 0xa32 }, { 0x411, 0x303 } },
	{ "a section is cut to the file", 0xa55, 0x1000, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    true, true, 0x400, { 0x400, 0x800 }, { 0x400, 0x255 } },
	{ "one behind the file is empty", 0xa55, 0x2000, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x1800 },
		{ 0x1000, 0x2000, 0x600, 0x400 } },
	    true, true, 0x400, { 0x1800, 0x400 }, { 0, 0x600 } },
	{ "a single one there leaves nothing to hash", 0xa55, 0x10, 0x1000,
	    0x200, 0x400, { { 0x1000, 0x1000, 0x400, 0x1800 } }, true, false,
	    0x10, { 0x1800 }, { 0 } },
	{ "an entry in the header is where it says", 0x1000, 0x200, 0x1000,
	    0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    true, true, 0x200, { 0x400, 0x800 }, { 0x400, 0x600 } },
	{ "also behind its end, up to the alignment", 0x1000, 0xf00, 0x1000,
	    0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    true, true, 0xf00, { 0x400, 0x800 }, { 0x400, 0x600 } },
	{ "but not behind the file", 0xe00, 0xf00, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    false, false, NO, { NO }, { NO } },
	{ "an entry behind a section's data", 0x1000, 0x1400, 0x1000, 0x200,
	    0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    false, false, NO, { NO }, { NO } },
	{ "the last section with the entry counts", 0x1000, 0x1100, 0x1000,
	    0x200, 0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x1000, 0x600, 0x800 } },
	    true, true, 0x900, { 0x400, 0x800 }, { 0x400, 0x600 } },
	{ "an address over 2 GiB", 0x1000, 0x2100, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x80001000, 0x400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    false, false, NO, { NO }, { NO } },
	{ "one of a section that is not there", 0x800, 0x1000, 0x1000, 0x200,
	    0x400,
	    { { 0x1000, 0x1000, 0x400, 0x400 },
		{ 0x1000, 0x80002000, 0x400, 0x2400 } },
	    false, true, 0x400, { 0x400, 0x2400 }, { 0x400, 0 } },
	{ "a size over 2 GiB is cut", 0x1000, 0x2100, 0x1000, 0x200, 0x400,
	    { { 0x1000, 0x1000, 0x80000400, 0x400 },
		{ 0x1000, 0x2000, 0x600, 0x800 } },
	    true, true, 0x900, { 0x400, 0x800 }, { 0xc00, 0x600 } },
	{ "a size that wraps when rounded", 0x1000, 0x2000, 0x1000, 0x200,
	    0x400,
	    { { 0x1000, 0x1000, 0xfffffff8, 0x400 },
		{ 0x1000, 0x2000, 0x400, 0x800 } },
	    false, false, NO, { NO }, { NO } },
};

static void
a_pe_has_the_entry_and_sections_that_signatures_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pe_rows) / sizeof(pe_rows[0]); i++) {
		const struct pe_row *r = &pe_rows[i];
		struct pe_build b = { .size = r->size,
			.entry = r->entry,
			.section_align = r->section_align,
			.file_align = r->file_align,
			.headers = r->headers };
		struct exe_section s;
		struct span f;
		struct exe x;

		TEST_CASE(r->name);
		memcpy(b.section, r->section, sizeof(r->section));
		f = pe_build_make(&b);
		assert_int_equal(exe_parse(f, &x), r->offsets);
		assert_int_equal(x.format, FORMAT_MSEXE);
		assert_int_equal(x.has_sections, r->hashes);
		if (r->at != NO)
			assert_int_equal(x.entry, r->at);
		for (uint32_t k = 0; r->raw[0] != NO && k < x.sections; k++) {
			assert_true(exe_section_find(f, &x, k, &s));
			assert_int_equal(s.raw, r->raw[k]);
			assert_int_equal(s.raw_size, r->raw_size[k]);
		}
		assert_false(exe_section_find(f, &x, x.sections, &s));
		free((char *)f.ptr);
	}
}

static void
a_pe_header_that_cannot_be_used_is_refused(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		unsigned n;
		uint32_t value;
		bool good;
	} rows[] = {
		{ "as it is", 0, 2, 0x5a4d, true },
		{ "no e_lfanew", 60, 4, 0, false },
		{ "e_lfanew behind the file", 60, 4, 0x1000, false },
		{ "e_lfanew at its end", 60, 4, 0xfff, false },
		{ "NE", PE_AT, 4, 0x454e, false },
		{ "no section", PE_AT + 6, 2, 0, false },
		{ "more sections than the file has room for", PE_AT + 6, 2,
		    0xffff, false },
		{ "an optional header without directories", PE_AT + 20, 2, 0xdf,
		    false },
		{ "an optional header longer than the file", PE_AT + 20, 2,
		    0xf00, false },
		{ "a magic of no kind is PE32", PE_AT + 24, 2, 0x107, true },
		{ "a machine of no kind", PE_AT + 4, 2, 0, true },
		{ "no directories", PE_AT + 24 + 92, 4, 0, true },
		{ "too many directories are 16", PE_AT + 24 + 92, 4, 0xffffffff,
		    true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span f = pe_build_make(&pe_build_plain);
		struct exe x;

		TEST_CASE(rows[i].name);
		pe_put((unsigned char *)f.ptr + rows[i].at, rows[i].value,
		    rows[i].n);
		assert_int_equal(exe_parse(f, &x), rows[i].good);
		assert_true(x.dirs <= EXE_DIRS);
		free((char *)f.ptr);
	}
}

static void
a_pe_cut_anywhere_is_read_within_its_bytes(void **state)
{
	struct span whole = pe_build_make(&pe_build_plain);

	(void)state;
	for (size_t n = 0; n < whole.len; n++) {
		char *cut = malloc(n == 0 ? 1 : n);
		struct exe x;

		assert_non_null(cut);
		memcpy(cut, whole.ptr, n);
		if (exe_parse((struct span){ cut, n }, &x))
			assert_true(x.entry < n && x.overlay <= n);
		free(cut);
	}
	free((char *)whole.ptr);
}

static void
addresses_become_offsets_of_the_file(void **state)
{
	struct span f = pe_build_make(&pe_build_plain);
	struct exe x;
	uint64_t at;

	(void)state;
	assert_true(exe_parse(f, &x));
	assert_int_equal(x.overlay, 0xe00);
	assert_true(exe_offset(f, &x, 0x2010, &at));
	assert_int_equal(at, 0x810);
	assert_true(exe_offset(f, &x, 0x25ff, &at));
	assert_int_equal(at, 0xdff);
	assert_false(exe_offset(f, &x, 0x2600, &at));
	assert_false(exe_offset(f, &x, UINT64_MAX, &at));
	assert_true(exe_offset(f, &x, 0x3c, &at));
	assert_int_equal(at, 0x3c);
	free((char *)f.ptr);
}

/* ---- ELF ------------------------------------------------------------------ */

struct elf_row {
	const char *name;
	bool wide, big;
	uint64_t entry;
	uint16_t segments, sections, segment_size, section_size;
	bool good;
	uint64_t at;
};

static void
elf_put(unsigned char *at, uint64_t v, unsigned n, bool big)
{
	for (unsigned i = 0; i < n; i++)
		at[big ? n - 1 - i : i] = (unsigned char)(v >> (8 * i));
}

/* A segment of 0x200 bytes at 0x100 that is 0x300 in memory at 0x8048100;
 * section 1 is at 0x100, the last one at 0x300. */
static struct span
elf_make(const struct elf_row *r)
{
	static unsigned char f[0x8000];
	unsigned w = r->wide ? 8 : 4, at = r->wide ? 64 : 52;
	unsigned char *h = f, *p = f + at;

	memset(f, 0, sizeof(f));
	memcpy(f, "\177ELF", 4);
	f[4] = r->wide ? 2 : 1;
	f[5] = r->big ? 2 : 1;
	elf_put(h + 24, r->entry, w, r->big);
	elf_put(h + 24 + w, at, w, r->big);
	elf_put(h + 24 + 2 * w, 0x800, w, r->big);
	h += 24 + 3 * w + 6;
	elf_put(h, r->segment_size, 2, r->big);
	elf_put(h + 2, r->segments, 2, r->big);
	elf_put(h + 4, r->section_size, 2, r->big);
	elf_put(h + 6, r->sections, 2, r->big);
	elf_put(p + (r->wide ? 8 : 4), 0x100, w, r->big);
	elf_put(p + (r->wide ? 16 : 8), 0x8048100, w, r->big);
	elf_put(p + (r->wide ? 40 : 20), 0x300, w, r->big);
	for (unsigned i = 1; i < r->sections && i < 256; i++) {
		p = f + 0x800 + i * (r->wide ? 64 : 40) + 8;
		elf_put(p + w, 0x8048100, w, r->big);
		elf_put(p + 2 * w, i + 1u == r->sections ? 0x300 : 0x100, w,
		    r->big);
		elf_put(p + 3 * w, 0x40, w, r->big);
	}
	return (struct span){ (char *)f, sizeof(f) };
}

static const struct elf_row elf_rows[] = {
	{ "32 bits", false, false, 0x8048100, 1, 3, 32, 40, true, 0x100 },
	{ "32 bits, big", false, true, 0x8048100, 1, 3, 32, 40, true, 0x100 },
	{ "64 bits", true, false, 0x8048180, 1, 3, 56, 64, true, 0x180 },
	{ "64 bits, big", true, true, 0x8048180, 1, 3, 56, 64, true, 0x180 },
	{ "entry where only memory is", false, false, 0x8048380, 1, 3, 32, 40,
	    true, 0x380 },
	{ "entry behind the memory", false, false, 0x8048400, 1, 3, 32, 40,
	    false, 0 },
	{ "entry before it", false, false, 0x123, 1, 3, 32, 40, false, 0 },
	{ "no entry", false, false, 0, 1, 3, 32, 40, true, 0 },
	{ "no segments", false, false, 0x8048100, 0, 3, 0, 40, true, 0 },
	{ "no sections", false, false, 0x8048100, 1, 0, 32, 0, true, 0x100 },
	{ "segment headers of another size", false, false, 0x8048100, 1, 3, 40,
	    40, false, 0 },
	{ "section headers of another size", false, false, 0x8048100, 1, 3, 32,
	    64, false, 0 },
	{ "256 sections", false, false, 0x8048100, 1, 256, 32, 40, true,
	    0x100 },
	{ "257 sections", false, false, 0x8048100, 1, 257, 32, 40, false, 0 },
	{ "128 segments", false, false, 0x8048100, 128, 3, 32, 40, true,
	    0x100 },
	{ "129 segments", false, false, 0x8048100, 129, 3, 32, 40, false, 0 },
};

static void
an_elf_has_the_entry_and_sections_that_signatures_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(elf_rows) / sizeof(elf_rows[0]); i++) {
		const struct elf_row *r = &elf_rows[i];
		struct span f = elf_make(r);
		struct exe_section s;
		struct exe x;

		TEST_CASE(r->name);
		assert_int_equal(exe_parse(f, &x), r->good);
		assert_int_equal(x.format, FORMAT_ELF);
		if (!r->good)
			continue;
		assert_int_equal(x.entry, r->at);
		assert_int_equal(x.sections, r->sections);
		if (r->sections < 2)
			continue;
		assert_true(exe_section_find(f, &x, 1, &s));
		assert_int_equal(s.raw, 0x100);
		assert_int_equal(s.raw_size, 0x40);
		assert_true(exe_section_find(f, &x, x.sections - 1u, &s));
		assert_int_equal(s.raw, 0x300);
		assert_int_equal(x.overlay, 0x340);
	}
}

static void
an_elf_of_no_class_or_order_is_refused(void **state)
{
	struct span f = elf_make(&elf_rows[0]);
	struct exe x;

	(void)state;
	((char *)f.ptr)[4] = 3;
	assert_false(exe_parse(f, &x));
	((char *)f.ptr)[4] = 1;
	((char *)f.ptr)[5] = 3;
	assert_false(exe_parse(f, &x));
	((char *)f.ptr)[5] = 1;
	assert_true(exe_parse(f, &x));
	assert_false(exe_parse((struct span){ f.ptr, 51 }, &x));
}

/* ---- Mach-O --------------------------------------------------------------- */

struct macho_row {
	const char *name;
	bool wide, big;
	uint32_t cpu, commands, align;
	uint64_t entry;
	bool good;
	uint64_t at, second_size;
};

/* A segment with sections of 0x100 bytes at 0x400 (address 0x2000) and 0x123
 * at 0x600 (0x3000), and a thread; `commands` other than 0 is claimed. */
static struct span
macho_make(const struct macho_row *r)
{
	static unsigned char f[0x1000];
	unsigned w = r->wide ? 8 : 4, header = r->wide ? 32 : 28;
	unsigned segment = r->wide ? 72 : 56, section = r->wide ? 80 : 68;
	unsigned char *p = f + header;

	memset(f, 0, sizeof(f));
	elf_put(f, r->wide ? 0xfeedfacf : 0xfeedface, 4, r->big);
	elf_put(f + 4, r->cpu, 4, r->big);
	elf_put(f + 16, r->commands == 0 ? 2 : r->commands, 4, r->big);
	elf_put(p, r->wide ? 0x19 : 1, 4, r->big);
	elf_put(p + 4, segment + 2 * section, 4, r->big);
	elf_put(p + segment - 8, 2, 4, r->big);
	for (unsigned i = 0; i < 2; i++) {
		unsigned char *s = p + segment + i * section + 32;

		elf_put(s, i == 0 ? 0x2000 : 0x3000, w, r->big);
		elf_put(s + w, i == 0 ? 0x100 : 0x123, w, r->big);
		elf_put(s + 2 * w, i == 0 ? 0x400 : 0x600, 4, r->big);
		elf_put(s + 2 * w + 4, r->align, 4, r->big);
	}
	p += segment + 2 * section;
	elf_put(p, 5, 4, r->big);
	elf_put(p + 4, 8 + 8 + 160, 4, r->big);
	elf_put(p + 16, r->entry, r->cpu == 18 ? 4 : 8, r->big);
	return (struct span){ (char *)f, sizeof(f) };
}

static const struct macho_row macho_rows[] = {
	{ "PowerPC", false, true, 18, 0, 2, 0x2010, true, 0x410, 0x124 },
	{ "PowerPC, little", false, false, 18, 0, 2, 0x2010, true, 0x410,
	    0x124 },
	{ "PowerPC of 64 bits", true, true, 0x1000012, 0, 4, 0x3122, true,
	    0x722, 0x130 },
	{ "an entry in no section", false, true, 18, 0, 2, 0x3123, false, 0,
	    0 },
	{ "Intel's entry is the begin of the file", false, false, 7, 0, 0,
	    0x2010, true, 0, 0x123 },
	{ "Intel, 64 bits", true, false, 0x1000007, 0, 12, 0x2010, true, 0,
	    0x1000 },
	{ "no alignment can be that large", false, false, 7, 0, 32, 0, false, 0,
	    0 },
	{ "more commands than allowed", false, false, 7, 1025, 0, 0, false, 0,
	    0 },
};

static void
a_macho_has_the_entry_and_sections_that_signatures_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(macho_rows) / sizeof(macho_rows[0]);
	     i++) {
		const struct macho_row *r = &macho_rows[i];
		struct span f = macho_make(r);
		struct exe_section s;
		struct exe x;

		TEST_CASE(r->name);
		assert_int_equal(exe_parse(f, &x), r->good);
		assert_int_equal(x.format, FORMAT_MACHO);
		if (!r->good)
			continue;
		assert_int_equal(x.entry, r->at);
		assert_int_equal(x.sections, 2);
		assert_true(exe_section_find(f, &x, 1, &s));
		assert_int_equal(s.raw, 0x600);
		assert_int_equal(s.va_size, 0x123);
		assert_int_equal(s.raw_size, r->second_size);
	}
}

static void
what_is_no_program_is_none(void **state)
{
	static const char *const rows[] = { "", "M", "MZ", "\177ELF",
		"\xfe\xed\xfa\xce", "%PDF-1.4",
		"a text that is somewhat longer than any header" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exe_section s;
		struct exe x;

		TEST_CASE(rows[i]);
		assert_false(exe_parse(span_of(rows[i]), &x));
		assert_false(exe_section_find(span_of(rows[i]), &x, 0, &s));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_pe_has_the_entry_and_sections_that_signatures_mean),
		cmocka_unit_test(a_pe_header_that_cannot_be_used_is_refused),
		cmocka_unit_test(a_pe_cut_anywhere_is_read_within_its_bytes),
		cmocka_unit_test(addresses_become_offsets_of_the_file),
		cmocka_unit_test(
		    an_elf_has_the_entry_and_sections_that_signatures_mean),
		cmocka_unit_test(an_elf_of_no_class_or_order_is_refused),
		cmocka_unit_test(
		    a_macho_has_the_entry_and_sections_that_signatures_mean),
		cmocka_unit_test(what_is_no_program_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
