/* multipart/form-data (RFC 7578, RFC 2046 5.1), as browsers write it and no
 * other way: nothing before the first boundary, no blanks after one. */

#include <string.h>
#include <strings.h>

#include "http/http_int.h"

#define BOUNDARY_MAX 70 /* RFC 2046 */
#define MARK_MAX     (BOUNDARY_MAX + 4)

/* The part of *s before `what`, which is taken off too.  False: not there. */
static bool
cut_at(struct span *s, struct span what, struct span *before)
{
	const char *at =
	    s->len == 0 ? NULL : memmem(s->ptr, s->len, what.ptr, what.len);

	if (at == NULL)
		return false;
	*before = (struct span){ s->ptr, (size_t)(at - s->ptr) };
	*s = span_from(*s, before->len + what.len);
	return true;
}

/* The value of the header Content-Disposition among those of a part. */
static struct span
disposition(struct span head)
{
	static const char name[] = "content-disposition";

	while (head.len > 0) {
		struct span value, line = span_cut(head, '\n', &head);
		struct span key = span_cut(line, ':', &value);

		if (key.len == sizeof(name) - 1 &&
		    strncasecmp(key.ptr, name, key.len) == 0)
			return span_trim(value);
	}
	return (struct span){ NULL, 0 };
}

/* A part: headers, an empty line, contents. */
static enum err
read_part(
    struct span part, struct arena *a, struct pairs *out, struct errinfo *ei)
{
	struct span head, name, form;
	char field[sizeof(ei->field)] = "";

	if (!cut_at(&part, SPAN("\r\n\r\n"), &head) ||
	    head.len > HTTP_PARTS_HEAD)
		return err_set(ei, ERR_SYNTAX, "multipart: part without head");
	form = disposition(head);
	name = header_parameter(form, "name");
	if (!span_starts(form, "form-data;") || name.len == 0 || !text_ok(name))
		return err_set(ei, ERR_SYNTAX, "multipart: part without name");
	if (name.len < sizeof(field))
		memcpy(field, name.ptr, name.len);
	/* A file may hold any byte; a field is text. */
	if (header_parameter(form, "filename").ptr == NULL && !text_ok(part))
		return err_field(ei, ERR_SYNTAX, field, "not UTF-8 text");
	return pairs_add(out, a, name, part, ei);
}

enum err
multipart_parse(struct span body, struct span type, struct arena *a,
    struct pairs *out, struct errinfo *ei)
{
	struct span boundary = header_parameter(type, "boundary"), part;
	char mark[MARK_MAX] = "\r\n--";
	struct span first, later;
	struct pairs all = { 0 };
	enum err e = OK;

	if (boundary.len == 0 || boundary.len > BOUNDARY_MAX)
		return err_set(ei, ERR_SYNTAX, "multipart: no boundary");
	memcpy(mark + 4, boundary.ptr, boundary.len);
	later = (struct span){ mark, boundary.len + 4 };
	first = span_from(later, 2);
	if (body.len < first.len || memcmp(body.ptr, first.ptr, first.len) != 0)
		return err_set(ei, ERR_SYNTAX, "multipart: no first boundary");
	body = span_from(body, first.len);
	while (e == OK && !span_is(body, "--") && !span_is(body, "--\r\n")) {
		if (!span_starts(body, "\r\n"))
			return err_set(
			    ei, ERR_SYNTAX, "multipart: bytes after boundary");
		body = span_from(body, 2);
		if (!cut_at(&body, later, &part))
			return err_set(
			    ei, ERR_SYNTAX, "multipart: part without end");
		e = read_part(part, a, &all, ei);
	}
	if (e == OK)
		*out = all;
	return e;
}
