#ifndef FORMATS_PE_PACK_H
#define FORMATS_PE_PACK_H

#include "formats/exe/exe_int.h"

/* PACKED PROGRAMS.  An unpacker turns the sections of a packed PE into the
 * memory that its stub would have made, and pe_image_give() makes a file of
 * that in which offset and RVA are the same, so that signatures find entry
 * point and sections.  It is not meant to run: imports stay as the packer
 * left them, and what it did to jumps is not undone, as in ClamAV. */

#define PE_PARTS_MAX 96u
struct pe_part {
	char name[8];
	uint32_t va, size, flags;
};

struct pe_image {
	struct buf bytes; /* memory from `base` on; its ceiling is the limit */
	uint32_t base;    /* RVA of the first byte */
	uint32_t entry;   /* RVA */
	uint32_t image_base;
	struct span header; /* original "PE\0\0" and optional header, or empty;
	                     * may lie in bytes */
	struct pe_part part[PE_PARTS_MAX];
	uint32_t parts;
	bool whole; /* bytes are a file already; nothing else is used */
};

/* Memory for what `packed` bytes may become: enough for any program, not for
 * a bomb. */
size_t pe_image_max(size_t packed, uint64_t claimed);
/* The memory of the program as Windows would load it, and its sections; false
 * if that is more than a program may be. */
bool pe_image_map(struct span object, const struct exe *x, struct pe_image *im);
/* The RVA that the header gives as entry point. */
bool pe_entry_rva(struct span object, const struct exe *x, uint32_t *out);
/* False when the sink wants no more. */
bool
pe_image_give(const struct pe_image *im, struct span name, struct peel *out);

enum unpacked {
	UNPACKED_NOT,    /* not this packer's */
	UNPACKED_DONE,   /* the image is filled in */
	UNPACKED_BROKEN, /* this packer's, but it cannot be read */
	UNPACKED_STOP,   /* no time is left */
};
typedef enum unpacked unpacker_fn(struct span object, const struct exe *x,
    struct peel *out, struct pe_image *im);
unpacker_fn pe_upx, pe_aspack, pe_mew, pe_wwpack, pe_petite, pe_yc, pe_fsg,
    pe_upack, pe_pespin, pe_nspack;

/* Programs in `object` from byte `from` on.  False when the sink wants no
 * more. */
bool pe_embedded_give(struct span object, size_t from, struct peel *out);
/* Whether `s` begins with one that is given so. */
bool pe_is_embedded(struct span s);

/* ---- stubs --------------------------------------------------------------- */

/* Code up to its operands, of which any byte will do. */
#define ANY (-1)
struct pattern {
	const int16_t *code;
	size_t n;
};
#define PATTERN(codes) ((struct pattern){ codes, COUNT(codes) })
bool code_is(struct span s, uint64_t at, struct pattern p);
/* Where it begins first, in `max` bytes from `from` on. */
bool code_find(
    struct span s, uint64_t from, uint64_t max, struct pattern p, uint64_t *at);

/* How a byte is decrypted, while a counter counts down. */
#define STEPS_MAX 96u
enum step_kind {
	STEP_ADD,
	STEP_SUB,
	STEP_XOR,
	STEP_ROL,
	STEP_ROR,
	STEP_ADD_COUNT,
	STEP_SUB_COUNT,
	STEP_XOR_COUNT
};
struct steps {
	struct step {
		enum step_kind kind;
		uint8_t by;
	} step[STEPS_MAX];
	size_t n;
};
/* The instructions on al from `at` up to `end`, which is code; false if one is
 * not known. */
bool steps_read(struct span s, uint64_t at, struct span end, struct steps *out);
/* Done to `n` bytes at `at`, as far as there are so many, with a counter that
 * begins at `count`.  False: no time is left. */
bool steps_do(const struct steps *s, struct buf *b, uint64_t at, uint32_t n,
    uint32_t count, struct peel *ticker);

/* ---- methods of compression --------------------------------------------- */

/* NRV of the UCL library, in its form for 32-bit little-endian words.  Adds
 * to `out` until the end mark, which alone makes it succeed. */
enum nrv { NRV_2B, NRV_2D, NRV_2E, NRVS };
bool nrv_unpack(
    enum nrv method, struct span in, struct buf *out, struct peel *ticker);

/* LZMA.  It has no end mark: what follows it is decoded too, as far as that
 * goes, and as far as `out` has room. */
struct lzma_bits {
	unsigned context, position_literal, position; /* lc, lp, pb */
};
bool lzma_unpack(struct lzma_bits bits, struct span in, struct buf *out,
    struct peel *ticker);

/* One stream of aPLib within the image: from *from to *to, both moved on; not
 * more than `room` bytes. */
bool aplib_unpack(struct pe_image *im, size_t *from, size_t *to, size_t room,
    struct peel *ticker);

#endif
