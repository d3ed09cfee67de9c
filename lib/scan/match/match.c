#include <stdlib.h>
#include <string.h>

#include "scan/match/match_int.h"

#define BLOCK      65536u
#define TRIED_MIN  64u /* a power of two */
#define FAILED_MAX 8u  /* anchors of one signature, */
#define FAILED_EVERY                                                           \
	1024u /* and one more in so many bytes: together as dear
			    * as trying it whole */
#define DONE         UINT32_MAX
#define EMBEDDED_MAX 16u /* places of one format in an object */

/* Each signature is evaluated at most once for an object: this remembers
 * which were.  Open addressing; a slot of another object's number is free. */
struct tried {
	struct tried_slot {
		uint32_t object, sig;
		uint32_t failed; /* anchors that did not stand; DONE */
	} * slots;
	uint32_t size, used, object;
};

/* A filter of the set where it is mapped. */
struct filter {
	uint32_t width, bucket_bits, shift, count;
	const uint64_t *map;
	const uint32_t *starts;
	const struct set_anchor *anchors;
};

typedef void scan_block_fn(struct matcher *m, size_t from, size_t to);

struct matcher {
	scan_block_fn *scan_block;
	struct scan_set *set;
	struct tried tried;
	struct gate {
		const uint64_t *map; /* NULL: nothing is behind it */
		unsigned shift;
	} gate[TARGETS];
	struct filter filter[TARGETS][FILTERS];
	bool loaded[TARGETS];
	struct pattern pattern;
	struct regex_cache *regexes;
	struct sig sig;
	struct sig_variant variant;
	struct evaluation evaluation;
	/* the object */
	const struct match_object *object;
	bool enough, damaged;
};

/* ---- tried ------------------------------------------------------------------ */

static struct tried_slot *
tried_find(struct tried *t, uint32_t sig)
{
	uint32_t i = sig * 0x9e3779b1u;

	for (;; i++) {
		struct tried_slot *s = &t->slots[i & (t->size - 1)];

		if (s->object != t->object || s->sig == sig)
			return s;
	}
}

static bool
tried_grow(struct tried *t)
{
	struct tried old = *t;

	t->size *= 2;
	t->slots = calloc(t->size, sizeof(*t->slots));
	if (t->slots == NULL) {
		*t = old;
		return false;
	}
	for (uint32_t i = 0; i < old.size; i++)
		if (old.slots[i].object == t->object)
			*tried_find(t, old.slots[i].sig) = old.slots[i];
	free(old.slots);
	return true;
}

/* The signature's slot, or NULL: no memory to remember it. */
static struct tried_slot *
tried_slot(struct tried *t, uint32_t sig)
{
	struct tried_slot *s;

	if (t->used >= t->size / 2 && !tried_grow(t))
		return NULL;
	s = tried_find(t, sig);
	if (s->object != t->object) {
		*s = (struct tried_slot){ t->object, sig, 0 };
		t->used++;
	}
	return s;
}

static bool
was_tried(struct tried *t, uint32_t sig)
{
	const struct tried_slot *s = tried_find(t, sig);

	return s->object == t->object && s->failed == DONE;
}

static void
tried_begin(struct tried *t)
{
	t->used = 0;
	if (++t->object != 0)
		return;
	memset(t->slots, 0, t->size * sizeof(*t->slots));
	t->object = 1;
}

/* ---- signatures ----------------------------------------------------------------- */

static bool
load_sig(struct matcher *m, uint32_t at)
{
	struct span record = set_record(m->set, at);

	if (sig_read(record, at, &m->sig))
		return true;
	m->damaged = true;
	return false;
}

/* Evaluates the signature that is loaded. */
static void
try_sig(struct matcher *m)
{
	struct evaluation *v = &m->evaluation;
	size_t at;

	*v = (struct evaluation){
		.set = m->set,
		.pattern = &m->pattern,
		.regexes = m->regexes,
		.object = m->object,
		.sig = &m->sig,
		.variant = &m->variant,
	};
	if ((m->sig.flags & SIG_IS_FORMAT) != 0)
		sig_places(v, EMBEDDED_MAX);
	else if (sig_matches(v, &at) &&
	    !m->object->facts->found(m->object->facts->arg, &m->sig, at))
		m->enough = true;
	m->damaged = m->damaged || v->damaged;
}

