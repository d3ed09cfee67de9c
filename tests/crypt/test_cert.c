/* The centre's authority: whom it certifies, and whom it knows again. */

#include "testing.h"

#include "crypt/crypt.h"

#define NOW  INT64_C(1764115200000)
#define YEAR (INT64_C(365) * 86400000)

struct authority {
	struct buf key, cert;
};

static void
authority_open(struct authority *a)
{
	struct errinfo ei = { 0 };

	a->key = buf_make(PEM_MAX);
	a->cert = buf_make(PEM_MAX);
	assert_ok(key_make(&a->key, &ei));
	assert_ok(ca_make(buf_view(&a->key), "Khien CA", NOW - YEAR, NOW + YEAR,
	    &a->cert, &ei));
}

static void
authority_close(struct authority *a)
{
	buf_free(&a->key);
	buf_free(&a->cert);
}

static struct buf
issued(const struct authority *a, const struct cert_request *rq)
{
	struct buf key = buf_make(PEM_MAX), csr = buf_make(PEM_MAX),
		   out = buf_make(PEM_MAX);
	struct errinfo ei = { 0 };

	assert_ok(key_make(&key, &ei));
	assert_ok(csr_make(buf_view(&key), "I am the king", &csr, &ei));
	assert_ok(ca_issue(buf_view(&a->key), buf_view(&a->cert),
	    buf_view(&csr), rq, &out, &ei));
	buf_free(&key);
	buf_free(&csr);
	return out;
}

/* PEM without its armour. */
static struct buf
der_of(struct span pem)
{
	struct buf out = buf_make(PEM_MAX), text = buf_make(PEM_MAX);
	struct span rest = pem, line;

	while (rest.len > 0) {
		line = span_trim(span_cut(rest, '\n', &rest));
		if (!span_starts(line, "-----"))
			buf_span(&text, line);
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '+')
			text.ptr[i] = '-';
		else if (text.ptr[i] == '/')
			text.ptr[i] = '_';
	}
	while (text.len > 0 && text.ptr[text.len - 1] == '=')
		buf_cut(&text, text.len - 1);
	assert_err(base64url_decode(buf_view(&text), &out), OK);
	buf_free(&text);
	return out;
}

static const struct cert_request for_agent = {
	.common_name = "agent",
	.not_before_ms = NOW - 1000,
	.not_after_ms = NOW + YEAR / 2,
	.client = true,
};

static enum err
check(const struct authority *a, struct span pem, int64_t now_ms)
{
	struct buf der = der_of(pem);
	struct errinfo ei = { 0 };
	enum err e =
	    cert_check_client(buf_view(&a->cert), buf_view(&der), now_ms, &ei);

	if (e != OK)
		assert_true(ei.msg[0] != '\0');
	buf_free(&der);
	return e;
}

static void
a_certificate_says_what_the_authority_decided(void **state)
{
	struct authority a;
	struct cert_info info, same;
	struct errinfo ei = { 0 };
	struct buf cert, der;

	(void)state;
	authority_open(&a);
	cert = issued(&a, &for_agent);
	der = der_of(buf_view(&cert));
	assert_ok(cert_read(buf_view(&cert), &info, &ei));
	assert_string_equal(info.common_name, "agent");
	assert_int_equal(strlen(info.serial), SERIAL_HEX - 1);
	assert_true(info.not_after_ms == for_agent.not_after_ms);
	assert_ok(cert_read_der(buf_view(&der), &same, &ei));
	assert_memory_equal(info.fingerprint, same.fingerprint, SHA256_LEN);
	assert_string_equal(info.serial, same.serial);
	assert_err(check(&a, buf_view(&cert), NOW), OK);
	buf_free(&cert);
	buf_free(&der);
	authority_close(&a);
}

static void
only_a_client_of_this_authority_within_its_days_passes(void **state)
{
	struct cert_request server = for_agent;
	struct authority a, other;
	struct buf mine, foreign, wrong_use;

	(void)state;
	server.client = false;
	server.server = true;
	authority_open(&a);
	authority_open(&other);
	mine = issued(&a, &for_agent);
	foreign = issued(&other, &for_agent);
	wrong_use = issued(&a, &server);
	assert_err(check(&a, buf_view(&mine), NOW), OK);
	assert_true(check(&a, buf_view(&mine), NOW - 3600000) != OK);
	assert_true(check(&a, buf_view(&mine), NOW + YEAR) != OK);
	assert_true(check(&a, buf_view(&foreign), NOW) != OK);
	assert_true(check(&a, buf_view(&wrong_use), NOW) != OK);
	assert_true(check(&a, buf_view(&a.cert), NOW) != OK);
	buf_free(&mine);
	buf_free(&foreign);
	buf_free(&wrong_use);
	authority_close(&a);
	authority_close(&other);
}

static void
a_changed_certificate_or_request_is_refused(void **state)
{
	struct authority a;
	struct buf cert, der, key = buf_make(PEM_MAX), csr = buf_make(PEM_MAX),
			      out = buf_make(PEM_MAX);
	struct errinfo ei = { 0 };

	(void)state;
	authority_open(&a);
	cert = issued(&a, &for_agent);
	der = der_of(buf_view(&cert));
	for (size_t i = 0; i < der.len; i++) {
		der.ptr[i] ^= 1;
		assert_true(cert_check_client(buf_view(&a.cert), buf_view(&der),
				NOW, &ei) != OK);
		der.ptr[i] ^= 1;
	}
	for (size_t i = 0; i < der.len; i++)
		assert_true(cert_check_client(buf_view(&a.cert),
				(struct span){ der.ptr, i }, NOW, &ei) != OK);
	assert_ok(key_make(&key, &ei));
	assert_ok(csr_make(buf_view(&key), "x", &csr, &ei));
	for (size_t i = 40; i + 40 < csr.len; i += 7) {
		char was = csr.ptr[i];

		csr.ptr[i] = was == 'A' ? 'B' : 'A';
		assert_true(ca_issue(buf_view(&a.key), buf_view(&a.cert),
				buf_view(&csr), &for_agent, &out, &ei) != OK);
		assert_int_equal(out.len, 0);
		csr.ptr[i] = was;
	}
	buf_free(&cert);
	buf_free(&der);
	buf_free(&key);
	buf_free(&csr);
	buf_free(&out);
	authority_close(&a);
}

static void
what_is_no_pem_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "hello",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	};
	struct authority a;
	struct buf out = buf_make(PEM_MAX);
	struct cert_info info;

	(void)state;
	authority_open(&a);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct errinfo ei = { 0 };

		TEST_CASE(bad[i]);
		assert_true(cert_read(span_of(bad[i]), &info, &ei) != OK);
		assert_true(cert_read_der(span_of(bad[i]), &info, &ei) != OK);
		assert_true(ca_issue(buf_view(&a.key), buf_view(&a.cert),
				span_of(bad[i]), &for_agent, &out, &ei) != OK);
		assert_true(csr_make(span_of(bad[i]), "x", &out, &ei) != OK);
	}
	assert_int_equal(out.len, 0);
	buf_free(&out);
	authority_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_says_what_the_authority_decided),
		cmocka_unit_test(
		    only_a_client_of_this_authority_within_its_days_passes),
		cmocka_unit_test(a_changed_certificate_or_request_is_refused),
		cmocka_unit_test(what_is_no_pem_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
