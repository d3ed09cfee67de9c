#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "scan/build_int.h"
#include "scan/hash_bits.h"
#include "scan/mask.h"
#include "scan/sort_rows.h"

#define PER_BUCKET     4u
#define BLOOM_PER_HASH 12u /* bits, at least */
#define SIZES_SPARSE   8u  /* bits for each hash, up to SIZE_BITS_MAX */

/* The data of the file, written as it is made; each chunk is hashed when it
 * is full. */
struct writer {
	int fd;
	uint64_t at; /* of the next byte in the file */
	unsigned char chunk[SET_CHUNK];
	size_t fill;
	struct buf digests;
	struct errinfo *ei;
	enum err e; /* the first failure; then nothing is done */
};

static void
flush(struct writer *w)
{
	struct span s = { (const char *)w->chunk, w->fill };
	unsigned char digest[SHA256_LEN];

	if (w->e != OK || w->fill == 0)
		return;
	sha256(s, digest);
	buf_add(&w->digests, digest, sizeof(digest));
	w->e = fd_write_all(w->fd, s, w->ei);
	w->fill = 0;
}

static void
put(struct writer *w, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n > 0) {
		size_t k = SET_CHUNK - w->fill;

		if (k > n)
			k = n;
		memcpy(w->chunk + w->fill, p, k);
		w->fill += k;
		w->at += k;
		p += k;
		n -= k;
		if (w->fill == SET_CHUNK)
			flush(w);
	}
}

static struct set_region
begin_region(struct writer *w)
{
	static const char zeros[SET_ALIGN];

	put(w, zeros, (size_t)(-w->at % SET_ALIGN));
	return (struct set_region){ w->at, 0 };
}

static void
end_region(const struct writer *w, struct set_region *r)
{
	r->size = w->at - r->at;
}

static struct set_region
put_region(struct writer *w, const void *bytes, size_t n)
{
	struct set_region r = begin_region(w);

	put(w, bytes, n);
	end_region(w, &r);
	return r;
}

static struct set_region
put_buf(struct writer *w, const struct buf *b)
{
	return put_region(w, b->ptr, b->len);
}

/* Zeroed memory for `count` items, or NULL and a failure. */
static void *
make(struct writer *w, size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size);

	if (p == NULL && w->e == OK)
		w->e = err_set(w->ei, ERR_NOMEM, "tables of the set");
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

static void
set_bit(uint64_t *map, uint64_t bit)
{
	map[bit >> 6] |= UINT64_C(1) << (bit & 63);
}

/* ---- hashes ---------------------------------------------------------------- */

/* The rows of a table: a digest, then struct set_hash. */
struct table {
	unsigned char *rows;
	size_t count, digest_len, row_len;
};

static const unsigned char *
row_at(const struct table *t, size_t i)
{
	return t->rows + i * t->row_len;
}

static struct set_hash
row_hash(const struct table *t, size_t i)
{
	struct set_hash h;

	memcpy(&h, row_at(t, i) + t->digest_len, sizeof(h));
	return h;
}

/* In order, without those that say the same of the same digest and size. */
static void
sort_table(struct table *t)
{
	size_t kept = 0, same = t->digest_len + sizeof(uint32_t);

	sort_rows(t->rows, t->count, t->row_len);
	for (size_t i = 0; i < t->count; i++) {
		const unsigned char *row = row_at(t, i);

		if (kept > 0 && memcmp(row_at(t, kept - 1), row, same) == 0)
			continue;
		memmove(t->rows + kept * t->row_len, row, t->row_len);
		kept++;
	}
	t->count = kept;
}

static void
put_sizes(struct writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits = bits_for(t->count * SIZES_SPARSE, 9, SIZE_BITS_MAX);
	uint64_t *map = make(w, (size_t)1 << (bits - 6), sizeof(*map));

	if (map == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		uint32_t size = row_hash(t, i).size;

		if (size == SIZE_ANY)
			out->any_size++;
		else
			set_bit(map, size_bit(size, bits));
	}
	out->size_bits = bits;
	out->sizes = put_region(w, map, (size_t)1 << (bits - 3));
	free(map);
}

