#include "base/span.h"

#include <string.h>

struct span
span_of(const char *text)
{
	return (struct span){ text, text == NULL ? 0 : strlen(text) };
}

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
span_is(struct span s, const char *text)
{
	return span_eq(s, span_of(text));
}

bool
span_starts(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

bool
span_ends(struct span s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len >= n && memcmp(s.ptr + s.len - n, suffix, n) == 0;
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

	if (c != 0)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

struct span
span_cut(struct span s, char sep, struct span *rest)
{
	const char *at = s.len == 0 ? NULL : memchr(s.ptr, sep, s.len);
	struct span head = s;

	if (at == NULL) {
		*rest = (struct span){ s.len == 0 ? s.ptr : s.ptr + s.len, 0 };
		return head;
	}
	head.len = (size_t)(at - s.ptr);
	*rest = (struct span){ at + 1, s.len - head.len - 1 };
	return head;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

struct span
span_from(struct span s, size_t at)
{
	if (at >= s.len)
		return (struct span){ s.ptr, 0 };
	return (struct span){ s.ptr + at, s.len - at };
}

const char *
span_find(struct span s, struct span what, size_t rare)
{
	size_t at = rare, behind = what.len - rare;

	while (at < s.len && behind <= s.len - at) {
		const char *p =
		    memchr(s.ptr + at, what.ptr[rare], s.len - at - behind + 1);

		if (p == NULL)
			return NULL;
		if (memcmp(p - rare, what.ptr, what.len) == 0)
			return p - rare;
		at = (size_t)(p - s.ptr) + 1;
	}
	return NULL;
}

enum err
span_u64(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return ERR_SYNTAX;
		digit = (uint64_t)(s.ptr[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return ERR_LIMIT;
		v = v * 10 + digit;
	}
	if (v > max)
		return ERR_LIMIT;
	*out = v;
	return OK;
}

enum err
span_i64(struct span s, int64_t *out)
{
	bool minus = s.len > 0 && s.ptr[0] == '-';
	uint64_t v;
	enum err e = span_u64(minus ? span_from(s, 1) : s, INT64_MAX, &v);

	if (e == OK)
		*out = minus ? -(int64_t)v : (int64_t)v;
	return e;
}

size_t
span_utf8_step(struct span s)
{
	static const struct {
		unsigned char lo, hi, lo2, hi2, len;
	} forms[] = {
		{ 0x01, 0x7f, 0x00, 0x00, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	const unsigned char *p = (const unsigned char *)s.ptr;

	for (size_t i = 0; s.len > 0 && i < COUNT(forms); i++) {
		if (p[0] < forms[i].lo || p[0] > forms[i].hi)
			continue;
		if (forms[i].len > s.len)
			return 0;
		if (forms[i].len > 1 &&
		    (p[1] < forms[i].lo2 || p[1] > forms[i].hi2))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

size_t
utf8_encode(uint32_t code, char out[4])
{
	static const unsigned char heads[] = { 0, 0xc0, 0xe0, 0xf0 };
	size_t more = code < 0x80 ? 0
	    : code < 0x800        ? 1
	    : code < 0x10000      ? 2
				  : 3;

	out[0] = (char)(heads[more] |
	    (code >> (6 * more) & (more == 0 ? 0x7fu : 0x3fu >> more)));
	for (size_t i = 1; i <= more; i++)
		out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
	return more + 1;
}

bool
span_utf8(struct span s)
{
	while (s.len > 0) {
		size_t n = span_utf8_step(s);

		if (n == 0)
			return false;
		s = span_from(s, n);
	}
	return true;
}

void
hex_encode(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

/* One more than the value of a hex digit; 0: not one. */
static const unsigned char hex_digits[256] = { ['0'] = 1,
	['1'] = 2,
	['2'] = 3,
	['3'] = 4,
	['4'] = 5,
	['5'] = 6,
	['6'] = 7,
	['7'] = 8,
	['8'] = 9,
	['9'] = 10,
	['a'] = 11,
	['b'] = 12,
	['c'] = 13,
	['d'] = 14,
	['e'] = 15,
	['f'] = 16,
	['A'] = 11,
	['B'] = 12,
	['C'] = 13,
	['D'] = 14,
	['E'] = 15,
	['F'] = 16 };

enum err
hex_decode(struct span s, void *bytes, size_t n)
{
	unsigned char *p = bytes;

	if (s.len != 2 * n)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.len; i++)
		if (hex_digits[(unsigned char)s.ptr[i]] == 0)
			return ERR_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		unsigned high = hex_digits[(unsigned char)s.ptr[2 * i]];
		unsigned low = hex_digits[(unsigned char)s.ptr[2 * i + 1]];

		p[i] = (unsigned char)((high - 1) << 4 | (low - 1));
	}
	return OK;
}
