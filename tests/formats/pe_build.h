#ifndef TESTS_FORMATS_PE_BUILD_H
#define TESTS_FORMATS_PE_BUILD_H

#include "testing.h"

#include "formats/bytes.h"
#include "formats/exe/exe.h"

/* Makes small programs out of nothing: PE files whose headers say what a test
 * wants, filled with bytes that differ. */

#define PE_BUILD_MAX (1u << 20)
#define PE_AT        0x80u /* "PE\0\0" */

struct pe_build_section {
	uint32_t va_size, va, raw_size, raw;
};

struct pe_build {
	size_t size; /* of the file */
	uint32_t entry, section_align, file_align, headers;
	bool plus;
	uint16_t sections, optional; /* 0: as many as needed */
	struct pe_build_section section[4];
	struct exe_dir dir[EXE_DIRS];
};

static inline void
pe_put(unsigned char *at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		at[i] = (unsigned char)(v >> (8 * i));
}

/* A heap block of exactly s.len bytes, to be freed, so that a sanitizer sees
 * what reads beyond. */
static inline struct span
pe_build_make(const struct pe_build *b)
{
	static unsigned char f[PE_BUILD_MAX];
	unsigned fixed = b->plus ? 112 : 96, n = 0;
	unsigned char *opt = f + PE_AT + 24, *table;
	char *copy = malloc(b->size);

	assert_non_null(copy);
	for (size_t i = 0; i < sizeof(f); i++)
		f[i] = (unsigned char)(i * 7 + i / 256 + 1);
	memset(f, 0, 0x400);
	memcpy(f, "MZ", 2);
	pe_put(f + 60, PE_AT, 4);
	memcpy(f + PE_AT, "PE\0\0\x4c\x01", 6);
	while (n < 4 && b->section[n].va != 0)
		n++;
	pe_put(f + PE_AT + 6, b->sections == 0 ? n : b->sections, 2);
	pe_put(f + PE_AT + 20,
	    b->optional == 0 ? fixed + EXE_DIRS * 8 : b->optional, 2);
	pe_put(opt, b->plus ? 0x20b : 0x10b, 2);
	pe_put(opt + 16, b->entry, 4);
	pe_put(opt + (b->plus ? 24 : 28), 0x400000, 4);
	pe_put(opt + 32, b->section_align, 4);
	pe_put(opt + 36, b->file_align, 4);
	pe_put(opt + 60, b->headers, 4);
	pe_put(opt + fixed - 4, EXE_DIRS, 4);
	for (unsigned i = 0; i < EXE_DIRS; i++) {
		pe_put(opt + fixed + 8 * i, b->dir[i].rva, 4);
		pe_put(opt + fixed + 8 * i + 4, b->dir[i].size, 4);
	}
	table = opt + fixed + EXE_DIRS * 8;
	for (unsigned i = 0; i < n; i++, table += 40) {
		memcpy(table, ".sect", 5);
		pe_put(table + 8, b->section[i].va_size, 4);
		pe_put(table + 12, b->section[i].va, 4);
		pe_put(table + 16, b->section[i].raw_size, 4);
		pe_put(table + 20, b->section[i].raw, 4);
		pe_put(table + 36, 0x60000020, 4);
	}
	memcpy(copy, f, b->size);
	return (struct span){ copy, b->size };
}

/* Two sections, well made: 0x1000 at 0x400 and 0x2000 at 0x800. */
static const struct pe_build pe_build_plain = {
	.size = 0x1000,
	.entry = 0x1000,
	.section_align = 0x1000,
	.file_align = 0x200,
	.headers = 0x400,
	.section = { { 0x1000, 0x1000, 0x400, 0x400 },
	    { 0x1000, 0x2000, 0x600, 0x800 } },
};

#endif
