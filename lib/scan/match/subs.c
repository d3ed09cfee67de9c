#include <string.h>

#include "scan/match/match_int.h"

/* ---- regular expressions -------------------------------------------------------------- */

/* What an expression is matched against, and where it may begin there. */
struct subject {
	struct span bytes; /* from the offset on: ^ is there */
	size_t from;       /* where the offset is in the object */
	size_t last;       /* the last place, counted from it */
};

/* An offset alone means: right there.  With a shift: up to that far behind.
 * REGEX_ROLLING: anywhere behind; REGEX_ENCOMPASS: all of it within the
 * shift. */
static bool
find_subject(const struct match_object *o, const struct sig_place *place,
    unsigned flags, struct subject *out)
{
	struct pattern_range range;

	if (!place_range(o, place, &range) || range.from > o->bytes.len)
		return false;
	*out = (struct subject){ span_from(o->bytes, range.from), range.from,
		range.to - range.from };
	if (place->from == FROM_ANY)
		return true;
	if ((flags & REGEX_ENCOMPASS) != 0 && place->shift > 0 &&
	    place->shift < out->bytes.len)
		out->bytes.len = place->shift;
	if (((flags & REGEX_ENCOMPASS) != 0 && place->shift > 0) ||
	    ((flags & REGEX_ROLLING) != 0 && place->shift == 0))
		out->last = out->bytes.len;
	return true;
}

static void
count_regex(struct evaluation *v, const struct regex *r, unsigned flags,
    const struct sig_place *place, uint32_t most, struct sub_matches *to)
{
	struct subject s;
	size_t start, end, from = 0;
	bool anchored;

	if (!find_subject(v->object, place, flags, &s))
		return;
	anchored = s.last == 0;
	if (anchored)
		s.last = s.bytes.len; /* one match behind the other */
	while (from <= s.bytes.len && from <= s.last &&
	    regex_find(v->regexes, r, s.bytes, from, anchored, &start, &end) ==
		REGEX_FOUND &&
	    start <= s.last) {
		pattern_work(v->pattern, 1024 + (end - from) * 8);
		if (!sub_add(to, s.from + start, most) ||
		    (flags & REGEX_GLOBAL) == 0 || v->pattern->late)
			return;
		from = end > start ? end : end + 1;
	}
	pattern_work(v->pattern, s.bytes.len * 8);
}

void
sub_pcre(struct evaluation *v, uint32_t sub, struct reader *r, uint32_t most,
    struct sub_matches *to)
{
	struct sig_place place = read_place(r);
	struct span tree = read_span(r, read_number(r, PART_MAX));
	struct span flags = read_span(r, read_number(r, PART_MAX));
	struct span masked = read_span(r, read_number(r, UINT32_MAX));
	struct reader trigger = reader_of(tree);
	const struct regex *regex;

	if (r->bad || !expression_holds(v, &trigger))
		return;
	regex = regex_get(
	    v->regexes, (uint64_t)v->sig->at << 8 | sub, masked, flags);
	if (regex != NULL)
		count_regex(v, regex, regex_flags(flags), &place, most, to);
}

/* ---- comparisons of bytes ---------------------------------------------------------------- */

struct number_form {
	char base, order; /* order 0: not said */
	bool exact;
	size_t count;
};

static int
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* As strtol(3): blanks, a sign, perhaps 0x, digits; what follows is let be,
 * unless all must be digits. */
static bool
parse_text(struct span s, bool hex, const struct number_form *f, int64_t *out)
{
	bool negative = false;
	uint64_t n = 0;
	size_t digits = 0;

	while (!f->exact && s.len > 0 &&
	    (s.ptr[0] == ' ' || (s.ptr[0] >= '\t' && s.ptr[0] <= '\r')))
		s = span_from(s, 1);
	if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
		negative = s.ptr[0] == '-';
		s = span_from(s, 1);
	}
	if (s.len > 2 && f->base != 'd' && s.ptr[0] == '0' &&
	    (s.ptr[1] | 0x20) == 'x') {
		s = span_from(s, 2);
		hex = true;
	}
	for (; digits < s.len; digits++) {
		int d = digit_of(s.ptr[digits]);

		if (d >= (hex ? 16 : 10))
			break;
		n = n * (hex ? 16u : 10u) + (uint64_t)d;
	}
	*out = negative ? (int64_t)(0 - n) : (int64_t)n;
	return !f->exact || digits == s.len;
}

