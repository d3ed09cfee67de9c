#ifndef FUZZ_MOD_ROOM_H
#define FUZZ_MOD_ROOM_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agencies/agencies_int.h"
#include "protection/protection_int.h"

/* The centre that fuzz targets of rooms speak to: real tables in a database
 * in memory-backed /dev/shm where there is one. */

#define ROOM_NOW INT64_C(1764208800000) /* 2025-11-27 */
#define ROOM_DAY "2025-11-27"
static const struct uuid room_agency = { { 1 } }, room_agent = { { 2 } };

static struct clock room_clock;
static struct centre room;
static char room_dir[64];

static inline enum err
room_sql(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_exec(q, NULL, ei, arg);
}

static inline void
room_run(const char *sql)
{
	assert(store_write(
		   room.store, room_sql, (void *)(uintptr_t)sql, NULL) == OK);
}

static inline enum err
room_number_of(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t n = 0;
	enum err e = sql_get_int(q, &n, ei, *(const char **)arg);

	*(int64_t *)arg = n;
	return e;
}

static inline int64_t
room_number(const char *sql)
{
	union {
		const char *sql;
		int64_t n;
	} io = { .sql = sql };

	assert(store_read(room.store, room_number_of, &io, NULL) == OK);
	return io.n;
}

static inline void
room_remove(void)
{
	char path[128];
	static const char *const names[] = { "", "-wal", "-shm" };

	store_close(room.store);
	i18n_free((struct i18n *)(uintptr_t)room.en);
	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/khien.db%s", room_dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(room_dir);
}

/* Once for each process. */
static inline void
room_begin(void)
{
	static const struct module *const modules[] = { &agencies_module,
		&protection_module, NULL };
	static const char settings[] = "key,default,low,high,basis\n"
				       "agents.sync_seconds,30,1,3600,x\n";
	struct store_options opt = { .readers = 1 };
	struct i18n *en = NULL;
	char url[128];

	if (room.store != NULL)
		return;
	(void)snprintf(room_dir, sizeof(room_dir), "%s/khien-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert(mkdtemp(room_dir) != NULL);
	(void)snprintf(url, sizeof(url), "sqlite:%s/khien.db", room_dir);
	opt.url = url;
	room_clock = clock_fixed(ROOM_NOW);
	room.clock = &room_clock;
	room.modules = modules;
	assert(i18n_open("", "en", &en, NULL) == OK);
	room.en = room.vi = en;
	assert(store_open(&opt, &room.store, NULL) == OK);
	assert(centre_migrate(&room, NULL) == OK);
	assert(org_settings_load(room.store, SPAN(settings), NULL) == OK);
	(void)atexit(room_remove);
}

static inline struct http_req
room_request(struct arena *a)
{
	static const struct route route = { "POST", "/", "agencies.write", NULL,
		0 };
	static struct org_session session = { .login = "quantri" };

	return (struct http_req){ .app = &room,
		.arena = a,
		.method = "POST",
		.path = "/",
		.content_type = "",
		.remote = "",
		.route = &route,
		.who = &session,
		.lang = "en" };
}

#endif
