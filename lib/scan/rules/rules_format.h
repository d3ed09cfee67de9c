#ifndef SCAN_RULES_FORMAT_H
#define SCAN_RULES_FORMAT_H

#include "base/span.h"

/* The YARA part of a set: a filter that says which rules could match an
 * object at all, and the rules themselves in leaves, each a stream of
 * libyara's.  Numbers are little endian as in the rest of the set; offsets
 * count from the start of this part.  The whole of it is masked (mask.h). */

#define RULES_MAGIC  "KHRULES1" /* 8 bytes, its NUL not written */
#define RULES_ALIGN  8u
#define RULES_WIDTH  4u          /* bytes of a long anchor; a short one has 2 */
#define RULES_FACTOR 0x9e3779b1u /* odd: no two anchors share a hash */
/* Of the differences of neighbours, for needles under XOR. */
#define RULES_XOR_FACTOR 0x85ebca6bu
#define RULES_PAIRS      65536u

/* Of a needle. */
#define NEEDLE_NOCASE 0x01u
#define NEEDLE_MASKED 0x02u /* as many masks follow the bytes */
#define NEEDLE_WORD   0x04u /* no letter or digit beside it */
#define NEEDLE_WIDE   0x08u /* "beside" is two bytes away, with a zero */
#define NEEDLE_XOR    0x10u /* under one byte's XOR, of a range */

/* What two neighbours differ in is the same under any XOR, so these are
 * looked for by four differences. */
#define NEEDLE_XOR_MIN 5u

struct rules_region {
	uint64_t at, size; /* bytes; `at` a multiple of RULES_ALIGN */
};

enum rules_table {
	RULES_NEEDLES,      /* struct rules_needle */
	RULES_BYTES,        /* of needles */
	RULES_BITMAP,       /* uint32_t: upper bits of the hashes of anchors */
	RULES_BUCKETS,      /* uint32_t [2^bucket_bits + 1], into the anchors */
	RULES_ANCHORS,      /* struct rules_anchor, sorted by hash */
	RULES_PAIR_BITMAP,  /* uint32_t [2048], or nothing */
	RULES_PAIR_STARTS,  /* uint32_t [65537], into the next; or nothing */
	RULES_PAIR_NEEDLES, /* uint32_t */
	RULES_LINKS,        /* uint32_t [strings + 1], into the next */
	RULES_LINKED,       /* uint32_t: gates that ask for that string */
	RULES_GATES,        /* struct rules_gate */
	RULES_WORDS,        /* uint32_t: programs of gates */
	RULES_STANDING,     /* uint32_t: gates that need no string */
	RULES_LEAVES,       /* struct rules_leaf */
	RULES_SOURCES,      /* uint32_t: offsets of file names in the texts */
	RULES_TEXTS,        /* NUL-ended */
	RULES_STREAMS,      /* libyara's; the last, for it stays where it is */
	RULES_TABLES
};

struct rules_head {
	char magic[8];
	uint32_t bitmap_bits, bucket_bits;
	uint32_t xors; /* how many of the needles are NEEDLE_XOR */
	uint32_t zero;
	struct rules_region table[RULES_TABLES];
};

struct rules_needle {
	uint32_t bytes; /* with as many masks behind them if NEEDLE_MASKED */
	uint32_t string;
	uint16_t len, flags; /* NEEDLE_... */
	uint16_t at;         /* of the anchor */
	uint16_t keys;       /* NEEDLE_XOR: least, and most in the upper byte */
};

/* Anchors are compared with letters folded to small ones; those of NEEDLE_XOR
 * are four differences, in a hash of their own. */
struct rules_anchor {
	uint32_t hash, needle;
};

struct rules_gate {
	uint32_t word, words; /* its program */
	uint32_t leaf;        /* that is looked at when it is open */
};

struct rules_leaf {
	uint64_t at, size; /* in RULES_STREAMS */
};

static inline unsigned char
needle_fold(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

#endif
