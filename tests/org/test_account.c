/* Accounts: first password, lock-out, sessions, password rules. */

#include "support/centre.h"

#define LOGIN  "quantri"
#define FIRST  "JH2KM-9XWQP-3RTFA-7CDNB-LUYE4"
#define SECOND "Khien-dung-vung-2026!"

#define MINUTE INT64_C(60000)

static void
open_with_account(struct test_centre *t, void **state)
{
	struct errinfo ei = { 0 };

	test_centre_open(t, *state, TEST_NOW);
	assert_ok(org_account_add(t->c.store, t->c.clock, LOGIN, FIRST, &ei));
}

static enum err
sign_in(struct test_centre *t, const char *login, const char *password,
    struct org_signin *out, struct errinfo *ei)
{
	return org_signin(t->c.store, t->c.clock, span_of(login),
	    span_of(password), "192.0.2.1", out, ei);
}

static struct org_signin
signed_in(struct test_centre *t, const char *password)
{
	struct org_signin in;
	struct errinfo ei = { 0 };

	assert_ok(sign_in(t, LOGIN, password, &in, &ei));
	return in;
}

static enum err
find(struct test_centre *t, const struct org_signin *in)
{
	struct org_session s;

	return org_session_find(t->c.store, t->c.clock, in->token, &s, NULL);
}

static enum err
change(struct test_centre *t, const struct org_signin *in, const char *current,
    const char *wanted, struct errinfo *ei)
{
	struct org_actor who = { in->session.account, LOGIN, "" };

	return org_password_change(t->c.store, t->c.clock, in->token,
	    span_of(current), span_of(wanted), &who, ei);
}

static void
the_first_password_must_be_changed_and_then_not_again(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	in = signed_in(&t, FIRST);
	assert_true(in.session.must_change);
	assert_ok(change(&t, &in, FIRST, SECOND, &ei));
	assert_false(signed_in(&t, SECOND).session.must_change);
	assert_err(sign_in(&t, LOGIN, FIRST, &in, &ei), ERR_AUTH);
	assert_int_equal(test_audited(t.c.store, "account.add"), 1);
	assert_int_equal(test_audited(t.c.store, "account.password"), 1);
	test_centre_close(&t);
}

static void
a_login_is_taken_once(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	assert_false(org_account_any(t.c.store));
	assert_ok(org_account_add(t.c.store, t.c.clock, LOGIN, FIRST, &ei));
	assert_true(org_account_any(t.c.store));
	assert_err(org_account_add(t.c.store, t.c.clock, LOGIN, SECOND, &ei),
	    ERR_EXISTS);
	assert_err(
	    org_account_add(t.c.store, t.c.clock, "", FIRST, &ei), ERR_LIMIT);
	assert_int_equal(test_audited(t.c.store, "account.add"), 1);
	test_centre_close(&t);
}

static void
neither_password_nor_token_is_stored(void **state)
{
	struct test_centre t;
	struct org_signin in;

	open_with_account(&t, state);
	in = signed_in(&t, FIRST);
	assert_int_equal(test_number(t.c.store,
			     "SELECT count(*) FROM accounts WHERE password"
			     " LIKE 'scrypt$15$8$1$%' AND password NOT LIKE"
			     " '%JH2KM%'"),
	    1);
	assert_int_equal(strlen(in.token), ORG_SECRET_TEXT - 1);
	assert_int_equal(test_number(t.c.store,
			     "SELECT count(*) FROM sessions"
			     " WHERE length(token_hash) = 32"),
	    1);
	assert_int_equal(test_number(t.c.store,
			     "SELECT count(*) FROM audit WHERE detail LIKE"
			     " '%JH2KM%' OR object LIKE '%JH2KM%'"),
	    0);
	test_centre_close(&t);
}

/* ---- lock-out ---- */

static void
fail_times(struct test_centre *t, const char *login, int times)
{
	struct errinfo ei = { 0 };
	struct org_signin in;

	for (int i = 0; i < times; i++)
		assert_err(sign_in(t, login, "wrong", &in, &ei), ERR_AUTH);
}

