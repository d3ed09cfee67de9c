#include <stdio.h>
#include <string.h>

#include "scan/inspect/inspect.h"
#include "scan/set/mask.h"
#include "scan/set/record.h"

#define LINE_MAX_BYTES 4000u
#define SHOWN_MAX      48u /* bytes of a part that are shown */

struct explain {
	struct scan_set *set;
	inspect_fn *fn;
	void *arg;
	struct buf line;
	bool go_on;
};

static void
say(struct explain *x, enum scan_label label)
{
	struct scan_row row = { label, "", "", x->line.ptr };

	if (x->line.full || x->line.len == 0)
		row.text = x->line.len == 0 ? "" : "...";
	x->go_on = x->go_on && x->fn(x->arg, &row);
	buf_clear(&x->line);
}

/* ---- places, conditions, expression --------------------------------------------------- */

static void
put_place(struct buf *b, const struct sig_place *p)
{
	static const char *const forms[PLACE_KINDS] = {
		[FROM_ANY] = "*",
		[FROM_START] = "",
		[FROM_END] = "EOF-",
		[FROM_ENTRY] = "EP+",
		[FROM_BEFORE_ENTRY] = "EP-",
		[FROM_SECTION] = "S",
		[FROM_WHOLE_SECTION] = "SE",
		[FROM_LAST_SECTION] = "SL+",
		[FROM_VERSION] = "VI",
		[FROM_MACRO] = "$",
	};

	buf_text(b, forms[p->from]);
	if (p->from == FROM_ANY || p->from == FROM_VERSION)
		return;
	if (p->from == FROM_SECTION)
		buf_fmt(b, "%u+", p->index);
	if (p->from == FROM_WHOLE_SECTION || p->from == FROM_MACRO)
		buf_fmt(b, "%u", p->index);
	else
		buf_fmt(b, "%llu", (unsigned long long)p->offset);
	if (p->shift > 0)
		buf_fmt(b, ",%llu", (unsigned long long)p->shift);
}

static void
put_range(struct buf *b, struct reader *r)
{
	buf_fmt(b, "%llu-", (unsigned long long)read_number(r, UINT32_MAX));
	buf_fmt(b, "%llu", (unsigned long long)read_number(r, UINT32_MAX));
}

static void
put_formats(struct buf *b, uint64_t n, struct reader *r)
{
	for (uint64_t i = 0; i < n && !r->bad; i++)
		buf_fmt(b, "%s%s", i == 0 ? "" : ">",
		    format_name((enum format)read_number(r, FORMATS - 1)));
}

/* "group1:group2", * for any. */
static void
put_icon_groups(struct buf *b, struct reader *r)
{
	struct span name[ICON_COLUMNS];

	read_icon_groups(r, name);
	for (size_t c = 0; c < ICON_COLUMNS; c++) {
		if (c > 0)
			buf_char(b, ':');
		buf_span(b, name[c].ptr == NULL ? SPAN("*") : name[c]);
	}
}

static void
put_condition(struct buf *b, enum sig_condition kind, struct reader *r)
{
	switch (kind) {
	case COND_CONTAINER:
	case COND_HANDLER:
	case COND_FORMAT:
		put_formats(b, 1, r);
		break;
	case COND_INTERMEDIATES:
		put_formats(b, read_number(r, SUBS_MAX), r);
		break;
	case COND_ENCRYPTED:
		buf_fmt(b, "%llu", (unsigned long long)read_number(r, 1));
		break;
	case COND_ICON:
		put_icon_groups(b, r);
		break;
	default:
		put_range(b, r);
	}
}

