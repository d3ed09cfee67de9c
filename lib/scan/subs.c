#include <string.h>

#include "scan/match_int.h"

/* ---- regular expressions -------------------------------------------------------------- */

static void
count_regex(struct evaluation *v, const struct regex *r, unsigned flags,
    const struct sig_place *place, uint32_t most, struct sub_matches *to)
{
	struct span subject = v->object->bytes;
	struct pattern_range range = { 0, subject.len };
	bool anchored = place->from != FROM_ANY &&
	    (flags & (REGEX_ROLLING | REGEX_ENCOMPASS)) == 0;
	size_t start, end, from;

	if (!place_range(v->object, place, &range) || range.from > subject.len)
		return;
	if ((flags & REGEX_ENCOMPASS) != 0 && range.to < subject.len)
		subject.len = range.to;
	from = range.from;
	while (from <= subject.len &&
	    regex_find(v->regexes, r, subject, from, anchored, &start, &end) ==
		REGEX_FOUND) {
		pattern_work(v->pattern, 1024 + (end - from) * 8);
		if (!sub_add(to, start, most) || (flags & REGEX_GLOBAL) == 0 ||
		    v->pattern->late)
			return;
		from = end > start ? end : end + 1;
	}
	pattern_work(v->pattern, (subject.len - from) * 8);
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
	char base, order;
	bool exact;
	size_t count;
};

static bool
parse_text(struct span s, const struct number_form *f, int64_t *out)
{
	bool hex = f->base == 'h';
	uint64_t n = 0;
	size_t digits = 0;

	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = span_from(s, 1);
	if (s.len > 2 && f->base != 'd' && s.ptr[0] == '0' &&
	    (s.ptr[1] == 'x' || s.ptr[1] == 'X')) {
		s = span_from(s, 2);
		hex = true;
	}
	for (; digits < s.len; digits++) {
		int d = s.ptr[digits] >= '0' && s.ptr[digits] <= '9'
		    ? s.ptr[digits] - '0'
		    : (s.ptr[digits] | 0x20) >= 'a' &&
			(s.ptr[digits] | 0x20) <= 'f'
		    ? (s.ptr[digits] | 0x20) - 'a' + 10
		    : 16;

		if (d >= (hex ? 16 : 10) ||
		    __builtin_mul_overflow(n, hex ? 16u : 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)d, &n))
			break;
	}
	*out = (int64_t)n;
	return digits > 0 && (!f->exact || digits == s.len);
}

static bool
parse_binary(struct span s, const struct number_form *f, int64_t *out)
{
	uint64_t n = 0;

	if (s.len > 8)
		return false;
	for (size_t i = 0; i < s.len; i++)
		n = n << 8 |
		    (unsigned char)s.ptr[f->order == 'l' ? s.len - 1 - i : i];
	*out = (int64_t)n;
	return true;
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
	int64_t value;
	bool ok;

	f.order = (char)read_number(r, 127);
	f.exact = read_number(r, 1) != 0;
	f.count = (size_t)read_number(r, 4096);
	comparisons = read_number(r, 2);
	if (r->bad || other >= sub)
		return;
	m = sub_count(v, other, 1);
	if (m->count == 0 || (back && m->first < offset))
		return;
	at = back ? m->first - offset : m->first + offset;
	if (at > s.len || f.count > s.len - at)
		return;
	s = (struct span){ s.ptr + at, f.count };
	ok = f.base == 'i' ? parse_binary(s, &f, &value)
			   : parse_text(s, &f, &value);
	for (uint64_t i = 0; i < comparisons; i++)
		ok = compare_next(r, value) && ok;
	if (ok)
		(void)sub_add(to, at, most);
}
