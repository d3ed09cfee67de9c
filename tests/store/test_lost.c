#include "proxy.h"
#include "things.h"

#include <pthread.h>
#include <time.h>

/* PostgreSQL goes away: what was asked happens once, or is said not to. */

static enum err
add_thing(struct sql *q, void *arg, struct errinfo *ei)
{
	struct uuid agency = { { 1 } }, id = uuid_make(&clock_system);
	int *runs = arg;

	++*runs;
	return sql_exec(q, NULL, ei,
	    "INSERT INTO things (agency_id, id, number) VALUES (?1, ?2, 1)",
	    SQL_UUID(agency), SQL_UUID(id));
}

static enum err
count_things(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei, "SELECT count(*) FROM things");
}

static int64_t
things(struct store *st)
{
	struct errinfo ei = { 0 };
	int64_t n = -1;

	assert_ok(store_read(st, count_things, &n, &ei));
	return n;
}

/* A store whose connections go through the proxy. */
static struct store *
open_through(struct proxy *p, const struct test_database *db, int patience_ms)
{
	struct store_options opt = test_database_options(db);

	opt.url = proxy_url(p);
	opt.patience_ms = patience_ms;
	return open_things_with(&opt);
}

static void
a_commit_cut_off_is_settled(void **state)
{
	static const struct {
		enum proxy_cut cut;
		int runs;
	} cases[] = {
		{ PROXY_PASS, 1 },
		{ PROXY_CUT_BEFORE_COMMIT, 2 }, /* undone: once more */
		{ PROXY_CUT_AFTER_COMMIT, 1 },  /* done: not again */
	};
	struct test_database *db = *state;
	struct proxy *p = proxy_start(db);
	struct store *st = open_through(p, db, 5000);
	struct errinfo ei = { 0 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		int runs = 0;

		proxy_set(p, cases[i].cut);
		assert_ok(store_write(st, add_thing, &runs, &ei));
		assert_int_equal(runs, cases[i].runs);
		assert_int_equal(things(st), i + 1);
	}
	assert_int_equal(proxy_cuts(p), 2);
	store_close(st);
	proxy_stop(p);
}

static void
an_idle_connection_that_was_cut_is_replaced(void **state)
{
	struct test_database *db = *state;
	struct proxy *p = proxy_start(db);
	struct store *st = open_through(p, db, 5000);
	struct errinfo ei = { 0 };
	int runs = 0;

	assert_int_equal(things(st), 0);
	test_database_admin("SELECT pg_terminate_backend(pid)"
			    " FROM pg_stat_activity"
			    " WHERE application_name = 'khien'");
	assert_int_equal(things(st), 0);
	assert_ok(store_write(st, add_thing, &runs, &ei));
	assert_int_equal(runs, 1);
	assert_int_equal(things(st), 1);
	store_close(st);
	proxy_stop(p);
}

/* Kills its own connection when it runs for the first time. */
static enum err
add_and_die(struct sql *q, void *arg, struct errinfo *ei)
{
	int *runs = arg;

	WANT_OK(add_thing(q, arg, ei));
	if (*runs == 1) {
		(void)!sql_exec(q, NULL, ei,
		    "SELECT pg_terminate_backend(pg_backend_pid())");
		return OK; /* the store knows better */
	}
	return OK;
}

static void
a_change_cut_off_in_the_middle_runs_again(void **state)
{
	struct store *st = open_things(*state);
	struct errinfo ei = { 0 };
	int runs = 0;

	assert_ok(store_write(st, add_and_die, &runs, &ei));
	assert_int_equal(runs, 2);
	assert_int_equal(things(st), 1);
	store_close(st);
}

static enum err
read_and_die(struct sql *q, void *arg, struct errinfo *ei)
{
	int *runs = arg;

	++*runs;
	return sql_exec(
	    q, NULL, ei, "SELECT pg_terminate_backend(pg_backend_pid())");
}

