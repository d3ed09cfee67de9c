/* Tables that people upload: whole or not at all, every bad row named. */

#include "agencies/agencies_int.h"
#include "agent.h"

typedef enum err import_fn(const struct http_req *rq, struct span csv,
    json_t **report, struct errinfo *ei);

/* "added changed unchanged|line:column line:column", or "no report". */
static const char *
import(struct test_centre *t, import_fn *fn, const char *csv, size_t n,
    enum err want)
{
	struct http_req rq = test_request(t);
	struct buf text = buf_make(65536);
	struct errinfo ei = { 0 };
	json_t *report = NULL, *bad;
	const char *out;

	assert_err(fn(&rq, (struct span){ csv, n }, &report, &ei), want);
	if (report == NULL)
		return "no report";
	bad = json_object_get(report, "bad");
	buf_fmt(&text, "%d %d|",
	    (int)json_integer_value(json_object_get(report, "added")),
	    (int)json_integer_value(json_object_get(report, "changed")));
	for (size_t i = 0; i < json_array_size(bad); i++) {
		const json_t *p = json_array_get(bad, i);

		buf_fmt(&text, "%s%d:%s", i > 0 ? " " : "",
		    (int)json_integer_value(json_object_get(p, "line")),
		    json_string_value(json_object_get(p, "column")));
		assert_true(json_string_length(json_object_get(p, "why")) > 0);
	}
	out = arena_text(t->arena, buf_view(&text));
	json_decref(report);
	buf_free(&text);
	return out;
}

#define IMPORT(t, fn, csv, want) import((t), (fn), (csv), strlen(csv), (want))

/* ---- agencies ---- */

static void
agencies_come_in_under_names_of_either_language(void **state)
{
	static const char *const tables[] = {
		"ma,ten,cap_tren,tu_ngay\nA,Sở A,,2025-01-01\n",
		"\xef\xbb\xbf\x43ODE;Name;from\r\nB;Sở B;2025-01-01\r\n",
		"extra\tname\tcode\nx\tSở C\tC\n", /* from today on */
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(tables); i++) {
		TEST_CASE(tables[i]);
		assert_string_equal(
		    IMPORT(&t, agencies_import, tables[i], OK), "1 0|");
	}
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT count(*) FROM agency_periods WHERE valid_from ="
		" '" TEST_DAY "' AND name = 'Sở C'"),
	    1);
	test_centre_close(&t);
}

static void
a_bad_table_of_agencies_names_its_rows_and_changes_nothing(void **state)
{
	static const struct {
		const char *csv, *want;
	} cases[] = {
		{ "ma,ten\nA,Tốt\n,x\nB,\n", "0 0|3:code 4:name" },
		{ "ma,ten,cap_tren\nA,Tốt,Z\n", "0 0|2:parent" },
		{ "ma,ten,tu_ngay\nA,Tốt,1/7/2025\n", "0 0|2:from" },
		/* a row that cannot be read, and one behind it */
		{ "ma,ten\nA,T\"ốt\nB,x\n", "0 0|2:" },
		{ "ma,ten\nA,\"hai\ndòng\"\n", "0 0|2:name" },
		{ "ma,ten\nA,x\nA,y\n", "0 0|3:code" },
		/* one cell too few would put it at the top of the tree */
		{ "ma,ten,cap_tren\nA,Tốt,\nB,Phòng\n,,\n\n", "0 0|3:" },
		/* a comma too many; empty cells are what spreadsheets write */
		{ "ma,ten\nA,Sở Y tế, tỉnh T\nB,,,\n", "0 0|2: 3:name" },
		/* of every kind at once, in the order of the file */
		{ "ma,ten,cap_tren\n,x,\nA,a,Z\nB,\"b\"x,\nC,,\n",
		    "0 0|2:code 3:parent 4: 5:name" },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].csv);
		assert_string_equal(
		    IMPORT(&t, agencies_import, cases[i].csv, ERR_SYNTAX),
		    cases[i].want);
	}
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM agencies"), 0);
	assert_int_equal(test_audited(t.c.store, "agency.import"), 0);
	test_centre_close(&t);
}

