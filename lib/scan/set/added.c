#include <string.h>

#include "scan/set/hash_bits.h"
#include "scan/set/set.h"

/* Which files need another look because of what was added: most additions are
 * hashes with sizes, and few files have one of these. */

#define SIZE_BITS 16u /* of scan_added.sizes */

static void
add_sizes(
    struct scan_set *set, const struct set_hashes *h, struct scan_added *out)
{
	size_t n = HASH_ROW(h->digest_len);
	const unsigned char *rows =
	    h->count == 0 ? NULL : set_region(set, h->rows);

	out->all =
	    out->all || h->any_size > 0 || (h->count > 0 && rows == NULL);
	for (uint32_t i = 0; rows != NULL && i < h->count; i++) {
		struct set_hash row;
		uint64_t bit;

		memcpy(&row, rows + (i + 1) * n - sizeof(row), sizeof(row));
		bit = size_bit(row.size, SIZE_BITS);
		out->sizes[bit >> 6] |= UINT64_C(1) << (bit & 63);
	}
}

bool
scan_added_has(const struct scan_added *a, uint64_t size)
{
	uint64_t bit = size_bit(size, SIZE_BITS);

	return a->all || (a->sizes[bit >> 6] >> (bit & 63) & 1) != 0;
}

void
set_added_fill(struct scan_set *added, struct scan_added *out)
{
	const struct set_directory *d = added->dir;

	out->any = true;
	out->all = d->members.size + d->certs.size + d->types.size +
		d->rules.size + d->links.size + d->icons.size >
	    0;
	for (size_t kind = 0; kind < HASH_KINDS; kind++) {
		add_sizes(added, &d->hash[HASH_HIT][kind], out);
		add_sizes(added, &d->hash[HASH_INDICATOR][kind], out);
		out->all = out->all || d->hash[HASH_SECTION][kind].count > 0 ||
		    d->hash[HASH_IMPORT][kind].count > 0 ||
		    d->hash[HASH_URL][kind].count > 0;
	}
	for (size_t t = 0; t < TARGETS; t++) {
		out->all = out->all || d->always[t].size > 0;
		for (size_t i = 0; i < FILTERS; i++)
			out->all = out->all || d->filter[t][i].count > 0;
	}
}
