#include "scan/match/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/set/mask.h"

#define WORK_MAX   (4u << 20) /* bytes compared between looks at the clock */
#define FOLD_BLOCK 16384u
#define NOWHERE    SIZE_MAX
#define WHOLE_MIN  4096u /* places, for what costs a look at all bytes */
#define NEAR_MAX   4096u /* a gap that is looked through at each anchor */

enum err
pattern_init(struct pattern *p, struct errinfo *ei)
{
	*p = (struct pattern){ .pivots = malloc(PIVOTS_MAX),
		.folded = malloc(FOLD_BLOCK + PART_MAX) };
	if (p->pivots == NULL || p->folded == NULL) {
		pattern_clear(p);
		return err_set(ei, ERR_NOMEM, "pattern");
	}
	return OK;
}

void
pattern_clear(struct pattern *p)
{
	free(p->pivots);
	free(p->folded);
	grams_clear(&p->grams);
	*p = (struct pattern){ 0 };
}

void
pattern_object(struct pattern *p, struct span object, int64_t deadline_ns)
{
	p->data = (const unsigned char *)object.ptr;
	p->len = object.len;
	p->deadline_ns = deadline_ns;
	p->late = false;
	grams_object(&p->grams, object);
}

void
pattern_work(struct pattern *p, size_t n)
{
	p->work += n;
	if (p->work < WORK_MAX)
		return;
	p->work = 0;
	if (clock_mono_ns(&clock_system) >= p->deadline_ns)
		p->late = true;
}

/* ---- one part at one place ---------------------------------------------------- */

static uint64_t
load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static unsigned char
small(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
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
equal_without_case(const unsigned char *data, const unsigned char *bytes,
    const unsigned char *masks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = data[i];

		/* Of half a letter nobody knows that it is one. */
		if (masks == NULL || masks[i] == 0xff)
			c = small(c);
		else
			c &= masks[i];
		if (mask_byte(c, i) != bytes[i])
			return false;
	}
	return true;
}

static bool
bytes_equal(const unsigned char *data, const struct sig_part *part, bool nocase)
{
	if (nocase)
		return equal_without_case(
		    data, part->bytes, part->masks, part->len);
	if (part->masks == NULL)
		return literal_equal(data, part->bytes, part->len);
	return masked_equal(data, part->bytes, part->masks, part->len);
}

static bool
special_matches(
    const unsigned char *data, const struct sig_special *sp, bool nocase)
{
	const unsigned char *option = sp->bytes;
	bool any = false;

	if (sp->len == 1 && !nocase)
		any = memchr(option, mask_byte(data[0], 0), sp->count) != NULL;
	else
		for (uint32_t i = 0; i < sp->count && !any; i++) {
			any = nocase
			    ? equal_without_case(data, option, NULL, sp->len)
			    : literal_equal(data, option, sp->len);
			option += sp->len;
		}
	return any != sp->negated;
}

bool
pattern_part(struct pattern *p, const struct sig_variant *v,
    const struct sig_part *part, size_t at)
{
	struct reader specials = reader_of(part->special);
	bool nocase = (v->flags & VARIANT_NOCASE) != 0;
	struct sig_special sp;

	if (at > p->len || part->len > p->len - at)
		return false;
	pattern_work(p, 16 + part->len);
	if (!bytes_equal(p->data + at, part, nocase))
		return false;
	for (uint32_t i = 0; i < part->specials; i++) {
		if (!read_special(&specials, part, &sp))
			return false;
		pattern_work(p, (size_t)sp.len * sp.count);
		if (!special_matches(p->data + at + sp.at, &sp, nocase))
			return false;
	}
	return true;
}

/* ---- the next place of a part --------------------------------------------------- */

struct search {
	const struct sig_variant *variant;
	const struct sig_part *part;
	const unsigned char *pivot; /* unmasked */
};

