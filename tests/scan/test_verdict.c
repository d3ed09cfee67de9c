#include "scan/fixture.h"

static const struct scan_verdict found = {
	.outcome = SCAN_INFECTED,
	.name = "Worm.A",
	.source = "a.ndb",
	.inner = "a.tar/b\n.exe",
	.set_version = 5,
	.size = 1234,
	.read = 5678,
	.objects = 3,
	.has_sha256 = true,
	.sha256 = { 1, 2, 3 },
};

static void
a_verdict_survives_the_wire(void **state)
{
	static const struct scan_verdict clean = { .size = 1, .objects = 1 };
	static const struct scan_verdict locked = {
		.outcome = SCAN_UNSCANNABLE,
		.reason = SCAN_R_ENCRYPTED,
		.inner = "x",
	};
	const struct scan_verdict *cases[] = { &found, &clean, &locked };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(4096);
		struct scan_verdict v;
		struct errinfo ei = { 0 };

		scan_verdict_encode(cases[i], &b);
		assert_ok(scan_verdict_decode(buf_view(&b), &v, &ei));
		assert_int_equal(v.outcome, cases[i]->outcome);
		assert_int_equal(v.reason, cases[i]->reason);
		assert_string_equal(v.name, cases[i]->name);
		assert_string_equal(v.source, cases[i]->source);
		assert_string_equal(v.inner, cases[i]->inner);
		assert_true(v.set_version == cases[i]->set_version);
		assert_true(v.size == cases[i]->size);
		assert_true(v.read == cases[i]->read);
		assert_int_equal(v.objects, cases[i]->objects);
		assert_int_equal(v.has_sha256, cases[i]->has_sha256);
		assert_memory_equal(v.sha256, cases[i]->sha256, 32);
		buf_free(&b);
	}
}

static void
a_verdict_cut_or_lengthened_is_refused(void **state)
{
	struct buf b = buf_make(4096);
	struct scan_verdict v;

	(void)state;
	scan_verdict_encode(&found, &b);
	for (size_t n = 0; n < b.len; n++)
		assert_err(
		    scan_verdict_decode((struct span){ b.ptr, n }, &v, NULL),
		    ERR_CORRUPT);
	buf_char(&b, 'x');
	assert_err(scan_verdict_decode(buf_view(&b), &v, NULL), ERR_CORRUPT);
	buf_free(&b);
}

static void
a_verdict_that_contradicts_itself_is_refused(void **state)
{
	static const struct scan_verdict cases[] = {
		{ .outcome = SCAN_INFECTED },
		{ .outcome = SCAN_CLEAN, .name = "x" },
		{ .outcome = SCAN_CLEAN, .reason = SCAN_R_TIME },
		{ .outcome = SCAN_CLEAN, .inner = "x" },
		{ .outcome = SCAN_UNSCANNABLE },
		{ .outcome = SCAN_UNSCANNABLE,
		    .reason = SCAN_R_TIME,
		    .name = "x" },
		{ .outcome = SCAN_INFECTED,
		    .reason = SCAN_R_TIME,
		    .name = "x" },
		{ .outcome = SCAN_OUTCOMES, .name = "x" },
		{ .outcome = SCAN_UNSCANNABLE, .reason = SCAN_REASONS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(4096);
		struct scan_verdict v;

		scan_verdict_encode(&cases[i], &b);
		assert_err(
		    scan_verdict_decode(buf_view(&b), &v, NULL), ERR_CORRUPT);
		buf_free(&b);
	}
}

static void
every_outcome_and_reason_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < SCAN_OUTCOMES; i++)
		assert_string_not_equal(
		    scan_outcome_name((enum scan_outcome)i), "unknown");
	for (int i = 0; i < SCAN_REASONS; i++)
		assert_string_not_equal(
		    scan_reason_name((enum scan_reason)i), "unknown");
	assert_string_equal(
	    scan_reason_name((enum scan_reason)SCAN_REASONS), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_survives_the_wire),
		cmocka_unit_test(a_verdict_cut_or_lengthened_is_refused),
		cmocka_unit_test(a_verdict_that_contradicts_itself_is_refused),
		cmocka_unit_test(every_outcome_and_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
