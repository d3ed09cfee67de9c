#include "scan/rules/filter.h"

#include <stdlib.h>
#include <string.h>

#include "scan/rules/gate.h"
#include "scan/rules/marks.h"
#include "scan/set/mask.h"

#define BLOCK    16384u
#define BITS_MAX 26u
/* Bytes that may be compared for each byte of the object; when they are used
 * up, what an anchor was seen of counts as found.  So hostile bytes cost at
 * most this, and the rules a look that they would not have needed. */
#define WORK_EACH  24u
#define WORK_FIRST (1u << 20)

struct rules_filter {
	char *copy;
	struct rules_head head;
	const struct rules_needle *needles;
	const unsigned char *bytes;
	const uint32_t *bitmap, *buckets, *pair_bitmap, *pair_starts;
	const uint32_t *pair_needles, *links, *linked, *words, *standing;
	const struct rules_anchor *anchors;
	const struct rules_gate *gates;
	const struct rules_leaf *leaves;
	const uint32_t *sources;
	const char *texts;
	struct marks strings, touched, open;
	/* the object */
	struct span object;
	uint64_t work;
	unsigned char folded[BLOCK + RULES_WIDTH];
};

/* ---- opening ------------------------------------------------------------------ */

static const size_t row_sizes[RULES_TABLES] = {
	[RULES_NEEDLES] = sizeof(struct rules_needle),
	[RULES_BYTES] = 1,
	[RULES_BITMAP] = sizeof(uint32_t),
	[RULES_BUCKETS] = sizeof(uint32_t),
	[RULES_ANCHORS] = sizeof(struct rules_anchor),
	[RULES_PAIR_BITMAP] = sizeof(uint32_t),
	[RULES_PAIR_STARTS] = sizeof(uint32_t),
	[RULES_PAIR_NEEDLES] = sizeof(uint32_t),
	[RULES_LINKS] = sizeof(uint32_t),
	[RULES_LINKED] = sizeof(uint32_t),
	[RULES_GATES] = sizeof(struct rules_gate),
	[RULES_WORDS] = sizeof(uint32_t),
	[RULES_STANDING] = sizeof(uint32_t),
	[RULES_LEAVES] = sizeof(struct rules_leaf),
	[RULES_SOURCES] = sizeof(uint32_t),
	[RULES_TEXTS] = 1,
	[RULES_STREAMS] = 1,
};

static size_t
rows(const struct rules_filter *f, enum rules_table t)
{
	return (size_t)f->head.table[t].size / row_sizes[t];
}

static const void *
table(const struct rules_filter *f, enum rules_table t)
{
	return f->copy + f->head.table[t].at;
}

static bool
tables_fit(const struct rules_head *h, size_t size)
{
	for (size_t i = 0; i < RULES_TABLES; i++) {
		const struct rules_region *r = &h->table[i];

		if (r->at > size || r->size > size - r->at ||
		    r->at % RULES_ALIGN != 0 || r->size % row_sizes[i] != 0 ||
		    r->size / row_sizes[i] > UINT32_MAX)
			return false;
	}
	return h->bitmap_bits >= 5 && h->bitmap_bits <= BITS_MAX &&
	    h->bucket_bits >= 1 && h->bucket_bits <= BITS_MAX;
}

/* n + 1 numbers that rise to `last`. */
static bool
starts_fit(const uint32_t *starts, size_t n, size_t count, size_t last)
{
	if (count != n + 1 || starts[n] != last)
		return false;
	for (size_t i = 0; i < n; i++)
		if (starts[i] > starts[i + 1])
			return false;
	return true;
}

static bool
below(const uint32_t *numbers, size_t n, size_t limit)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] >= limit)
			return false;
	return true;
}

static bool
needles_fit(const struct rules_filter *f)
{
	for (size_t i = 0; i < rows(f, RULES_NEEDLES); i++) {
		const struct rules_needle *n = &f->needles[i];
		size_t size =
		    (size_t)n->len * ((n->flags & NEEDLE_MASKED) != 0 ? 2 : 1);

		if (n->bytes > rows(f, RULES_BYTES) ||
		    size > rows(f, RULES_BYTES) - n->bytes || n->len < 2 ||
		    n->at > n->len - 2 || n->string >= f->strings.size)
			return false;
	}
	return true;
}