/* memmem() in small letters. */
static const unsigned char *
find_folded(struct pattern *p, const unsigned char *hay, size_t n,
    const unsigned char *pivot, size_t len)
{
	while (n >= len) {
		size_t block = n < FOLD_BLOCK + len ? n : FOLD_BLOCK + len - 1;
		const unsigned char *hit;

		for (size_t i = 0; i < block; i++)
			p->folded[i] = small(hay[i]);
		hit = memmem(p->folded, block, pivot, len);
		if (hit != NULL)
			return hay + (hit - p->folded);
		if (block == n)
			return NULL;
		hay += FOLD_BLOCK;
		n -= FOLD_BLOCK;
	}
	return NULL;
}

/* The first place in [from, last] where the part stands, or NOWHERE. */
static size_t
part_find(struct pattern *p, const struct search *s, size_t from, size_t last)
{
	const struct sig_part *part = s->part;

	if (part->len > p->len)
		return NOWHERE;
	if (last > p->len - part->len)
		last = p->len - part->len;
	while (from <= last && !p->late) {
		const unsigned char *hay = p->data + from + part->pivot, *hit;
		size_t n = last - from + part->pivot_len;

		hit = (s->variant->flags & VARIANT_NOCASE) != 0
		    ? find_folded(p, hay, n, s->pivot, part->pivot_len)
		    : memmem(hay, n, s->pivot, part->pivot_len);
		if (hit == NULL) {
			pattern_work(p, last - from);
			return NOWHERE;
		}
		pattern_work(p, (size_t)(hit - hay));
		from += (size_t)(hit - hay);
		if (pattern_part(p, s->variant, part, from))
			return from;
		from++;
	}
	return NOWHERE;
}

/* The part, somewhere in [from, last]; true if time is up. */
static bool
stands_within(struct pattern *p, const struct sig_variant *v,
    const struct sig_part *part, size_t from, size_t last)
{
	const struct search s = { v, part, p->pivots };

	mask_copy(
	    p->pivots, part->bytes + part->pivot, part->pivot_len, part->pivot);
	return part_find(p, &s, from, last) != NOWHERE || p->late;
}

bool
pattern_around(
    struct pattern *p, const struct sig_variant *v, uint32_t k, size_t at)
{
	const struct sig_part *part = &v->part[k];
	const struct sig_part *next = &v->part[k + 1], *last = part - 1;

	if (k > 0 && part->gap_max <= NEAR_MAX) {
		size_t least = last->len + part->gap_min;
		size_t most = last->len + part->gap_max;

		if (at < least ||
		    !stands_within(
			p, v, last, at < most ? 0 : at - most, at - least))
			return false;
	}
	return k + 1 == v->parts || next->gap_max > NEAR_MAX ||
	    stands_within(p, v, next, at + part->len + next->gap_min,
		at + part->len + next->gap_max);
}

/* ---- a pattern of several parts ------------------------------------------------
 * Each stage yields, in rising order, the places where its part ends after
 * the parts before it.  A later stage pulls from the one before it, so that
 * the whole takes a fixed amount of memory and looks at each byte at most
 * once for each part, whatever the gaps. */

struct place {
	size_t start; /* of the first part */
	size_t end;   /* of this part, or NOWHERE */
};
static const struct place nowhere = { NOWHERE, NOWHERE };