static void
a_read_runs_once_at_most(void **state)
{
	struct store *st = open_things(*state);
	int runs = 0;

	assert_err(store_read(st, read_and_die, &runs, NULL), ERR_BUSY);
	assert_int_equal(runs, 1);
	assert_int_equal(things(st), 0);
	store_close(st);
}

static void
a_database_that_stays_away_is_busy(void **state)
{
	struct test_database *db = *state;
	struct proxy *p = proxy_start(db);
	struct store *st = open_through(p, db, 200);
	struct errinfo ei = { 0 };
	int64_t n, start, first, second;
	int runs = 0;

	proxy_set(p, PROXY_AWAY);
	start = clock_mono_ns(&clock_system);
	assert_err(store_write(st, add_thing, &runs, &ei), ERR_BUSY);
	assert_true(ei.msg[0] != '\0');
	first = clock_mono_ns(&clock_system) - start;
	assert_true(first >= INT64_C(200000000));
	/* Those who come later are told at once. */
	assert_err(store_write(st, add_thing, &runs, &ei), ERR_BUSY);
	second = clock_mono_ns(&clock_system) - start - first;
	assert_true(second < first);
	assert_err(store_read(st, count_things, &n, &ei), ERR_BUSY);
	proxy_set(p, PROXY_PASS);
	assert_ok(store_write(st, add_thing, &runs, &ei));
	assert_int_equal(things(st), 1);
	store_close(st);
	proxy_stop(p);
}

static void *
come_back_later(void *arg)
{
	struct timespec ts = { 0, 300000000 };

	(void)nanosleep(&ts, NULL);
	proxy_set(arg, PROXY_PASS);
	return NULL;
}

static void
a_database_that_comes_back_in_time_is_waited_for(void **state)
{
	struct test_database *db = *state;
	struct proxy *p = proxy_start(db);
	struct store *st = open_through(p, db, 5000);
	struct errinfo ei = { 0 };
	pthread_t thread;
	int runs = 0;

	proxy_set(p, PROXY_AWAY);
	assert_int_equal(pthread_create(&thread, NULL, come_back_later, p), 0);
	assert_ok(store_write(st, add_thing, &runs, &ei));
	assert_int_equal(things(st), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	store_close(st);
	proxy_stop(p);
}

static void
a_server_that_refuses_us_is_not_waited_for(void **state)
{
	struct test_database *db = *state;
	struct store_options opt = test_database_options(db);
	struct store *st = NULL;
	struct errinfo ei = { 0 };

	test_database_admin("ALTER ROLE khien NOLOGIN");
	assert_err(store_open(&opt, &st, &ei), ERR_IO);
	assert_null(st);
	test_database_admin("ALTER ROLE khien LOGIN");
}

static void
a_database_in_another_encoding_is_refused(void **state)
{
	struct test_database *db = *state;
	struct store_options opt = test_database_options(db);
	struct store *st = NULL;
	struct errinfo ei = { 0 };
	char url[512];
	const char *host = strstr(db->url, "?host=");

	test_database_admin("CREATE DATABASE latin TEMPLATE template0"
			    " ENCODING 'LATIN1' LOCALE 'C'");
	(void)snprintf(url, sizeof(url), "postgresql://khien@/latin%s", host);
	opt.url = url;
	assert_err(store_open(&opt, &st, &ei), ERR_UNSUPPORTED);
	assert_non_null(strstr(ei.msg, "LATIN1"));
	test_database_admin("DROP DATABASE latin");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_cut_off_is_settled),
		cmocka_unit_test(an_idle_connection_that_was_cut_is_replaced),
		cmocka_unit_test(a_change_cut_off_in_the_middle_runs_again),
		cmocka_unit_test(a_read_runs_once_at_most),
		cmocka_unit_test(a_database_that_stays_away_is_busy),
		cmocka_unit_test(
		    a_database_that_comes_back_in_time_is_waited_for),
		cmocka_unit_test(a_server_that_refuses_us_is_not_waited_for),
		cmocka_unit_test(a_database_in_another_encoding_is_refused),
	};

	return test_on_engines(
	    tests, COUNT(tests), TEST_PG, TEST_PG_PARTITIONED);
}