/* Does the part that the anchor belongs to stand here, and what is near it? */
static bool
anchor_stands(struct matcher *m, const struct set_anchor *a, size_t at)
{
	struct pattern *p = &m->pattern;
	struct reader r;
	bool read = true;
	uint64_t variants;

	if (a->sub >= m->sig.subs)
		return false;
	r = reader_of(m->sig.sub[a->sub]);
	if (read_number(&r, SUB_KINDS - 1) != SUB_BODY)
		return true;
	(void)read_place(&r);
	variants = read_number(&r, UINT16_MAX);
	if (a->variant >= variants)
		return false;
	for (unsigned i = 0; i <= a->variant && read; i++)
		read = read_variant(&r, &m->variant);
	return read && a->part < m->variant.parts && a->at <= at &&
	    pattern_part(
		p, &m->variant, &m->variant.part[a->part], at - a->at) &&
	    pattern_around(p, &m->variant, a->part, at - a->at);
}

/* An anchor that is met often without its part is no help: then the whole
 * signature is tried, once. */
static void
try_anchor(struct matcher *m, const struct set_anchor *a, size_t at)
{
	struct tried_slot *slot;

	if (was_tried(&m->tried, a->sig) || !load_sig(m, a->sig))
		return;
	slot = tried_slot(&m->tried, a->sig);
	if (!anchor_stands(m, a, at) &&
	    (slot == NULL ||
		++slot->failed <
		    FAILED_MAX + m->object->bytes.len / FAILED_EVERY))
		return;
	if (slot != NULL)
		slot->failed = DONE;
	try_sig(m);
}

/* Those without an anchor. */
static void
try_always(struct matcher *m)
{
	struct set_region r = m->set->dir->always[m->object->target];
	const uint32_t *at = set_region(m->set, r);

	for (uint64_t i = 0; at != NULL && i < r.size / sizeof(*at); i++) {
		if (m->enough || m->pattern.late)
			return;
		if (load_sig(m, at[i]))
			try_sig(m);
	}
}

/* ---- the prefilter -------------------------------------------------------------- */

static bool
load_filter(struct matcher *m, const struct set_filter *f, struct filter *out)
{
	*out = (struct filter){
		.width = f->width,
		.bucket_bits = f->bucket_bits,
		.shift = 64 - f->bitmap_bits,
		.count = f->count,
		.map = set_region(m->set, f->bitmap),
		.starts = set_region(m->set, f->buckets),
		.anchors = set_region(m->set, f->anchors),
	};
	return f->count == 0 ||
	    (out->map != NULL && out->starts != NULL && out->anchors != NULL);
}

static bool
load_gate(struct matcher *m, const struct set_gate *g, struct gate *out)
{
	*out = (struct gate){ NULL, 64 - g->bits };
	if (g->bits > 0)
		out->map = set_region(m->set, g->bitmap);
	return g->bits == 0 || out->map != NULL;
}

static bool
load_filters(struct matcher *m, enum set_target target)
{
	const struct set_directory *d = m->set->dir;
	bool ok = m->loaded[target] ||
	    load_gate(m, &d->gate[target], &m->gate[target]);

	for (size_t i = 0; ok && !m->loaded[target] && i < FILTERS; i++)
		ok = load_filter(
		    m, &d->filter[target][i], &m->filter[target][i]);
	m->loaded[target] = ok;
	m->damaged = m->damaged || !ok;
	return ok;
}

/* The bitmap has the hash of what stands at `at`: look closer. */
static void
try_bucket(struct matcher *m, const struct filter *f, uint64_t hash, size_t at)
{
	uint64_t bucket = hash >> (64 - f->bucket_bits);
	uint32_t end = f->starts[bucket + 1];

	if (end > f->count) {
		m->damaged = true;
		return;
	}
	for (uint32_t i = f->starts[bucket]; i < end && !m->enough; i++)
		if (f->anchors[i].tag == (uint32_t)hash)
			try_anchor(m, &f->anchors[i], at);
}

static bool
go_on(const struct matcher *m)
{
	return !m->enough && !m->pattern.late && !m->damaged;
}

/* Its lowest bit: whether the filter may have an anchor with this hash. */
static inline uint64_t
in_map(const uint64_t *map, unsigned shift, uint64_t hash)
{
	uint64_t bit = hash >> shift;

	return map[bit >> 6] >> (bit & 63);
}

/* Looks in one filter for what stands at a place. */
static void
try_filter(struct matcher *m, const struct filter *f, size_t at)
{
	uint64_t literal = 0, hash;

	if (f->count == 0 || f->width > m->object->bytes.len - at)
		return;
	memcpy(&literal, m->object->bytes.ptr + at, f->width);
	hash = (literal & FILTER_FOLD) * FILTER_MULTIPLIER;
	if ((in_map(f->map, f->shift, hash) & 1) != 0)
		try_bucket(m, f, hash, at);
}

