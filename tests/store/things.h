#ifndef TESTS_STORE_THINGS_H
#define TESTS_STORE_THINGS_H

#include "support/database.h"

/* The tables that these tests write to. */

/* For use in a store_fn: cmocka's own cannot leave the writer's thread. */
#define WANT(cond)                                                             \
	do {                                                                   \
		if (!(cond))                                                   \
			return err_set(ei, ERR_UNSUPPORTED, "line %d: %s",     \
			    __LINE__, #cond);                                  \
	} while (0)
#define WANT_OK(expr)                                                          \
	do {                                                                   \
		enum err want_e = (expr);                                      \
		if (want_e != OK)                                              \
			return want_e;                                         \
	} while (0)

static const struct migration things_migrations[] = {
	{ "0001-things",
	    "CREATE TABLE things (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  id {UUID} NOT NULL,\n"
	    "  number INTEGER,\n"
	    "  name TEXT,\n"
	    "  bytes {BLOB},\n"
	    "  more {JSON},\n"
	    "  at_ms {TIME},\n"
	    "  flag {BOOL} NOT NULL DEFAULT 0 CHECK (flag IN (0, 1)),\n"
	    "  PRIMARY KEY (agency_id, id)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX things_by_name ON things (agency_id, name);\n" },
	{ "0002-places",
	    "CREATE TABLE places (\n"
	    "  name TEXT NOT NULL PRIMARY KEY,\n"
	    "  n {INT} NOT NULL,\n"
	    "  within TEXT REFERENCES places (name)\n"
	    ") {GLOBAL}" },
	{ NULL, NULL },
};

struct place {
	const char *name, *within;
	int64_t n;
};

static inline enum err
add_place(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct place *p = arg;

	return sql_exec(q, NULL, ei,
	    "INSERT INTO places (name, n, within) VALUES (?1, ?2, ?3)",
	    SQL_STR(p->name), SQL_INT(p->n),
	    p->within == NULL ? SQL_NULL : SQL_STR(p->within));
}

static inline enum err
count_places(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei, "SELECT count(*) FROM places");
}

static inline struct store *
open_things_with(const struct store_options *opt)
{
	struct store *st = NULL;
	struct errinfo ei = { 0 };

	assert_ok(store_open(opt, &st, &ei));
	assert_ok(store_migrate(st, "things", things_migrations, &ei));
	return st;
}

static inline struct store *
open_things(const struct test_database *db)
{
	struct store_options opt = test_database_options(db);

	return open_things_with(&opt);
}

static inline int64_t
places(struct store *st)
{
	struct errinfo ei = { 0 };
	int64_t n = -1;

	assert_ok(store_read(st, count_places, &n, &ei));
	return n;
}

#endif
