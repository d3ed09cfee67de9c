#include "things.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

/* ---- many callers -------------------------------------------------------- */

#define CALLERS 24
#define WRITES  20

struct caller {
	struct store *st;
	pthread_t thread;
	int number, failures;
};

static enum err
add_numbered(struct sql *q, void *arg, struct errinfo *ei)
{
	struct uuid id = uuid_make(&clock_system), agency = { { 1 } };
	const struct caller *c = arg;

	return sql_exec(q, NULL, ei,
	    "INSERT INTO things (agency_id, id, number) VALUES (?1, ?2, ?3)",
	    SQL_UUID(agency), SQL_UUID(id), SQL_INT(c->number));
}

static enum err
count_numbered(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t *n = arg;

	return sql_get_int(q, n, ei,
	    "SELECT count(*) FROM things WHERE number = ?1", SQL_INT(*n));
}

static void *
write_and_look(void *arg)
{
	struct caller *c = arg;

	for (int64_t i = 1; i <= WRITES; i++) {
		int64_t n = c->number;

		c->failures += store_write(c->st, add_numbered, c, NULL) != OK;
		c->failures +=
		    store_read(c->st, count_numbered, &n, NULL) != OK;
		c->failures += n != i;
	}
	return NULL;
}

static void
a_caller_that_is_answered_finds_its_rows(void **state)
{
	struct store *st = open_things(*state);
	struct caller all[CALLERS];

	for (int i = 0; i < CALLERS; i++) {
		all[i] = (struct caller){ .st = st, .number = i };
		assert_int_equal(pthread_create(&all[i].thread, NULL,
				     write_and_look, &all[i]),
		    0);
	}
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		assert_int_equal(all[i].failures, 0);
	}
	store_close(st);
}

/* ---- one group ----------------------------------------------------------- */

#define GROUP 6

/* Holds the writer until the others are queued behind it. */
struct gate {
	sem_t reached, open;
};

static enum err
wait_at_gate(struct sql *q, void *arg, struct errinfo *ei)
{
	struct gate *g = arg;

	(void)q;
	(void)ei;
	(void)sem_post(&g->reached);
	(void)sem_wait(&g->open);
	return OK;
}

struct member {
	struct store *st;
	store_fn *fn;
	void *arg;
	pthread_t thread;
	struct errinfo ei;
	enum err e;
};

static void *
run_member(void *arg)
{
	struct member *m = arg;

	m->e = store_write(m->st, m->fn, m->arg, &m->ei);
	return NULL;
}

static void
start_member(struct member *m)
{
	assert_int_equal(pthread_create(&m->thread, NULL, run_member, m), 0);
}