static void
explain_conditions(struct explain *x, struct span conditions)
{
	static const char *const keys[] = {
		[COND_FILE_SIZE] = "FileSize",
		[COND_ENTRY] = "EntryPoint",
		[COND_SECTIONS] = "NumberOfSections",
		[COND_CONTAINER] = "Container",
		[COND_INTERMEDIATES] = "Intermediates",
		[COND_HANDLER] = "HandlerType",
		[COND_FORMAT] = "Type",
		[COND_CONTAINER_SIZE] = "ContainerSize",
		[COND_PACKED] = "FileSizeInContainer",
		[COND_SIZE] = "FileSizeReal",
		[COND_ENCRYPTED] = "IsEncrypted",
		[COND_POSITION] = "FilePos",
		[COND_ICON] = "IconGroup",
	};
	struct reader r = reader_of(conditions);

	while (r.p < r.end && !r.bad && x->go_on) {
		uint64_t kind = read_number(&r, CONDITIONS - 1);

		if (kind == 0)
			return;
		buf_fmt(&x->line, "%s:", keys[kind]);
		put_condition(&x->line, (enum sig_condition)kind, &r);
		say(x, SCAN_L_CONDITION);
	}
}

static void
put_tree(struct buf *b, struct reader *r, unsigned depth)
{
	static const char signs[CMPS] = {
		[CMP_EQUAL] = '=', [CMP_MORE] = '>', [CMP_LESS] = '<'
	};
	uint64_t op = read_number(r, OPS - 1), cmp = read_number(r, CMPS - 1);
	uint64_t number = read_number(r, UINT16_MAX);
	uint64_t number2 = read_number(r, SUBS_MAX);
	uint64_t what = read_number(r, SUBS_MAX);

	if (depth == 0 || r->bad)
		return;
	if (op == OP_SUB)
		buf_fmt(b, "%llu", (unsigned long long)what);
	else
		buf_char(b, '(');
	for (uint64_t i = 0; op != OP_SUB && i < what && !r->bad; i++) {
		if (i > 0)
			buf_char(b, op == OP_ALL ? '&' : '|');
		put_tree(b, r, depth - 1);
	}
	if (op != OP_SUB)
		buf_char(b, ')');
	if (cmp != CMP_NONE)
		buf_fmt(b, "%c%llu", signs[cmp], (unsigned long long)number);
	if (cmp != CMP_NONE && number2 > 0)
		buf_fmt(b, ",%llu", (unsigned long long)number2);
}

/* ---- bodies --------------------------------------------------------------------------- */

static void
put_gap(struct buf *b, const struct sig_part *p)
{
	if (p->gap_min == 0 && p->gap_max == GAP_ANY)
		buf_char(b, '*');
	else if (p->gap_max == GAP_ANY)
		buf_fmt(b, "{%u-}", p->gap_min);
	else
		buf_fmt(b, "{%u-%u}", p->gap_min, p->gap_max);
}

/* Bytes as hex digits; what is not fixed as ??. */
static void
put_part(struct buf *b, const struct sig_part *p)
{
	for (uint32_t i = 0; i < p->len && i < SHOWN_MAX; i++) {
		unsigned char mask = p->masks == NULL ? 0xff : p->masks[i];

		if (mask == 0xff)
			buf_fmt(b, "%02x", mask_byte(p->bytes[i], i));
		else
			buf_text(b, mask == 0 ? "??" : "?.");
	}
	if (p->len > SHOWN_MAX)
		buf_fmt(b, "...(%u)", p->len);
}

static void
put_variant(struct buf *b, const struct sig_variant *v)
{
	static const struct {
		unsigned flag;
		const char *text;
	} flags[] = { { VARIANT_NOCASE, "i" }, { VARIANT_WORD, "f" },
		{ VARIANT_WIDE, "w" }, { VARIANT_EDGE_START, "^" },
		{ VARIANT_EDGE_END, "$" } };

	for (uint32_t i = 0; i < v->parts; i++) {
		if (i > 0)
			put_gap(b, &v->part[i]);
		put_part(b, &v->part[i]);
	}
	for (size_t i = 0; i < COUNT(flags); i++)
		if ((v->flags & flags[i].flag) != 0)
			buf_fmt(b, " %s", flags[i].text);
}

static void
explain_body(struct explain *x, struct reader *r)
{
	struct sig_place place = read_place(r);
	uint64_t variants = read_number(r, UINT16_MAX);
	struct sig_variant v;

	put_place(&x->line, &place);
	buf_fmt(&x->line, ", %llu", (unsigned long long)variants);
	say(x, SCAN_L_SUB);
	for (uint64_t i = 0; i < variants && x->go_on; i++) {
		if (!read_variant(r, &v))
			return;
		put_variant(&x->line, &v);
		say(x, SCAN_L_PATTERN);
	}
}

