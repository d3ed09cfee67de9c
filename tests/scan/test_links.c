#include "scan/fixture.h"

#include "crypt/crypt.h"
#include "scan/links/needle.h"
#include "scan/links/url.h"

/* Each row but those that say so was measured with clamscan 1.4.6. */

#define HEAD  "From: a@b.example\nTo: c@d.example\nContent-Type: text/html\n\n"
#define SPOOF "Heuristics.Phishing.Email.SpoofedDomain"
#define SSL   "Heuristics.Phishing.Email.SSL-Spoof"
#define ZERO  "Heuristics.Phishing.Email.Cloaked.Null"
#define IP    "Heuristics.Phishing.Email.Cloaked.NumericIP"

/* A set of several files. */
struct list {
	const char *name, *text;
};

static void
make(struct fixture *f, const struct list *lists, size_t n)
{
	struct scan_builder *b = NULL;
	struct errinfo ei;

	memset(f, 0, sizeof(*f));
	assert_ok(scan_builder_new(fixture_on_problem, f, &b, &ei));
	for (size_t i = 0; i < n && lists[i].name != NULL; i++)
		assert_ok(scan_builder_add(
		    b, lists[i].name, span_of(lists[i].text), &ei));
	fixture_open(f, b, &scan_limits_default);
}

/* What is said of a mail with this body: the name, or "". */
static const char *
scan_mail(struct fixture *f, const char *body)
{
	struct buf mail = buf_make(1 << 16);

	buf_text(&mail, HEAD);
	buf_text(&mail, body);
	scanner_bytes(f->scanner, buf_view(&mail), false, &f->verdict);
	buf_free(&mail);
	assert_true(f->verdict.outcome == SCAN_CLEAN ||
	    f->verdict.outcome == SCAN_SUSPICIOUS);
	return f->verdict.name;
}

static const char *
scan_link(struct fixture *f, const char *real, const char *shown)
{
	char page[1024];

	(void)snprintf(page, sizeof(page),
	    "<html><body><a href=\"%s\">%s</a></body></html>\n", real, shown);
	return scan_mail(f, page);
}

#define EVIL "http://evil.com/x"

static void
what_is_shown_and_is_not_real_is_suspected(void **state)
{
	static const struct {
		const char *real, *shown, *name;
	} rows[] = {
		{ EVIL, "www.bank.com", SPOOF },
		{ EVIL, "bank.com", SPOOF },
		{ EVIL, "http://a.b.www.bank.com/login", SPOOF },
		{ EVIL, " (WWW.BANK.COM), ", SPOOF },
		{ EVIL, "<b>www.ba</b><i>nk.com</i>", SPOOF },
		{ EVIL, "www.ba%6ek.com", SPOOF },
		{ EVIL, "www.ba nk.com", SPOOF },
		{ EVIL, "http:\\\\www.bank.com", SPOOF },
		{ EVIL, "See http://www.bank.com", SPOOF },
		{ EVIL, "xbank.com", "" },
		{ EVIL, "bank.com.vn", "" },
		{ EVIL, "visit bank.com now", "" },
		{ EVIL, "x@bank.com", "" },
		{ EVIL, "bank", "" },
		{ EVIL, "other.com", "" },
		{ "http://www.bank.com/x", "bank.com", "" },
		{ "http://foo.bank.com/x", "http://www.bank.com/y", "" },
		{ "http://bank.com.vn", "bank.com", SPOOF },
		{ "http://bank.com@evil.com/", "bank.com", SPOOF },
		{ "http://evil.com?http://bank.com", "bank.com", SPOOF },
		{ "www.evil.com", "bank.com", SPOOF },
		{ "mailto:x@evil.com", "bank.com", "" },
		{ "/bank.com/", "bank.com", "" },
		{ "javascript:evil.com", "bank.com", "" },
		{ EVIL, "https://bank.com", SSL },
		{ "https://evil.com", "https://bank.com", SPOOF },
		{ "http://www.bank.com", "https://www.bank.com", SSL },
		{ "https://www.bank.com", "https://www.bank.com", "" },
		{ "http://bank.com%00.evil.com", "https://bank.com", ZERO },
		{ "http://evil.com%01@x/", "bank.com", ZERO },
		{ "http://evil.com/%00x", "bank.com", SPOOF },
		{ "http://1.2.3.4/", "https://bank.com", SSL },
		/* of its own name here: */
		{ "http://1.2.3.4/", "bank.com", IP },
		{ "http://16909060/", "bank.com", IP },
		{ "http://0x1020304/", "bank.com", IP },
		/* not seen by clamscan: */
		{ EVIL, "www.b&#97;nk.com&nbsp;", SPOOF },
		{ EVIL, "www.bank.com:80", SPOOF },
		{ EVIL, "www.bank.com#x", SPOOF },
		{ EVIL, "HTTPS://bank.com", SSL },
		{ "HTTP://EVIL.COM:8080/", "www.bank.com", SPOOF },
		{ "http:evil.example", "www.bank.com", SPOOF },
	};
	static const struct list list = { "a.pdb", "H:bank.com\n" };
	struct fixture f;

	(void)state;
	make(&f, &list, 1);
	assert_int_equal(f.counts.links, 1);
	assert_int_equal(f.counts.bodies, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		TEST_CASE(rows[i].shown);
		assert_string_equal(
		    scan_link(&f, rows[i].real, rows[i].shown), rows[i].name);
		if (rows[i].name[0] != '\0')
			assert_string_equal(f.verdict.source, "a.pdb");
	}
	fixture_clear(&f);
}

