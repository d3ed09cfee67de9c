#include <stdlib.h>
#include <string.h>

#include "scan/build/write.h"
#include "scan/set/hash_bits.h"
#include "scan/set/set.h"

/* A set that is another one and a little more: the tables are copied, and
 * what is added is put where it belongs.  Bitmaps keep their sizes, so they
 * get fuller; a set that has grown by half should be built anew. */

struct extend {
	struct scan_builder *b;
	struct scan_set *base;
	struct set_writer *w;
	const struct set_directory *from; /* the base's */
	struct set_directory *to;
	uint32_t shift;  /* of the builder's records in the new set */
	struct buf keys; /* uint64_t, sorted: names that are left out */
	struct buf gone; /* uint32_t, sorted: records of such */
	bool damaged;
};

static const void *
region(struct extend *x, struct set_region r)
{
	const void *p = set_region(x->base, r);

	x->damaged = x->damaged || p == NULL;
	return p;
}

/* ---- what is left out -------------------------------------------------------------- */

static int
cmp_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

#define ANY_NUMBER UINT32_MAX /* of names that have none in their text */

static void
leave_out(struct extend *x, uint32_t text, uint32_t number)
{
	uint64_t key = (uint64_t)text << 32 | number;

	buf_add(&x->keys, &key, sizeof(key));
}

static bool
has_key(const struct extend *x, uint32_t text, uint32_t number)
{
	uint64_t key = (uint64_t)text << 32 | number;

	return bsearch(&key, x->keys.ptr, x->keys.len / sizeof(key),
		   sizeof(key), cmp_key) != NULL;
}

static bool
is_left_out(const struct extend *x, const struct set_name *name)
{
	return x->keys.len > 0 &&
	    (has_key(x, name->text, name->number) ||
		has_key(x, name->text, ANY_NUMBER));
}

/* Leaves out what a text at `at` says if that is the name. */
static void
match_text(struct extend *x, uint32_t at, struct span text, struct span name)
{
	struct span source, tail, digits,
	    whole = span_cut(text, NAME_SOURCE, &source),
	    head = span_cut(whole, NAME_NUMBER, &tail);
	uint64_t number;

	if (head.len == whole.len) {
		if (span_eq(whole, name))
			leave_out(x, at, ANY_NUMBER);
		return;
	}
	if (name.len <= head.len + tail.len ||
	    memcmp(name.ptr, head.ptr, head.len) != 0 ||
	    memcmp(name.ptr + name.len - tail.len, tail.ptr, tail.len) != 0)
		return;
	digits = (struct span){ name.ptr + head.len,
		name.len - head.len - tail.len };
	if (span_u64(digits, UINT32_MAX - 1, &number) == OK)
		leave_out(x, at, (uint32_t)number);
}

/* The texts of the base are the first of the builder's. */
static void
find_texts(struct extend *x, struct span name)
{
	const char *texts = x->b->texts.ptr;
	size_t end = x->from->texts.size;

	for (size_t at = 1; at < end;) {
		struct span text = span_of(texts + at);

		match_text(x, (uint32_t)at, text, name);
		at += text.len + 1;
	}
}