struct stage {
	struct search search;
	size_t next;         /* where to look on */
	size_t last;         /* the first stage: its last allowed place */
	struct place before; /* later: the latest that reaches `next` */
	struct place ahead;  /* the one after that */
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

static struct place
stage_took(struct stage *s, size_t start, size_t at)
{
	s->next = at + 1;
	return (struct place){ start, at + s->search.part->len };
}

static struct place
first_pull(struct pattern *p, struct stage *s)
{
	size_t at = part_find(p, &s->search, s->next, s->last);

	return at == NOWHERE ? nowhere : stage_took(s, at, at);
}

static struct place
stage_pull(struct pattern *p, struct stage *stages, uint32_t k)
{
	struct stage *s = &stages[k];
	const struct sig_part *part = s->search.part;

	if (k == 0)
		return first_pull(p, s);
	if (!s->begun) {
		s->begun = true;
		s->before = stage_pull(p, stages, k - 1);
		s->ahead = nowhere;
		/* With a gap that may be anything the first serves all. */
		if (s->before.end != NOWHERE && part->gap_max != GAP_ANY)
			s->ahead = stage_pull(p, stages, k - 1);
	}
	for (;;) {
		size_t at;

		while (s->ahead.end != NOWHERE &&
		    add_gap(s->ahead.end, part->gap_min) <= s->next) {
			s->before = s->ahead;
			s->ahead = stage_pull(p, stages, k - 1);
		}
		if (s->before.end == NOWHERE || p->late)
			return nowhere;
		if (s->next < add_gap(s->before.end, part->gap_min))
			s->next = add_gap(s->before.end, part->gap_min);
		at = part_find(p, &s->search, s->next,
		    add_gap(s->before.end, part->gap_max));
		if (at != NOWHERE)
			return stage_took(s, s->before.start, at);
		if (s->ahead.end == NOWHERE)
			return nowhere;
		s->next = add_gap(s->before.end, part->gap_max) + 1;
		if (s->next < add_gap(s->ahead.end, part->gap_min))
			s->next = add_gap(s->ahead.end, part->gap_min);
	}
}

static void
begin_stages(
    struct pattern *p, const struct sig_variant *v, struct stage *stages)
{
	unsigned char *pivot = p->pivots;

	for (uint32_t i = 0; i < v->parts; i++) {
		const struct sig_part *part = &v->part[i];

		stages[i] = (struct stage){ .search = { v, part, pivot } };
		mask_copy(pivot, part->bytes + part->pivot, part->pivot_len,
		    part->pivot);
		pivot += part->pivot_len;
	}
}

/* ---- all matches ----------------------------------------------------------------- */

static bool
is_word(const struct pattern *p, size_t at)
{
	unsigned char c = at < p->len ? small(p->data[at]) : 0;

	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* In UTF-16 a letter is followed by 00; the end of the object counts as
 * one. */
static bool
stands_alone(const struct pattern *p, bool wide, struct place m)
{
	if (!wide)
		return !is_word(p, m.end) &&
		    (m.start == 0 || !is_word(p, m.start - 1));
	if (m.start >= 2 && is_word(p, m.start - 2) &&
	    p->data[m.start - 1] == 0)
		return false;
	return !is_word(p, m.end) ||
	    (m.end + 1 < p->len && p->data[m.end + 1] != 0);
}

static bool
accepted(const struct pattern *p, unsigned flags, struct place m)
{
	if ((flags & VARIANT_EDGE_END) != 0 && m.end != p->len)
		return false;
	return (flags & VARIANT_WORD) == 0 ||
	    stands_alone(p, (flags & VARIANT_WIDE) != 0, m);
}

/* Whether each part may stand in the object at all; not worth the asking if
 * little of it is to be looked through. */
static bool
may_match(struct pattern *p, const struct sig_variant *v,
    const struct stage *stages, struct pattern_range range)
{
	if (range.to - range.from < WHOLE_MIN)
		return true;
	for (uint32_t i = 0; i < v->parts; i++)
		if (!grams_may_have(&p->grams, stages[i].search.pivot,
			v->part[i].pivot_len))
			return false;
	return true;
}

void
pattern_each(struct pattern *p, const struct sig_variant *v,
    struct pattern_range range, pattern_fn *fn, void *arg)
{
	struct stage stages[PARTS_MAX];
	struct place m;

	if ((v->flags & VARIANT_EDGE_START) != 0) {
		if (range.from > 0)
			return;
		range.to = 0;
	}
	if (range.from > p->len || v->parts == 0)
		return;
	begin_stages(p, v, stages);
	if (!may_match(p, v, stages, range))
		return;
	stages[0].next = range.from;
	stages[0].last = range.to;
	for (;;) {
		m = stage_pull(p, stages, v->parts - 1);
		if (m.end == NOWHERE || p->late)
			return;
		if (accepted(p, v->flags, m) && !fn(arg, m.start, m.end))
			return;
	}
}
