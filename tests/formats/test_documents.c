#include "sink.h"

#include <zlib.h>

#include "formats/cfb_make.h"
#include "formats/office/office.h"
#include "formats/writing.h"

static struct sink s;

static void
open_with(opener_fn *open, struct span object)
{
	sink_init(&s);
	open(object, &s.peel);
}

/* A compound file of one stream. */
static void
open_stream(const char *path, struct span bytes)
{
	const struct cfb_item item = { path, bytes };
	struct cfb_made m = cfb_make(3, &item, 1);

	open_with(open_ole2, buf_view(&m.file));
	buf_free(&m.file);
}

static void
assert_member(const char *name, const char *want)
{
	assert_true(span_is(sink_bytes(&s, name), want));
}

/* ---- macros ---------------------------------------------------------------------------- */

/* A module: what is compiled, then its source. */
static void
the_source_of_macros_comes_out(void **state)
{
	static char source[9000] = "Attribute VB_Name = \"M\"\r\n";
	struct buf module = buf_make(32768);

	(void)state;
	for (size_t i = 25; i < sizeof(source) - 1; i++)
		source[i] = (char)('a' + i % 23);
	buf_text(&module, "compiled \1 and more");
	ovba_make(&module, span_of(source));
	open_stream("VBA/M", buf_view(&module));
	assert_member("macro/0", source);
	assert_true(span_is(buf_view(&s.suspects), "Macro.VBA\n"));
	sink_clear(&s);
	/* cut within its second chunk */
	module.len -= 5000;
	open_stream("VBA/M", buf_view(&module));
	assert_memory_equal(sink_bytes(&s, "macro/0").ptr, source, 3600);
	sink_clear(&s);
	buf_free(&module);
}

#define START                                                                  \
	"Attri"                                                                \
	"but"
#define HEAD(size) "\1" size "\xb0\0" START

/* The start, then "aaaa" as one letter and a copy of three; and a copy from
 * before the beginning. */
static void
copies_within_macros_are_made(void **state)
{
	(void)state;
	open_stream("x", SPAN(HEAD("\x0d") "\2a\0\0z"));
	assert_member("macro/0", START "aaaaz");
	sink_clear(&s);
	open_stream("x", SPAN(HEAD("\x0b") "\1\xff\xff"));
	assert_member("macro/0", START);
	sink_clear(&s);
}

/* ---- embedded objects ------------------------------------------------------------------- */

static void
put_counted(struct buf *b, struct span text)
{
	put_le(b, text.len + 1, 4);
	buf_span(b, text);
	buf_char(b, '\0');
}

static void
put_package(struct buf *b, struct span bytes)
{
	put_le(b, 2, 2);
	buf_add(b, "a.js", 5);
	buf_add(b, "C:\\a.js", 8);
	put_le(b, 0x30000, 4);
	put_counted(b, SPAN("C:\\Temp\\a.js"));
	put_le(b, bytes.len, 4);
	buf_span(b, bytes);
}

static void
put_object(struct buf *b, struct span data)
{
	put_le(b, 0x501, 4);
	put_le(b, 2, 4);
	put_counted(b, SPAN("Package"));
	put_le(b, 0, 8);
	put_le(b, data.len, 4);
	buf_span(b, data);
}

static void
a_package_holds_its_file(void **state)
{
	struct buf package = buf_make(4096), stream = buf_make(4096);

	(void)state;
	put_package(&package, SPAN("the file"));
	put_le(&stream, package.len, 4);
	buf_span(&stream, buf_view(&package));
	open_stream("\1Ole10Native", buf_view(&stream));
	assert_member("a.js", "the file");
	sink_clear(&s);
	open_stream("\1Ole10Native", SPAN("\5\0\0\0bytes"));
	assert_member("native", "bytes");
	sink_clear(&s);
	buf_free(&package);
	buf_free(&stream);
}

/* Digits with what readers forgive between them. */
static void
rtf_hides_objects_in_vain(void **state)
{
	static const char *const between[] = { "", " ", "\r\n", "{\\*\\x 99}",
		"\\foo7 ", "{\\*\\a{\\b 11}22}", "\\'41", "{", "\\bin0 " };
	struct buf package = buf_make(4096), object = buf_make(4096);

	(void)state;
	put_package(&package, SPAN("the file"));
	put_object(&object, buf_view(&package));
	for (size_t k = 0; k < COUNT(between); k++) {
		struct buf rtf = buf_make(65536);

		buf_text(&rtf, "{\\rtf1 dead{\\object{\\*\\objdata ");
		for (size_t i = 0; i < object.len; i++) {
			unsigned c = (unsigned char)object.ptr[i];

			buf_fmt(&rtf, "%x", c >> 4);
			buf_text(&rtf, i % 9 == 4 ? between[k] : "");
			buf_fmt(&rtf, "%X", c & 15);
		}
		buf_text(&rtf, "}}beef}");
		open_with(open_rtf, buf_view(&rtf));
		assert_member("a.js", "the file");
		assert_true(span_is(buf_view(&s.suspects), "Rtf.Object\n"));
		sink_clear(&s);
		for (size_t n = 0; n < rtf.len; n += 3) {
			open_with(open_rtf, (struct span){ rtf.ptr, n });
			sink_clear(&s);
		}
		buf_free(&rtf);
	}
	buf_free(&package);
	buf_free(&object);
}

