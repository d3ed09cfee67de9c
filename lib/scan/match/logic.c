#include "scan/match/match_int.h"

#define COUNT_MAX 65535u

/* ---- places ------------------------------------------------------------------- */

static bool
range_at(uint64_t base, const struct sig_place *p, struct pattern_range *out)
{
	uint64_t from, to;

	if (__builtin_add_overflow(base, p->offset, &from) ||
	    __builtin_add_overflow(from, p->shift, &to))
		return false;
	*out = (struct pattern_range){ from, to };
	return true;
}

static bool
range_of_section(const struct match_object *o, const struct exe *x,
    const struct sig_place *p, struct pattern_range *out)
{
	bool last = p->from == FROM_LAST_SECTION;
	struct exe_section s;

	if (x->sections == 0 ||
	    !exe_section_find(
		o->bytes, x, last ? x->sections - 1 : p->index, &s))
		return false;
	if (p->from != FROM_WHOLE_SECTION)
		return range_at(s.raw, p, out);
	*out = (struct pattern_range){ s.raw, s.raw + s.raw_size + p->shift };
	return s.raw_size > 0;
}

static bool
range_in_program(const struct match_object *o, const struct sig_place *p,
    struct pattern_range *out)
{
	const struct exe *x = o->facts->exe(o->facts->arg);

	if (x == NULL)
		return false;
	if (p->from == FROM_ENTRY)
		return range_at(x->entry, p, out);
	if (p->from == FROM_BEFORE_ENTRY) {
		struct sig_place back = { .shift = p->shift };

		return p->offset <= x->entry &&
		    range_at(x->entry - p->offset, &back, out);
	}
	return range_of_section(o, x, p, out);
}

bool
place_range(const struct match_object *o, const struct sig_place *p,
    struct pattern_range *out)
{
	struct sig_place from_end = { .shift = p->shift };
	size_t len = o->bytes.len;

	switch (p->from) {
	case FROM_ANY:
	case FROM_MACRO:
		*out = (struct pattern_range){ 0, len };
		return true;
	case FROM_START:
		return range_at(0, p, out);
	case FROM_END:
		return p->offset <= len &&
		    range_at(len - p->offset, &from_end, out);
	case FROM_ENTRY:
	case FROM_BEFORE_ENTRY:
	case FROM_SECTION:
	case FROM_WHOLE_SECTION:
	case FROM_LAST_SECTION:
		return range_in_program(o, p, out);
	default:
		return false;
	}
}

/* ---- bodies --------------------------------------------------------------------- */

struct counting {
	struct sub_matches *to;
	uint32_t most;
};

bool
sub_add(struct sub_matches *to, size_t at, uint32_t most)
{
	if (to->count == 0 || at < to->first)
		to->first = at;
	if (to->count == 0 || at > to->last)
		to->last = at;
	return ++to->count < most;
}

static bool
count_match(void *arg, size_t from, size_t to)
{
	struct counting *c = arg;

	(void)to;
	return sub_add(c->to, from, c->most);
}

/* A body's matches on their way to somebody, who may have enough. */
struct each {
	struct evaluation *v;
	pattern_fn *fn;
	void *arg;
	bool enough;
};

static bool
hand_on(void *arg, size_t from, size_t to)
{
	struct each *e = arg;

	e->enough = !e->fn(e->arg, from, to);
	return !e->enough;
}

static void
each_in(struct each *e, struct pattern_range range)
{
	struct evaluation *v = e->v;

	if ((v->variant->flags & VARIANT_LEAD) != 0) {
		if (range.to == 0)
			return;
		range.to--;
		range.from -= range.from > 0;
	}
	pattern_each(v->pattern, v->variant, range, hand_on, e);
}

/* At each entry of the version information and nowhere else. */
static void
each_in_versions(struct each *e)
{
	const struct match_facts *f = e->v->object->facts;
	const uint64_t *places = NULL;
	size_t n = f->versions(f->arg, &places);

	for (size_t i = 0; i < n && !e->enough; i++)
		each_in(e, (struct pattern_range){ places[i], places[i] });
}

