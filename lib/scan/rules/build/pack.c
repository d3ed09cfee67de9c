#include "scan/rules/build/pack.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX   ((size_t)UINT32_MAX) /* bytes of a table */
#define KEYS_MIN   1024u                /* a power of two */
#define SPARSE     32u                  /* bits of the bitmap for each anchor */
#define BITMAP_MIN 12u
#define BITMAP_MAX 24u
#define CROWD      4u /* needles of one anchor that cost it a point */
#define CROWD_MAX  200u

struct string_key {
	struct span value;
	unsigned flags, xor_min, xor_max;
	bool used;
	uint32_t id;
};

struct string_link {
	uint32_t string, gate;
};

void
rules_pack_init(struct rules_pack *p, size_t streams_max)
{
	*p = (struct rules_pack){ .strings = 0 };
	needles_init(&p->needles);
	p->owners = p->gates = p->words = p->standing = p->links = p->leaves =
	    p->sources = p->texts = buf_make(ROWS_MAX);
	p->streams = buf_make(streams_max);
}

void
rules_pack_free(struct rules_pack *p)
{
	struct buf *all[] = { &p->owners, &p->gates, &p->words, &p->standing,
		&p->links, &p->leaves, &p->sources, &p->texts, &p->streams };

	for (size_t i = 0; i < COUNT(all); i++)
		buf_free(all[i]);
	needles_free(&p->needles);
	free(p->keys);
}

/* ---- strings --------------------------------------------------------------------- */

