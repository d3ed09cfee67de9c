#include "scan/fixture.h"
#include "scan/sign.h"

#include <string.h>

#include "crypt/authenticode.h"
#include "scan/set/set.h"

#define WORD "a word in it"
#define BODY "Word:0:*:6120776f726420696e206974\n"

/* An authority, whom it lets sign, and programs that they signed. */
struct signed_program {
	struct signer ca, mid, leaf, old, other;
	struct buf program, lines;
	size_t pkcs7;
};

static void
setup(struct signed_program *p)
{
	signer_make(&p->ca, "CA", NULL, true, NULL, 3650);
	signer_make(&p->mid, "Mid", &p->ca, true, NULL, 3650);
	signer_make(&p->leaf, "Leaf", &p->mid, false, "codeSigning", 3650);
	signer_make(&p->old, "Old", &p->ca, false, "codeSigning", 100);
	signer_make(&p->other, "Other", NULL, false, NULL, 3650);
	p->program = buf_make(1u << 20);
	p->lines = buf_make(1u << 16);
}

static void
teardown(struct signed_program *p)
{
	signer_free(&p->ca);
	signer_free(&p->mid);
	signer_free(&p->leaf);
	signer_free(&p->old);
	signer_free(&p->other);
	buf_free(&p->program);
	buf_free(&p->lines);
}

static void
sign_by(struct signed_program *p, const struct signer *const *certs, size_t n)
{
	buf_clear(&p->program);
	program_sign(SPAN(WORD), certs, n, &p->program, &p->pkcs7);
}

/* A set of the lines and a body that is in every program. */
static void
make_set(struct fixture *f, struct signed_program *p)
{
	struct errinfo ei = { 0 };
	struct scan_builder *b = NULL;

	*f = (struct fixture){ .problems = 0 };
	assert_ok(scan_builder_new(fixture_on_problem, f, &b, &ei));
	assert_ok(scan_builder_add(b, "a.crb", buf_view(&p->lines), &ei));
	assert_ok(scan_builder_add(b, "a.ndb", SPAN(BODY), &ei));
	fixture_open(f, b, &scan_limits_default);
	assert_int_equal(f->problems, 0);
	buf_clear(&p->lines);
}

static const char *
scan(struct fixture *f, const struct signed_program *p)
{
	return fixture_scan(f, buf_view(&p->program));
}

static void
a_trusted_certificate_allows_what_it_vouches_for(void **state)
{
	struct signed_program p;
	struct fixture f;
	const struct signer *chain[] = { &p.leaf, &p.mid };
	const struct signer *alone[] = { &p.leaf };
	const struct signer *old[] = { &p.old }, *other[] = { &p.other };

	(void)state;
	setup(&p);
	signer_line(&p.ca, "Good.CA", true, "1;0;1", &p.lines);
	make_set(&f, &p);
	assert_int_equal(f.counts.allowed, 1);
	sign_by(&p, chain, 2);
	assert_string_equal(scan(&f, &p), "");
	assert_int_equal(f.verdict.outcome, SCAN_CLEAN);
	/* Not whose issuer is missing, nor what is too old, nor others. */
	sign_by(&p, alone, 1);
	assert_string_equal(scan(&f, &p), "Word");
	sign_by(&p, old, 1);
	assert_string_equal(scan(&f, &p), "Word");
	sign_by(&p, other, 1);
	assert_string_equal(scan(&f, &p), "Word");
	fixture_clear(&f);
	teardown(&p);
}

static void
every_signed_byte_counts(void **state)
{
	struct signed_program p;
	struct fixture f;
	const struct signer *chain[] = { &p.leaf, &p.mid };

	(void)state;
	setup(&p);
	signer_line(&p.ca, "Good.CA", true, "1;1;1", &p.lines);
	make_set(&f, &p);
	sign_by(&p, chain, 2);
	for (size_t i = 0x210; i < p.pkcs7 - 8; i += 37) {
		p.program.ptr[i] ^= 1;
		assert_string_equal(scan(&f, &p), "Word");
		p.program.ptr[i] ^= 1;
	}
	p.program.ptr[p.program.len - 1] ^= 1; /* of the signature */
	assert_string_equal(scan(&f, &p), "Word");
	p.program.ptr[p.program.len - 1] ^= 1;
	p.program.ptr[0xd8] ^= 1; /* CheckSum is not signed */
	assert_string_equal(scan(&f, &p), "");
	buf_text(&p.program, "more");
	assert_string_equal(scan(&f, &p), "Word");
	fixture_clear(&f);
	teardown(&p);
}