static void
pause_ms(long ms)
{
	struct timespec ts = { 0, ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

/* Runs all members in one commit: they queue while the gate is shut. */
static void
run_group(struct store *st, struct member *members, size_t n)
{
	struct gate g;
	struct member first = { .st = st, .fn = wait_at_gate, .arg = &g };

	assert_int_equal(sem_init(&g.reached, 0, 0), 0);
	assert_int_equal(sem_init(&g.open, 0, 0), 0);
	start_member(&first);
	(void)sem_wait(&g.reached);
	for (size_t i = 0; i < n; i++) {
		members[i].st = st;
		start_member(&members[i]);
		pause_ms(50); /* in this order, on a busy machine too */
	}
	pause_ms(20);
	(void)sem_post(&g.open);
	assert_int_equal(pthread_join(first.thread, NULL), 0);
	assert_err(first.e, OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_join(members[i].thread, NULL), 0);
}

static enum err
add_and_regret(struct sql *q, void *arg, struct errinfo *ei)
{
	WANT_OK(add_place(q, arg, ei));
	return err_set(ei, ERR_DENIED, "changed my mind");
}

static enum err
add_twice_and_hide_it(struct sql *q, void *arg, struct errinfo *ei)
{
	WANT_OK(add_place(q, arg, ei));
	(void)!add_place(q, arg, NULL);
	return OK;
}

static void
a_failing_fn_undoes_only_its_own_changes(void **state)
{
	struct store *st = open_things(*state);
	struct place p[GROUP] = { { "a" }, { "b" }, { "c" }, { "d" }, { "e" },
		{ "a" } };
	struct member m[GROUP] = {
		{ .fn = add_place, .arg = &p[0] },
		{ .fn = add_and_regret, .arg = &p[1] },
		{ .fn = add_place, .arg = &p[2] },
		{ .fn = add_twice_and_hide_it, .arg = &p[3] },
		{ .fn = add_place, .arg = &p[4] },
		{ .fn = add_place, .arg = &p[5] },
	};
	static const enum err want[GROUP] = { OK, ERR_DENIED, OK, ERR_EXISTS,
		OK, ERR_EXISTS };

	run_group(st, m, GROUP);
	for (size_t i = 0; i < GROUP; i++)
		assert_err(m[i].e, want[i]);
	assert_string_equal(m[1].ei.msg, "changed my mind");
	assert_true(m[3].ei.msg[0] != '\0');
	assert_int_equal(places(st), 3);
	store_close(st);
}

static void
alone_it_is_undone_as_well(void **state)
{
	struct store *st = open_things(*state);
	struct place p = { "a" };

	assert_err(store_write(st, add_and_regret, &p, NULL), ERR_DENIED);
	assert_err(
	    store_write(st, add_twice_and_hide_it, &p, NULL), ERR_EXISTS);
	assert_int_equal(places(st), 0);
	assert_err(store_write(st, add_place, &p, NULL), OK);
	assert_int_equal(places(st), 1);
	store_close(st);
}

/* A key that is checked when the transaction ends makes COMMIT fail. */
static enum err
add_unchecked(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_exec(
	    q, NULL, ei, "INSERT INTO late (place) VALUES (?1)", SQL_STR(arg));
}

static void
when_the_commit_fails_everyone_hears_it(void **state)
{
	static const struct migration late[] = {
		{ "0001-late",
		    "CREATE TABLE late (place TEXT NOT NULL"
		    " REFERENCES places (name)"
		    " DEFERRABLE INITIALLY DEFERRED) {GLOBAL}" },
		{ NULL, NULL },
	};
	struct store *st = open_things(*state);
	struct place p[] = { { "a" }, { "b" } };
	char nowhere[] = "nowhere";
	struct member m[] = {
		{ .fn = add_place, .arg = &p[0] },
		{ .fn = add_unchecked, .arg = nowhere },
		{ .fn = add_place, .arg = &p[1] },
	};
	struct errinfo ei = { 0 };

	assert_ok(store_migrate(st, "late", late, &ei));
	run_group(st, m, COUNT(m));
	for (size_t i = 0; i < COUNT(m); i++) {
		assert_err(m[i].e, ERR_EXISTS);
		assert_true(m[i].ei.msg[0] != '\0');
	}
	assert_int_equal(places(st), 0);
	assert_ok(store_write(st, add_place, &p[0], &ei));
	store_close(st);
}

static void
closing_finishes_what_is_queued(void **state)
{
	struct store *st = open_things(*state);
	struct place p[] = { { "a" }, { "b" }, { "c" } };
	struct gate g;
	struct member m[] = {
		{ .st = st, .fn = wait_at_gate, .arg = &g },
		{ .st = st, .fn = add_place, .arg = &p[0] },
		{ .st = st, .fn = add_place, .arg = &p[1] },
		{ .st = st, .fn = add_place, .arg = &p[2] },
	};

	assert_int_equal(sem_init(&g.reached, 0, 0), 0);
	assert_int_equal(sem_init(&g.open, 0, 0), 0);
	start_member(&m[0]);
	(void)sem_wait(&g.reached);
	for (size_t i = 1; i < COUNT(m); i++)
		start_member(&m[i]);
	pause_ms(20);
	(void)sem_post(&g.open);
	store_close(st);
	for (size_t i = 0; i < COUNT(m); i++) {
		assert_int_equal(pthread_join(m[i].thread, NULL), 0);
		assert_err(m[i].e, OK);
	}
	st = open_things(*state);
	assert_int_equal(places(st), 3);
	store_close(st);
}

static void
groups_are_no_larger_than_asked(void **state)
{
	struct store_options opt = test_database_options(*state);
	struct store *st;
	struct place p[] = { { "a" }, { "b" }, { "c" }, { "d" }, { "e" } };
	struct member m[] = {
		{ .fn = add_place, .arg = &p[0] },
		{ .fn = add_place, .arg = &p[1] },
		{ .fn = add_place, .arg = &p[2] },
		{ .fn = add_place, .arg = &p[3] },
		{ .fn = add_place, .arg = &p[4] },
	};

	opt.group_rows = 2;
	st = open_things_with(&opt);
	run_group(st, m, COUNT(m));
	for (size_t i = 0; i < COUNT(m); i++)
		assert_err(m[i].e, OK);
	assert_int_equal(places(st), 5);
	store_close(st);
}

/* ---- snapshots ----------------------------------------------------------- */

static enum err
look_twice(struct sql *q, void *arg, struct errinfo *ei)
{
	struct place p = { "late" };
	int64_t before = -1, after = -1;

	WANT_OK(count_places(q, &before, ei));
	/* The writer does not wait for us. */
	WANT_OK(store_write(arg, add_place, &p, ei));
	WANT_OK(count_places(q, &after, ei));
	WANT(before == 0 && after == 0);
	return OK;
}

static void
a_reader_sees_one_snapshot(void **state)
{
	struct store *st = open_things(*state);
	struct errinfo ei = { 0 };

	assert_ok(store_read(st, look_twice, st, &ei));
	assert_int_equal(places(st), 1);
	store_close(st);
}

/* ---- two servers --------------------------------------------------------- */

#define INCREMENTS 40

static enum err
increment(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t n = 0;

	(void)arg;
	WANT_OK(
	    sql_get_int(q, &n, ei, "SELECT n FROM places WHERE name = 'a'"));
	return sql_exec(q, NULL, ei,
	    "UPDATE places SET n = ?1 WHERE name = 'a'", SQL_INT(n + 1));
}

/* Each may add a place only while there is none. */
static enum err
add_if_none(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t n = 0;

	WANT_OK(
	    sql_get_int(q, &n, ei, "SELECT count(*) FROM places WHERE n < 0"));
	return n > 0 ? OK : add_place(q, arg, ei);
}

static void *
increment_often(void *arg)
{
	struct caller *c = arg;
	char name[32];
	struct place p = { .name = name, .n = -1 };

	(void)snprintf(name, sizeof(name), "only %d", c->number);
	c->failures += store_write(c->st, add_if_none, &p, NULL) != OK;
	for (int i = 0; i < INCREMENTS; i++)
		c->failures += store_write(c->st, increment, NULL, NULL) != OK;
	return NULL;
}

static enum err
get_total(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei, "SELECT n FROM places WHERE name = 'a'");
}

static void
two_servers_write_as_if_one_after_the_other(void **state)
{
	struct store *st[2] = { open_things(*state), open_things(*state) };
	struct place a = { "a" };
	struct caller all[4];
	struct errinfo ei = { 0 };
	int64_t n = 0;

	assert_ok(store_write(st[0], add_place, &a, &ei));
	for (int i = 0; i < 4; i++) {
		all[i] = (struct caller){ .st = st[i % 2], .number = i };
		assert_int_equal(pthread_create(&all[i].thread, NULL,
				     increment_often, &all[i]),
		    0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(all[i].thread, NULL), 0);
		assert_int_equal(all[i].failures, 0);
	}
	assert_ok(store_read(st[1], get_total, &n, &ei));
	assert_int_equal(n, 4 * INCREMENTS);
	assert_int_equal(places(st[0]), 2);
	store_close(st[0]);
	store_close(st[1]);
}

struct held {
	struct place place;
	struct gate gate;
};

static enum err
add_and_hold(struct sql *q, void *arg, struct errinfo *ei)
{
	struct held *h = arg;

	WANT_OK(add_place(q, &h->place, ei));
	return wait_at_gate(q, &h->gate, ei);
}

static void
a_lock_that_stays_is_busy(void **state)
{
	struct store_options opt = test_database_options(*state);
	struct store *holder = open_things(*state), *st;
	struct held h = { .place = { "a" } };
	struct member m = { .st = holder, .fn = add_and_hold, .arg = &h };
	struct errinfo ei = { 0 };

	opt.patience_ms = 100;
	st = open_things_with(&opt);
	assert_int_equal(sem_init(&h.gate.reached, 0, 0), 0);
	assert_int_equal(sem_init(&h.gate.open, 0, 0), 0);
	start_member(&m);
	(void)sem_wait(&h.gate.reached);
	assert_err(store_write(st, add_place, &h.place, &ei), ERR_BUSY);
	assert_true(ei.msg[0] != '\0');
	(void)sem_post(&h.gate.open);
	assert_int_equal(pthread_join(m.thread, NULL), 0);
	assert_err(m.e, OK);
	assert_err(store_write(st, add_place, &h.place, &ei), ERR_EXISTS);
	store_close(st);
	store_close(holder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_that_is_answered_finds_its_rows),
		cmocka_unit_test(a_failing_fn_undoes_only_its_own_changes),
		cmocka_unit_test(alone_it_is_undone_as_well),
		cmocka_unit_test(when_the_commit_fails_everyone_hears_it),
		cmocka_unit_test(closing_finishes_what_is_queued),
		cmocka_unit_test(groups_are_no_larger_than_asked),
		cmocka_unit_test(a_reader_sees_one_snapshot),
		cmocka_unit_test(two_servers_write_as_if_one_after_the_other),
		cmocka_unit_test(a_lock_that_stays_is_busy),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
