#include "scan/match.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/mask.h"

#define BLOCK     65536u
#define WORK_MAX  (4u << 20) /* bytes compared between looks at the clock */
#define NOWHERE   SIZE_MAX
#define TRIED_MIN 64u /* a power of two */

/* Patterns of several parts are searched for at most once in an object: this
 * remembers which were.  Open addressing; a slot of another object's number
 * is free. */
struct tried {
	struct tried_slot {
		uint32_t object, pattern;
	} * slots;
	uint32_t size, used, object;
};

struct matcher {
	const struct scan_set *set;
	struct tried tried;
	unsigned char *pivots; /* PIVOTS_MAX bytes, unmasked */
	/* the object */
	const unsigned char *data;
	size_t len;
	unsigned targets;
	int64_t deadline_ns;
	size_t work; /* since the last look at the clock */
	bool late;
	const struct set_pattern *found;
};

enum err
matcher_new(
    const struct scan_set *set, struct matcher **out, struct errinfo *ei)
{
	struct matcher *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		m->set = set;
		m->tried.size = TRIED_MIN;
		m->tried.slots = calloc(TRIED_MIN, sizeof(*m->tried.slots));
		m->pivots = malloc(PIVOTS_MAX);
	}
	if (m == NULL || m->tried.slots == NULL || m->pivots == NULL) {
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
	free(m->pivots);
	free(m);
}

/* ---- tried ------------------------------------------------------------------ */

