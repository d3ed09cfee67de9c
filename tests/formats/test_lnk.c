#include "sink.h"

#include "formats/pdf/pdf.h"

#define HEAD  "L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F"
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void
add_header(struct buf *b, uint32_t flags)
{
	const char le[4] = { (char)flags, (char)(flags >> 8), 0, 0 };

	buf_add(b, HEAD, 20);
	buf_add(b, le, 4);
	buf_add(b, ZEROS ZEROS, 52);
}

static void
add_wide(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		buf_char(b, *text);
		buf_char(b, '\0');
	}
}

static void
add_sized(struct buf *b, const char *text, bool wide)
{
	buf_char(b, (char)strlen(text));
	buf_char(b, '\0');
	if (wide)
		add_wide(b, text);
	else
		buf_text(b, text);
}

static void
assert_text(const struct buf *b, const char *want, const char *overlay)
{
	static struct sink s;

	sink_init(&s);
	open_lnk(buf_view(b), &s.peel);
	assert_string_equal(sink_bytes(&s, "lnk").ptr, want);
	if (overlay != NULL)
		assert_true(span_is(sink_bytes(&s, "overlay"), overlay));
	assert_int_equal(s.members, overlay == NULL ? 1 : 2);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
}

static void
strings_of_both_widths_are_lines(void **state)
{
	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		struct buf b = buf_make(4096);

		add_header(&b, wide ? 0xfc : 0x7c);
		add_sized(&b, "Bao cao", wide);
		add_sized(&b, "..\\cmd.exe", wide);
		add_sized(&b, "C:\\", wide);
		add_sized(&b, "/c calc", wide);
		add_sized(&b, "a.ico", wide);
		buf_add(&b, "\0\0\0\0behind", 10);
		assert_text(&b,
		    "name: Bao cao\nrelative path: ..\\cmd.exe\n"
		    "working directory: C:\\\narguments: /c calc\n"
		    "icon: a.ico\n",
		    "behind");
		buf_free(&b);
	}
}

static void
targets_are_lines(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	add_header(&b, 3);
	/* items: a drive; a file with a short and a long name */
	buf_add(&b,
	    "\x39\0"
	    "\x08\0\x2f"
	    "C:\\\0\0",
	    10);
	buf_add(&b, "\x2f\0\x32\0" ZEROS, 14);
	buf_add(&b, "A~1\0", 4);
	buf_add(&b, "\x1d\0\3\0\4\0\xef\xbe" ZEROS, 20);
	add_wide(&b, "Abc");
	buf_add(&b, "\0\0\0\0\0", 3);
	buf_add(&b, "\0\0", 2);
	/* where it lies: base path and suffix */
	buf_add(&b, "\x23\0\0\0\x1c\0\0\0\1\0\0\0\0\0\0\0\x1c\0\0\0", 20);
	buf_add(&b,
	    "\0\0\0\0\x20\0\0\0"
	    "D:\\\0ab\0",
	    15);
	/* the environment */
	buf_add(&b, "\x14\3\0\0\1\0\0\xa0%X%", 11);
	for (int i = 0; i < 257; i++)
		buf_char(&b, '\0');
	add_wide(&b, "%X%");
	for (int i = 0; i < 514; i++)
		buf_char(&b, '\0');
	assert_text(&b,
	    "item: C:\\\nitem: A~1\nitem: Abc\nbase path: D:\\\n"
	    "path suffix: ab\nenvironment: %X%\nenvironment: %X%\n",
	    NULL);
	buf_free(&b);
}

static void
what_breaks_off_is_noted(void **state)
{
	struct buf b = buf_make(4096);

	(void)state;
	add_header(&b, 0xff);
	for (int i = 0; i < 64; i++)
		buf_text(&b, "\x40\x01\x20\x30");
	for (size_t n = 0; n < b.len; n++) {
		static struct sink s;

		sink_init(&s);
		open_lnk((struct span){ b.ptr, n }, &s.peel);
		if (n >= 76)
			assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
		sink_clear(&s);
	}
	buf_free(&b);
}

static void
chunks_of_xdp_are_members(void **state)
{
	static struct sink s;

	(void)state;
	sink_init(&s);
	open_xdp(SPAN("<xdp:xdp><pdf><document><chunk>JVBE\nRi0=</chunk>"
		      "<chunky/><x:chunk a='b'>YWI</x:chunk><chunk>YQ"),
	    &s.peel);
	assert_int_equal(s.members, 3);
	assert_true(span_is(sink_bytes(&s, "chunk 1"), "%PDF-"));
	assert_true(span_is(sink_bytes(&s, "chunk 2"), "ab"));
	assert_true(span_is(sink_bytes(&s, "chunk 3"), "a"));
	sink_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_of_both_widths_are_lines),
		cmocka_unit_test(targets_are_lines),
		cmocka_unit_test(what_breaks_off_is_noted),
		cmocka_unit_test(chunks_of_xdp_are_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
