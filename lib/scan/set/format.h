#ifndef SCAN_FORMAT_H
#define SCAN_FORMAT_H

#include "base/span.h"

/* The compiled set on disk.  Everything is an index or an offset, so that
 * the file is used where it is mapped, whatever its address; numbers are in
 * the byte order of x86 and ARM (little endian), and the format number reads
 * wrong elsewhere.
 *
 *	head      SET_HEAD bytes: struct set_header, struct set_directory, zeros
 *	data      the regions
 *	digests   SHA-256 of each SET_CHUNK bytes of data, the last cut short
 *
 * The header's digest covers the rest of the head and the digests, these
 * cover the data.  So opening a set reads little of it, and each chunk is
 * checked before its first use (set.c).  What is read after that is still
 * looked at with care where it is decoded (record.h): the digests tell what
 * a disk has damaged, not what a builder has got wrong. */

#define SET_MAGIC  "KHIENSET" /* 8 bytes, its NUL not written */
#define SET_FORMAT 8u
#define SET_HEAD   8192u
#define SET_CHUNK  65536u
#define SET_ALIGN  64u /* regions begin at multiples: one cache line */

struct set_header {
	char magic[8];
	uint32_t format;
	uint32_t header_size;
	uint64_t file_size;
	unsigned char digest[32];
	uint64_t zero;
};

struct set_region {
	uint64_t at; /* from the start of the file */
	uint64_t size;
};

/* ---- names ----------------------------------------------------------------- */

/* Names are alike but for a number: a text, in which the byte NAME_NUMBER
 * stands for `number` in decimal, and NAME_SOURCE for the end of the name; the
 * file that it came from follows. */
#define NAME_NUMBER '\1'
#define NAME_SOURCE '\2'
#define TEXT_MAX    512u /* bytes, its NUL included */
struct set_name {
	uint32_t text, number;
};

/* ---- hashes: one table for each digest kind and use --------------------- */

#define SIZE_ANY         UINT32_MAX /* a hash of objects of any size */
#define HASH_KINDS       3          /* in the order of enum digest_kind */
#define HASH_LEN_MAX     32
#define HASH_PREFIX      8
#define HASH_BUCKETS_MAX 24u /* bits */

enum hash_use {
	HASH_HIT,       /* whole objects */
	HASH_ALLOW,     /* whole objects that are good */
	HASH_SECTION,   /* raw data of a section of a program */
	HASH_IMPORT,    /* what a program imports */
	HASH_INDICATOR, /* whole objects, for a time: see struct set_hash */
	HASH_URL,       /* links of mails, by enum url_kind as their size */
	HASH_USES
};

/* Sorted by digest.  The first 8 bytes, as a big-endian number, are the
 * prefix; bucket i holds the prefixes whose upper bucket_bits are i, as rows
 * buckets[i] .. buckets[i + 1].  Before that two bitmaps say no to almost
 * everything that is not there: `sizes`, without which nothing is hashed at
 * all, and `bloom`, which is a cache line. */
struct set_hashes {
	uint32_t count;
	uint32_t any_size;   /* rows whose size is SIZE_ANY */
	uint32_t digest_len; /* 16, 20, 32 */
	uint32_t bucket_bits;
	uint32_t size_bits;  /* `sizes` has 2^size_bits bits */
	uint32_t bloom_bits; /* `bloom` has 2^bloom_bits lines of 512 bits */
	struct set_region sizes, bloom;
	struct set_region buckets;  /* uint32_t [2^bucket_bits + 1] */
	struct set_region prefixes; /* uint64_t [count] */
	struct set_region rows;     /* [count] of HASH_ROW(digest_len) bytes */
};
/* A row, unaligned: the digest behind its prefix, then these.  Of an
 * indicator name.number is its last day, counted from 1970. */
struct set_hash {
	uint32_t size;
	struct set_name name;
};
#define HASH_ROW(digest_len)                                                   \
	((digest_len)-HASH_PREFIX + sizeof(struct set_hash))
#define HASH_MULTIPLIER UINT64_C(0xc6a4a7935bd1e995)
#define BLOOM_PROBES    4u
#define BLOOM_BITS_MAX  20u /* 64 MiB */
#define SIZE_BITS_MAX   24u

/* What a list says of a link by its hash. */
enum url_kind {
	URL_ALLOWED,
	URL_MALWARE,
	URL_BLOCKED,
	URL_PHISHING,
	URL_KINDS
};

/* ---- body signatures ---------------------------------------------------- */

#define PARTS_MAX   64u
#define PART_MAX    32768u  /* bytes */
#define PIVOTS_MAX  131072u /* bytes of all pivots of a pattern */
#define SUBS_MAX    64u
#define GAP_ANY     UINT32_MAX
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
	TARGET_INTERNAL = 13,
	TARGET_OTHER = 14,
	TARGETS = 15
};

/* ---- prefilter ---------------------------------------------------------- */

/* Each signature that may apply to a target has one or more anchors in the
 * target's filters: literals of which one stands in every object that the
 * signature matches.  Only even places of an object are looked at, so of each
 * literal two windows are looked for, one byte apart.
 *
 *	filter	literal		windows
 *	0	9 and more	of 8 bytes, at 0 and 1
 *	1	5 to 8		of 4 bytes, at 0 and 1
 *	1, 2	4		of 4 bytes at 0, of 3 at 1
 *	3	2 and 3		of 2 bytes at 0, looked for at every place
 *
 * A window, without the bits that tell capital letters from small ones, as a
 * number, multiplied, gives a hash; the upper bits of it a bit of the bitmap,
 * the upper bucket_bits a bucket.  Before filters 0 to 2 stands the gate, a
 * bitmap of 4 bytes: what their windows begin with, or, for those of 3, may
 * begin with. */