void
body_each(struct evaluation *v, struct reader *r, pattern_fn *fn, void *arg)
{
	struct sig_place place = read_place(r);
	uint64_t variants = read_number(r, UINT16_MAX);
	struct each e = { v, fn, arg, false };
	struct pattern_range range = { 0, 0 };

	if (place.from != FROM_VERSION &&
	    !place_range(v->object, &place, &range))
		return;
	for (uint64_t i = 0; i < variants && !e.enough; i++) {
		if (!read_variant(r, v->variant)) {
			v->damaged = true;
			return;
		}
		if (place.from == FROM_VERSION)
			each_in_versions(&e);
		else
			each_in(&e, range);
	}
}

void
sub_body(struct evaluation *v, uint32_t sub, struct reader *r, uint32_t most,
    struct sub_matches *to)
{
	struct counting c = { to, most };

	(void)sub;
	body_each(v, r, count_match, &c);
}

/* ---- subs ----------------------------------------------------------------------- */

static uint64_t
kind_of(const struct evaluation *v, uint32_t sub)
{
	struct reader r;

	if (sub >= v->sig->subs)
		return 0;
	r = reader_of(v->sig->sub[sub]);
	return read_number(&r, SUB_KINDS - 1);
}

const struct sub_matches *
sub_count(struct evaluation *v, uint32_t sub, uint32_t most)
{
	static sub_fn *const kinds[SUB_KINDS] = {
		[SUB_BODY] = sub_body,
		[SUB_PCRE] = sub_pcre,
		[SUB_BYTES] = sub_bytes,
		[SUB_IMAGE] = sub_image,
	};
	static const struct sub_matches none = { 0 };
	struct sub_matches *to;
	struct reader r;
	uint64_t kind;

	if (sub >= v->sig->subs || v->depth > 2) {
		v->damaged = true;
		return &none;
	}
	to = &v->sub[sub];
	if (to->asked >= most || to->count < to->asked)
		return to;
	if (kind_of(v, sub + 1) == SUB_MACRO) {
		sub_macro(v, sub);
		return to;
	}
	r = reader_of(v->sig->sub[sub]);
	kind = read_number(&r, SUB_KINDS - 1);
	*to = (struct sub_matches){ .asked = most };
	if (kind == SUB_MACRO && sub > 0) {
		sub_macro(v, sub - 1);
		return to;
	}
	if (kinds[kind] == NULL) {
		v->damaged = true;
		return to;
	}
	v->depth++;
	kinds[kind](v, sub, &r, most, to);
	v->depth--;
	v->damaged = v->damaged || r.bad;
	return to;
}

/* ---- expressions ------------------------------------------------------------------- */

/* What a tree came to: matches in all, and of which subs. */
struct sum {
	bool holds;
	uint64_t count, subs;
};

struct node {
	enum sig_op op;
	enum sig_compare compare;
	uint64_t number, number2;
	uint64_t what; /* the sub, or how many trees follow */
};

static struct node
read_node(struct reader *r)
{
	struct node n;

	n.op = (enum sig_op)read_number(r, OPS - 1);
	n.compare = (enum sig_compare)read_number(r, CMPS - 1);
	n.number = read_number(r, COUNT_MAX);
	n.number2 = read_number(r, SUBS_MAX);
	n.what = read_number(r, SUBS_MAX);
	return n;
}

static bool
compares(const struct node *n, uint64_t count)
{
	switch (n->compare) {
	case CMP_EQUAL:
		return count == n->number;
	case CMP_MORE:
		return count > n->number;
	case CMP_LESS:
		return count < n->number;
	default:
		return true;
	}
}

static struct sum
evaluate_sub(struct evaluation *v, const struct node *n, uint32_t most)
{
	static const struct sum nothing = { false, 0, 0 };
	uint64_t count =
	    most == 0 ? 0 : sub_count(v, (uint32_t)n->what, most)->count;

	if (n->compare == CMP_NONE ? count == 0 : !compares(n, count))
		return nothing;
	return (struct sum){ true, count, UINT64_C(1) << (n->what & 63) };
}

/* What does not hold counts nothing, which may be what a comparison asks
 * for.  A group that is compared hides its subs from the group around it. */
