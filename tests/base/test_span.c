#include "testing.h"

#include "base/span.h"

static void
cut_splits_at_the_first_separator(void **state)
{
	struct span rest, head = span_cut(SPAN("a:b:c"), ':', &rest);

	(void)state;
	assert_true(span_is(head, "a"));
	assert_true(span_is(rest, "b:c"));
	head = span_cut(SPAN("abc"), ':', &rest);
	assert_true(span_is(head, "abc"));
	assert_int_equal(rest.len, 0);
}

static void
characters_become_utf8(void **state)
{
	static const struct {
		uint32_t code;
		const char *want;
	} cases[] = { { 'a', "a" }, { 0x7f, "\x7f" }, { 0x80, "\xc2\x80" },
		{ 0x7ff, "\xdf\xbf" }, { 0x800, "\xe0\xa0\x80" },
		{ 0x1ed1, "\xe1\xbb\x91" }, { 0xffff, "\xef\xbf\xbf" },
		{ 0x10000, "\xf0\x90\x80\x80" },
		{ 0x10ffff, "\xf4\x8f\xbf\xbf" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[4];
		size_t n = utf8_encode(cases[i].code, text);

		assert_true(span_is((struct span){ text, n }, cases[i].want));
		assert_int_equal(n, span_utf8_step(span_of(cases[i].want)));
	}
}

static void
words_are_found_by_their_rare_byte(void **state)
{
	static const struct {
		const char *in;
		int at; /* -1: nowhere */
	} cases[] = { { "xyz", 0 }, { "axyz", 1 }, { "xyxyz", 2 }, { "xy", -1 },
		{ "yzxyz", 2 }, { "zzxyyxyz", 5 }, { "y", -1 }, { "", -1 },
		{ "xyzxyz", 0 }, { "yxz", -1 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t rare = 0; rare < 3; rare++) {
			struct span in = span_of(cases[i].in);
			const char *p = span_find(in, SPAN("xyz"), rare);

			assert_int_equal(
			    p == NULL ? -1 : p - in.ptr, cases[i].at);
		}
}

static void
numbers_are_digits_within_bounds(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		enum err want;
		uint64_t value;
	} cases[] = {
		{ "0", 9, OK, 0 },
		{ "18446744073709551615", UINT64_MAX, OK, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, ERR_LIMIT, 0 },
		{ "10", 9, ERR_LIMIT, 0 },
		{ "", 9, ERR_SYNTAX, 0 },
		{ "+1", 9, ERR_SYNTAX, 0 },
		{ " 1", 9, ERR_SYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t v = 0;

		TEST_CASE(cases[i].text);
		assert_err(span_u64(span_of(cases[i].text), cases[i].max, &v),
		    cases[i].want);
		assert_true(v == cases[i].value);
	}
}

static void
utf8_is_checked_as_rfc_3629_says(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{ "", true },
		{ "abc", true },
		{ "\xe1\xba\xa1n", true },     /* ạn */
		{ "\xf0\x9f\x9b\xa1", true },  /* shield */
		{ "\xc0\x80", false },         /* overlong NUL */
		{ "\xed\xa0\x80", false },     /* surrogate */
		{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
		{ "\xe1\xba", false },         /* cut short */
		{ "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(
		    span_utf8(span_of(cases[i].text)), cases[i].want);
	assert_false(span_utf8((struct span){ "a\0b", 3 }));
}

static void
hex_round_trips(void **state)
{
	unsigned char bytes[4];
	char text[9];

	(void)state;
	assert_err(hex_decode(SPAN("00fFA05c"), bytes, 4), OK);
	hex_encode(bytes, 4, text);
	assert_string_equal(text, "00ffa05c");
	assert_err(hex_decode(SPAN("00ff"), bytes, 4), ERR_SYNTAX);
	assert_err(hex_decode(SPAN("00ffa05g"), bytes, 4), ERR_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_splits_at_the_first_separator),
		cmocka_unit_test(characters_become_utf8),
		cmocka_unit_test(words_are_found_by_their_rare_byte),
		cmocka_unit_test(numbers_are_digits_within_bounds),
		cmocka_unit_test(utf8_is_checked_as_rfc_3629_says),
		cmocka_unit_test(hex_round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