static int
cmp_sig(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
is_gone(const struct extend *x, uint32_t sig)
{
	return x->gone.len > 0 &&
	    bsearch(&sig, x->gone.ptr, x->gone.len / sizeof(sig), sizeof(sig),
		cmp_sig) != NULL;
}

static uint64_t *
count_of(struct set_directory *d, unsigned flags)
{
	if ((flags & SIG_IS_TRUSTED) != 0)
		return &d->allowed;
	if ((flags & SIG_IS_LINK) != 0)
		return &d->link_patterns;
	return (flags & SIG_IS_ICON) != 0 ? &d->icon_lines : &d->bodies;
}

static void
find_gone(struct extend *x)
{
	uint32_t at = 1;
	struct sig sig;

	while (x->keys.len > 0 && at != 0) {
		if (sig_read(set_record(x->base, at), at, &sig) &&
		    (sig.flags & SIG_IS_FORMAT) == 0 &&
		    is_left_out(x, &sig.name)) {
			buf_add(&x->gone, &at, sizeof(at));
			--*count_of(x->to, sig.flags);
		}
		at = set_next_record(x->base, at);
	}
}

static void
find_left_out(struct extend *x)
{
	const struct ignored_name *row =
	    (const struct ignored_name *)(const void *)x->b->ignored.ptr;

	for (size_t i = 0; i < x->b->ignored.len / sizeof(*row); i++)
		find_texts(x, span_of(x->b->texts.ptr + row[i].text));
	if (x->keys.len > 0)
		qsort(x->keys.ptr, x->keys.len / sizeof(uint64_t),
		    sizeof(uint64_t), cmp_key);
	find_gone(x);
}

/* ---- hashes ------------------------------------------------------------------------- */

/* Before the base's row `at` comes `row`, unless it is NULL; `drop`: that row
 * goes. */
struct edit {
	size_t at;
	uint64_t prefix;
	const unsigned char *row;
	bool drop;
};
struct edits {
	struct buf rows; /* struct edit */
	const struct edit *row;
	size_t count;
	const uint64_t *prefixes; /* the base's */
	const unsigned char *tails;
	size_t tail; /* bytes of each */
	const struct set_hashes *base;
};

static size_t
lower_bound(const struct edits *e, const unsigned char *digest)
{
	uint64_t prefix = digest_prefix(digest);
	size_t from = 0, to = e->base->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c = e->prefixes[mid] < prefix ? -1
		    : e->prefixes[mid] > prefix
		    ? 1
		    : memcmp(e->tails + mid * e->tail, digest + HASH_PREFIX,
			  e->base->digest_len - HASH_PREFIX);

		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* Whether the base's row `at` says something of this digest and size. */
static bool
is_same(const struct edits *e, size_t at, const unsigned char *row)
{
	return at < e->base->count && e->prefixes[at] == digest_prefix(row) &&
	    memcmp(e->tails + at * e->tail, row + HASH_PREFIX,
		e->base->digest_len - HASH_PREFIX + sizeof(uint32_t)) == 0;
}

static void
add_edit(struct edits *e, size_t at, uint64_t prefix, const unsigned char *row,
    bool drop)
{
	struct edit edit = { at, prefix, row, drop };

	buf_add(&e->rows, &edit, sizeof(edit));
}

static int
cmp_edit(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->drop != y->drop)
		return (int)x->drop - (int)y->drop;
	return (x->row > y->row) - (x->row < y->row);
}

static void
find_dropped(struct extend *x, struct edits *e, uint64_t *counted)
{
	for (size_t i = 0; x->keys.len > 0 && i < e->base->count; i++) {
		struct set_hash h;

		memcpy(&h, e->tails + (i + 1) * e->tail - sizeof(h), sizeof(h));
		if (!is_left_out(x, &h.name))
			continue;
		add_edit(e, i, e->prefixes[i], NULL, true);
		--*counted;
	}
}

static void
find_edits(
    struct extend *x, const struct table *t, struct edits *e, uint64_t *counted)
{
	find_dropped(x, e, counted);
	for (size_t i = 0; i < t->count; i++) {
		const unsigned char *row = row_at(t, i);
		size_t at = lower_bound(e, row);

		add_edit(e, at, digest_prefix(row), row, is_same(e, at, row));
	}
	if (e->rows.len == 0)
		return;
	qsort(e->rows.ptr, e->rows.len / sizeof(struct edit),
	    sizeof(struct edit), cmp_edit);
	e->row = (const struct edit *)(const void *)e->rows.ptr;
	e->count = e->rows.len / sizeof(struct edit);
}

/* A row may be dropped twice: by name, and because it is said anew. */
static bool
drops(const struct edits *e, size_t i)
{
	return e->row[i].drop &&
	    (i + 1 == e->count || e->row[i + 1].at != e->row[i].at ||
		!e->row[i + 1].drop);
}

static void
put_starts(struct extend *x, const struct edits *e, struct set_hashes *to)
{
	uint32_t bits = e->base->bucket_bits, more = 0;
	const uint32_t *starts = region(x, e->base->buckets);
	size_t next = 0;

	to->buckets = set_begin(x->w);
	for (uint64_t i = 0; starts != NULL && i <= UINT64_C(1) << bits; i++) {
		uint32_t start;

		while (
		    next < e->count && e->row[next].prefix >> (64 - bits) < i) {
			more += e->row[next].row != NULL;
			more -= drops(e, next++);
		}
		start = starts[i] + more;
		set_put(x->w, &start, sizeof(start));
	}
	set_end(x->w, &to->buckets);
	to->count = e->base->count + more;
}

/* The base's rows of `size` bytes from `first` on with the edits applied;
 * prefixes are rows of 8 bytes. */
static struct set_region
put_edited(struct extend *x, const struct edits *e, const unsigned char *rows,
    size_t size, bool prefixes)
{
	struct set_region r = set_begin(x->w);
	size_t at = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct edit *d = &e->row[i];

		set_put(x->w, rows + at * size, (d->at - at) * size);
		at = d->at;
		if (d->row != NULL && prefixes)
			set_put(x->w, &d->prefix, size);
		else if (d->row != NULL)
			set_put(x->w, d->row + HASH_PREFIX, size);
		at += drops(e, i);
	}
	set_put(x->w, rows + at * size, (e->base->count - at) * size);
	set_end(x->w, &r);
	return r;
}