static struct sum
compare_group(const struct node *n, struct sum s)
{
	static const struct sum nothing = { false, 0, 0 };

	if (!s.holds)
		s = nothing;
	if (n->compare == CMP_NONE)
		return s;
	if (!compares(n, s.count) ||
	    (uint64_t)__builtin_popcountll(s.subs) < n->number2)
		return nothing;
	return (struct sum){ true, s.count, 0 };
}

/* `most`: matches beyond that make no difference.  0: only step over it. */
static struct sum
evaluate(struct evaluation *v, struct reader *r, uint32_t most, unsigned depth)
{
	struct node n = read_node(r);
	struct sum all = { .holds = n.op == OP_ALL };
	bool counts;

	if (depth == 0 || r->bad) {
		r->bad = true;
		return all;
	}
	if (most > 0 && n.compare != CMP_NONE && n.number >= most)
		most = (uint32_t)n.number + 1;
	if (n.op != OP_SUB && n.compare != CMP_NONE && most == 1)
		most = 2; /* all that is in it counts, decided or not */
	if (n.op == OP_SUB)
		return evaluate_sub(v, &n, most);
	counts = most > 1 || n.compare != CMP_NONE;
	for (uint64_t i = 0; i < n.what; i++) {
		bool decided = all.holds != (n.op == OP_ALL);
		struct sum one =
		    evaluate(v, r, decided && !counts ? 0 : most, depth - 1);

		if (decided && !counts)
			continue;
		all.count += one.count;
		all.subs |= one.subs;
		all.holds = n.op == OP_ALL ? all.holds && one.holds
					   : all.holds || one.holds;
	}
	return compare_group(&n, all);
}

bool
expression_holds(struct evaluation *v, struct reader *r)
{
	struct sum s = evaluate(v, r, 1, EXPRESSION_DEPTH);

	v->damaged = v->damaged || r->bad;
	return s.holds;
}

/* All but one about icons: decoding these is dear, so it comes last, and
 * *icon is where it stands. */
static bool
conditions_hold(struct evaluation *v, struct reader *icon)
{
	const struct match_facts *f = v->object->facts;
	struct reader r = reader_of(v->sig->conditions);
	struct span groups[ICON_COLUMNS];

	*icon = reader_of(SPAN(""));
	while (r.p < r.end && !r.bad) {
		enum sig_condition kind =
		    (enum sig_condition)read_number(&r, CONDITIONS - 1);

		if (kind == COND_ICON) {
			*icon = r;
			read_icon_groups(&r, groups);
		} else if (!f->holds(f->arg, kind, &r)) {
			return false;
		}
	}
	v->damaged = v->damaged || r.bad;
	return !r.bad;
}

static bool
icon_holds(struct evaluation *v, struct reader *icon)
{
	const struct match_facts *f = v->object->facts;

	return icon->p == icon->end || f->holds(f->arg, COND_ICON, icon);
}

bool
sig_matches(struct evaluation *v, size_t *at)
{
	struct reader r = reader_of(v->sig->expression), icon;

	*at = 0;
	if (!conditions_hold(v, &icon))
		return false;
	if ((v->sig->flags & SIG_LOGICAL) != 0)
		return expression_holds(v, &r) && !v->damaged &&
		    icon_holds(v, &icon);
	if (sub_count(v, 0, 1)->count == 0 || v->damaged)
		return false;
	*at = v->sub[0].first;
	return true;
}

struct places {
	const struct match_facts *facts;
	enum format format;
	uint32_t left;
};

static bool
tell_place(void *arg, size_t from, size_t to)
{
	struct places *p = arg;

	(void)to;
	p->facts->embedded(p->facts->arg, p->format, from);
	return --p->left > 0;
}

void
sig_places(struct evaluation *v, uint32_t most)
{
	struct places p = { v->object->facts, (enum format)v->sig->name.number,
		most };
	struct reader r = reader_of(v->sig->sub[0]), icon;
	struct sig_place place;
	struct pattern_range range;

	if (!conditions_hold(v, &icon))
		return;
	(void)read_number(&r, SUB_BODY);
	place = read_place(&r);
	if (p.format >= FORMATS || read_number(&r, UINT16_MAX) == 0 ||
	    !read_variant(&r, v->variant)) {
		v->damaged = true;
		return;
	}
	if (place_range(v->object, &place, &range))
		pattern_each(v->pattern, v->variant, range, tell_place, &p);
}
