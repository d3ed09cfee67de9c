#include "scan/build/body.h"

#include <string.h>

#include "scan/set/mask.h"

#define FIXED_GAP_MAX 128u /* a {n} below this is n times ?? */
#define BRACKET_MAX   32u

struct parser {
	struct span rest;
	struct body *body;
	bool bracket[PARTS_MAX + 1]; /* the gap before part i is [n-m] */
};

void
body_init(struct body *b)
{
	*b = (struct body){
		.bytes = buf_make(BODY_TEXT_MAX),
		.masks = buf_make(BODY_TEXT_MAX),
		.specials = buf_make(BODY_TEXT_MAX),
		.options = buf_make(BODY_TEXT_MAX),
	};
}

void
body_clear(struct body *b)
{
	buf_free(&b->bytes);
	buf_free(&b->masks);
	buf_free(&b->specials);
	buf_free(&b->options);
	body_init(b);
}

static struct body_part *
current(struct parser *p)
{
	return &p->body->part[p->body->parts - 1];
}

static enum err
put_byte(struct parser *p, unsigned value, unsigned mask, struct errinfo *ei)
{
	struct body_part *part = current(p);

	if (part->len == PART_MAX)
		return err_set(
		    ei, ERR_LIMIT, "part longer than %u bytes", PART_MAX);
	buf_char(&p->body->bytes, (char)(unsigned char)(value & mask));
	buf_char(&p->body->masks, (char)(unsigned char)mask);
	part->len++;
	return OK;
}

static enum err
begin_part(struct parser *p, uint32_t min, uint32_t max, bool bracket,
    struct errinfo *ei)
{
	struct body *b = p->body;

	if (b->parts == PARTS_MAX)
		return err_set(ei, ERR_LIMIT, "more than %u parts", PARTS_MAX);
	if (b->parts > 0 && current(p)->len == 0)
		return err_set(ei, ERR_SYNTAX, "gap without bytes before it");
	p->bracket[b->parts] = bracket;
	b->part[b->parts++] = (struct body_part){
		.bytes = (uint32_t)b->bytes.len,
		.special =
		    (uint32_t)(b->specials.len / sizeof(struct body_special)),
		.gap_min = min,
		.gap_max = max,
	};
	return OK;
}

/* Two characters: hex digits, or ? for any nibble. */
static enum err
parse_byte(struct parser *p, struct errinfo *ei)
{
	unsigned value = 0, mask = 0;

	if (p->rest.len < 2)
		return err_set(ei, ERR_SYNTAX, "odd number of hex digits");
	for (size_t i = 0; i < 2; i++) {
		int d = body_digit(p->rest.ptr[i]);

		if (d < 0 && p->rest.ptr[i] != '?')
			return err_set(
			    ei, ERR_SYNTAX, "not a hex digit in the body");
		value = value << 4 | (d < 0 ? 0 : (unsigned)d);
		mask = mask << 4 | (d < 0 ? 0 : 15);
	}
	p->rest = span_from(p->rest, 2);
	return put_byte(p, value, mask, ei);
}

/* "n", "n-m", "-m", "n-" between braces or brackets. */
static enum err
parse_range(struct span s, uint64_t *min, uint64_t *max, struct errinfo *ei)
{
	struct span hi, lo = span_cut(s, '-', &hi);
	bool dash = lo.len != s.len;

	*min = 0;
	*max = GAP_ANY;
	if ((lo.len > 0 && span_u64(lo, GAP_ANY - 1, min) != OK) ||
	    (hi.len > 0 && span_u64(hi, GAP_ANY - 1, max) != OK))
		return err_set(ei, ERR_SYNTAX, "malformed gap");
	if (!dash && lo.len > 0)
		*max = *min;
	if (*max == 0) /* as ClamAV reads {0}, {-0}, {-} and {} */
		*max = GAP_ANY;
	if (*max < *min)
		return err_set(ei, ERR_SYNTAX, "gap ends before it begins");
	return OK;
}

static enum err
parse_gap(struct parser *p, struct errinfo *ei)
{
	bool bracket = p->rest.ptr[0] == '[';
	struct span after,
	    inside =
		span_cut(span_from(p->rest, 1), bracket ? ']' : '}', &after);
	uint64_t min, max;
	enum err e;

	if (inside.len + 1 == p->rest.len)
		return err_set(ei, ERR_SYNTAX, "gap is not closed");
	e = parse_range(inside, &min, &max, ei);
	if (e != OK)
		return e;
	if (bracket && max > BRACKET_MAX)
		return err_set(
		    ei, ERR_SYNTAX, "[n-m] reaches beyond %u", BRACKET_MAX);
	p->rest = after;
	if (bracket || min != max || min >= FIXED_GAP_MAX)
		return begin_part(p, (uint32_t)min, (uint32_t)max, bracket, ei);
	for (uint64_t i = 0; i < min && e == OK; i++)
		e = put_byte(p, 0, 0, ei);
	return e;
}

