#include "things.h"

#include <pthread.h>

static void
a_migration_is_applied_once(void **state)
{
	struct store *st = open_things(*state);
	struct place p = { "a" };
	struct errinfo ei = { 0 };

	assert_ok(store_write(st, add_place, &p, &ei));
	assert_ok(store_migrate(st, "things", things_migrations, &ei));
	store_close(st);
	st = open_things(*state);
	assert_int_equal(places(st), 1);
	store_close(st);
}

static void
a_longer_list_adds_to_what_is_there(void **state)
{
	static const struct migration first[] = {
		{ "0001-a", "CREATE TABLE a (x INTEGER) {GLOBAL};\n" },
		{ NULL, NULL },
	};
	static const struct migration second[] = {
		{ "0001-a", "CREATE TABLE a (x INTEGER) {GLOBAL};\n" },
		{ "0002-b",
		    "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT '{}';\n"
		    "\n"
		    "-- a comment; with {BRACES} and a quote '\n"
		    "INSERT INTO a (x, y) VALUES (1, 'a;\n{b}'), (2, '')" },
		{ NULL, NULL },
	};
	struct store *st = test_database_open(*state);
	struct errinfo ei = { 0 };

	assert_ok(store_migrate(st, "r", first, &ei));
	assert_ok(store_migrate(st, "r", second, &ei));
	assert_ok(store_migrate(st, "r", second, &ei));
	/* Names belong to a room. */
	assert_err(store_migrate(st, "other", first, &ei), ERR_SYNTAX);
	store_close(st);
}

static void
a_changed_text_is_noticed(void **state)
{
	static const struct migration changed[] = {
		{ "0001-things", "CREATE TABLE things (x INTEGER) {GLOBAL}" },
		{ NULL, NULL },
	};
	struct store *st = open_things(*state);
	struct errinfo ei = { 0 };

	assert_err(store_migrate(st, "things", changed, &ei), ERR_CORRUPT);
	assert_non_null(strstr(ei.msg, "0001-things"));
	assert_non_null(strstr(ei.msg, "of things"));
	store_close(st);
}

static enum err
count_table(struct sql *q, void *arg, struct errinfo *ei)
{
	(void)arg;
	return sql_exec(q, NULL, ei, "SELECT 1 FROM half");
}

static void
a_migration_that_fails_leaves_nothing(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {
		{ "CREATE TABLE half (x INTEGER) {GLOBAL};\nCREATE NONSENSE",
		    ERR_SYNTAX },
		{ "CREATE TABLE half (x {NUMBER})", ERR_SYNTAX },
		{ "CREATE TABLE half (x {UUID", ERR_SYNTAX },
		{ "CREATE INDEX half ON things (name) {TENANT}", ERR_SYNTAX },
	};
	struct store *st = open_things(*state);
	struct errinfo ei = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct migration list[] = {
			{ "0001-half", cases[i].text },
			{ NULL, NULL },
		};

		assert_err(store_migrate(st, "half", list, &ei), cases[i].want);
		assert_true(ei.msg[0] != '\0');
		assert_err(store_read(st, count_table, NULL, &ei), ERR_SYNTAX);
	}
	store_close(st);
}

/* ---- partitions ---------------------------------------------------------- */

static enum err
count_partitions(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei,
	    "SELECT count(*) FROM pg_inherits"
	    " WHERE inhparent = 'things'::regclass");
}

static void
tenant_tables_are_partitioned_when_asked(void **state)
{
	const struct test_database *db = *state;
	struct store *st = open_things(db);
	struct errinfo ei = { 0 };
	int64_t n = -1;

	if (db->engine == TEST_SQLITE) {
		assert_string_equal(store_engine(st), "sqlite");
	} else {
		assert_string_equal(store_engine(st), "postgresql");
		assert_ok(store_read(st, count_partitions, &n, &ei));
		assert_int_equal(n, db->partitioned ? 8 : 0);
	}
	store_close(st);
}

static void
a_key_without_the_agency_is_refused_when_partitioned(void **state)
{
	static const struct migration wrong[] = {
		{ "0001-wrong",
		    "CREATE TABLE wrong (agency_id {UUID}, id {UUID},"
		    " PRIMARY KEY (id)) {TENANT}" },
		{ NULL, NULL },
	};
	const struct test_database *db = *state;
	struct store *st = test_database_open(db);
	enum err e = store_migrate(st, "wrong", wrong, NULL);

	assert_true(db->partitioned ? e != OK : e == OK);
	store_close(st);
}

/* ---- several servers start at once --------------------------------------- */

#define SERVERS 6

struct server {
	const struct test_database *db;
	pthread_t thread;
	struct errinfo ei;
	enum err e;
};

static void *
start_server(void *arg)
{
	struct server *s = arg;
	struct store_options opt = test_database_options(s->db);
	struct store *st = NULL;

	s->e = store_open(&opt, &st, &s->ei);
	if (s->e == OK)
		s->e = store_migrate(st, "things", things_migrations, &s->ei);
	store_close(st);
	return NULL;
}

static void
servers_that_start_together_migrate_once(void **state)
{
	struct server all[SERVERS];
	struct store *st;

	for (size_t i = 0; i < SERVERS; i++) {
		all[i] = (struct server){ .db = *state };
		assert_int_equal(
		    pthread_create(&all[i].thread, NULL, start_server, &all[i]),
		    0);
	}
	for (size_t i = 0; i < SERVERS; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		if (all[i].e != OK)
			fail_msg("%s: %s", err_name(all[i].e), all[i].ei.msg);
	}
	st = open_things(*state);
	assert_int_equal(places(st), 0);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_migration_is_applied_once),
		cmocka_unit_test(a_longer_list_adds_to_what_is_there),
		cmocka_unit_test(a_changed_text_is_noticed),
		cmocka_unit_test(a_migration_that_fails_leaves_nothing),
		cmocka_unit_test(tenant_tables_are_partitioned_when_asked),
		cmocka_unit_test(
		    a_key_without_the_agency_is_refused_when_partitioned),
		cmocka_unit_test(servers_that_start_together_migrate_once),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
