#include "testing.h"

#include "formats/text/html.h"

/* What sigtool --html-normalise of ClamAV 1.4.6 writes of each page; NULL: of
 * no interest. */
static const struct {
	const char *page, *plain, *text, *scripts;
} rows[] = {
	{ "Hello  World", "hello world", "hello world", "" },
	{ "<html>A\n\n\tB  C</html>", "<html>a b c</html>", " a b c ", "" },
	{ "<html><P>One<BR>Two</P>\n<!-- c1 --> x <!-- <b>bold</b> --> "
	  "y</html>",
	    "<html><p>one<br>two</p>x bold</b>--> y</html>",
	    " one two x bold --> y ", "" },
	{ "<html>a&amp;b &lt;i&gt; &#65;&#x42; &nbsp;&copy;&unknown; "
	  "&quot;&eacute;&#8364; &#300;</html>",
	    "<html>a&b <i> ab \240\251&unknown; \"\351&#x20ac; &#x012c;</html>",
	    " a b i ", "" },
	{ "<html><a HREF=\"http://X.com/A%20b\" Title='Q q' checked x=y/z "
	  ">L</a></html>",
	    "<html><a href=\"http://x.com/a%20b\" title=\"q q\" checked "
	    "x=y/z>l</a></html>",
	    " http://X.com/A%20b l ", "" },
	{ "<html><script>document.write(\"A b\");</script>T</html>",
	    "<html><script>document.write(\"ab\");</script>t</html>", " t ",
	    "<script>document.write(\"a b\");</script>" },
	{ "<html><style> B { Color: Red } </style>T</html>",
	    "<html><style>b{color:red}</style>t</html>", " t ", "" },
	{ "<html><body onload=\"alert( 1 )\">T <",
	    "<html><body onload=\"alert( 1 )\">t <", " t ", "" },
	{ "<html>a<b c</html>", "<html>a<b c</html>", " a ", "" },
	{ "<html><form action=\"http://E.com/P\" method=POST><input "
	  "type=text></form></html>",
	    "<html><form action=\"http://e.com/p\" method=post><input "
	    "type=text></form></html>",
	    " ", "" },
	{ "<html><!DOCTYPE x> <\077php echo 1 \077> <% asp %> </html>",
	    "<html><\077php echo 1 \077><% asp %></html>", " ", "" },
	{ "<html>a\r\nb\rc&#10;2</html>", "<html>a bc\n2</html>", " a bc 2 ",
	    "" },
	{ "<html><meta http-equiv=\"Refresh\" content=\"0; "
	  "URL=http://A\"></html>",
	    "<html><meta http-equiv=\"refresh\" content=\"0; "
	    "url=http://a\"></html>",
	    " ", "" },
	{ "<a  href = \"x\"   b = c >Q</a >", "<a href=\"x\" b=c>q</a>",
	    " x q ", "" },
	{ "<a href=x\nb=c\n\n>Q</a\n>", "<a href=x b=c>q</a>", " x q ", "" },
	{ "<a href=\"it's\" b='say \"hi\"'>Q",
	    "<a href=\"it\"s\" b=\"say \"hi\"\">q", " it\"s q", "" },
	{ "<a href=\"a&amp;b&lt;c&#65;\">Q", "<a href=\"a&b<ca\">q",
	    " a&b<cA q", "" },
	{ "<html>x<!-- abc", "<html>x", " x ", "" },
	{ "<html>x<!- abc> y <!> z <!a> w", "<html>xy z w", " x y z w", "" },
	{ "<html>a &amp b &#65 c &#x41 d &# e & f &;g &#32;h",
	    "<html>a &amp b A c A d \000 e & f &;g  h", " a b c d e f g h",
	    "" },
	{ "<html>&lt;script&gt; &AMP; &Amp; &Eacute; &eacute;",
	    "<html><script> &amp; &amp; \311 \351", " script ", "" },
	{ "<script> a = \"X  Y\" </script> Q  R",
	    "<script>a=\"xy\"</script>q r", " q r",
	    "<script>a=\"x  y\"</script>" },
	{ "<script>a<b && c>d</script> Q", "<script>a<b&&c>d</script>q", " q",
	    "<script>a<b&&c>d</script>" },
	{ "<script src=\"http://A/B.js\"></script>Q",
	    "<script src=\"http://a/b.js\"></script>q", " q",
	    "<script></script>" },
	{ "<html>a<>b< >c</>d", "<html>a<>b<>c</>d", " a b c d", "" },
	{ "<html>a\tb \t c\n\n", "<html>a b c", " a b c ", "" },
	{ "<pre>a  b\n c</pre>", "<pre>a b c</pre>", " a b c ", "" },
	{ "<html><p\n>a</p\n></html   >", "<html><p>a</p></html>", " a ", "" },
	{ "<html><a href=javascript:alert(1)>x</a>",
	    "<html><a href=javascript:alert(1)>x</a>",
	    " javascript:alert(1) x ", "" },
	{ "<html><a href=\"data:text/html;base64,PGI+\">x</a>",
	    "<html><a href=\"data\">x</a>", " x ", "" },
	{ "<html><p a=\"1\"b=\"2\"c>d", "<html><p a=\"1\" b=\"2\" c>d", " d",
	    "" },
	{ "<html><p a=>d<p a=\"\">e<p =x>f", "<html><p a=>d<p a=\"\">e<p=x>f",
	    " d e f", "" },
	{ "<html><script>x</script><script>y</script>",
	    "<html><script>x</script><script>y</script>", " ",
	    "<script>x</script>\n<script>y</script>" },
	{ "<script>var Abc = 5;</script>", NULL, NULL,
	    "<script>var n000=5;</script>" },
	{ "<script>var a=1, b = 2; a+b+c;</script>", NULL, NULL,
	    "<script>var n000=1,n001=2;n000+n001+c;</script>" },
	{ "<script>function Foo(x, y) { var z = x; return z*Foo(y); }</script>",
	    NULL, NULL,
	    "<script>function n000(n001,n002){var n003=n001;return "
	    "n003*n000(n002);}</script>" },
	{ "<script>x = \"a\" + \"b\" + c;</script>", NULL, NULL,
	    "<script>x=\"ab\"+c;</script>" },
	{ "<script>x='A\\x41\\u0042\\n\\t\\101\\'q';</script>", NULL, NULL,
	    "<script>x=\"aab  101'q\";</script>" },
	{ "<script>x = 0x41 + 1.50 + 1e3;</script>", NULL, NULL,
	    "<script>x=0 x41+1.5+1 e3;</script>" },
	{ "<script>document.write(\"<b>Hi</b>\");</script>", NULL, NULL,
	    "<script>document.write(\"<b>hi</b>\");</script>" },
	{ "<script>if (a) { b } else { c } // x</script>", NULL, NULL,
	    "<script>if(a){b}else{c}x</script>" },
	{ "<script>for(var i=0;i<10;i++){A[i]=i}</script>", NULL, NULL,
	    "<script>for(var n000=0;n000<10;n000++){a[n000]=n000}</script>" },
	{ "<script>var x; function f(){var x=1; x=2} x=3;</script>", NULL, NULL,
	    "<script>var n000;function n001(){var "
	    "n002=1;n002=2}n000=3;</script>" },
	{ "<script>String.fromCharCode(65,66)</script>", NULL, NULL,
	    "<script>string.fromcharcode(65,66)</script>" },
	{ "<script>this.Foo.Bar(window[\"X y\"]);</script>", NULL, NULL,
	    "<script>this.foo.bar(window[\"x y\"]);</script>" },
	{ "<script>a = /re g/i.test(b); c = a / b;</script>", NULL, NULL,
	    "<script>a=/re g/i.test(b);c=a/b;</script>" },
	{ "<script>return new Foo ( ) ; throw typeof x;</script>", NULL, NULL,
	    "<script>return new foo();throw typeof x;</script>" },
	{ "<script>var s = \"it\\\"s\"; s.Length</script>", NULL, NULL,
	    "<script>var n000=\"it\"s\";n000.length</script>" },
	{ "<script>catch(e){e.x}</script>", NULL, NULL,
	    "<script>catch(e){e.x}</script>" },
	{ "<script>y = function(q){return q}</script>", NULL, NULL,
	    "<script>y=function(n000){return n000}</script>" },
	{ "<script>a=\"\";b=+-c;d++ + ++e</script>", NULL, NULL,
	    "<script>a=\"\";b=+-c;d+++++e</script>" },
	{ "<script><!-- hide</script>", NULL, NULL,
	    "<script><!--hide</script>" },
	{ "<script>A.b=1;var b=2;A.b=b;</script>", NULL, NULL,
	    "<script>a.b=1;var n000=2;a.b=n000;</script>" },
	{ "<script>var a = [1,2], b = f(3,4), c = {x:1,y:2}, d; "
	  "a;b;c;d</script>",
	    NULL, NULL,
	    "<script>var "
	    "n000=[1,2],n001=f(3,4),n002={x:1,y:2},n003;n000;n001;n002;n003</"
	    "script>" },
	{ "<script>x = 'a\"b' + \"c'd\";</script>", NULL, NULL,
	    "<script>x=\"a\"bc'd\";</script>" },
	{ "<script>function(a){function b(c){var d=a;e=c;}b(d)}</script>", NULL,
	    NULL,
	    "<script>function(n000){function n001(n002){var "
	    "n003=n000;e=n002;}b(d)}</script>" },
	{ "<script>if(x){var y=1;} else {y=2}</script>", NULL, NULL,
	    "<script>if(x){var n000=1;}else{n000=2}</script>" },
	{ "<script>a = b \077 \"x\" + \"y\" : 'z';</script>", NULL, NULL,
	    "<script>a=b\077\"xy\":\"z\";</script>" },
	{ "<script>try { a } catch (e) { alert(e) }</script>", NULL, NULL,
	    "<script>try{a}catch(e){alert(e)}</script>" },
	{ "<script>while(1) { do x(); while (y) }</script>", NULL, NULL,
	    "<script>while(1){do x();while(y)}</script>" },
	{ "<script>var a=new Array();a[0]=\"q\"+1+\"r\";</script>", NULL, NULL,
	    "<script>var n000=new array();n000[0]=\"q\"+1+\"r\";</script>" },
};