static void
a_line_allows_the_uses_it_names(void **state)
{
	static const struct {
		bool of_leaf;
		const char *uses, *want;
	} cases[] = {
		{ false, "1;1;1", "" },
		{ false, "1;0;1", "" },
		{ false, "0;1;1", "Word" },
		{ false, "1;1;0", "Word" },
		{ true, "1;0;1", "" },
		{ true, "1;0;0", "Word" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct signed_program p;
		struct fixture f;
		const struct signer *chain[] = { &p.leaf, &p.mid };

		TEST_CASE(cases[i].uses);
		setup(&p);
		signer_line(cases[i].of_leaf ? &p.leaf : &p.ca, "Good", true,
		    cases[i].uses, &p.lines);
		make_set(&f, &p);
		sign_by(&p, chain, 2);
		assert_string_equal(scan(&f, &p), cases[i].want);
		fixture_clear(&f);
		teardown(&p);
	}
}

static void
a_blocked_certificate_is_an_infection(void **state)
{
	struct signed_program p;
	struct fixture f;
	const struct signer *chain[] = { &p.leaf, &p.mid };

	(void)state;
	setup(&p);
	signer_line(&p.ca, "Good.CA", true, "1;1;1", &p.lines);
	signer_line(&p.mid, "Stolen.Mid", false, "0;0;0", &p.lines);
	make_set(&f, &p);
	assert_int_equal(f.counts.bodies, 3);
	sign_by(&p, chain, 2);
	assert_string_equal(scan(&f, &p), "Stolen.Mid");
	assert_string_equal(f.verdict.source, "a.crb");
	p.program.ptr[0x3ff] ^= 1; /* whether it is whole or not */
	buf_text(&p.program, "more");
	assert_string_equal(scan(&f, &p), "Stolen.Mid");
	fixture_clear(&f);
	teardown(&p);
}

static void
an_empty_serial_number_stands_for_any(void **state)
{
	struct signed_program p;
	struct fixture f;
	const struct signer *chain[] = { &p.leaf };
	char *serial;

	(void)state;
	setup(&p);
	signer_line(&p.leaf, "Stolen", false, "0;0;0", &p.lines);
	serial = strchr(strchr(strchr(p.lines.ptr, ';') + 1, ';') + 1, ';') + 1;
	memmove(serial, serial + 40, strlen(serial + 40) + 1);
	p.lines.len -= 40;
	make_set(&f, &p);
	sign_by(&p, chain, 1);
	assert_string_equal(scan(&f, &p), "Stolen");
	fixture_clear(&f);
	teardown(&p);
}

#define H20 "0123456789012345678901234567890123456789"

static void
a_bad_line_is_named(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{ "N;1;" H20 ";" H20 ";ab;;1;1;1;",
		    "10 fields, 11 to 13 expected" },
		{ "N;2;" H20 ";" H20 ";ab;;1;1;1;;",
		    "trust is neither 0 nor 1" },
		{ "N;1;" H20 "0;" H20 ";ab;;1;1;1;;",
		    "subject is not a SHA-1" },
		{ "N;1;" H20 ";1;ab;;1;1;1;;", "serial number is not a SHA-1" },
		{ "N;1;" H20 ";" H20 ";abc;;1;1;1;;", "key is not hex digits" },
		{ "N;0;" H20 ";" H20 ";0000;;1;1;1;;",
		    "certificate has no key" },
		{ "N;1;" H20 ";" H20 ";ab;;x;1;1;;",
		    "use for code is neither 0 nor 1" },
		{ "N;1;" H20 ";" H20 ";ab;;1;;1;;",
		    "use for times is neither 0 nor 1" },
		{ "N;1;" H20 ";" H20 ";ab;;1;1;2;;",
		    "use for certificates is neither 0 nor 1" },
		{ "N;1;" H20 ";" H20 ";ab;;1;1;1;;;x",
		    "functionality level is not a number" },
		{ ";1;" H20 ";" H20 ";ab;;1;1;1;;", "signature has no name" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;

		TEST_CASE(cases[i].line);
		fixture_make(&f, "a.crb", cases[i].line);
		assert_int_equal(f.problems, 1);
		assert_string_equal(f.problem, cases[i].reason);
		fixture_clear(&f);
	}
}

static void
a_line_for_other_levels_is_skipped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "a.crb",
	    "A;1;" H20 ";" H20 ";ab;;1;1;1;;;300\n"
	    "B;1;" H20 ";" H20 ";ab;;1;1;1;;;73;100\n"
	    "C;1;" H20 ";;ab;;1;1;1;;;73;300\n");
	assert_int_equal(f.problems, 0);
	assert_int_equal(f.counts.skipped, 2);
	assert_int_equal(f.counts.allowed, 1);
	fixture_clear(&f);
}

