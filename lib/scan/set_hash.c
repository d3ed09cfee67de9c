#include <string.h>

#include "scan/set.h"

static bool
size_listed(const uint64_t *sizes, size_t n, uint64_t size)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sizes[mid] < size)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && sizes[lo] == size;
}

unsigned
set_hash_kinds(const struct scan_set *set, enum hash_use use, uint64_t size)
{
	unsigned kinds = 0;

	for (unsigned kind = 0; kind < HASH_KINDS; kind++) {
		const struct set_hashes *h = &set->dir->hash[use][kind];

		if (h->any_size > 0 ||
		    size_listed(set_at(set, h->sizes),
			h->sizes.size / sizeof(uint64_t), size))
			kinds |= 1u << kind;
	}
	return kinds;
}

const struct set_hash *
set_hash_find(const struct scan_set *set, enum hash_use use, unsigned kind,
    const unsigned char *digest, uint64_t size)
{
	const struct set_hashes *h = &set->dir->hash[use][kind];
	const uint32_t *starts = set_at(set, h->buckets);
	const uint64_t *prefixes = set_at(set, h->prefixes);
	const struct set_hash *entries = set_at(set, h->entries);
	const unsigned char *tails = set_at(set, h->tails);
	size_t tail = h->digest_len - HASH_PREFIX;
	uint64_t prefix = 0, bucket;

	for (size_t i = 0; i < HASH_PREFIX; i++)
		prefix = prefix << 8 | digest[i];
	bucket = prefix >> (64 - h->bucket_bits);
	for (uint32_t i = starts[bucket]; i < starts[bucket + 1]; i++)
		if (prefixes[i] == prefix &&
		    (entries[i].size == size || entries[i].size == SIZE_ANY) &&
		    memcmp(tails + i * tail, digest + HASH_PREFIX, tail) == 0)
			return &entries[i];
	return NULL;
}
