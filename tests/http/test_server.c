/* The server over real TLS, asked by a peer that keeps to no rule. */

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "http/assets.h"
#include "wire.h"

/* ---- a server ---- */

static struct authority authority;
static struct http_server *server;
static uint16_t port;
static atomic_int asked, handled; /* authorise; the handler of /count */

static enum err
authorise(struct http_req *rq, struct errinfo *ei)
{
	(void)atomic_fetch_add(&asked, 1);
	if (strcmp(rq->route->permission, "nobody") == 0)
		return err_set(ei, ERR_DENIED, "nobody may");
	return OK;
}

static void
hello(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	http_send_bytes(rs, 200, "text/plain", SPAN("hello"));
}

static void
count(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	(void)atomic_fetch_add(&handled, 1);
	http_send_bytes(rs, 200, "text/plain", SPAN("counted"));
}

static void
echo(const struct http_req *rq, struct http_res *rs)
{
	json_t *o = json_object();

	json_put_text(o, "x", http_query(rq, "x"));
	json_put_text(o, "field", http_form(rq, "field"));
	json_put_text(o, "param", rq->params[0]);
	json_put_int(o, "body", (int64_t)rq->body.len);
	http_send_json(rs, 200, o);
}

static void
who(const struct http_req *rq, struct http_res *rs)
{
	struct cert_info info = { .common_name = "nobody" };
	struct errinfo ei = { 0 };

	if (rq->client_cert.len > 0 &&
	    cert_read_der(rq->client_cert, &info, &ei) != OK)
		(void)snprintf(
		    info.common_name, sizeof(info.common_name), "unreadable");
	http_send_bytes(rs, 200, "text/plain", span_of(info.common_name));
}

static void
slow(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	(void)usleep(700000);
	http_send_bytes(rs, 200, "text/plain", SPAN("done"));
}

static void
big(const struct http_req *rq, struct http_res *rs)
{
	struct span s = { arena_alloc(rq->arena, 1, 200000), 200000 };

	memset((void *)(uintptr_t)s.ptr, 'x', s.len);
	http_send_bytes(rs, 200, "text/plain", s);
}

static void
says_nothing(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	(void)rs;
}

static void
says_it_twice(const struct http_req *rq, struct http_res *rs)
{
	hello(rq, rs);
	hello(rq, rs);
}

static void
tells_a_secret(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };

	(void)err_set(&ei, ERR_CORRUPT, "the password is swordfish");
	http_fail(rq, rs, &ei);
}

static const struct route routes[] = {
	{ "GET", "/hello", "public", hello, 0 },
	{ "GET", "/count", "public", count, 0 },
	{ "POST", "/count", "public", count, 0 },
	{ "GET", "/echo", "public", echo, 0 },
	{ "GET", "/echo/{x}", "public", echo, 0 },
	{ "POST", "/echo", "public", echo, 1000 },
	{ "POST", "/large", "public", echo, 1u << 20 },
	{ "POST", "/api/v1/closed", "nobody", echo, 1u << 20 },
	{ "GET", "/who", "public", who, 0 },
	{ "GET", "/slow", "public", slow, 0 },
	{ "GET", "/big", "public", big, 0 },
	{ "GET", "/api/v1/nothing", "public", says_nothing, 0 },
	{ "GET", "/api/v1/twice", "public", says_it_twice, 0 },
	{ "GET", "/api/v1/secret", "public", tells_a_secret, 0 },
	{ 0 },
};
static const struct route *const tables[] = { routes, NULL };

static struct http_server *
start(int seconds, int connections)
{
	struct http_server_options opt = { .address = "127.0.0.1",
		.cert_pem = pem(&authority.server.cert),
		.key_pem = pem(&authority.server.key),
		.client_ca_pem = pem(&authority.ca.cert),
		.request_seconds = seconds,
		.connections_max = connections,
		.tables = tables,
		.authorise = authorise };
	struct http_server *srv = NULL;
	struct errinfo ei = { 0 };

	assert_ok(http_server_start(&opt, &srv, &ei));
	return srv;
}

static int
begin(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	authority_make(&authority);
	server = start(0, 0);
	port = http_server_port(server);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	http_server_stop(server);
	authority_free(&authority);
	return 0;
}