static void
a_table_without_its_columns_is_refused_by_name(void **state)
{
	static const struct {
		const char *csv, *field;
		import_fn *fn;
	} cases[] = {
		{ "", "ma", agencies_import },
		{ "ma\nA\n", "ten", agencies_import },
		{ "hello\n", "ma", agencies_import },
		{ "", "ma_co_quan", computers_import },
		{ "agency,code,name\nT,1,x\n", "loai", computers_import },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_req rq = test_request(&t);
		struct errinfo ei = { 0 };
		json_t *report;

		TEST_CASE(cases[i].csv);
		assert_err(
		    cases[i].fn(&rq, span_of(cases[i].csv), &report, &ei),
		    ERR_SYNTAX);
		assert_null(report);
		assert_string_equal(ei.field, cases[i].field);
	}
	test_centre_close(&t);
}

/* ---- the register ---- */

#define HEAD "ma_co_quan,ma_may,ten_may,loai,mac\n"

static void
a_register_is_added_and_corrected_by_code(void **state)
{
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	(void)test_agency(&t, "U", "");
	assert_string_equal(IMPORT(&t, computers_import,
				HEAD "T,1,x,Máy chủ,00-11-22-AA-BB-CC\n"
				     "U,1,x,workstation,\n"
				     "T,2,y,thiết bị đầu cuối,\n",
				OK),
	    "3 0|");
	assert_string_equal(
	    IMPORT(&t, computers_import,
		HEAD "T,1,x mới,server,\nT,3,z,terminal,\n", OK),
	    "1 1|");
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM computers"), 4);
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT count(*) FROM computers WHERE name = 'x mới'"),
	    1);
	assert_int_equal(test_audited(t.c.store, "computer.import"), 2);
	test_centre_close(&t);
}

static void
a_bad_register_names_its_rows_and_changes_nothing(void **state)
{
	static const struct {
		const char *csv, *want;
	} cases[] = {
		{ HEAD "T,1,x,server,\nZ,2,x,server,\nT,,x,server,\n"
		       "T,4,,server,\nT,5,x,tablet,\nT,6,x,server,12:34\n",
		    "0 0|3:agency 4:code 5:name 6:kind 7:mac" },
		{ HEAD "T,1,x,server,00:11:22:aa:bb:cg\n", "0 0|2:mac" },
		{ HEAD "T,1,x,server,\nT,\"2,x,server,\n", "0 0|3:" },
		{ HEAD "T\n", "0 0|2:" },
		{ HEAD "T,1,x,server,\nT,1,y,server,\n", "0 0|3:code" },
		{ HEAD "T,1,a\x01"
		       "b,server,\n",
		    "0 0|2:name" },
		{ HEAD "T,a\x01"
		       "b,x,server,\n",
		    "0 0|2:code" },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].csv);
		assert_string_equal(
		    IMPORT(&t, computers_import, cases[i].csv, ERR_SYNTAX),
		    cases[i].want);
	}
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM computers"), 0);
	assert_int_equal(test_audited(t.c.store, "computer.import"), 0);
	test_centre_close(&t);
}

static void
bytes_that_are_no_text_are_a_bad_row(void **state)
{
	static const char csv[] = HEAD "T,1,\xff\xfe,server,\n"
				       "T,2,a\0b,server,\n";
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	assert_string_equal(
	    import(&t, computers_import, csv, sizeof(csv) - 1, ERR_SYNTAX),
	    "0 0|2: 3:");
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM computers"), 0);
	test_centre_close(&t);
}

static void
an_agent_that_came_first_is_found_in_the_register(void **state)
{
	struct test_centre t;
	struct peer p;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	(void)test_agency(&t, "U", "");
	peer_begin(&p, &t, "T", "May-01");
	assert_string_equal(IMPORT(&t, computers_import,
				HEAD "U,1,may-01,server,\n" /* not its own */
				     "T,1,MAY-01,server,\n",
				OK),
	    "2 0|");
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT count(*) FROM computers WHERE agent_id IS NOT NULL"),
	    1);
	peer_free(&p);
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    agencies_come_in_under_names_of_either_language),
		cmocka_unit_test(
		    a_bad_table_of_agencies_names_its_rows_and_changes_nothing),
		cmocka_unit_test(
		    a_table_without_its_columns_is_refused_by_name),
		cmocka_unit_test(a_register_is_added_and_corrected_by_code),
		cmocka_unit_test(
		    a_bad_register_names_its_rows_and_changes_nothing),
		cmocka_unit_test(bytes_that_are_no_text_are_a_bad_row),
		cmocka_unit_test(
		    an_agent_that_came_first_is_found_in_the_register),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