static void
put_bloom(struct writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits =
	    bits_for(t->count * BLOOM_PER_HASH / 512, 0, BLOOM_BITS_MAX);
	uint64_t *bloom = make(w, (size_t)8 << bits, sizeof(*bloom));

	if (bloom == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		bloom_add(bloom, bits, digest_prefix(row_at(t, i)));
	out->bloom_bits = bits;
	out->bloom = put_region(w, bloom, (size_t)64 << bits);
	free(bloom);
}

/* starts[i] = how many rows have upper bits below i. */
static void
put_buckets(struct writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits = bits_for(t->count / PER_BUCKET, 1, HASH_BUCKETS_MAX);
	uint32_t at = 0;

	out->bucket_bits = bits;
	out->buckets = begin_region(w);
	for (uint64_t i = 0; i <= UINT64_C(1) << bits; i++) {
		while (at < t->count &&
		    digest_prefix(row_at(t, at)) >> (64 - bits) < i)
			at++;
		put(w, &at, sizeof(at));
	}
	end_region(w, &out->buckets);
}

static void
put_hashes(struct writer *w, struct buf *rows, size_t digest_size,
    struct set_hashes *out)
{
	struct table t = { (unsigned char *)rows->ptr, 0, digest_size,
		BUILD_HASH_ROW(digest_size) };

	t.count = rows->len / t.row_len;
	if (t.count == 0)
		return;
	sort_table(&t);
	out->count = (uint32_t)t.count;
	out->digest_len = (uint32_t)digest_size;
	put_sizes(w, &t, out);
	put_bloom(w, &t, out);
	put_buckets(w, &t, out);
	out->prefixes = begin_region(w);
	for (size_t i = 0; i < t.count; i++) {
		uint64_t prefix = digest_prefix(row_at(&t, i));

		put(w, &prefix, sizeof(prefix));
	}
	end_region(w, &out->prefixes);
	out->rows = begin_region(w);
	for (size_t i = 0; i < t.count; i++)
		put(w, row_at(&t, i) + HASH_PREFIX, HASH_ROW(digest_size));
	end_region(w, &out->rows);
	buf_free(rows);
}

/* ---- prefilter ------------------------------------------------------------- */

static int
cmp_anchor(const void *a, const void *b)
{
	const struct anchor_row *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return memcmp(&x->anchor, &y->anchor, sizeof(x->anchor));
}

static bool
belongs(const struct anchor_row *row, size_t target, size_t filter)
{
	return row->filter == filter &&
	    (row->target == target || row->target == TARGET_ANY);
}

/* What is made of the rows of one filter. */
struct filter_tables {
	uint64_t *map;
	uint32_t *starts;
	struct set_anchor *anchors;
};

static void
fill_filter(const struct scan_builder *b, size_t target, size_t filter,
    const struct set_filter *f, struct filter_tables *t)
{
	const struct anchor_row *rows =
	    (const struct anchor_row *)(const void *)b->anchors.ptr;
	size_t n = b->anchors.len / sizeof(*rows), kept = 0;
	uint64_t bucket = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t mine;

		if (!belongs(&rows[i], target, filter))
			continue;
		mine = rows[i].hash >> (64 - f->bucket_bits);
		while (bucket < mine)
			t->starts[++bucket] = (uint32_t)kept;
		set_bit(t->map, rows[i].hash >> (64 - f->bitmap_bits));
		t->anchors[kept++] = rows[i].anchor;
	}
	while (bucket < UINT64_C(1) << f->bucket_bits)
		t->starts[++bucket] = (uint32_t)kept;
}

static uint32_t
count_anchors(const struct scan_builder *b, size_t target, size_t filter)
{
	const struct anchor_row *rows =
	    (const struct anchor_row *)(const void *)b->anchors.ptr;
	uint32_t n = 0;

	for (size_t i = 0; i < b->anchors.len / sizeof(*rows); i++)
		n += belongs(&rows[i], target, filter);
	return n;
}

/* Sparser while that costs next to nothing. */
static uint32_t
filter_bits(uint64_t anchors)
{
	uint32_t cheap = bits_for(
	    anchors * FILTER_SPARSE_MAX, FILTER_BITS_MIN, FILTER_BITS_CHEAP);

	return bits_for(anchors * FILTER_SPARSE, cheap, FILTER_BITS_MAX);
}

static void
put_filter(struct writer *w, const struct scan_builder *b, size_t target,
    size_t filter, struct set_filter *f)
{
	uint32_t n = count_anchors(b, target, filter);
	struct filter_tables t = { NULL, NULL, NULL };
	size_t starts;

	if (n == 0)
		return;
	f->width = filter_widths[filter];
	f->count = n;
	f->bitmap_bits = filter_bits(n);
	f->bucket_bits = bits_for(n, 1, f->bitmap_bits);
	starts = ((size_t)1 << f->bucket_bits) + 1;
	t.map = make(w, (size_t)1 << (f->bitmap_bits - 6), sizeof(*t.map));
	t.starts = make(w, starts, sizeof(*t.starts));
	t.anchors = make(w, n, sizeof(*t.anchors));
	if (w->e == OK) {
		fill_filter(b, target, filter, f, &t);
		f->bitmap =
		    put_region(w, t.map, (size_t)1 << (f->bitmap_bits - 3));
		f->buckets =
		    put_region(w, t.starts, starts * sizeof(*t.starts));
		f->anchors = put_region(w, t.anchors, n * sizeof(*t.anchors));
	}
	free(t.map);
	free(t.starts);
	free(t.anchors);
}