static void
raw_bytes_of_rtf_belong_to_the_object(void **state)
{
	(void)state;
	open_with(
	    open_rtf, SPAN("{\\rtf{\\objdata 41\\bin3 }}}42}{\\objdata 43}}"));
	assert_int_equal(s.members, 2);
	assert_true(span_is(buf_view(&s.member[0].bytes), "A}}}B"));
	assert_true(span_is(buf_view(&s.member[1].bytes), "C"));
	sink_clear(&s);
}

static void
slides_hold_deflated_files(void **state)
{
	static const struct span inner = SPAN("a compound file");
	unsigned char packed[256];
	uLongf n = sizeof(packed);
	struct buf b = buf_make(4096);

	(void)state;
	assert_int_equal(
	    compress(packed, &n, (const Bytef *)inner.ptr, inner.len), Z_OK);
	put_le(&b, 0xf, 2); /* a container */
	put_le(&b, 0x409, 2);
	put_le(&b, 1000, 4);
	put_le(&b, 0x10, 2);
	put_le(&b, 0x1011, 2);
	put_le(&b, n + 4, 4);
	put_le(&b, inner.len, 4);
	buf_add(&b, packed, n);
	put_le(&b, 0, 2);
	put_le(&b, 0x1011, 2);
	put_le(&b, 5, 4);
	buf_text(&b, "plain");
	open_stream("PowerPoint Document", buf_view(&b));
	assert_member("object/0", inner.ptr);
	assert_member("object/1", "plain");
	sink_clear(&s);
	buf_free(&b);
}

static void
files_of_a_notebook_come_out(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	for (int i = 0; i < 2; i++) {
		buf_text(&b, "page");
		buf_add(&b,
		    "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a"
		    "\x9e\xac",
		    16);
		put_le(&b, i == 0 ? 4 : 400, 8);
		put_zeros(&b, 12);
		buf_text(&b, "file");
	}
	open_with(open_onenote, buf_view(&b));
	assert_member("file/0", "file");
	assert_member("file/1", "file");
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&b);
}

/* ---- passwords --------------------------------------------------------------------------- */

static void
what_needs_a_password_is_noted(void **state)
{
	static const struct {
		const char *stream;
		struct span bytes;
		bool secret;
	} rows[] = {
		{ "WordDocument", SPAN("\xec\xa5\0\0\0\0\0\0\0\0\0\1"), true },
		{ "WordDocument", SPAN("\xec\xa5\0\0\0\0\0\0\0\0\1\0"), false },
		{ "Workbook", SPAN("\x09\x08\2\0xx\x2f\0\0\0"), true },
		{ "Workbook", SPAN("\x09\x08\2\0xx\x0a\0\0\0\x2f\0\0\0"),
		    false },
		{ "Current User",
		    SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\xdf\xc4\xd1"
			 "\xf3"),
		    true },
		{ "EncryptedPackage", SPAN("whatever"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		open_stream(rows[i].stream, rows[i].bytes);
		assert_int_equal(
		    s.notes, rows[i].secret ? 1u << PEEL_ENCRYPTED : 0);
		sink_clear(&s);
	}
	open_stream("Workbook", SPAN("\x85\0\7\0\0\0\0\0\0\1\0"));
	assert_true(span_is(buf_view(&s.suspects), "Macro.XLM\n"));
	sink_clear(&s);
}

/* ---- TNEF -------------------------------------------------------------------------------- */

static void
put_attribute(struct buf *b, char level, uint32_t id, struct span data)
{
	buf_char(b, level);
	put_le(b, id, 4);
	put_le(b, data.len, 4);
	buf_span(b, data);
	put_le(b, 0, 2);
}

static void
attachments_come_out_of_winmail_dat(void **state)
{
	struct buf b = buf_make(4096), props = buf_make(4096);

	(void)state;
	put_le(&props, 4, 4);
	put_le(&props, 0x80010003, 4); /* a named one, of 4 bytes */
	put_zeros(&props, 16);
	put_le(&props, 1, 4);
	put_le(&props, 6, 4);
	buf_add(&props, "x\0y\0z\0\0\0", 8);
	put_le(&props, 7, 4);
	put_le(&props, 0x100b0040, 4); /* a time */
	put_zeros(&props, 8);
	put_le(&props, 0x37010102, 4);
	put_le(&props, 1, 4);
	put_le(&props, 5, 4);
	buf_add(&props, "inner\0\0\0", 8);
	put_le(&props, 0x10090102, 4); /* a body */
	put_le(&props, 1, 4);
	put_le(&props, 20, 4);
	buf_add(&props, "\x10\0\0\0\4\0\0\0LZFu\0\0\0\0\0abc", 20);
	put_le(&b, 0x223e9f78, 4);
	put_le(&b, 1, 2);
	put_attribute(&b, 1, 0x2800c, SPAN("the text"));
	put_attribute(&b, 2, 0x18010, SPAN("one.doc\0"));
	put_attribute(&b, 2, 0x6800f, SPAN("data"));
	put_attribute(&b, 2, 0x18010, SPAN("two.doc\0"));
	put_attribute(&b, 2, 0x69005, buf_view(&props));
	open_with(open_tnef, buf_view(&b));
	assert_member("body", "the text");
	assert_member("one.doc", "data");
	assert_member("two.doc", "inner");
	assert_member("body/0", "abc");
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t n = 7; n < b.len; n++) {
		open_with(open_tnef, (struct span){ b.ptr, n });
		sink_clear(&s);
	}
	b.ptr[6] = 9;
	open_with(open_tnef, buf_view(&b));
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&b);
	buf_free(&props);
}

