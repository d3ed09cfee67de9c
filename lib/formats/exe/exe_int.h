#ifndef FORMATS_EXE_INT_H
#define FORMATS_EXE_INT_H

#include "formats/bytes.h"
#include "formats/exe/exe.h"

/* What each of the three formats does for exe.c. */
bool pe_parse(struct span object, struct exe *x);
bool pe_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s);
bool
pe_offset(struct span object, const struct exe *x, uint64_t rva, uint64_t *out);
bool elf_parse(struct span object, struct exe *x);
bool elf_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s);
bool
elf_offset(struct span object, const struct exe *x, uint64_t va, uint64_t *out);
bool macho_parse(struct span object, struct exe *x);
bool macho_section(
    struct span object, const struct exe *x, uint64_t i, struct exe_section *s);
bool macho_offset(
    struct span object, const struct exe *x, uint64_t va, uint64_t *out);

/* Takes the first sections into x->section and finds where their data ends,
 * not behind the object. */
void exe_sections_note(
    struct exe *x, struct span object, uint64_t i, const struct exe_section *s);

/* ---- PE ------------------------------------------------------------------ */

/* How many RVAs may be looked up in this file: each costs a walk over its
 * sections, of which there may be 65,535. */
uint32_t pe_lookups_max(const struct exe *x);

/* A leaf of the resource directory: three levels, as Windows makes them.
 * Names that are strings have their top bit set. */
struct pe_resource {
	uint32_t type, name, language;
	struct span data; /* empty if it does not lie in the file */
	bool found;       /* its begin does, at `at` */
	uint64_t at;
};
#define PE_RESOURCE_ANY UINT32_MAX
typedef bool pe_resource_fn(void *arg, const struct pe_resource *r);
/* Those of one type, or of any, and one name, or any, in the order of the
 * file, until `fn` says false, something cannot be read, or *left entries of
 * directories were: it is less by those. */
void pe_resources_walk(struct span object, const struct exe *x, uint32_t type,
    uint32_t name, uint32_t *left, pe_resource_fn *fn, void *arg);

/* The name, in lower case, of a function that is imported by number, or NULL.
 * `library`: lower case, with ".dll". */
const char *pe_ordinal_find(struct span library, uint16_t number);

/* Numbers in the byte order of the file; as bytes.h where there are none. */
bool
exe_u16(struct span object, const struct exe *x, uint64_t at, uint16_t *out);
bool
exe_u32(struct span object, const struct exe *x, uint64_t at, uint32_t *out);
/* An address: 4 or 8 bytes, by the width of the file. */
bool
exe_word(struct span object, const struct exe *x, uint64_t at, uint64_t *out);

#endif
