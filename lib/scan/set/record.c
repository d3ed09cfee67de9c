#include "scan/set/record.h"

#include "scan/set/mask.h"

/* ---- numbers ------------------------------------------------------------------ */

struct reader
reader_of(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	return (struct reader){ p, p + s.len, false };
}

static uint64_t
stop(struct reader *r)
{
	r->p = r->end;
	r->bad = true;
	return 0;
}

uint64_t
read_number(struct reader *r, uint64_t max)
{
	uint64_t n = 0;

	for (unsigned shift = 0; r->p < r->end && shift < 63; shift += 7) {
		unsigned char c = *r->p++;

		n |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return n <= max ? n : stop(r);
	}
	return stop(r);
}

struct span
read_span(struct reader *r, uint64_t len)
{
	struct span s = { (const char *)r->p, (size_t)len };

	if (len > (uint64_t)(r->end - r->p)) {
		(void)stop(r);
		return (struct span){ (const char *)r->end, 0 };
	}
	r->p += len;
	return s;
}

void
write_number(struct buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_char(b, (char)(unsigned char)(n | 0x80));
	buf_char(b, (char)n);
}

void
write_span(struct buf *b, struct span s)
{
	write_number(b, s.len);
	buf_span(b, s);
}

void
write_masked(struct buf *b, struct span s)
{
	write_number(b, s.len);
	for (size_t i = 0; i < s.len; i++)
		buf_char(b, (char)mask_byte((unsigned char)s.ptr[i], i));
}

/* ---- the signature -------------------------------------------------------------- */

bool
sig_read(struct span record, uint32_t at, struct sig *out)
{
	struct reader r = reader_of(record);
	uint64_t len[SUBS_MAX];

	out->at = at;
	out->name.text = (uint32_t)read_number(&r, UINT32_MAX);
	out->name.number = (uint32_t)read_number(&r, UINT32_MAX);
	out->target = (enum set_target)read_number(&r, TARGETS - 1);
	out->flags = (unsigned)read_number(&r, 0xff);
	out->conditions = read_span(&r, read_number(&r, PART_MAX));
	out->expression = read_span(&r, read_number(&r, PART_MAX));
	out->subs = (uint32_t)read_number(&r, SUBS_MAX);
	for (uint32_t i = 0; i < out->subs; i++)
		len[i] = read_number(&r, UINT32_MAX);
	for (uint32_t i = 0; i < out->subs; i++)
		out->sub[i] = read_span(&r, len[i]);
	return !r.bad && out->subs > 0;
}

void
write_icon_groups(struct buf *b, const struct span name[ICON_COLUMNS])
{
	for (size_t c = 0; c < ICON_COLUMNS; c++) {
		write_number(b, name[c].ptr == NULL ? 0 : name[c].len + 1);
		if (name[c].ptr != NULL)
			buf_span(b, name[c]);
	}
}

void
read_icon_groups(struct reader *r, struct span name[ICON_COLUMNS])
{
	for (size_t c = 0; c < ICON_COLUMNS; c++) {
		uint64_t n = read_number(r, ICON_GROUP_MAX);

		name[c] = (struct span){ NULL, 0 };
		if (n > 0)
			name[c] = read_span(r, n - 1);
	}
}

void
write_place(struct buf *b, const struct sig_place *p)
{
	write_number(b, p->from);
	write_number(b, p->index);
	write_number(b, p->offset);
	write_number(b, p->shift);
}

struct sig_place
read_place(struct reader *r)
{
	struct sig_place p = { .from = (enum sig_from)read_number(
				   r, PLACE_KINDS - 1) };

	p.index = (uint32_t)read_number(r, UINT32_MAX);
	p.offset = read_number(r, UINT32_MAX);
	p.shift = read_number(r, UINT32_MAX);
	return p;
}

/* ---- bodies --------------------------------------------------------------------- */

bool
read_special(
    struct reader *r, const struct sig_part *p, struct sig_special *out)
{
	out->at = (uint32_t)read_number(r, p->len);
	out->len = (uint32_t)read_number(r, p->len - out->at);
	out->count = (uint32_t)read_number(r, SPECIAL_MAX);
	out->negated = read_number(r, 1) != 0;
	out->bytes =
	    (const unsigned char *)read_span(r, (uint64_t)out->len * out->count)
		.ptr;
	return !r->bad && out->len > 0 && out->count > 0;
}

static bool
read_part(struct reader *r, struct sig_part *p)
{
	struct sig_special ignored;
	unsigned form;

	p->gap_min = (uint32_t)read_number(r, GAP_ANY);
	p->gap_max = (uint32_t)read_number(r, GAP_ANY);
	p->len = (uint32_t)read_number(r, PART_MAX);
	p->pivot = (uint32_t)read_number(r, p->len);
	p->pivot_len = (uint32_t)read_number(r, p->len - p->pivot);
	form = (unsigned)read_number(r, FORM_MASKS | FORM_SPECIALS);
	p->bytes = (const unsigned char *)read_span(r, p->len).ptr;
	p->masks = NULL;
	if ((form & FORM_MASKS) != 0)
		p->masks = (const unsigned char *)read_span(r, p->len).ptr;
	p->specials = 0;
	p->special = (struct span){ (const char *)r->p, 0 };
	if ((form & FORM_SPECIALS) != 0) {
		p->specials = (uint32_t)read_number(r, PART_MAX);
		p->special.ptr = (const char *)r->p;
		for (uint32_t i = 0; i < p->specials; i++)
			if (!read_special(r, p, &ignored))
				return false;
		p->special.len = (size_t)((const char *)r->p - p->special.ptr);
	}
	return !r->bad && p->pivot_len > 0 && p->gap_min <= p->gap_max;
}

bool
read_variant(struct reader *r, struct sig_variant *out)
{
	uint64_t pivots = 0;

	out->flags = (unsigned)read_number(r, 0xff);
	out->parts = (uint32_t)read_number(r, PARTS_MAX);
	for (uint32_t i = 0; i < out->parts; i++) {
		if (!read_part(r, &out->part[i]))
			return false;
		pivots += out->part[i].pivot_len;
	}
	return !r->bad && out->parts > 0 && pivots <= PIVOTS_MAX;
}
