#include "sink.h"

#include "formats/cfb_make.h"
#include "formats/office/office.h"
#include "formats/writing.h"

#define BEGIN_BOOK  "\x09\x08\x10\0\0\6\5\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BEGIN_MACRO "\x09\x08\x10\0\0\6\x40\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BEGIN_SHEET "\x09\x08\x10\0\0\6\x10\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define END         "\x0a\0\0\0"
#define LINE_BEGIN  "0809     16   BOF : Beginning of File\n"
#define LINE_END    "000a      0   EOF : End of File\n"

static struct sink s;

static void
open_stream(const char *path, struct span bytes)
{
	const struct cfb_item item = { path, bytes };
	struct cfb_made m = cfb_make(3, &item, 1);

	sink_init(&s);
	open_ole2(buf_view(&m.file), &s.peel);
	buf_free(&m.file);
}

static void
put_record(struct buf *b, unsigned type, struct span data)
{
	put_le(b, type, 2);
	put_le(b, data.len, 2);
	buf_span(b, data);
}

static void
put_bound(struct buf *b, unsigned hidden, unsigned kind)
{
	struct buf r = buf_make(64);

	put_le(&r, 0, 4);
	put_le(&r, hidden, 1);
	put_le(&r, kind, 1);
	buf_add(&r, "\1\0M", 3);
	put_record(b, 0x85, buf_view(&r));
	buf_free(&r);
}

static void
put_formula(struct buf *b, unsigned row, unsigned column, struct span tokens)
{
	struct buf r = buf_make(1u << 16);

	put_le(&r, row, 2);
	put_le(&r, column, 2);
	put_zeros(&r, 16);
	put_le(&r, tokens.len, 2);
	buf_span(&r, tokens);
	put_record(b, 6, buf_view(&r));
	buf_free(&r);
}

/* A name that is the cell A1 of the first sheet. */
static void
put_name(struct buf *b, unsigned flags, struct span text, bool wide)
{
	struct buf r = buf_make(4096);

	put_le(&r, flags, 2);
	put_le(&r, 0, 1);
	put_le(&r, wide ? text.len / 2 : text.len, 1);
	put_le(&r, 7, 2);
	put_zeros(&r, 8);
	put_le(&r, wide, 1);
	buf_span(&r, text);
	buf_add(&r, "\x3a\0\0\0\0\0\0", 7);
	put_record(b, 0x18, buf_view(&r));
	buf_free(&r);
}

/* ---- workbooks --------------------------------------------------------------------------- */

static void
macro_sheets_become_text(void **state)
{
	struct buf b = buf_make(65536);

	(void)state;
	buf_span(&b, SPAN(BEGIN_BOOK));
	put_bound(&b, 2, 1);
	put_bound(&b, 0, 0);
	put_name(&b, 0x20, SPAN("\1"), false);
	put_name(&b, 0, SPAN("Auto_Open"), false);
	put_name(&b, 0, SPAN("t\0\xd1\x1e"), true);
	buf_span(&b, SPAN(END BEGIN_MACRO));
	put_formula(&b, 0, 0, SPAN("\x17\x01\1c\0\x42\1\x6e\0"));
	put_formula(&b, 1, 3, SPAN("\x42\0\x36\0"));
	put_record(&b, 0x207, SPAN("\5\0\0hello"));
	put_record(&b, 0x207, SPAN("\1\0\1\xd1\x1e"));
	put_record(&b, 0x1234, SPAN("something else"));
	buf_span(&b, SPAN(END));
	open_stream("Workbook", buf_view(&b));
	assert_true(span_is(sink_bytes(&s, "xlm/0"),
	    LINE_BEGIN
	    "0085      9   BOUNDSHEET : Sheet Information - "
	    "Excel 4.0 macro sheet, very hidden\n"
	    "0085      9   BOUNDSHEET : Sheet Information - "
	    "worksheet or dialog sheet, visible\n"
	    "0018     23   LABEL : Cell Value, String Constant - "
	    "built-in-name 1 auto_open ptgRef3d R1C1\n"
	    "0018     31   LABEL : Cell Value, String Constant - "
	    "Auto_Open ptgRef3d R1C1\n"
	    "0018     26   LABEL : Cell Value, String Constant - "
	    "t\xe1\xbb\x91 ptgRef3d R1C1\n" LINE_END LINE_BEGIN
	    "0006     31   FORMULA : Cell Formula - R1C1 len=9  "
	    "ptgStrc ptgFuncVarV args 1 func EXEC (0x006e)\n"
	    "0006     26   FORMULA : Cell Formula - R2C4 len=4  "
	    "ptgFuncVarV args 0 func HALT (0x0036)\n"
	    "0207      8   STRING : String Value of a Formula - \"hello\"\n"
	    "0207      5   STRING : String Value of a Formula - "
	    "\"\xe1\xbb\x91\"\n" LINE_END));
	assert_true(span_is(buf_view(&s.suspects), "Macro.XLM\n"));
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	buf_free(&b);
}

