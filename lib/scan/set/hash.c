#include <string.h>

#include "scan/set/hash_bits.h"
#include "scan/set/set.h"

/* The bitmaps are looked at for every object: checked once, then kept. */
static bool
load_bitmaps(struct scan_set *set, enum hash_use use, unsigned kind)
{
	const struct set_hashes *h = &set->dir->hash[use][kind];

	if (set->bloom[use][kind] == NULL) {
		set->sizes[use][kind] = set_region(set, h->sizes);
		set->bloom[use][kind] = set_region(set, h->bloom);
	}
	return set->sizes[use][kind] != NULL && set->bloom[use][kind] != NULL;
}

unsigned
set_hash_kinds(struct scan_set *set, enum hash_use use, uint64_t size)
{
	unsigned kinds = 0;

	for (unsigned kind = 0; kind < HASH_KINDS; kind++) {
		const struct set_hashes *h = &set->dir->hash[use][kind];
		uint64_t bit;

		if (h->count == 0 || !load_bitmaps(set, use, kind))
			continue;
		bit = size_bit(size, h->size_bits);
		if (h->any_size > 0 ||
		    (set->sizes[use][kind][bit >> 6] >> (bit & 63) & 1) != 0)
			kinds |= 1u << kind;
	}
	return kinds;
}

/* The rows of the bucket that the prefix is in. */
static bool
bucket_of(struct scan_set *set, const struct set_hashes *h, uint64_t prefix,
    uint32_t *from, uint32_t *to)
{
	uint64_t bucket = prefix >> (64 - h->bucket_bits);
	const uint32_t *starts = set_part(
	    set, h->buckets, bucket * sizeof(*starts), 2 * sizeof(*starts));

	if (starts == NULL || starts[1] > h->count || starts[0] > starts[1])
		return false;
	*from = starts[0];
	*to = starts[1];
	return true;
}

static bool
row_is(struct scan_set *set, const struct set_hashes *h, uint32_t i,
    const unsigned char *tail, uint64_t size, struct set_hash *out)
{
	size_t tail_len = h->digest_len - HASH_PREFIX;
	size_t row_len = HASH_ROW(h->digest_len);
	const unsigned char *row =
	    set_part(set, h->rows, (uint64_t)i * row_len, row_len);

	if (row == NULL || memcmp(row, tail, tail_len) != 0)
		return false;
	memcpy(out, row + tail_len, sizeof(*out));
	return out->size == SIZE_ANY || out->size == size;
}

bool
set_hash_find(struct scan_set *set, enum hash_use use, unsigned kind,
    const unsigned char *digest, uint64_t size, struct set_hash *out)
{
	const struct set_hashes *h = &set->dir->hash[use][kind];
	uint64_t prefix = digest_prefix(digest);
	const uint64_t *prefixes;
	uint32_t from, to;

	if (h->count == 0 || !load_bitmaps(set, use, kind) ||
	    !bloom_has(set->bloom[use][kind], h->bloom_bits, prefix) ||
	    !bucket_of(set, h, prefix, &from, &to))
		return false;
	prefixes = set_part(set, h->prefixes, from * sizeof(*prefixes),
	    (to - from) * sizeof(*prefixes));
	for (uint32_t i = from; prefixes != NULL && i < to; i++)
		if (prefixes[i - from] == prefix &&
		    row_is(set, h, i, digest + HASH_PREFIX, size, out))
			return true;
	return false;
}