static void
too_many_failures_lock_the_account_for_a_while(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	fail_times(&t, LOGIN, 5);
	assert_err(sign_in(&t, LOGIN, FIRST, &in, &ei), ERR_BUSY);
	t.clock.set_utc_ms += 15 * MINUTE - 1;
	assert_err(sign_in(&t, LOGIN, FIRST, &in, &ei), ERR_BUSY);
	t.clock.set_utc_ms += 1;
	assert_ok(sign_in(&t, LOGIN, FIRST, &in, &ei));
	assert_int_equal(test_audited(t.c.store, "signin.failed"), 5);
	assert_int_equal(test_audited(t.c.store, "signin.locked"), 2);
	assert_int_equal(test_audited(t.c.store, "signin"), 1);
	test_centre_close(&t);
}

static void
a_good_sign_in_forgives_the_failures_before(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	test_setting(&t, "accounts.failures", 3);
	fail_times(&t, LOGIN, 2);
	assert_ok(sign_in(&t, LOGIN, FIRST, &in, &ei));
	fail_times(&t, LOGIN, 2);
	assert_ok(sign_in(&t, LOGIN, FIRST, &in, &ei));
	test_centre_close(&t);
}

static void
a_lost_password_is_replaced_and_everything_of_the_old_one_ends(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin old, in;

	open_with_account(&t, state);
	old = signed_in(&t, FIRST);
	assert_ok(change(&t, &old, FIRST, SECOND, &ei));
	fail_times(&t, LOGIN, 5);
	assert_ok(org_password_reset(
	    t.c.store, t.c.clock, LOGIN, "a-random-one", &ei));
	assert_err(find(&t, &old), ERR_AUTH);
	assert_err(sign_in(&t, LOGIN, SECOND, &in, &ei), ERR_AUTH);
	in = signed_in(&t, "a-random-one");
	assert_true(in.session.must_change);
	assert_int_equal(test_audited(t.c.store, "password.reset"), 1);
	assert_err(org_password_reset(
		       t.c.store, t.c.clock, "nobody", "a-random-one", &ei),
	    ERR_NOT_FOUND);
	assert_int_equal(test_audited(t.c.store, "password.reset"), 1);
	test_centre_close(&t);
}

/* What an unknown login is answered is what a known one is answered. */
static void
nobody_learns_which_logins_there_are(void **state)
{
	struct test_centre t;
	struct errinfo known = { 0 }, unknown = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	for (int i = 0; i < 7; i++) {
		enum err a = sign_in(&t, LOGIN, "wrong", &in, &known);
		enum err b = sign_in(&t, "nobody", "wrong", &in, &unknown);

		assert_int_equal(a, b);
		assert_string_equal(known.msg, unknown.msg);
		assert_string_equal(known.field, unknown.field);
	}
	assert_int_equal(known.code, ERR_BUSY);
	test_centre_close(&t);
}

static void
what_strangers_typed_is_forgotten(void **state)
{
	struct test_centre t;

	open_with_account(&t, state);
	fail_times(&t, "nobody", 1);
	t.clock.set_utc_ms += 2 * DAY_MS;
	fail_times(&t, "another", 1);
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM signin_failures"), 1);
	test_centre_close(&t);
}

static void
a_lock_made_while_the_clock_was_wrong_does_not_last(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	t.clock.set_utc_ms += 400 * DAY_MS;
	fail_times(&t, LOGIN, 5);
	t.clock.set_utc_ms = TEST_NOW;
	assert_ok(sign_in(&t, LOGIN, FIRST, &in, &ei));
	test_centre_close(&t);
}