static void
put_always(struct writer *w, const struct scan_builder *b, size_t target,
    struct set_region *out)
{
	const struct always_row *rows =
	    (const struct always_row *)(const void *)b->always.ptr;

	*out = begin_region(w);
	for (size_t i = 0; i < b->always.len / sizeof(*rows); i++)
		if (rows[i].target == target || rows[i].target == TARGET_ANY)
			put(w, &rows[i].sig, sizeof(rows[i].sig));
	end_region(w, out);
}

/* ---- the file -------------------------------------------------------------- */

static void
put_data(struct writer *w, struct scan_builder *b, const struct buf *rules,
    struct set_directory *d)
{
	for (size_t use = 0; use < HASH_USES; use++)
		for (size_t kind = 0; kind < HASH_KINDS; kind++)
			put_hashes(w, &b->hash[use][kind],
			    digest_len((enum digest_kind)kind),
			    &d->hash[use][kind]);
	if (b->anchors.len > 0)
		qsort(b->anchors.ptr,
		    b->anchors.len / sizeof(struct anchor_row),
		    sizeof(struct anchor_row), cmp_anchor);
	for (size_t t = 0; t < TARGETS; t++) {
		for (size_t i = 0; i < FILTERS; i++)
			put_filter(w, b, t, i, &d->filter[t][i]);
		put_always(w, b, t, &d->always[t]);
	}
	d->members = put_buf(w, &b->members);
	d->groups = put_buf(w, &b->groups);
	d->types = put_buf(w, &b->types);
	d->records = put_buf(w, &b->records);
	d->texts = put_buf(w, &b->texts);
	d->sources = put_buf(w, &b->sources);
	d->rules = put_buf(w, rules);
	flush(w);
	d->digests = w->at;
}

/* The digests, then the head, whose digest covers them. */
static enum err
put_head(struct writer *w, const struct set_directory *d)
{
	struct set_header h = { .magic = SET_MAGIC,
		.format = SET_FORMAT,
		.header_size = sizeof(h),
		.file_size = w->at + w->digests.len };
	struct digest *digest = digest_new();
	unsigned char head[SET_HEAD] = { 0 };
	enum err e;

	_Static_assert(sizeof(h) + sizeof(*d) <= SET_HEAD, "the head is full");
	if (w->digests.full || digest == NULL ||
	    digest_begin(digest, 1u << DIGEST_SHA256) != OK) {
		digest_free(digest);
		return err_set(w->ei, ERR_NOMEM, "digests of the set");
	}
	memcpy(head + sizeof(h), d, sizeof(*d));
	digest_add(digest, head + sizeof(h), sizeof(head) - sizeof(h));
	digest_add(digest, w->digests.ptr, w->digests.len);
	digest_end(digest, DIGEST_SHA256, h.digest);
	digest_free(digest);
	memcpy(head, &h, sizeof(h));
	e = fd_write_all(w->fd, buf_view(&w->digests), w->ei);
	if (e == OK && pwrite(w->fd, head, sizeof(head), 0) != sizeof(head))
		e = err_sys(w->ei, "head of the set");
	return e;
}

static enum err
write_set(struct scan_builder *b, struct writer *w, const struct buf *rules,
    struct set_directory *d)
{
	static const char zeros[SET_HEAD];
	struct span head = { zeros, sizeof(zeros) };

	w->at = SET_HEAD;
	w->e = fd_write_all(w->fd, head, w->ei);
	if (w->e == OK)
		put_data(w, b, rules, d);
	return w->e == OK ? put_head(w, d) : w->e;
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
	struct buf rules = buf_make(RULES_TEXT_MAX);
	struct writer *w = calloc(1, sizeof(*w));
	enum err e = w == NULL ? err_set(ei, ERR_NOMEM, "signature set")
			       : build_rules_save(b, &rules, ei);

	if (e == OK) {
		mask_copy(rules.ptr, rules.ptr, rules.len, 0);
		w->fd = fd;
		w->ei = ei;
		w->digests = buf_make(BUILD_ROWS);
		e = write_set(b, w, &rules, &d);
		buf_free(&w->digests);
	}
	free(w);
	buf_free(&rules);
	return e;
}
