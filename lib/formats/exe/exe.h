#ifndef FORMATS_EXE_EXE_H
#define FORMATS_EXE_EXE_H

#include "base/buf.h"
#include "formats/peel.h"

/* FACTS ABOUT PROGRAMS, as signatures speak of them: EP+n, Sx+n, SEx, SL+n,
 * VI, .mdb, .imp, .idb, Authenticode.  PE (Microsoft's PE/COFF), ELF (gABI,
 * 32 and 64 bits, both byte orders) and Mach-O (the same).  Numbers are
 * rounded and files are refused as ClamAV 1.4 does it, since its signatures
 * were made with that; where it differs from the norm, the source says so.
 *
 * All is computed from the object: no state, any thread.  A parsed `struct
 * exe` belongs to the bytes it was parsed from. */

#define EXE_SECTIONS_MAX 96u
#define EXE_DIRS         16u

/* Of PE `raw` is rounded down and `raw_size` up to the alignment of the file,
 * then cut to the object; a section that begins behind its end keeps `raw`
 * and has no size.  Of ELF and Mach-O they are what the file claims. */
struct exe_section {
	uint64_t raw, raw_size; /* file offset, bytes */
	uint64_t va, va_size;   /* PE: relative to the image base */
	uint32_t flags;         /* PE: Characteristics; ELF: sh_flags */
};

struct exe_dir { /* a data directory of PE */
	uint32_t rva, size;
};

struct exe {
	enum format format; /* MSEXE, ELF or MACHO */
	bool wide;          /* 64 bits */
	bool big;           /* big-endian */
	bool pe32plus;
	bool has_entry;
	/* PE: section hashes (.mdb), imports and unpackers apply.  So they do
	 * to some files of which exe_parse() says false, and the reverse. */
	bool has_sections;
	uint64_t entry; /* FILE offset that EP means; 0 if there is none */
	uint64_t image_base;
	uint64_t overlay;  /* file offset where the last section's data ends */
	uint32_t sections; /* NumberOfSections */
	struct exe_section section[EXE_SECTIONS_MAX]; /* the first of them */

	/* PE alone, 0 otherwise. */
	uint64_t header;       /* file offset of "PE\0\0" */
	uint32_t header_image; /* below this an RVA is a file offset */
	uint32_t section_align, file_align; /* as used here; 0: none */
	uint64_t checksum_at;               /* file offset of CheckSum */
	uint64_t dirs_at; /* file offset of the data directories */
	uint32_t dirs;
	uint16_t machine, subsystem, characteristics;
	uint32_t timestamp;
	struct exe_dir dir[EXE_DIRS];

	/* Where the tables stand in the file. */
	uint64_t sections_at; /* Mach-O: load commands */
	uint64_t segments_at; /* ELF: program headers */
	uint32_t segments;    /* Mach-O: number of load commands */
};

/* False when the headers cannot be used: then signatures that speak of entry
 * point and sections do not apply.  *out is filled in either case, by zeros
 * if need be. */
bool exe_parse(struct span object, struct exe *out);

/* Section number i as in Sx and SEx, also behind those in section[]; false if
 * there is none. */
bool exe_section_find(struct span object, const struct exe *x, uint64_t i,
    struct exe_section *out);

/* The file offset of a virtual address (PE: an RVA); false if no header or
 * section puts a byte of the file there. */
bool
exe_offset(struct span object, const struct exe *x, uint64_t va, uint64_t *out);

/* ---- PE ----------------------------------------------------------------- */

/* The file offsets at which a signature with offset VI may match: each String
 * (key, padding, value) of each StringTable of RT_VERSION resources, where
 * its key begins.  Ascending, no two alike; at most `max`. */
#define PE_VERSION_MAX 1024u
size_t pe_version_info(
    struct span object, const struct exe *x, uint64_t *offsets, size_t max);

/* The text whose MD5 and length make an .imp signature: "dll.function" in
 * lower case, joined by commas, ordinals by name where ClamAV knows it.
 * Nothing for PE32+ and for files without imports. */
#define PE_IMPORTS_MAX (1u << 20)
void pe_imports(struct span object, const struct exe *x, struct buf *out);

/* What Authenticode hashes, in order: everything but CheckSum, the entry of
 * the certificate table and the table itself.  Zero ranges: not signed. */
#define PE_SIGNED_RANGES 4u
struct pe_certificates {
	struct span table; /* WIN_CERTIFICATEs, empty when not signed */
	struct span range[PE_SIGNED_RANGES];
	size_t ranges;
};
void pe_certificates(
    struct span object, const struct exe *x, struct pe_certificates *out);

/* ---- openers -------------------------------------------------------------- */

/* What stands behind the last section ("overlay"), programs within ("embedded",
 * each up to the next one), and the program that a packer hid, rebuilt: "upx",
 * "aspack", "fsg", "mew", "nspack", "pespin", "petite", "upack", "wwpack";
 * or decrypted: "yc". */
void open_pe(struct span object, struct peel *out);
/* Only programs within, for what is no program itself; one at the begin of
 * the object is given too. */
void open_embedded_pe(struct span object, struct peel *out);
/* The programs of a universal binary, one for each kind of processor. */
void open_macho_fat(struct span object, struct peel *out);

#endif
