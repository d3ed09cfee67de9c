#ifndef SCAN_FORMAT_H
#define SCAN_FORMAT_H

#include "base/span.h"

/* The compiled set on disk.  Everything is an index or an offset, so that
 * the file is used where it is mapped, whatever its address; numbers are in
 * the byte order of x86 and ARM (little endian), and the format number reads
 * wrong elsewhere.  set.c checks each of them once, when the set is opened;
 * the matchers trust them afterwards. */

#define SET_MAGIC  "KHIENSET" /* 8 bytes, its NUL not written */
#define SET_FORMAT 2u
#define SET_ALIGN  8u

/* The file begins with this; the digest covers everything behind it. */
struct set_header {
	char magic[8];
	uint32_t format;
	uint32_t header_size;
	uint64_t file_size;
	unsigned char digest[32];
	uint64_t zero;
};

struct set_region {
	uint64_t at; /* from the start of the file, a multiple of SET_ALIGN */
	uint64_t size;
};

/* ---- hashes: one table for each digest kind, hits and allowed apart ---- */

#define SIZE_ANY         UINT64_MAX /* a hash of files of any size */
#define HASH_KINDS       3          /* in the order of enum digest_kind */
#define HASH_LEN_MAX     32
#define HASH_PREFIX      8
#define HASH_BUCKETS_MAX 24u /* bits */

enum hash_use { HASH_HIT, HASH_ALLOW, HASH_USES };

/* Sorted by digest.  The first 8 bytes, as a big-endian number, are the
 * prefix; bucket i holds the prefixes whose upper bucket_bits are i, as
 * entries buckets[i] .. buckets[i + 1]. */
struct set_hashes {
	uint32_t count;
	uint32_t any_size;   /* entries whose size is SIZE_ANY */
	uint32_t digest_len; /* 16, 20, 32 */
	uint32_t bucket_bits;
	struct set_region sizes;    /* uint64_t, sorted, distinct: the gate */
	struct set_region buckets;  /* uint32_t [2^bucket_bits + 1] */
	struct set_region prefixes; /* uint64_t [count] */
	struct set_region tails;    /* [count][digest_len - 8] */
	struct set_region entries;  /* struct set_hash [count] */
};
struct set_hash {
	uint64_t size;
	uint32_t name, source; /* offsets in `texts` */
};

/* ---- body signatures ---------------------------------------------------- */

#define PARTS_MAX   64u
#define PART_MAX    32768u  /* bytes */
#define PIVOTS_MAX  131072u /* bytes of all pivots of a pattern */
#define GAP_ANY     UINT32_MAX
#define NO_MASK     UINT32_MAX
#define SPECIAL_MAX 4096u /* alternatives of one place */

enum set_target { /* ClamAV's numbers */
	TARGET_ANY = 0,
	TARGET_PE = 1,
	TARGET_OLE2 = 2,
	TARGET_HTML = 3,
	TARGET_MAIL = 4,
	TARGET_GRAPHICS = 5,
	TARGET_ELF = 6,
	TARGET_TEXT = 7,
	TARGET_MACHO = 9,
	TARGET_PDF = 10,
	TARGET_FLASH = 11,
	TARGET_JAVA = 12,
	TARGETS = 13
};
enum set_from { FROM_ANY, FROM_START, FROM_END, FROM_COUNT };
/* The pattern must touch the start, or the end, of the object. */
#define EDGE_START 1u
#define EDGE_END   2u

/* A signature: parts in order, a gap before each but the first.  It may
 * begin at [offset, offset + shift] from the start, or that far before the
 * end, of the object. */
struct set_pattern {
	uint64_t offset, shift;
	uint32_t name, source;
	uint32_t part, parts; /* first, and how many */
	uint8_t target, from, edges, zero;
	uint32_t zero2;
};
/* `len` bytes that follow each other: (data & mask) == byte at each place,
 * and the specials, whose places have mask 0.  The bytes are stored as
 * mask.h says, the masks as they are. */
struct set_part {
	uint32_t bytes; /* offset in `bytes` */
	uint32_t masks; /* the same, or NO_MASK: literal */
	uint32_t len;
	uint32_t gap_min, gap_max; /* bytes between the part before and this */
	uint32_t special, specials;
	uint32_t pivot, pivot_len; /* its longest literal: what is looked for */
};
/* `count` alternatives of `len` bytes each at place `at`. */
struct set_special {
	uint32_t at, len, count;
	uint32_t bytes;   /* in `bytes`: count * len, each alternative masked */
	uint32_t negated; /* 1: none of them */
};

/* ---- prefilter ---------------------------------------------------------- */

/* One literal of each pattern, its anchor, is looked for in every object.
 * Its first `width` bytes as a number, multiplied, give a hash; the upper
 * bits of it a bit of the bitmap, the upper bucket_bits a bucket. */
#define FILTERS           3 /* widths 8, 4, 2: the widest that fits */
#define FILTER_BITS_MIN   9u
#define FILTER_BITS_MAX   27u
#define FILTER_SPARSE     32u /* bits for each anchor, at least */
#define FILTER_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

struct set_filter {
	uint32_t width;
	uint32_t count;
	uint32_t bitmap_bits;      /* the bitmap has 2^bitmap_bits bits */
	uint32_t bucket_bits;      /* at most bitmap_bits */
	struct set_region bitmap;  /* uint64_t [] */
	struct set_region buckets; /* uint32_t [2^bucket_bits + 1] */
	struct set_region anchors; /* struct set_anchor [count], by hash */
};
struct set_anchor {
	uint64_t hash; /* whole; no two literals have the same */
	uint32_t pattern;
	uint16_t part, at; /* where in the pattern it stands */
};

/* ---- the directory, right behind the header ----------------------------- */

struct set_directory {
	uint64_t version;
	int64_t built_ms;
	uint64_t hashes, bodies, allowed, yara, skipped;
	struct set_hashes hash[HASH_USES][HASH_KINDS];
	struct set_filter filter[FILTERS];
	struct set_region patterns, parts, specials, bytes;
	struct set_region texts; /* NUL-ended UTF-8, from offset 1 on */
	struct set_region rules; /* libyara's own stream, masked, or empty */
};

#endif
