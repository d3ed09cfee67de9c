#include "sink.h"

#include <zlib.h>

#include "formats/pdf/pdf.h"

/* Appends "n 0 obj ... endobj" with a stream of these bytes. */
static void
add_stream(struct buf *b, int n, const char *dict, struct span bytes)
{
	buf_fmt(b, "%d 0 obj\n<< /Length %zu %s >>\nstream\r\n", n, bytes.len,
	    dict);
	buf_span(b, bytes);
	buf_text(b, "\nendstream\nendobj\n");
}

static void
add_deflated(struct buf *b, int n, const char *dict, struct span plain)
{
	unsigned char out[4096];
	uLongf len = sizeof(out);

	assert_int_equal(
	    compress(out, &len, (const unsigned char *)plain.ptr, plain.len),
	    Z_OK);
	add_stream(b, n, dict, (struct span){ (char *)out, len });
}

static void
open_text(struct sink *s, struct span pdf)
{
	sink_init(s);
	open_pdf(pdf, &s->peel);
}

static void
assert_member(const struct sink *s, const char *name, struct span want)
{
	struct span got = sink_bytes(s, name);

	if (!span_eq(got, want))
		fail_msg("%s: got \"" SPAN_FMT "\"", name, SPAN_ARG(got));
}

static bool
has_member(const struct sink *s, const char *name)
{
	for (size_t i = 0; i < s->members; i++)
		if (strcmp(s->member[i].name, name) == 0)
			return true;
	return false;
}