static void
assert_buf(struct buf *b, const char *want)
{
	buf_char(b, '\0');
	if (want != NULL)
		assert_string_equal(b->ptr, want);
	buf_free(b);
}

static void
pages_are_normalised_as_signatures_expect(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct html h = { buf_make(4096), buf_make(4096),
			buf_make(4096) };

		html_normalise(span_of(rows[i].page), &h);
		assert_buf(&h.plain, rows[i].plain);
		assert_buf(&h.text, rows[i].text);
		assert_buf(&h.scripts, rows[i].scripts);
	}
}

static void
some_tags_make_a_page_of_text(void **state)
{
	static const char *const pages[] = { "x<html>", "<HEAD>",
		"text <a href=b", "<Script x", "<img/>", "< <table>" };
	static const char *const texts[] = { "", "<", "<b>", "<html x>", "<p>",
		"a < b", "<body>", "<a name=b>", "html>" };

	(void)state;
	for (size_t i = 0; i < COUNT(pages); i++)
		assert_true(html_is_page(span_of(pages[i])));
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_false(html_is_page(span_of(texts[i])));
}

/* Torn anywhere, nothing is read behind the end. */
static void
torn_pages_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span page = span_of(rows[i].page);

		for (size_t n = 0; n < page.len; n++) {
			char *copy = malloc(n == 0 ? 1 : n);
			struct html h = { buf_make(4096), buf_make(4096),
				buf_make(4096) };

			assert_non_null(copy);
			memcpy(copy, page.ptr, n);
			html_normalise((struct span){ copy, n }, &h);
			buf_free(&h.plain);
			buf_free(&h.text);
			buf_free(&h.scripts);
			free(copy);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_normalised_as_signatures_expect),
		cmocka_unit_test(some_tags_make_a_page_of_text),
		cmocka_unit_test(torn_pages_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
