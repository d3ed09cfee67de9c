#include "base/json.h"

#include <string.h>

#include "base/buf.h"

/* Whether brackets outside of strings nest deeper than allowed.  Exact for
 * well-formed text; the rest jansson refuses, which counts them too. */
static bool
too_deep(struct span text)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			depth++;
		else if (!quoted && (c == ']' || c == '}'))
			depth--;
		if (depth > JSON_DEPTH_MAX)
			return true;
	}
	return false;
}

enum err
json_parse(struct span text, json_t **out, struct errinfo *ei)
{
	json_error_t error;
	json_t *tree;

	if (too_deep(text))
		return err_set(ei, ERR_LIMIT, "JSON nested deeper than %d",
		    JSON_DEPTH_MAX);
	tree = json_loadb(text.ptr == NULL ? "" : text.ptr, text.len,
	    JSON_REJECT_DUPLICATES, &error);
	if (tree == NULL)
		return err_set(ei, ERR_SYNTAX, "JSON line %d column %d: %s",
		    error.line, error.column, error.text);
	*out = tree;
	return OK;
}

static enum err
member(const json_t *o, const char *key, bool right_type(const json_t *),
    const char *type, const json_t **out, struct errinfo *ei)
{
	const json_t *v = json_object_get(o, key);

	if (v == NULL)
		return err_field(
		    ei, ERR_SYNTAX, key, "field %s is missing", key);
	if (!right_type(v))
		return err_field(
		    ei, ERR_SYNTAX, key, "field %s must be %s", key, type);
	*out = v;
	return OK;
}

#define IS(name, test)                                                         \
	static bool name(const json_t *v)                                      \
	{                                                                      \
		return test(v);                                                \
	}
IS(is_text, json_is_string)
IS(is_int, json_is_integer)
IS(is_bool, json_is_boolean)
IS(is_array, json_is_array)
IS(is_object, json_is_object)

enum err
json_get_text(const json_t *o, const char *key, size_t max, struct span *out,
    struct errinfo *ei)
{
	const json_t *v;
	enum err e = member(o, key, is_text, "text", &v, ei);

	if (e != OK)
		return e;
	if (json_string_length(v) > max)
		return err_field(ei, ERR_LIMIT, key,
		    "field %s is longer than %zu bytes", key, max);
	*out = (struct span){ json_string_value(v), json_string_length(v) };
	return OK;
}

enum err
json_get_int(const json_t *o, const char *key, int64_t lo, int64_t hi,
    int64_t *out, struct errinfo *ei)
{
	const json_t *v;
	enum err e = member(o, key, is_int, "a whole number", &v, ei);

	if (e != OK)
		return e;
	if (json_integer_value(v) < lo || json_integer_value(v) > hi)
		return err_field(ei, ERR_LIMIT, key,
		    "field %s must be between %lld and %lld", key,
		    (long long)lo, (long long)hi);
	*out = json_integer_value(v);
	return OK;
}

enum err
json_get_bool(const json_t *o, const char *key, bool *out, struct errinfo *ei)
{
	const json_t *v;
	enum err e = member(o, key, is_bool, "true or false", &v, ei);

	if (e == OK)
		*out = json_is_true(v);
	return e;
}

enum err
json_get_uuid(
    const json_t *o, const char *key, struct uuid *out, struct errinfo *ei)
{
	struct span text;
	enum err e = json_get_text(o, key, UUID_TEXT_MAX, &text, ei);

	if (e != OK)
		return e;
	if (uuid_parse(text, out) != OK)
		return err_field(
		    ei, ERR_SYNTAX, key, "field %s must be a UUID", key);
	return OK;
}

enum err
json_get_array(const json_t *o, const char *key, size_t max, const json_t **out,
    struct errinfo *ei)
{
	const json_t *v;
	enum err e = member(o, key, is_array, "an array", &v, ei);

	if (e != OK)
		return e;
	if (json_array_size(v) > max)
		return err_field(ei, ERR_LIMIT, key,
		    "field %s has more than %zu items", key, max);
	*out = v;
	return OK;
}

enum err
json_get_object(
    const json_t *o, const char *key, const json_t **out, struct errinfo *ei)
{
	return member(o, key, is_object, "an object", out, ei);
}

/* Bytes that are not ASCII become \xHH, and so does a backslash. */
static json_t *
escaped_text(struct span s)
{
	struct buf b = buf_make(s.len * 4 + 1);
	json_t *v;

	while (s.len > 0) {
		size_t n = s.ptr[0] == '\\' ? 0 : span_utf8_step(s);

		if (n == 0)
			buf_fmt(&b, "\\x%02x", (unsigned char)s.ptr[0]);
		else
			buf_add(&b, s.ptr, n);
		s = span_from(s, n == 0 ? 1 : n);
	}
	v = json_stringn(b.ptr == NULL ? "" : b.ptr, b.len);
	buf_free(&b);
	return v;
}

void
json_put_text(json_t *o, const char *key, struct span text)
{
	json_t *v = text.len == 0 ? json_string("")
	    : span_utf8(text)     ? json_stringn(text.ptr, text.len)
				  : escaped_text(text);

	(void)json_object_set_new(o, key, v);
}

void
json_put_int(json_t *o, const char *key, int64_t value)
{
	(void)json_object_set_new(o, key, json_integer(value));
}

void
json_put_bool(json_t *o, const char *key, bool value)
{
	(void)json_object_set_new(o, key, json_boolean(value));
}

void
json_put_uuid(json_t *o, const char *key, struct uuid value)
{
	char text[UUID_TEXT_MAX];

	uuid_text(value, text);
	(void)json_object_set_new(o, key, json_string(text));
}

void
json_put_time(json_t *o, const char *key, int64_t utc_ms)
{
	char text[TIME_TEXT_MAX];

	time_rfc3339(utc_ms, text);
	(void)json_object_set_new(o, key, json_string(text));
}

json_t *
json_put_new(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
	return value;
}
