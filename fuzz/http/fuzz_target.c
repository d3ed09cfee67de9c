#include <assert.h>
#include <string.h>

#include "http/http_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
nothing(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	(void)rs;
}

static const struct route routes[] = {
	{ "GET", "/", "public", nothing, 0 },
	{ "GET", "/a/{x}", "public", nothing, 0 },
	{ "POST", "/a/{x}/b/{y}", "public", nothing, 0 },
	{ 0 },
};
static const struct route *const tables[] = { routes, NULL };

/* A path that was taken stays below "/", and its parameters lie in it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct router *router;
	struct span params[HTTP_PARAMS_MAX];
	struct arena *a = arena_new(1u << 20);
	struct span raw = { (const char *)data, size };
	const struct route *found = NULL;
	struct errinfo ei = { 0 };
	const char *path = NULL;
	char allow[ALLOW_MAX];

	assert(a != NULL);
	if (router == NULL)
		assert(router_new(tables, &router, &ei) == OK);
	if (path_decode(raw, a, &path, &ei) == OK) {
		assert(path[0] == '/' && strstr(path, "/../") == NULL);
		if (router_find(router, "GET", path, &found, params, allow) ==
		    OK)
			assert(found->handler == nothing);
	}
	arena_free(a);
	return 0;
}
