#include "base/csv.h"

#include <string.h>

struct csv
csv_begin(struct span text)
{
	struct csv c = { .rest = text, .line = 1, .separator = ',' };
	struct span rest, header;

	if (span_starts(c.rest, "\xef\xbb\xbf"))
		c.rest = span_from(c.rest, 3);
	header = span_cut(c.rest, '\n', &rest);
	if (header.len > 0 && memchr(header.ptr, ',', header.len) == NULL) {
		if (memchr(header.ptr, ';', header.len) != NULL)
			c.separator = ';';
		else if (memchr(header.ptr, '\t', header.len) != NULL)
			c.separator = '\t';
	}
	return c;
}

/* Bytes of the line end that s begins with: 0 if it begins with none. */
static size_t
line_end(struct span s)
{
	if (s.len > 0 && s.ptr[0] == '\n')
		return 1;
	if (s.len == 0 || s.ptr[0] != '\r')
		return 0;
	if (s.len == 1)
		return 1;
	return s.ptr[1] == '\n' ? 2 : 0;
}

/* Moves behind the next newline; text without one is read to its end. */
static void
skip_line(struct csv *c)
{
	(void)span_cut(c->rest, '\n', &c->rest);
	c->line++;
}

/* What stands between the quotes that c->rest begins with, which moves behind
 * the closing one; false, and nothing moves, if there is none. */
static bool
take_quoted(struct csv *c, struct span *raw, size_t *doubled)
{
	struct span s = c->rest;
	size_t lines = 0, pairs = 0, i;

	for (i = 1; i < s.len; i++) {
		lines += s.ptr[i] == '\n';
		if (s.ptr[i] != '"')
			continue;
		if (i + 1 == s.len || s.ptr[i + 1] != '"')
			break;
		pairs++;
		i++;
	}
	if (i >= s.len)
		return false;
	*raw = (struct span){ s.ptr + 1, i - 1 };
	*doubled = pairs;
	c->rest = span_from(s, i + 1);
	c->line += lines;
	return true;
}

/* Moves behind a bad row.  Quoted newlines belong to it, so that what stands
 * in a field is never taken for a row; but a quote that nobody closed costs
 * one line, not all the rows below it. */
static void
skip_row(struct csv *c)
{
	struct csv start = *c;

	for (;;) {
		struct span s;
		size_t pairs, n = 0;

		if (c->rest.len > 0 && c->rest.ptr[0] == '"' &&
		    !take_quoted(c, &s, &pairs)) {
			*c = start;
			skip_line(c);
			return;
		}
		s = c->rest;
		while (n < s.len && s.ptr[n] != c->separator &&
		    line_end(span_from(s, n)) == 0)
			n++;
		if (n == s.len || s.ptr[n] != c->separator) {
			skip_line(c);
			return;
		}
		c->rest = span_from(s, n + 1);
	}
}

/* The text without its doubled quotes. */
static enum err
undouble(struct span raw, struct arena *a, struct span *out, struct errinfo *ei)
{
	char *text = arena_alloc(a, raw.len + 1, 1);
	size_t n = 0;

	if (text == NULL)
		return err_set(ei, ERR_NOMEM, "table");
	for (size_t i = 0; i < raw.len; i++) {
		text[n++] = raw.ptr[i];
		i += raw.ptr[i] == '"';
	}
	*out = (struct span){ text, n };
	return OK;
}

/* A field in quotes; c->rest moves behind the closing one. */
static enum err
quoted_field(
    struct csv *c, struct arena *a, struct span *out, struct errinfo *ei)
{
	struct span raw;
	size_t doubled;

	if (!take_quoted(c, &raw, &doubled))
		return err_set(ei, ERR_SYNTAX, "a quote is not closed");
	if (raw.len - doubled > CSV_FIELD_MAX)
		return err_set(ei, ERR_LIMIT, "a field is longer than %d bytes",
		    CSV_FIELD_MAX);
	*out = raw;
	return doubled == 0 ? OK : undouble(raw, a, out, ei);
}

static enum err
plain_field(struct csv *c, struct span *out, struct errinfo *ei)
{
	struct span s = c->rest;
	size_t n = 0;

	while (n < s.len && s.ptr[n] != c->separator &&
	    line_end(span_from(s, n)) == 0) {
		if (s.ptr[n] == '"')
			return err_set(
			    ei, ERR_SYNTAX, "a quote stands inside a field");
		if (n == CSV_FIELD_MAX)
			return err_set(ei, ERR_LIMIT,
			    "a field is longer than %d bytes", CSV_FIELD_MAX);
		n++;
	}
	*out = (struct span){ s.ptr, n };
	c->rest = span_from(s, n);
	return OK;
}

/* One field and its separator; *more is false behind the last of a row. */
static enum err
read_field(struct csv *c, struct arena *a, struct span *out, bool *more,
    struct errinfo *ei)
{
	enum err e = c->rest.len > 0 && c->rest.ptr[0] == '"'
	    ? quoted_field(c, a, out, ei)
	    : plain_field(c, out, ei);
	size_t end;

	if (e != OK)
		return e;
	if (!span_utf8(*out))
		return err_set(ei, ERR_SYNTAX, "text is not UTF-8");
	end = line_end(c->rest);
	*more = c->rest.len > 0 && end == 0;
	if (*more && c->rest.ptr[0] != c->separator)
		return err_set(
		    ei, ERR_SYNTAX, "text stands behind a closing quote");
	c->line += end > 0;
	c->rest = span_from(c->rest, *more ? 1 : end);
	return OK;
}

static enum err
read_row(
    struct csv *c, struct arena *a, struct csv_row *row, struct errinfo *ei)
{
	bool more = true;

	while (more) {
		struct span field;
		enum err e = read_field(c, a, &field, &more, ei);

		if (e != OK)
			return e;
		if (row->count == CSV_FIELDS_MAX)
			return err_set(ei, ERR_LIMIT, "more than %d fields",
			    CSV_FIELDS_MAX);
		row->field[row->count++] = field;
	}
	return OK;
}

enum err
csv_next(struct csv *c, struct arena *a, struct csv_row *row, bool *more,
    struct errinfo *ei)
{
	struct errinfo inner = { 0 };
	struct csv at;
	enum err e;

	while (line_end(c->rest) > 0) /* empty rows are no rows */
		skip_line(c);
	*row = (struct csv_row){ .line = c->line };
	*more = c->rest.len > 0;
	if (!*more)
		return OK;
	at = *c;
	e = read_row(&at, a, row, &inner);
	if (e == OK) {
		*c = at;
		return OK;
	}
	skip_row(c);
	return err_set(ei, e, "line %zu: %s", row->line, inner.msg);
}