/* Where a sheet says what it is, and where the workbook says it. */
static void
macro_sheets_are_known_by_either_record(void **state)
{
	static const struct {
		const char *name;
		struct span bytes;
		size_t members;
		bool told;
	} rows[] = {
		{ "neither", SPAN(BEGIN_BOOK END BEGIN_SHEET END), 1, false },
		{ "the sheet", SPAN(BEGIN_BOOK END BEGIN_MACRO END), 2, true },
		{ "the workbook",
		    SPAN(BEGIN_BOOK "\x85\0\x09\0\0\0\0\0\0\1\1\0M" END), 2,
		    true },
		{ "of Excel 5",
		    SPAN("\x09\x08\4\0\0\5\5\0\x85\0\7\0\0\0\0\0\0\1\0" END), 1,
		    true },
		{ "cut within it", SPAN(BEGIN_BOOK "\x85\0\x09\0\0\0\0\0\0\1"),
		    2, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		TEST_CASE(rows[i].name);
		open_stream("Workbook", rows[i].bytes);
		assert_int_equal(s.members, rows[i].members);
		assert_true(span_is(
		    buf_view(&s.suspects), rows[i].told ? "Macro.XLM\n" : ""));
		sink_clear(&s);
	}
}

/* ---- tokens ------------------------------------------------------------------------------ */

/* What clamscan 1.4.6 says of the same tokens, but for those marked (x), where
 * it stops at the first word; and it leaves out the last three letters of the
 * narrow string. */
static const struct {
	struct span tokens;
	struct span text; /* behind "len=N " */
} tokens[] = {
	{ SPAN("\x1e\5\0\x1e\7\0\3"), SPAN(" ptgInt 5 ptgInt 7 ptgAdd") },
	{ SPAN("\x17\4\0abcd\x08"),
	    SPAN(" ptgStr\x17\4\0"
		 "abcd ptgConcat") },
	{ SPAN("\x17\0\0\x16"), SPAN(" ptgStr ptgMissArg") },
	{ SPAN("\x17\3\1a\0=\xd8\0\xde"), SPAN(" ptgStra\xf0\x9f\x98\x80") },
	{ SPAN("\x1f\0\0\0\0\0\0\xf8\x3f"), SPAN(" ptgNum 1.500000") },
	{ SPAN("\x1d\1\x1d\0"), SPAN(" ptgBool TRUE ptgBool FALSE") },
	{ SPAN("\x24\3\0\5\xc0"), SPAN(" ptgRef R4C49158") },
	{ SPAN("\x44\3\0\5\0"), SPAN(" ptgRefV R4C6") },
	{ SPAN("\x25\3\0\4\0\5\0\6\0"), SPAN(" ptgArea R4C5:R6C7") },
	{ SPAN("\x5a\1\0\2\0\3\0"), SPAN(" ptgRef3dV R3C4") },
	{ SPAN("\x01\2\0\3\0"), SPAN(" ptgExp R3C4") },
	{ SPAN("\x23\7\0\0\0"), SPAN(" ptgName 0x00000007") },
	{ SPAN("\x39\1\0\2\0\0\0"), SPAN(" ptgNameX NAMEIDX 2") },
	{ SPAN("\x26\1\2\3\4\5\6\x11"),
	    SPAN(" ptgMemArea REFERENCE-EXPRESSION ptgRange") },
	{ SPAN("\x21\x10\0"), SPAN(" ptgFunc COS (0x0010)") },
	{ SPAN("\x22\1\x60\x80"),
	    SPAN(" ptgFuncVar args 1 func FORMULA (0x8060)") },
	{ SPAN("\x42\3\x96\0"),
	    SPAN(" ptgFuncVarV args 3 func <unknown function> (0xff96) "
		 "CALL") }, /* (x): without the last word */
	{ SPAN("\x42\3\xff\0\x22\1\xff\x7f"),
	    SPAN(" ptgFuncVarV args 3 func <unknown function> (0xffff)"
		 " ptgFuncVar args 1 func <unknown function> (0xffff)") },
	{ SPAN("\x19\1\0\0\x19\4\1\0\1\2\3\4\x15"),
	    SPAN(" ptgAttr ptgAttr ptgParen") },            /* (x) */
	{ SPAN("\x64\3\0\5\0\x7b\1\0\2\0\3\0\4\0\5\0\x13"), /* (x) */
	    SPAN(" ptgRefA R4C6 ptgArea3dA R3C4:R5C6 ptgUminus") },
	{ SPAN("\x3\0\3"), SPAN(" ptgAdd") }, /* no token */
	{ SPAN("\x3\x7f\3"), SPAN(" ptgAdd") },
	{ SPAN("\x3\x83\3"), SPAN(" ptgAdd") },
	{ SPAN("\x17\xff\0ab"),
	    SPAN(" ptgStr\x17\xff\0"
		 "ab") }, /* cut off */
	{ SPAN("\x1f\1\2"), SPAN(" ptgNum 0.000000") },
	{ SPAN("\x19\4\xff\xff"), SPAN(" ptgAttr") },
	{ SPAN("\x17"), SPAN(" ptgStr") },
};

static void
tokens_become_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tokens); i++) {
		struct buf b = buf_make(4096), want = buf_make(4096);
		struct span got;

		buf_span(&b, SPAN(BEGIN_MACRO));
		put_formula(&b, 0, 0, tokens[i].tokens);
		buf_fmt(&want,
		    LINE_BEGIN "0006 %6zu   FORMULA : Cell Formula "
			       "- R1C1 len=%zu ",
		    tokens[i].tokens.len + 22, tokens[i].tokens.len);
		buf_span(&want, tokens[i].text);
		buf_char(&want, '\n');
		open_stream("Workbook", buf_view(&b));
		got = sink_bytes(&s, "xlm/0");
		if (!span_eq(got, buf_view(&want)))
			fail_msg("row %zu: %.*s", i, (int)got.len, got.ptr);
		sink_clear(&s);
		buf_free(&b);
		buf_free(&want);
	}
}

