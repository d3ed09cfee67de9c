/* How agents come in, and how they are put out. */

#include "agent.h"

#define TOKEN_MS (168 * INT64_C(3600000)) /* protection.token_hours */

static void
a_token_is_good_for_as_many_computers_as_it_says(void **state)
{
	struct test_centre t;
	struct peer p[3];
	struct token token;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	token = token_make(&t, "T", 2);
	for (size_t i = 0; i < COUNT(p); i++)
		peer_make(&p[i], &t, "may");
	assert_ok(peer_enrol(&p[0], &token, &ei));
	assert_ok(peer_enrol(&p[1], &token, &ei));
	assert_err(peer_enrol(&p[2], &token, &ei), ERR_EXISTS);
	assert_string_equal(ei.field, "token");
	assert_false(uuid_eq(p[0].agent.id, p[1].agent.id));
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM agents"), 2);
	assert_int_equal(test_audited(t.c.store, "token.make"), 1);
	assert_int_equal(test_audited(t.c.store, "agent.enrol"), 2);
	for (size_t i = 0; i < COUNT(p); i++)
		peer_free(&p[i]);
	test_centre_close(&t);
}

/* The answer got lost: the same key asks again, and is the same agent. */
static void
the_same_key_may_ask_again_and_uses_nothing_up(void **state)
{
	struct test_centre t;
	struct peer p;
	struct uuid first;
	struct token token;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	token = token_make(&t, "T", 1);
	peer_make(&p, &t, "may");
	assert_ok(peer_enrol(&p, &token, &ei));
	first = p.agent.id;
	assert_ok(peer_enrol(&p, &token, &ei));
	assert_true(uuid_eq(p.agent.id, first));
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM agents"), 1);
	peer_free(&p);
	test_centre_close(&t);
}

static void
a_token_expires(void **state)
{
	struct test_centre t;
	struct peer p;
	struct token token;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	token = token_make(&t, "T", 2);
	peer_make(&p, &t, "may");
	t.clock.set_utc_ms += TOKEN_MS - 1;
	assert_ok(peer_enrol(&p, &token, &ei));
	t.clock.set_utc_ms += 1;
	assert_err(peer_enrol(&p, &token, &ei), ERR_AUTH);
	peer_free(&p);
	test_centre_close(&t);
}

/* Unknown, of another agency, with another secret: one answer for all. */
static void
a_token_opens_its_own_agency_only(void **state)
{
	struct test_centre t;
	struct peer p;
	struct token wrong[3];
	struct uuid other;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	other = test_agency(&t, "U", "");
	for (size_t i = 0; i < COUNT(wrong); i++)
		wrong[i] = token_make(&t, "T", 1);
	wrong[0].id = uuid_make(&clock_system);
	wrong[1].agency = other;
	wrong[2].secret[0] = wrong[2].secret[0] == 'A' ? 'B' : 'A';
	peer_make(&p, &t, "may");
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_err(peer_enrol(&p, &wrong[i], &ei), ERR_AUTH);
		assert_string_equal(
		    ei.msg, "the token is not known, or has expired");
	}
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM agents"), 0);
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM agent_certificates"),
	    0);
	peer_free(&p);
	test_centre_close(&t);
}

static void
a_token_needs_an_agency_and_sensible_uses(void **state)
{
	static const struct {
		const char *agency;
		int64_t uses;
		enum err want;
	} cases[] = { { "không có", 1, ERR_NOT_FOUND }, { "T", 0, ERR_LIMIT },
		{ "T", -1, ERR_LIMIT }, { "T", 100001, ERR_LIMIT } };
	struct test_centre t;
	struct buf text = buf_make(4096);

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_err(protection_token_make(&t.c, span_of(cases[i].agency),
			       cases[i].uses, &org_system, &text, NULL),
		    cases[i].want);
	assert_int_equal(test_audited(t.c.store, "token.make"), 0);
	assert_int_equal(text.len, 0);
	buf_free(&text);
	test_centre_close(&t);
}

static void
the_secret_of_a_token_is_not_stored(void **state)
{
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	(void)token_make(&t, "T", 1);
	assert_int_equal(test_number(t.c.store,
			     "SELECT count(*) FROM enrolment_tokens"
			     " WHERE length(secret_hash) = 32"),
	    1);
	test_centre_close(&t);
}

static void
a_request_that_is_no_certificate_request_is_refused(void **state)
{
	static const char *const bad[] = { "", "x",
		("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
		 "-----END CERTIFICATE REQUEST-----\n") };
	struct test_centre t;
	struct token token;
	struct peer p;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	token = token_make(&t, "T", 1);
	peer_make(&p, &t, "may");
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct errinfo ei = { 0 };

		buf_clear(&p.csr);
		buf_text(&p.csr, bad[i]);
		assert_err(peer_enrol(&p, &token, &ei), ERR_SYNTAX);
		assert_string_equal(ei.field, "csr");
	}
	peer_free(&p);
	test_centre_close(&t);
}

/* ---- revoked ---- */

