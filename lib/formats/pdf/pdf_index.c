#include "formats/pdf/pdf_int.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 1000000u
#define GAP_MAX     16u /* white space between the words "n g obj" */

struct span
pdf_object_bytes(const struct pdf_doc *d, const struct pdf_object *o)
{
	struct span s = d->source[o->source].bytes;

	return (struct span){ s.ptr + o->at, o->end - o->at };
}

/* Where the value ends.  A string may hold what looks like the next object,
 * so it may reach beyond `next`; but what is read twice in that way comes
 * from an allowance, or a chain of open brackets would cost its square. */
static void
measure(struct pdf_doc *d, struct pdf_object *o, size_t next)
{
	struct pdf_source *s = &d->source[o->source];
	size_t most = s->bytes.len - o->at, own;
	struct pdf_step step;

	own = next > o->at ? next - o->at : 0;
	if (own < most && most - own > s->spare)
		most = own + s->spare;
	pdf_walk_start(&d->walk, (struct span){ s->bytes.ptr + o->at, most });
	while (pdf_walk_next(&d->walk, &step))
		;
	if (d->walk.too_deep)
		pdf_note(d, PEEL_UNSUPPORTED);
	if (d->walk.lex.at >= most && o->at + most < s->bytes.len)
		pdf_note(d, PEEL_DAMAGED); /* cut off here, not by its end */
	o->end = o->at + d->walk.lex.at;
	if (d->walk.lex.at > own)
		s->spare -= d->walk.lex.at - own < s->spare
		    ? d->walk.lex.at - own
		    : s->spare;
}

void
pdf_index_add(
    struct pdf_doc *d, uint32_t source, uint32_t num, size_t at, size_t next)
{
	struct pdf_object *o;

	if (d->objects == OBJECTS_MAX) {
		pdf_note(d, PEEL_UNSUPPORTED);
		return;
	}
	if (d->objects == d->objects_cap) {
		size_t cap = d->objects_cap == 0 ? 64 : d->objects_cap * 2;

		o = reallocarray(d->object, cap, sizeof(*o));
		if (o == NULL) {
			pdf_note(d, PEEL_MEMORY);
			d->stop = true;
			return;
		}
		d->object = o;
		d->objects_cap = cap;
	}
	o = &d->object[d->objects++];
	*o = (struct pdf_object){ .num = num, .source = source, .at = at };
	measure(d, o, next);
}

static size_t
back_over_digits(struct span s, size_t at)
{
	for (unsigned n = 0;
	     n < 10 && at > 0 && s.ptr[at - 1] >= '0' && s.ptr[at - 1] <= '9';
	     n++)
		at--;
	return at;
}

static size_t
back_over_white(struct span s, size_t at)
{
	for (unsigned n = 0;
	     n < GAP_MAX && at > 0 && pdf_is_white(s.ptr[at - 1]); n++)
		at--;
	return at;
}

/* The number before "g obj"; none may be readable, for comments may stand
 * between the words. */
static uint32_t
read_number(struct span s, size_t obj)
{
	size_t gen_end = back_over_white(s, obj);
	size_t gen = back_over_digits(s, gen_end);
	size_t num_end = back_over_white(s, gen);
	size_t num = back_over_digits(s, num_end);
	uint32_t out;

	if (gen == gen_end || num_end == gen ||
	    !pdf_number_read((struct span){ s.ptr + num, num_end - num }, &out))
		return PDF_NUMBER_NONE;
	return out;
}

/* The next "obj" or "trailer" as a word of its own at or behind *at. */
static bool
next_start(struct span s, size_t *at, uint32_t *num)
{
	while (*at < s.len) {
		const char *obj = memmem(s.ptr + *at, s.len - *at, "obj", 3);
		size_t p;

		if (obj == NULL)
			break;
		p = (size_t)(obj - s.ptr);
		*at = p + 3;
		if (p == 0 ||
		    (!pdf_is_border(s, *at) &&
			((s.ptr[*at] | 0x20) >= 'a' &&
			    (s.ptr[*at] | 0x20) <= 'z')))
			continue;
		if (!pdf_is_white(s.ptr[p - 1]) &&
		    (s.ptr[p - 1] < '0' || s.ptr[p - 1] > '9'))
			continue;
		*num = read_number(s, p);
		return true;
	}
	*at = s.len;
	return false;
}

