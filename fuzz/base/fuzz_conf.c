#include <assert.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
	const char *name;
	int64_t port;
	bool on;
	const char *const *hosts;
};

static const struct conf_key table[] = {
	{ "a", "name", CONF_TEXT, offsetof(struct settings, name), "x", 0, 0,
	    "" },
	{ "a", "port", CONF_INT, offsetof(struct settings, port), "80", 1, 9999,
	    "" },
	{ "b", "on", CONF_BOOL, offsetof(struct settings, on), "no", 0, 0, "" },
	{ "b", "host", CONF_LIST, offsetof(struct settings, hosts), "", 0, 0,
	    "" },
	{ 0 },
};

/* Values keep to their bounds; what is refused is explained. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct arena *a = arena_new(4u << 20);
	struct errinfo ei = { 0 };
	struct settings s;
	enum err e;

	assert(a != NULL);
	e = conf_parse(text, "x.ini", table, a, &s, &ei);
	if (e == OK) {
		assert(s.port >= 1 && s.port <= 9999);
		assert(span_utf8(span_of(s.name)));
		for (size_t i = 0; s.hosts[i] != NULL; i++)
			assert(i < CONF_LIST_MAX);
	} else {
		assert(ei.msg[0] != '\0');
	}
	arena_free(a);
	return 0;
}
