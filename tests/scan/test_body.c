#include "scan/fixture.h"

#include <time.h>

/* Every construct of a body, with what it matches and narrowly misses. */
static const struct {
	const char *offset, *body;
	const char *bytes;
	bool want;
} cases[] = {
	{ "*", "68656c6c6f", "say hello", true },
	{ "*", "68656C6C6F", "say hello", true },
	{ "*", "68656c6c6f", "say help", false },
	{ "*", "6865", "x he", true },
	{ "*", "6865????6f", "hello", true },
	{ "*", "6865????6f", "helo", false },
	{ "*", "686?6c6c6f", "hello", true },
	{ "*", "68?56c6c6f", "hello", true },
	{ "*", "68?46c6c6f", "hello", false },
	{ "*", "6865??", "the", false },
	{ "*", "??6865", "he", false },
	{ "*", "6865*6c6f", "he......lo", true },
	{ "*", "6865*6c6f", "lo......he", false },
	{ "*", "6865*6c6f", "helo", true },
	{ "*", "68656c*6c6f", "helo", false },
	{ "*", "6865{2}6c6f", "he..lo", true },
	{ "*", "6865{2}6c6f", "he.lo", false },
	{ "*", "6865{2-4}6c6f", "he..lo", true },
	{ "*", "6865{2-4}6c6f", "he....lo", true },
	{ "*", "6865{2-4}6c6f", "he.....lo", false },
	{ "*", "6865{2-4}6c6f", "he.lo", false },
	{ "*", "6865{-3}6c6f", "helo", true },
	{ "*", "6865{-3}6c6f", "he....lo", false },
	{ "*", "6865{3-}6c6f", "he.....lo", true },
	{ "*", "6865{3-}6c6f", "he..lo", false },
	{ "*", "6865{2-4}6c6f", "he.he...lo", true },
	{ "*", "6865{2-4}6c6f", "he...he.lo", false },
	{ "*", "6161{1-2}6262{1-2}6363", "aa.bb.bb..cc", false },
	{ "*", "6161{1-5}6262{1-2}6363", "aa.bb.bb..cc", true },
	{ "*", "6161*6262{1-2}6363", "aa.bb...bb..cc", true },
	{ "*", "68[1-3]6c6f", "h..lo", true },
	{ "*", "68[1-3]6c6f", "h....lo", false },
	{ "*", "6865[1-3]6f", "he..o", true },
	{ "*", "6865(6c|6d)6f6f", "hemoo", true },
	{ "*", "6865(6c|6d)6f6f", "henoo", false },
	{ "*", "6865!(6c|6d)6f6f", "henoo", true },
	{ "*", "6865!(6c|6d)6f6f", "heloo", false },
	{ "*", "6865(6c6c|6d6d)6f6f", "hemmoo", true },
	{ "*", "6865(6c6c|6d6d)6f6f", "hemloo", false },
	{ "*", "6865!(6c6c|6d6d)6f6f", "hemloo", true },
	{ "*", "6865(6c|6d6d6d)6f6f", "hemmmoo", true },
	{ "*", "6865(6c|6d6d6d)6f6f", "hemmoo", false },
	{ "*", "6865(6b??|6d)6f6f", "hek.oo", true },
	{ "*", "6865(6b{2}|6d)6f6f", "hek..oo", true },
	{ "*", "6865(6c(61|62)|6d)6f6f", "helboo", true },
	{ "*", "6865(6c(61|62)|6d)6f6f", "helcoo", false },
	{ "*", "(B)68656c6c6f", "hello", true },
	{ "*", "(B)68656c6c6f", "a hello", true },
	{ "*", "(B)68656c6c6f", "ahello", false },
	{ "*", "68656c6c6f(W)", "hello", true },
	{ "*", "68656c6c6f(W)", "hello!", true },
	{ "*", "68656c6c6f(W)", "hello1", false },
	{ "*", "6865(L)6c6f", "he\nlo", true },
	{ "*", "6865(L)6c6f", "he\r\nlo", true },
	{ "*", "6865(L)6c6f", "he lo", false },
	{ "0", "6865", "hex", true },
	{ "0", "6865", "the", false },
	{ "1", "6865", "the", true },
	{ "1,2", "6865", "...he", true },
	{ "1,2", "6865", "....he", false },
	{ "1,2", "6865", "he", false },
	{ "EOF-2", "6865", "the", true },
	{ "EOF-2", "6865", "then", false },
	{ "EOF-4,2", "6865", "hex.", true },
	{ "EOF-4,2", "6865", "..he", true },
	{ "EOF-4,1", "6865", "..he", false },
	{ "EOF-9", "6865", "he", false },
	{ "2", "6865*6c6f", "..he..lo", true },
	{ "2", "6865*6c6f", "he..he..", false },
	{ "2", "(W)68656b", "a.hek", true },
	{ "1", "(W)68656b", "a.hek", false },
};

