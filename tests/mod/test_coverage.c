/* Is every computer protected, and if not, why? */

#include "agent.h"

#define SILENT_MS (259200 * INT64_C(1000)) /* protection.silent_seconds */
#define SET_MS    (360 * INT64_C(3600000)) /* protection.signatures_hours */
#define SCAN_MS   (192 * INT64_C(3600000)) /* protection.scan_hours */

/* ---- one agent's standing, set to what a test needs ---- */

struct standing {
	int64_t seen, set, scan;
	const char *fault;
};

static enum err
put_standing(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct standing *s = arg;

	return sql_exec(q, NULL, ei,
	    "UPDATE agents SET seen_ms = ?1, set_built_ms = ?2,"
	    " last_scan_ms = ?3, fault = ?4",
	    SQL_INT(s->seen), SQL_INT(s->set), SQL_INT(s->scan),
	    SQL_STR(s->fault));
}

/* The reason in the list of computers; NULL if there is not one row. */
static const char *
reason(struct test_centre *t)
{
	struct http_req rq = test_request(t);
	struct filter f = { .page = 1 };
	struct errinfo ei = { 0 };
	const char *text = NULL;
	json_t *list, *rows;

	assert_ok(computers_list(&rq, &f, &list, &ei));
	rows = json_object_get(list, "rows");
	if (json_array_size(rows) == 1)
		text = arena_text(t->arena,
		    span_of(json_string_value(
			json_object_get(json_array_get(rows, 0), "reason"))));
	json_decref(list);
	return text;
}

static void
every_gap_has_its_reason_to_the_millisecond(void **state)
{
	const int64_t now = TEST_NOW;
	const struct {
		const char *name, *want;
		struct standing s;
	} cases[] = {
		{ "well", "", { now, now, now, "" } },
		{ "just not silent", "", { now - SILENT_MS, now, now, "" } },
		{ "silent", "silent", { now - SILENT_MS - 1, now, now, "" } },
		{ "set just young enough", "", { now, now - SET_MS, now, "" } },
		{ "set", "signatures", { now, now - SET_MS - 1, now, "" } },
		{ "no set", "signatures", { now, 0, now, "" } },
		{ "scan just young enough", "",
		    { now, now, now - SCAN_MS, "" } },
		{ "scan", "scan", { now, now, now - SCAN_MS - 1, "" } },
		{ "no scan", "scan", { now, now, 0, "" } },
		{ "fault", "fault", { now, now, now, "cannot" } },
		/* one reason: the one that explains the others */
		{ "silent first", "silent", { 0, 0, 0, "cannot" } },
		{ "fault second", "fault", { now, 0, 0, "cannot" } },
		{ "set third", "signatures", { now, 0, 0, "" } },
		/* what was written while the clock was ahead tells nothing */
		{ "clock, silent", "silent",
		    { now + 30 * DAY_MS, now, now, "" } },
		{ "clock, set", "signatures",
		    { now, now + 30 * DAY_MS, now, "" } },
		{ "clock, scan", "scan", { now, now, now + 30 * DAY_MS, "" } },
		{ "clock, a little", "", { now + 5000, now, now, "" } },
	};
	struct test_centre t;
	struct peer p;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct standing s = cases[i].s;
		struct errinfo ei = { 0 };

		TEST_CASE(cases[i].name);
		assert_ok(store_write(t.c.store, put_standing, &s, &ei));
		assert_string_equal(reason(&t), cases[i].want);
	}
	peer_free(&p);
	test_centre_close(&t);
}

static void
the_limits_are_settings(void **state)
{
	struct standing s = { TEST_NOW - 7000, TEST_NOW - 7200000,
		TEST_NOW - 7200000, "" };
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may");
	assert_ok(store_write(t.c.store, put_standing, &s, &ei));
	assert_string_equal(reason(&t), "");
	test_setting(&t, "protection.scan_hours", 1);
	assert_string_equal(reason(&t), "scan");
	test_setting(&t, "protection.signatures_hours", 1);
	assert_string_equal(reason(&t), "signatures");
	test_setting(&t, "protection.silent_seconds", 5);
	assert_string_equal(reason(&t), "silent");
	peer_free(&p);
	test_centre_close(&t);
}

static void
a_silent_agent_is_well_again_when_it_speaks(void **state)
{
	struct test_centre t;
	struct peer p;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may");
	t.clock.set_utc_ms += SILENT_MS + 1;
	assert_string_equal(reason(&t), "silent");
	peer_tell(&p, "", "");
	assert_string_equal(reason(&t), "signatures");
	peer_free(&p);
	test_centre_close(&t);
}

/* ---- the whole ---- */

static json_t *
overview(struct test_centre *t)
{
	struct http_req rq = test_request(t);
	struct errinfo ei = { 0 };
	json_t *o;

	assert_ok(overview_read(&rq, &o, &ei));
	return o;
}

