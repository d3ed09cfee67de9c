#include "store/store_int.h"

#include <ctype.h>
#include <string.h>

#define PARAMETER_DIGITS 3

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t
find_from(struct span s, size_t at, const char *end)
{
	size_t n = strlen(end);

	for (; at + n <= s.len; at++)
		if (memcmp(s.ptr + at, end, n) == 0)
			return at + n;
	return s.len;
}

/* The length of the string, quoted name or comment that begins at s[at], or
 * 0.  One that is not closed goes to the end.  A doubled quote inside reads
 * as two strings side by side, which comes to the same. */
static size_t
opaque_length(struct span s, size_t at)
{
	static const struct {
		const char *begin, *end;
	} kinds[] = {
		{ "'", "'" },
		{ "\"", "\"" },
		{ "--", "\n" },
		{ "/*", "*/" },
	};

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (span_starts(span_from(s, at), kinds[i].begin))
			return find_from(s, at + strlen(kinds[i].begin),
				   kinds[i].end) -
			    at;
	return 0;
}

static size_t
digits(struct span s)
{
	size_t n = 0;

	while (n < s.len && isdigit((unsigned char)s.ptr[n]))
		n++;
	return n;
}

static enum err
translate_parameter(struct span s, size_t *at, struct buf *out, int *highest,
    struct errinfo *ei)
{
	struct span rest = span_from(s, *at + 1);
	size_t n = digits(rest);
	uint64_t number = 0;

	if (n == 0 || n > PARAMETER_DIGITS ||
	    span_u64((struct span){ rest.ptr, n }, 999, &number) != OK ||
	    number == 0)
		return err_set(ei, ERR_SYNTAX,
		    "statement: '?' without a number at byte %zu", *at);
	if ((int)number > *highest)
		*highest = (int)number;
	buf_fmt(out, "$%d", (int)number);
	*at += 1 + n;
	return OK;
}

enum err
words_translate(
    struct span text, struct buf *out, int *highest, struct errinfo *ei)
{
	*highest = 0;
	for (size_t at = 0; at < text.len;) {
		size_t n = opaque_length(text, at);

		if (n == 0 && text.ptr[at] == '?') {
			enum err e =
			    translate_parameter(text, &at, out, highest, ei);

			if (e != OK)
				return e;
			continue;
		}
		if (n == 0)
			n = 1;
		buf_add(out, text.ptr + at, n);
		at += n;
	}
	return buf_check(out, ei);
}

bool
words_statement(struct span *rest, struct span *statement)
{
	struct span s;

	do {
		size_t at = 0, n;

		s = *rest;
		while (at < s.len && !span_starts(span_from(s, at), ";\n")) {
			n = opaque_length(s, at);
			at += n > 0 ? n : 1;
		}
		*rest = span_from(s, at + 2);
		s = span_trim((struct span){ s.ptr, at });
		if (span_ends(s, ";"))
			s = span_trim((struct span){ s.ptr, s.len - 1 });
	} while (s.len == 0 && rest->len > 0);
	*statement = s;
	return s.len > 0;
}

static struct span
next_word(struct span *s)
{
	struct span w = span_trim(*s);
	size_t n = 0;

	while (n < w.len && is_word(w.ptr[n]))
		n++;
	*s = span_from(w, n);
	return (struct span){ w.ptr, n };
}

/* The name in "CREATE TABLE [IF NOT EXISTS] name", or empty. */
static struct span
table_name(struct span statement)
{
	struct span w;

	if (!span_is(next_word(&statement), "CREATE") ||
	    !span_is(next_word(&statement), "TABLE"))
		return (struct span){ "", 0 };
	w = next_word(&statement);
	if (span_is(w, "IF")) {
		(void)next_word(&statement);
		(void)next_word(&statement);
		w = next_word(&statement);
	}
	return w;
}

static const char *
word_text(const struct sql_word *words, struct span name)
{
	for (; words->name != NULL; words++)
		if (span_is(name, words->name))
			return words->text;
	return NULL;
}

static enum err
expand_word(struct span s, size_t *at, const struct sql_word *words,
    struct buf *out, bool *tenant, struct errinfo *ei)
{
	struct span rest = span_from(s, *at + 1);
	struct span name = span_cut(rest, '}', &rest);
	bool closed = *at + 1 + name.len < s.len;
	const char *text = closed ? word_text(words, name) : NULL;

	if (text == NULL)
		return err_set(ei, ERR_SYNTAX,
		    "migration: unknown word {" SPAN_FMT "}", SPAN_ARG(name));
	*tenant |= span_is(name, "TENANT");
	buf_text(out, text);
	*at += name.len + 2;
	return OK;
}

/* A piece of text that is copied as it is, or a whole word. */
static void
expand_plain(
    struct span s, size_t *at, const struct sql_word *words, struct buf *out)
{
	size_t n = opaque_length(s, *at);
	struct span piece;

	if (n == 0)
		while (*at + n < s.len && is_word(s.ptr[*at + n]))
			n++;
	piece = (struct span){ s.ptr + *at, n > 0 ? n : 1 };
	*at += piece.len;
	if (span_is(piece, "INTEGER"))
		buf_text(out, word_text(words, SPAN("INT")));
	else if (span_is(piece, "TEXT"))
		buf_text(out, word_text(words, piece));
	else
		buf_span(out, piece);
}

enum err
words_expand(struct span text, const struct sql_word *words, struct buf *out,
    struct span *tenant, struct errinfo *ei)
{
	bool is_tenant = false;
	enum err e = OK;

	for (size_t at = 0; at < text.len && e == OK;) {
		if (text.ptr[at] == '{')
			e = expand_word(text, &at, words, out, &is_tenant, ei);
		else
			expand_plain(text, &at, words, out);
	}
	if (e == OK)
		e = buf_check(out, ei);
	if (e != OK)
		return e;
	*tenant = is_tenant ? table_name(text) : (struct span){ "", 0 };
	if (is_tenant && tenant->len == 0)
		return err_set(ei, ERR_SYNTAX,
		    "migration: {TENANT} does not end a CREATE TABLE");
	return OK;
}
