#include "scan/fixture.h"

static const char worm[] =
    "rule Worm { strings: $a = \"a nasty worm\" condition: $a }\n"
    "private rule Quiet { condition: true }\n";

static void
a_rule_is_found_by_its_name(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "rules/w.yar", worm);
	assert_int_equal(f.counts.yara, 2);
	assert_string_equal(
	    fixture_scan(&f, SPAN("here is a nasty worm")), "YARA.Worm");
	assert_string_equal(f.verdict.source, "w.yar");
	assert_string_equal(fixture_scan(&f, SPAN("here is a nice worm")), "");
	fixture_clear(&f);
}

static void
the_usual_variables_exist_and_are_empty(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "v.yara",
	    "rule V { condition: filename == \"\" and filepath == \"\" and "
	    "extension == \"\" and filetype == \"\" and owner == \"\" }\n");
	assert_string_equal(fixture_scan(&f, SPAN("x")), "YARA.V");
	fixture_clear(&f);
}

static void
modules_of_libyara_can_be_used(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "m.yar",
	    "import \"hash\"\nimport \"math\"\nimport \"elf\"\n"
	    "rule M { condition: hash.md5(0, filesize) == "
	    "\"5d41402abc4b2a76b9719d911017c592\" and "
	    "math.entropy(0, filesize) > 1 }\n");
	assert_string_equal(fixture_scan(&f, SPAN("hello")), "YARA.M");
	fixture_clear(&f);
}

static void
a_rule_that_does_not_compile_is_skipped(void **state)
{
	static const struct {
		const char *name, *text;
		size_t line;
		uint64_t kept; /* rules of the file that are good */
	} cases[] = {
		{ "no condition",
		    "rule A { condition: false }\nrule B { condition: }\n", 2,
		    1 },
		{ "include",
		    "include \"other.yar\"\nrule A { condition: false }\n", 1,
		    1 },
		{ "unknown module", "import \"nosuch\"\n", 1 },
		{ "unknown variable", "\n\nrule A { condition: nothing }\n",
		    3 },
		{ "name used twice",
		    "rule A { condition: false }\nrule A { condition: true }\n",
		    2, 1 },
		{ "bad expression",
		    "rule A { strings: $a = /(/ condition: $a }\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scan_builder *b = NULL;
		struct errinfo ei = { 0 };
		struct fixture f = { .problems = 0 };

		TEST_CASE(cases[i].name);
		assert_ok(scan_builder_new(fixture_on_problem, &f, &b, &ei));
		assert_ok(scan_builder_add(
		    b, "bad.yar", span_of(cases[i].text), &ei));
		assert_ok(scan_builder_add(b, "good.yar", span_of(worm), &ei));
		fixture_open(&f, b, &scan_limits_default);
		assert_int_equal(f.problems, 1);
		assert_int_equal(f.problem_line, cases[i].line);
		assert_string_not_equal(f.problem, "");
		assert_int_equal(f.counts.yara, 2 + cases[i].kept);
		assert_int_equal(f.counts.skipped, 1);
		assert_string_equal(
		    fixture_scan(&f, SPAN("a nasty worm")), "YARA.Worm");
		assert_string_equal(fixture_scan(&f, SPAN("other")), "");
		fixture_clear(&f);
	}
}

static void
files_may_use_the_same_rule_names(void **state)
{
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };
	struct fixture f = { .problems = 0 };

	(void)state;
	assert_ok(scan_builder_new(fixture_on_problem, &f, &b, &ei));
	assert_ok(scan_builder_add(b, "a.yar",
	    SPAN("rule R { strings: $a = \"one\" condition: $a }"), &ei));
	assert_ok(scan_builder_add(b, "b.yar",
	    SPAN("rule R { strings: $a = \"two\" condition: $a }"), &ei));
	fixture_open(&f, b, &scan_limits_default);
	assert_int_equal(f.problems, 0);
	assert_string_equal(fixture_scan(&f, SPAN("one")), "YARA.R");
	assert_string_equal(f.verdict.source, "a.yar");
	assert_string_equal(fixture_scan(&f, SPAN("two")), "YARA.R");
	assert_string_equal(f.verdict.source, "b.yar");
	fixture_clear(&f);
}

/* The slash that begins a comment does not end it as well. */
static void
a_comment_within_bytes_ends_where_libyara_ends_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "c.yar",
	    "rule C { strings: $a = { 41 42 43 44 /*/ 45 46 /*/ 47 48 } "
	    "condition: $a }\n");
	assert_string_equal(fixture_scan(&f, SPAN("ABCDGH")), "YARA.C");
	assert_string_equal(fixture_scan(&f, SPAN("ABCDEFGH")), "");
	fixture_clear(&f);
}

/* Its gate would be longer than a set may have it. */
static void
a_very_long_calculation_is_left_to_libyara(void **state)
{
	enum { DOUBLINGS = 13 };
	struct buf sum = buf_make(1 << 20), rule = buf_make(1 << 20);
	struct fixture f;

	(void)state;
	buf_text(&sum, "uint8(0)");
	for (size_t i = 0; i < DOUBLINGS; i++) {
		buf_clear(&rule);
		buf_fmt(&rule, "(%s+%s)", sum.ptr, sum.ptr);
		buf_clear(&sum);
		buf_span(&sum, buf_view(&rule));
	}
	buf_clear(&rule);
	buf_fmt(
	    &rule, "rule L { condition: %s == %d }", sum.ptr, 'a' << DOUBLINGS);
	fixture_make(&f, "l.yar", rule.ptr);
	assert_string_equal(fixture_scan(&f, SPAN("a")), "YARA.L");
	assert_string_equal(fixture_scan(&f, SPAN("b")), "");
	fixture_clear(&f);
	buf_free(&sum);
	buf_free(&rule);
}

/* A rule that cannot end within the limit. */
static void
a_slow_rule_ends_in_time(void **state)
{
	enum { SIZE = 8 << 20 };
	struct scan_limits limits = scan_limits_default;
	char *bytes = malloc(SIZE);
	struct fixture f;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'a', SIZE);
	limits.seconds = 1;
	fixture_make_bytes(&f, "slow.yar",
	    SPAN("rule S { condition: for all i in (0..filesize) : "
		 "(for all j in (0..filesize) : "
		 "(uint8(i) == uint8(j) or true)) }"),
	    &limits);
	assert_string_equal(
	    fixture_scan(&f, (struct span){ bytes, SIZE }), "unscannable");
	assert_int_equal(f.verdict.reason, SCAN_R_TIME);
	fixture_clear(&f);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_found_by_its_name),
		cmocka_unit_test(the_usual_variables_exist_and_are_empty),
		cmocka_unit_test(modules_of_libyara_can_be_used),
		cmocka_unit_test(a_rule_that_does_not_compile_is_skipped),
		cmocka_unit_test(files_may_use_the_same_rule_names),
		cmocka_unit_test(
		    a_comment_within_bytes_ends_where_libyara_ends_it),
		cmocka_unit_test(a_very_long_calculation_is_left_to_libyara),
		cmocka_unit_test(a_slow_rule_ends_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