static void
shared_formulas_and_arrays_are_told(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	buf_span(&b, SPAN(BEGIN_MACRO));
	put_record(&b, 0x4bc, SPAN("\1\0\2\0\0\0\0\0\3\0\x1e\1\0"));
	put_record(&b, 0x221, SPAN("\1\0\2\0\0\0\0\0\0\0\0\0\3\0\x1e\2\0"));
	open_stream("Workbook", buf_view(&b));
	assert_true(span_is(sink_bytes(&s, "xlm/0"),
	    LINE_BEGIN
	    "04bc     13   SHRFMLA : Shared Formula - R2C3 len=3  ptgInt 1\n"
	    "0221     17   ARRAY : Array-Entered Formula - R2C3 len=3  "
	    "ptgInt 2\n"));
	sink_clear(&s);
	buf_free(&b);
}

/* More text than is handed out at once, and a sink that has enough. */
static void
long_formulas_come_out_whole(void **state)
{
	struct buf b = buf_make(1u << 20), numbers = buf_make(60000);

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		buf_span(&numbers, SPAN("\x1f\0\0\0\0\0\0\xf8\x3f"));
	buf_span(&b, SPAN(BEGIN_MACRO));
	for (unsigned i = 0; i < 3; i++)
		put_formula(&b, i, 0, buf_view(&numbers));
	open_stream("Workbook", buf_view(&b));
	assert_true(sink_bytes(&s, "xlm/0").len > 3 * 5000 * 16u);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t most = 0; most < 400000; most += 7777) {
		const struct cfb_item item = { "Workbook", buf_view(&b) };
		struct cfb_made m = cfb_make(3, &item, 1);

		sink_init(&s);
		s.bytes_max = most;
		open_ole2(buf_view(&m.file), &s.peel);
		sink_clear(&s);
		buf_free(&m.file);
	}
	buf_free(&b);
	buf_free(&numbers);
}

static void
a_workbook_cut_anywhere_gives_what_is_left(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	buf_span(&b, SPAN(BEGIN_MACRO));
	put_name(&b, 0, SPAN("Auto_Open"), false);
	for (size_t i = 0; i < COUNT(tokens); i++)
		put_formula(&b, 1, 1, tokens[i].tokens);
	put_record(&b, 0x207, SPAN("\5\0\0hello"));
	for (size_t n = 0; n < b.len; n++) {
		open_stream("Workbook", (struct span){ b.ptr, n });
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
	}
	buf_free(&b);
}

/* ---- workbooks of 2007 and later --------------------------------------------------------- */

static void
put_record12(struct buf *b, unsigned type, struct span data)
{
	if (type > 0x7f)
		put_le(b, (type & 0x7f) | 0x80u | type >> 7 << 8, 2);
	else
		put_le(b, type, 1);
	put_le(b, (data.len & 0x7f) | 0x80u | data.len >> 7 << 8, 2);
	buf_span(b, data);
}

#define CELL "\2\0\0\0\0\0\0\0" /* in column C */

/* One of each token whose size is another than in an .xls. */
static const struct span tokens12[] = {
	SPAN("\x17\2\0h\0\xd1\x1e\x22\1\x6e\0"),
	SPAN("\x44\3\0\0\0\5\xc0\3\x25\1\0\1\0\2\0\0\0\3\0\4\0\3"),
	SPAN("\x5a\1\0\3\0\0\0\5\0\3\x2b\1\2\3\4\5\6\7\x08\x09\x0a"
	     "\x0b\x0c\3"),
	SPAN("\x20\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\3\x3d\1\2"
	     "\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\3"),
};