static int64_t
number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void
assert_agency(const json_t *overview, size_t i, const char *code, int64_t total,
    int64_t unprotected, int64_t detections)
{
	const json_t *a =
	    json_array_get(json_object_get(overview, "agencies"), i);

	assert_string_equal(
	    json_string_value(json_object_get(a, "code")), code);
	assert_int_equal(number_of(a, "total"), total);
	assert_int_equal(number_of(a, "unprotected"), unprotected);
	assert_int_equal(number_of(a, "detections"), detections);
}

static void
import_register(struct test_centre *t, const char *csv)
{
	struct http_req rq = test_request(t);
	struct errinfo ei = { 0 };
	json_t *report;

	assert_ok(computers_import(&rq, span_of(csv), &report, &ei));
	json_decref(report);
}

#define REGISTER                                                               \
	"ma_co_quan,ma_may,ten_may,loai\n"                                     \
	"T,1,tinh-1,server\n"                                                  \
	"T.1,1,so-1,máy trạm\n"                                             \
	"T.1,2,so-2,máy trạm\n"                                             \
	"T.1.a,1,phong-1,terminal\n"

struct sum {
	struct test_centre *t;
	const struct figure *f;
	int64_t value;
};

static enum err
sum_figure(struct sql *q, void *arg, struct errinfo *ei)
{
	struct sum *s = arg;
	struct figure_value *values;
	size_t n = 0;
	enum err e = figure_measure(
	    q, s->t->arena, s->f, s->t->clock.set_utc_ms, &values, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		s->value += values[i].value;
	return e;
}

/* The page counts in one pass what each figure's SQL defines. */
static void
assert_same_as_figures(struct test_centre *t, const json_t *overview)
{
	const json_t *list = json_object_get(overview, "figures");
	size_t n = 0;

	for (; protection_figures[n].name != NULL; n++) {
		struct sum s = { t, &protection_figures[n], 0 };
		struct errinfo ei = { 0 };

		assert_ok(store_read(t->c.store, sum_figure, &s, &ei));
		TEST_CASE(s.f->name);
		assert_int_equal(
		    number_of(json_array_get(list, n), "value"), s.value);
	}
	assert_int_equal(json_array_size(list), n);
}

static void
an_agency_counts_those_below_it_and_the_province_all_once(void **state)
{
	struct test_centre t;
	struct peer known, extra;
	json_t *o, *totals;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	(void)test_agency(&t, "T.1", "T");
	(void)test_agency(&t, "T.1.a", "T.1");
	(void)test_agency(&t, "T.2", "T");
	import_register(&t, REGISTER);
	peer_begin(&known, &t, "T.1.a", "PHONG-1"); /* it is in the register */
	peer_begin(&extra, &t, "T.2", "khong-ro");  /* this one is not */
	peer_tell(&extra, "", detection(&extra, 1, uuid_make(&clock_system)));
	o = overview(&t);
	totals = json_object_get(o, "totals");
	assert_int_equal(number_of(totals, "declared"), 4);
	assert_int_equal(number_of(totals, "total"), 5);
	assert_int_equal(number_of(totals, "enrolled"), 2);
	assert_int_equal(number_of(totals, "detections"), 1);
	assert_int_equal(number_of(totals, "detections_open"), 1);
	assert_agency(o, 0, "T", 5, 5, 1);
	assert_agency(o, 1, "T.1", 3, 3, 0);
	assert_agency(o, 2, "T.1.a", 1, 1, 0);
	assert_agency(o, 3, "T.2", 1, 1, 1);
	assert_same_as_figures(&t, o);
	json_decref(o);
	peer_free(&known);
	peer_free(&extra);
	test_centre_close(&t);
}

static void
states_add_up_and_unknown_is_neither(void **state)
{
	struct test_centre t;
	struct peer p;
	struct standing silent = { 0, 0, 0, "" };
	struct errinfo ei = { 0 };
	json_t *o, *totals;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	import_register(&t, "ma_co_quan,ma_may,ten_may,loai\nT,1,x,server\n");
	peer_begin(&p, &t, "T", "y");
	assert_ok(store_write(t.c.store, put_standing, &silent, &ei));
	o = overview(&t);
	totals = json_object_get(o, "totals");
	assert_int_equal(number_of(totals, "total"), 2);
	assert_int_equal(number_of(totals, "protected"), 0);
	assert_int_equal(number_of(totals, "unprotected"), 1);
	assert_int_equal(number_of(totals, "unknown"), 1);
	assert_int_equal(json_array_size(json_object_get(o, "reasons")), 2);
	assert_same_as_figures(&t, o);
	json_decref(o);
	peer_free(&p);
	test_centre_close(&t);
}

/* The days gone by were measured and stay: today counts what is late. */
static void
what_was_found_offline_counts_on_the_day_it_is_told(void **state)
{
	struct test_centre t;
	struct peer p;
	const char *late;
	json_t *o;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "X");
	late = detection(&p, 1, uuid_make(&clock_system));
	t.clock.set_utc_ms += 10 * DAY_MS;
	peer_tell(&p, "", late);
	o = overview(&t);
	assert_int_equal(
	    number_of(json_object_get(o, "totals"), "detections"), 1);
	json_decref(o);
	t.clock.set_utc_ms += DAY_MS;
	o = overview(&t);
	assert_int_equal(
	    number_of(json_object_get(o, "totals"), "detections"), 0);
	json_decref(o);
	peer_free(&p);
	test_centre_close(&t);
}

