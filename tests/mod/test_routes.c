/* Every door of the centre, over a real connection: who may pass, and with
 * what. */

#include "agent.h"
#include "http/wire.h"

#define LOGIN  "quantri"
#define FIRST  "JH2KM-9XWQP-3RTFA-7CDNB-LUYE4"
#define SECOND "Khien-dung-vung-2026!"

struct house {
	struct test_centre t;
	struct http_server *srv;
	const struct route *tables[16];
	char cookie[128], csrf[64]; /* of who signed in */
};

static void
open_house(struct house *h, void **state)
{
	struct http_server_options opt = { .address = "127.0.0.1",
		.handler_threads = 2,
		.tables = h->tables,
		.authorise = centre_authorise,
		.fail_page = centre_fail_page };
	struct errinfo ei = { 0 };
	size_t n = 0;

	test_centre_open(&h->t, *state, TEST_NOW);
	for (size_t i = 0; h->t.c.modules[i] != NULL; i++)
		for (size_t k = 0; h->t.c.modules[i]->routes[k] != NULL; k++)
			h->tables[n++] = h->t.c.modules[i]->routes[k];
	h->tables[n] = NULL;
	opt.cert_pem = buf_view(&h->t.server_cert);
	opt.key_pem = buf_view(&h->t.server_key);
	opt.client_ca_pem = h->t.c.ca_cert;
	opt.app = &h->t.c;
	h->cookie[0] = h->csrf[0] = '\0';
	assert_ok(
	    org_account_add(h->t.c.store, h->t.c.clock, LOGIN, FIRST, &ei));
	assert_ok(http_server_start(&opt, &h->srv, &ei));
}

static void
close_house(struct house *h)
{
	http_server_stop(h->srv);
	test_centre_close(&h->t);
}

/* ---- asking ---- */

struct ask {
	const char *method, *path, *type, *body, *extra; /* NULL for none */
	bool csrf;
};

/* The response, in the arena; with the house's cookie, if there is one. */
static const char *
ask(struct house *h, struct ask q)
{
	const char *body = q.body == NULL ? "" : q.body, *text;
	struct wire *w = NULL;

	text = arena_fmt(h->t.arena,
	    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	    "Content-Type: %s\r\nContent-Length: %zu\r\n%s%s%s%s%s%s%s\r\n%s",
	    q.method, q.path, q.type == NULL ? "application/json" : q.type,
	    strlen(body), h->cookie[0] ? "Cookie: " : "", h->cookie,
	    h->cookie[0] ? "\r\n" : "", q.csrf ? "X-CSRF-Token: " : "",
	    q.csrf ? h->csrf : "", q.csrf ? "\r\n" : "",
	    q.extra == NULL ? "" : q.extra, body);
	assert_non_null(text);
	text = arena_text(
	    h->t.arena, span_of(wire_ask(&w, http_server_port(h->srv), text)));
	wire_close(w);
	return text;
}

static int
status(struct house *h, struct ask q)
{
	return status_of(ask(h, q));
}

static void
sign_in(struct house *h, const char *password)
{
	const char *r = ask(h,
	    (struct ask){ "POST", "/api/v1/session", NULL,
		arena_fmt(h->t.arena, "{\"login\":\"%s\",\"password\":\"%s\"}",
		    LOGIN, password),
		NULL, false });
	const char *cookie = strstr(r, "__Host-khien=");
	const char *csrf = strstr(r, "\"csrf\":\"");

	assert_int_equal(status_of(r), 201);
	assert_non_null(cookie);
	assert_non_null(csrf);
	(void)snprintf(h->cookie, sizeof(h->cookie), "%.*s",
	    (int)strcspn(cookie, ";"), cookie);
	csrf += 8;
	(void)snprintf(
	    h->csrf, sizeof(h->csrf), "%.*s", (int)strcspn(csrf, "\""), csrf);
}

static void
come_in(struct house *h)
{
	sign_in(h, FIRST);
	assert_int_equal(
	    status(h,
		(struct ask){ "PUT", "/api/v1/password", NULL,
		    "{\"current\":\"" FIRST "\",\"password\":\"" SECOND "\"}",
		    NULL, true }),
	    200);
}

/* The pattern with something in place of each {parameter}. */
static const char *
real_path(struct house *h, const char *pattern)
{
	struct buf b = buf_make(4096);
	const char *text;

	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '{') {
			buf_char(&b, *pattern);
			continue;
		}
		buf_text(&b, "018f0000-0000-7000-8000-000000000001");
		pattern = strchr(pattern, '}');
		assert_non_null(pattern);
	}
	text = arena_text(h->t.arena, buf_view(&b));
	buf_free(&b);
	return text;
}

