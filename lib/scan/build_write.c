#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "scan/build_int.h"
#include "scan/mask.h"

#define PIECES_MAX 128u
#define PER_BUCKET 4u

/* The file as a list of borrowed pieces, in order. */
struct image {
	struct span piece[PIECES_MAX];
	size_t pieces;
	uint64_t size; /* so far, the header included */
	bool failed;   /* out of memory on the way */
};

/* What is made for writing, to be freed. */
struct made {
	void *ptr[PIECES_MAX];
	size_t count;
};

static struct set_region
image_add(struct image *im, const void *bytes, size_t n)
{
	static const char zeros[SET_ALIGN];
	struct set_region r = { im->size, n };
	size_t pad = (SET_ALIGN - n % SET_ALIGN) % SET_ALIGN;

	im->piece[im->pieces++] = (struct span){ bytes, n };
	im->piece[im->pieces++] = (struct span){ zeros, pad };
	im->size += n + pad;
	return r;
}

static struct set_region
image_buf(struct image *im, const struct buf *b)
{
	return image_add(im, b->ptr, b->len);
}

/* Zeroed memory for `count` items, or NULL and im->failed. */
static void *
make(struct image *im, struct made *m, size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size);

	if (p == NULL)
		im->failed = true;
	else
		m->ptr[m->count++] = p;
	return p;
}

static uint32_t
bits_for(uint64_t count, uint32_t least, uint32_t most)
{
	uint32_t bits = least;

	while (bits < most && (UINT64_C(1) << bits) < count)
		bits++;
	return bits;
}

/* starts[i] = how many of the sorted keys have upper bits below i. */
static void
fill_starts(uint32_t *starts, uint32_t bits, const uint64_t *keys, size_t n)
{
	size_t at = 0;

	for (uint64_t i = 0; i <= UINT64_C(1) << bits; i++) {
		while (at < n && keys[at] >> (64 - bits) < i)
			at++;
		starts[i] = (uint32_t)at;
	}
}

/* ---- hashes ---------------------------------------------------------------- */

static int
cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
cmp_row(const void *a, const void *b)
{
	const struct hash_row *x = a, *y = b;
	int c = memcmp(x->digest, y->digest, HASH_LEN_MAX);

	if (c == 0)
		c = cmp_u64(&x->size, &y->size);
	return c != 0 ? c : (x->name > y->name) - (x->name < y->name);
}

static size_t
unique(uint64_t *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return kept;
}

/* Sorts the rows and drops repeated ones; returns how many are left. */
static size_t
sort_rows(struct hash_row *rows, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(rows, n, sizeof(*rows), cmp_row);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || rows[kept - 1].size != rows[i].size ||
		    memcmp(rows[kept - 1].digest, rows[i].digest,
			HASH_LEN_MAX) != 0)
			rows[kept++] = rows[i];
	return kept;
}

static void
add_hashes(struct image *im, struct made *m, struct buf *table,
    size_t digest_size, struct set_hashes *out)
{
	struct hash_row *rows = (struct hash_row *)(void *)table->ptr;
	size_t n = sort_rows(rows, table->len / sizeof(*rows));
	size_t tail = digest_size - HASH_PREFIX, sized = 0;
	uint32_t bits = bits_for(n / PER_BUCKET, 1, HASH_BUCKETS_MAX);
	uint64_t *sizes = make(im, m, n, sizeof(*sizes));
	uint64_t *prefixes = make(im, m, n, sizeof(*prefixes));
	uint32_t *starts =
	    make(im, m, ((size_t)1 << bits) + 1, sizeof(*starts));
	struct set_hash *entries = make(im, m, n, sizeof(*entries));
	unsigned char *tails = make(im, m, n, tail);

	if (im->failed)
		return;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < HASH_PREFIX; k++)
			prefixes[i] = prefixes[i] << 8 | rows[i].digest[k];
		memcpy(tails + i * tail, rows[i].digest + HASH_PREFIX, tail);
		entries[i] = (struct set_hash){ rows[i].size, rows[i].name,
			rows[i].source };
		if (rows[i].size == SIZE_ANY)
			out->any_size++;
		else
			sizes[sized++] = rows[i].size;
	}
	qsort(sizes, sized, sizeof(*sizes), cmp_u64);
	sized = unique(sizes, sized);
	fill_starts(starts, bits, prefixes, n);
	out->count = (uint32_t)n;
	out->digest_len = (uint32_t)digest_size;
	out->bucket_bits = bits;
	out->sizes = image_add(im, sizes, sized * sizeof(*sizes));
	out->buckets =
	    image_add(im, starts, (((size_t)1 << bits) + 1) * sizeof(*starts));
	out->prefixes = image_add(im, prefixes, n * sizeof(*prefixes));
	out->tails = image_add(im, tails, n * tail);
	out->entries = image_add(im, entries, n * sizeof(*entries));
}

