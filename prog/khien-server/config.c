#include "server.h"

#include "base/conf.h"

#define KEY(k, t, field, initial_, lo, hi, help_)                              \
	{                                                                      \
		.section = "server", .key = (k), .type = (t),                  \
		.offset = offsetof(struct config, field),                      \
		.initial = (initial_), .min = (lo), .max = (hi),               \
		.help = (help_)                                                \
	}

static const struct conf_key table[] = {
	KEY("address", CONF_TEXT, address, "127.0.0.1", 0, 0,
	    N_("address to listen on")),
	KEY("port", CONF_INT, port, "8443", 0, 65535, N_("port to listen on")),
	KEY("url", CONF_TEXT, url, "https://127.0.0.1:8443", 0, 0,
	    N_("address of the centre for agents and people")),
	KEY("name", CONF_LIST, names, "", 0, 0,
	    N_("DNS name or IP address in the centre's certificate")),
	KEY("data", CONF_TEXT, data_dir, "/var/lib/khien-server", 0, 0,
	    N_("folder of keys, signature sets and the embedded database")),
	KEY("store", CONF_TEXT, store, "", 0, 0,
	    N_("database; empty: SQLite in the data folder")),
	KEY("partitioned", CONF_BOOL, partitioned, "no", 0, 0,
	    N_("PostgreSQL: tables partitioned by agency")),
	KEY("share", CONF_TEXT, share_dir, "/usr/share/khien", 0, 0,
	    N_("folder of pages and data")),
	KEY("assets", CONF_TEXT, assets_dir, "/usr/share/khien/assets", 0, 0,
	    N_("folder of the browser's libraries")),
	KEY("locale", CONF_TEXT, locale_dir, "/usr/share/khien/locale", 0, 0,
	    N_("folder of translations")),
	{ 0 },
};

enum err
config_load(
    const char *path, struct arena *a, struct config *out, struct errinfo *ei)
{
	enum err e = conf_load(path, table, a, out, ei);

	if (e == OK && out->store[0] == '\0') {
		out->store = arena_fmt(a, "sqlite:%s/khien.db", out->data_dir);
		if (out->store == NULL)
			e = err_set(ei, ERR_NOMEM, "configuration");
	}
	return e;
}
