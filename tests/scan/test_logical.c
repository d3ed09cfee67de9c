#include "scan/fixture.h"

/* Each row was measured with clamscan 1.4.6. */
struct row {
	const char *rest; /* of the line, behind its name */
	struct span bytes;
	bool want;
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fixture f;
		char line[512];

		(void)snprintf(line, sizeof(line), "T;%s\n", rows[i].rest);
		TEST_CASE(line);
		fixture_make(&f, "t.ldb", line);
		assert_int_equal(f.problems, 0);
		assert_string_equal(
		    fixture_scan(&f, rows[i].bytes), rows[i].want ? "T" : "");
		fixture_clear(&f);
	}
}

#define ANY "Engine:51-255,Target:0;"
/* "alpha", "beta!" and "gamma" */
#define ABC ";616c706861;6265746121;67616d6d61"

static void
an_expression_counts_and_compares(void **state)
{
	static const struct row rows[] = {
		{ ANY "0&1&2" ABC, SPAN("\0\0alpha beta! gamma"), true },
		{ ANY "0&1&2" ABC, SPAN("\0\0alpha beta!"), false },
		{ ANY "0|1|2" ABC, SPAN("\0\0gamma"), true },
		{ ANY "0=1&1|2" ABC, SPAN("\0\0alpha gamma"), true },
		{ ANY "0=1&1|2" ABC, SPAN("\0\0alpha alpha gamma"), false },
		{ ANY "0>1&(1|2=0)" ABC, SPAN("\0\0alpha alpha"), true },
		{ ANY "0<2&2" ABC, SPAN("\0\0gamma beta!"), true },
		{ ANY "(0&1)=2&2" ABC, SPAN("\0\0alpha beta! gamma"), true },
		{ ANY "(0&1)=2&2" ABC, SPAN("\0\0alpha alpha beta! gamma"),
		    false },
		{ ANY "(0&1)<3&2" ABC, SPAN("\0\0alpha gamma"), true },
		{ ANY "(0|1|2)>1,2" ABC, SPAN("\0\0alpha alpha"), false },
		{ ANY "(0|1|2)>1,2" ABC, SPAN("\0\0alpha gamma"), true },
		{ ANY "(0|1)>0,2&2" ABC, SPAN("\0\0alpha beta! gamma"), true },
		{ ANY "(0|1)>0,2&2" ABC, SPAN("\0\0alpha gamma"), false },
		{ ANY "(0=0|1)>0&2" ABC, SPAN("\0\0beta! gamma"), true },
		{ ANY "(0=0|1)>0&2" ABC, SPAN("\0\0gamma"), false },
		{ ANY "(0>1|1)>2&2" ABC, SPAN("\0\0alpha alpha beta! gamma"),
		    true },
		{ ANY "(0>1|1)>2&2" ABC, SPAN("\0\0alpha beta! beta! gamma"),
		    false },
		/* & and | group to the right outside, to the left inside */
		{ ANY "0&1|2" ABC, SPAN("\0\0gamma"), false },
		{ ANY "(0&1|2)" ABC, SPAN("\0\0gamma"), true },
		{ ANY "0=0&1&2" ABC, SPAN("\0\0beta! gamma"), true },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
a_block_says_where_it_applies(void **state)
{
	static const struct row rows[] = {
		{ "Engine:51-255,Target:0,FileSize:7-9;0;616c706861",
		    SPAN("\0\0alpha"), true },
		{ "Engine:51-255,Target:0,FileSize:8-9;0;616c706861",
		    SPAN("\0\0alpha"), false },
		{ "Engine:51-255,Target:7;0;616c706861", SPAN("an ALPHA"),
		    true },
		{ "Engine:51-255,Target:1;0;616c706861", SPAN("an ALPHA"),
		    false },
		{ "Engine:51-255,Target:0,Container:CL_TYPE_ZIP;0;616c706861",
		    SPAN("\0\0alpha"), false },
		{ "Engine:51-255,Target:0,Container:CL_TYPE_ANY;0;616c706861",
		    SPAN("\0\0alpha"), true },
		{ "Engine:51-255,Target:0;0;2:616c706861", SPAN("\0\0alpha"),
		    true },
		{ "Engine:51-255,Target:0;0;3:616c706861", SPAN("\0\0alpha"),
		    false },
		{ "Engine:51-255,Target:0;0;EOF-5:616c706861",
		    SPAN("\0\0alpha"), true },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
an_expression_is_matched_where_it_may_be(void **state)
{
	/* "word" is the trigger */
#define W ANY "1;776f7264;"
	static const struct row rows[] = {
		{ W "0/xy+z/", SPAN("\0\0word xyyyz"), true },
		{ W "0/xy+z/", SPAN("\0\0wort xyyyz"), false },
		{ W "0/XY+Z/i", SPAN("\0\0word xyyyz"), true },
		{ W "7:0/hello/", SPAN("\0\0word hello"), true },
		{ W "6:0/hello/", SPAN("\0\0word hello"), false },
		{ W "2:0/hello/r", SPAN("\0\0word hello"), true },
		{ W "7:0/^hello/r", SPAN("\0\0word hello"), true },
		{ W "2:0/hello/e", SPAN("\0\0word hello"), false },
		{ W "7:0/hello/e", SPAN("\0\0word hello"), true },
		{ W "2,5:0/hello/", SPAN("\0\0word hello"), true },
		{ W "2,4:0/hello/", SPAN("\0\0word hello"), false },
		{ W "2,9:0/hello/e", SPAN("\0\0word hello"), false },
		{ W "2,10:0/hello/e", SPAN("\0\0word hello"), true },
		{ ANY "1>2;776f7264;0/a/g", SPAN("\0\0word aaa"), true },
		{ ANY "1>1;776f7264;0/a/", SPAN("\0\0word aaa"), false },
		{ ANY "1=0;776f7264;0/hello/", SPAN("\0\0nothing"), true },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
bytes_are_compared_as_numbers(void **state)
{
#define H ANY "1;68656c6c6f;"
	static const struct row rows[] = {
		{ H "0(>>5#ib1#=2)", SPAN("\0\0hello\1hello\2"), true },
		{ H "0(>>5#ib1#=1)", SPAN("\0\0hello\1hello\2"), false },
		{ H "0(>>5#ib1#=010)", SPAN("\0\0hello\10"), true },
		{ H "0(>>5#i1#=2)", SPAN("\0\0hello\1hello\2"), false },
		{ H "0(>>5#ib2#=258)", SPAN("\0\0hello\1\2"), true },
		{ H "0(>>5#il2#=513)", SPAN("\0\0hello\1\2"), true },
		{ H "0(<<1#ib1#>0x10)", SPAN("\0\x20hello"), true },
		{ H "0(<<2#ib1#<300)", SPAN("\1\1hello"), false },
		{ H "0(>>5#d4#=12)", SPAN("\0\0hello12zz"), true },
		{ H "0(>>5#de4#=12)", SPAN("\0\0hello12zz"), false },
		{ H "0(>>5#de4#=12)", SPAN("\0\0hello0012"), true },
		{ H "0(>>5#hb4#=0x1234)", SPAN("\0\0hello1234"), true },
		{ H "0(>>5#hl4#=0x3412)", SPAN("\0\0hello1234"), true },
		{ H "0(>>5#h4#=0x1234)", SPAN("\0\0hello1234"), false },
		{ H "0(>>5#ab4#=16)", SPAN("\0\0hello0x10"), true },
		{ H "0(>>5#d2#>10,<20)", SPAN("\0\0hello15"), true },
		{ H "0(>>5#d2#>10,<12)", SPAN("\0\0hello15"), false },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
a_bad_line_is_named(void **state)
{
	static const struct {
		const char *line, *reason;
	} bad[] = {
		{ "T;Target:0;0",
		    "3 fields, name;block;expression;"
		    "subsignatures (at most 64) expected" },
		{ "T;Engine:51-255,Target:0;0&2;6161;6262",
		    "expression: no subsignature 2" },
		{ "T;Engine:51-255,Target:0;0&;6161",
		    "expression: number up "
		    "to 65535 expected at "
		    "\"\"" },
		{ "T;Engine:51-255,Target:0;(0;6161",
		    "expression: ) expected at \"\"" },
		{ "T;Engine:51-255,Target:0;0)x;6161",
		    "expression: unexpected \")x\"" },
		{ "T;Engine:51-255,Foo:0;0;6161",
		    "no key \"Foo\" in a description block" },
		{ "A;Engine:51-255,Target:1,IconGroup1;0;4142",
		    "key \"IconGroup1\" has no value" },
		{ "A;Engine:51-255,Target:0,IconGroup1:G;0;4142",
		    "only programs of target 1 have icons" },
		{ "T;Engine:51-255,Container:CL_TYPE_NOSUCH;0;6161",
		    "no type CL_TYPE_NOSUCH" },
		{ "T;Engine:51-255,Target:0;0;6161;",
		    "subsignature 1: empty subsignature" },
		{ "T;Engine:51-255,Target:0;0;6161::q",
		    "subsignature 0: modifiers are of i, w, a and f" },
		{ "T;Engine:51-255,Target:0;0;0/a/",
		    "subsignature 0: expression: no subsignature 0" },
		{ "T;Engine:51-255,Target:0;0;6161;0/a(/",
		    "subsignature 1: regular expression: missing closing "
		    "parenthesis" },
		{ "T;Engine:51-255,Target:0;0;6161;0(>>1#x1#=1)",
		    "subsignature 1: malformed byte comparison" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fixture f;
		char text[256];

		TEST_CASE(bad[i].line);
		(void)snprintf(text, sizeof(text), "%s\n", bad[i].line);
		fixture_make(&f, "t.ldb", text);
		assert_int_equal(f.problems, 1);
		assert_string_equal(f.problem, bad[i].reason);
		assert_int_equal(f.counts.bodies, 1); /* EICAR */
		fixture_clear(&f);
	}
}

/* A signature for other levels of the engine is counted, not a problem. */
static void
a_level_out_of_range_is_no_problem(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "t.ldb", "T;Engine:300-400,Target:0;0;616c706861\n");
	assert_int_equal(f.problems, 0);
	assert_int_equal(f.counts.skipped, 1);
	assert_string_equal(fixture_scan(&f, SPAN("\0\0alpha")), "");
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_counts_and_compares),
		cmocka_unit_test(a_block_says_where_it_applies),
		cmocka_unit_test(an_expression_is_matched_where_it_may_be),
		cmocka_unit_test(bytes_are_compared_as_numbers),
		cmocka_unit_test(a_bad_line_is_named),
		cmocka_unit_test(a_level_out_of_range_is_no_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
