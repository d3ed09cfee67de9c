#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/build/sort_rows.h"
#include "scan/build/write.h"
#include "scan/set/hash_bits.h"
#include "scan/set/mask.h"

#define PER_BUCKET     4u
#define BLOOM_PER_HASH 12u /* bits, at least */
#define SIZES_SPARSE   8u  /* bits for each hash, up to SIZE_BITS_MAX */

uint32_t
table_bits(uint64_t count, uint32_t least, uint32_t most)
{
	uint32_t bits = least;

	while (bits < most && (UINT64_C(1) << bits) < count)
		bits++;
	return bits;
}

/* ---- hashes ---------------------------------------------------------------- */

const unsigned char *
row_at(const struct table *t, size_t i)
{
	return t->rows + i * t->row_len;
}

struct set_hash
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
put_sizes(struct set_writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits = table_bits(t->count * SIZES_SPARSE, 9, SIZE_BITS_MAX);
	uint64_t *map = set_make(w, (size_t)1 << (bits - 6), sizeof(*map));

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
	out->sizes = set_put_region(w, map, (size_t)1 << (bits - 3));
	free(map);
}

static void
put_bloom(struct set_writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits =
	    table_bits(t->count * BLOOM_PER_HASH / 512, 0, BLOOM_BITS_MAX);
	uint64_t *bloom = set_make(w, (size_t)8 << bits, sizeof(*bloom));

	if (bloom == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		bloom_add(bloom, bits, digest_prefix(row_at(t, i)));
	out->bloom_bits = bits;
	out->bloom = set_put_region(w, bloom, (size_t)64 << bits);
	free(bloom);
}

/* starts[i] = how many rows have upper bits below i. */
static void
put_buckets(struct set_writer *w, const struct table *t, struct set_hashes *out)
{
	uint32_t bits = table_bits(t->count / PER_BUCKET, 1, HASH_BUCKETS_MAX);
	uint32_t at = 0;

	out->bucket_bits = bits;
	out->buckets = set_begin(w);
	for (uint64_t i = 0; i <= UINT64_C(1) << bits; i++) {
		while (at < t->count &&
		    digest_prefix(row_at(t, at)) >> (64 - bits) < i)
			at++;
		set_put(w, &at, sizeof(at));
	}
	set_end(w, &out->buckets);
}

struct table
table_sorted(struct buf *rows, size_t digest_size)
{
	struct table t = { (unsigned char *)rows->ptr, 0, digest_size,
		BUILD_HASH_ROW(digest_size) };

	t.count = rows->len / t.row_len;
	sort_table(&t);
	return t;
}

void
put_hashes(struct set_writer *w, const struct table *t, struct set_hashes *out)
{
	if (t->count == 0)
		return;
	out->count = (uint32_t)t->count;
	out->digest_len = (uint32_t)t->digest_len;
	put_sizes(w, t, out);
	put_bloom(w, t, out);
	put_buckets(w, t, out);
	out->prefixes = set_begin(w);
	for (size_t i = 0; i < t->count; i++) {
		uint64_t prefix = digest_prefix(row_at(t, i));

		set_put(w, &prefix, sizeof(prefix));
	}
	set_end(w, &out->prefixes);
	out->rows = set_begin(w);
	for (size_t i = 0; i < t->count; i++)
		set_put(w, row_at(t, i) + HASH_PREFIX, HASH_ROW(t->digest_len));
	set_end(w, &out->rows);
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

bool
belongs(const struct anchor_row *row, size_t target, size_t filter)
{
	return row->anchor.filter == filter &&
	    (row->anchor.target == target || row->anchor.target == TARGET_ANY);
}

/* What is made of the rows of one filter. */
struct filter_tables {
	uint64_t *map;
	uint32_t *starts;
	struct set_anchor *anchors;
};

static void
fill_filter(const struct scan_builder *b, size_t target, size_t filter,
    uint32_t shift, const struct set_filter *f, struct filter_tables *t)
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
		t->anchors[kept] = rows[i].anchor;
		t->anchors[kept++].sig += shift;
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
gate_bits(uint64_t windows)
{
	uint32_t cheap = table_bits(
	    windows * GATE_SPARSE_MAX, FILTER_BITS_MIN, FILTER_BITS_CHEAP);

	return table_bits(windows * GATE_SPARSE, cheap, FILTER_BITS_MAX);
}

static void
mark_window(uint64_t *map, uint32_t bits, const struct anchor_row *row)
{
	uint64_t window = row->hash * FILTER_INVERSE & UINT32_MAX;
	uint64_t last = row->anchor.filter == 2 ? UINT8_MAX : 0;

	for (uint64_t c = 0; c <= last; c++) {
		uint64_t full = (window | c << 24) & FILTER_FOLD;

		set_bit(map, full * FILTER_MULTIPLIER >> (64 - bits));
	}
}

void
mark_gate(
    uint64_t *map, uint32_t bits, const struct scan_builder *b, size_t target)
{
	const struct anchor_row *rows =
	    (const struct anchor_row *)(const void *)b->anchors.ptr;

	for (size_t i = 0; i < b->anchors.len / sizeof(*rows); i++)
		if (rows[i].anchor.filter < GATED &&
		    belongs(&rows[i], target, rows[i].anchor.filter))
			mark_window(map, bits, &rows[i]);
}

void
put_gate(struct set_writer *w, const struct scan_builder *b, size_t target,
    struct set_gate *g)
{
	uint64_t n = 0;
	uint64_t *map;

	for (size_t i = 0; i < GATED; i++)
		n += count_anchors(b, target, i);
	if (n == 0)
		return;
	g->bits = gate_bits(n);
	map = set_make(w, (size_t)1 << (g->bits - 6), sizeof(*map));
	if (map == NULL)
		return;
	mark_gate(map, g->bits, b, target);
	g->bitmap = set_put_region(w, map, (size_t)1 << (g->bits - 3));
	free(map);
}

void
put_filter(struct set_writer *w, const struct scan_builder *b, size_t target,
    size_t filter, uint32_t shift, struct set_filter *f)
{
	uint32_t n = count_anchors(b, target, filter);
	struct filter_tables t = { NULL, NULL, NULL };
	size_t starts;

	if (n == 0)
		return;
	f->width = filter_widths[filter];
	f->count = n;
	f->bitmap_bits = table_bits(
	    (uint64_t)n * FILTER_SPARSE, FILTER_BITS_MIN, FILTER_BITS_MAX);
	f->bucket_bits = table_bits(n, 1, f->bitmap_bits);
	starts = ((size_t)1 << f->bucket_bits) + 1;
	t.map = set_make(w, (size_t)1 << (f->bitmap_bits - 6), sizeof(*t.map));
	t.starts = set_make(w, starts, sizeof(*t.starts));
	t.anchors = set_make(w, n, sizeof(*t.anchors));
	if (w->e == OK) {
		fill_filter(b, target, filter, shift, f, &t);
		f->bitmap =
		    set_put_region(w, t.map, (size_t)1 << (f->bitmap_bits - 3));
		f->buckets =
		    set_put_region(w, t.starts, starts * sizeof(*t.starts));
		f->anchors =
		    set_put_region(w, t.anchors, n * sizeof(*t.anchors));
	}
	free(t.map);
	free(t.starts);
	free(t.anchors);
}

void
put_always(struct set_writer *w, const struct scan_builder *b, size_t target,
    uint32_t shift)
{
	const struct always_row *rows =
	    (const struct always_row *)(const void *)b->always.ptr;

	for (size_t i = 0; i < b->always.len / sizeof(*rows); i++) {
		uint32_t sig = rows[i].sig + shift;

		if (rows[i].target == target || rows[i].target == TARGET_ANY)
			set_put(w, &sig, sizeof(sig));
	}
}

/* ---- the file -------------------------------------------------------------- */

/* The rows of the hash tables are freed as they are written, unless they are
 * written again. */
static void
put_all_hashes(
    struct set_writer *w, struct scan_builder *b, struct set_directory *d)
{
	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++) {
		size_t use = i / HASH_KINDS, kind = i % HASH_KINDS;
		struct table t = table_sorted(
		    &b->hash[use][kind], digest_len((enum digest_kind)kind));

		b->hash[use][kind].len = t.count * t.row_len;
		put_hashes(w, &t, &d->hash[use][kind]);
		if (b->base == NULL)
			buf_free(&b->hash[use][kind]);
	}
}

static void
put_data(struct set_writer *w, struct scan_builder *b, const struct buf *rules,
    struct set_directory *d)
{
	put_all_hashes(w, b, d);
	if (b->anchors.len > 0)
		qsort(b->anchors.ptr,
		    b->anchors.len / sizeof(struct anchor_row),
		    sizeof(struct anchor_row), cmp_anchor);
	for (size_t t = 0; t < TARGETS; t++) {
		put_gate(w, b, t, &d->gate[t]);
		for (size_t i = 0; i < FILTERS; i++)
			put_filter(w, b, t, i, 0, &d->filter[t][i]);
		d->always[t] = set_begin(w);
		put_always(w, b, t, 0);
		set_end(w, &d->always[t]);
	}
	d->members = set_put_buf(w, &b->members);
	d->groups = set_put_buf(w, &b->groups);
	d->certs = set_put_buf(w, &b->certs);
	d->types = set_put_buf(w, &b->types);
	d->links = set_put_buf(w, &b->links);
	d->icons = set_put_buf(w, &b->icons);
	d->records = set_put_buf(w, &b->records);
	d->texts = set_put_buf(w, &b->texts);
	d->rules = set_put_buf(w, rules);
}

/* What the builder has, alone. */
static enum err
write_own(struct scan_builder *b, struct set_directory *d, int fd,
    struct buf *memory, struct errinfo *ei)
{
	struct buf rules = buf_make(RULES_TEXT_MAX);
	struct set_writer *w = NULL;
	enum err e = build_rules_save(b, &rules, ei);

	d->hashes = b->counts.hashes;
	d->bodies = b->counts.bodies;
	d->allowed = b->counts.allowed;
	d->yara = b->counts.yara;
	d->link_patterns = b->counts.links;
	d->icon_lines = b->counts.icons;
	d->skipped = b->counts.skipped;
	if (e == OK) {
		mask_copy(rules.ptr, rules.ptr, rules.len, 0);
		e = set_writer_new(fd, memory, &w, ei);
	}
	if (e == OK) {
		put_data(w, b, &rules, d);
		e = set_finish(w, d);
	}
	set_writer_free(w);
	buf_free(&rules);
	return e;
}

enum err
scan_builder_write(struct scan_builder *b, uint64_t version, int64_t built_ms,
    int fd, struct errinfo *ei)
{
	struct set_directory d = { .version = version, .built_ms = built_ms };
	struct buf own = buf_make(BUILD_BYTES);
	enum err e;

	if (b->base == NULL)
		return write_own(b, &d, fd, NULL, ei);
	e = write_own(b, &d, -1, &own, ei);
	if (e == OK)
		e = build_extend(b, buf_view(&own), version, built_ms, fd, ei);
	buf_free(&own);
	return e;
}