/* The base's bitmaps with what is added; bits of dropped rows stay. */
static void
put_bitmaps(struct extend *x, const struct table *t,
    const struct set_hashes *from, struct set_hashes *to)
{
	uint64_t *sizes = set_make(x->w, from->sizes.size, 1);
	uint64_t *bloom = set_make(x->w, from->bloom.size, 1);
	const void *old_sizes = region(x, from->sizes);
	const void *old_bloom = region(x, from->bloom);

	if (sizes != NULL && bloom != NULL && !x->damaged) {
		memcpy(sizes, old_sizes, from->sizes.size);
		memcpy(bloom, old_bloom, from->bloom.size);
		for (size_t i = 0; i < t->count; i++) {
			uint32_t size = row_hash(t, i).size;

			bloom_add(bloom, from->bloom_bits,
			    digest_prefix(row_at(t, i)));
			if (size == SIZE_ANY)
				to->any_size++;
			else
				set_bit(sizes, size_bit(size, from->size_bits));
		}
		to->sizes = set_put_region(x->w, sizes, from->sizes.size);
		to->bloom = set_put_region(x->w, bloom, from->bloom.size);
	}
	free(sizes);
	free(bloom);
}

static void
extend_hashes(struct extend *x, size_t use, size_t kind)
{
	const struct set_hashes *from = &x->from->hash[use][kind];
	struct set_hashes *to = &x->to->hash[use][kind];
	struct table t = table_sorted(
	    &x->b->hash[use][kind], digest_len((enum digest_kind)kind));
	struct edits e = { .rows = buf_make(BUILD_ROWS), .base = from };

	if (from->count == 0) {
		put_hashes(x->w, &t, to);
		return;
	}
	*to = *from;
	e.tail = HASH_ROW(from->digest_len);
	e.prefixes = region(x, from->prefixes);
	e.tails = region(x, from->rows);
	if (x->damaged)
		return;
	find_edits(
	    x, &t, &e, use == HASH_ALLOW ? &x->to->allowed : &x->to->hashes);
	put_bitmaps(x, &t, from, to);
	put_starts(x, &e, to);
	to->prefixes = put_edited(
	    x, &e, (const unsigned char *)e.prefixes, sizeof(uint64_t), true);
	to->rows = put_edited(x, &e, e.tails, e.tail, false);
	if (to->any_size > to->count)
		to->any_size = to->count;
	buf_free(&e.rows);
	set_forget(x->base, from->prefixes);
	set_forget(x->base, from->rows);
}

/* ---- prefilter ------------------------------------------------------------------------ */

struct filter_edit {
	struct extend *x;
	size_t target, filter;
	const struct set_filter *from;
	const struct anchor_row *row; /* the builder's, by hash */
	size_t rows;
	struct buf starts, anchors;
	uint64_t *map;
};

static void
add_anchors_of(struct filter_edit *f, uint64_t bucket, size_t *next)
{
	for (; *next < f->rows &&
	     f->row[*next].hash >> (64 - f->from->bucket_bits) <= bucket;
	     ++*next) {
		struct set_anchor a = f->row[*next].anchor;

		if (!belongs(&f->row[*next], f->target, f->filter))
			continue;
		a.sig += f->x->shift;
		buf_add(&f->anchors, &a, sizeof(a));
		set_bit(
		    f->map, f->row[*next].hash >> (64 - f->from->bitmap_bits));
	}
}

static void
put_buckets(
    struct filter_edit *f, const uint32_t *starts, const struct set_anchor *old)
{
	uint64_t buckets = UINT64_C(1) << f->from->bucket_bits;
	uint32_t start = 0;
	size_t next = 0;

