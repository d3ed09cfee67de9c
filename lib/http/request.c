/* What handlers ask of a request. */

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "http/http_int.h"

/* The exchange around a request. */
static const struct exchange *
around(const struct http_req *rq)
{
	return rq->internal;
}

const char *
http_header(const struct http_req *rq, const char *name)
{
	return MHD_lookup_connection_value(
	    around(rq)->mhd, MHD_HEADER_KIND, name);
}

const char *
http_cookie(const struct http_req *rq, const char *name)
{
	const char *header = http_header(rq, "Cookie");
	struct span value = cookie_find(span_of(header), name);

	return value.ptr == NULL ? NULL : arena_text(rq->arena, value);
}

struct span
http_query(const struct http_req *rq, const char *name)
{
	return pairs_find(&around(rq)->query, name);
}

struct span
http_form(const struct http_req *rq, const char *name)
{
	return pairs_find(&around(rq)->form, name);
}

enum err
http_param_uuid(
    const struct http_req *rq, int i, struct uuid *out, struct errinfo *ei)
{
	if (uuid_parse(rq->params[i], out) != OK)
		return err_set(ei, ERR_NOT_FOUND, "no such thing: " SPAN_FMT,
		    SPAN_ARG(rq->params[i]));
	return OK;
}

bool
type_is(const struct http_req *rq, const char *type)
{
	struct span rest,
	    have = span_trim(span_cut(span_of(rq->content_type), ';', &rest));

	return have.len == strlen(type) &&
	    strncasecmp(have.ptr, type, have.len) == 0;
}

enum err
http_json_body(
    const struct http_req *rq, const json_t **out, struct errinfo *ei)
{
	struct exchange *x = rq->internal;
	enum err e;

	if (!type_is(rq, "application/json"))
		return err_field(ei, ERR_SYNTAX, "Content-Type",
		    "the body must be application/json");
	if (x->tree == NULL) {
		e = json_parse(rq->body, &x->tree, ei);
		if (e != OK)
			return e;
	}
	if (!json_is_object(x->tree))
		return err_set(
		    ei, ERR_SYNTAX, "the body must be a JSON object");
	*out = x->tree;
	return OK;
}