static bool
anchors_fit(const struct rules_filter *f)
{
	size_t pairs = rows(f, RULES_PAIR_NEEDLES);

	if (rows(f, RULES_BITMAP) != (size_t)1 << (f->head.bitmap_bits - 5) ||
	    !starts_fit(f->buckets, (size_t)1 << f->head.bucket_bits,
		rows(f, RULES_BUCKETS), rows(f, RULES_ANCHORS)))
		return false;
	for (size_t i = 0; i < rows(f, RULES_ANCHORS); i++)
		if (f->anchors[i].needle >= rows(f, RULES_NEEDLES))
			return false;
	if (pairs == 0)
		return true;
	return rows(f, RULES_PAIR_BITMAP) == RULES_PAIRS / 32 &&
	    starts_fit(f->pair_starts, RULES_PAIRS, rows(f, RULES_PAIR_STARTS),
		pairs) &&
	    below(f->pair_needles, pairs, rows(f, RULES_NEEDLES));
}

static bool
gates_fit(const struct rules_filter *f)
{
	size_t words = rows(f, RULES_WORDS);

	for (size_t i = 0; i < rows(f, RULES_GATES); i++) {
		const struct rules_gate *g = &f->gates[i];

		if (g->word > words || g->words > words - g->word ||
		    g->leaf >= rows(f, RULES_LEAVES) ||
		    !gate_check(f->words + g->word, g->words,
			(uint32_t)f->strings.size))
			return false;
	}
	return starts_fit(f->links, f->strings.size, rows(f, RULES_LINKS),
		   rows(f, RULES_LINKED)) &&
	    below(f->linked, rows(f, RULES_LINKED), rows(f, RULES_GATES)) &&
	    below(f->standing, rows(f, RULES_STANDING), rows(f, RULES_GATES));
}

static bool
leaves_fit(const struct rules_filter *f)
{
	uint64_t size = f->head.table[RULES_STREAMS].size;
	size_t texts = rows(f, RULES_TEXTS);

	for (size_t i = 0; i < rows(f, RULES_LEAVES); i++)
		if (f->leaves[i].at > size ||
		    f->leaves[i].size > size - f->leaves[i].at)
			return false;
	return texts > 0 && f->texts[texts - 1] == '\0' &&
	    below(f->sources, rows(f, RULES_SOURCES), texts);
}

static void
find_tables(struct rules_filter *f)
{
	f->needles = table(f, RULES_NEEDLES);
	f->bytes = table(f, RULES_BYTES);
	f->bitmap = table(f, RULES_BITMAP);
	f->buckets = table(f, RULES_BUCKETS);
	f->anchors = table(f, RULES_ANCHORS);
	f->pair_bitmap = table(f, RULES_PAIR_BITMAP);
	f->pair_starts = table(f, RULES_PAIR_STARTS);
	f->pair_needles = table(f, RULES_PAIR_NEEDLES);
	f->links = table(f, RULES_LINKS);
	f->linked = table(f, RULES_LINKED);
	f->gates = table(f, RULES_GATES);
	f->words = table(f, RULES_WORDS);
	f->standing = table(f, RULES_STANDING);
	f->leaves = table(f, RULES_LEAVES);
	f->sources = table(f, RULES_SOURCES);
	f->texts = table(f, RULES_TEXTS);
}

/* Everything before the streams, which must be the last table. */
static bool
copy_tables(struct rules_filter *f, struct span masked)
{
	struct rules_head *h = &f->head;
	uint64_t end;

	if (masked.len < sizeof(*h))
		return false;
	mask_copy(h, masked.ptr, sizeof(*h), 0);
	if (memcmp(h->magic, RULES_MAGIC, sizeof(h->magic)) != 0 ||
	    !tables_fit(h, masked.len))
		return false;
	end = h->table[RULES_STREAMS].at;
	for (size_t i = 0; i < RULES_STREAMS; i++)
		if (h->table[i].at + h->table[i].size > end)
			return false;
	f->copy = malloc(end + 1);
	if (f->copy == NULL)
		return false;
	mask_copy(f->copy, masked.ptr, end, 0);
	find_tables(f);
	return rows(f, RULES_LINKS) > 0;
}