static void
hostile_logins_are_only_wrong(void **state)
{
	static const struct span logins[] = { { "", 0 }, { "a\0b", 3 },
		{ "\xff\xfe", 2 }, { "' OR 1=1 --", 11 } };
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;
	char longer[ORG_LOGIN_MAX + 1];

	open_with_account(&t, state);
	for (size_t i = 0; i < COUNT(logins); i++)
		assert_err(org_signin(t.c.store, t.c.clock, logins[i],
			       SPAN(FIRST), "", &in, &ei),
		    ERR_AUTH);
	memset(longer, 'a', sizeof(longer));
	assert_err(org_signin(t.c.store, t.c.clock,
		       (struct span){ longer, ORG_LOGIN_MAX }, SPAN(FIRST), "",
		       &in, &ei),
	    ERR_AUTH);
	test_centre_close(&t);
}

/* ---- sessions ---- */

static void
an_idle_session_ends(void **state)
{
	struct test_centre t;
	struct org_signin in;

	open_with_account(&t, state);
	in = signed_in(&t, FIRST);
	for (int i = 0; i < 4; i++) { /* used again and again: it lives on */
		t.clock.set_utc_ms += 14 * MINUTE;
		assert_err(find(&t, &in), OK);
	}
	t.clock.set_utc_ms += 15 * MINUTE;
	assert_err(find(&t, &in), ERR_AUTH);
	test_centre_close(&t);
}

static void
a_session_ends_after_its_hours_however_busy(void **state)
{
	struct test_centre t;
	struct org_signin in;

	open_with_account(&t, state);
	in = signed_in(&t, FIRST);
	for (int m = 0; m < 12 * 60 - 10; m += 10) {
		t.clock.set_utc_ms += 10 * MINUTE;
		assert_err(find(&t, &in), OK);
	}
	t.clock.set_utc_ms += 10 * MINUTE;
	assert_err(find(&t, &in), ERR_AUTH);
	(void)signed_in(&t, FIRST);
	assert_int_equal(
	    test_number(t.c.store, "SELECT count(*) FROM sessions"), 1);
	test_centre_close(&t);
}

static void
a_session_of_a_clock_that_was_ahead_is_none(void **state)
{
	struct test_centre t;
	struct org_signin in;

	open_with_account(&t, state);
	t.clock.set_utc_ms += 400 * DAY_MS;
	in = signed_in(&t, FIRST);
	t.clock.set_utc_ms = TEST_NOW;
	assert_err(find(&t, &in), ERR_AUTH);
	test_centre_close(&t);
}

static void
signing_out_ends_this_session_alone(void **state)
{
	struct test_centre t;
	struct org_signin one, two;
	struct errinfo ei = { 0 };

	open_with_account(&t, state);
	one = signed_in(&t, FIRST);
	two = signed_in(&t, FIRST);
	assert_string_not_equal(one.token, two.token);
	assert_string_not_equal(one.session.csrf, two.session.csrf);
	assert_ok(org_signout(t.c.store, t.c.clock, one.token,
	    &(struct org_actor){ one.session.account, LOGIN, "" }, &ei));
	assert_err(find(&t, &one), ERR_AUTH);
	assert_err(find(&t, &two), OK);
	assert_int_equal(test_audited(t.c.store, "signout"), 1);
	test_centre_close(&t);
}

static void
a_new_password_ends_every_other_session(void **state)
{
	struct test_centre t;
	struct org_signin one, two;
	struct errinfo ei = { 0 };

	open_with_account(&t, state);
	one = signed_in(&t, FIRST);
	two = signed_in(&t, FIRST);
	assert_ok(change(&t, &one, FIRST, SECOND, &ei));
	assert_err(find(&t, &one), OK);
	assert_err(find(&t, &two), ERR_AUTH);
	test_centre_close(&t);
}