/* The status of one request on a connection of its own; 0 = closed. */
static int
status(const char *request)
{
	struct wire *w;
	int got = status_of(wire_ask(&w, port, request));

	wire_close(w);
	return got;
}

static void
assert_answer(const char *request, int want, const char *words)
{
	struct wire *w;
	const char *got = wire_ask(&w, port, request);

	TEST_CASE(request);
	assert_int_equal(status_of(got), want);
	if (words != NULL && strstr(got, words) == NULL)
		fail_msg("\"%s\" is not in:\n%s", words, got);
	wire_close(w);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(target, headers, body)                                            \
	"POST " target " HTTP/1.1\r\nHost: a\r\n" headers "\r\n" body

/* ---- ordinary requests ---- */

static void
requests_are_answered(void **state)
{
	(void)state;
	assert_answer(GET("/hello"), 200, "\r\n\r\nhello");
	assert_answer(GET("/echo?x=%c3%a1+b"), 200, "\"x\":\"\xc3\xa1 b\"");
	assert_answer(GET("/echo/a%20b"), 200, "\"param\":\"a b\"");
	assert_answer(POST("/echo",
			  "Content-Type: application/x-www-form-urlencoded\r\n"
			  "Content-Length: 9\r\n",
			  "field=a%26"),
	    400, NULL); /* the body is longer than it says: cut */
	assert_answer(POST("/echo",
			  "Content-Type: application/x-www-form-urlencoded\r\n"
			  "Content-Length: 10\r\n",
			  "field=a%26"),
	    200, "\"field\":\"a&\"");
	assert_answer(GET("/nowhere"), 404, "\"code\":\"not_found\"");
	assert_answer("PUT /hello HTTP/1.1\r\nHost: a\r\n"
		      "Content-Length: 0\r\n\r\n",
	    405, "Allow: GET");
}

static void
a_head_has_the_length_and_no_body(void **state)
{
	struct wire *w;
	const char *got =
	    wire_ask(&w, port, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)state;
	assert_int_equal(status_of(got), 200);
	assert_non_null(strstr(got, "Content-Length: 5\r\n"));
	assert_true(wire_send(w, GET("/hello"), strlen(GET("/hello"))));
	assert_int_equal(status_of(wire_response(w, false)), 200);
	wire_close(w);
}

static void
one_connection_serves_many_also_all_at_once(void **state)
{
	static const char three[] =
	    GET("/echo?x=1") GET("/echo?x=2") GET("/echo?x=3");
	struct wire *w = wire_open(port, NULL);

	(void)state;
	assert_true(wire_send(w, three, sizeof(three) - 1));
	for (int i = 1; i <= 3; i++) {
		char want[16];

		(void)snprintf(want, sizeof(want), "\"x\":\"%d\"", i);
		assert_non_null(strstr(wire_response(w, false), want));
	}
	wire_close(w);
}

/* ---- limits ---- */

static char *
padded(const char *format, size_t n)
{
	size_t size = n + 4096;
	char *pad = malloc(n + 1), *out = malloc(size);

	assert_true(pad != NULL && out != NULL);
	memset(pad, 'a', n);
	pad[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(out, size, format, pad);
#pragma GCC diagnostic pop
	free(pad);
	return out;
}

static void
what_is_too_long_is_refused(void **state)
{
	static const struct {
		const char *format;
		int want[2]; /* either */
	} cases[] = {
		{ "GET /echo?x=%s HTTP/1.1\r\nHost: a\r\n\r\n", { 414, 431 } },
		{ "GET /hello HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n",
		    { 431, 431 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *request = padded(cases[i].format, 100000);
		int got = status(request);

		assert_true(got == cases[i].want[0] || got == cases[i].want[1]);
		free(request);
	}
}

static void
a_body_has_the_limit_of_its_route(void **state)
{
	char *ok =
	    padded(POST("/echo", "Content-Length: 1000\r\n", "%s"), 1000);
	char *over =
	    padded(POST("/echo", "Content-Length: 1001\r\n", "%s"), 1001);
	char *large = padded(
	    POST("/large", "Content-Length: 1048576\r\n", "%s"), 1048576);

	(void)state;
	assert_int_equal(status(ok), 200);
	assert_int_equal(status(over), 413);
	assert_int_equal(status(large), 200);
	assert_int_equal(
	    status(POST("/large", "Content-Length: 99999999999999\r\n", "")),
	    413);
	free(ok);
	free(over);
	free(large);
}

/* ---- requests that proxies and servers read differently (RFC 9112) ---- */

static void
a_length_that_is_not_clear_is_refused(void **state)
{
	static const char *const bad[] = {
		POST("/count", "Content-Length: 5\r\nContent-Length: 6\r\n",
		    "hello!"),
		POST("/count", "Content-Length: 5, 5\r\n", "hello"),
		POST("/count", "Content-Length: -1\r\n", ""),
		POST("/count", "Content-Length: +5\r\n", "hello"),
		POST("/count", "Content-Length: 0x5\r\n", "hello"),
		POST("/count", "Content-Length: 5 \r\nContent-Length:\r\n",
		    "hello"),
		POST("/count", "Content-Length: 18446744073709551617\r\n", ""),
		POST("/count", "Transfer-Encoding: chunked\r\n",
		    "5\r\nhello\r\n0\r\n\r\n"),
		POST("/count",
		    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
		    "0\r\n\r\n"),
		POST("/count", "Transfer-Encoding: gzip, chunked\r\n",
		    "0\r\n\r\n"),
		POST("/count", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
		POST("/count", "Transfer-Encoding: xchunked\r\n", "x"),
		POST("/count", "X: y\r\n Content-Length: 5\r\n", "hello"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		int before = atomic_load(&handled), got;
		struct wire *w;
		const char *answer;

		TEST_CASE(bad[i]);
		answer = wire_ask(&w, port, bad[i]);
		got = status_of(answer);
		if (got < 400 && got != 0)
			fail_msg("answered:\n%s", answer);
		/* nothing that was smuggled behind it is answered */
		(void)wire_send(w, GET("/count"), strlen(GET("/count")));
		(void)wire_response(w, false);
		if (got == 0)
			assert_int_equal(atomic_load(&handled), before);
		wire_close(w);
	}
}

static void
what_is_no_request_is_refused(void **state)
{
	static const char *const bad[] = { "GET /count\r\n\r\n",
		"GET /count HTTP/1.1\r\n\r\n", /* no Host */
		"GET\x01/count HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /count HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET count HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /../count HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%2e%2e/count HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /echo?x=%ff HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x01 nonsense\r\n\r\n", "\r\n\r\n\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		int before = atomic_load(&handled);
		struct wire *w = wire_open(port, NULL);
		int got;

		TEST_CASE(bad[i]);
		assert_true(wire_send(w, bad[i], strlen(bad[i])));
		(void)wire_send(w, "\r\n", 2);
		if (i + 1 == COUNT(bad)) { /* blank lines wait for a request */
			wire_close(w);
			break;
		}
		got = status_of(wire_response(w, false));
		if (got != 0 && (got < 400 || got > 505))
			fail_msg("status %d", got);
		assert_int_equal(atomic_load(&handled), before);
		wire_close(w);
	}
	assert_answer(GET("/hello"), 200, NULL); /* and goes on serving */
}

/* ---- permission ---- */

static void
who_may_not_is_told_before_the_body(void **state)
{
	struct wire *w;
	const char *got = wire_ask(&w, port,
	    POST("/api/v1/closed",
		"Content-Length: 500000\r\nExpect: 100-continue\r\n", ""));

	(void)state;
	assert_int_equal(status_of(got), 403);
	assert_non_null(strstr(got, "\"code\":\"denied\""));
	wire_close(w);
	got = wire_ask(&w, port,
	    POST(
		"/large", "Content-Length: 5\r\nExpect: 100-continue\r\n", ""));
	assert_int_equal(status_of(got), 100);
	assert_true(wire_send(w, "hello", 5));
	assert_int_equal(status_of(wire_response(w, false)), 200);
	wire_close(w);
}

static void
unknown_paths_ask_nobody(void **state)
{
	int before = atomic_load(&asked);

	(void)state;
	assert_int_equal(status(GET("/api/v1/nowhere")), 404);
	assert_int_equal(
	    status(POST("/hello", "Content-Length: 0\r\n", "")), 405);
	assert_int_equal(atomic_load(&asked), before);
	assert_int_equal(status(GET("/hello")), 200);
	assert_int_equal(atomic_load(&asked), before + 1);
}

/* ---- certificates ---- */

static const char *
name_of(struct wire *w)
{
	assert_true(wire_send(w, GET("/who"), strlen(GET("/who"))));
	return strstr(wire_response(w, false), "\r\n\r\n") + 4;
}

static void
a_certificate_is_known_or_refused(void **state)
{
	struct authority other;
	const struct identity *bad[2];
	struct wire *w;

	(void)state;
	authority_make(&other);
	bad[0] = &other.client;
	bad[1] = &authority.expired;
	w = wire_open(port, NULL);
	assert_string_equal(name_of(w), "nobody");
	wire_close(w);
	w = wire_open(port, &authority.client);
	assert_string_equal(name_of(w), "agent-7");
	assert_string_equal(name_of(w), "agent-7"); /* and the next time */
	wire_close(w);
	for (size_t i = 0; i < COUNT(bad); i++) {
		w = wire_open(port, bad[i]);
		if (w == NULL)
			continue;
		(void)wire_send(w, GET("/who"), strlen(GET("/who")));
		assert_int_not_equal(status_of(wire_response(w, false)), 200);
		wire_close(w);
	}
	authority_free(&other);
}

static void
only_tls_of_today_is_spoken(void **state)
{
	struct wire *w;

	(void)state;
	assert_null(wire_open_with(
	    port, NULL, "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0"));
	for (int i = 2; i <= 3; i++) {
		char words[64];

		(void)snprintf(
		    words, sizeof(words), "NORMAL:-VERS-ALL:+VERS-TLS1.%d", i);
		w = wire_open_with(port, NULL, words);
		assert_non_null(w);
		wire_close(w);
	}
}

/* ---- answers ---- */

static void
every_answer_carries_the_fixed_headers(void **state)
{
	static const char *const requests[] = { GET("/hello"), GET("/nowhere"),
		GET("/api/v1/secret"), GET("/%zz") };
	static const char *const headers[] = {
		"Content-Security-Policy: default-src 'none'",
		"X-Content-Type-Options: nosniff", "Referrer-Policy: ",
		"Strict-Transport-Security: ", "Cache-Control: no-store"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++)
		for (size_t k = 0; k < COUNT(headers); k++) {
			struct wire *w;
			const char *got = wire_ask(&w, port, requests[i]);

			TEST_CASE(requests[i]);
			if (strstr(got, headers[k]) == NULL)
				fail_msg("no %s in\n%s", headers[k], got);
			wire_close(w);
		}
}

static void
a_handlers_mistake_is_our_fault_and_nobodys_business(void **state)
{
	static const char *const requests[] = { GET("/api/v1/nothing"),
		GET("/api/v1/twice"), GET("/api/v1/secret") };

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct wire *w;
		const char *got = wire_ask(&w, port, requests[i]);

		TEST_CASE(requests[i]);
		assert_int_equal(status_of(got), 500);
		assert_null(strstr(got, "swordfish"));
		assert_null(strstr(got, "hello"));
		wire_close(w);
	}
}

static void
long_text_is_compressed_for_who_takes_it(void **state)
{
	struct wire *w;
	const char *got = wire_ask(&w, port, GET("/big"));

	(void)state;
	assert_null(strstr(got, "Content-Encoding"));
	assert_non_null(strstr(got, "Content-Length: 200000\r\n"));
	wire_close(w);
	got = wire_ask(&w, port,
	    "GET /big HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
	assert_non_null(strstr(got, "Content-Encoding: gzip\r\n"));
	assert_non_null(strstr(got, "Vary: Accept-Encoding\r\n"));
	wire_close(w);
	got = wire_ask(&w, port,
	    "GET /hello HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
	assert_null(strstr(got, "Content-Encoding"));
	wire_close(w);
}

/* ---- time, crowds, the end ---- */

static void
who_is_too_slow_is_cut_off(void **state)
{
	struct http_server *srv = start(1, 0);
	struct wire *w = wire_open(http_server_port(srv), NULL);
	int64_t began = clock_mono_ns(&clock_system);

	(void)state;
	for (int i = 0; i < 40 && wire_send(w, "G", 1); i++)
		(void)usleep(100000); /* a byte now and then */
	assert_true(clock_mono_ns(&clock_system) - began < INT64_C(4000000000));
	wire_close(w);
	w = wire_open(http_server_port(srv), NULL); /* says nothing at all */
	assert_true(wire_closed(w));
	wire_close(w);
	http_server_stop(srv);
}

static void
a_crowd_has_a_limit_and_room_comes_back(void **state)
{
	struct http_server *srv = start(2, 4);
	uint16_t to = http_server_port(srv);
	struct wire *w[4], *more;
	int64_t began;

	(void)state;
	for (size_t i = 0; i < COUNT(w); i++) {
		w[i] = wire_open(to, NULL);
		assert_non_null(w[i]);
	}
	began = clock_mono_ns(&clock_system);
	more = wire_open(to, NULL); /* waits until those were idle too long */
	assert_true(clock_mono_ns(&clock_system) - began > INT64_C(1000000000));
	assert_non_null(more);
	assert_true(wire_send(more, GET("/hello"), strlen(GET("/hello"))));
	assert_int_equal(status_of(wire_response(more, false)), 200);
	wire_close(more);
	for (size_t i = 0; i < COUNT(w); i++)
		wire_close(w[i]);
	http_server_stop(srv);
}

static void
what_runs_ends_before_the_server_does(void **state)
{
	struct http_server *srv = start(0, 0);
	uint16_t to = http_server_port(srv);
	struct wire *w = wire_open(to, NULL);

	(void)state;
	assert_true(wire_send(w, GET("/slow"), strlen(GET("/slow"))));
	(void)usleep(200000);
	http_server_stop(srv);
	assert_non_null(strstr(wire_response(w, false), "done"));
	wire_close(w);
	assert_null(wire_open(to, NULL)); /* nobody listens any more */
}

static void
what_cannot_be_served_is_not_started(void **state)
{
	static const struct route twice[] = {
		{ "GET", "/a", "public", hello, 0 },
		{ "GET", "/a", "public", hello, 0 },
		{ 0 },
	};
	static const struct route open_door[] = {
		{ "GET", "/a", NULL, hello, 0 },
		{ 0 },
	};
	const struct route *const lists[][2] = { { twice, NULL },
		{ open_door, NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct http_server_options opt = { .address = "127.0.0.1",
			.cert_pem = pem(&authority.server.cert),
			.key_pem = pem(&authority.server.key),
			.tables = lists[i] };
		struct http_server *srv = NULL;
		struct errinfo ei = { 0 };

		assert_true(http_server_start(&opt, &srv, &ei) != OK);
		assert_null(srv);
		opt.tables = tables;
		opt.address = "192.0.2.1"; /* not ours */
		assert_true(http_server_start(&opt, &srv, &ei) != OK);
		opt.address = "127.0.0.1";
		opt.key_pem = pem(&authority.client.key); /* another's */
		assert_true(http_server_start(&opt, &srv, &ei) != OK);
		assert_null(srv);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered),
		cmocka_unit_test(a_head_has_the_length_and_no_body),
		cmocka_unit_test(one_connection_serves_many_also_all_at_once),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(a_body_has_the_limit_of_its_route),
		cmocka_unit_test(a_length_that_is_not_clear_is_refused),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(who_may_not_is_told_before_the_body),
		cmocka_unit_test(unknown_paths_ask_nobody),
		cmocka_unit_test(a_certificate_is_known_or_refused),
		cmocka_unit_test(only_tls_of_today_is_spoken),
		cmocka_unit_test(every_answer_carries_the_fixed_headers),
		cmocka_unit_test(
		    a_handlers_mistake_is_our_fault_and_nobodys_business),
		cmocka_unit_test(long_text_is_compressed_for_who_takes_it),
		cmocka_unit_test(who_is_too_slow_is_cut_off),
		cmocka_unit_test(a_crowd_has_a_limit_and_room_comes_back),
		cmocka_unit_test(what_runs_ends_before_the_server_does),
		cmocka_unit_test(what_cannot_be_served_is_not_started),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