#define FILTERS           4
#define GATED             3 /* of these, the first */
#define FILTER_BITS_MIN   12u
#define FILTER_BITS_CHEAP 17u /* 16 KiB */
#define FILTER_BITS_MAX   27u
#define GATE_SPARSE       32u /* bits for each window, at least */
#define FILTER_SPARSE     8u
#define GATE_SPARSE_MAX   256u
#define FILTER_FOLD       UINT64_C(0xdfdfdfdfdfdfdfdf)
#define FILTER_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)
#define FILTER_INVERSE    UINT64_C(0xf1de83e19937733d)

struct set_filter {
	uint32_t width;
	uint32_t count;
	uint32_t bitmap_bits;      /* the bitmap has 2^bitmap_bits bits */
	uint32_t bucket_bits;      /* at most bitmap_bits */
	struct set_region bitmap;  /* uint64_t [] */
	struct set_region buckets; /* uint32_t [2^bucket_bits + 1] */
	struct set_region anchors; /* struct set_anchor [count], by hash */
};
struct set_gate {
	uint32_t bits; /* the bitmap has 2^bits bits; 0: no windows */
	uint32_t zero;
	struct set_region bitmap; /* uint64_t [] */
};
struct set_anchor {
	uint32_t tag; /* the lower half of the hash */
	uint32_t sig; /* offset in `records` */
	uint16_t at;  /* where in the part the literal stands */
	uint8_t sub, variant, part;
	uint8_t target, filter; /* that it was made for */
	uint8_t zero;
};

/* ---- what is not found by anchors ------------------------------------------ */

/* A signature of what a container says of a member; the format of the
 * container, or FORMAT_ANY. */
struct set_member {
	uint32_t sig, format;
};
/* A body signature that only macros of its group look for. */
struct set_group {
	uint32_t sig;
	uint16_t target, group;
};
#define GROUPS_MAX 32u

/* A certificate that programs are signed with, by the SHA-1 of its subject. */
#define CERT_NAME 20u
struct set_cert {
	uint32_t sig;
	unsigned char subject[CERT_NAME];
};

/* Objects with these bytes at `at` are of the format, whatever the engine's
 * own table says: the last row that fits counts. */
#define TYPE_BYTES_MAX 56u
struct set_type {
	uint32_t at;
	uint16_t format, len;
	unsigned char bytes[TYPE_BYTES_MAX];
};

/* Links of mails.  A regular expression is asked last, and has no hash. */
enum link_kind {
	LINK_SHOWN,       /* .pdb: a host that is shown, or below it */
	LINK_SHOWN_REGEX, /* .pdb: of what is real and what is shown */
	LINK_ALLOW,       /* .wdb: "real host:shown host" */
	LINK_ALLOW_REGEX, /* .wdb */
	LINK_KINDS
};
#define LINK_PATTERN_MAX 4096u
#define LINK_REGEX_FLAGS SPAN("s")
/* An expression stands in "(?:" and ")/\z". */
#define LINK_REGEX_HEAD 3u
#define LINK_REGEX_TAIL 4u
struct set_link {
	uint32_t sig;
	uint32_t hash; /* links_hash() of its text */
	uint32_t kind;
};

/* Icons of programs (.idb), told by squares with the most or the least of
 * something: their mean, and the place of their upper left pixel. */
enum icon_list {
	ICON_COLOUR,
	ICON_GREY,
	ICON_BRIGHT,
	ICON_DARK,
	ICON_EDGE,
	ICON_QUIET, /* the least of edges */
	ICON_LISTS
};
#define ICON_AREAS 3u
struct icon_area {
	uint16_t value;
	uint8_t x, y;
};
struct icon_print {
	uint8_t side;
	uint8_t red, green, blue, coloured; /* per cent; all 0: grey */
	uint8_t zero[3];
	struct icon_area area[ICON_LISTS][ICON_AREAS];
};
/* A line belongs to one group of each column: set_icon_group() of its name. */
#define ICON_COLUMNS   2u
#define ICON_GROUP_MAX 256u /* bytes of a name */
#define ICON_DIGITS    124u /* of a line */
#define ICON_GROUP_ANY UINT64_C(0)
struct set_icon {
	uint32_t sig, zero;
	uint64_t group[ICON_COLUMNS];
	struct icon_print print;
};

/* ---- the directory, right behind the header ----------------------------- */

struct set_directory {
	uint64_t version;
	int64_t built_ms;
	uint64_t hashes, bodies, allowed, yara, link_patterns, icon_lines,
	    skipped;
	uint64_t digests; /* where they begin: the end of the data */
	/* What was added to another set, whose digest this is: a set of its
	 * own, for files that were clean with that one. */
	unsigned char from[32];
	struct set_region added;
	struct set_hashes hash[HASH_USES][HASH_KINDS];
	struct set_gate gate[TARGETS];
	struct set_filter filter[TARGETS][FILTERS];
	/* Signatures without an anchor: uint32_t offsets in `records`. */
	struct set_region always[TARGETS];
	struct set_region members; /* struct set_member [] */
	struct set_region groups;  /* struct set_group [] */
	struct set_region certs;   /* struct set_cert [] */
	struct set_region types;   /* struct set_type [] */
	struct set_region links;   /* struct set_link [] */
	struct set_region icons;   /* struct set_icon [] */
	struct set_region records; /* record.h */
	struct set_region texts;   /* NUL-ended UTF-8, from offset 1 on */
	struct set_region rules;   /* rules.c's own, masked, or empty */
};

#endif
