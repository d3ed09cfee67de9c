#include "testing.h"

#include "base/buf.h"
#include "formats/text/links.h"

static bool
note(void *arg, struct span real, struct span shown)
{
	struct buf *out = arg;

	buf_span(out, real);
	buf_text(out, "=");
	buf_span(out, shown);
	buf_text(out, "\n");
	return true;
}

static bool
first_alone(void *arg, struct span real, struct span shown)
{
	(void)note(arg, real, shown);
	return false;
}

static void
a_link_is_what_leads_and_what_is_shown(void **state)
{
	static const struct {
		const char *page, *links;
	} rows[] = {
		{ "", "" },
		{ "no links, a < b & c", "" },
		{ "<a href=http://a/>text</a>more", "http://a/=text\n" },
		{ "<A HREF = 'http://a/' >T</A >", "http://a/=T\n" },
		{ "<a\thref=\"http://a/\"\fclass=x>t", "http://a/=t\n" },
		{ "<a href=1>one<a href=2>two</a>", "1=one\n2=two\n" },
		{ "<a href=1>one</a><a name=x>two</a>", "1=one\n" },
		{ "<a href=1 href=2>x</a>", "1=x\n" },
		{ "<a href=1><b>w</b>w<br>.x</a>", "1=ww.x\n" },
		{ "<a href=1><!-- > -->x<?y?><!z></a>", "1=x\n" },
		{ "<a href=1>x<script>y</a></script>z</a>", "1=xz\n" },
		{ "<style><a href=1>x</a></style>", "" },
		{ "<a href=1 title=2>3</a>", "1=2\n1=3\n" },
		{ "<a title=2 href=1>3</a>", "1=2\n1=3\n" },
		{ "<p title=2><b href=1>3</b>", "" },
		{ "<a href=1>t<img src=2></a>", "1=2\n1=t\n" },
		{ "<img src=2><iframe src=3>", "" },
		{ "<form action=1><img src=2></form><img src=3>", "1=\n1=2\n" },
		{ "<form action=1><a href=2>3</a></form><a href=4>5</a>",
		    "1=\n1=2\n2=3\n4=5\n" },
		{ "<a href='a&amp;b'>&#65;&#x42;&lt;&nbsp;&unknown;&</a>",
		    "a&b=AB<\302\240&unknown;&\n" },
		{ "<a href=1>&#8203;&#x1f600;</a>",
		    "1=\342\200\213\360\237\230\200\n" },
		{ "<a href='>'>x</a><a href=\"y>z", ">=x\ny=z\n" },
		{ "<a/href=1/>x</a/>", "1/=x\n" },
		{ "<ax href=1>x</ax><a href>y</a>", "" },
		{ "< a href=1>x</a>", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = buf_make(4096);

		TEST_CASE(rows[i].page);
		buf_text(&out, "");
		links_read(span_of(rows[i].page), note, &out);
		assert_string_equal(out.len == 0 ? "" : out.ptr, rows[i].links);
		buf_free(&out);
	}
}

static void
long_texts_are_cut_not_dropped(void **state)
{
	struct buf page = buf_make(1 << 16), out = buf_make(1 << 16);

	(void)state;
	buf_text(&page, "<a href=http://evil.example/");
	for (int i = 0; i < 5000; i++)
		buf_char(&page, 'x');
	buf_text(&page, ">shown</a>");
	links_read(buf_view(&page), note, &out);
	assert_int_equal(out.len, LINK_TEXT_MAX + strlen("=shown\n"));
	assert_true(span_starts(buf_view(&out), "http://evil.example/xx"));
	buf_free(&page);
	buf_free(&out);
}

static void
who_has_enough_is_told_no_more(void **state)
{
	struct buf out = buf_make(4096);

	(void)state;
	links_read(SPAN("<form action=1><a href=2 title=3>4</a><a href=5>"),
	    first_alone, &out);
	assert_string_equal(out.ptr, "1=\n");
	buf_free(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_is_what_leads_and_what_is_shown),
		cmocka_unit_test(long_texts_are_cut_not_dropped),
		cmocka_unit_test(who_has_enough_is_told_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
