#include "testing.h"

#include "store/store_int.h"

static void
parameters_are_translated_outside_of_quotes(void **state)
{
	static const struct {
		const char *text, *want;
		int highest;
	} cases[] = {
		{ "", "", 0 },
		{ "SELECT 1", "SELECT 1", 0 },
		{ "x = ?1 AND y = ?12", "x = $1 AND y = $12", 12 },
		{ "?2?1", "$2$1", 2 },
		{ "'?1' || ?1 || 'it''s ?2'", "'?1' || $1 || 'it''s ?2'", 1 },
		{ "\"?1\" = ?3", "\"?1\" = $3", 3 },
		{ "a -- ?1 it's\n= ?2", "a -- ?1 it's\n= $2", 2 },
		{ "a /* ?1 ' */ = ?2", "a /* ?1 ' */ = $2", 2 },
		{ "a - ?1 / ?2", "a - $1 / $2", 2 },
		{ "'never closed ?1", "'never closed ?1", 0 },
		{ "/* never closed ?1", "/* never closed ?1", 0 },
		{ "?1x", "$1x", 1 },
		{ "a ? b", NULL, 0 },
		{ "?", NULL, 0 },
		{ "?0", NULL, 0 },
		{ "?1000", NULL, 0 },
		{ "?-1", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(SQL_TEXT_MAX);
		int highest = -1;
		enum err e;

		e = words_translate(span_of(cases[i].text), &b, &highest, NULL);
		assert_err(e, cases[i].want == NULL ? ERR_SYNTAX : OK);
		if (e == OK) {
			assert_true(span_is(buf_view(&b), cases[i].want));
			assert_int_equal(highest, cases[i].highest);
		}
		buf_free(&b);
	}
}

static void
a_translation_that_does_not_fit_is_a_limit(void **state)
{
	struct buf b = buf_make(4);
	int highest;

	(void)state;
	assert_err(
	    words_translate(SPAN("SELECT ?1"), &b, &highest, NULL), ERR_LIMIT);
	buf_free(&b);
}

static const struct sql_word some[] = {
	{ "UUID", "bytea" },
	{ "INT", "bigint" },
	{ "TEXT", "text" },
	{ "TENANT", "PARTITIONED" },
	{ "GLOBAL", "" },
	{ NULL, NULL },
};

static void
words_of_a_migration_are_expanded(void **state)
{
	static const struct {
		const char *text, *want, *tenant;
	} cases[] = {
		{ "", "", "" },
		{ "CREATE TABLE a (x {UUID}) {TENANT}",
		    "CREATE TABLE a (x bytea) PARTITIONED", "a" },
		{ "CREATE TABLE IF NOT EXISTS a_1(x INTEGER){GLOBAL}",
		    "CREATE TABLE IF NOT EXISTS a_1(x bigint)", "" },
		{ "CREATE  TABLE\n a(x TEXT){TENANT}",
		    "CREATE  TABLE\n a(x text)PARTITIONED", "a" },
		{ "x INTEGERS, TEXTUAL, my_TEXT",
		    "x INTEGERS, TEXTUAL, my_TEXT", "" },
		{ "DEFAULT '{}' -- {X}\n", "DEFAULT '{}' -- {X}\n", "" },
		{ "'INTEGER' \"TEXT\"", "'INTEGER' \"TEXT\"", "" },
		{ "a {NONE}", NULL, "" },
		{ "a {UUID", NULL, "" },
		{ "a {", NULL, "" },
		{ "{}", NULL, "" },
		{ "{uuid}", NULL, "" },
		{ "ALTER TABLE a {TENANT}", NULL, "" },
		{ "CREATE TABLE {TENANT}", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(SQL_TEXT_MAX);
		struct span tenant = { "", 0 };
		enum err e;

		e = words_expand(
		    span_of(cases[i].text), some, &b, &tenant, NULL);
		if (cases[i].want == NULL) {
			assert_err(e, ERR_SYNTAX);
		} else {
			assert_err(e, OK);
			assert_true(span_is(buf_view(&b), cases[i].want));
			assert_true(span_is(tenant, cases[i].tenant));
		}
		buf_free(&b);
	}
}

static void
a_text_is_cut_into_statements(void **state)
{
	static const struct {
		const char *text;
		const char *want[4];
	} cases[] = {
		{ "", { NULL } },
		{ " \n;\n ;\n", { NULL } },
		{ "a", { "a" } },
		{ "a;", { "a" } },
		{ "a;\nb;\n", { "a", "b" } },
		{ "a; b;\nc", { "a; b", "c" } },
		{ "a ';\n' b;\nc", { "a ';\n' b", "c" } },
		{ "a -- x;\nb", { "a -- x;\nb" } },
		{ ";\na\n;\n\n;\nb", { "a", "b" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span rest = span_of(cases[i].text), s;
		size_t n = 0;

		while (words_statement(&rest, &s)) {
			assert_non_null(cases[i].want[n]);
			assert_true(span_is(s, cases[i].want[n]));
			n++;
		}
		assert_null(cases[i].want[n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_translated_outside_of_quotes),
		cmocka_unit_test(a_translation_that_does_not_fit_is_a_limit),
		cmocka_unit_test(words_of_a_migration_are_expanded),
		cmocka_unit_test(a_text_is_cut_into_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
