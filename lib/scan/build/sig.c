#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scan/build/build_int.h"

#define DRAFT_BYTES (4u << 20)
#define WIDE_MAX    (2 * BODY_TEXT_MAX)

struct draft_sub {
	size_t from, len;       /* in `subs` */
	size_t anchor, anchors; /* in `anchors` */
	double cost;            /* of looking for it, infinite: cannot */
	uint64_t needs;         /* other subs, when it has no anchor */
};

struct sig_draft {
	struct set_name name;
	enum set_target target;
	unsigned role;   /* SIG_IS_*, or 0 */
	uint32_t detail; /* the container's format, the group, the hash */
	enum link_kind link;
	unsigned char subject[CERT_NAME];
	struct set_icon icon;
	struct buf conditions, subs, anchors, variants, wide, record;
	struct draft_sub sub[SUBS_MAX];
	uint32_t count;
	uint32_t variant; /* of the sub under way */
	unsigned flags;
	struct body body;
};

struct sig_draft *
draft_new(void)
{
	struct sig_draft *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->conditions = d->subs = d->anchors = d->variants = d->record =
	    buf_make(DRAFT_BYTES);
	d->wide = buf_make(WIDE_MAX);
	body_init(&d->body);
	return d;
}

void
draft_free(struct sig_draft *d)
{
	if (d == NULL)
		return;
	buf_free(&d->conditions);
	buf_free(&d->subs);
	buf_free(&d->anchors);
	buf_free(&d->variants);
	buf_free(&d->wide);
	buf_free(&d->record);
	body_clear(&d->body);
	free(d);
}

void
draft_begin(
    struct sig_draft *d, const struct set_name *name, enum set_target target)
{
	d->name = *name;
	d->target = target;
	d->role = 0;
	d->count = 0;
	buf_clear(&d->conditions);
	buf_clear(&d->subs);
	buf_clear(&d->anchors);
}

void
draft_target(struct sig_draft *d, enum set_target target)
{
	d->target = target;
}

void
draft_format(struct sig_draft *d, enum format f)
{
	d->role = SIG_IS_FORMAT;
	d->name.number = (uint32_t)f;
}

void
draft_member(struct sig_draft *d, enum format container)
{
	d->role = SIG_IS_MEMBER;
	d->detail = container;
}

void
draft_link(struct sig_draft *d, enum link_kind kind, uint32_t hash)
{
	d->role = SIG_IS_LINK;
	d->link = kind;
	d->detail = hash;
}

void
draft_group(struct sig_draft *d, uint32_t group)
{
	d->role = SIG_IS_GROUP;
	d->detail = group;
}

void
draft_certificate(
    struct sig_draft *d, const unsigned char subject[CERT_NAME], bool trusted)
{
	d->role = trusted ? SIG_IS_TRUSTED : SIG_IS_BLOCKED;
	memcpy(d->subject, subject, CERT_NAME);
}

void
draft_icon(struct sig_draft *d, const struct set_icon *row)
{
	d->role = SIG_IS_ICON;
	d->icon = *row;
}

struct buf *
draft_conditions(struct sig_draft *d)
{
	return &d->conditions;
}

uint32_t
draft_subs(const struct sig_draft *d)
{
	return d->count;
}

bool
draft_is_body(const struct sig_draft *d, uint32_t sub)
{
	return d->sub[sub].anchors > 0;
}

double
draft_cost(const struct sig_draft *d, uint64_t subs)
{
	double cost = 0;

	for (uint32_t i = 0; i < d->count; i++)
		if ((subs >> i & 1) != 0)
			cost += d->sub[i].needs != 0
			    ? draft_cost(d, d->sub[i].needs)
			    : d->sub[i].cost;
	return subs == 0 ? INFINITY : cost;
}

/* ---- bodies --------------------------------------------------------------------- */

/* A window of the anchor: of so many bytes, `at` bytes behind its start. */
static void
add_window(struct sig_draft *d, const struct body_anchor *a, size_t filter,
    uint32_t at)
{
	struct anchor_row row = { .anchor = { .filter = (uint8_t)filter,
				      .at = (uint16_t)(a->at + at),
				      .sub = (uint8_t)d->count,
				      .variant = (uint8_t)d->variant,
				      .part = (uint8_t)a->part } };
	uint64_t window = 0;

	memcpy(&window, a->literal + at, filter_widths[filter]);
	row.hash = (window & FILTER_FOLD) * FILTER_MULTIPLIER;
	row.anchor.tag = (uint32_t)row.hash;
	buf_add(&d->anchors, &row, sizeof(row));
	d->sub[d->count].anchors++;
}

/* As format.h says. */
static void
add_anchor(struct sig_draft *d, const struct body_anchor *a)
{
	static const struct {
		size_t filter, next; /* of the window one byte on */
	} windows[ANCHOR_MAX + 1] = {
		[9] = { 0, 0 }, [5] = { 1, 1 }, [4] = { 1, 2 }, [2] = { 3, 3 }
	};

	add_window(d, a, windows[a->len].filter, 0);
	if (a->len > 2)
		add_window(d, a, windows[a->len].next, 1);
	d->sub[d->count].cost += exp2(-(double)a->bits);
}