/* Alternatives of one length; body_expand() has seen to that. */
static enum err
parse_group(struct parser *p, bool negated, struct errinfo *ei)
{
	struct body *b = p->body;
	struct body_special sp = {
		.at = current(p)->len,
		.bytes = (uint32_t)b->options.len,
		.negated = negated,
	};
	struct span inside;
	enum err e = OK;

	inside = span_cut(span_from(p->rest, 1), ')', &p->rest);
	while (inside.len > 0) {
		struct span o = span_cut(inside, '|', &inside);
		unsigned char bytes[2048];

		if (o.len > 2 * sizeof(bytes) ||
		    hex_decode(o, bytes, o.len / 2) != OK)
			return err_set(ei, ERR_SYNTAX, "malformed alternative");
		sp.len = (uint32_t)o.len / 2;
		sp.count++;
		buf_add(&b->options, bytes, sp.len);
	}
	for (uint32_t i = 0; i < sp.len && e == OK; i++)
		e = put_byte(p, 0, 0, ei);
	buf_add(&b->specials, &sp, sizeof(sp));
	current(p)->specials++;
	return e;
}

static enum err
parse_next(struct parser *p, struct errinfo *ei)
{
	char c = p->rest.ptr[0];
	bool negated = c == '!' && p->rest.len > 1 && p->rest.ptr[1] == '(';

	if (c == '(' || negated) {
		p->rest = span_from(p->rest, negated);
		return parse_group(p, negated, ei);
	}
	if (c == '{' || c == '[')
		return parse_gap(p, ei);
	if (c == '*') {
		p->rest = span_from(p->rest, 1);
		return begin_part(p, 0, GAP_ANY, false, ei);
	}
	return parse_byte(p, ei);
}

/* How rare a byte is in ordinary files, in bits, roughly: programs are full
 * of zeros and a few opcodes, text of small letters. */
static unsigned
rarity(unsigned char c)
{
	static const unsigned char common[256] = { [0] = 1,
		[0xff] = 2,
		[0xcc] = 2,
		[0x90] = 2,
		[' '] = 2,
		[0x0f] = 4,
		[0x24] = 4,
		[0x48] = 4,
		[0x44] = 4,
		[0x4c] = 4,
		[0x85] = 4,
		[0x89] = 4,
		[0x8b] = 4,
		[0x8d] = 4,
		[0xc0] = 4,
		[0xe8] = 4,
		[0x01] = 4,
		[0x83] = 4,
		[0x08] = 4,
		[0x10] = 4,
		['\n'] = 4,
		['.'] = 4,
		['/'] = 4,
		['a' ... 'z'] = 4 };

	if (common[c] != 0)
		return common[c];
	return c < 0x80 ? 6 : 7;
}

/* What the byte at p[i] adds to a window that does not begin with it. */
static unsigned
step_bits(const unsigned char *p, uint32_t i)
{
	return p[i] == p[i - 1] ? 0 : rarity(p[i]);
}

/* The rarest run of fixed bytes is what the matcher looks for. */
static void
set_pivot(const struct body *b, struct body_part *part)
{
	const unsigned char *mask =
	    (const unsigned char *)b->masks.ptr + part->bytes;
	const unsigned char *bytes =
	    (const unsigned char *)b->bytes.ptr + part->bytes;
	uint32_t run = 0;
	unsigned bits = 0, most = 0;

	for (uint32_t i = 0; i < part->len; i++) {
		run = mask[i] == 0xff ? run + 1 : 0;
		if (run == 0)
			continue;
		/* A byte alone is looked for only if there is no more. */
		bits = run == 1 ? 0 : bits + step_bits(bytes, i);
		if (run == 2)
			bits += rarity(bytes[i - 1]);
		if (bits >= most) {
			part->pivot_len = run;
			part->pivot = i + 1 - run;
			most = bits;
		}
	}
}

static enum err
finish(struct parser *p, struct errinfo *ei)
{
	struct body *b = p->body;

	for (uint32_t i = 0; i < b->parts; i++) {
		struct body_part *part = &b->part[i];
		bool single =
		    part->len == 1 && (p->bracket[i] || p->bracket[i + 1]);

		set_pivot(b, part);
		if (part->len == 0)
			return err_set(
			    ei, ERR_SYNTAX, "gap without bytes behind it");
		if (p->bracket[i] && part->len != 1 && part[-1].len != 1)
			return err_set(ei, ERR_SYNTAX,
			    "[n-m] needs a single byte on one side");
		if (part->pivot_len < (single ? 1 : 2))
			return err_set(ei, ERR_SYNTAX,
			    "part %u has no two fixed bytes in a row", i + 1);
		part->masked = part->pivot_len != part->len;
	}
	return OK;
}

