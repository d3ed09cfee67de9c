/* Tables as RFC 4180 and spreadsheets write them. */

#include "testing.h"

#include "base/csv.h"

/* "a|b/c|d" of the rows; '!' where a row was refused. */
static const char *
read_table(struct arena *a, struct span text)
{
	struct csv c = csv_begin(text);
	struct csv_row row;
	bool more = true;
	char *out = arena_alloc(a, 1, 8192);
	size_t n = 0;

	for (int i = 0; i < 100; i++) {
		struct errinfo ei = { 0 };
		enum err e = csv_next(&c, a, &row, &more, &ei);

		if (e != OK) {
			assert_true(e == ERR_SYNTAX || e == ERR_LIMIT);
			assert_non_null(strstr(ei.msg, "line"));
			out[n++] = '!';
			continue;
		}
		if (!more)
			return out;
		if (n > 0)
			out[n++] = '/';
		for (size_t k = 0; k < row.count; k++) {
			if (k > 0)
				out[n++] = '|';
			memcpy(out + n, row.field[k].ptr, row.field[k].len);
			n += row.field[k].len;
		}
	}
	fail_msg("it does not end");
	return out;
}

static void
tables_are_read_as_written(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{ "plain", "a,b\nc,d\n", "a|b/c|d" },
		{ "no newline at the end", "a,b\nc,d", "a|b/c|d" },
		{ "CRLF", "a,b\r\nc,d\r\n", "a|b/c|d" },
		{ "byte-order mark",
		    "\xef\xbb\xbf"
		    "a,b\nc,d\n",
		    "a|b/c|d" },
		{ "quoted", "a,\"b,x\"\n\"c\"\"y\",d\n", "a|b,x/c\"y|d" },
		{ "newline in quotes", "a,\"b\nx\"\nc,d\n", "a|b\nx/c|d" },
		{ "empty fields", ",\n\"\",\n", "|/|" },
		{ "semicolons", "a;b\nc;d,e\n", "a|b/c|d,e" },
		{ "tabs", "a\tb\nc\td\n", "a|b/c|d" },
		{ "a comma wins in the header", "a,b;c\ng,e;f\n",
		    "a|b;c/g|e;f" },
		{ "rows of other lengths", "a,b\nc\ng,e,f\n", "a|b/c/g|e|f" },
		{ "stray quote", "a,b\nc,d\"x\ne,f\n", "a|b!/e|f" },
		{ "text behind a quote", "a,b\n\"c\"x,d\ne,f\n", "a|b!/e|f" },
		{ "not UTF-8", "a,b\nc,\xff\ne,f\n", "a|b!/e|f" },
		{ "empty", "", "" },
	};
	struct arena *a = arena_new(1u << 20);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].name);
		assert_string_equal(
		    read_table(a, span_of(cases[i].text)), cases[i].want);
	}
	arena_free(a);
}

static void
an_open_quote_ends_with_the_text(void **state)
{
	struct arena *a = arena_new(1u << 20);
	const char *got = read_table(a, SPAN("a,b\n\"c,d\ne,f\n"));

	(void)state;
	assert_non_null(strchr(got, '!'));
	arena_free(a);
}

static void
rows_know_their_line(void **state)
{
	struct csv c = csv_begin(SPAN("a\n\"b\nb\"\nc\n"));
	struct arena *a = arena_new(65536);
	struct errinfo ei = { 0 };
	struct csv_row row;
	static const size_t lines[] = { 1, 2, 4 };
	bool more = false;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_ok(csv_next(&c, a, &row, &more, &ei));
		assert_true(more);
		assert_int_equal(row.line, lines[i]);
	}
	arena_free(a);
}

static void
fields_have_limits(void **state)
{
	struct arena *a = arena_new(1u << 20);
	char text[2 * CSV_FIELD_MAX + 300];
	char *want;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[CSV_FIELD_MAX] = '\n';
	want = arena_alloc(a, 1, CSV_FIELD_MAX + 2);
	memset(want, 'x', CSV_FIELD_MAX);
	assert_string_equal(
	    read_table(a, (struct span){ text, CSV_FIELD_MAX + 1 }), want);
	memset(text, 'x', sizeof(text));
	memcpy(text + CSV_FIELD_MAX + 1, "\nok\n", 4);
	assert_string_equal(
	    read_table(a, (struct span){ text, CSV_FIELD_MAX + 5 }), "!/ok");

	memset(text, ',', CSV_FIELDS_MAX);
	assert_int_equal(
	    strlen(read_table(a, (struct span){ text, CSV_FIELDS_MAX - 1 })),
	    CSV_FIELDS_MAX - 1);
	assert_string_equal(
	    read_table(a, (struct span){ text, CSV_FIELDS_MAX }), "!");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_read_as_written),
		cmocka_unit_test(an_open_quote_ends_with_the_text),
		cmocka_unit_test(rows_know_their_line),
		cmocka_unit_test(fields_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