static uint64_t
hash_bytes(const void *bytes, size_t n)
{
	const unsigned char *c = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static struct string_key *
key_find(struct string_key *keys, size_t slots, const struct string_key *k)
{
	uint64_t i = hash_bytes(k->value.ptr, k->value.len) + k->flags;

	for (;; i++) {
		struct string_key *at = &keys[i & (slots - 1)];

		if (!at->used ||
		    (at->flags == k->flags && at->xor_min == k->xor_min &&
			at->xor_max == k->xor_max &&
			span_eq(at->value, k->value)))
			return at;
	}
}

static bool
keys_grow(struct rules_pack *p)
{
	size_t slots = p->key_slots == 0 ? KEYS_MIN : p->key_slots * 2;
	struct string_key *keys;

	if (p->key_count < p->key_slots / 2)
		return true;
	keys = calloc(slots, sizeof(*keys));
	if (keys == NULL)
		return false;
	for (size_t i = 0; i < p->key_slots; i++)
		if (p->keys[i].used)
			*key_find(keys, slots, &p->keys[i]) = p->keys[i];
	free(p->keys);
	p->keys = keys;
	p->key_slots = slots;
	return true;
}

uint32_t
rules_pack_string(struct rules_pack *p, const struct rule_string *s)
{
	struct string_key key = { s->value, s->flags & ~RULE_PRIVATE,
		s->xor_min, s->xor_max, true, STRING_ANY };
	struct string_key *at;
	size_t before = p->needles.list.len;

	if (!keys_grow(p)) {
		p->nomem = true;
		return STRING_ANY;
	}
	at = key_find(p->keys, p->key_slots, &key);
	if (at->used)
		return at->id;
	*at = key;
	p->key_count++;
	if (!needles_add(&p->needles, s))
		return STRING_ANY;
	at->id = p->strings++;
	for (; before < p->needles.list.len; before += sizeof(struct needle))
		buf_add(&p->owners, &at->id, sizeof(at->id));
	return at->id;
}

/* ---- gates and leaves ---------------------------------------------------------------- */

void
rules_pack_source(struct rules_pack *p, const char *name)
{
	uint32_t at = (uint32_t)p->texts.len;

	buf_text(&p->texts, name);
	buf_add(&p->texts, "", 1);
	buf_add(&p->sources, &at, sizeof(at));
}

static uint32_t
gates_count(const struct rules_pack *p)
{
	return (uint32_t)(p->gates.len / sizeof(struct rules_gate));
}

/* A leaf needs each gate once. */
static bool
known(const struct rules_pack *p, const struct rules_gate *g)
{
	const struct rules_gate *gates =
	    (const struct rules_gate *)(const void *)p->gates.ptr;
	const uint32_t *words = (const uint32_t *)(const void *)p->words.ptr;

	for (uint32_t i = p->leaf_gates; i < gates_count(p); i++)
		if (gates[i].words == g->words &&
		    memcmp(words + gates[i].word, words + g->word,
			g->words * sizeof(*words)) == 0)
			return true;
	return false;
}

static void
link_strings(struct rules_pack *p, const struct gate_node *n, uint32_t gate)
{
	struct buf strings = buf_make(ROWS_MAX);
	const uint32_t *ids;

	gate_strings(n, &strings);
	ids = (const uint32_t *)(const void *)strings.ptr;
	for (size_t i = 0; i < strings.len / sizeof(*ids); i++) {
		struct string_link l = { ids[i], gate };

		buf_add(&p->links, &l, sizeof(l));
	}
	if (strings.full)
		p->nomem = true;
	buf_free(&strings);
}

void
rules_pack_gate(struct rules_pack *p, const struct gate_node *n)
{
	size_t before = p->words.len;
	struct rules_gate g = { .word = (uint32_t)(before / sizeof(uint32_t)),
		.leaf = (uint32_t)(p->leaves.len / sizeof(struct rules_leaf)) };
	uint32_t number = gates_count(p);

	gate_write(n, &p->words);
	g.words = (uint32_t)(p->words.len / sizeof(uint32_t)) - g.word;
	if (p->words.full)
		return;
	if (known(p, &g)) {
		buf_cut(&p->words, before);
		return;
	}
	buf_add(&p->gates, &g, sizeof(g));
	if (gate_needs_string(n))
		link_strings(p, n, number);
	else
		buf_add(&p->standing, &number, sizeof(number));
}

static size_t
leaf_start(const struct rules_pack *p)
{
	const struct rules_leaf *l =
	    (const struct rules_leaf *)(const void *)p->leaves.ptr;
	size_t n = p->leaves.len / sizeof(*l);

	return n == 0 ? 0 : (size_t)(l[n - 1].at + l[n - 1].size);
}

void
rules_pack_leaf(struct rules_pack *p)
{
	struct rules_leaf l = { .at = leaf_start(p) };

	l.size = p->streams.len - l.at;
	buf_add(&p->leaves, &l, sizeof(l));
	p->leaf_gates = gates_count(p);
}

void
rules_pack_undo(struct rules_pack *p)
{
	buf_cut(&p->streams, leaf_start(p));
}

/* ---- the tables ----------------------------------------------------------------------- */

/* What is made for writing. */
struct tables {
	struct buf table[RULES_TABLES];
	struct rules_head head;
};

static int
cmp_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
cmp_link(const void *a, const void *b)
{
	const struct string_link *x = a, *y = b;
	int c = cmp_u32(x->string, y->string);

	return c != 0 ? c : cmp_u32(x->gate, y->gate);
}

static int
cmp_anchor(const void *a, const void *b)
{
	const struct rules_anchor *x = a, *y = b;
	int c = cmp_u32(x->hash, y->hash);

	return c != 0 ? c : cmp_u32(x->needle, y->needle);
}

static void
sort(struct buf *b, size_t size, int (*cmp)(const void *a, const void *b))
{
	if (b->len > 0)
		qsort(b->ptr, b->len / size, size, cmp);
}

static void
add_u32(struct buf *out, uint32_t v)
{
	buf_add(out, &v, sizeof(v));
}

/* How many needles have an anchor of that hash so far, roughly. */
struct crowds {
	uint16_t count[1u << 16];
};

static uint32_t
anchor_hash(const unsigned char *bytes)
{
	unsigned char folded[RULES_WIDTH];
	uint32_t word;

	for (size_t i = 0; i < sizeof(folded); i++)
		folded[i] = needle_fold(bytes[i]);
	memcpy(&word, folded, sizeof(word));
	return word * RULES_FACTOR;
}

/* Of a needle under XOR: where the differences are no zeros, at best. */
static void
choose_xor(const struct needles *n, const struct needle *e, uint32_t *at,
    uint32_t *hash)
{
	const unsigned char *bytes =
	    (const unsigned char *)n->bytes.ptr + e->bytes;
	unsigned best = 0;

	for (uint32_t i = 0; i + NEEDLE_XOR_MIN <= e->len; i++) {
		unsigned char differ[RULES_WIDTH];
		unsigned score = 1;
		uint32_t word;

		for (uint32_t k = 0; k < RULES_WIDTH; k++) {
			differ[k] = bytes[i + k] ^ bytes[i + k + 1];
			score += differ[k] != 0 &&
			    (k == 0 || differ[k] != differ[k - 1]);
		}
		if (score <= best)
			continue;
		best = score;
		*at = i;
		memcpy(&word, differ, sizeof(word));
		*hash = word * RULES_XOR_FACTOR;
	}
}

static bool
whole(const unsigned char *masks)
{
	return masks[0] == 0xff && masks[1] == 0xff && masks[2] == 0xff &&
	    masks[3] == 0xff;
}

/* The best place for an anchor, crowds shunned; false: none of this width. */
static bool
choose(const struct needles *n, const struct needle *e, struct crowds *c,
    uint32_t *at, uint32_t *hash)
{
	const unsigned char *bytes =
	    (const unsigned char *)n->bytes.ptr + e->bytes;
	bool masked = (e->flags & NEEDLE_MASKED) != 0, any = false;
	uint32_t best = 0;

	for (uint32_t i = 0; i + RULES_WIDTH <= e->len; i++) {
		uint32_t h, crowd, score;

		if (masked && !whole(bytes + e->len + i))
			continue;
		h = anchor_hash(bytes + i);
		crowd = c->count[h >> 16] / CROWD;
		score = CROWD_MAX + 4 * needle_score(bytes + i, RULES_WIDTH) -
		    (crowd < CROWD_MAX ? crowd : CROWD_MAX);
		if (any && score <= best)
			continue;
		any = true;
		best = score;
		*at = i;
		*hash = h;
	}
	if (any && c->count[*hash >> 16] < UINT16_MAX)
		c->count[*hash >> 16]++;
	return any;
}

static void
add_pair(struct buf *pairs, const unsigned char *bytes, uint32_t needle)
{
	unsigned char folded[2] = { needle_fold(bytes[0]),
		needle_fold(bytes[1]) };
	uint16_t pair;
	struct rules_anchor a = { .needle = needle };

	memcpy(&pair, folded, sizeof(pair));
	a.hash = pair;
	buf_add(pairs, &a, sizeof(a));
}

/* Each needle gets one anchor: four bytes, or two. */
static void
add_needles(struct rules_pack *p, struct tables *t, struct crowds *crowds,
    struct buf *pairs)
{
	const struct needle *list =
	    (const struct needle *)(const void *)p->needles.list.ptr;
	const uint32_t *owners = (const uint32_t *)(const void *)p->owners.ptr;

	for (uint32_t i = 0; i < p->needles.list.len / sizeof(*list); i++) {
		uint32_t at = 0, score;
		struct rules_anchor a = { .needle = i };
		struct rules_needle n = { list[i].bytes, owners[i], list[i].len,
			list[i].flags, 0, list[i].keys };

		if ((list[i].flags & NEEDLE_XOR) != 0) {
			choose_xor(&p->needles, &list[i], &at, &a.hash);
			buf_add(&t->table[RULES_ANCHORS], &a, sizeof(a));
			t->head.xors++;
		} else if (choose(
			       &p->needles, &list[i], crowds, &at, &a.hash)) {
			buf_add(&t->table[RULES_ANCHORS], &a, sizeof(a));
		} else {
			(void)needle_anchor(
			    &p->needles, &list[i], 2, &at, &score);
			add_pair(pairs,
			    (const unsigned char *)p->needles.bytes.ptr +
				list[i].bytes + at,
			    i);
		}
		n.at = (uint16_t)at;
		buf_add(&t->table[RULES_NEEDLES], &n, sizeof(n));
	}
	buf_span(&t->table[RULES_BYTES], buf_view(&p->needles.bytes));
}

/* starts[i] = how many of the sorted rows have a key below i. */
static void
add_starts(struct buf *out, const struct rules_anchor *rows, size_t n,
    uint32_t keys, unsigned shift)
{
	size_t at = 0;

	for (uint32_t i = 0; i <= keys; i++) {
		while (at < n && rows[at].hash >> shift < i)
			at++;
		add_u32(out, (uint32_t)at);
	}
}

static void
add_bitmap(struct buf *out, const struct rules_anchor *rows, size_t n,
    uint32_t bits, unsigned shift)
{
	uint32_t *map;

	for (size_t i = 0; i < (size_t)1 << (bits - 5); i++)
		add_u32(out, 0);
	map = (uint32_t *)(void *)out->ptr;
	for (size_t i = 0; i < n && !out->full; i++)
		map[rows[i].hash >> shift >> 5] |= UINT32_C(1)
		    << (rows[i].hash >> shift & 31);
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
add_anchors(struct tables *t)
{
	struct buf *b = &t->table[RULES_ANCHORS];
	const struct rules_anchor *rows;
	size_t n = b->len / sizeof(*rows);
	struct rules_head *h = &t->head;

	sort(b, sizeof(*rows), cmp_anchor);
	rows = (const struct rules_anchor *)(const void *)b->ptr;
	h->bitmap_bits = bits_for(n * SPARSE, BITMAP_MIN, BITMAP_MAX);
	h->bucket_bits = bits_for(n, 1, BITMAP_MAX);
	add_bitmap(&t->table[RULES_BITMAP], rows, n, h->bitmap_bits,
	    32 - h->bitmap_bits);
	add_starts(&t->table[RULES_BUCKETS], rows, n,
	    UINT32_C(1) << h->bucket_bits, 32 - h->bucket_bits);
}

static void
add_pairs(struct tables *t, struct buf *pairs)
{
	const struct rules_anchor *rows;
	size_t n = pairs->len / sizeof(*rows);

	if (n == 0)
		return;
	sort(pairs, sizeof(*rows), cmp_anchor);
	rows = (const struct rules_anchor *)(const void *)pairs->ptr;
	add_bitmap(&t->table[RULES_PAIR_BITMAP], rows, n, 16, 0);
	add_starts(&t->table[RULES_PAIR_STARTS], rows, n, RULES_PAIRS, 0);
	for (size_t i = 0; i < n; i++)
		add_u32(&t->table[RULES_PAIR_NEEDLES], rows[i].needle);
}

static void
add_links(struct rules_pack *p, struct tables *t)
{
	struct buf *starts = &t->table[RULES_LINKS];
	struct buf *linked = &t->table[RULES_LINKED];
	const struct string_link *l;
	size_t n = p->links.len / sizeof(*l), at = 0;

	sort(&p->links, sizeof(*l), cmp_link);
	l = (const struct string_link *)(const void *)p->links.ptr;
	for (uint32_t i = 0; i < p->strings; i++) {
		add_u32(starts, (uint32_t)(linked->len / sizeof(uint32_t)));
		for (; at < n && l[at].string == i; at++)
			if (at == 0 || cmp_link(&l[at - 1], &l[at]) != 0)
				add_u32(linked, l[at].gate);
	}
	add_u32(starts, (uint32_t)(linked->len / sizeof(uint32_t)));
}

static bool
tables_make(struct rules_pack *p, struct tables *t)
{
	struct buf pairs = buf_make(ROWS_MAX);
	struct crowds *crowds = calloc(1, sizeof(*crowds));
	bool ok = crowds != NULL;

	if (ok) {
		add_needles(p, t, crowds, &pairs);
		add_anchors(t);
		add_pairs(t, &pairs);
		add_links(p, t);
		ok = !pairs.full;
	}
	for (size_t i = 0; i < RULES_TABLES; i++)
		ok = ok && !t->table[i].full;
	buf_free(&pairs);
	free(crowds);
	return ok && !p->needles.list.full && !p->owners.full &&
	    !p->gates.full && !p->words.full && !p->standing.full &&
	    !p->links.full && !p->leaves.full && !p->sources.full &&
	    !p->texts.full && !p->nomem;
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
	struct tables t = { .head = { .bitmap_bits = 0 } };
	const struct buf *all[RULES_TABLES];
	bool ok;

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
	ok = tables_make(p, &t);
	if (ok)
		lay_out(all, &t.head, out);
	for (size_t i = 0; i < RULES_TABLES; i++)
		buf_free(&t.table[i]);
	return ok && !out->full && !p->streams.full
	    ? OK
	    : err_set(ei, ERR_LIMIT,
		  "YARA rules are larger than memory or their limit");
}