/* ---- prefilter ------------------------------------------------------------- */

static int
cmp_anchor(const void *a, const void *b)
{
	const struct set_anchor *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->pattern > y->pattern) - (x->pattern < y->pattern);
}

static void
add_filter(struct image *im, struct made *m, struct buf *table, uint32_t width,
    struct set_filter *out)
{
	struct set_anchor *anchors = (struct set_anchor *)(void *)table->ptr;
	size_t n = table->len / sizeof(*anchors);
	uint32_t bits =
	    bits_for(n * FILTER_SPARSE, FILTER_BITS_MIN, FILTER_BITS_MAX);
	uint32_t bucket_bits = bits_for(n, 1, bits);
	uint64_t *map = make(im, m, (size_t)1 << (bits - 6), sizeof(*map));
	uint64_t *keys = make(im, m, n, sizeof(*keys));
	uint32_t *starts =
	    make(im, m, ((size_t)1 << bucket_bits) + 1, sizeof(*starts));

	if (im->failed)
		return;
	if (n > 0)
		qsort(anchors, n, sizeof(*anchors), cmp_anchor);
	for (size_t i = 0; i < n; i++) {
		keys[i] = anchors[i].hash;
		map[keys[i] >> (64 - bits) >> 6] |= UINT64_C(1)
		    << (keys[i] >> (64 - bits) & 63);
	}
	fill_starts(starts, bucket_bits, keys, n);
	*out = (struct set_filter){ .width = width,
		.count = (uint32_t)n,
		.bitmap_bits = bits,
		.bucket_bits = bucket_bits };
	out->bitmap = image_add(im, map, (size_t)1 << (bits - 3));
	out->buckets = image_add(
	    im, starts, (((size_t)1 << bucket_bits) + 1) * sizeof(*starts));
	out->anchors = image_buf(im, table);
}

/* ---- the file -------------------------------------------------------------- */

static void
fill(struct scan_builder *b, struct image *im, struct made *m,
    struct set_directory *d)
{
	(void)image_add(im, d, sizeof(*d));
	for (size_t use = 0; use < HASH_USES; use++)
		for (size_t kind = 0; kind < HASH_KINDS; kind++)
			add_hashes(im, m, &b->hash[use][kind],
			    digest_len((enum digest_kind)kind),
			    &d->hash[use][kind]);
	for (size_t i = 0; i < FILTERS; i++)
		add_filter(
		    im, m, &b->anchors[i], filter_widths[i], &d->filter[i]);
	d->patterns = image_buf(im, &b->patterns);
	d->parts = image_buf(im, &b->parts);
	d->specials = image_buf(im, &b->specials);
	d->bytes = image_buf(im, &b->bytes);
	d->texts = image_buf(im, &b->texts);
}

static enum err
write_image(const struct image *im, int fd, struct errinfo *ei)
{
	struct set_header h = { .magic = SET_MAGIC,
		.format = SET_FORMAT,
		.header_size = sizeof(h),
		.file_size = im->size };
	struct digest *d = digest_new();
	enum err e;

	if (d == NULL)
		return err_set(ei, ERR_NOMEM, "digest of the set");
	e = digest_begin(d, 1u << DIGEST_SHA256);
	if (e == OK) {
		for (size_t i = 0; i < im->pieces; i++)
			digest_add(d, im->piece[i].ptr, im->piece[i].len);
		digest_end(d, DIGEST_SHA256, h.digest);
		e = fd_write_all(
		    fd, (struct span){ (const char *)&h, sizeof(h) }, ei);
	}
	for (size_t i = 0; i < im->pieces && e == OK; i++)
		if (im->piece[i].len > 0)
			e = fd_write_all(fd, im->piece[i], ei);
	digest_free(d);
	return e;
}

enum err
scan_builder_write(struct scan_builder *b, uint64_t version, int64_t built_ms,
    int fd, struct errinfo *ei)
{
	struct set_directory d = {
		.version = version,
		.built_ms = built_ms,
		.hashes = b->counts.hashes,
		.bodies = b->counts.bodies,
		.allowed = b->counts.allowed,
		.yara = b->counts.yara,
		.skipped = b->counts.skipped,
	};
	struct image im = { .size = sizeof(struct set_header) };
	struct buf rules = buf_make(RULES_TEXT_MAX);
	struct made m = { 0 };
	enum err e = build_rules_save(b, &rules, ei);

	if (e == OK) {
		mask_copy(rules.ptr, rules.ptr, rules.len, 0);
		fill(b, &im, &m, &d);
		d.rules = image_buf(&im, &rules);
		e = im.failed ? err_set(ei, ERR_NOMEM, "tables of the set")
			      : write_image(&im, fd, ei);
	}
	for (size_t i = 0; i < m.count; i++)
		free(m.ptr[i]);
	buf_free(&rules);
	return e;
}