static enum err
admit(struct peer *p, struct errinfo *ei)
{
	struct http_req rq = test_request(p->t);
	struct buf der = buf_make(PEM_MAX);
	struct span at = buf_view(&p->cert), line;
	void *who = NULL;
	enum err e;

	/* PEM to DER: what stands between the dashes, as base64url */
	while (at.len > 0) {
		line = span_trim(span_cut(at, '\n', &at));
		if (line.len > 0 && line.ptr[0] != '-')
			buf_span(&der, line);
	}
	for (size_t i = 0; i < der.len; i++)
		if (der.ptr[i] == '+' || der.ptr[i] == '/')
			der.ptr[i] = der.ptr[i] == '+' ? '-' : '_';
	while (der.len > 0 && der.ptr[der.len - 1] == '=')
		buf_cut(&der, der.len - 1);
	{
		struct buf bytes = buf_make(PEM_MAX);

		assert_int_equal(base64url_decode(buf_view(&der), &bytes), OK);
		rq.client_cert = buf_view(&bytes);
		e = protection_admit(&rq, &who, ei);
		buf_free(&bytes);
	}
	buf_free(&der);
	if (e == OK)
		assert_true(
		    uuid_eq(((const struct agent *)who)->id, p->agent.id));
	return e;
}

static void
a_revoked_agent_is_out_at_its_next_request(void **state)
{
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may");
	assert_ok(admit(&p, &ei));
	assert_ok(protection_revoke(
	    &t.c, p.agent.agency, p.agent.id, &org_system, &ei));
	assert_err(admit(&p, &ei), ERR_DENIED);
	/* one that was admitted just before */
	assert_err(peer_sync(&p, "", "", &ei), ERR_DENIED);
	assert_string_equal(ei.field, "certificate");
	assert_err(protection_revoke(
		       &t.c, p.agent.agency, p.agent.id, &org_system, &ei),
	    ERR_NOT_FOUND);
	assert_int_equal(test_audited(t.c.store, "agent.revoke"), 1);
	peer_free(&p);
	test_centre_close(&t);
}

static void
an_agent_is_revoked_within_its_agency_only(void **state)
{
	struct test_centre t;
	struct peer p;
	struct uuid other;

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	other = test_agency(&t, "U", "");
	peer_begin(&p, &t, "T", "may");
	assert_err(
	    protection_revoke(&t.c, other, p.agent.id, &org_system, NULL),
	    ERR_NOT_FOUND);
	peer_tell(&p, "", "");
	peer_free(&p);
	test_centre_close(&t);
}

/* ---- a cloned disk ---- */

#define OTHER_PRINT                                                            \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static enum err
rekey(struct peer *to, const struct peer *from, struct errinfo *ei)
{
	struct enrolment en = { .agency = from->agent.agency,
		.cloned_from = from->agent.id,
		.csr = buf_view(&to->csr),
		.fingerprint = OTHER_PRINT,
		.inventory = { .host = span_of(to->host),
		    .kind = SPAN(""),
		    .os = SPAN(""),
		    .os_version = SPAN(""),
		    .kernel = SPAN(""),
		    .arch = SPAN(""),
		    .cpu = SPAN(""),
		    .addresses = "[]",
		    .macs = "[]" },
		.remote = "192.0.2.8" };
	json_t *answer;
	enum err e =
	    protection_enrol(&to->t->c, to->t->arena, &en, &answer, ei);

	if (e != OK)
		return e;
	to->agent.agency = from->agent.agency;
	assert_err(json_get_uuid(answer, "agent", &to->agent.id, ei), OK);
	memcpy(to->fingerprint, OTHER_PRINT, sizeof(to->fingerprint));
	json_decref(answer);
	return OK;
}

static void
a_cloned_disk_is_noticed_and_becomes_an_agent_of_its_own(void **state)
{
	struct test_centre t;
	struct peer p, clone;
	struct uuid first;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may-1");
	peer_tell(&p, "", "");
	memcpy(p.fingerprint, OTHER_PRINT, sizeof(p.fingerprint));
	assert_err(peer_sync(&p, "", "", &ei), ERR_EXISTS);
	assert_string_equal(ei.field, "fingerprint");
	peer_make(&clone, &t, "may-2");
	assert_ok(rekey(&clone, &p, &ei));
	first = clone.agent.id;
	assert_false(uuid_eq(first, p.agent.id));
	assert_ok(rekey(&clone, &p, &ei)); /* the answer was lost */
	assert_true(uuid_eq(first, clone.agent.id));
	peer_tell(&clone, "", "");
	memcpy(p.fingerprint, PRINT, sizeof(p.fingerprint));
	peer_tell(&p, "", "");
	assert_int_equal(test_audited(t.c.store, "agent.rekey"), 2);
	peer_free(&p);
	peer_free(&clone);
	test_centre_close(&t);
}

static void
a_revoked_agent_has_no_clones(void **state)
{
	struct test_centre t;
	struct peer p, clone;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	(void)test_agency(&t, "T", "");
	peer_begin(&p, &t, "T", "may-1");
	assert_ok(protection_revoke(
	    &t.c, p.agent.agency, p.agent.id, &org_system, &ei));
	peer_make(&clone, &t, "may-2");
	assert_err(rekey(&clone, &p, &ei), ERR_DENIED);
	peer_free(&p);
	peer_free(&clone);
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_token_is_good_for_as_many_computers_as_it_says),
		cmocka_unit_test(
		    the_same_key_may_ask_again_and_uses_nothing_up),
		cmocka_unit_test(a_token_expires),
		cmocka_unit_test(a_token_opens_its_own_agency_only),
		cmocka_unit_test(a_token_needs_an_agency_and_sensible_uses),
		cmocka_unit_test(the_secret_of_a_token_is_not_stored),
		cmocka_unit_test(
		    a_request_that_is_no_certificate_request_is_refused),
		cmocka_unit_test(a_revoked_agent_is_out_at_its_next_request),
		cmocka_unit_test(an_agent_is_revoked_within_its_agency_only),
		cmocka_unit_test(
		    a_cloned_disk_is_noticed_and_becomes_an_agent_of_its_own),
		cmocka_unit_test(a_revoked_agent_has_no_clones),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
