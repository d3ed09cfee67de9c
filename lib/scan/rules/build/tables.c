#include <stdlib.h>
#include <string.h>

#include "scan/build/write.h"
#include "scan/rules/build/pack.h"

#define ROWS_MAX   ((size_t)UINT32_MAX) /* bytes of a table */
#define SPARSE     32u                  /* bits of the bitmap for each anchor */
#define BITMAP_MIN 12u
#define BITMAP_MAX 24u

_Static_assert(sizeof(struct pack_row) == sizeof(struct rules_anchor),
    "anchors are written as rows");

/* What is made for writing. */
struct tables {
	struct buf table[RULES_TABLES];
	struct rules_head head;
	struct buf pairs; /* struct pack_row: short anchors and their needles */
	struct crowds *crowds;
};

static void
add_u32(struct buf *out, uint32_t v)
{
	buf_add(out, &v, sizeof(v));
}

/* ---- rows -------------------------------------------------------------------- */

static int
cmp_row(const void *a, const void *b)
{
	const struct pack_row *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static const struct pack_row *
sorted(struct buf *b, size_t *n)
{
	*n = BUF_COUNT(b, struct pack_row);
	if (*n > 0)
		qsort(b->ptr, *n, sizeof(struct pack_row), cmp_row);
	return BUF_ROWS(b, const struct pack_row);
}

/* The values of each key, each once, and for each key where its begin. */
static void
add_index(
    struct buf *unsorted, uint32_t keys, struct buf *starts, struct buf *values)
{
	size_t n, at = 0;
	const struct pack_row *rows = sorted(unsorted, &n);

	for (uint32_t key = 0; key < keys; key++) {
		add_u32(starts, (uint32_t)BUF_COUNT(values, uint32_t));
		for (; at < n && rows[at].key == key; at++)
			if (at == 0 || cmp_row(&rows[at - 1], &rows[at]) != 0)
				add_u32(values, rows[at].value);
	}
	add_u32(starts, (uint32_t)BUF_COUNT(values, uint32_t));
}

static void
add_bitmap(struct buf *out, const struct pack_row *rows, size_t n,
    uint32_t bits, unsigned shift)
{
	uint32_t *map;

	for (size_t i = 0; i < (size_t)1 << (bits - 5); i++)
		add_u32(out, 0);
	map = BUF_ROWS(out, uint32_t);
	for (size_t i = 0; i < n && !out->full; i++)
		map[rows[i].key >> shift >> 5] |= UINT32_C(1)
		    << (rows[i].key >> shift & 31);
}

/* ---- tables ------------------------------------------------------------------ */

static void
add_short_anchor(
    struct tables *t, struct run r, struct pack_row *row, uint32_t *at)
{
	int32_t score;

	/* Every needle has two whole bytes. */
	if (!anchor_place(r, 2, NULL, at, &score))
		return;
	row->key = needle_fold(r.bytes[*at]) |
	    (uint32_t)needle_fold(r.bytes[*at + 1]) << 8;
	buf_add(&t->pairs, row, sizeof(*row));
}

/* Each needle gets one anchor: four bytes, or two. */
static void
add_needle(struct rules_pack *p, struct tables *t, uint32_t number)
{
	const struct needle *e =
	    &BUF_ROWS(&p->needles.list, const struct needle)[number];
	struct run r = needle_run(&p->needles, e);
	struct pack_row row = { 0, number };
	uint32_t at = 0;
	struct rules_needle n = { e->bytes,
		BUF_ROWS(&p->owners, const uint32_t)[number], e->len, e->flags,
		0, e->keys };

	if ((e->flags & NEEDLE_XOR) != 0) {
		anchor_choose_xor(r, &at, &row.key);
		buf_add(&t->table[RULES_ANCHORS], &row, sizeof(row));
		t->head.xors++;
	} else if (anchor_choose(r, t->crowds, &at, &row.key)) {
		buf_add(&t->table[RULES_ANCHORS], &row, sizeof(row));
	} else {
		add_short_anchor(t, r, &row, &at);
	}
	n.at = (uint16_t)at;
	buf_add(&t->table[RULES_NEEDLES], &n, sizeof(n));
}

static void
add_anchors(struct tables *t)
{
	struct rules_head *h = &t->head;
	struct buf *starts = &t->table[RULES_BUCKETS];
	size_t n, at = 0;
	const struct pack_row *rows = sorted(&t->table[RULES_ANCHORS], &n);

	h->bitmap_bits = table_bits(n * SPARSE, BITMAP_MIN, BITMAP_MAX);
	h->bucket_bits = table_bits(n, 1, BITMAP_MAX);
	add_bitmap(&t->table[RULES_BITMAP], rows, n, h->bitmap_bits,
	    32 - h->bitmap_bits);
	for (uint32_t i = 0; i <= UINT32_C(1) << h->bucket_bits; i++) {
		while (at < n && rows[at].key >> (32 - h->bucket_bits) < i)
			at++;
		add_u32(starts, (uint32_t)at);
	}
}

static void
add_pairs(struct tables *t)
{
	if (t->pairs.len == 0)
		return;
	add_bitmap(&t->table[RULES_PAIR_BITMAP],
	    BUF_ROWS(&t->pairs, const struct pack_row),
	    BUF_COUNT(&t->pairs, struct pack_row), 16, 0);
	add_index(&t->pairs, RULES_PAIRS, &t->table[RULES_PAIR_STARTS],
	    &t->table[RULES_PAIR_NEEDLES]);
}

/* False: something was too much for it. */
static bool
tables_make(struct rules_pack *p, struct tables *t)
{
	const struct buf *given[] = { &p->needles.list, &p->needles.bytes,
		&p->owners, &p->gates, &p->words, &p->standing, &p->links,
		&p->leaves, &p->sources, &p->texts, &p->streams, &t->pairs };
	bool ok = !p->nomem;

	for (uint32_t i = 0; i < BUF_COUNT(&p->owners, uint32_t); i++)
		add_needle(p, t, i);
	buf_span(&t->table[RULES_BYTES], buf_view(&p->needles.bytes));
	add_anchors(t);
	add_pairs(t);
	add_index(&p->links, p->strings, &t->table[RULES_LINKS],
	    &t->table[RULES_LINKED]);
	for (size_t i = 0; i < COUNT(given); i++)
		ok = ok && !given[i]->full;
	for (size_t i = 0; i < RULES_TABLES; i++)
		ok = ok && !t->table[i].full;
	return ok;
}

static uint64_t
align(uint64_t n)
{
	return (n + RULES_ALIGN - 1) / RULES_ALIGN * RULES_ALIGN;
}

static void
lay_out(const struct buf *const *tables, struct rules_head *h, struct buf *out)
{
	static const char zeros[RULES_ALIGN];
	uint64_t at = align(sizeof(*h));

	memcpy(h->magic, RULES_MAGIC, sizeof(h->magic));
	for (size_t i = 0; i < RULES_TABLES; i++) {
		h->table[i] = (struct rules_region){ at, tables[i]->len };
		at = align(at + tables[i]->len);
	}
	buf_add(out, h, sizeof(*h));
	buf_add(out, zeros, align(sizeof(*h)) - sizeof(*h));
	for (size_t i = 0; i < RULES_TABLES; i++) {
		size_t n = tables[i]->len;

		buf_span(out, buf_view(tables[i]));
		buf_add(out, zeros, align(n) - n);
	}
}

enum err
rules_pack_write(struct rules_pack *p, struct buf *out, struct errinfo *ei)
{
	struct tables t = { .pairs = buf_make(ROWS_MAX),
		.crowds = calloc(1, sizeof(*t.crowds)) };
	const struct buf *all[RULES_TABLES];
	bool ok = t.crowds != NULL;

	for (size_t i = 0; i < RULES_TABLES; i++) {
		t.table[i] = buf_make(ROWS_MAX);
		all[i] = &t.table[i];
	}
	all[RULES_GATES] = &p->gates;
	all[RULES_WORDS] = &p->words;
	all[RULES_STANDING] = &p->standing;
	all[RULES_LEAVES] = &p->leaves;
	all[RULES_SOURCES] = &p->sources;
	all[RULES_TEXTS] = &p->texts;
	all[RULES_STREAMS] = &p->streams;
	if (p->texts.len == 0)
		buf_add(&p->texts, "", 1);
	ok = ok && tables_make(p, &t);
	if (ok)
		lay_out(all, &t.head, out);
	for (size_t i = 0; i < RULES_TABLES; i++)
		buf_free(&t.table[i]);
	buf_free(&t.pairs);
	free(t.crowds);
	return ok && !out->full
	    ? OK
	    : err_set(ei, ERR_LIMIT,
		  "YARA rules are larger than memory or their limit");
}
