/* Figures: what is measured for a day, stored once, and read back. */

#include "figure/figure.h"
#include "support/database.h"

static const struct migration tables[] = {
	{ "0001-things",
	    "CREATE TABLE things (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  id {UUID} NOT NULL,\n"
	    "  at_ms {TIME} NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, id)\n"
	    ") {TENANT}" },
	{ NULL, NULL },
};

static const struct figure figures[] = {
	{ "test.things", "things", "", "", "",
	    "SELECT agency_id, count(*) FROM things WHERE ?1 > 0"
	    " AND at_ms >= ?2 AND at_ms < ?3 GROUP BY agency_id" },
	{ "test.known", "things", "", "", "",
	    "SELECT agency_id, count(*) FROM things WHERE at_ms <= ?1"
	    " AND ?2 < ?3 GROUP BY agency_id" },
	{ 0 },
};
static const struct figure *const lists[] = { figures, NULL };

static const struct uuid here = { { 1 } }, there = { { 2 } };

#define HOUR INT64_C(3600000)
/* 2025-11-27 00:00 in UTC+7, which is 17:00 of the day before in UTC. */
#define MIDNIGHT INT64_C(1764176400000)

static struct store *
open_things(void **state)
{
	struct store *st = test_database_open(*state);
	struct errinfo ei = { 0 };

	assert_ok(store_migrate(st, "figure", figure_migrations, &ei));
	assert_ok(store_migrate(st, "things", tables, &ei));
	return st;
}

struct thing {
	struct uuid agency;
	int64_t at_ms;
};

static enum err
add_thing(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct thing *t = arg;

	return sql_exec(q, NULL, ei,
	    "INSERT INTO things (agency_id, id, at_ms) VALUES (?1, ?2, ?3)",
	    SQL_UUID(t->agency), SQL_UUID(uuid_make(&clock_system)),
	    SQL_INT(t->at_ms));
}

static void
add(struct store *st, struct uuid agency, int64_t at_ms)
{
	struct thing t = { agency, at_ms };
	struct errinfo ei = { 0 };

	assert_ok(store_write(st, add_thing, &t, &ei));
}

struct question {
	const char *name;
	struct uuid agency;
	char answer[1024]; /* "2025-11-26=2 2025-11-27=0" */
};

static enum err
ask(struct sql *q, void *arg, struct errinfo *ei)
{
	struct question *w = arg;
	struct arena *a = arena_new(1u << 20);
	struct figure_day *days = NULL;
	size_t n = 0, at = 0;
	enum err e = figure_history(q, a, w->name, w->agency, "2025-01-01",
	    "2026-12-31", &days, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		at += (size_t)snprintf(w->answer + at, sizeof(w->answer) - at,
		    "%s%s=%lld", i > 0 ? " " : "", days[i].day,
		    (long long)days[i].value);
	arena_free(a);
	return e;
}

static void
assert_history(
    struct store *st, const char *name, struct uuid agency, const char *want)
{
	struct question w = { name, agency, "" };
	struct errinfo ei = { 0 };

	assert_ok(store_read(st, ask, &w, &ei));
	assert_string_equal(w.answer, want);
}

static const struct uuid all = { { 0 } };

/* ---- a day ---- */

static void
a_day_is_one_of_viet_nam(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };

	add(st, here, MIDNIGHT - DAY_MS - 1); /* 25 November */
	add(st, here, MIDNIGHT - DAY_MS);     /* the 26th, its first ms */
	add(st, here, MIDNIGHT - 1);          /* and its last */
	add(st, here, MIDNIGHT);              /* the 27th */
	assert_ok(figure_snapshot(st, lists, MIDNIGHT, &ei));
	assert_history(st, "test.things", all, "2025-11-26=2");
	assert_history(st, "test.known", all, "2025-11-26=3");
	store_close(st);
}

static void
a_day_that_was_measured_is_never_overwritten(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };
	size_t days;

	add(st, here, MIDNIGHT - HOUR);
	assert_ok(figure_snapshot(st, lists, MIDNIGHT, &ei));
	add(st, here, MIDNIGHT - HOUR);
	add(st, there, MIDNIGHT - HOUR);
	assert_err(figure_snapshot(st, lists, MIDNIGHT, &ei), ERR_EXISTS);
	assert_ok(figure_catch_up(st, lists, MIDNIGHT + HOUR, &days, &ei));
	assert_int_equal(days, 0);
	assert_history(st, "test.things", all, "2025-11-26=1");
	store_close(st);
}