	buf_add(&f->starts, &start, sizeof(start));
	for (uint64_t i = 0; i < buckets; i++) {
		for (uint32_t k = starts[i];
		     k < starts[i + 1] && k < f->from->count; k++)
			if (!is_gone(f->x, old[k].sig))
				buf_add(&f->anchors, &old[k], sizeof(*old));
		add_anchors_of(f, i, &next);
		start = (uint32_t)(f->anchors.len / sizeof(*old));
		buf_add(&f->starts, &start, sizeof(start));
	}
}

static void
extend_filter(struct extend *x, size_t target, size_t filter)
{
	const struct set_filter *from = &x->from->filter[target][filter];
	struct set_filter *to = &x->to->filter[target][filter];
	const struct buf *rows = &x->b->anchors;
	struct filter_edit f = { .x = x,
		.target = target,
		.filter = filter,
		.from = from,
		.row = (const struct anchor_row *)(const void *)rows->ptr,
		.rows = rows->len / sizeof(struct anchor_row),
		.starts = buf_make(BUILD_ROWS),
		.anchors = buf_make(BUILD_ROWS) };
	const void *map, *starts, *anchors;

	if (from->count == 0) {
		put_filter(x->w, x->b, target, filter, x->shift, to);
		return;
	}
	map = region(x, from->bitmap);
	starts = region(x, from->buckets);
	anchors = region(x, from->anchors);
	f.map = set_make(x->w, from->bitmap.size, 1);
	if (f.map != NULL && !x->damaged) {
		*to = *from;
		memcpy(f.map, map, from->bitmap.size);
		put_buckets(&f, starts, anchors);
		to->count =
		    (uint32_t)(f.anchors.len / sizeof(struct set_anchor));
		to->bitmap = set_put_region(x->w, f.map, from->bitmap.size);
		to->buckets = set_put_buf(x->w, &f.starts);
		to->anchors = set_put_buf(x->w, &f.anchors);
		x->damaged = x->damaged || f.starts.full || f.anchors.full;
	}
	free(f.map);
	buf_free(&f.starts);
	buf_free(&f.anchors);
}

static void
extend_gate(struct extend *x, size_t target)
{
	const struct set_gate *from = &x->from->gate[target];
	struct set_gate *to = &x->to->gate[target];
	const void *old;
	uint64_t *map;

	if (from->bits == 0) {
		put_gate(x->w, x->b, target, to);
		return;
	}
	old = region(x, from->bitmap);
	map = set_make(x->w, from->bitmap.size, 1);
	if (map != NULL && old != NULL) {
		*to = *from;
		memcpy(map, old, from->bitmap.size);
		mark_gate(map, from->bits, x->b, target);
		to->bitmap = set_put_region(x->w, map, from->bitmap.size);
	}
	free(map);
}

/* ---- lists ----------------------------------------------------------------------------- */

/* Rows that begin with a record's place: the base's, then the builder's. */
static struct set_region
extend_list(struct extend *x, struct set_region old, const struct buf *more,
    size_t size)
{
	const char *p = region(x, old);
	struct set_region r = set_begin(x->w);
	uint32_t sig;

	for (size_t i = 0; p != NULL && i < old.size / size; i++) {
		memcpy(&sig, p + i * size, sizeof(sig));
		if (!is_gone(x, sig))
			set_put(x->w, p + i * size, size);
	}
	for (size_t i = 0; i < more->len / size; i++) {
		memcpy(&sig, more->ptr + i * size, sizeof(sig));
		sig += x->shift;
		set_put(x->w, &sig, sizeof(sig));
		set_put(x->w, more->ptr + i * size + sizeof(sig),
		    size - sizeof(sig));
	}
	set_end(x->w, &r);
	return r;
}

static void
extend_always(struct extend *x, size_t target)
{
	static const struct buf none;
	struct set_region *to = &x->to->always[target];

	*to = extend_list(x, x->from->always[target], &none, sizeof(uint32_t));
	put_always(x->w, x->b, target, x->shift);
	set_end(x->w, to);
}

/* The base's bytes, then more. */
static struct set_region
extend_bytes(struct extend *x, struct set_region old, struct span more)
{
	const void *p = region(x, old);
	struct set_region r = set_begin(x->w);

	if (p != NULL)
		set_put(x->w, p, old.size);
	set_put(x->w, more.ptr, more.len);
	set_end(x->w, &r);
	return r;
}

/* What is left out is there no more, its bytes zeros; all else stays where it
 * is. */