enum err
rules_filter_open(
    struct span masked, struct rules_filter **out, struct errinfo *ei)
{
	struct rules_filter *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(ei, ERR_NOMEM, "filter of the YARA rules");
	if (!copy_tables(f, masked)) {
		rules_filter_close(f);
		return err_set(ei, ERR_CORRUPT, "YARA rules of the set");
	}
	if (!marks_make(&f->strings, rows(f, RULES_LINKS) - 1) ||
	    !marks_make(&f->touched, rows(f, RULES_GATES)) ||
	    !marks_make(&f->open, rows(f, RULES_LEAVES))) {
		rules_filter_close(f);
		return err_set(ei, ERR_NOMEM, "filter of the YARA rules");
	}
	if (!needles_fit(f) || !anchors_fit(f) || !gates_fit(f) ||
	    !leaves_fit(f)) {
		rules_filter_close(f);
		return err_set(ei, ERR_CORRUPT, "filter of the YARA rules");
	}
	*out = f;
	return OK;
}

void
rules_filter_close(struct rules_filter *f)
{
	if (f == NULL)
		return;
	marks_free(&f->strings);
	marks_free(&f->touched);
	marks_free(&f->open);
	free(f->copy);
	free(f);
}

size_t
rules_filter_leaves(const struct rules_filter *f)
{
	return rows(f, RULES_LEAVES);
}

struct rules_region
rules_filter_leaf(const struct rules_filter *f, size_t leaf)
{
	return (struct rules_region){ f->head.table[RULES_STREAMS].at +
		    f->leaves[leaf].at,
		f->leaves[leaf].size };
}

const char *
rules_filter_source(const struct rules_filter *f, const char *ns)
{
	uint64_t i;

	if (span_u64(span_of(ns), UINT32_MAX, &i) != OK ||
	    i >= rows(f, RULES_SOURCES))
		return "";
	return f->texts + f->sources[i];
}

/* ---- one needle at one place ---------------------------------------------------- */

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* As libyara decides about "fullword". */
static bool
stands_alone(
    const struct rules_filter *f, const struct rules_needle *n, size_t at)
{
	const unsigned char *d = (const unsigned char *)f->object.ptr;
	size_t end = at + n->len, len = f->object.len;

	if ((n->flags & NEEDLE_WIDE) != 0)
		return !(at >= 2 && d[at - 1] == 0 && is_alnum(d[at - 2])) &&
		    !(len - end >= 2 && d[end + 1] == 0 && is_alnum(d[end]));
	return !(at >= 1 && is_alnum(d[at - 1])) &&
	    !(end < len && is_alnum(d[end]));
}

static bool
equal_xored(const unsigned char *data, const unsigned char *bytes,
    const struct rules_needle *n)
{
	unsigned char key = data[0] ^ bytes[0];

	if (key < (n->keys & 0xff) || key > n->keys >> 8)
		return false;
	for (uint32_t i = 0; i < n->len; i++)
		if ((data[i] ^ key) != bytes[i])
			return false;
	return true;
}

static bool
equal(const unsigned char *data, const unsigned char *bytes,
    const struct rules_needle *n)
{
	const unsigned char *masks = bytes + n->len;

	if ((n->flags & NEEDLE_XOR) != 0)
		return equal_xored(data, bytes, n);
	if ((n->flags & (NEEDLE_NOCASE | NEEDLE_MASKED)) == 0)
		return memcmp(data, bytes, n->len) == 0;
	for (uint32_t i = 0; i < n->len; i++) {
		unsigned char c = data[i];

		if ((n->flags & NEEDLE_MASKED) != 0)
			c &= masks[i];
		else
			c = needle_fold(c);
		if (c != bytes[i])
			return false;
	}
	return true;
}

static bool
stands(struct rules_filter *f, const struct rules_needle *n, size_t at)
{
	if (at < n->at || n->len > f->object.len - (at - n->at))
		return false;
	at -= n->at;
	if (f->work < n->len)
		return true; /* no time to look closer */
	f->work -= n->len;
	return equal((const unsigned char *)f->object.ptr + at,
		   f->bytes + n->bytes, n) &&
	    ((n->flags & NEEDLE_WORD) == 0 || stands_alone(f, n, at));
}

static void
try_needle(struct rules_filter *f, uint32_t number, size_t at)
{
	const struct rules_needle *n = &f->needles[number];

	if (f->strings.is[n->string] != 0 || !stands(f, n, at))
		return;
	mark(&f->strings, n->string);
	for (uint32_t i = f->links[n->string]; i < f->links[n->string + 1]; i++)
		mark(&f->touched, f->linked[i]);
}