static struct tried_slot *
tried_find(struct tried *t, uint32_t pattern)
{
	uint32_t i = pattern * 0x9e3779b1u;

	for (;; i++) {
		struct tried_slot *s = &t->slots[i & (t->size - 1)];

		if (s->object != t->object || s->pattern == pattern)
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
			*tried_find(t, old.slots[i].pattern) = old.slots[i];
	free(old.slots);
	return true;
}

/* True the first time in this object.  Without memory to remember, every
 * time: slower, not wrong. */
static bool
tried_first(struct tried *t, uint32_t pattern)
{
	struct tried_slot *s;

	if (t->used >= t->size / 2 && !tried_grow(t))
		return true;
	s = tried_find(t, pattern);
	if (s->object == t->object)
		return false;
	*s = (struct tried_slot){ t->object, pattern };
	t->used++;
	return true;
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

/* ---- one part at one place ---------------------------------------------------- */

static void
count_work(struct matcher *m, size_t n)
{
	m->work += n;
	if (m->work < WORK_MAX)
		return;
	m->work = 0;
	if (clock_mono_ns(&clock_system) >= m->deadline_ns)
		m->late = true;
}

static uint64_t
load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* `bytes` are stored, that is masked as mask.h says. */
static bool
literal_equal(const unsigned char *data, const unsigned char *bytes, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		if ((load64(data + i) ^ SET_MASK) != load64(bytes + i))
			return false;
	for (; i < n; i++)
		if (mask_byte(data[i], i) != bytes[i])
			return false;
	return true;
}

static bool
masked_equal(const unsigned char *data, const unsigned char *bytes,
    const unsigned char *masks, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		if (((load64(data + i) & load64(masks + i)) ^ SET_MASK) !=
		    load64(bytes + i))
			return false;
	for (; i < n; i++)
		if (mask_byte(data[i] & masks[i], i) != bytes[i])
			return false;
	return true;
}

static bool
special_matches(
    const struct matcher *m, const struct set_special *sp, size_t at)
{
	const unsigned char *data = m->data + at + sp->at;
	const unsigned char *option = m->set->bytes + sp->bytes;
	bool any = false;

	if (sp->len == 1)
		any = memchr(option, mask_byte(data[0], 0), sp->count) != NULL;
	else
		for (uint32_t i = 0; i < sp->count && !any; i++)
			any = literal_equal(
			    data, option + (size_t)i * sp->len, sp->len);
	return any != (sp->negated != 0);
}

static bool
part_matches(struct matcher *m, const struct set_part *p, size_t at)
{
	const unsigned char *bytes = m->set->bytes + p->bytes;

	if (at > m->len || p->len > m->len - at)
		return false;
	count_work(m, 16 + p->len);
	if (p->masks == NO_MASK)
		return literal_equal(m->data + at, bytes, p->len);
	if (!masked_equal(
		m->data + at, bytes, m->set->bytes + p->masks, p->len))
		return false;
	for (uint32_t i = 0; i < p->specials; i++) {
		const struct set_special *sp =
		    &m->set->specials[p->special + i];

		count_work(m, (size_t)sp->len * sp->count);
		if (!special_matches(m, sp, at))
			return false;
	}
	return true;
}

/* The first place in [from, last] where the part stands, or NOWHERE. */
static size_t
part_find(struct matcher *m, const struct set_part *p,
    const unsigned char *pivot, size_t from, size_t last)
{
	if (p->len > m->len)
		return NOWHERE;
	if (last > m->len - p->len)
		last = m->len - p->len;
	while (from <= last && !m->late) {
		const unsigned char *hay = m->data + from + p->pivot;
		const unsigned char *hit = memmem(
		    hay, last - from + p->pivot_len, pivot, p->pivot_len);

		if (hit == NULL) {
			count_work(m, last - from);
			return NOWHERE;
		}
		count_work(m, (size_t)(hit - hay));
		from += (size_t)(hit - hay);
		if (part_matches(m, p, from))
			return from;
		from++;
	}
	return NOWHERE;
}

/* ---- a pattern of several parts ------------------------------------------------
 * Each stage yields, in rising order, the places where its part ends after
 * the parts before it.  A later stage pulls from the one before it, so that
 * the whole takes a fixed amount of memory and looks at each byte at most
 * once for each part, whatever the gaps. */

struct stage {
	const struct set_part *part;
	const unsigned char *pivot; /* the part's, unmasked */
	size_t next;                /* where to look on */
	size_t last;  /* the first stage: its last allowed place */
	size_t end;   /* later: the latest end before that reaches `next` */
	size_t ahead; /* the end after that, or NOWHERE */
	bool begun;
};

static size_t
add_gap(size_t at, uint32_t gap)
{
	size_t sum;

	if (gap == GAP_ANY || __builtin_add_overflow(at, gap, &sum))
		return NOWHERE - 1;
	return sum;
}

static size_t
stage_took(struct stage *s, size_t at)
{
	s->next = at + 1;
	return at + s->part->len;
}

static size_t
first_pull(struct matcher *m, struct stage *s)
{
	size_t at = part_find(m, s->part, s->pivot, s->next, s->last);

	return at == NOWHERE ? NOWHERE : stage_took(s, at);
}

static size_t
stage_pull(struct matcher *m, struct stage *stages, uint32_t k)
{
	struct stage *s = &stages[k];
	const struct set_part *p = s->part;

	if (k == 0)
		return first_pull(m, s);
	if (!s->begun) {
		s->begun = true;
		s->end = stage_pull(m, stages, k - 1);
		s->ahead = NOWHERE;
		/* With a gap that may be anything the first end serves all. */
		if (s->end != NOWHERE && p->gap_max != GAP_ANY)
			s->ahead = stage_pull(m, stages, k - 1);
	}
	for (;;) {
		size_t at;

		while (s->ahead != NOWHERE &&
		    add_gap(s->ahead, p->gap_min) <= s->next) {
			s->end = s->ahead;
			s->ahead = stage_pull(m, stages, k - 1);
		}
		if (s->end == NOWHERE || m->late)
			return NOWHERE;
		if (s->next < add_gap(s->end, p->gap_min))
			s->next = add_gap(s->end, p->gap_min);
		at = part_find(
		    m, p, s->pivot, s->next, add_gap(s->end, p->gap_max));
		if (at != NOWHERE)
			return stage_took(s, at);
		if (s->ahead == NOWHERE)
			return NOWHERE;
		s->next = add_gap(s->end, p->gap_max) + 1;
		if (s->next < add_gap(s->ahead, p->gap_min))
			s->next = add_gap(s->ahead, p->gap_min);
	}
}

/* The places where the pattern may begin; false: none. */
static bool
start_range(const struct matcher *m, const struct set_pattern *p, size_t *lo,
    size_t *hi)
{
	*lo = 0;
	*hi = m->len;
	if (p->from == FROM_END && p->offset > m->len)
		return false;
	if (p->from != FROM_ANY) {
		*lo = p->from == FROM_START ? p->offset : m->len - p->offset;
		if (__builtin_add_overflow(*lo, p->shift, hi))
			*hi = SIZE_MAX;
	}
	if ((p->edges & EDGE_START) != 0) {
		if (*lo > 0)
			return false;
		*hi = 0;
	}
	return *lo <= m->len;
}

/* At most once for each pattern and object, so that unmasking costs less
 * than the search. */
static void
begin_stages(
    struct matcher *m, const struct set_pattern *p, struct stage *stages)
{
	unsigned char *pivot = m->pivots;

	for (uint32_t i = 0; i < p->parts; i++) {
		const struct set_part *part = &m->set->parts[p->part + i];

		stages[i] = (struct stage){ .part = part, .pivot = pivot };
		mask_copy(pivot, m->set->bytes + part->bytes + part->pivot,
		    part->pivot_len, part->pivot);
		pivot += part->pivot_len;
	}
}

static bool
find_whole(struct matcher *m, const struct set_pattern *p)
{
	struct stage stages[PARTS_MAX];
	size_t lo, hi, end;

	assert(p->parts > 0); /* scan_set_open() has checked */
	if (!start_range(m, p, &lo, &hi))
		return false;
	begin_stages(m, p, stages);
	stages[0].next = lo;
	stages[0].last = hi;
	do {
		end = stage_pull(m, stages, p->parts - 1);
	} while (end != NOWHERE && (p->edges & EDGE_END) != 0 && end != m->len);
	return end != NOWHERE;
}

/* ---- the prefilter -------------------------------------------------------------- */

/* The anchor stands at `at`: does its pattern match? */
static bool
try_anchor(struct matcher *m, const struct set_anchor *a, size_t at)
{
	const struct set_pattern *p = &m->set->patterns[a->pattern];
	const struct set_part *part = &m->set->parts[p->part + a->part];
	size_t lo, hi, start;

	if ((m->targets & 1u << p->target) == 0 || at < a->at)
		return false;
	start = at - a->at;
	if (!part_matches(m, part, start))
		return false;
	if (p->parts > 1)
		return tried_first(&m->tried, a->pattern) && find_whole(m, p);
	return start_range(m, p, &lo, &hi) && lo <= start && start <= hi &&
	    ((p->edges & EDGE_END) == 0 || start + part->len == m->len);
}

/* The bitmap has the hash of what stands at `at`: look closer. */
static bool
try_bucket(
    struct matcher *m, const struct set_filter *f, uint64_t hash, size_t at)
{
	const struct set_anchor *anchors = set_at(m->set, f->anchors);
	const uint32_t *starts = set_at(m->set, f->buckets);
	uint64_t bucket = hash >> (64 - f->bucket_bits);

	for (uint32_t i = starts[bucket]; i < starts[bucket + 1]; i++) {
		if (anchors[i].hash != hash || !try_anchor(m, &anchors[i], at))
			continue;
		m->found = &m->set->patterns[anchors[i].pattern];
		return true;
	}
	return false;
}

/* True when found in [from, to).  `width` is a constant where this is
 * inlined, and the load one instruction. */
static inline bool
scan_block(struct matcher *m, const struct set_filter *f, const size_t width,
    size_t from, size_t to)
{
	const uint64_t *map = set_at(m->set, f->bitmap);
	const unsigned shift = 64 - f->bitmap_bits;

	for (size_t at = from; at < to; at++) {
		uint64_t literal = 0, hash, bit;

		memcpy(&literal, m->data + at, width);
		hash = literal * FILTER_MULTIPLIER;
		bit = hash >> shift;
		if ((map[bit >> 6] >> (bit & 63) & 1) == 0)
			continue;
		if (try_bucket(m, f, hash, at))
			return true;
		if (m->late)
			return false;
	}
	return false;
}

static bool
filter_block(
    struct matcher *m, const struct set_filter *f, size_t from, size_t to)
{
	size_t end = m->len < f->width ? 0 : m->len - f->width + 1;

	if (to > end)
		to = end;
	if (f->count == 0 || from >= to)
		return false;
	if (f->width == 8)
		return scan_block(m, f, 8, from, to);
	if (f->width == 4)
		return scan_block(m, f, 4, from, to);
	return scan_block(m, f, 2, from, to);
}

enum match_result
matcher_scan(struct matcher *m, struct span object, unsigned targets,
    int64_t deadline_ns, const struct set_pattern **found)
{
	const struct set_filter *filter = m->set->dir->filter;

	m->data = (const unsigned char *)object.ptr;
	m->len = object.len;
	m->targets = targets;
	m->deadline_ns = deadline_ns;
	m->late = false;
	tried_begin(&m->tried);
	for (size_t at = 0; at < m->len && !m->late; at += BLOCK) {
		for (size_t i = 0; i < FILTERS; i++)
			if (filter_block(m, &filter[i], at, at + BLOCK)) {
				*found = m->found;
				return MATCH_FOUND;
			}
		count_work(m, BLOCK);
	}
	return m->late ? MATCH_LATE : MATCH_NONE;
}
