#include "accounts/accounts.h"

#include <string.h>

#define COOKIE      "__Host-khien"
#define LANG_COOKIE "khien-lang"
#define COOKIE_AGE  (12 * 3600)       /* seconds; the session ends earlier */
#define LANG_AGE    (365 * 24 * 3600) /* seconds */

static const char locked_text[] =
    N_("Too many failures: the account is locked for a while.");

/* ---- pages ---- */

static void
signin_show(const struct http_req *rq, struct http_res *rs, int status,
    const char *fault)
{
	json_t *data = json_object();

	json_put_text(
	    data, "fault", span_of(fault == NULL ? "" : tr(rq, fault)));
	json_put_text(data, "given", http_form(rq, "login"));
	centre_page(rq, rs, status, "signin", N_("Sign in"), data);
}

static void
signin_page(const struct http_req *rq, struct http_res *rs)
{
	if (centre_session(rq) != NULL)
		http_send_redirect(rs, "/");
	else
		signin_show(rq, rs, 200, NULL);
}

static void
signin_do(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct errinfo ei = { 0 };
	struct org_signin in;
	enum err e = org_signin(c->store, c->clock, http_form(rq, "login"),
	    http_form(rq, "password"), rq->remote, &in, &ei);

	if (e == ERR_AUTH) {
		signin_show(rq, rs, 401, N_("Wrong login or password."));
	} else if (e == ERR_BUSY) {
		signin_show(rq, rs, 429, locked_text);
	} else if (e != OK) {
		centre_fail(rq, rs, &ei);
	} else {
		http_set_cookie(rs, COOKIE, in.token, COOKIE_AGE);
		http_send_redirect(
		    rs, in.session.must_change ? "/password" : "/");
	}
}

static void
signout_do(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct org_actor who = centre_actor(rq);
	struct errinfo ei = { 0 };

	if (!centre_form(rq, rs))
		return;
	if (org_signout(
		c->store, c->clock, http_cookie(rq, COOKIE), &who, &ei) != OK) {
		centre_fail(rq, rs, &ei);
		return;
	}
	http_set_cookie(rs, COOKIE, "", 0);
	http_send_redirect(rs, "/signin");
}

static void
password_show(const struct http_req *rq, struct http_res *rs, int status,
    const char *fault)
{
	const struct org_session *s = centre_session(rq);
	struct org_password_rules rules;
	struct errinfo ei = { 0 };
	json_t *data;

	if (org_password_rules(centre_of(rq)->store, &rules, &ei) != OK) {
		centre_fail(rq, rs, &ei);
		return;
	}
	data = json_object();
	json_put_text(
	    data, "fault", span_of(fault == NULL ? "" : tr(rq, fault)));
	json_put_int(data, "length", rules.length);
	json_put_int(data, "kinds", rules.kinds);
	json_put_bool(data, "must_change", s->must_change);
	centre_page(rq, rs, status, "password", N_("Change password"), data);
}

static void
password_page(const struct http_req *rq, struct http_res *rs)
{
	password_show(rq, rs, 200, NULL);
}

static void
password_do(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct span wanted = http_form(rq, "password");
	struct org_actor who = centre_actor(rq);
	struct errinfo ei = { 0 };
	enum err e;

	if (!centre_form(rq, rs))
		return;
	if (!span_eq(wanted, http_form(rq, "again"))) {
		password_show(rq, rs, 400, N_("The two new passwords differ."));
		return;
	}
	e = org_password_change(c->store, c->clock, http_cookie(rq, COOKIE),
	    http_form(rq, "current"), wanted, &who, &ei);
	if (e == OK)
		http_send_redirect(rs, "/");
	else if (e == ERR_BUSY)
		password_show(rq, rs, 429, locked_text);
	else if (strcmp(ei.field, "current") == 0)
		password_show(
		    rq, rs, 400, N_("The current password is wrong."));
	else if (strcmp(ei.field, "password") == 0)
		password_show(rq, rs, 400,
		    N_("The new password is the old one, or breaks the rule "
		       "below."));
	else
		centre_fail(rq, rs, &ei);
}

/* The page to go back to: a path of ours, nothing else. */
static const char *
way_back(const struct http_req *rq)
{
	struct span to = http_form(rq, "to");
	const char *path;

	if (to.len == 0 || to.ptr[0] != '/' || span_starts(to, "//"))
		return "/";
	for (size_t i = 0; i < to.len; i++) /* browsers drop tabs, turn '\\' */
		if (to.ptr[i] <= ' ' || to.ptr[i] > '~' || to.ptr[i] == '\\')
			return "/";
	path = arena_text(rq->arena, to);
	return path == NULL ? "/" : path;
}

static void
language_do(const struct http_req *rq, struct http_res *rs)
{
	bool en = span_is(http_form(rq, "lang"), "en");

	http_set_cookie(rs, LANG_COOKIE, en ? "en" : "vi", LANG_AGE);
	http_send_redirect(rs, way_back(rq));
}

/* ---- API ---- */

static void
session_create(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct span login, password;
	struct errinfo ei = { 0 };
	const json_t *body;
	struct org_signin in;
	json_t *answer;

	if (http_json_body(rq, &body, &ei) != OK ||
	    json_get_text(body, "login", ORG_LOGIN_MAX, &login, &ei) != OK ||
	    json_get_text(body, "password", 256, &password, &ei) != OK ||
	    org_signin(c->store, c->clock, login, password, rq->remote, &in,
		&ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	http_set_cookie(rs, COOKIE, in.token, COOKIE_AGE);
	answer = json_object();
	json_put_text(answer, "login", span_of(in.session.login));
	json_put_text(answer, "csrf", span_of(in.session.csrf));
	json_put_bool(answer, "must_change", in.session.must_change);
	http_send_json(rs, 201, answer);
}

static void
session_delete(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct org_actor who = centre_actor(rq);
	struct errinfo ei = { 0 };

	if (!centre_form(rq, rs))
		return;
	if (org_signout(
		c->store, c->clock, http_cookie(rq, COOKIE), &who, &ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	http_send_json(rs, 200, json_object());
}

static void
password_put(const struct http_req *rq, struct http_res *rs)
{
	const struct centre *c = centre_of(rq);
	struct org_actor who = centre_actor(rq);
	struct span current, wanted;
	struct errinfo ei = { 0 };
	const json_t *body;

	if (!centre_form(rq, rs))
		return;
	if (http_json_body(rq, &body, &ei) != OK ||
	    json_get_text(body, "current", 256, &current, &ei) != OK ||
	    json_get_text(body, "password", 256, &wanted, &ei) != OK ||
	    org_password_change(c->store, c->clock, http_cookie(rq, COOKIE),
		current, wanted, &who, &ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	http_send_json(rs, 200, json_object());
}

static const struct route routes[] = {
	{ "GET", "/signin", "public", signin_page, 0 },
	{ "POST", "/signin", "public", signin_do, 4096 },
	{ "POST", "/language", "public", language_do, 4096 },
	{ "POST", "/signout", "own", signout_do, 4096 },
	{ "GET", "/password", "own", password_page, 0 },
	{ "POST", "/password", "own", password_do, 4096 },
	{ "POST", "/api/v1/session", "public", session_create, 4096 },
	{ "DELETE", "/api/v1/session", "own", session_delete, 4096 },
	{ "PUT", "/api/v1/password", "own", password_put, 4096 },
	{ 0 },
};

const struct module accounts_module = { .name = "accounts",
	.routes = { routes } };
