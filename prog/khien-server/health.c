/* /health: which part is ill. */

#include <sys/statvfs.h>

#include "server.h"

#define DISK_FREE_MIN                                                          \
	(64u << 20) /* bytes: below, the centre calls itself ill */

static enum err
store_answers(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei, "SELECT count(*) FROM settings");
}

static bool
store_works(const struct centre *c)
{
	int64_t n = 0;

	return store_read(c->store, store_answers, &n, NULL) == OK && n > 0;
}

static bool
disk_has_room(const struct centre *c)
{
	struct statvfs v;

	return statvfs(c->data_dir, &v) == 0 &&
	    v.f_bavail * v.f_frsize > DISK_FREE_MIN;
}

static void
health_get(const struct http_req *rq, struct http_res *rs)
{
	static const struct {
		const char *name;
		bool (*works)(const struct centre *c);
	} parts[] = {
		{ "store", store_works },
		{ "disk", disk_has_room },
	};
	json_t *o = json_object(), *list;
	bool all = true;

	list = json_put_new(o, "parts", json_object());
	for (size_t i = 0; i < COUNT(parts); i++) {
		bool works = parts[i].works(centre_of(rq));

		json_put_text(
		    list, parts[i].name, works ? SPAN("ok") : SPAN("ill"));
		all = all && works;
	}
	json_put_text(o, "status", all ? SPAN("ok") : SPAN("ill"));
	http_send_json(rs, all ? 200 : 503, o);
}

static const struct route routes[] = {
	{ "GET", "/health", "public", health_get, 0 },
	{ 0 },
};

const struct module health_module = { .name = "health", .routes = { routes } };