enum err
body_parse(struct span text, struct body *b, struct errinfo *ei)
{
	struct parser p = { .rest = text, .body = b };
	enum err e;

	buf_clear(&b->bytes);
	buf_clear(&b->masks);
	buf_clear(&b->specials);
	buf_clear(&b->options);
	b->parts = 0;
	if (text.len == 0)
		return err_set(ei, ERR_SYNTAX, "body is empty");
	e = begin_part(&p, 0, 0, false, ei);
	while (e == OK && p.rest.len > 0)
		e = parse_next(&p, ei);
	if (e == OK)
		e = finish(&p, ei);
	if (e == OK &&
	    (b->bytes.full || b->masks.full || b->specials.full ||
		b->options.full))
		e = err_set(ei, ERR_LIMIT, "body is too long");
	return e;
}

static void
fold(struct buf *b, const struct buf *masks)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->ptr[i] >= 'A' && b->ptr[i] <= 'Z' &&
		    (masks == NULL || masks->ptr[i] == '\xff'))
			b->ptr[i] = (char)(b->ptr[i] + 'a' - 'A');
}

void
body_fold(struct body *b)
{
	fold(&b->bytes, &b->masks);
	fold(&b->options, NULL);
}

/* ---- as a record ---------------------------------------------------------------- */

/* A row of literals of `len` bytes each, masked. */
static void
write_literals(struct buf *out, struct span s, size_t len)
{
	for (size_t i = 0; i < s.len; i++)
		buf_char(
		    out, (char)mask_byte((unsigned char)s.ptr[i], i % len));
}

static void
write_special(
    const struct body *b, const struct body_special *sp, struct buf *out)
{
	struct span options = { b->options.ptr + sp->bytes,
		(size_t)sp->len * sp->count };

	write_number(out, sp->at);
	write_number(out, sp->len);
	write_number(out, sp->count);
	write_number(out, sp->negated);
	write_literals(out, options, sp->len);
}

static void
write_part(const struct body *b, const struct body_part *p, struct buf *out)
{
	const struct body_special *sp =
	    (const struct body_special *)(const void *)b->specials.ptr;

	write_number(out, p->gap_min);
	write_number(out, p->gap_max);
	write_number(out, p->len);
	write_number(out, p->pivot);
	write_number(out, p->pivot_len);
	write_number(out,
	    (p->masked ? FORM_MASKS : 0) |
		(p->specials > 0 ? FORM_SPECIALS : 0));
	write_literals(
	    out, (struct span){ b->bytes.ptr + p->bytes, p->len }, p->len);
	if (p->masked)
		buf_add(out, b->masks.ptr + p->bytes, p->len);
	if (p->specials > 0)
		write_number(out, p->specials);
	for (uint32_t i = 0; i < p->specials; i++)
		write_special(b, &sp[p->special + i], out);
}

void
body_write(const struct body *b, unsigned flags, struct buf *out)
{
	write_number(out, flags);
	write_number(out, b->parts);
	for (uint32_t i = 0; i < b->parts; i++)
		write_part(b, &b->part[i], out);
}

/* ---- anchors -------------------------------------------------------------------- */

static bool
anchor_of_len(const struct body *b, uint32_t len, struct body_anchor *out)
{
	bool any = false;

	for (uint32_t i = 0; i < b->parts; i++) {
		const struct body_part *part = &b->part[i];
		const unsigned char *bytes =
		    (const unsigned char *)b->bytes.ptr + part->bytes;

		uint32_t end = part->pivot + part->pivot_len;
		unsigned rest = 0; /* of the window but for its first byte */

		for (uint32_t k = part->pivot + 1;
		     k < end && k < part->pivot + len; k++)
			rest += step_bits(bytes, k);
		for (uint32_t at = part->pivot; at + len <= end; at++) {
			unsigned bits = rarity(bytes[at]) + rest;

			rest -= step_bits(bytes, at + 1);
			if (at + len < end)
				rest += step_bits(bytes, at + len);
			if (any && bits <= out->bits)
				continue;
			any = true;
			*out = (struct body_anchor){
				.len = len, .part = i, .at = at, .bits = bits
			};
			memcpy(out->literal, bytes + at, len);
		}
	}
	return any;
}

bool
body_anchor(const struct body *b, struct body_anchor *out)
{
	static const uint32_t lens[] = { 9, 5, 4, 2 };
	struct body_anchor a;
	bool any = false;

	for (size_t i = 0; i < COUNT(lens); i++) {
		if (!anchor_of_len(b, lens[i], &a) ||
		    (any && a.bits <= out->bits))
			continue;
		*out = a;
		any = true;
	}
	return any;
}