static struct set_region
extend_records(struct extend *x)
{
	const uint32_t *gone = (const uint32_t *)(const void *)x->gone.ptr;
	const char *p = region(x, x->from->records);
	const char *end = p == NULL ? NULL : p + x->from->records.size;
	struct span more = span_from(buf_view(&x->b->records), 1);
	struct set_region r = set_begin(x->w);

	for (size_t i = 0; i < x->gone.len / sizeof(*gone); i++) {
		struct span record = set_record(x->base, gone[i]);

		set_put(x->w, p, (size_t)(record.ptr - p));
		set_put_zeros(x->w, record.len);
		p = record.ptr + record.len;
	}
	if (p != NULL)
		set_put(x->w, p, (size_t)(end - p));
	set_put(x->w, more.ptr, more.len);
	set_end(x->w, &r);
	return r;
}

/* ---- the file -------------------------------------------------------------------------- */

static void
extend_data(struct extend *x)
{
	const struct set_directory *from = x->from;
	struct set_directory *to = x->to;
	struct scan_builder *b = x->b;

	for (size_t i = 0; i < HASH_USES * HASH_KINDS && !x->damaged; i++)
		extend_hashes(x, i / HASH_KINDS, i % HASH_KINDS);
	for (size_t t = 0; t < TARGETS && !x->damaged; t++) {
		extend_gate(x, t);
		for (size_t i = 0; i < FILTERS && !x->damaged; i++)
			extend_filter(x, t, i);
		extend_always(x, t);
	}
	to->members = extend_list(
	    x, from->members, &b->members, sizeof(struct set_member));
	to->groups =
	    extend_list(x, from->groups, &b->groups, sizeof(struct set_group));
	to->certs =
	    extend_list(x, from->certs, &b->certs, sizeof(struct set_cert));
	to->links =
	    extend_list(x, from->links, &b->links, sizeof(struct set_link));
	to->icons =
	    extend_list(x, from->icons, &b->icons, sizeof(struct set_icon));
	to->types = extend_bytes(x, from->types, buf_view(&b->types));
	to->records = extend_records(x);
	to->texts = set_put_buf(x->w, &b->texts);
	to->rules = extend_bytes(x, from->rules, SPAN(""));
}

static enum err
check(const struct extend *x, struct errinfo *ei)
{
	uint64_t records = x->from->records.size + x->b->records.len;

	if (x->b->rules.len > 0)
		return err_set(ei, ERR_UNSUPPORTED,
		    "YARA rules cannot be added to a set: build it anew");
	if (records > BUILD_BYTES)
		return err_set(ei, ERR_LIMIT, "the set is full");
	return OK;
}

/* Whether what is added can be looked for alone in files that were clean.
 * Icons are found by signatures that ask for their group: one of the two may
 * be the base's. */
static bool
adds_apart(const struct extend *x)
{
	return x->b->icons.len == 0 &&
	    (!x->b->asks_icons || x->from->icons.size == 0);
}

enum err
build_extend(struct scan_builder *b, struct span own, uint64_t version,
    int64_t built_ms, int fd, struct errinfo *ei)
{
	const struct set_directory *from = b->base->dir;
	struct set_directory to = {
		.version = version,
		.built_ms = built_ms,
		.hashes = from->hashes + b->counts.hashes,
		.bodies = from->bodies + b->counts.bodies,
		.allowed = from->allowed + b->counts.allowed,
		.yara = from->yara,
		.link_patterns = from->link_patterns + b->counts.links,
		.icon_lines = from->icon_lines + b->counts.icons,
		.skipped = from->skipped + b->counts.skipped,
	};
	struct extend x = { .b = b,
		.base = b->base,
		.from = from,
		.to = &to,
		.shift = (uint32_t)from->records.size - 1,
		.keys = buf_make(BUILD_ROWS),
		.gone = buf_make(BUILD_ROWS) };
	enum err e = check(&x, ei);

	if (e == OK)
		e = set_writer_new(fd, NULL, &x.w, ei);
	if (e == OK) {
		find_left_out(&x);
		extend_data(&x);
		if (adds_apart(&x)) {
			memcpy(
			    to.from, b->base->header->digest, sizeof(to.from));
			to.added = set_put_region(x.w, own.ptr, own.len);
		}
		e = x.damaged ? err_set(ei, ERR_CORRUPT,
				    "the set that is added to is "
				    "damaged, or memory is short")
			      : set_finish(x.w, &to);
		b->counts = (struct scan_counts){ to.hashes, to.bodies,
			to.allowed, to.yara, to.link_patterns, to.icon_lines,
			to.skipped };
	}
	set_writer_free(x.w);
	buf_free(&x.keys);
	buf_free(&x.gone);
	return e;
}
