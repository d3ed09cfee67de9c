/* The route table: every door of the house, checked when it is built. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_int.h"

#define ROUTES_MAX 1024

struct router {
	const struct route *routes[ROUTES_MAX];
	size_t count;
};

/* The next segment of a path or pattern, without its '/'. */
static struct span
segment(struct span *s)
{
	struct span rest, head = span_cut(span_from(*s, 1), '/', &rest);

	*s = span_from(*s, head.len + 1);
	return head;
}

static bool
is_param(struct span part)
{
	return part.len > 2 && part.ptr[0] == '{' &&
	    part.ptr[part.len - 1] == '}';
}

static bool
match(
    const char *pattern, const char *path, struct span params[HTTP_PARAMS_MAX])
{
	struct span a = span_of(pattern), b = span_of(path);
	int n = 0;

	while (a.len > 0 && b.len > 0) {
		struct span want = segment(&a), have = segment(&b);

		if (!is_param(want)) {
			if (!span_eq(want, have))
				return false;
			continue;
		}
		if (have.len == 0)
			return false;
		params[n++] = have;
	}
	return a.len == 0 && b.len == 0;
}

/* Two patterns that some path would fit both. */
static bool
overlap(const char *x, const char *y)
{
	struct span a = span_of(x), b = span_of(y);

	while (a.len > 0 && b.len > 0) {
		struct span p = segment(&a), q = segment(&b);

		if (!is_param(p) && !is_param(q) && !span_eq(p, q))
			return false;
	}
	return a.len == 0 && b.len == 0;
}

static bool
method_ok(const char *method)
{
	static const char *const known[] = { "GET", "POST", "PUT", "PATCH",
		"DELETE" };

	for (size_t i = 0; i < COUNT(known); i++)
		if (strcmp(method, known[i]) == 0)
			return true;
	return false;
}

/* Begins with '/', parameters are whole segments and not too many. */
static bool
pattern_ok(const char *pattern)
{
	struct span s = span_of(pattern);
	int params = 0;

	if (!span_starts(s, "/"))
		return false;
	while (s.len > 0) {
		struct span part = segment(&s);

		if (is_param(part))
			params++;
		else if (part.len > 0 &&
		    (memchr(part.ptr, '{', part.len) != NULL ||
			memchr(part.ptr, '}', part.len) != NULL))
			return false;
		if (part.len == 0 && strcmp(pattern, "/") != 0)
			return false;
	}
	return params <= HTTP_PARAMS_MAX;
}

static enum err
add(struct router *r, const struct route *rt, struct errinfo *ei)
{
	if (rt->pattern == NULL || rt->handler == NULL ||
	    !method_ok(rt->method) || !pattern_ok(rt->pattern))
		return err_set(ei, ERR_SYNTAX, "route %s %s is not whole",
		    rt->method, rt->pattern == NULL ? "" : rt->pattern);
	if (rt->permission == NULL || rt->permission[0] == '\0')
		return err_set(ei, ERR_SYNTAX, "route %s %s has no permission",
		    rt->method, rt->pattern);
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->routes[i]->method, rt->method) == 0 &&
		    overlap(r->routes[i]->pattern, rt->pattern))
			return err_set(ei, ERR_EXISTS,
			    "routes %s %s and %s answer the same request",
			    rt->method, rt->pattern, r->routes[i]->pattern);
	if (r->count == ROUTES_MAX)
		return err_set(
		    ei, ERR_LIMIT, "more than %d routes", ROUTES_MAX);
	r->routes[r->count++] = rt;
	return OK;
}

enum err
router_new(
    const struct route *const *tables, struct router **out, struct errinfo *ei)
{
	struct router *r = calloc(1, sizeof(*r));
	enum err e = r == NULL ? err_set(ei, ERR_NOMEM, "routes") : OK;

	for (size_t t = 0; e == OK && tables[t] != NULL; t++)
		for (const struct route *rt = tables[t];
		     e == OK && rt->method != NULL; rt++)
			e = add(r, rt, ei);
	if (e == OK)
		*out = r;
	else
		free(r);
	return e;
}

void
router_free(struct router *r)
{
	free(r);
}

/* HEAD is answered as GET; the network layer leaves the body out. */
static bool
same_method(const char *want, const char *have)
{
	return strcmp(want, have) == 0 ||
	    (strcmp(have, "HEAD") == 0 && strcmp(want, "GET") == 0);
}

static void
add_allow(char allow[ALLOW_MAX], const char *method)
{
	const char *more = strcmp(method, "GET") == 0 ? "GET, HEAD" : method;
	size_t n = strlen(allow);

	(void)snprintf(
	    allow + n, ALLOW_MAX - n, "%s%s", n == 0 ? "" : ", ", more);
}

enum err
router_find(const struct router *r, const char *method, const char *path,
    const struct route **out, struct span params[HTTP_PARAMS_MAX],
    char allow[ALLOW_MAX])
{
	allow[0] = '\0';
	for (size_t i = 0; i < r->count; i++) {
		const struct route *rt = r->routes[i];

		memset(params, 0, HTTP_PARAMS_MAX * sizeof(params[0]));
		if (!match(rt->pattern, path, params))
			continue;
		if (same_method(rt->method, method)) {
			*out = rt;
			return OK;
		}
		add_allow(allow, rt->method);
	}
	memset(params, 0, HTTP_PARAMS_MAX * sizeof(params[0]));
	return allow[0] == '\0' ? ERR_NOT_FOUND : ERR_UNSUPPORTED;
}
