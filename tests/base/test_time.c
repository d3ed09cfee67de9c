/* Clocks, dates and UUIDs. */

#include "testing.h"

#include "base/clock.h"
#include "base/uuid.h"

#define NOW INT64_C(1764115200000) /* 2025-11-26T00:00:00Z */

static void
instants_are_written_and_read_back(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00.000Z", 0 },
		{ "2025-11-26T00:00:00.000Z", NOW },
		{ "2024-02-29T23:59:59.999Z", INT64_C(1709251199999) },
		{ "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[TIME_TEXT_MAX];
		int64_t ms = -1;

		TEST_CASE(cases[i].text);
		time_rfc3339(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
		assert_err(time_parse_rfc3339(span_of(text), &ms), OK);
		assert_true(ms == cases[i].ms);
	}
}

static void
what_is_no_instant_is_refused(void **state)
{
	static const char *const bad[] = { "", "2025-11-26",
		"2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z",
		"2025-00-10T00:00:00Z", "2025-11-31T00:00:00Z",
		"2025-11-26T24:00:00Z", "2025-11-26T00:60:00Z",
		"2025-11-26T00:00:61Z", "2025-11-26T00:00:00",
		"2025-11-26T00:00:00Zx", "25-11-26T00:00:00Z",
		"2025-11-26T00:00:00.Z", "+025-11-26T00:00:00Z" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t ms;

		TEST_CASE(bad[i]);
		assert_err(
		    time_parse_rfc3339(span_of(bad[i]), &ms), ERR_SYNTAX);
	}
}

static void
a_day_is_that_of_viet_nam(void **state)
{
	char text[TIME_TEXT_MAX];
	int64_t ms = 0;

	(void)state;
	time_day(NOW, text);
	assert_string_equal(text, "2025-11-26");
	time_day(NOW - 7 * 3600000 - 1, text); /* before midnight there */
	assert_string_equal(text, "2025-11-25");
	time_day(NOW - 7 * 3600000, text);
	assert_string_equal(text, "2025-11-26");
	assert_err(time_parse_day(SPAN("2025-11-26"), &ms), OK);
	assert_true(ms == NOW - 7 * 3600000);
	time_people(NOW, text);
	assert_string_equal(text, "26/11/2025 07:00");
	assert_err(time_parse_day(SPAN("2025-02-29"), &ms), ERR_SYNTAX);
	assert_err(time_parse_day(SPAN("26/11/2025"), &ms), ERR_SYNTAX);
	assert_err(time_parse_day(SPAN("2025-11-26 "), &ms), ERR_SYNTAX);
	assert_err(time_parse_day(SPAN(""), &ms), ERR_SYNTAX);
}

static void
a_fixed_clock_moves_when_it_is_set(void **state)
{
	struct clock c = clock_fixed(NOW);
	int64_t before = clock_mono_ns(&clock_system);

	(void)state;
	assert_true(clock_utc_ms(&c) == NOW);
	c.set_utc_ms -= 1000;
	assert_true(clock_utc_ms(&c) == NOW - 1000);
	assert_true(clock_mono_ns(&clock_system) >= before);
}

static void
uuids_are_of_version_7_and_sort_by_time(void **state)
{
	struct clock c = clock_fixed(NOW);
	struct uuid last = uuid_make(&c);
	char text[UUID_TEXT_MAX];

	(void)state;
	uuid_text(last, text);
	assert_memory_equal(text, "019abd75-b800-7", 15);
	for (int i = 0; i < 10000; i++) {
		struct uuid next;

		if (i == 5000)
			c.set_utc_ms -= 60000; /* the clock jumps back */
		if (i % 3 == 0 && i != 5000)
			c.set_utc_ms++;
		next = uuid_make(&c);
		assert_int_equal(next.b[6] >> 4, 7);
		assert_int_equal(next.b[8] >> 6, 2);
		if (i % 3 == 0 && i != 5001 && i > 0 && i < 5000)
			assert_true(memcmp(next.b, last.b, 6) > 0);
		assert_false(uuid_eq(next, last));
		last = next;
	}
}

static void
uuids_are_read_in_one_form_only(void **state)
{
	static const char *const bad[] = { "",
		"019abd7d-fc00-7000-8000-00000000000",
		"019abd7d-fc00-7000-8000-0000000000000",
		"019abd7dfc0070008000000000000000",
		"{019abd7d-fc00-7000-8000-000000000000}",
		"019abd7d-fc00-7000-8000-00000000000g",
		"019abd7d_fc00-7000-8000-000000000000" };
	struct uuid id, same;
	char text[UUID_TEXT_MAX];

	(void)state;
	assert_err(
	    uuid_parse(SPAN("019ABD7D-fc00-7000-8000-0000000000ff"), &id), OK);
	uuid_text(id, text);
	assert_string_equal(text, "019abd7d-fc00-7000-8000-0000000000ff");
	assert_err(uuid_parse(span_of(text), &same), OK);
	assert_true(uuid_eq(id, same));
	assert_false(uuid_none(id));
	assert_true(uuid_none((struct uuid){ 0 }));
	for (size_t i = 0; i < COUNT(bad); i++) {
		TEST_CASE(bad[i]);
		assert_err(uuid_parse(span_of(bad[i]), &id), ERR_SYNTAX);
	}
}

static void
random_numbers_stay_below(void **state)
{
	bool seen[7] = { false };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t n = random_below(7);

		assert_true(n < 7);
		seen[n] = true;
	}
	for (size_t i = 0; i < COUNT(seen); i++)
		assert_true(seen[i]);
	assert_int_equal(random_below(1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants_are_written_and_read_back),
		cmocka_unit_test(what_is_no_instant_is_refused),
		cmocka_unit_test(a_day_is_that_of_viet_nam),
		cmocka_unit_test(a_fixed_clock_moves_when_it_is_set),
		cmocka_unit_test(uuids_are_of_version_7_and_sort_by_time),
		cmocka_unit_test(uuids_are_read_in_one_form_only),
		cmocka_unit_test(random_numbers_stay_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