/* Rows are documents without streams that need a filter. */
static void
values_are_found_however_they_are_written(void **state)
{
	static const struct {
		const char *name, *pdf, *member, *want, *suspects;
	} cases[] = {
		{ "code in a string",
		    "%PDF-1.4\n1 0 obj<</S/JavaScript/JS(app.x)>>endobj",
		    "js/1", "app.x", "Pdf.JavaScript\n" },
		{ "escapes",
		    "1 0 obj<</JS(a\\(\\101\\\r\n\\t\\\\(b)\\53)>>endobj",
		    "js/1", "a(A\t\\(b)+", "Pdf.JavaScript\n" },
		{ "and as it stands", "1 0 obj<</JS(\\101)>>endobj", "js/1 raw",
		    "\\101", "Pdf.JavaScript\n" },
		{ "hex", "1 0 obj<</JS<61 62\n7>>>endobj", "js/1", "abp",
		    "Pdf.JavaScript\n" },
		{ "a name with escapes",
		    "1 0 obj<</S/J#61vaScript/J#53(x)>>endobj", "js/1", "x",
		    "Pdf.ObfuscatedName\nPdf.JavaScript\n" },
		{ "UTF-16", "1 0 obj<</JS<FEFF0061D83DDE001EA1D800>>>endobj",
		    "js/1", "a\xf0\x9f\x98\x80\xe1\xba\xa1\xef\xbf\xbd",
		    "Pdf.JavaScript\n" },
		{ "by reference", "1 0 obj<</JS 2 0 R>>endobj 2 0 obj(y)endobj",
		    "js/2", "y", "Pdf.JavaScript\n" },
		{ "by two references",
		    "1 0 obj<</JS 2 0 R>>endobj 2 0 obj 3 0 R endobj\n"
		    "3 0 obj(y)endobj",
		    "js/3", "y", "Pdf.JavaScript\n" },
		{ "deep", "1 0 obj<</A[<</B[[<</JS(z)>>]]>>]>>endobj", "js/1",
		    "z", "Pdf.JavaScript\n" },
		{ "what looks like an object in a string",
		    "1 0 obj<</JS(1 0 obj endobj \\) 2 0 obj)>>endobj", "js/1",
		    "1 0 obj endobj ) 2 0 obj", "Pdf.JavaScript\n" },
		{ "a comment in the way", "1 %c\n0 obj<</JS %)>>\n(c)>>endobj",
		    "js/?", "c", "Pdf.JavaScript\n" },
		{ "never closed", "1 0 obj<</JS(c)/X[", "js/1", "c",
		    "Pdf.JavaScript\n" },
		{ "a trailer", "trailer<</Root<</JS(t)>>>>", "js/?", "t",
		    "Pdf.JavaScript\n" },
		{ "a program is started",
		    "9 0 obj<</S/Launch/F(cmd.exe)>>endobj", "obj 9",
		    "<</S/Launch/F(cmd.exe)>>", "Pdf.Launch\n" },
		{ "a note", "9 0 obj\n<</Contents(Pay!)>>\nendobj", "obj 9",
		    "\n<</Contents(Pay!)>>\n", "" },
		{ "on opening",
		    "1 0 obj<</OpenAction 2 0 R>>endobj 2 0 obj<</S/X>>endobj",
		    "obj 2", "<</S/X>>", "" },
		{ "encrypted", "trailer<</Encrypt 2 0 R/A<</JS(q)>>>>", "js/?",
		    "q", "Encrypted.Pdf\nPdf.JavaScript\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;

		TEST_CASE(cases[i].name);
		open_text(&s, span_of(cases[i].pdf));
		assert_member(&s, cases[i].member, span_of(cases[i].want));
		assert_true(span_is(buf_view(&s.suspects), cases[i].suspects));
		sink_clear(&s);
	}
}

static void
a_stream_ends_where_it_ends(void **state)
{
	static const struct {
		const char *name, *pdf, *want;
		unsigned notes;
	} cases[] = {
		{ "as its length says",
		    "1 0 obj<</Length 20>>stream\nabc endstream endobj\n"
		    "endstream",
		    "abc endstream endobj", 0 },
		{ "by reference",
		    "1 0 obj<</Length 2 0 R>>stream\r\nabc\r\nendstream endobj "
		    "2 0 obj 3 endobj",
		    "abc", 0 },
		{ "too long", "1 0 obj<</Length 999>>stream\nabc\r\nendstream",
		    "abc", 0 },
		{ "too short", "1 0 obj<</Length 1>>stream\nabc\nendstream",
		    "abc", 0 },
		{ "none", "1 0 obj<<>>stream\nabc\nendstream", "abc", 0 },
		{ "a name", "1 0 obj<</Length/X>>stream\nabc\nendstream", "abc",
		    0 },
		{ "itself", "1 0 obj<</Length 1 0 R>>stream\nabc\nendstream",
		    "abc", 0 },
		{ "cut off", "1 0 obj<</Length 9>>stream\nabc", "abc",
		    1u << PEEL_DAMAGED },
		{ "no brackets", "1 0 obj<</Length 3 stream\nabc\nendstream",
		    "abc", 0 },
		{ "an unknown filter",
		    "1 0 obj<</Filter/No>>stream\nabc\nendstream", "abc",
		    1u << PEEL_UNSUPPORTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;

		TEST_CASE(cases[i].name);
		open_text(&s, span_of(cases[i].pdf));
		assert_member(&s, "stream 1", span_of(cases[i].want));
		assert_int_equal(s.notes, cases[i].notes);
		sink_clear(&s);
	}
}

#define LZW_SAMPLE "\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"
#define TEXT       "Text that is packed, Text that is packed."
static void
filters_are_undone(void **state)
{
	static const struct {
		const char *dict;
		struct span packed, want;
	} cases[] = {
		{ "/Filter/ASCIIHexDecode", SPAN("61 6\n2 7>zz"), SPAN("abp") },
		{ "/Filter/AHx", SPAN("6162"), SPAN("ab") },
		{ "/Filter/ASCII85Decode", SPAN("9jqo^BlbD-z~>"),
		    SPAN("Man is d\0\0\0\0") },
		{ "/Filter/A85", SPAN("<~9jq\no^Bl~>x"), SPAN("Man i") },
		{ "/Filter/RL",
		    SPAN("\x02"
			 "abc"
			 "\xfe"
			 "x\x80zz"),
		    SPAN("abcxxx") },
		/* the example of ISO 32000-1, 7.4.4.2 */
		{ "/Filter/LZWDecode", SPAN(LZW_SAMPLE), SPAN("-----A---B") },
		{ "/Filter[/AHx/AHx]", SPAN("36 31 3e>"), SPAN("a") },
		{ "/F#69lter[/#41Hx]", SPAN("61>"), SPAN("a") },
		{ "/Filter 7 0 R", SPAN("61>"), SPAN("a") },
		{ "/Filter[8 0 R/Crypt]", SPAN("61>"), SPAN("a") },
		{ "/Filter[/AHx/DCTDecode/Fl]", SPAN("ff>"), SPAN("\xff") },
		/* bare deflate, one stored block; then the data breaks off */
		{ "/Filter/Fl",
		    SPAN("\x01\x03\x00\xfc\xff"
			 "abc"),
		    SPAN("abc") },
		{ "/Filter/Fl",
		    SPAN("\x78\x9c\x01\x09\x00\xf6\xff"
			 "abc"),
		    SPAN("abc") },
		/* no deflate at all: as it stands */
		{ "/Filter/Fl", SPAN("\xff\xff\xff\xff"),
		    SPAN("\xff\xff\xff\xff") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;
		struct buf b = buf_make(1u << 16);

		TEST_CASE(cases[i].dict);
		add_stream(&b, 1, cases[i].dict, cases[i].packed);
		buf_text(&b, "7 0 obj[8 0 R]endobj 8 0 obj/AHx endobj");
		open_text(&s, buf_view(&b));
		assert_member(&s, "stream 1", cases[i].want);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
predictors_are_undone_and_the_rows_given_too(void **state)
{
	static const struct {
		const char *dict;
		struct span rows, want;
	} cases[] = {
		{ "/Predictor 12/Columns 4", SPAN("\2abcd\2\1\1\1\1\0efgh"),
		    SPAN("abcdbcdeefgh") },
		{ "/Predictor 10/Columns 3", SPAN("\1a\1\1\3b\1\1"),
		    SPAN("abc\x92{p") },
		{ "/Predictor 15/Columns 2/Colors 2", SPAN("\4abcd\4\1\1"),
		    SPAN("ab\xc4\xc6"
			 "bc") },
		{ "/Predictor 2/Columns 3", SPAN("a\1\1b\1"), SPAN("abcbc") },
		{ "/Predictor 2/Columns 2/BitsPerComponent 4", SPAN("\x12"),
		    SPAN("\x13") },
		{ "/Predictor 2/Columns 2/BitsPerComponent 16",
		    SPAN("\1\xff\0\2"), SPAN("\1\xff\2\1") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;
		struct buf b = buf_make(1u << 16);
		char dict[256];

		TEST_CASE(cases[i].dict);
		(void)snprintf(dict, sizeof(dict),
		    "/Filter[/Fl]/DecodeParms[<<%s>>]", cases[i].dict);
		add_deflated(&b, 1, dict, cases[i].rows);
		open_text(&s, buf_view(&b));
		assert_member(&s, "stream 1", cases[i].want);
		assert_member(&s, "stream 1 plain", cases[i].rows);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
objects_within_streams_count_as_any_other(void **state)
{
	static struct sink s;
	struct buf b = buf_make(1u << 16);

	(void)state;
	add_deflated(&b, 5, "/Type /ObjStm /N 2 /First 9 /Filter /Fl",
	    SPAN("11 0 12 8 (hello) <</JS 11 0 R/S/Launch>>"));
	add_stream(&b, 6, "/Type/EmbeddedFile", SPAN("file"));
	add_deflated(&b, 7, "/Type/ObjStm/N 1/First 5/Filter/FlateDecode",
	    SPAN("13 0 <</Type/Filespec/F(a\\056b)/EF<</F 6 0 R>>>>"));
	open_text(&s, buf_view(&b));
	assert_member(&s, "js/11", SPAN("hello"));
	assert_member(&s, "obj 12", SPAN(" <</JS 11 0 R/S/Launch>>"));
	assert_member(&s, "a.b", SPAN("file"));
	assert_true(has_member(&s, "stream 5") && has_member(&s, "stream 7"));
	sink_clear(&s);
	buf_free(&b);
}

static void
members_are_what_others_make_of_them(void **state)
{
	static struct sink s;
	struct buf b = buf_make(1u << 16);

	(void)state;
	buf_text(&b,
	    "x%PDF-1.7\n1 0 obj<</JS 2 0 R/Contents[3 0 R]/Names[(n)<<"
	    "/EF<</UF 4 0 R/F 4 0 R>>/UF<FEFF1EA1>/F(f)>>]>>endobj\n");
	add_deflated(&b, 2, "/Filter/Fl", SPAN("\xfe\xff\0a\0b"));
	add_deflated(&b, 3, "/Filter/Fl",
	    SPAN("(no) BT [(He)-10(l\\154)] TJ <6f> Tj ET (no)"));
	add_deflated(&b, 4, "/Filter/Fl", SPAN(TEXT));
	add_stream(&b, 5, "/Type/EmbeddedFile", SPAN("nameless"));
	open_text(&s, buf_view(&b));
	assert_member(&s, "stream 2", SPAN("\xfe\xff\0a\0b"));
	assert_member(&s, "js/2", SPAN("ab"));
	assert_member(&s, "text 3", SPAN("Hello\n"));
	assert_member(&s, "\xe1\xba\xa1", SPAN(TEXT));
	assert_member(&s, "obj 5", SPAN("nameless"));
	assert_int_equal(s.members, 6);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	buf_free(&b);
}

/* A document that is whole in a stream is a member, and not looked into; but
 * objects that merely stand in a stream are found. */
static void
objects_hide_in_no_stream(void **state)
{
	static struct sink s;
	struct buf b = buf_make(1u << 16);

	(void)state;
	add_stream(&b, 1, "", SPAN("%PDF-1.4 3 0 obj<</JS(inner)>>endobj"));
	add_stream(&b, 2, "", SPAN("     4 0 obj<</JS(hidden)>>endobj"));
	open_text(&s, buf_view(&b));
	assert_false(has_member(&s, "js/3"));
	assert_member(&s, "js/4", SPAN("hidden"));
	sink_clear(&s);
	buf_free(&b);
}

/* Each would cost its square, or memory without end. */
static void
bombs_end(void **state)
{
	static const struct {
		const char *name, *again, *after;
		size_t times;
	} cases[] = {
		{ "open strings", "1 0 obj(", "", 200000 },
		{ "open brackets", "1 0 obj<<[[<<", "", 200000 },
		{ "deep", "[", "", 2000000 },
		{ "streams without an end", "1 0 obj<</Filter/AHx>>stream\n",
		    "", 50000 },
		{ "streams with one end",
		    "1 0 obj<</Filter[/A85/AHx]>>stream\n", "endstream",
		    50000 },
		{ "one number", "1 0 obj 1 0 R endobj ", "", 200000 },
		{ "references to one another",
		    "1 0 obj<</JS 2 0 R/Length 2 0 R>>stream\nendstream "
		    "2 0 obj 1 0 R ",
		    "", 50000 },
		{ "trailers", "trailer<<", "", 200000 },
		{ "comments", "1 0 obj%", "", 200000 },
		{ "numbers", "1 0 ", "", 500000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;
		struct buf b = buf_make(16u << 20);

		TEST_CASE(cases[i].name);
		buf_text(&b, "0 0 obj ");
		for (size_t n = 0; n < cases[i].times; n++)
			buf_text(&b, cases[i].again);
		buf_text(&b, cases[i].after);
		open_text(&s, buf_view(&b));
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
hostile_parameters_are_refused(void **state)
{
	static const char *const cases[] = {
		"/Predictor 12/Columns 2147483648",
		"/Predictor 12/Columns 4294967295/Colors 4294967295",
		"/Predictor 12/Columns 0",
		"/Predictor 2/BitsPerComponent 3",
		"/Predictor 2/Columns 9/BitsPerComponent 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct sink s;
		struct buf b = buf_make(1u << 16);
		char dict[256];

		TEST_CASE(cases[i]);
		(void)snprintf(dict, sizeof(dict),
		    "/Filter/Fl/DecodeParms<<%s>>", cases[i]);
		add_deflated(&b, 1, dict, SPAN("bytes"));
		open_text(&s, buf_view(&b));
		assert_member(&s, "stream 1", SPAN("bytes"));
		assert_int_equal(s.notes, 1u << PEEL_UNSUPPORTED);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
it_stops_when_the_sink_has_enough(void **state)
{
	(void)state;
	for (size_t most = 0; most < 6; most++) {
		static struct sink s;

		sink_init(&s);
		s.bytes_max = most;
		open_pdf(SPAN("1 0 obj<</JS(ab)>>endobj 2 0 obj<</JS(c)/S"
			      "/Launch>>stream\nx\nendstream endobj "
			      "3 0 obj<</Type/EmbeddedFile>>stream\nxyz"
			      "\nendstream"),
		    &s.peel); /* the sink asserts that nothing follows */
		assert_true(s.stopped);
		sink_clear(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_however_they_are_written),
		cmocka_unit_test(a_stream_ends_where_it_ends),
		cmocka_unit_test(filters_are_undone),
		cmocka_unit_test(predictors_are_undone_and_the_rows_given_too),
		cmocka_unit_test(objects_within_streams_count_as_any_other),
		cmocka_unit_test(members_are_what_others_make_of_them),
		cmocka_unit_test(objects_hide_in_no_stream),
		cmocka_unit_test(bombs_end),
		cmocka_unit_test(hostile_parameters_are_refused),
		cmocka_unit_test(it_stops_when_the_sink_has_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
