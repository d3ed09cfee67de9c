#include <stdlib.h>

#include "scan/match/match_int.h"

/* Macros, as clamscan has them (docs/dev/clamscan.md): the body before the
 * macro and the signatures of the group are followed together, in the order
 * in which their matches end, and take from each other's counts. */

#define EVENTS_MAX 65536u /* matches that are followed */

struct event {
	size_t from, to;
	bool group;
};
struct events {
	struct event *row;
	size_t count;
	bool group; /* of what is added */
};

static bool
add_event(void *arg, size_t from, size_t to)
{
	struct events *e = arg;

	e->row[e->count++] = (struct event){ from, to, e->group };
	return e->count < EVENTS_MAX;
}

static int
cmp_event(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (int)y->group - (int)x->group;
}

static void
add_group(struct evaluation *v, uint64_t group, struct events *e)
{
	struct set_region all = v->set->dir->groups;
	const struct set_group *g = set_region(v->set, all);

	for (uint64_t i = 0; g != NULL && i < all.size / sizeof(*g); i++) {
		struct sig sig;
		struct reader r;

		if (g[i].group != group || g[i].target != v->sig->target ||
		    e->count >= EVENTS_MAX)
			continue;
		if (!sig_read(set_record(v->set, g[i].sig), g[i].sig, &sig)) {
			v->damaged = true;
			return;
		}
		r = reader_of(sig.sub[0]);
		if (read_number(&r, SUB_KINDS - 1) == SUB_BODY)
			body_each(v, &r, add_event, e);
	}
}

/* Where the group's last match and the body's one that counts begin. */
struct follow {
	struct sub_matches *body, *macro;
	size_t from, group;
	bool has_group;
	uint64_t min, max;
};

static void
weigh(struct follow *f, size_t from)
{
	if (f->has_group && f->group >= f->from + f->min &&
	    f->group <= f->from + f->max) {
		(void)sub_add(f->macro, from, UINT32_MAX);
		return;
	}
	f->body->count--;
	f->from = from;
}

static void
follow(struct follow *f, const struct event *e)
{
	if (e->group) {
		f->group = e->from;
		f->has_group = true;
		return;
	}
	(void)sub_add(f->body, e->from, UINT32_MAX);
	if (f->body->count == 1)
		f->from = e->from;
	else
		weigh(f, e->from);
}

void
sub_macro(struct evaluation *v, uint32_t sub)
{
	struct reader body = reader_of(v->sig->sub[sub]);
	struct reader macro = reader_of(v->sig->sub[sub + 1]);
	struct events e = { .row = calloc(EVENTS_MAX, sizeof(*e.row)) };
	struct follow f = { .body = &v->sub[sub], .macro = &v->sub[sub + 1] };

	*f.body = *f.macro = (struct sub_matches){ .asked = UINT32_MAX };
	(void)read_number(&macro, SUB_KINDS - 1);
	f.min = read_number(&macro, UINT32_MAX);
	f.max = read_number(&macro, UINT32_MAX);
	if (e.row == NULL || read_number(&body, SUB_KINDS - 1) != SUB_BODY) {
		v->damaged = true;
		free(e.row);
		return;
	}
	body_each(v, &body, add_event, &e);
	e.group = true;
	add_group(v, read_number(&macro, GROUPS_MAX - 1), &e);
	qsort(e.row, e.count, sizeof(*e.row), cmp_event);
	for (size_t i = 0; i < e.count; i++)
		follow(&f, &e.row[i]);
	if (f.body->count > 1)
		weigh(&f, f.from);
	free(e.row);
	v->damaged = v->damaged || macro.bad || body.bad;
}
