#ifndef SCAN_HASH_BITS_H
#define SCAN_HASH_BITS_H

#include "scan/set/format.h"

/* Which bits of the hash tables' bitmaps belong to a size or a digest: what
 * builds them and what asks them must agree. */

static inline uint64_t
digest_prefix(const unsigned char *digest)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < HASH_PREFIX; i++)
		prefix = prefix << 8 | digest[i];
	return prefix;
}

static inline uint64_t
size_bit(uint64_t size, uint32_t bits)
{
	return size * HASH_MULTIPLIER >> (64 - bits);
}

#define BLOOM_LINE 64u /* bytes */

/* The cache line of a digest, and BLOOM_PROBES bits of it.  The upper bits of
 * the prefix choose the bucket of the table; these are others. */
static inline size_t
bloom_line(uint64_t prefix, uint32_t bits)
{
	return (size_t)(prefix & ((UINT64_C(1) << bits) - 1));
}
static inline unsigned
bloom_bit(uint64_t prefix, unsigned probe)
{
	return (unsigned)(prefix * HASH_MULTIPLIER >> (55 - 9 * probe)) & 511;
}
static inline bool
bloom_has(const uint64_t *line, uint64_t prefix)
{
	for (unsigned i = 0; i < BLOOM_PROBES; i++) {
		unsigned bit = bloom_bit(prefix, i);

		if ((line[bit >> 6] >> (bit & 63) & 1) == 0)
			return false;
	}
	return true;
}
static inline void
bloom_add(uint64_t *bloom, uint32_t bits, uint64_t prefix)
{
	uint64_t *line =
	    bloom + bloom_line(prefix, bits) * BLOOM_LINE / sizeof(*line);

	for (unsigned i = 0; i < BLOOM_PROBES; i++) {
		unsigned bit = bloom_bit(prefix, i);

		line[bit >> 6] |= UINT64_C(1) << (bit & 63);
	}
}

#endif
