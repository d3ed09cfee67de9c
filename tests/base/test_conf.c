/* INI files: what is wrong is named by file, line and key. */

#include "testing.h"

#include "base/conf.h"

struct settings {
	const char *name;
	int64_t port;
	bool on;
	const char *const *hosts;
};

#define KEY(s, k, t, f, i, lo, hi)                                             \
	{                                                                      \
		.section = (s), .key = (k), .type = (t),                       \
		.offset = offsetof(struct settings, f), .initial = (i),        \
		.min = (lo), .max = (hi), .help = ""                           \
	}

static const struct conf_key table[] = {
	KEY("a", "name", CONF_TEXT, name, "nobody", 0, 0),
	KEY("a", "port", CONF_INT, port, "80", 1, 65535),
	KEY("b", "on", CONF_BOOL, on, "no", 0, 0),
	KEY("b", "host", CONF_LIST, hosts, "", 0, 0),
	{ 0 },
};

static void
what_is_not_said_has_its_default(void **state)
{
	struct arena *a = arena_new(65536);
	struct errinfo ei = { 0 };
	struct settings s;

	(void)state;
	assert_ok(conf_load(NULL, table, a, &s, &ei));
	assert_string_equal(s.name, "nobody");
	assert_int_equal(s.port, 80);
	assert_false(s.on);
	assert_null(s.hosts[0]);
	assert_ok(conf_parse(
	    SPAN("[b]\n; no more\non = yes\n"), "x.ini", table, a, &s, &ei));
	assert_int_equal(s.port, 80);
	assert_true(s.on);
	arena_free(a);
}

static void
values_are_read(void **state)
{
	struct arena *a = arena_new(65536);
	struct errinfo ei = { 0 };
	struct settings s;

	(void)state;
	assert_ok(conf_parse(
	    SPAN("[a]\nname = Máy chủ = 1 ; chú thích\n  port=65535\n"
		 "[b]\nhost = one\nhost = two\non = no\n"),
	    "x.ini", table, a, &s, &ei));
	assert_string_equal(s.name, "Máy chủ = 1");
	assert_int_equal(s.port, 65535);
	assert_string_equal(s.hosts[0], "one");
	assert_string_equal(s.hosts[1], "two");
	assert_null(s.hosts[2]);
	arena_free(a);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *words; /* all in the message, by '|' */
	} cases[] = {
		{ "[a]\nport = 0\n", "x.ini|2|port" },
		{ "[a]\nport = 65536\n", "x.ini|2|port" },
		{ "[a]\nport = 80x\n", "x.ini|2|port" },
		{ "[a]\nport =\n", "x.ini|2|port" },
		{ "[b]\non = maybe\n", "x.ini|2|on" },
		{ "[a]\ncolour = red\n", "x.ini|2|colour" },
		{ "[c]\nname = x\n", "x.ini|2|c" },
		{ "[a]\nname = x\nname = y\n", "x.ini|3|name" },
		{ "[a]\nname = \xff\n", "x.ini|2" },
		{ "[a]\nwhat is this\n", "x.ini|2" },
		{ "[a\nname = x\n", "x.ini|2" },
	};
	struct arena *a = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s;
		struct errinfo ei = { 0 };
		struct span words = span_of(cases[i].words);

		TEST_CASE(cases[i].text);
		assert_err(conf_parse(span_of(cases[i].text), "x.ini", table, a,
			       &s, &ei),
		    i < 2 ? ERR_LIMIT : ERR_SYNTAX);
		while (words.len > 0) {
			struct span w = span_cut(words, '|', &words);

			if (strstr(ei.msg, arena_text(a, w)) == NULL)
				fail_msg("\"" SPAN_FMT "\" is not in \"%s\"",
				    SPAN_ARG(w), ei.msg);
		}
	}
	arena_free(a);
}

static void
a_missing_file_is_named(void **state)
{
	struct arena *a = arena_new(65536);
	struct errinfo ei = { 0 };
	struct settings s;

	(void)state;
	assert_err(
	    conf_load("/nowhere/x.ini", table, a, &s, &ei), ERR_NOT_FOUND);
	assert_non_null(strstr(ei.msg, "/nowhere/x.ini"));
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