static void
lists_name_hosts_pairs_and_expressions(void **state)
{
	static const struct {
		const char *pdb, *wdb, *real, *shown, *name;
	} rows[] = {
		{ "R:.+:.+\\.bank\\.com", "", EVIL, "www.bank.com", SPOOF },
		{ "R:.+:.+\\.bank\\.com", "", EVIL, "bank.com", "" },
		{ "R:.+:.+\\.bank\\.(com|de)([/?].*)?", "", EVIL,
		    "http://www.bank.de/", SPOOF },
		{ "R:evil\\.com:bank\\.com", "", "http://www.evil.com",
		    "bank.com", SPOOF },
		{ "R:evil\\.com:bank\\.com", "", EVIL, "http://bank.com", "" },
		{ "R:.+:http://bank\\.com", "", EVIL, "http://bank.com",
		    SPOOF },
		{ "R:http://evil\\.com:bank\\.com", "", "http://a.evil.com",
		    "bank.com", "" },
		{ "R:.+:bank\\.com/", "", EVIL, "bank.com", "" },
		{ "R:.+:a\\.com|bank\\.com", "", EVIL, "bank.com", SPOOF },
		{ "R:bank\\.com", "", EVIL, "http://bank.com", SPOOF },
		/* https and zero bytes count where the host alone fits */
		{ "R:bank\\.com", "", EVIL, "https://bank.com", SSL },
		{ "R:.+:.+bank\\.com", "", EVIL, "https://bank.com", SPOOF },
		{ "R:.+:.+bank\\.com", "", "http://a.bank.com",
		    "https://bank.com", "" },
		{ "R:.+:bank\\.com", "", "http://evil.com%00x", "bank.com",
		    SPOOF },
		{ "R:bank\\.com", "", "http://evil.com%00x", "bank.com", ZERO },
		{ "H:com", "", EVIL, "http://bank.com", SPOOF },
		{ "H:bank.com", "M:evil.com:bank.com", EVIL, "bank.com", "" },
		{ "H:bank.com", "M:evil.com:bank.com", "http://a.evil.com",
		    "http://bank.com", "" },
		{ "H:bank.com", "M:evil.com:bank.com", EVIL, "www.bank.com",
		    SPOOF },
		{ "H:bank.com", "M:a.evil.com:bank.com", EVIL, "bank.com",
		    SPOOF },
		{ "H:bank.com", "M:evil.com:bank.com", "http://aevil.com",
		    "bank.com", SPOOF },
		{ "H:bank.com", "X:.+evil\\.com:.*bank\\.com", EVIL,
		    "https://bank.com", "" },
		{ "H:bank.com", "X:evil\\.com:bank\\.com", EVIL,
		    "http://bank.com/", "" },
		{ "H:bank.com", "X:http://.+:bank\\.com", EVIL,
		    "http://bank.com", SPOOF },
		{ "H:bank.com", "X:.+\\.evil\\.com([/?].*)?:.+", EVIL,
		    "bank.com", SPOOF },
		{ "H:bank.com", "Y:bank.com", EVIL, "a.bank.com", "" },
		{ "H:bank.com", "Y:evil\\.com", EVIL, "bank.com", SPOOF },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct list lists[] = { { "a.pdb", rows[i].pdb },
			{ "a.wdb", rows[i].wdb } };
		struct fixture f;

		TEST_CASE(rows[i].pdb);
		make(&f, lists, COUNT(lists));
		assert_int_equal(f.problems, 0);
		assert_string_equal(
		    scan_link(&f, rows[i].real, rows[i].shown), rows[i].name);
		fixture_clear(&f);
	}
}