struct dissolve {
	struct uuid agency;
};

static enum err
dissolve(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct dissolve *d = arg;

	return sql_exec(q, NULL, ei,
	    "UPDATE agency_periods SET valid_to = '2025-01-01'"
	    " WHERE agency_id = ?1",
	    SQL_UUID(d->agency));
}

/* Its computers are still there, and nobody may forget them. */
static void
computers_of_a_dissolved_agency_still_count(void **state)
{
	struct test_centre t;
	struct dissolve d;
	struct errinfo ei = { 0 };
	json_t *o, *totals;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	d.agency = test_agency(&t, "CU", "");
	import_register(&t,
	    "ma_co_quan,ma_may,ten_may,loai\nT,1,x,server\nCU,1,y,server\n");
	assert_ok(store_write(t.c.store, dissolve, &d, &ei));
	o = overview(&t);
	totals = json_object_get(o, "totals");
	assert_int_equal(number_of(totals, "total"), 2);
	assert_int_equal(number_of(totals, "unprotected"), 2);
	json_decref(o);
	test_centre_close(&t);
}

static void
a_revoked_agent_leaves_its_computer_without_one(void **state)
{
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	import_register(&t, "ma_co_quan,ma_may,ten_may,loai\nT,1,x,server\n");
	peer_begin(&p, &t, "T", "X");
	assert_string_equal(reason(&t), "signatures");
	assert_ok(protection_revoke(
	    &t.c, p.agent.agency, p.agent.id, &org_system, &ei));
	assert_string_equal(reason(&t), "no_agent");
	peer_free(&p);
	peer_begin(&p, &t, "T", "x"); /* installed anew: the same computer */
	assert_string_equal(reason(&t), "signatures");
	peer_free(&p);
	test_centre_close(&t);
}

/* ---- lists ---- */

static int64_t
listed(struct test_centre *t, const char *agency, const char *wanted,
    const char *text)
{
	struct http_req rq = test_request(t);
	struct filter f = { .agency = span_of(agency),
		.state = span_of(wanted),
		.text = span_of(text),
		.page = 1 };
	struct errinfo ei = { 0 };
	json_t *list;
	int64_t n;

	assert_ok(computers_list(&rq, &f, &list, &ei));
	n = number_of(list, "total");
	assert_int_equal(json_array_size(json_object_get(list, "rows")), n);
	json_decref(list);
	return n;
}

static void
a_filter_finds_what_it_says(void **state)
{
	static const struct {
		const char *agency, *state, *text;
		int64_t want;
	} cases[] = {
		{ "", "", "", 4 },
		{ "T", "", "", 4 },
		{ "T.1", "", "", 3 },
		{ "T.1.a", "", "", 1 },
		{ "khong-co", "", "", 0 },
		{ "", "unprotected", "", 4 },
		{ "", "no_agent", "", 4 },
		{ "", "protected", "", 0 },
		{ "", "", "SO-", 2 },
		{ "", "", "%", 0 }, /* not a wildcard */
		{ "", "", "_", 0 },
		{ "", "", "!", 0 },
		{ "", "", "' OR 1=1 --", 0 },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	(void)test_agency(&t, "T.1", "T");
	(void)test_agency(&t, "T.1.a", "T.1");
	import_register(&t, REGISTER);
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].text);
		assert_int_equal(
		    listed(&t, cases[i].agency, cases[i].state, cases[i].text),
		    cases[i].want);
	}
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_gap_has_its_reason_to_the_millisecond),
		cmocka_unit_test(the_limits_are_settings),
		cmocka_unit_test(a_silent_agent_is_well_again_when_it_speaks),
		cmocka_unit_test(
		    an_agency_counts_those_below_it_and_the_province_all_once),
		cmocka_unit_test(states_add_up_and_unknown_is_neither),
		cmocka_unit_test(
		    what_was_found_offline_counts_on_the_day_it_is_told),
		cmocka_unit_test(computers_of_a_dissolved_agency_still_count),
		cmocka_unit_test(
		    a_revoked_agent_leaves_its_computer_without_one),
		cmocka_unit_test(a_filter_finds_what_it_says),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
