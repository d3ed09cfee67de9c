#include "scan/rules/build/pack.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX ((size_t)UINT32_MAX) /* bytes of a table */
#define KEYS_MIN 1024u                /* a power of two */

struct string_key {
	struct span value;
	unsigned flags, xor_min, xor_max;
	bool used;
	uint32_t id;
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
	return (uint32_t)BUF_COUNT(&p->gates, struct rules_gate);
}

/* A leaf needs each gate once. */
static bool
known(const struct rules_pack *p, const struct rules_gate *g)
{
	const struct rules_gate *gates =
	    BUF_ROWS(&p->gates, const struct rules_gate);
	const uint32_t *words = BUF_ROWS(&p->words, const uint32_t);

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
	ids = BUF_ROWS(&strings, const uint32_t);
	for (size_t i = 0; i < BUF_COUNT(&strings, uint32_t); i++) {
		struct pack_row l = { ids[i], gate };

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
	struct rules_gate g = { .word =
				    (uint32_t)BUF_COUNT(&p->words, uint32_t),
		.leaf = (uint32_t)BUF_COUNT(&p->leaves, struct rules_leaf) };
	uint32_t number = gates_count(p);

	gate_write(n, &p->words);
	g.words = (uint32_t)BUF_COUNT(&p->words, uint32_t) - g.word;
	if (p->words.full)
		return;
	if (known(p, &g)) {
		buf_cut(&p->words, before);
		return;
	}
	buf_add(&p->gates, &g, sizeof(g));
	if (!gate_possible(n, WITHOUT_STRINGS))
		link_strings(p, n, number);
	else
		buf_add(&p->standing, &number, sizeof(number));
}

void
rules_pack_leaf(struct rules_pack *p)
{
	struct rules_leaf l = { p->leaf_stream,
		p->streams.len - p->leaf_stream };

	buf_add(&p->leaves, &l, sizeof(l));
	p->leaf_gates = gates_count(p);
	p->leaf_stream = p->streams.len;
}
