#include "formats/text/header.h"

#include <string.h>

#include "formats/base64.h"
#include "formats/bytes.h"
#include "formats/text/decode.h"
#include "formats/text/lines.h"

#define FIELD_MAX 65536u /* bytes of a field that are looked at */

/* ---- fields ------------------------------------------------------------------------ */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "Name:" at the start of a line. */
static bool
is_field(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.ptr[n] > ' ' && line.ptr[n] != ':')
		n++;
	while (n < line.len && is_blank(line.ptr[n]))
		n++;
	return n > 0 && n < line.len && line.ptr[n] == ':';
}

/* The field at *at with the lines that continue it. */
static bool
next_field(struct span s, size_t *at, struct span *field)
{
	size_t from = *at, end;
	struct span line;

	if (!lines_next(s, at, &line) || !is_field(line)) {
		*at = line.len == 0 ? *at : from;
		return false;
	}
	end = *at;
	while (*at < s.len && (s.ptr[*at] == ' ' || s.ptr[*at] == '\t') &&
	    lines_next(s, at, &line))
		end = *at;
	*field = bytes_sub(s, from, end - from);
	if (field->len > FIELD_MAX)
		field->len = FIELD_MAX;
	return true;
}

struct header
header_read(struct span s, size_t *at)
{
	struct header h = { { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
	struct span field;

	while (next_field(s, at, &field)) {
		struct span value,
		    name = span_trim(span_cut(field, ':', &value));

		value = span_trim(value);
		if (lines_same(name, SPAN("Content-Type")))
			h.type =
			    span_trim(span_cut(value, ';', &h.type_fields));
		else if (lines_same(name, SPAN("Content-Transfer-Encoding")))
			h.encoding = value;
		else if (lines_same(name, SPAN("Content-Disposition")))
			(void)span_cut(value, ';', &h.disposition);
	}
	return h;
}

/* ---- parameters --------------------------------------------------------------------- */

/* One "name=value" of a list; the value without its quotes. */
static bool
next_parameter(struct span *rest, struct span *name, struct span *value)
{
	const char *equals = memchr(rest->ptr, '=', rest->len);
	size_t n = 0;

	if (equals == NULL)
		return false;
	*name = (struct span){ rest->ptr, (size_t)(equals - rest->ptr) };
	*rest = span_from(*rest, name->len + 1);
	while (name->len > 0 && memchr(name->ptr, ';', name->len) != NULL)
		(void)span_cut(*name, ';', name);
	*name = span_trim(*name);
	while (rest->len > 0 && is_blank(rest->ptr[0]))
		*rest = span_from(*rest, 1);
	if (rest->len > 0 && rest->ptr[0] == '"') {
		*rest = span_from(*rest, 1);
		while (n < rest->len && rest->ptr[n] != '"')
			n += rest->ptr[n] == '\\' && n + 1 < rest->len ? 2 : 1;
	} else {
		while (n < rest->len && rest->ptr[n] != ';' &&
		    !is_blank(rest->ptr[n]))
			n++;
	}
	*value = (struct span){ rest->ptr, n < rest->len ? n : rest->len };
	*rest = span_from(*rest, value->len);
	return true;
}

static void
add_unescaped(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.ptr[i] != '\r' && s.ptr[i] != '\n')
			buf_char(out, s.ptr[i]);
	}
}

/* charset'language'text with %xx */
static void
add_extended(struct span s, bool first, struct buf *out)
{
	for (int i = 0; first && i < 2 && memchr(s.ptr, '\'', s.len) != NULL;
	     i++)
		(void)span_cut(s, '\'', &s);
	decode_escapes(s, '%', out);
}

/* "filename", "filename*", "filename*0", "filename*0*": true, and whether it
 * is percent-encoded. */
static bool
is_named(struct span have, const char *name, bool *extended, bool *first)
{
	struct span more;

	if (!lines_starts(have, span_of(name)))
		return false;
	more = span_from(have, strlen(name));
	*extended = more.len > 0 && more.ptr[more.len - 1] == '*';
	*first = more.len < 2 || more.ptr[1] == '0';
	return more.len == 0 || more.ptr[0] == '*';
}

bool
header_field(struct span fields, const char *name, struct buf *out)
{
	struct span have, value;
	bool found = false, extended, first;

	while (next_parameter(&fields, &have, &value)) {
		if (!is_named(have, name, &extended, &first))
			continue;
		found = true;
		if (extended)
			add_extended(value, first, out);
		else
			add_unescaped(value, out);
	}
	return found;
}

/* ---- file names --------------------------------------------------------------------- */

/* =?charset?B or Q?text?= at the start of `s`; bytes of it, or 0. */
static size_t
add_word(struct span s, struct buf *out)
{
	struct span rest = span_from(s, 2), how, text;
	const char *end;

	if (!span_starts(s, "=?"))
		return 0;
	(void)span_cut(rest, '?', &rest);
	how = span_cut(rest, '?', &rest);
	end = memmem(rest.ptr, rest.len, "?=", 2);
	if (how.len != 1 || end == NULL)
		return 0;
	text = (struct span){ rest.ptr, (size_t)(end - rest.ptr) };
	if (how.ptr[0] == 'B' || how.ptr[0] == 'b')
		base64_add(text, out);
	else
		decode_escapes(text, '=', out);
	return (size_t)(end + 2 - s.ptr);
}

void
header_file_name(const struct header *h, struct buf *out)
{
	struct buf raw = buf_make(HEADER_NAME_MAX);
	struct span s;

	if (!header_field(h->disposition, "filename", &raw))
		(void)header_field(h->type_fields, "name", &raw);
	s = buf_view(&raw);
	while (s.len > 0) {
		size_t n = add_word(s, out);

		if (n == 0) {
			buf_char(out, s.ptr[0]);
			n = 1;
		}
		s = span_from(s, n);
	}
	buf_free(&raw);
}