/* The gate is open, or too near to the end to be asked. */
static void
try_place(struct matcher *m, size_t at)
{
	const struct filter *f = m->filter[m->object->target];

	for (size_t i = 0; i < GATED; i++)
		try_filter(m, &f[i], at);
}

/* Every second place, as far as four bytes follow; `from` is even. */
static inline __attribute__((always_inline)) void
scan_gate(struct matcher *m, size_t from, size_t to)
{
	const unsigned char *data = (const unsigned char *)m->object->bytes.ptr;
	const uint64_t *map = m->gate[m->object->target].map;
	const unsigned shift = m->gate[m->object->target].shift;

	for (size_t at = from; at < to; at += 2) {
		uint32_t literal;

		memcpy(&literal, data + at, sizeof(literal));
		if (__builtin_expect(
			(in_map(map, shift,
			     (literal & FILTER_FOLD) * FILTER_MULTIPLIER) &
			    1) == 0,
			1))
			continue;
		try_place(m, at);
		if (m->enough || m->pattern.late)
			return;
	}
}

static inline __attribute__((always_inline)) void
scan_block(struct matcher *m, size_t from, size_t to)
{
	const struct filter *last = &m->filter[m->object->target][GATED];
	size_t len = m->object->bytes.len;
	size_t end = len < 4 ? 0 : len - 3;

	if (m->gate[m->object->target].map != NULL) {
		end += end & 1;
		if (end > to)
			end = to;
		if (end < from)
			end = from;
		scan_gate(m, from, end);
		for (size_t at = end; at < to && go_on(m); at += 2)
			try_place(m, at);
	}
	for (size_t at = from; last->count > 0 && at < to && go_on(m); at++)
		try_filter(m, last, at);
}

static void
scan_block_anywhere(struct matcher *m, size_t from, size_t to)
{
	scan_block(m, from, to);
}

#ifdef __x86_64__
/* The same for processors that shift by any register in one step: a third
 * quicker. */
__attribute__((target("bmi2"))) static void
scan_block_bmi2(struct matcher *m, size_t from, size_t to)
{
	scan_block(m, from, to);
}
#endif

static scan_block_fn *
choose_scan_block(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("bmi2"))
		return scan_block_bmi2;
#endif
	return scan_block_anywhere;
}

enum err
matcher_new(struct scan_set *set, struct matcher **out, struct errinfo *ei)
{
	struct matcher *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(ei, ERR_NOMEM, "matcher");
	m->set = set;
	m->scan_block = choose_scan_block();
	m->tried.size = TRIED_MIN;
	m->tried.slots = calloc(TRIED_MIN, sizeof(*m->tried.slots));
	m->regexes = regex_cache_new();
	if (m->tried.slots == NULL || m->regexes == NULL ||
	    pattern_init(&m->pattern, ei) != OK) {
		matcher_free(m);
		return err_set(ei, ERR_NOMEM, "matcher");
	}
	*out = m;
	return OK;
}

void
matcher_free(struct matcher *m)
{
	if (m == NULL)
		return;
	free(m->tried.slots);
	pattern_clear(&m->pattern);
	regex_cache_free(m->regexes);
	free(m);
}

enum match_result
matcher_scan(struct matcher *m, const struct match_object *object)
{
	m->object = object;
	m->enough = m->damaged = false;
	pattern_object(&m->pattern, object->bytes, object->deadline_ns);
	tried_begin(&m->tried);
	if (load_filters(m, object->target))
		try_always(m);
	for (size_t at = 0; at < object->bytes.len && go_on(m); at += BLOCK) {
		size_t left = object->bytes.len - at;

		m->scan_block(m, at, at + (left < BLOCK ? left : BLOCK));
		pattern_work(&m->pattern, BLOCK);
	}
	if (m->damaged)
		return MATCH_DAMAGED;
	if (m->enough)
		return MATCH_ENOUGH;
	return m->pattern.late ? MATCH_LATE : MATCH_DONE;
}

bool
matcher_name_fits(struct matcher *m, uint32_t sig, struct span masked,
    struct span flags, struct span name)
{
	const struct regex *r =
	    regex_get(m->regexes, (uint64_t)sig << 8, masked, flags);
	size_t start, end;

	return r != NULL &&
	    regex_find(m->regexes, r, name, 0, false, &start, &end) ==
	    REGEX_FOUND;
}
