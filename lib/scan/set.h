#ifndef SCAN_SET_H
#define SCAN_SET_H

#include "scan/format.h"
#include "scan/scan.h"

/* A mapped set, its tables as arrays.  Everything in it was checked. */
struct scan_set {
	const unsigned char *base;
	size_t len;
	const struct set_header *header;
	const struct set_directory *dir;
	const struct set_pattern *patterns;
	const struct set_part *parts;
	const struct set_special *specials;
	const unsigned char *bytes;
};

/* The start of a region; never NULL. */
const void *set_at(const struct scan_set *set, struct set_region r);
/* A name or source by its offset. */
const char *set_text(const struct scan_set *set, uint32_t at);

/* ---- hashes ------------------------------------------------------------- */

/* Bits (1 << kind) of the digests that an object of this size needs. */
unsigned
set_hash_kinds(const struct scan_set *set, enum hash_use use, uint64_t size);
/* The entry of this digest and size, or NULL. */
const struct set_hash *
set_hash_find(const struct scan_set *set, enum hash_use use, unsigned kind,
    const unsigned char *digest, uint64_t size);

#endif
