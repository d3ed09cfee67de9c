/* The dated tree of agencies, and its import. */

#include "support/centre.h"

struct row {
	const char *code, *name, *parent, *from, *to;
};

/* Imports the rows; line i + 2 is row i, as in a file with a header. */
static enum err
import(struct test_centre *t, const struct row *rows, size_t n,
    struct org_import *got)
{
	struct org_agency_row *list =
	    ARENA_NEW(t->arena, struct org_agency_row, n);

	for (size_t i = 0; i < n; i++)
		list[i] = (struct org_agency_row){
			.code = span_of(rows[i].code),
			.name = span_of(rows[i].name),
			.parent = span_of(rows[i].parent),
			.kind = SPAN(""),
			.from = span_of(rows[i].from),
			.to = span_of(rows[i].to),
			.line = i + 2,
		};
	return org_agency_import(t->c.store, t->c.clock, t->arena, list, n,
	    &(struct org_actor){ .name = "quantri", .remote = "" }, got, NULL);
}

#define IMPORT(t, rows, got) import((t), (rows), COUNT(rows), (got))

struct day {
	struct test_centre *t;
	const char *day;
	char text[1024]; /* "A=Name .B=Name ..B1=Name" */
};

static enum err
write_tree(struct sql *q, void *arg, struct errinfo *ei)
{
	struct day *d = arg;
	struct org_agency *tree;
	size_t n, at = 0;
	enum err e = org_agency_tree(q, d->t->arena, d->day, &tree, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		at += (size_t)snprintf(d->text + at, sizeof(d->text) - at,
		    "%s%.*s%s=%s", i > 0 ? " " : "", tree[i].depth,
		    "................", tree[i].code, tree[i].name);
	return e;
}

static void
assert_tree(struct test_centre *t, const char *day, const char *want)
{
	struct day d = { t, day, "" };
	struct errinfo ei = { 0 };

	assert_ok(store_read(t->c.store, write_tree, &d, &ei));
	assert_string_equal(d.text, want);
}

static void
assert_problem(const struct org_import *got, size_t i, size_t line,
    const char *column, const char *why)
{
	assert_true(i < got->problem_count);
	assert_int_equal(got->problems[i].line, line);
	assert_string_equal(got->problems[i].column, column);
	assert_string_equal(got->problems[i].why, why);
}

static const struct row province[] = {
	{ "T.1", "Sở một", "T", "2025-01-01", "" }, /* before its superior */
	{ "T", "Tỉnh", "", "2025-01-01", "" },
	{ "T.2", "Sở hai", "T", "2025-01-01", "" },
	{ "T.1.a", "Phòng a", "T.1", "2025-01-01", "" },
};

static void
a_tree_lists_superiors_first_and_siblings_by_code(void **state)
{
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_int_equal(got.added, 4);
	assert_tree(
	    &t, TEST_DAY, "T=Tỉnh .T.1=Sở một ..T.1.a=Phòng a .T.2=Sở hai");
	assert_tree(&t, "2024-12-31", "");
	test_centre_close(&t);
}

static void
a_sum_is_of_the_agency_and_of_all_below(void **state)
{
	static const struct org_agency tree[] = {
		{ .depth = 0 },
		{ .depth = 1 },
		{ .depth = 2 },
		{ .depth = 2 },
		{ .depth = 1 },
		{ .depth = 0 },
		{ .depth = 1 },
	};
	int64_t values[] = { 1, 20, 300, 4000, 50000, 600000, 7000000 };
	static const int64_t want[] = { 54321, 4320, 300, 4000, 50000, 7600000,
		7000000 };

	(void)state;
	org_agency_sum(tree, COUNT(tree), values);
	assert_memory_equal(values, want, sizeof(want));
	org_agency_sum(tree, 0, values);
}

static void
the_same_table_again_changes_nothing(void **state)
{
	static const struct row history[] = {
		{ "A", "Tên cũ", "", "2020-01-01", "" },
		{ "A", "Tên mới", "", "2025-07-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, history, &got), OK);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_int_equal(got.unchanged, 4);
	assert_err(IMPORT(&t, history, &got), OK);
	assert_int_equal(got.unchanged, 2);
	assert_int_equal(got.added + got.changed, 0);
	test_centre_close(&t);
}

/* ---- days ---- */

static void
a_new_name_holds_from_its_day_and_the_old_one_before(void **state)
{
	static const struct row renamed[] = {
		{ "T.1", "Sở mới", "T", "2025-07-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, renamed, &got), OK);
	assert_int_equal(got.changed, 1);
	assert_tree(
	    &t, "2025-06-30", "T=Tỉnh .T.1=Sở một ..T.1.a=Phòng a .T.2=Sở hai");
	assert_tree(
	    &t, "2025-07-01", "T=Tỉnh .T.1=Sở mới ..T.1.a=Phòng a .T.2=Sở hai");
	test_centre_close(&t);
}

static void
the_same_day_corrects_the_period(void **state)
{
	static const struct row corrected[] = {
		{ "T.2", "Sở hai (đúng)", "T.1", "2025-01-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, corrected, &got), OK);
	assert_tree(&t, "2025-01-01",
	    "T=Tỉnh .T.1=Sở một ..T.1.a=Phòng a ..T.2=Sở hai (đúng)");
	test_centre_close(&t);
}

static void
a_period_ends_before_the_day_it_names(void **state)
{
	static const struct row ended[] = {
		{ "T.1", "Sở một", "T", "2025-01-01", "2025-09-01" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, ended, &got), OK);
	assert_tree(
	    &t, "2025-08-31", "T=Tỉnh .T.1=Sở một ..T.1.a=Phòng a .T.2=Sở hai");
	/* whose superior is gone stands at the top: it does not vanish */
	assert_tree(&t, "2025-09-01", "T=Tỉnh .T.2=Sở hai T.1.a=Phòng a");
	test_centre_close(&t);
}

/* A period that was to end later ends where the next one begins. */
static void
an_agency_stands_in_the_tree_once_on_every_day(void **state)
{
	static const struct row first[] = {
		{ "A", "Cũ", "", "2025-01-01", "2025-12-31" },
	};
	static const struct row next[] = {
		{ "A", "Mới", "", "2025-06-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, first, &got), OK);
	assert_err(IMPORT(&t, next, &got), OK);
	assert_tree(&t, "2025-05-31", "A=Cũ");
	assert_tree(&t, "2025-06-01", "A=Mới");
	assert_tree(&t, "2025-12-31", "A=Mới");
	test_centre_close(&t);
}

static void
a_file_may_tell_a_history_in_any_order(void **state)
{
	static const struct row rows[] = {
		{ "A", "Ba", "", "2025-03-01", "" },
		{ "A", "Một", "", "2025-01-01", "" },
		{ "A", "Hai", "", "2025-02-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, rows, &got), OK);
	assert_tree(&t, "2025-01-31", "A=Một");
	assert_tree(&t, "2025-02-01", "A=Hai");
	assert_tree(&t, "2025-03-01", "A=Ba");
	test_centre_close(&t);
}

static void
history_is_not_rewritten(void **state)
{
	static const struct row later[] = {
		{ "T.1", "Sở mới", "T", "2025-07-01", "" },
	};
	static const struct row earlier[] = {
		{ "T.1", "Sở khác", "T", "2025-03-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, later, &got), OK);
	assert_err(IMPORT(&t, earlier, &got), ERR_SYNTAX);
	assert_problem(&got, 0, 2, "from",
	    "the date is before the agency's current period");
	test_centre_close(&t);
}

/* ---- circles ---- */

#define CIRCLE "the superiors go round in a circle"

static void
a_circle_within_the_file_is_refused(void **state)
{
	static const struct row rows[] = {
		{ "A", "A", "C", "2025-01-01", "" },
		{ "B", "B", "A", "2025-01-01", "" },
		{ "C", "C", "B", "2025-01-01", "" },
		{ "D", "D", "C", "2025-01-01", "" }, /* below it, not in it */
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	for (size_t i = 0; i < 3; i++)
		assert_problem(&got, i, i + 2, "parent", CIRCLE);
	assert_tree(&t, TEST_DAY, "");
	test_centre_close(&t);
}

static void
a_circle_through_agencies_that_are_there_is_refused(void **state)
{
	static const struct row rows[] = {
		{ "T", "Tỉnh", "T.1.a", "2025-06-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	assert_problem(&got, 0, 2, "parent", CIRCLE);
	assert_tree(
	    &t, TEST_DAY, "T=Tỉnh .T.1=Sở một ..T.1.a=Phòng a .T.2=Sở hai");
	test_centre_close(&t);
}

static void
a_circle_that_closes_on_a_later_day_is_refused(void **state)
{
	static const struct row planned[] = {
		{ "A", "A", "", "2025-01-01", "" },
		{ "B", "B", "", "2025-01-01", "" },
		{ "B", "B", "A", "2027-01-01", "" },
	};
	static const struct row rows[] = {
		{ "A", "A", "B", "2026-01-01", "" },
	};
	static const struct row until[] = {
		{ "A", "A", "B", "2026-01-01", "2027-01-01" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, planned, &got), OK);
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	assert_problem(&got, 0, 2, "parent", CIRCLE);
	assert_err(IMPORT(&t, until, &got), OK);
	assert_tree(&t, "2026-12-31", "B=B .A=A");
	test_centre_close(&t);
}

static void
more_levels_than_any_state_has_are_refused(void **state)
{
	struct row rows[ORG_DEPTH_MAX + 1];
	char codes[ORG_DEPTH_MAX + 1][8];
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(rows); i++) {
		(void)snprintf(codes[i], sizeof(codes[i]), "L%02zu", i);
		rows[i] = (struct row){ codes[i], "x",
			i > 0 ? codes[i - 1] : "", "2025-01-01", "" };
	}
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	assert_int_equal(got.problem_count, 1);
	assert_int_equal(got.problems[0].line, COUNT(rows) + 1);
	assert_err(import(&t, rows, COUNT(rows) - 1, &got), OK);
	test_centre_close(&t);
}

/* ---- bad rows ---- */

static void
every_bad_row_is_reported_and_none_is_imported(void **state)
{
	static const struct row rows[] = {
		{ "A", "Tốt", "", "2025-01-01", "" },
		{ "", "x", "", "2025-01-01", "" },
		{ "B", "", "", "2025-01-01", "" },
		{ "C", "x", "C", "2025-01-01", "" },
		{ "D", "x", "", "01/02/2025", "" },
		{ "E", "x", "", "2025-02-30", "" },
		{ "F", "x", "", "2025-01-01", "2025-01-01" },
		{ "G", "x\ny", "", "2025-01-01", "" },
		{ "A", "Lặp", "", "2025-01-01", "" },
		{ "A", "Lặp nữa", "", "2025-01-01", "" },
	};
	static const struct {
		size_t line;
		const char *column;
	} want[] = { { 3, "code" }, { 4, "name" }, { 5, "parent" },
		{ 6, "from" }, { 7, "from" }, { 8, "to" }, { 9, "name" },
		{ 10, "code" }, { 11, "code" } };
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	assert_int_equal(got.problem_count, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(got.problems[i].line, want[i].line);
		assert_string_equal(got.problems[i].column, want[i].column);
	}
	assert_int_equal(got.added + got.changed + got.unchanged, 0);
	assert_tree(&t, TEST_DAY, "");
	assert_int_equal(test_audited(t.c.store, "agency.import"), 0);
	test_centre_close(&t);
}

static void
an_unknown_superior_is_reported(void **state)
{
	static const struct row rows[] = {
		{ "A", "Tốt", "", "2025-01-01", "" },
		{ "B", "x", "không có", "2025-01-01", "" },
		{ "C", "x", "cũng không", "2025-01-01", "" },
	};
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, rows, &got), ERR_SYNTAX);
	assert_int_equal(got.problem_count, 2);
	assert_problem(
	    &got, 0, 3, "parent", "no agency has the superior's code");
	assert_problem(
	    &got, 1, 4, "parent", "no agency has the superior's code");
	assert_tree(&t, TEST_DAY, "");
	test_centre_close(&t);
}

static void
an_import_is_on_record_with_who_did_it(void **state)
{
	struct test_centre t;
	struct org_import got;

	test_centre_open(&t, *state, TEST_NOW);
	assert_err(IMPORT(&t, province, &got), OK);
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT count(*) FROM audit WHERE action = 'agency.import'"
		" AND actor = 'quantri' AND detail ="
		" '{\"added\":4,\"changed\":0}'"),
	    1);
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_tree_lists_superiors_first_and_siblings_by_code),
		cmocka_unit_test(a_sum_is_of_the_agency_and_of_all_below),
		cmocka_unit_test(the_same_table_again_changes_nothing),
		cmocka_unit_test(
		    a_new_name_holds_from_its_day_and_the_old_one_before),
		cmocka_unit_test(the_same_day_corrects_the_period),
		cmocka_unit_test(a_period_ends_before_the_day_it_names),
		cmocka_unit_test(
		    an_agency_stands_in_the_tree_once_on_every_day),
		cmocka_unit_test(a_file_may_tell_a_history_in_any_order),
		cmocka_unit_test(history_is_not_rewritten),
		cmocka_unit_test(a_circle_within_the_file_is_refused),
		cmocka_unit_test(
		    a_circle_through_agencies_that_are_there_is_refused),
		cmocka_unit_test(
		    a_circle_that_closes_on_a_later_day_is_refused),
		cmocka_unit_test(more_levels_than_any_state_has_are_refused),
		cmocka_unit_test(
		    every_bad_row_is_reported_and_none_is_imported),
		cmocka_unit_test(an_unknown_superior_is_reported),
		cmocka_unit_test(an_import_is_on_record_with_who_did_it),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
