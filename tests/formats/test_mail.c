#include "sink.h"

#include "formats/text/text.h"

/* "name=bytes|" of every member, for comparing. */
static const char *
opened(opener_fn *open, struct span object, unsigned *notes)
{
	static struct sink s;
	static char text[4096];
	struct buf b = buf_make(sizeof(text) - 1);

	sink_init(&s);
	open(object, &s.peel);
	for (size_t i = 0; i < s.members; i++) {
		buf_fmt(&b, "%s=", s.member[i].name);
		buf_span(&b, buf_view(&s.member[i].bytes));
		buf_char(&b, '|');
	}
	buf_char(&b, '\0');
	(void)snprintf(text, sizeof(text), "%s", b.ptr);
	*notes = s.notes;
	sink_clear(&s);
	buf_free(&b);
	return text;
}

struct row {
	const char *mail, *want;
};

static void
check(const struct row *rows, size_t n)
{
	unsigned notes;

	for (size_t i = 0; i < n; i++) {
		assert_string_equal(
		    opened(open_mail, span_of(rows[i].mail), &notes),
		    rows[i].want);
		assert_int_equal(notes, 0);
	}
}

#define MIXED "Content-Type: multipart/mixed; boundary=\"b c\"\n\n"

static void
parts_come_out_decoded(void **state)
{
	static const struct row rows[] = {
		{ "From: a\n\nhello\n", "part 1=hello\n|" },
		{ "From: a\nContent-Transfer-Encoding: BASE64\n\naGVs\nbG8=\n",
		    "part 1=hello|" },
		{ "Content-Transfer-Encoding: quoted-printable\n\n"
		  "a=3Db=  \nc=\r\ne=zz=",
		    "part 1=a=bce=zz|" },
		{ MIXED "pre\n--b c\n\none\n--b c\n\ntwo\n--b c--\nafter\n",
		    "part 1=one\n|part 2=two\n|part 3=after\n|" },
		{ MIXED "--b c\n\none\n--b cd\nmore\n",
		    "part 1=one\n--b cd\n"
		    "more\n|" },
		{ MIXED "--b c\rContent-Transfer-Encoding: base64\r\raGk=\r"
			"--b c--\r",
		    "part 1=hi|" },
		{ "Content-Type: message/rfc822\n\nFrom: b\n"
		  "Content-Type: multipart/mixed;\n\tboundary=q\n\n--q\n\nhi\n",
		    "part 1=hi\n|" },
		{ "Content-Transfer-Encoding: base64\n\naGk=aGk=\n",
		    "part 1=hihi|" },
		{ "Subject: none\n", "" },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
parts_have_the_names_of_their_files(void **state)
{
	static const struct row rows[] = {
		{ "Content-Type: a/b; name=\"x\\\"y.doc\"\n\n1",
		    "x\"y.doc=1|" },
		{ "Content-Type: a/b; name=n.doc\n"
		  "Content-Disposition: attachment; filename=f.doc\n\n1",
		    "f.doc=1|" },
		{ "Content-Disposition: attachment;\n filename*0=\"a\";\n"
		  " filename*1*=%62; filename*2=\".js\"\n\n1",
		    "ab.js=1|" },
		{ "Content-Disposition: x; filename*=utf-8'vi'%C4%91.js\n\n1",
		    "\xc4\x91.js=1|" },
		{ "Content-Type: a/b; name=\"=?utf-8?B?YS5q?==?x?q?s=2E?=\"\n"
		  "\n1",
		    "a.js.=1|" },
	};

	(void)state;
	check(rows, COUNT(rows));
}

static void
what_the_head_lacks_is_guessed(void **state)
{
	static const struct row rows[] = {
		{ "Content-Type: multipart/mixed\n\n--zz\n\none\n--zz\n\ntwo",
		    "part 1=one\n|part 2=two|" },
		{ "Content-Type: multipart/mixed; boundary=wrong\n\nx\n--zz\n\n"
		  "one\n",
		    "part 1=one\n|" },
	};
	unsigned notes;

	(void)state;
	check(rows, COUNT(rows));
	assert_string_equal(
	    opened(open_mail, SPAN("Content-Type: multipart/mixed\n\nno parts"),
		&notes),
	    "part 1=no parts|");
	assert_int_equal(notes, 1u << PEEL_DAMAGED);
}

#define UU "begin 644 f.txt\n%:&5L;&\\\n`\nend\n"

static void
a_box_holds_many_mails_and_text_holds_files(void **state)
{
	static const struct row rows[] = {
		{ "From me Mon\nSubject: 1\n\none\nFrom here on\n\nFrom you\n"
		  "Subject: 2\n\ntwo\n",
		    "part 1=one\nFrom here on\n\n|part 2=two\n|" },
		{ "Subject: 1\n\ntext\n" UU,
		    "part 1=text\n" UU "|f.txt=hello|" },
	};
	unsigned notes;

	(void)state;
	check(rows, COUNT(rows));
	assert_string_equal(
	    opened(open_uu, SPAN("text\n" UU "begin the end\n" UU), &notes),
	    "f.txt=hello|f.txt=hello|");
}

/* 10,000 mails in each other, a million parts, a boundary on every line: in
 * time that grows with the bytes. */
static void
bombs_end(void **state)
{
	enum { DEEP = 10000, PARTS = 300000 };
	static struct sink s;
	struct buf b = buf_make(64u << 20);

	(void)state;
	for (int i = 0; i < DEEP; i++)
		buf_fmt(&b,
		    "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
		    i);
	sink_init(&s);
	open_mail(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 1);
	assert_int_equal(s.member[0].format, FORMAT_MAIL);
	sink_clear(&s);
	buf_clear(&b);
	buf_text(&b, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < PARTS; i++)
		buf_text(&b, "--b\n\nx\n");
	sink_init(&s);
	s.bytes_max = 100;
	open_mail(buf_view(&b), &s.peel);
	assert_true(s.stopped);
	sink_clear(&s);
	buf_free(&b);
}

static void
torn_mails_give_what_is_there(void **state)
{
	static const struct span mail = SPAN(MIXED
	    "--b c\nContent-Type: x/y; name=\"a\"\n\none\n--b c\n"
	    "Content-Transfer-Encoding: base64\n\naGVsbG8=\n" UU "--b c--\n");
	unsigned notes;

	(void)state;
	for (size_t n = 0; n < mail.len; n++) {
		const char *got =
		    opened(open_mail, (struct span){ mail.ptr, n }, &notes);

		if (n > 95)
			assert_non_null(strstr(got, "a=one\n"));
	}
}

/* ---- BinHex ---------------------------------------------------------------------------- */

static void
put_binhex(struct buf *out, struct span s)
{
	static const char letters[] =
	    "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklm"
	    "pqr";

	for (size_t i = 0; i < s.len; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 |
			    (i + k < s.len ? (unsigned char)s.ptr[i + k] : 0);
		for (int shift = 18; shift >= 0; shift -= 6)
			buf_char(out, letters[v >> shift & 63]);
		if (i % 48 == 45)
			buf_char(out, '\n');
	}
}

#define BINHEX_HEAD "(This file must be converted with BinHex 4.0)\n\n:"

static void
both_forks_of_a_binhex_file_come_out(void **state)
{
	/* a run of five, a byte 90 */
	static const struct span file =
	    SPAN("\5f.txt\0TEXTabcd\0\0\0\0\0\7\0\0\0\3\0\0a\x90\5\x90\0b\0\0"
		 "res\0\0");
	struct buf b = buf_make(4096);
	unsigned notes;

	(void)state;
	buf_text(&b, BINHEX_HEAD);
	put_binhex(&b, file);
	buf_text(&b, ":\n");
	assert_string_equal(opened(open_binhex, buf_view(&b), &notes),
	    "f.txt=aaaaa\x90"
	    "b|resource fork=res|");
	assert_int_equal(notes, 0);
	for (size_t n = 0; n < b.len - 6; n++)
		(void)opened(open_binhex, (struct span){ b.ptr, n }, &notes);
	(void)opened(open_binhex, (struct span){ b.ptr, b.len - 12 }, &notes);
	assert_int_equal(notes, 1u << PEEL_DAMAGED);
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_come_out_decoded),
		cmocka_unit_test(parts_have_the_names_of_their_files),
		cmocka_unit_test(what_the_head_lacks_is_guessed),
		cmocka_unit_test(a_box_holds_many_mails_and_text_holds_files),
		cmocka_unit_test(bombs_end),
		cmocka_unit_test(torn_mails_give_what_is_there),
		cmocka_unit_test(both_forks_of_a_binhex_file_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