static void
a_figure_that_cannot_be_measured_leaves_no_half_day(void **state)
{
	static const struct figure broken[] = {
		{ "test.broken", "", "", "", "",
		    "SELECT nothing FROM nowhere WHERE ?1 + ?2 + ?3 > 0" },
		{ 0 },
	};
	static const struct figure *const both[] = { figures, broken, NULL };
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };

	add(st, here, MIDNIGHT - HOUR);
	assert_err(figure_snapshot(st, both, MIDNIGHT, &ei), ERR_SYNTAX);
	assert_history(st, "test.things", all, "");
	assert_ok(figure_snapshot(st, lists, MIDNIGHT, &ei));
	assert_history(st, "test.things", all, "2025-11-26=1");
	store_close(st);
}

/* ---- reading ---- */

static void
agencies_are_kept_apart_and_summed(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };

	add(st, here, MIDNIGHT - HOUR);
	add(st, there, MIDNIGHT - HOUR);
	add(st, there, MIDNIGHT - HOUR);
	assert_ok(figure_snapshot(st, lists, MIDNIGHT, &ei));
	assert_history(st, "test.things", here, "2025-11-26=1");
	assert_history(st, "test.things", there, "2025-11-26=2");
	assert_history(st, "test.things", all, "2025-11-26=3");
	store_close(st);
}

static void
nothing_found_is_zero_and_not_measured_is_absent(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };

	add(st, there, MIDNIGHT - HOUR);
	assert_ok(figure_snapshot(st, lists, MIDNIGHT, &ei));
	assert_ok(figure_snapshot(st, lists, MIDNIGHT + 2 * DAY_MS, &ei));
	assert_history(st, "test.things", all, "2025-11-26=1 2025-11-28=0");
	assert_history(st, "test.things", here, "2025-11-26=0 2025-11-28=0");
	assert_history(st, "test.unknown", all, "");
	store_close(st);
}

/* ---- catching up ---- */

static void
a_week_slept_through_is_caught_up_day_by_day(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };
	size_t days;

	assert_ok(figure_catch_up(st, lists, MIDNIGHT + HOUR, &days, &ei));
	assert_int_equal(days, 1); /* a new centre: yesterday */
	add(st, here, MIDNIGHT + HOUR);
	add(st, here, MIDNIGHT + 2 * DAY_MS);
	assert_ok(figure_catch_up(
	    st, lists, MIDNIGHT + 7 * DAY_MS + HOUR, &days, &ei));
	assert_int_equal(days, 7);
	assert_history(st, "test.things", all,
	    "2025-11-26=0 2025-11-27=1 2025-11-28=0 2025-11-29=1"
	    " 2025-11-30=0 2025-12-01=0 2025-12-02=0 2025-12-03=0");
	/* each as of its own end, not as of now */
	assert_history(st, "test.known", all,
	    "2025-11-26=0 2025-11-27=1 2025-11-28=1 2025-11-29=2"
	    " 2025-11-30=2 2025-12-01=2 2025-12-02=2 2025-12-03=2");
	store_close(st);
}

static void
a_clock_that_jumps_ahead_invents_a_month_at_most(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };
	size_t days;

	assert_ok(figure_catch_up(st, lists, MIDNIGHT, &days, &ei));
	assert_ok(
	    figure_catch_up(st, lists, MIDNIGHT + 3000 * DAY_MS, &days, &ei));
	assert_int_equal(days, 32);
	store_close(st);
}

static void
a_clock_that_went_back_still_measures_its_day_once(void **state)
{
	struct store *st = open_things(state);
	struct errinfo ei = { 0 };
	size_t days;

	assert_ok(figure_catch_up(st, lists, MIDNIGHT, &days, &ei));
	assert_ok(
	    figure_catch_up(st, lists, MIDNIGHT - 90 * DAY_MS, &days, &ei));
	assert_int_equal(days, 1);
	assert_ok(
	    figure_catch_up(st, lists, MIDNIGHT - 90 * DAY_MS, &days, &ei));
	assert_int_equal(days, 0);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_is_one_of_viet_nam),
		cmocka_unit_test(a_day_that_was_measured_is_never_overwritten),
		cmocka_unit_test(
		    a_figure_that_cannot_be_measured_leaves_no_half_day),
		cmocka_unit_test(agencies_are_kept_apart_and_summed),
		cmocka_unit_test(
		    nothing_found_is_zero_and_not_measured_is_absent),
		cmocka_unit_test(a_week_slept_through_is_caught_up_day_by_day),
		cmocka_unit_test(
		    a_clock_that_jumps_ahead_invents_a_month_at_most),
		cmocka_unit_test(
		    a_clock_that_went_back_still_measures_its_day_once),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