/* ---- the pass over the bytes ------------------------------------------------------- */

static void
try_anchor(struct rules_filter *f, uint32_t hash, size_t at)
{
	uint32_t bucket = hash >> (32 - f->head.bucket_bits);

	for (uint32_t i = f->buckets[bucket]; i < f->buckets[bucket + 1]; i++)
		if (f->anchors[i].hash == hash)
			try_needle(f, f->anchors[i].needle, at);
}

static void
try_pair(struct rules_filter *f, uint32_t pair, size_t at)
{
	for (uint32_t i = f->pair_starts[pair]; i < f->pair_starts[pair + 1];
	     i++)
		try_needle(f, f->pair_needles[i], at);
}

static bool
bit_is_set(const uint32_t *map, uint32_t bit)
{
	return (map[bit >> 5] >> (bit & 31) & 1) != 0;
}

/* `pairs` is a constant where this is inlined. */
static inline void
scan_block(struct rules_filter *f, size_t from, size_t n, const bool pairs)
{
	const uint32_t *map = f->bitmap, *pair_map = f->pair_bitmap;
	const unsigned shift = 32 - f->head.bitmap_bits;

	for (size_t i = 0; i < n; i++) {
		uint32_t word, hash;

		memcpy(&word, f->folded + i, sizeof(word));
		hash = word * RULES_FACTOR;
		if (__builtin_expect(bit_is_set(map, hash >> shift), 0))
			try_anchor(f, hash, from + i);
		if (pairs &&
		    __builtin_expect(bit_is_set(pair_map, word & 0xffff), 0))
			try_pair(f, word & 0xffff, from + i);
	}
}

static void
scan_xored(struct rules_filter *f)
{
	const unsigned char *d = (const unsigned char *)f->object.ptr;
	const unsigned shift = 32 - f->head.bitmap_bits;

	for (size_t i = 0; i + NEEDLE_XOR_MIN <= f->object.len; i++) {
		uint32_t word, next, hash;

		memcpy(&word, d + i, sizeof(word));
		memcpy(&next, d + i + 1, sizeof(next));
		hash = (word ^ next) * RULES_XOR_FACTOR;
		if (__builtin_expect(bit_is_set(f->bitmap, hash >> shift), 0))
			try_anchor(f, hash, i);
	}
}

/* What is behind the end of the object reads as zeros: needles that would
 * reach there do not stand there. */
static void
fold(struct rules_filter *f, size_t from)
{
	const unsigned char *d = (const unsigned char *)f->object.ptr + from;
	size_t n = f->object.len - from;

	if (n > sizeof(f->folded))
		n = sizeof(f->folded);
	for (size_t i = 0; i < n; i++)
		f->folded[i] = needle_fold(d[i]);
	memset(f->folded + n, 0, sizeof(f->folded) - n);
}

static void
find_strings(struct rules_filter *f)
{
	bool pairs = rows(f, RULES_PAIR_NEEDLES) > 0;

	if (rows(f, RULES_NEEDLES) == 0)
		return;
	for (size_t at = 0; at < f->object.len; at += BLOCK) {
		size_t n =
		    f->object.len - at < BLOCK ? f->object.len - at : BLOCK;

		fold(f, at);
		if (pairs)
			scan_block(f, at, n, true);
		else
			scan_block(f, at, n, false);
	}
	if (f->head.xors > 0)
		scan_xored(f);
}

static void
try_gate(struct rules_filter *f, const struct gate_object *o, uint32_t number)
{
	const struct rules_gate *g = &f->gates[number];

	if (f->open.is[g->leaf] == 0 && gate_open(f->words + g->word, o))
		mark(&f->open, g->leaf);
}

const uint32_t *
rules_filter_scan(struct rules_filter *f, struct span bytes, size_t *count)
{
	struct gate_object o = { bytes, f->strings.is };

	marks_clear(&f->strings);
	marks_clear(&f->touched);
	marks_clear(&f->open);
	f->object = bytes;
	f->work = WORK_FIRST + (uint64_t)bytes.len * WORK_EACH;
	find_strings(f);
	for (size_t i = 0; i < rows(f, RULES_STANDING); i++)
		try_gate(f, &o, f->standing[i]);
	for (size_t i = 0; i < f->touched.count; i++)
		try_gate(f, &o, f->touched.list[i]);
	*count = f->open.count;
	return f->open.list;
}