/* ---- bodies of messages ------------------------------------------------------------------ */

#define BODY "__substg1.0_10090102"

/* The examples of [MS-OXRTFCP] 4, and what is broken. */
static void
compressed_bodies_come_out(void **state)
{
	static const struct {
		struct span bytes;
		const char *want; /* NULL: nothing */
		unsigned notes;
	} rows[] = {
		{ SPAN("\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\3\0\x0a\0"
		       "rcpg125B2\x0a\xf3 \150el\x09\0 bw\5\xb0ld}\x0a\x80\x0f"
		       "\xa0"),
		    "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", 0 },
		{ SPAN("\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4KQA\0\4 WXYZ\x0dn}\1"
		       "\x0e\xb0"),
		    "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", 0 },
		{ SPAN("\x11\0\0\0\5\0\0\0MELA\0\0\0\0{\\rtf"), "{\\rtf", 0 },
		/* the size is more than there is */
		{ SPAN("\x1d\0\0\0\5\0\0\0LZFu\0\0\0\0\0abc"), "abc",
		    1u << PEEL_DAMAGED },
		/* cut within a copy */
		{ SPAN("\x0f\0\0\0\5\0\0\0LZFu\0\0\0\0\2a\0"), "a", 0 },
		{ SPAN("\x0c\0\0\0\5\0\0\0LZFu\0\0\0\0"), "", 0 },
		{ SPAN("\0\0\0\0\0\0\0\0MELA\0\0\0\0abc"), NULL, 0 },
		{ SPAN("\x0f\0\0\0\5\0\0\0LZFv\0\0\0\0abc"), NULL, 0 },
		{ SPAN("\x0f\0\0"), NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		open_stream("__attach/" BODY, rows[i].bytes);
		assert_int_equal(s.notes, rows[i].notes);
		assert_int_equal(s.members, rows[i].want != NULL ? 2 : 1);
		if (rows[i].want != NULL)
			assert_member("body/0", rows[i].want);
		sink_clear(&s);
	}
}

/* Letters once around the ring and more, then copies across its end. */
static void
long_bodies_go_around(void **state)
{
	struct buf b = buf_make(65536);
	size_t n = 4000; /* in the ring these reach up to 111 */
	const char *got;

	(void)state;
	put_le(&b, 12 + n + n / 8 + 5, 4);
	buf_add(&b, "\0\0\0\0LZFu\0\0\0\0", 12);
	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			buf_char(&b, 0);
		buf_char(&b, (char)('a' + i % 23));
	}
	buf_char(&b, 3);
	put_be(&b, 4090u << 4 | 15, 2);
	put_be(&b, (207u + 4000 + 17) % 4096 << 4, 2);
	open_stream(BODY, buf_view(&b));
	assert_int_equal(s.notes, 0);
	assert_int_equal(sink_bytes(&s, "body/0").len, n + 17);
	got = sink_bytes(&s, "body/0").ptr;
	assert_memory_equal(got + n, got + 4090 - 207, 17);
	sink_clear(&s);
	for (size_t most = 0; most < 9000; most += 500) {
		const struct cfb_item item = { BODY, buf_view(&b) };
		struct cfb_made m = cfb_make(3, &item, 1);

		sink_init(&s);
		s.bytes_max = most;
		open_ole2(buf_view(&m.file), &s.peel);
		sink_clear(&s);
		buf_free(&m.file);
	}
	buf_free(&b);
}

/* ---- documents of Hangul ----------------------------------------------------------------- */