/* Hex digits of a little-endian number, the lowest byte first. */
static bool
parse_swapped(struct span s, const struct number_form *f, int64_t *out)
{
	char text[64];

	if (s.len > sizeof(text) || s.len % 2 != 0)
		return false;
	for (size_t i = 0; i < s.len; i += 2)
		memcpy(text + i, s.ptr + s.len - 2 - i, 2);
	return parse_text((struct span){ text, s.len }, true, f, out);
}

static bool
parse_binary(struct span s, const struct number_form *f, int64_t *out)
{
	uint64_t n = 0;

	if (s.len > 8 || (s.len & (s.len - 1)) != 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		n = n << 8 |
		    (unsigned char)s.ptr[f->order == 'l' ? s.len - 1 - i : i];
	*out = (int64_t)n;
	return true;
}

static bool
parse_value(struct span s, const struct number_form *f, int64_t *out)
{
	if (f->base == 'd')
		return parse_text(s, false, f, out);
	if (f->order == '\0')
		return false;
	if (f->base == 'i')
		return parse_binary(s, f, out);
	if (f->order == 'l' && f->base == 'h')
		return parse_swapped(s, f, out);
	return parse_text(s, f->base == 'h', f, out);
}

static bool
compare_next(struct reader *r, int64_t value)
{
	uint64_t sign = read_number(r, CMPS - 1);
	bool negative = read_number(r, 1) != 0;
	int64_t n = (int64_t)read_number(r, INT64_MAX);

	n = negative ? -n : n;
	if (sign == CMP_EQUAL)
		return value == n;
	return sign == CMP_MORE ? value > n : value < n;
}

/* The bytes stand at a distance from where the last match of another sub
 * begins, and never at the object's very start. */
void
sub_bytes(struct evaluation *v, uint32_t sub, struct reader *r, uint32_t most,
    struct sub_matches *to)
{
	uint32_t other = (uint32_t)read_number(r, SUBS_MAX - 1);
	bool back = read_number(r, 1) != 0;
	uint64_t offset = read_number(r, UINT32_MAX), at;
	struct number_form f = { .base = (char)read_number(r, 127) };
	struct span s = v->object->bytes;
	const struct sub_matches *m;
	uint64_t comparisons;
	int64_t value = 0;
	bool ok;

	f.order = (char)read_number(r, 127);
	f.exact = read_number(r, 1) != 0;
	f.count = (size_t)read_number(r, 4096);
	comparisons = read_number(r, 2);
	if (r->bad || other >= sub)
		return;
	m = sub_count(v, other, UINT32_MAX);
	if (m->count == 0 || (back && m->last < offset))
		return;
	at = back ? m->last - offset : m->last + offset;
	if (at == 0 || at > s.len || f.count > s.len - at)
		return;
	ok = parse_value((struct span){ s.ptr + at, f.count }, &f, &value);
	for (uint64_t i = 0; i < comparisons; i++)
		ok = compare_next(r, value) && ok;
	if (ok)
		(void)sub_add(to, at, most);
}

/* ---- pictures ------------------------------------------------------------------------------ */

void
sub_image(struct evaluation *v, uint32_t sub, struct reader *r, uint32_t most,
    struct sub_matches *to)
{
	const struct match_facts *f = v->object->facts;
	uint64_t want = read_number(r, UINT32_MAX) << 32, hash;

	(void)sub;
	want |= read_number(r, UINT32_MAX);
	if (!r->bad && f->image(f->arg, &hash) && hash == want)
		(void)sub_add(to, 0, most);
}