static void
a_list_line_is_taken_for_other_levels_or_named(void **state)
{
	static const struct {
		const char *name, *line;
		size_t links, skipped, problems;
	} rows[] = {
		{ "a.pdb", "H:bank.com", 1, 0, 0 },
		{ "a.pdb", "H3F:bank.com:17-", 1, 0, 0 },
		{ "a.pdb", "H:bank.com:17-100", 0, 1, 0 },
		{ "a.pdb", "H:bank.com:-100", 0, 1, 0 },
		{ "a.pdb", "H:bank.com:-300", 1, 0, 0 },
		{ "a.pdb", "R:.+:.+a\\.com:300-", 0, 1, 0 },
		{ "a.pdb", "R:.+", 1, 0, 0 },
		{ "a.pdb", "H:bank.com:17", 0, 1, 1 },
		{ "a.pdb", "H:bank.com:99999999999-", 0, 1, 1 },
		{ "a.pdb", "H:a:b", 0, 1, 1 },
		{ "a.pdb", "H: bank.com", 0, 1, 1 },
		{ "a.pdb", "H:", 0, 1, 1 },
		{ "a.pdb", "H", 0, 1, 1 },
		{ "a.pdb", "h:bank.com", 0, 1, 1 },
		{ "a.pdb", "R:", 0, 1, 1 },
		{ "a.pdb", "R:(", 0, 1, 1 },
		{ "a.pdb", "R:a)(b", 0, 1, 1 },
		{ "a.pdb", "X:a:b", 0, 1, 1 },
		{ "a.pdb", "# H:bank.com", 0, 0, 0 },
		{ "a.wdb", "M:a.com:b.com", 1, 0, 0 },
		{ "a.wdb", "X:.+:.+", 1, 0, 0 },
		{ "a.wdb", "Y:a", 1, 0, 0 },
		{ "a.wdb", "M:a.com", 0, 1, 1 },
		{ "a.wdb", "M:a.com:b.com:c.com", 0, 1, 1 },
		{ "a.wdb", "M:.a.com:b.com", 0, 1, 1 },
		{ "a.wdb", "R:.+:.+", 0, 1, 1 },
		{ "a.wdb", "H:a.com", 0, 1, 1 },
		{ "a.gdb", "S:P:00112233", 0, 0, 0 },
		{ "a.gdb", "S:P:0011223", 0, 1, 1 },
		{ "a.gdb", "S:F:00112233", 0, 1, 1 },
		{ "a.gdb", "S3:F:00112233", 0, 1, 1 },
		{ "a.gdb", "S:Q:00112233", 0, 1, 1 },
		{ "a.gdb", "S:F", 0, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fixture f;

		TEST_CASE(rows[i].line);
		fixture_make(&f, rows[i].name, rows[i].line);
		assert_int_equal(f.counts.links, rows[i].links);
		assert_int_equal(f.counts.skipped, rows[i].skipped);
		assert_int_equal(f.problems, rows[i].problems);
		fixture_clear(&f);
	}
}

static void
a_line_longer_than_a_name_is_one(void **state)
{
	struct buf line = buf_make(8192);
	struct fixture f;

	(void)state;
	buf_text(&line, "R:.+:.*(");
	for (int i = 0; i < 300; i++)
		buf_fmt(&line, "name%d|", i);
	buf_text(&line, "bank)\\.com");
	fixture_make_bytes(&f, "a.pdb", buf_view(&line), &scan_limits_default);
	assert_int_equal(f.counts.links, 1);
	assert_string_equal(scan_link(&f, EVIL, "name299.com"), SPOOF);
	fixture_clear(&f);
	for (int i = 0; i < 300; i++)
		buf_fmt(&line, "|pattern%d", i);
	fixture_make_bytes(&f, "a.pdb", buf_view(&line), &scan_limits_default);
	assert_int_equal(f.problems, 1);
	fixture_clear(&f);
	buf_free(&line);
}

static void
only_parts_of_mails_are_looked_at(void **state)
{
	static const char link[] =
	    "<html><a href=http://evil.com/>www.bank.com</a></html>\n";
	static const struct list list = { "a.pdb", "H:bank.com" };
	char mixed[1024];
	struct fixture f;

	(void)state;
	make(&f, &list, 1);
	assert_string_equal(fixture_scan(&f, span_of(link)), "");
	assert_string_equal(scan_mail(&f, link), SPOOF);
	assert_string_equal(f.verdict.inner, "part 1");
	(void)snprintf(mixed, sizeof(mixed),
	    "From: a@b.example\nTo: c@d.example\n"
	    "Content-Type: multipart/mixed; boundary=B\n\n"
	    "--B\nContent-Type: text/plain\n\nhello\n"
	    "--B\nContent-Type: text/html; name=x.html\n\n%s\n--B--\n",
	    link);
	assert_string_equal(fixture_scan(&f, span_of(mixed)), SPOOF);
	assert_string_equal(f.verdict.inner, "x.html");
	assert_string_equal(
	    scan_mail(&f, "see <a href=http://evil.com/>www.bank.com</a>"),
	    SPOOF);
	assert_string_equal(scan_mail(&f,
				"<form action=http://evil.com/><a "
				"href=http://bank.com/>x</a></form>"),
	    SPOOF);
	assert_string_equal(scan_mail(&f,
				"<a href=http://evil.com/>x<img "
				"src=http://bank.com/></a>"),
	    SPOOF);
	fixture_clear(&f);
}

static void
an_allowed_mail_is_not_suspected(void **state)
{
	static const char mail[] =
	    HEAD "<a href=http://evil.com/>www.bank.com</a>\n";
	unsigned char digest[SHA256_LEN];
	char hex[SHA256_HEX], line[128];
	struct list lists[] = { { "a.pdb", "H:bank.com" }, { "a.sfp", line } };
	struct fixture f;

	(void)state;
	sha256(SPAN(mail), digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(
	    line, sizeof(line), "%s:%zu:Good", hex, sizeof(mail) - 1);
	make(&f, lists, 1);
	assert_string_equal(fixture_scan(&f, SPAN(mail)), SPOOF);
	fixture_clear(&f);
	make(&f, lists, 2);
	assert_string_equal(fixture_scan(&f, SPAN(mail)), "");
	fixture_clear(&f);
}

/* ---- hashes ------------------------------------------------------------------ */

static void
a_link_is_known_by_the_hash_of_a_form(void **state)
{
	static const char *const names[] = {
		"Heuristics.Safebrowsing."
		"Suspected-malware_safebrowsing.clamav.net",
		"Heuristics.Phishing.URL.Blocked",
		"Heuristics.Safebrowsing."
		"Suspected-phishing_safebrowsing.clamav.net"
	};
	static const struct {
		const char *form, *real;
		bool want;
	} rows[] = {
		{ "evil.com/", "http://evil.com", true },
		{ "evil.com/", "http://a.b.c.evil.com/x/y?z", true },
		{ "evil.com/", "https://evil.com:80/", true },
		{ "evil.com/x", "http://evil.com/x", true },
		{ "evil.com/x", "http://evil.com/", false },
		{ "evil.com/x", "http://evil.com/x?q", true },
		{ "evil.com/x?q", "http://evil.com/x?q", true },
		{ "evil.com/x/", "http://evil.com/x/y/z.html", true },
		{ "evil.com/x/", "http://evil.com/x", false },
		{ "evil.com/1/2/3/4/", "http://evil.com/1/2/3/4/5/", true },
		{ "evil.com/1/2/3/4/5/", "http://evil.com/1/2/3/4/5/6", false },
		{ "e.f.evil.com/", "http://a.b.c.d.e.f.evil.com", true },
		{ "c.d.e.f.evil.com/", "http://a.b.c.d.e.f.evil.com", false },
		{ "www.evil.com/", "http://evil.com/", false },
		{ "evil.com/a/c", "http://evil.com/./a//b/../%63#d", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(names); i++) {
		static const char *const kinds[] = { "S", "S1", "S2" };
		size_t k = i % COUNT(names), r = i / COUNT(names);
		unsigned char digest[SHA256_LEN];
		char hex[SHA256_HEX], text[512];
		struct fixture f;

		TEST_CASE(rows[r].real);
		sha256(span_of(rows[r].form), digest);
		hex_encode(digest, sizeof(digest), hex);
		(void)snprintf(text, sizeof(text), "%s:P:%.8s\n%s:F:%s:17-\n",
		    kinds[k], hex, kinds[k], hex);
		fixture_make(&f, "a.gdb", text);
		assert_int_equal(f.problems, 0);
		assert_int_equal(f.counts.hashes, 1);
		assert_string_equal(scan_link(&f, rows[r].real, "here"),
		    rows[r].want ? names[k] : "");
		fixture_clear(&f);
		(void)snprintf(text, sizeof(text), "%s:F:%s\nS:W:%s\n",
		    kinds[k], hex, hex);
		fixture_make(&f, "a.gdb", text);
		assert_string_equal(scan_link(&f, rows[r].real, "here"), "");
		fixture_clear(&f);
	}
}

static void
who_owns_a_name_is_below_what_is_sold(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "a.com", "a.com", true },
		{ "x.a.com", "y.z.a.com", true },
		{ "a.com", "b.com", false },
		{ "a.com", "a.org", false },
		{ "a.com.vn", "b.com.vn", false },
		{ "x.a.com.vn", "y.a.com.vn", true },
		{ "a.gov.vn", "gov.vn", false },
		{ "x.a.vn", "y.a.vn", true },
		{ "b.uk", "a.b.uk", true },
		{ "1.2.3.4", "1.2.3.4", true },
		{ "9.2.3.4", "1.2.3.4", false },
		{ "localhost", "localhost", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		TEST_CASE(rows[i].b);
		assert_int_equal(
		    url_same_owner(span_of(rows[i].a), span_of(rows[i].b)),
		    rows[i].same);
	}
}

static void
a_needle_stands_in_all_that_matches(void **state)
{
	static const struct {
		const char *regex, *needle;
	} rows[] = {
		{ ".+:.+\\.bank\\.(com|de)([/?].*)?", ".bank." },
		{ "abc", "abc" },
		{ "ab|cd", "" },
		{ "(ab|cd)", "" },
		{ "(ab|cd)ef", "ef" },
		{ "abc*d", "ab" },
		{ "abc?", "ab" },
		{ "abc+d", "abc" },
		{ "abc{0,2}def", "def" },
		{ "ab{x|y}cd", "" },
		{ "a[bc]de", "de" },
		{ "a[]x]bcd", "bcd" },
		{ "a[^]x[:alpha:]y]bcd", "bcd" },
		{ "a[\\]b]cd", "cd" },
		{ "a[x[:y]bcd]", "" },
		{ "a[\\Q]b\\E]cd", "" },
		{ "a[\\c\\]bcd]", "" },
		{ "a[\\w.\\-]bcd", "bcd" },
		{ "(?i)abc", "" },
		{ "abc\\d", "" },
		{ "\\x41bc", "" },
		{ "(*ANYCRLF)abc", "" },
		{ ".*", "" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbb*c",
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct needle n;

		TEST_CASE(rows[i].regex);
		needle_of(span_of(rows[i].regex), &n);
		assert_true(
		    span_is((struct span){ n.text, n.len }, rows[i].needle));
	}
}

/* ---- sets -------------------------------------------------------------------- */

static void
a_set_grows_by_lines_of_lists(void **state)
{
	static const struct list lists[] = { { "a.pdb", "H:bank.com" } };
	struct scan_builder *b = NULL;
	struct scan_set_info info;
	struct fixture base, f = { 0 };
	struct errinfo ei;

	(void)state;
	make(&base, lists, 1);
	assert_ok(scan_builder_onto(base.set, fixture_on_problem, &f, &b, &ei));
	assert_ok(scan_builder_add(
	    b, "b.pdb", SPAN("R:.+:shop\\.com\nH:mail.com"), &ei));
	assert_ok(
	    scan_builder_add(b, "b.wdb", SPAN("M:evil.com:bank.com"), &ei));
	fixture_open(&f, b, &scan_limits_default);
	scan_set_info(f.set, &info);
	assert_int_equal(info.counts.links, 4);
	assert_string_equal(scan_link(&f, EVIL, "www.bank.com"), SPOOF);
	assert_string_equal(f.verdict.source, "a.pdb");
	assert_string_equal(scan_link(&f, EVIL, "shop.com"), SPOOF);
	assert_string_equal(f.verdict.source, "b.pdb");
	assert_string_equal(scan_link(&f, EVIL, "mail.com"), SPOOF);
	assert_string_equal(scan_link(&f, EVIL, "bank.com"), "");
	fixture_clear(&f);
	fixture_clear(&base);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_shown_and_is_not_real_is_suspected),
		cmocka_unit_test(lists_name_hosts_pairs_and_expressions),
		cmocka_unit_test(
		    a_list_line_is_taken_for_other_levels_or_named),
		cmocka_unit_test(a_line_longer_than_a_name_is_one),
		cmocka_unit_test(only_parts_of_mails_are_looked_at),
		cmocka_unit_test(an_allowed_mail_is_not_suspected),
		cmocka_unit_test(a_link_is_known_by_the_hash_of_a_form),
		cmocka_unit_test(who_owns_a_name_is_below_what_is_sold),
		cmocka_unit_test(a_needle_stands_in_all_that_matches),
		cmocka_unit_test(a_set_grows_by_lines_of_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