static enum err
add_variant(void *arg, const struct body_variant *v, struct errinfo *ei)
{
	struct sig_draft *d = arg;
	struct body_anchor at;
	enum err e = body_parse(v->text, &d->body, ei);

	if (e != OK)
		return e;
	if ((d->flags & VARIANT_NOCASE) != 0)
		body_fold(&d->body);
	if (!body_anchor(&d->body, &at))
		return err_set(ei, ERR_SYNTAX, "no two fixed bytes in a row");
	if (d->variant == BODY_VARIANTS_MAX)
		return err_set(
		    ei, ERR_LIMIT, "more than %u variants", BODY_VARIANTS_MAX);
	body_write(&d->body,
	    v->edges | (v->lead ? VARIANT_LEAD : 0) |
		(d->flags & (VARIANT_NOCASE | VARIANT_WORD | VARIANT_WIDE)),
	    &d->variants);
	add_anchor(d, &at);
	d->variant++;
	return OK;
}

/* Each byte, whatever stands for it, followed by 00. */
static enum err
widen(struct span text, struct buf *out, struct errinfo *ei)
{
	buf_clear(out);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '{' || c == '[') {
			char close = '}';

			if (c == '[')
				close = ']';
			while (i < text.len && text.ptr[i] != close)
				buf_char(out, text.ptr[i++]);
			buf_char(out, close);
		} else if (body_digit(c) < 0 && c != '?') {
			buf_char(out, c);
		} else if (++i < text.len) {
			buf_char(out, c);
			buf_char(out, text.ptr[i]);
			buf_text(out, "00");
		}
	}
	return buf_check(out, ei);
}

/* Both, or the one that is asked for. */
static enum err
add_widths(struct sig_draft *d, struct span text, struct errinfo *ei)
{
	enum err e = OK;

	if ((d->flags & (DRAFT_WIDE | DRAFT_ASCII)) != DRAFT_WIDE)
		e = body_expand(text, add_variant, d, ei);
	if (e == OK && (d->flags & DRAFT_WIDE) != 0) {
		e = widen(text, &d->wide, ei);
		if (e == OK)
			d->flags |= VARIANT_WIDE;
		if (e == OK)
			e = body_expand(buf_view(&d->wide), add_variant, d, ei);
	}
	return e;
}

static void
begin_sub(struct sig_draft *d)
{
	d->sub[d->count] = (struct draft_sub){
		.from = d->subs.len,
		.anchor = d->anchors.len / sizeof(struct anchor_row),
	};
	d->variant = 0;
	buf_clear(&d->variants);
}

static void
end_sub(struct sig_draft *d)
{
	struct draft_sub *s = &d->sub[d->count++];

	s->len = d->subs.len - s->from;
}

enum err
draft_body(struct sig_draft *d, const struct sig_place *place, struct span text,
    unsigned flags, struct errinfo *ei)
{
	enum err e;

	begin_sub(d);
	d->flags = flags;
	e = add_widths(d, text, ei);
	if (e != OK)
		return e;
	if (d->variants.full)
		return err_set(ei, ERR_LIMIT, "body is too long");
	write_number(&d->subs, SUB_BODY);
	write_place(&d->subs, place);
	write_number(&d->subs, d->variant);
	buf_span(&d->subs, buf_view(&d->variants));
	end_sub(d);
	return OK;
}

enum err
draft_sub(struct sig_draft *d, struct span encoded, uint64_t needs,
    struct errinfo *ei)
{
	begin_sub(d);
	buf_span(&d->subs, encoded);
	d->sub[d->count].needs = needs;
	d->sub[d->count].cost = INFINITY;
	end_sub(d);
	return buf_check(&d->subs, ei);
}

/* ---- the record ------------------------------------------------------------------- */

static void
write_record(struct sig_draft *d, struct span expression)
{
	struct buf *r = &d->record;

	buf_clear(r);
	write_number(r, d->name.text);
	write_number(r, d->name.number);
	write_number(r, d->target);
	write_number(r, (expression.len > 0 ? SIG_LOGICAL : 0) | d->role);
	write_span(r, buf_view(&d->conditions));
	write_span(r, expression);
	write_number(r, d->count);
	for (uint32_t i = 0; i < d->count; i++)
		write_number(r, d->sub[i].len);
	buf_span(r, buf_view(&d->subs));
}

/* The subs that have anchors themselves, for those that need others. */
static uint64_t
resolve(const struct sig_draft *d, uint64_t needs)
{
	uint64_t out = 0;

	for (uint32_t i = 0; i < d->count; i++)
		if ((needs >> i & 1) != 0)
			out |= d->sub[i].needs != 0
			    ? resolve(d, d->sub[i].needs)
			    : UINT64_C(1) << i;
	return out;
}