static void
a_body_matches_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		char line[256];
		bool found;

		(void)snprintf(line, sizeof(line), "Test.Sig:0:%s:%s",
		    cases[i].offset, cases[i].body);
		TEST_CASE(line);
		fixture_make(&f, "test.ndb", line);
		assert_string_equal(f.problem, "");
		found = strcmp(fixture_scan(&f, span_of(cases[i].bytes)),
			    "Test.Sig") == 0;
		assert_int_equal(found, cases[i].want);
		fixture_clear(&f);
	}
}

static void
a_bad_line_is_named_and_skipped(void **state)
{
	static const struct {
		const char *line, *reason;
	} bad[] = {
		{ "A:0:*:686", "odd number of hex digits" },
		{ "A:0:*:6865zz", "not a hex digit in the body" },
		{ "A:0:*:", "body is empty" },
		{ "A:0:*:68", "part 1 has no two fixed bytes in a row" },
		{ "A:0:*:68??65", "part 1 has no two fixed bytes in a row" },
		{ "A:0:*:6865*", "gap without bytes behind it" },
		{ "A:0:*:*6865", "gap without bytes before it" },
		{ "A:0:*:6865*68*6865",
		    "part 2 has no two fixed bytes in a row" },
		{ "A:0:*:6865{4-2}6865", "gap ends before it begins" },
		{ "A:0:*:6865{x}6865", "malformed gap" },
		{ "A:0:*:6865{2", "gap is not closed" },
		{ "A:0:*:68[1-33]6865", "[n-m] reaches beyond 32" },
		{ "A:0:*:6865[1-3]6865",
		    "[n-m] needs a single byte on one side" },
		{ "A:0:*:6865(6c|6d", "parenthesis is not closed" },
		{ "A:0:*:6865(|6d)6865", "empty alternative" },
		{ "A:0:*:6865!(6c|6d6d)6865",
		    "negated alternatives of unequal length" },
		{ "A:0:*:6865(6c*|6d)6865",
		    "gap of variable length in an alternative" },
		{ "A:0:+1:6865", "malformed offset +1" },
		{ "A:0::6865", "malformed offset " },
		{ "A:0:1,x:6865", "malformed offset shift" },
		{ "A:1:EP+:6865", "malformed offset EP+" },
		{ "A:1:S+2:6865", "malformed offset S+2" },
		{ "A:1:SE1+2:6865", "malformed offset SE1+2" },
		{ "A:1:VI+1:6865", "malformed offset VI+1" },
		{ "A:1:$32:6865", "malformed offset $32" },
		{ "A:15:*:6865", "target is not 0 to 14" },
		{ "A:x:*:6865", "target is not 0 to 14" },
		{ ":0:*:6865", "signature has no name" },
		{ "A\t:0:*:6865", "control character in the name" },
		{ "A\xff:0:*:6865", "name is not UTF-8" },
		{ "A:0:*:6865:x", "functionality level is not a number" },
		{ "A:0:*",
		    "3 fields, name:target:offset:body[:min[:max]] "
		    "expected" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fixture f;
		char text[256];

		TEST_CASE(bad[i].line);
		(void)snprintf(text, sizeof(text),
		    "# comment\r\n\r\n%s\nGood.One:0:*:61626364\n",
		    bad[i].line);
		fixture_make(&f, "test.ndb", text);
		assert_int_equal(f.problems, 1);
		assert_int_equal(f.problem_line, 3);
		assert_string_equal(f.problem, bad[i].reason);
		assert_int_equal(f.counts.skipped, 1);
		assert_int_equal(f.counts.bodies, 2); /* with EICAR */
		assert_string_equal(fixture_scan(&f, SPAN("abcd")), "Good.One");
		fixture_clear(&f);
	}
}

static void
a_level_out_of_range_is_counted_silently(void **state)
{
	static const struct {
		const char *levels;
		bool kept;
	} levels[] = { { "", true }, { ":", true }, { ":73", true },
		{ ":230", true }, { ":231", false }, { ":10:229", false },
		{ ":10:230", true }, { ":10:", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(levels); i++) {
		struct fixture f;
		char text[128];

		TEST_CASE(levels[i].levels);
		(void)snprintf(
		    text, sizeof(text), "A:0:*:61626364%s\n", levels[i].levels);
		fixture_make(&f, "test.ndb", text);
		assert_int_equal(f.problems, 0);
		assert_int_equal(f.counts.skipped, !levels[i].kept);
		assert_string_equal(
		    fixture_scan(&f, SPAN("abcd")), levels[i].kept ? "A" : "");
		fixture_clear(&f);
	}
}

static void
a_target_limits_where_a_body_applies(void **state)
{
	static const struct {
		unsigned target;
		struct span bytes;
		bool want;
	} rows[] = {
		{ 0, SPAN("MZ worm"), true },
		{ 1, SPAN("MZ worm"), true },
		{ 1, SPAN("ZM worm"), false },
		{ 2, SPAN("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 worm"), true },
		{ 4, SPAN("From: me\n\nworm"), true },
		{ 4, SPAN("To whom\n\nworm"), false },
		{ 5, SPAN("GIF89a worm"), true },
		{ 6, SPAN("\177ELF worm"), true },
		{ 6, SPAN("MZ worm"), false },
		{ 7, SPAN("a little worm"), true },
		{ 7, SPAN("a little WORM"), true },
		{ 0, SPAN("a little WORM"), true },
		{ 0, SPAN("MZ WORM"), false },
		{ 7, SPAN("\1\2\0\0\5\6 worm"), false },
		{ 14, SPAN("\1\2\0\0\5\6 worm"), true },
		{ 9, SPAN("\xcf\xfa\xed\xfe worm"), true },
		{ 10, SPAN("%PDF-1.7 worm"), true },
		{ 11, SPAN("FWS worm"), true },
		{ 12, SPAN("\xca\xfe\xba\xbe worm"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;
		char text[128];

		(void)snprintf(
		    text, sizeof(text), "T:%u:*:776f726d", rows[i].target);
		TEST_CASE(text);
		fixture_make(&f, "test.ndb", text);
		assert_string_equal(
		    fixture_scan(&f, rows[i].bytes), rows[i].want ? "T" : "");
		fixture_clear(&f);
	}
}

static void
text_is_matched_as_it_is_normalised(void **state)
{
	struct fixture f;

	(void)state;
	/* "evil script" */
	fixture_make(&f, "t.ndb", "T:7:*:6576696c20736372697074\n");
	assert_string_equal(
	    fixture_scan(&f, SPAN("some EVIL \r\n\t Script")), "T");
	assert_string_equal(
	    fixture_scan(&f, SPAN("some E\xcc\x81VIL Script")), "T");
	assert_string_equal(fixture_scan(&f, SPAN("some evilscript")), "");
	/* UTF-16, as Windows scripts are */
	assert_string_equal(fixture_scan(&f,
				SPAN("\xff\xfe"
				     "e\0v\0i\0l\0 \0s\0c\0r\0i\0p\0t\0")),
	    "T");
	fixture_clear(&f);
}

/* However long the object and wherever the match: no block edge matters. */
static void
a_match_does_not_depend_on_where_it_stands(void **state)
{
	static const size_t places[] = { 0, 1, 65528, 65532, 65535, 65536,
		131071, 199992 };
	static char bytes[200000];
	struct fixture f;

	(void)state;
	fixture_make(&f, "t.ndb", "T:0:*:deadbeefcafebabe\n");
	for (size_t i = 0; i < COUNT(places); i++) {
		memset(bytes, 0, sizeof(bytes));
		memcpy(
		    bytes + places[i], "\xde\xad\xbe\xef\xca\xfe\xba\xbe", 8);
		assert_string_equal(
		    fixture_scan(&f, (struct span){ bytes, sizeof(bytes) }),
		    "T");
	}
	fixture_clear(&f);
}

/* A signature whose parts are everywhere must not take for ever: each part
 * is looked for once over the object. */
static void
many_partial_matches_end_in_time(void **state)
{
	enum { SIZE = 1 << 20 };
	char *bytes = malloc(SIZE);
	struct fixture f;
	clock_t began = clock();

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'a', SIZE);
	fixture_make(&f, "t.ndb",
	    "A:0:*:61616161{1-1000}61616161*61616161{5-2000}6161616162\n"
	    "B:0:*:6161*6161*6161*6161*6161*6161*6162\n"
	    "C:0:*:6161{-9}6161{-9}6161{-9}6161{-9}6161{-9}6162\n");
	assert_string_equal(fixture_scan(&f, (struct span){ bytes, SIZE }), "");
	assert_true(clock() - began < 20 * CLOCKS_PER_SEC);
	fixture_clear(&f);
	free(bytes);
}

static void
the_eicar_test_file_is_always_found(void **state)
{
	struct fixture f;
	struct span e = eicar();
	char moved[128];

	(void)state;
	fixture_make(&f, "empty.ndb", "");
	assert_string_equal(fixture_scan(&f, e), "Eicar-Test-Signature");
	assert_string_equal(f.verdict.source, "built-in");
	assert_int_equal(f.verdict.set_version, 7);
	assert_true(f.verdict.has_sha256);
	(void)snprintf(moved, sizeof(moved), "x" SPAN_FMT, SPAN_ARG(e));
	assert_string_equal(fixture_scan(&f, span_of(moved)), "");
	assert_false(f.verdict.has_sha256);
	e.len--;
	assert_string_equal(fixture_scan(&f, e), "");
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_matches_what_it_says),
		cmocka_unit_test(a_bad_line_is_named_and_skipped),
		cmocka_unit_test(a_level_out_of_range_is_counted_silently),
		cmocka_unit_test(a_target_limits_where_a_body_applies),
		cmocka_unit_test(text_is_matched_as_it_is_normalised),
		cmocka_unit_test(a_match_does_not_depend_on_where_it_stands),
		cmocka_unit_test(many_partial_matches_end_in_time),
		cmocka_unit_test(the_eicar_test_file_is_always_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