typedef void visit_fn(struct house *h, const struct route *r);

static void
each_route(struct house *h, visit_fn *visit)
{
	for (size_t i = 0; h->tables[i] != NULL; i++)
		for (const struct route *r = h->tables[i]; r->method; r++)
			visit(h, r);
}

static bool
changes(const struct route *r)
{
	return strcmp(r->method, "GET") != 0;
}

static bool
is(const struct route *r, const char *permission)
{
	return strcmp(r->permission, permission) == 0;
}

/* ---- permissions ---- */

/* Doors that anybody may use: no others may be added by mistake. */
static const char *const public_doors[] = { "GET /signin", "POST /signin",
	"POST /language", "POST /api/v1/session", "GET /api/v1/ca",
	"POST /api/v1/enrol" };

static void
check_permission(struct house *h, const struct route *r)
{
	const char *door =
	    arena_fmt(h->t.arena, "%s %s", r->method, r->pattern);
	bool listed = false;

	TEST_CASE(door);
	assert_non_null(r->permission);
	assert_non_null(r->handler);
	for (size_t i = 0; i < COUNT(public_doors); i++)
		listed = listed || strcmp(public_doors[i], door) == 0;
	assert_int_equal(is(r, "public"), listed);
	if (!is(r, "public") && !is(r, "agent") && !is(r, "own")) {
		assert_non_null(strchr(r->permission, '.'));
		/* what only reads changes nothing, and the other way round */
		assert_int_equal(
		    changes(r), strstr(r->permission, ".read") == NULL);
	}
}

static void
every_door_names_its_permission(void **state)
{
	struct house h;

	open_house(&h, state);
	each_route(&h, check_permission);
	close_house(&h);
}

static void
check_stranger(struct house *h, const struct route *r)
{
	const char *path = real_path(h, r->pattern), *answer;
	bool page = strncmp(path, "/api/", 5) != 0 && !changes(r);

	if (is(r, "public"))
		return;
	TEST_CASE(path);
	answer =
	    ask(h, (struct ask){ r->method, path, NULL, NULL, NULL, false });
	assert_int_equal(status_of(answer), page ? 303 : 401);
	if (page)
		assert_non_null(strstr(answer, "/signin"));
}