static void
a_token_that_is_not_one_is_refused(void **state)
{
	static const char *const tokens[] = { NULL, "", "A",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	struct test_centre t;
	struct org_session s;

	open_with_account(&t, state);
	(void)signed_in(&t, FIRST);
	for (size_t i = 0; i < COUNT(tokens); i++)
		assert_err(
		    org_session_find(t.c.store, t.c.clock, tokens[i], &s, NULL),
		    ERR_AUTH);
	test_centre_close(&t);
}

/* ---- rules ---- */

static void
a_weak_password_is_refused_by_its_rule(void **state)
{
	static const struct {
		const char *current, *wanted, *field;
		enum err want;
	} cases[] = {
		{ "wrong", SECOND, "current", ERR_AUTH },
		{ FIRST, "Short-1", "password", ERR_SYNTAX },
		{ FIRST, "alllowercaseletters", "password", ERR_SYNTAX },
		{ FIRST, "NoDigitsAtAll-Here", "password", ERR_SYNTAX },
		{ FIRST, "NoSigns1234567890", "password", ERR_SYNTAX },
		{ FIRST, FIRST, "password", ERR_SYNTAX },
		/* 13 characters, though 19 bytes */
		{ FIRST, "Mậtkhẩu-2026!", "password", ERR_SYNTAX },
		{ FIRST, "Bad\xff-Utf8-2026-x!", "password", ERR_LIMIT },
		{ FIRST, "Mậtkhẩu-2026!x", "", OK },
	};
	struct test_centre t;
	struct org_signin in;

	open_with_account(&t, state);
	in = signed_in(&t, FIRST);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };

		TEST_CASE(cases[i].wanted);
		assert_err(
		    change(&t, &in, cases[i].current, cases[i].wanted, &ei),
		    cases[i].want);
		assert_string_equal(ei.field, cases[i].field);
	}
	assert_int_equal(test_audited(t.c.store, "account.password"), 1);
	test_centre_close(&t);
}

static void
guessing_the_current_password_locks_as_well(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	test_setting(&t, "accounts.failures", 3);
	in = signed_in(&t, FIRST);
	for (int i = 0; i < 3; i++)
		assert_err(change(&t, &in, "guess", SECOND, &ei), ERR_AUTH);
	assert_err(change(&t, &in, FIRST, SECOND, &ei), ERR_BUSY);
	assert_err(sign_in(&t, LOGIN, FIRST, &in, &ei), ERR_BUSY);
	assert_int_equal(test_audited(t.c.store, "account.password.failed"), 3);
	assert_int_equal(test_audited(t.c.store, "account.password"), 0);
	test_centre_close(&t);
}

static void
the_rules_are_settings(void **state)
{
	struct test_centre t;
	struct errinfo ei = { 0 };
	struct org_signin in;

	open_with_account(&t, state);
	test_setting(&t, "accounts.password_length", 8);
	test_setting(&t, "accounts.password_kinds", 2);
	in = signed_in(&t, FIRST);
	assert_err(change(&t, &in, FIRST, "seven-7", &ei), ERR_SYNTAX);
	assert_ok(change(&t, &in, FIRST, "eight888", &ei));
	test_centre_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_first_password_must_be_changed_and_then_not_again),
		cmocka_unit_test(a_login_is_taken_once),
		cmocka_unit_test(neither_password_nor_token_is_stored),
		cmocka_unit_test(
		    too_many_failures_lock_the_account_for_a_while),
		cmocka_unit_test(a_good_sign_in_forgives_the_failures_before),
		cmocka_unit_test(
		    a_lost_password_is_replaced_and_everything_of_the_old_one_ends),
		cmocka_unit_test(nobody_learns_which_logins_there_are),
		cmocka_unit_test(what_strangers_typed_is_forgotten),
		cmocka_unit_test(
		    a_lock_made_while_the_clock_was_wrong_does_not_last),
		cmocka_unit_test(hostile_logins_are_only_wrong),
		cmocka_unit_test(an_idle_session_ends),
		cmocka_unit_test(a_session_ends_after_its_hours_however_busy),
		cmocka_unit_test(a_session_of_a_clock_that_was_ahead_is_none),
		cmocka_unit_test(signing_out_ends_this_session_alone),
		cmocka_unit_test(a_new_password_ends_every_other_session),
		cmocka_unit_test(a_token_that_is_not_one_is_refused),
		cmocka_unit_test(a_weak_password_is_refused_by_its_rule),
		cmocka_unit_test(guessing_the_current_password_locks_as_well),
		cmocka_unit_test(the_rules_are_settings),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
