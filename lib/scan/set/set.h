#ifndef SCAN_SET_H
#define SCAN_SET_H

#include "scan/scan.h"
#include "scan/set/format.h"

/* A mapped set.  Its head was checked; chunks of data are checked when they
 * are first asked for, and remembered. */
struct scan_set { /* one thread at a time */
	const unsigned char *base;
	size_t len;
	bool owns; /* the mapping */
	const struct set_header *header;
	const struct set_directory *dir;
	const unsigned char *digests; /* 32 bytes for each chunk */
	uint64_t chunks;
	unsigned char *checked; /* a bit for each chunk */
	bool damaged;           /* something of it could not be had */
};

/* A region, whole; NULL when it is damaged.  Empty ones are not NULL. */
const void *set_region(struct scan_set *set, struct set_region r);
/* `n` bytes at `at` of a region; NULL when damaged or not all within it. */
const void *
set_part(struct scan_set *set, struct set_region r, uint64_t at, uint64_t n);
/* The region will not be read again soon: its pages need no memory of this
 * process. */
void set_forget(struct scan_set *set, struct set_region r);
/* The signature record at this offset; empty when damaged. */
struct span set_record(struct scan_set *set, uint32_t at);

/* The offset of the record behind this one; 0 at the end. */
uint32_t set_next_record(struct scan_set *set, uint32_t at);

/* "Win.Test.A-7" into out; "?" when damaged. */
void set_name_text(
    struct scan_set *set, const struct set_name *name, char out[SCAN_NAME_MAX]);
void set_source_text(
    struct scan_set *set, const struct set_name *name, char out[SCAN_NAME_MAX]);

/* Which files what this set adds may be in. */
void set_added_fill(struct scan_set *added, struct scan_added *out);

/* What a group of icons is known by, never ICON_GROUP_ANY. */
uint64_t set_icon_group(struct span name);

/* ---- hashes ------------------------------------------------------------- */

/* Bits (1 << kind) of the digests that an object of this size needs. */
unsigned set_hash_kinds(struct scan_set *set, enum hash_use use, uint64_t size);
/* The row of this digest and size; false: none. */
bool set_hash_find(struct scan_set *set, enum hash_use use, unsigned kind,
    const unsigned char *digest, uint64_t size, struct set_hash *out);

#endif