static void
a_stranger_passes_no_other_door(void **state)
{
	struct house h;

	open_house(&h, state);
	each_route(&h, check_stranger);
	(void)snprintf(h.cookie, sizeof(h.cookie), "__Host-khien=%s",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	each_route(&h, check_stranger);
	close_house(&h);
}

static void
check_first_password(struct house *h, const struct route *r)
{
	const char *path = real_path(h, r->pattern);
	bool page = strncmp(path, "/api/", 5) != 0;

	if (is(r, "public") || is(r, "agent") || is(r, "own"))
		return;
	TEST_CASE(path);
	assert_int_equal(
	    status(h, (struct ask){ r->method, path, NULL, NULL, NULL, true }),
	    page ? 303 : 403);
}

static void
the_first_password_opens_only_its_own_change(void **state)
{
	struct house h;

	open_house(&h, state);
	sign_in(&h, FIRST);
	each_route(&h, check_first_password);
	come_in(&h);
	assert_int_equal(
	    status(&h, (struct ask){ "GET", "/api/v1/agencies" }), 200);
	close_house(&h);
}

static void
check_agent_door(struct house *h, const struct route *r)
{
	if (!is(r, "agent"))
		return;
	TEST_CASE(r->pattern);
	assert_int_equal(status(h,
			     (struct ask){ r->method, real_path(h, r->pattern),
				 NULL, "{}", NULL, true }),
	    401);
}

static void
a_session_is_no_agent(void **state)
{
	struct house h;

	open_house(&h, state);
	come_in(&h);
	each_route(&h, check_agent_door);
	close_house(&h);
}

/* ---- forged requests ---- */

#define FORM "application/x-www-form-urlencoded"

static void
check_forged(struct house *h, const struct route *r)
{
	const char *path = real_path(h, r->pattern);
	struct ask q = { r->method, path, FORM,
		"csrf=" /* a guess */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		"AAAAAAAAAAAAAA",
		NULL, false };

	if (!changes(r) || is(r, "public") || is(r, "agent"))
		return;
	TEST_CASE(path);
	assert_int_equal(status(h, q), 403);
	q.body = NULL;
	assert_int_equal(status(h, q), 403);
	q.csrf = true;
	q.extra = "Sec-Fetch-Site: cross-site\r\n";
	assert_int_equal(status(h, q), 403);
}

static void
every_change_needs_the_session_s_own_token(void **state)
{
	struct house h;

	open_house(&h, state);
	come_in(&h);
	each_route(&h, check_forged);
	assert_int_equal(
	    status(&h, (struct ask){ "GET", "/api/v1/agencies" }), 200);
	close_house(&h);
}

static void
a_token_of_another_session_does_not_do(void **state)
{
	struct house h;
	char other[64];

	open_house(&h, state);
	come_in(&h);
	memcpy(other, h.csrf, sizeof(other));
	sign_in(&h, SECOND);
	memcpy(h.csrf, other, sizeof(other));
	assert_int_equal(status(&h,
			     (struct ask){ "DELETE", "/api/v1/session", NULL,
				 NULL, NULL, true }),
	    403);
	close_house(&h);
}

static void
a_sign_in_from_another_site_is_refused(void **state)
{
	struct house h;

	open_house(&h, state);
	assert_int_equal(status(&h,
			     (struct ask){ "POST", "/signin", FORM,
				 "login=" LOGIN "&password=" FIRST,
				 "Sec-Fetch-Site: cross-site\r\n", false }),
	    403);
	close_house(&h);
}

/* ---- pages ---- */

static void
check_page(struct house *h, const struct route *r)
{
	const char *answer;

	if (changes(r) || is(r, "agent") || strchr(r->pattern, '{') != NULL)
		return;
	TEST_CASE(r->pattern);
	answer = ask(h, (struct ask){ "GET", r->pattern });
	assert_int_equal(
	    status_of(answer), strcmp(r->pattern, "/signin") == 0 ? 303 : 200);
	assert_non_null(strstr(answer, "Content-Security-Policy"));
}

static void
every_page_opens_for_who_may(void **state)
{
	struct house h;

	open_house(&h, state);
	(void)test_agency(&h.t, "T", "");
	come_in(&h);
	each_route(&h, check_page);
	close_house(&h);
}

static void
signing_in_by_form_tells_nothing_of_the_login(void **state)
{
	struct house h;
	const char *known, *unknown;

	open_house(&h, state);
	known = ask(&h,
	    (struct ask){ "POST", "/signin", FORM, "login=" LOGIN "&password=x",
		NULL, false });
	unknown = ask(&h,
	    (struct ask){ "POST", "/signin", FORM, "login=nguoila&password=x",
		NULL, false });
	assert_int_equal(status_of(known), 401);
	assert_int_equal(status_of(unknown), 401);
	assert_null(strstr(known, "__Host-khien="));
	assert_null(strstr(unknown, "__Host-khien="));
	close_house(&h);
}

static void
the_way_back_leads_nowhere_else(void **state)
{
	static const struct {
		const char *body, *to;
	} cases[] = {
		{ "lang=en&to=/computers", "\r\nLocation: /computers\r\n" },
		{ "lang=en&to=https://example.org/", "\r\nLocation: /\r\n" },
		{ "lang=en&to=//example.org/", "\r\nLocation: /\r\n" },
		{ "lang=en&to=/%5Cexample.org", "\r\nLocation: /\r\n" },
		{ "lang=en&to=/%09/example.org", "\r\nLocation: /\r\n" },
		{ "lang=en", "\r\nLocation: /\r\n" },
	};
	struct house h;

	open_house(&h, state);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *answer = ask(&h,
		    (struct ask){ "POST", "/language", FORM, cases[i].body,
			NULL, false });

		TEST_CASE(cases[i].body);
		assert_int_equal(status_of(answer), 303);
		assert_non_null(strstr(answer, cases[i].to));
	}
	close_house(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_door_names_its_permission),
		cmocka_unit_test(a_stranger_passes_no_other_door),
		cmocka_unit_test(the_first_password_opens_only_its_own_change),
		cmocka_unit_test(a_session_is_no_agent),
		cmocka_unit_test(every_change_needs_the_session_s_own_token),
		cmocka_unit_test(a_token_of_another_session_does_not_do),
		cmocka_unit_test(a_sign_in_from_another_site_is_refused),
		cmocka_unit_test(every_page_opens_for_who_may),
		cmocka_unit_test(signing_in_by_form_tells_nothing_of_the_login),
		cmocka_unit_test(the_way_back_leads_nowhere_else),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
