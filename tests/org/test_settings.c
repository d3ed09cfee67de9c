/* Settings are data with bounds, and every change of one is on record. */

#include "support/centre.h"

static void
a_setting_stays_within_its_bounds(void **state)
{
	static const struct {
		const char *key;
		int64_t value;
		enum err want;
	} cases[] = {
		{ "accounts.failures", 3, OK },
		{ "accounts.failures", 20, OK },
		{ "accounts.failures", 2, ERR_LIMIT },
		{ "accounts.failures", 21, ERR_LIMIT },
		{ "accounts.failures", INT64_MIN, ERR_LIMIT },
		{ "no.such.setting", 1, ERR_NOT_FOUND },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_err(org_setting_set(t.c.store, t.c.clock, cases[i].key,
			       cases[i].value, &org_system, NULL),
		    cases[i].want);
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT value FROM settings WHERE key = 'accounts.failures'"),
	    20);
	assert_int_equal(test_audited(t.c.store, "setting.change"), 2);
	assert_int_equal(test_number(t.c.store,
			     "SELECT count(*) FROM audit WHERE action ="
			     " 'setting.change' AND object ="
			     " 'accounts.failures' AND actor = 'system'"
			     " AND detail = '{\"from\":3,\"to\":20}'"),
	    1);
	test_centre_close(&t);
}

static void
what_the_province_set_survives_the_next_start(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	test_setting(&t, "accounts.failures", 9);
	assert_ok(org_settings_load(t.c.store,
	    SPAN("key,default,low,high,basis\n"
		 "accounts.failures,5,4,12,new bounds\n"
		 "new.setting,1,0,2,product default\n"),
	    &ei));
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT value FROM settings WHERE key = 'accounts.failures'"
		" AND low = 4 AND high = 12"),
	    9);
	assert_int_equal(test_number(t.c.store,
			     "SELECT value FROM settings WHERE key ="
			     " 'new.setting'"),
	    1);
	test_centre_close(&t);
}

static void
a_bad_line_of_settings_is_named_and_changes_nothing(void **state)
{
	static const char *const lines[] = { "a.b,x,1,2,why", "a.b,5,1,2,why",
		"a.b,1,1,2", "a.b,1,1,2,why,more" };
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct errinfo ei = { 0 };
		char csv[256];

		(void)snprintf(csv, sizeof(csv),
		    "key,default,low,high,basis\ngood.one,1,0,2,why\n%s\n",
		    lines[i]);
		assert_err(org_settings_load(t.c.store, span_of(csv), &ei),
		    ERR_SYNTAX);
		assert_non_null(strstr(ei.msg, "line 3"));
	}
	assert_int_equal(
	    test_number(t.c.store,
		"SELECT count(*) FROM settings WHERE key = 'good.one'"),
	    0);
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setting_stays_within_its_bounds),
		cmocka_unit_test(what_the_province_set_survives_the_next_start),
		cmocka_unit_test(
		    a_bad_line_of_settings_is_named_and_changes_nothing),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