#define DEFLATED_TEXT                                                          \
	SPAN("\x2b\xc9\x48\x55\x28\x49\xad\x28\x01\0") /* "the text" */

static void
open_hwp(unsigned flags, const char *path, struct span bytes)
{
	struct buf head = buf_make(256);
	/* The header stands behind what it speaks of. */
	struct cfb_item items[] = { { path, bytes },
		{ "FileHeader", { NULL, 0 } } };
	struct cfb_made m;

	buf_add(&head, "HWP Document File\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
	put_le(&head, 0x5000300, 4);
	put_le(&head, flags, 4);
	put_zeros(&head, 216);
	items[1].bytes = buf_view(&head);
	m = cfb_make(3, items, 2);
	open_with(open_ole2, buf_view(&m.file));
	buf_free(&m.file);
	buf_free(&head);
}

/* What comes behind the stream itself, by the same name. */
static void
assert_inflated(const char *path, const char *want)
{
	size_t i = s.members - 1;

	if (want == NULL) {
		assert_int_equal(s.members, 2);
		return;
	}
	assert_int_equal(s.members, 3);
	while (strcmp(s.member[i].name, path) != 0)
		i--;
	assert_true(i > 0 && strcmp(s.member[i - 1].name, path) == 0);
	assert_true(span_is(buf_view(&s.member[i].bytes), want));
}

static void
streams_of_hangul_are_inflated(void **state)
{
	static const struct {
		unsigned flags;
		const char *path;
		struct span bytes;
		const char *want; /* NULL: there is only what is packed */
		unsigned notes;
	} rows[] = {
		{ 1, "DocInfo", DEFLATED_TEXT, "the text", 0 },
		{ 1, "BodyText/Section0", DEFLATED_TEXT, "the text", 0 },
		{ 1, "Scripts/DefaultJScript", DEFLATED_TEXT, "the text", 0 },
		{ 1, "BinData/BIN0001.png", DEFLATED_TEXT, "the text", 0 },
		{ 1, "PrvText", DEFLATED_TEXT, NULL, 0 },
		{ 0, "DocInfo", DEFLATED_TEXT, NULL, 0 },
		{ 3, "DocInfo", DEFLATED_TEXT, NULL, 1u << PEEL_ENCRYPTED },
		{ 5, "BodyText/Section0", DEFLATED_TEXT, "the text", 0 },
		{ 5, "ViewText/Section0", DEFLATED_TEXT, NULL,
		    1u << PEEL_UNSUPPORTED },
		{ 1, "DocInfo", SPAN("\x2b\xc9\x48\x55\x28\x49"), "the t",
		    1u << PEEL_DAMAGED },
		{ 1, "DocInfo", SPAN("\x4a\x4c\x02\x5e\0\0"), "ab",
		    1u << PEEL_DAMAGED },
		{ 1, "DocInfo", SPAN("\xff not deflated"), NULL, 0 },
		{ 1, "BinData/BIN0001.bmp", SPAN("\x4a\x4c\x02\x5e\0\0"), "ab",
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		open_hwp(rows[i].flags, rows[i].path, rows[i].bytes);
		assert_int_equal(s.notes, rows[i].notes);
		TEST_CASE(rows[i].path);
		assert_inflated(rows[i].path, rows[i].want);
		sink_clear(&s);
	}
}

/* Hangul puts the size in front of a compound file. */
static void
embedded_files_of_hangul_begin_behind_their_size(void **state)
{
	static const char inner[] = "\x40\0\0\0\xd0\xcf\x11\xe0\xa1\xb1\x1a"
				    "\xe1 and so on";
	unsigned char packed[256];
	z_stream z = { 0 };

	(void)state;
	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
	    Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)inner;
	z.avail_in = sizeof(inner) - 1;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	open_hwp(1, "BinData/BIN0001.OLE",
	    (struct span){ (const char *)packed, z.total_out });
	(void)deflateEnd(&z);
	assert_inflated("BinData/BIN0001.OLE", inner + 4);
	sink_clear(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_source_of_macros_comes_out),
		cmocka_unit_test(copies_within_macros_are_made),
		cmocka_unit_test(a_package_holds_its_file),
		cmocka_unit_test(rtf_hides_objects_in_vain),
		cmocka_unit_test(raw_bytes_of_rtf_belong_to_the_object),
		cmocka_unit_test(slides_hold_deflated_files),
		cmocka_unit_test(files_of_a_notebook_come_out),
		cmocka_unit_test(what_needs_a_password_is_noted),
		cmocka_unit_test(attachments_come_out_of_winmail_dat),
		cmocka_unit_test(compressed_bodies_come_out),
		cmocka_unit_test(long_bodies_go_around),
		cmocka_unit_test(streams_of_hangul_are_inflated),
		cmocka_unit_test(
		    embedded_files_of_hangul_begin_behind_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