/* A set that is added to has the certificates of both; what is left out goes. */
static void
certificates_are_added_to_a_set(void **state)
{
	struct signed_program p;
	struct fixture f, more = { .problems = 0 };
	struct errinfo ei = { 0 };
	struct scan_builder *b = NULL;
	const struct signer *other[] = { &p.other }, *leaf[] = { &p.leaf };

	(void)state;
	setup(&p);
	signer_line(&p.leaf, "Gone.Leaf", true, "1;1;1", &p.lines);
	make_set(&f, &p);
	signer_line(&p.other, "Stolen.Other", false, "0;0;0", &p.lines);
	assert_ok(scan_builder_onto(f.set, fixture_on_problem, &more, &b, &ei));
	assert_ok(scan_builder_add(b, "b.ign2", SPAN("Gone.Leaf\n"), &ei));
	assert_ok(scan_builder_add(b, "b.crb", buf_view(&p.lines), &ei));
	fixture_open(&more, b, &scan_limits_default);
	sign_by(&p, other, 1);
	assert_string_equal(scan(&f, &p), "Word");
	assert_string_equal(scan(&more, &p), "Stolen.Other");
	sign_by(&p, leaf, 1);
	assert_string_equal(scan(&f, &p), "");
	assert_string_equal(scan(&more, &p), "Word");
	assert_int_equal(more.set->dir->allowed, 0);
	fixture_clear(&more);
	fixture_clear(&f);
	teardown(&p);
}

static void
a_signature_that_is_none_is_refused(void **state)
{
	struct signed_program p;
	struct authenticode *a = NULL;
	struct errinfo ei = { 0 };
	const struct signer *chain[] = { &p.leaf, &p.mid };
	struct span der;

	(void)state;
	setup(&p);
	sign_by(&p, chain, 2);
	der = span_from(buf_view(&p.program), p.pkcs7);
	assert_err(authenticode_parse(SPAN(""), &a, &ei), ERR_LIMIT);
	assert_err(authenticode_parse(SPAN("x"), &a, &ei), ERR_SYNTAX);
	for (size_t n = 1; n < der.len; n += 13) {
		struct span cut = { der.ptr, n };

		assert_err(authenticode_parse(cut, &a, &ei), ERR_SYNTAX);
	}
	assert_ok(authenticode_parse(der, &a, &ei));
	assert_int_equal(authenticode_certs(a), 2);
	assert_int_equal(authenticode_cert(a, 0)->uses, SIGNED_CODE);
	assert_int_equal(authenticode_cert(a, 1)->uses,
	    SIGNED_CODE | SIGNED_TIME | SIGNED_ISSUER);
	assert_true(authenticode_by_cert(a, 0, 1));
	assert_false(authenticode_by_cert(a, 1, 0));
	assert_true(
	    authenticode_by_key(a, 0, authenticode_cert(a, 1)->modulus));
	assert_false(
	    authenticode_by_key(a, 1, authenticode_cert(a, 1)->modulus));
	authenticode_free(a);
	teardown(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_trusted_certificate_allows_what_it_vouches_for),
		cmocka_unit_test(every_signed_byte_counts),
		cmocka_unit_test(a_line_allows_the_uses_it_names),
		cmocka_unit_test(a_blocked_certificate_is_an_infection),
		cmocka_unit_test(an_empty_serial_number_stands_for_any),
		cmocka_unit_test(a_bad_line_is_named),
		cmocka_unit_test(a_line_for_other_levels_is_skipped),
		cmocka_unit_test(certificates_are_added_to_a_set),
		cmocka_unit_test(a_signature_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