static void
add_anchors(struct scan_builder *b, const struct sig_draft *d, uint32_t sig,
    uint64_t needs)
{
	const struct anchor_row *rows =
	    (const struct anchor_row *)(const void *)d->anchors.ptr;

	for (uint32_t i = 0; i < d->count; i++)
		for (size_t k = 0;
		     (needs >> i & 1) != 0 && k < d->sub[i].anchors; k++) {
			struct anchor_row row = rows[d->sub[i].anchor + k];

			row.anchor.sig = sig;
			row.anchor.target = (uint8_t)d->target;
			buf_add(&b->anchors, &row, sizeof(row));
		}
}

/* Where the engine will come upon it. */
static void
list_sig(struct scan_builder *b, const struct sig_draft *d, uint32_t sig,
    uint64_t needs)
{
	const struct always_row always = { sig, d->target };
	const struct set_member member = { sig, d->detail };
	const struct set_link link = { sig, d->detail, (uint32_t)d->link };
	const struct set_group group = { sig, (uint16_t)d->target,
		(uint16_t)d->detail };
	struct set_cert cert = { .sig = sig };
	struct set_icon icon = d->icon;

	icon.sig = sig;
	memcpy(cert.subject, d->subject, CERT_NAME);
	if (d->role == SIG_IS_MEMBER)
		buf_add(&b->members, &member, sizeof(member));
	else if (d->role == SIG_IS_LINK)
		buf_add(&b->links, &link, sizeof(link));
	else if (d->role == SIG_IS_GROUP)
		buf_add(&b->groups, &group, sizeof(group));
	else if ((d->role & (SIG_IS_BLOCKED | SIG_IS_TRUSTED)) != 0)
		buf_add(&b->certs, &cert, sizeof(cert));
	else if (d->role == SIG_IS_ICON)
		buf_add(&b->icons, &icon, sizeof(icon));
	else if (needs != 0)
		add_anchors(b, d, sig, needs);
	else
		buf_add(&b->always, &always, sizeof(always));
}

/* What tells formats is no signature to whoever asks. */
static void
count(struct scan_builder *b, unsigned role)
{
	if (role == SIG_IS_TRUSTED)
		b->counts.allowed++;
	else if (role == SIG_IS_LINK)
		b->counts.links++;
	else if (role == SIG_IS_ICON)
		b->counts.icons++;
	else if (role != SIG_IS_FORMAT)
		b->counts.bodies++;
}

enum err
draft_end(struct scan_builder *b, struct sig_draft *d, struct span expression,
    uint64_t needs, struct errinfo *ei)
{
	uint32_t sig = (uint32_t)b->records.len;

	write_record(d, expression);
	if (d->record.full || d->subs.full || d->conditions.full)
		return err_set(ei, ERR_LIMIT, "signature is too long");
	write_span(&b->records, buf_view(&d->record));
	list_sig(b, d, sig, resolve(d, needs));
	count(b, d->role);
	return OK;
}

/* ---- places and targets -------------------------------------------------------------- */

enum err
target_parse(struct span s, enum set_target *out, struct errinfo *ei)
{
	uint64_t t;

	if (span_u64(s, TARGETS - 1, &t) != OK)
		return err_set(
		    ei, ERR_SYNTAX, "target is not 0 to %d", TARGETS - 1);
	*out = (enum set_target)t;
	return OK;
}

static const struct {
	const char *text;
	enum sig_from from;
	bool index, number;
} places[] = {
	{ "EOF-", FROM_END, false, true },
	{ "EP+", FROM_ENTRY, false, true },
	{ "EP-", FROM_BEFORE_ENTRY, false, true },
	{ "SL+", FROM_LAST_SECTION, false, true },
	{ "SE", FROM_WHOLE_SECTION, true, false },
	{ "S", FROM_SECTION, true, true },
	{ "VI", FROM_VERSION, false, false },
	{ "$", FROM_MACRO, true, false },
	{ "", FROM_START, false, true },
};

enum err
place_parse(struct span s, struct sig_place *out, struct errinfo *ei)
{
	struct span shift, at = span_cut(s, ',', &shift);
	struct sig_place p = { FROM_ANY, 0, 0, 0 };
	size_t i = 0;
	uint64_t index = 0;
	bool ok = true;

	*out = p;
	if (span_is(s, "*"))
		return OK;
	if (at.len != s.len && span_u64(shift, UINT32_MAX, &p.shift) != OK)
		return err_set(ei, ERR_SYNTAX, "malformed offset shift");
	while (!span_starts(at, places[i].text))
		i++;
	at = span_from(at, strlen(places[i].text));
	p.from = places[i].from;
	if (places[i].index) {
		struct span rest, number = span_cut(at, '+', &rest);

		ok = span_u64(number, UINT16_MAX, &index) == OK &&
		    (places[i].number || number.len == at.len);
		at = rest;
	}
	if (places[i].number)
		ok = ok && span_u64(at, UINT32_MAX, &p.offset) == OK;
	else
		ok = ok && at.len == 0;
	if (!ok || (p.from == FROM_MACRO && index >= GROUPS_MAX))
		return err_set(
		    ei, ERR_SYNTAX, "malformed offset " SPAN_FMT, SPAN_ARG(s));
	p.index = (uint32_t)index;
	*out = p;
	return OK;
}
