#include <string.h>

#include "scan/set/hash_bits.h"
#include "scan/set/set.h"

/* A little of the bitmaps is read at a time: they are megabytes, and to check
 * all of them would keep whoever waits for the first verdict of a new set. */

static bool
has_size(struct scan_set *set, const struct set_hashes *h, uint64_t size)
{
	uint64_t bit = size_bit(size, h->size_bits);
	const uint64_t *word =
	    set_part(set, h->sizes, (bit >> 6) * sizeof(*word), sizeof(*word));

	return word != NULL && (*word >> (bit & 63) & 1) != 0;
}

static bool
may_have(struct scan_set *set, const struct set_hashes *h, uint64_t prefix)
{
	const uint64_t *line = set_part(set, h->bloom,
	    bloom_line(prefix, h->bloom_bits) * BLOOM_LINE, BLOOM_LINE);

	return line != NULL && bloom_has(line, prefix);
}

unsigned
set_hash_kinds(struct scan_set *set, enum hash_use use, uint64_t size)
{
	unsigned kinds = 0;

	for (unsigned kind = 0; kind < HASH_KINDS; kind++) {
		const struct set_hashes *h = &set->dir->hash[use][kind];

		if (h->count > 0 && (h->any_size > 0 || has_size(set, h, size)))
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

	if (h->count == 0 || !may_have(set, h, prefix) ||
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
