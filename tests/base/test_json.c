/* JSON from outside (RFC 8259), and the readers that name a field. */

#include "testing.h"

#include "base/json.h"

static void
texts_are_taken_or_refused_as_the_norm_says(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "{}", true },
		{ " [1, 2.5e3, \"a\\u00e1\", true, null] ", true },
		{ "[\"\\ud83d\\ude00\"]", true },
		{ "[9223372036854775807]", true },
		{ "7", false },
		{ "", false },
		{ "{\"a\":1,\"a\":2}", false },
		{ "{} x", false },
		{ "[1,]", false },
		{ "{\"a\":}", false },
		{ "'a'", false },
		{ "[01]", false },
		{ "[1e999]", false },
		{ "[9223372036854775808]", false },
		{ "[\"\\ud83d\"]", false },
		{ "[\"\xff\"]", false },
		{ "[\"a\nb\"]", false },
		{ "[\"\\u0000\"]", false },
		{ "[NaN]", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };
		json_t *o = NULL;
		enum err e = json_parse(span_of(cases[i].text), &o, &ei);

		TEST_CASE(cases[i].text);
		assert_int_equal(e, cases[i].good ? OK : ERR_SYNTAX);
		assert_int_equal(o != NULL, cases[i].good);
		json_decref(o);
	}
}

static void
nesting_has_a_limit(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 4] = "";

	(void)state;
	for (size_t n = JSON_DEPTH_MAX; n <= JSON_DEPTH_MAX + 1; n++) {
		struct errinfo ei = { 0 };
		json_t *o = NULL;

		memset(text, '[', n);
		memset(text + n, ']', n);
		if (n == JSON_DEPTH_MAX) {
			assert_ok(
			    json_parse((struct span){ text, 2 * n }, &o, &ei));
		} else {
			assert_true(json_parse((struct span){ text, 2 * n }, &o,
					&ei) != OK);
		}
		json_decref(o);
	}
}

static json_t *
parsed(const char *text)
{
	struct errinfo ei = { 0 };
	json_t *o = NULL;

	assert_ok(json_parse(span_of(text), &o, &ei));
	return o;
}

static void
readers_name_the_field(void **state)
{
	json_t *o = parsed("{\"t\":\"abcd\",\"n\":5,\"b\":true,\"a\":[1,2],"
			   "\"o\":{},\"u\":\"not a uuid\",\"r\":1.5}");
	struct errinfo ei = { 0 };
	const json_t *part;
	struct span text;
	struct uuid id;
	int64_t n;
	bool yes;

	(void)state;
	assert_ok(json_get_text(o, "t", 4, &text, &ei));
	assert_true(span_is(text, "abcd"));
	assert_err(json_get_text(o, "t", 3, &text, &ei), ERR_LIMIT);
	assert_string_equal(ei.field, "t");
	assert_err(json_get_text(o, "n", 9, &text, &ei), ERR_SYNTAX);
	assert_string_equal(ei.field, "n");
	assert_err(json_get_text(o, "x", 9, &text, &ei), ERR_SYNTAX);
	assert_string_equal(ei.field, "x");
	assert_ok(json_get_int(o, "n", 5, 5, &n, &ei));
	assert_int_equal(n, 5);
	assert_err(json_get_int(o, "n", 6, 9, &n, &ei), ERR_LIMIT);
	assert_err(json_get_int(o, "n", 0, 4, &n, &ei), ERR_LIMIT);
	assert_err(json_get_int(o, "r", 0, 4, &n, &ei), ERR_SYNTAX);
	assert_ok(json_get_bool(o, "b", &yes, &ei));
	assert_true(yes);
	assert_err(json_get_bool(o, "n", &yes, &ei), ERR_SYNTAX);
	assert_ok(json_get_array(o, "a", 2, &part, &ei));
	assert_err(json_get_array(o, "a", 1, &part, &ei), ERR_LIMIT);
	assert_err(json_get_array(o, "o", 1, &part, &ei), ERR_SYNTAX);
	assert_ok(json_get_object(o, "o", &part, &ei));
	assert_err(json_get_object(o, "a", &part, &ei), ERR_SYNTAX);
	assert_err(json_get_uuid(o, "u", &id, &ei), ERR_SYNTAX);
	assert_string_equal(ei.field, "u");
	json_decref(o);
}

static void
names_that_are_no_text_are_written_all_the_same(void **state)
{
	json_t *o = json_object();
	const char *got;

	(void)state;
	json_put_text(o, "path", SPAN("a\xff\nb\xc3\xa1\\"));
	got = json_string_value(json_object_get(o, "path"));
	assert_non_null(got);
	assert_string_equal(got, "a\\xff\nb\xc3\xa1\\x5c");
	json_put_int(o, "n", INT64_MIN);
	assert_true(json_integer_value(json_object_get(o, "n")) == INT64_MIN);
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_taken_or_refused_as_the_norm_says),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(readers_name_the_field),
		cmocka_unit_test(
		    names_that_are_no_text_are_written_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