static size_t
next_trailer(struct span s, size_t at)
{
	const char *t = memmem(s.ptr + at, s.len - at, "trailer", 7);

	return t == NULL ? s.len : (size_t)(t - s.ptr) + 7;
}

static void
add_trailers(struct pdf_doc *d)
{
	struct span s = d->source[0].bytes;
	size_t at = next_trailer(s, 0);

	while (at < s.len && !d->stop) {
		size_t next = next_trailer(s, at);

		pdf_index_add(d, 0, PDF_NUMBER_NONE, at, next);
		at = next;
	}
}

/* Marks what stands in streams that hold a whole document as it is: that is a
 * member, whose objects are looked at when it is opened itself. */
static void
mark_inner(struct pdf_doc *d)
{
	size_t until = 0;

	for (size_t i = 0; i < d->objects && !d->stop; i++) {
		struct pdf_object *o = &d->object[i];
		struct pdf_facts f;
		struct span raw;

		o->inner = o->at < until;
		if (o->inner)
			continue;
		pdf_facts_read(d, o, &f);
		if (f.filter.len > 0 || !pdf_stream_find(d, o, &f, &raw))
			continue;
		if (span_starts(raw, "%PDF-"))
			until = (size_t)(raw.ptr - d->source[0].bytes.ptr) +
			    raw.len;
	}
}

static void
drop_inner(struct pdf_doc *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->objects; i++)
		if (!d->object[i].inner)
			d->object[kept++] = d->object[i];
	d->objects = kept;
}

void
pdf_index_build(struct pdf_doc *d)
{
	struct span s = d->source[0].bytes;
	size_t at = 0;
	uint32_t num = 0, next_num = 0;
	bool have = next_start(s, &at, &num);

	while (have && !d->stop) {
		size_t here = at;

		have = next_start(s, &at, &next_num);
		pdf_index_add(d, 0, num, here, at);
		num = next_num;
		if (d->objects % 1024 == 0 && !peel_tick(d->out))
			d->stop = true;
	}
	pdf_index_sort(d);
	mark_inner(d);
	drop_inner(d);
	pdf_index_sort(d);
	add_trailers(d);
}

static int
by_number(const void *a, const void *b, void *arg)
{
	const struct pdf_doc *d = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct pdf_object *x = &d->object[i], *y = &d->object[j];

	if (x->num != y->num)
		return x->num < y->num ? -1 : 1;
	return i < j ? -1 : i > j;
}

void
pdf_index_sort(struct pdf_doc *d)
{
	uint32_t *sorted;

	if (d->objects == 0)
		return;
	sorted = reallocarray(d->by_number, d->objects, sizeof(*sorted));
	if (sorted == NULL) {
		pdf_note(d, PEEL_MEMORY);
		d->stop = true;
		return;
	}
	for (uint32_t i = 0; i < d->objects; i++)
		sorted[i] = i;
	qsort_r(sorted, d->objects, sizeof(*sorted), by_number, d);
	d->by_number = sorted;
	d->sorted = d->objects;
}

struct pdf_object *
pdf_index_find(const struct pdf_doc *d, uint32_t num)
{
	size_t low = 0, high = d->sorted;

	if (num == PDF_NUMBER_NONE)
		return NULL;
	while (low < high) { /* the first behind those of this number */
		size_t mid = low + (high - low) / 2;

		if (d->object[d->by_number[mid]].num <= num)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || d->object[d->by_number[low - 1]].num != num)
		return NULL;
	return &d->object[d->by_number[low - 1]];
}