/* A host, a pair of them, or an expression, as it is looked for. */
static void
explain_link(struct explain *x, struct reader *r)
{
	struct span masked = read_span(r, read_number(r, LINK_PATTERN_MAX));

	say(x, SCAN_L_SUB);
	for (size_t i = 0; i < masked.len; i++)
		buf_char(
		    &x->line, (char)mask_byte((unsigned char)masked.ptr[i], i));
	say(x, SCAN_L_PATTERN);
}

static void
explain_icon(struct explain *x, struct reader *r)
{
	say(x, SCAN_L_SUB);
	put_icon_groups(&x->line, r);
	buf_char(&x->line, ':');
	buf_span(&x->line, read_span(r, read_number(r, ICON_DIGITS)));
	say(x, SCAN_L_PATTERN);
}

static void
explain_sub(struct explain *x, uint32_t i, struct span sub)
{
	static const char *const kinds[SUB_KINDS] = { [SUB_BODY] = "body",
		[SUB_PCRE] = "pcre",
		[SUB_BYTES] = "bytes",
		[SUB_MACRO] = "macro",
		[SUB_IMAGE] = "image",
		[SUB_NAME] = "name",
		[SUB_CERT] = "certificate",
		[SUB_LINK] = "link",
		[SUB_ICON] = "icon" };
	struct reader r = reader_of(sub);
	uint64_t kind = read_number(&r, SUB_KINDS - 1);

	if (kind == 0)
		return;
	buf_fmt(&x->line, "%u: %s ", i, kinds[kind]);
	if (kind == SUB_BODY)
		explain_body(x, &r);
	else if (kind == SUB_LINK)
		explain_link(x, &r);
	else if (kind == SUB_ICON)
		explain_icon(x, &r);
	else
		say(x, SCAN_L_SUB);
}

/* ---- anchors -------------------------------------------------------------------------- */

/* Which literals of the signature are in its target's filters. */
static unsigned
explain_anchors(struct explain *x, const struct sig *sig)
{
	unsigned n = 0;

	for (size_t k = 0; k < FILTERS; k++) {
		const struct set_filter *f =
		    &x->set->dir->filter[sig->target][k];
		const struct set_anchor *a = set_region(x->set, f->anchors);

		for (uint32_t i = 0; a != NULL && i < f->count; i++) {
			if (a[i].sig != sig->at)
				continue;
			n++;
			buf_fmt(&x->line, "%u.%u.%u+%u, %u", a[i].sub,
			    a[i].variant, a[i].part, a[i].at, f->width);
			say(x, SCAN_L_ANCHOR);
		}
	}
	return n;
}

bool
explain_sig(struct scan_set *set, uint32_t at, inspect_fn *fn, void *arg)
{
	struct explain x = { set, fn, arg, buf_make(LINE_MAX_BYTES), true };
	struct reader r;
	struct sig sig;
	bool in_objects;

	if (!sig_read(set_record(set, at), at, &sig))
		return true;
	in_objects = (sig.flags &
			 (SIG_IS_LINK | SIG_IS_BLOCKED | SIG_IS_TRUSTED |
			     SIG_IS_ICON)) == 0;
	if (in_objects) {
		buf_fmt(&x.line, "%d", (int)sig.target);
		say(&x, SCAN_L_TARGET);
	}
	explain_conditions(&x, sig.conditions);
	if ((sig.flags & SIG_LOGICAL) != 0) {
		r = reader_of(sig.expression);
		put_tree(&x.line, &r, EXPRESSION_DEPTH);
		say(&x, SCAN_L_EXPRESSION);
	}
	for (uint32_t i = 0; i < sig.subs && x.go_on; i++)
		explain_sub(&x, i, sig.sub[i]);
	if (explain_anchors(&x, &sig) == 0 && in_objects)
		say(&x, SCAN_L_NO_ANCHOR);
	buf_free(&x.line);
	return x.go_on;
}
