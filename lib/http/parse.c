/* What requests hold: paths, query strings, cookies.  Pure functions of
 * bytes. */

#include <string.h>
#include <strings.h>

#include "http/http_int.h"

/* %XX at s[i]; false if it is none. */
static bool
escape_at(struct span s, size_t i, char *out)
{
	return s.len - i >= 3 &&
	    hex_decode((struct span){ s.ptr + i + 1, 2 }, out, 1) == OK;
}

static enum err
percent_decode(struct span s, bool plus, struct arena *a, struct span *out,
    struct errinfo *ei)
{
	char *text = arena_alloc(a, s.len + 1, 1);
	size_t n = 0;

	if (text == NULL)
		return err_set(ei, ERR_NOMEM, "request");
	for (size_t i = 0; i < s.len; i++) {
		char ch = s.ptr[i];

		if (ch == '%' && !escape_at(s, i, &ch))
			return err_set(
			    ei, ERR_SYNTAX, "bad %% escape at byte %zu", i);
		if (s.ptr[i] == '%')
			i += 2;
		else if (ch == '+' && plus)
			ch = ' ';
		text[n++] = ch;
	}
	*out = (struct span){ text, n };
	return OK;
}

bool
text_ok(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == 0x7f ||
		    (c < 0x20 && c != '\t' && c != '\r' && c != '\n'))
			return false;
	}
	return span_utf8(s);
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static bool
dotted(struct span path)
{
	while (path.len > 0) {
		struct span part = span_cut(path, '/', &path);

		if (span_is(part, ".") || span_is(part, ".."))
			return true;
	}
	return false;
}

/* Before decoding: what a request line may hold (RFC 3986), and no "%2F",
 * which would make two segments of one. */
static bool
raw_path_ok(struct span raw)
{
	char c;

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.ptr[i] <= 0x20 || raw.ptr[i] >= 0x7f ||
		    raw.ptr[i] == '#')
			return false;
		if (raw.ptr[i] == '%' && escape_at(raw, i, &c) && c == '/')
			return false;
	}
	return raw.len > 0 && raw.ptr[0] == '/';
}

enum err
path_decode(
    struct span raw, struct arena *a, const char **out, struct errinfo *ei)
{
	struct span path;
	enum err e;

	if (!raw_path_ok(raw))
		return err_field(ei, ERR_SYNTAX, "path", "bad path");
	e = percent_decode(raw, false, a, &path, ei);
	if (e == ERR_SYNTAX)
		return err_field(ei, e, "path", "bad %% escape in the path");
	if (e != OK)
		return e;
	if (has_control(path))
		return err_field(
		    ei, ERR_SYNTAX, "path", "control character in the path");
	if (!span_utf8(path))
		return err_field(
		    ei, ERR_SYNTAX, "path", "the path is not UTF-8");
	if (dotted(path))
		return err_field(
		    ei, ERR_SYNTAX, "path", "the path has a dot segment");
	*out = path.ptr; /* arena memory is zeroed: NUL-terminated */
	return OK;
}

/* ---- fields ---- */

enum err
pairs_add(struct pairs *p, struct arena *a, struct span name, struct span value,
    struct errinfo *ei)
{
	if (p->list == NULL)
		p->list = ARENA_NEW(a, struct pair, HTTP_FORM_MAX);
	if (p->list == NULL)
		return err_set(ei, ERR_NOMEM, "form");
	if (p->count == HTTP_FORM_MAX)
		return err_set(ei, ERR_LIMIT, "a form of more than %d fields",
		    HTTP_FORM_MAX);
	p->list[p->count++] = (struct pair){ name, value };
	return OK;
}

struct span
pairs_find(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (span_is(p->list[i].name, name))
			return p->list[i].value;
	return (struct span){ "", 0 };
}

static enum err
add_field(
    struct span part, struct arena *a, struct pairs *out, struct errinfo *ei)
{
	struct span value, name = span_cut(part, '=', &value);
	char field[sizeof(ei->field)] = "";
	enum err e = percent_decode(name, true, a, &name, ei);

	if (e != OK)
		return e;
	if (!text_ok(name))
		return err_set(
		    ei, ERR_SYNTAX, "the name of a field is not text");
	if (name.len < sizeof(field) && name.len > 0)
		memcpy(field, name.ptr, name.len);
	e = percent_decode(value, true, a, &value, ei);
	if (e == ERR_SYNTAX)
		return err_field(ei, e, field, "bad %% escape");
	if (e == OK && !text_ok(value))
		return err_field(ei, ERR_SYNTAX, field, "not UTF-8 text");
	return e == OK ? pairs_add(out, a, name, value, ei) : e;
}

enum err
urlencoded_parse(
    struct span s, struct arena *a, struct pairs *out, struct errinfo *ei)
{
	struct pairs all = { 0 };

	while (s.len > 0) {
		struct span part = span_cut(s, '&', &s);
		enum err e = part.len == 0 ? OK : add_field(part, a, &all, ei);

		if (e != OK)
			return e;
	}
	*out = all;
	return OK;
}

/* ---- headers ---- */

/* One "key=value" or "key" up to `sep`, quotes respected and taken off. */
static struct span
cut_parameter(struct span *rest, char sep, struct span *value)
{
	struct span s = *rest, key;
	bool quoted = false;
	size_t n = 0;

	while (n < s.len && (quoted || s.ptr[n] != sep))
		quoted ^= s.ptr[n++] == '"';
	*rest = span_from(s, n + 1);
	s.len = n;
	key = span_trim(span_cut(s, '=', value));
	*value = span_trim(*value);
	if (value->len >= 2 && value->ptr[0] == '"' &&
	    value->ptr[value->len - 1] == '"')
		*value = (struct span){ value->ptr + 1, value->len - 2 };
	return key;
}

static bool
same_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

struct span
header_parameter(struct span header, const char *name)
{
	struct span value;

	(void)cut_parameter(&header, ';', &value); /* the header's own value */
	while (header.len > 0)
		if (same_word(cut_parameter(&header, ';', &value), name))
			return value;
	return (struct span){ NULL, 0 };
}

struct span
cookie_find(struct span header, const char *name)
{
	while (header.len > 0) {
		struct span part = span_cut(header, ';', &header), value;

		if (!span_is(span_trim(span_cut(part, '=', &value)), name))
			continue;
		value = span_trim(value);
		if (value.len >= 2 && value.ptr[0] == '"' &&
		    value.ptr[value.len - 1] == '"')
			value = (struct span){ value.ptr + 1, value.len - 2 };
		return value.ptr == NULL ? SPAN("") : value;
	}
	return (struct span){ NULL, 0 };
}

/* "q=0", "q=0.0": not acceptable at all. */
static bool
no_quality(struct span params)
{
	struct span value;

	if (!same_word(cut_parameter(&params, ';', &value), "q") ||
	    value.len == 0 || value.ptr[0] != '0')
		return false;
	for (size_t i = 1; i < value.len; i++)
		if (value.ptr[i] != '.' && value.ptr[i] != '0')
			return false;
	return true;
}

bool
accepts_gzip(struct span header)
{
	while (header.len > 0) {
		struct span params = span_cut(header, ',', &header);
		struct span coding = span_trim(span_cut(params, ';', &params));

		if (same_word(coding, "gzip"))
			return !no_quality(params);
	}
	return false;
}