static void
put_formula12(
    struct buf *b, unsigned type, struct span value, struct span tokens_in)
{
	struct buf r = buf_make(4096);

	buf_span(&r, SPAN(CELL));
	buf_span(&r, value);
	put_le(&r, 0, 2);
	put_le(&r, tokens_in.len, 4);
	buf_span(&r, tokens_in);
	put_le(&r, 0, 4);
	put_record12(b, type, buf_view(&r));
	buf_free(&r);
}

static void
open_with(opener_fn *open, struct span object)
{
	sink_init(&s);
	open(object, &s.peel);
}

static void
binary_macro_sheets_become_the_same_text(void **state)
{
	static const struct span values[] = { SPAN("\1\0\0\0v\0"),
		SPAN("12345678"), SPAN("\1"), SPAN("\x17") };
	struct buf b = buf_make(65536);

	(void)state;
	put_record12(&b, 129, SPAN(""));
	put_record12(&b, 0, SPAN("\x11\1\0\0 and more"));
	for (size_t i = 0; i < COUNT(tokens12); i++)
		put_formula12(&b, 8 + (unsigned)i, values[i], tokens12[i]);
	put_record12(
	    &b, 427, SPAN("\1\0\0\0\1\0\0\0\2\0\0\0\2\0\0\0\1\0\0\0\3"));
	put_record12(
	    &b, 426, SPAN("\1\0\0\0\1\0\0\0\2\0\0\0\2\0\0\0\0\1\0\0\0\4"));
	open_with(open_macro_sheet, buf_view(&b));
	assert_true(span_is(sink_bytes(&s, "xlm/0"),
	    "0006     35   FORMULA : Cell Formula - R274C3 len=11  "
	    "ptgStrh\xe1\xbb\x91 ptgFuncVar args 1 func EXEC (0x006e)\n"
	    "0207      2   STRING : String Value of a Formula - \"v\"\n"
	    "0006     48   FORMULA : Cell Formula - R274C3 len=22  "
	    "ptgRefV R4C49158 ptgAdd ptgArea R65538C3:R4C5 ptgAdd\n"
	    "0006     43   FORMULA : Cell Formula - R274C3 len=24  "
	    "ptgRef3dV R4C6 ptgAdd ptgAreaErr ptgAdd\n"
	    "0006     51   FORMULA : Cell Formula - R274C3 len=32  "
	    "ptgArray ptgAdd ptgAreaErr3d ptgAdd\n"
	    "04bc     21   SHRFMLA : Shared Formula - R2C3 len=1  ptgAdd\n"
	    "0221     22   ARRAY : Array-Entered Formula - R2C3 len=1  "
	    "ptgSub\n"));
	assert_true(span_is(buf_view(&s.suspects), "Macro.XLM\n"));
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t n = 0; n < b.len; n++) {
		open_with(open_macro_sheet, (struct span){ b.ptr, n });
		sink_clear(&s);
	}
	buf_free(&b);
}

static void
names_of_binary_workbooks_are_told(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	put_record12(&b, 131, SPAN(""));
	put_record12(&b, 39,
	    SPAN("\0\0\0\0\0\0\0\0\0\3\0\0\0a\0b\0c\0\3\0\0\0\x1e\7\0"));
	open_with(open_macro_names, buf_view(&b));
	assert_true(span_is(sink_bytes(&s, "xlm/0"),
	    "0018     26   LABEL : Cell Value, String Constant - abc "
	    "ptgInt 7\n"));
	assert_true(span_is(buf_view(&s.suspects), ""));
	sink_clear(&s);
	buf_free(&b);
}

static void
macro_sheets_of_xml_are_told(void **state)
{
	(void)state;
	open_with(open_macro_sheet, SPAN("<xm:macrosheet/>"));
	assert_int_equal(s.members, 0);
	assert_true(span_is(buf_view(&s.suspects), "Macro.XLM\n"));
	sink_clear(&s);
	open_with(open_macro_names, SPAN("<workbook/>"));
	assert_int_equal(s.members, 0);
	sink_clear(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(macro_sheets_become_text),
		cmocka_unit_test(macro_sheets_are_known_by_either_record),
		cmocka_unit_test(tokens_become_words),
		cmocka_unit_test(shared_formulas_and_arrays_are_told),
		cmocka_unit_test(long_formulas_come_out_whole),
		cmocka_unit_test(a_workbook_cut_anywhere_gives_what_is_left),
		cmocka_unit_test(binary_macro_sheets_become_the_same_text),
		cmocka_unit_test(names_of_binary_workbooks_are_told),
		cmocka_unit_test(macro_sheets_of_xml_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
