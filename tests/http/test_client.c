/* The client: whom it trusts, what it refuses, and that it keeps its
 * connection. */

#include <signal.h>
#include <unistd.h>

#include "wire.h"

static struct authority authority;
static struct http_server *server;
static char url[64];

static void
hello(const struct http_req *rq, struct http_res *rs)
{
	struct cert_info info = { .common_name = "nobody" };
	struct errinfo ei = { 0 };

	if (rq->client_cert.len > 0)
		assert_int_equal(
		    cert_read_der(rq->client_cert, &info, &ei), OK);
	http_send_bytes(rs, 200, "text/plain", span_of(info.common_name));
}

static void
away(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	http_send_redirect(rs, "/hello");
}

static void
big(const struct http_req *rq, struct http_res *rs)
{
	struct span s = { arena_alloc(rq->arena, 1, 100000), 100000 };

	http_send_bytes(rs, 200, "application/octet-stream", s);
}

static void
slow(const struct http_req *rq, struct http_res *rs)
{
	(void)usleep(1500000);
	hello(rq, rs);
}

static void
busy(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };

	(void)err_set(&ei, ERR_BUSY, "come back");
	http_fail(rq, rs, &ei);
}

static void
echo(const struct http_req *rq, struct http_res *rs)
{
	http_send_bytes(rs, 201, rq->content_type, rq->body);
}

static const struct route routes[] = {
	{ "GET", "/hello", "public", hello, 0 },
	{ "GET", "/away", "public", away, 0 },
	{ "GET", "/big", "public", big, 0 },
	{ "GET", "/slow", "public", slow, 0 },
	{ "GET", "/api/v1/busy", "public", busy, 0 },
	{ "POST", "/echo", "public", echo, 0 },
	{ 0 },
};
static const struct route *const tables[] = { routes, NULL };

static int
begin(void **state)
{
	struct http_server_options opt = { .address = "127.0.0.1",
		.tables = tables };
	struct errinfo ei = { 0 };

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	/* What must not matter. */
	(void)setenv("https_proxy", "http://127.0.0.1:9", 1);
	(void)setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
	(void)setenv("SSL_CERT_FILE", "/nowhere", 1);
	http_client_begin();
	authority_make(&authority);
	opt.cert_pem = pem(&authority.server.cert);
	opt.key_pem = pem(&authority.server.key);
	opt.client_ca_pem = pem(&authority.ca.cert);
	assert_ok(http_server_start(&opt, &server, &ei));
	(void)snprintf(
	    url, sizeof(url), "https://127.0.0.1:%d", http_server_port(server));
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

static struct http_client *
client(struct http_client_options opt)
{
	struct http_client *c = NULL;
	struct errinfo ei = { 0 };

	if (opt.base_url == NULL)
		opt.base_url = url;
	if (opt.ca_pem.len == 0 && !opt.insecure)
		opt.ca_pem = pem(&authority.ca.cert);
	assert_ok(http_client_new(&opt, &c, &ei));
	return c;
}

/* The status of one request, or minus the error. */
static int
get(struct http_client *c, const char *path, struct span *body)
{
	struct errinfo ei = { 0 };
	int status = 0;
	enum err e =
	    http_client_do(c, "GET", path, SPAN(""), 65536, &status, body, &ei);

	if (e != OK)
		assert_true(ei.msg[0] != '\0');
	return e == OK ? status : -(int)e;
}

static void
it_asks_and_is_answered(void **state)
{
	struct http_client *c = client((struct http_client_options){ 0 });
	struct errinfo ei = { 0 };
	struct span body;
	int status = 0;

	(void)state;
	assert_int_equal(get(c, "/hello", &body), 200);
	assert_true(span_is(body, "nobody"));
	assert_ok(http_client_do(
	    c, "POST", "/echo", SPAN("{\"a\":1}"), 100, &status, &body, &ei));
	assert_int_equal(status, 201);
	assert_true(span_is(body, "{\"a\":1}"));
	assert_int_equal(get(c, "/nowhere", NULL), 404);
	http_client_free(c);
	http_client_free(NULL);
}

static void
it_shows_its_certificate(void **state)
{
	struct http_client *c = client((struct http_client_options){
	    .cert_pem = pem(&authority.client.cert),
	    .key_pem = pem(&authority.client.key) });
	struct span body;

	(void)state;
	assert_int_equal(get(c, "/hello", &body), 200);
	assert_true(span_is(body, "agent-7"));
	http_client_free(c);
}

static void
it_trusts_its_authority_alone(void **state)
{
	struct authority other;
	struct http_client *c;
	char host[64], named[128];

	(void)state;
	authority_make(&other);
	c = client(
	    (struct http_client_options){ .ca_pem = pem(&other.ca.cert) });
	assert_int_equal(get(c, "/hello", NULL), -ERR_AUTH);
	http_client_free(c);
	/* another name of this machine, which is not in the certificate */
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	(void)snprintf(named, sizeof(named), "https://%s:%d",
	    strcmp(host, "localhost") == 0 ? "ip6-localhost" : host,
	    http_server_port(server));
	c = client((struct http_client_options){ .base_url = named });
	assert_true(get(c, "/hello", NULL) < 0);
	http_client_free(c);
	c = client((struct http_client_options){ .insecure = true });
	assert_int_equal(get(c, "/hello", NULL), 200);
	http_client_free(c);
	authority_free(&other);
}

static void
it_follows_nobody(void **state)
{
	struct http_client *c = client((struct http_client_options){ 0 });

	(void)state;
	assert_int_equal(get(c, "/away", NULL), 303);
	http_client_free(c);
}

static void
answers_have_a_limit_of_size_and_time(void **state)
{
	struct http_client *c =
	    client((struct http_client_options){ .timeout_ms = 500 });
	int64_t began = clock_mono_ns(&clock_system);

	(void)state;
	assert_int_equal(get(c, "/big", NULL), -ERR_LIMIT);
	assert_int_equal(get(c, "/hello", NULL), 200);
	assert_int_equal(get(c, "/slow", NULL), -ERR_IO);
	assert_true(clock_mono_ns(&clock_system) - began < INT64_C(1400000000));
	assert_int_equal(get(c, "/hello", NULL), 200); /* and goes on */
	http_client_free(c);
}

static void
it_hears_when_to_come_back(void **state)
{
	struct http_client *c = client((struct http_client_options){ 0 });

	(void)state;
	assert_int_equal(get(c, "/api/v1/busy", NULL), 503);
	assert_true(http_client_retry_after(c) > 0);
	assert_int_equal(get(c, "/hello", NULL), 200);
	assert_int_equal(http_client_retry_after(c), 0);
	http_client_free(c);
}

static void
nobody_there_is_an_error(void **state)
{
	struct http_client *c = client(
	    (struct http_client_options){ .base_url = "https://127.0.0.1:9" });

	(void)state;
	assert_int_equal(get(c, "/hello", NULL), -ERR_IO);
	http_client_free(c);
}

/* With room for one connection, a second one would have to wait. */
static void
it_keeps_its_connection(void **state)
{
	struct http_server_options opt = { .address = "127.0.0.1",
		.cert_pem = pem(&authority.server.cert),
		.key_pem = pem(&authority.server.key),
		.network_threads = 1,
		.connections_max = 1,
		.tables = tables };
	struct http_server *one = NULL;
	struct errinfo ei = { 0 };
	struct http_client *c;
	char to[64];
	int64_t began;

	(void)state;
	assert_ok(http_server_start(&opt, &one, &ei));
	(void)snprintf(
	    to, sizeof(to), "https://127.0.0.1:%d", http_server_port(one));
	c = client(
	    (struct http_client_options){ .base_url = to, .timeout_ms = 5000 });
	began = clock_mono_ns(&clock_system);
	for (int i = 0; i < 50; i++)
		assert_int_equal(get(c, "/hello", NULL), 200);
	assert_true(clock_mono_ns(&clock_system) - began < INT64_C(4000000000));
	http_client_free(c);
	http_server_stop(one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_asks_and_is_answered),
		cmocka_unit_test(it_shows_its_certificate),
		cmocka_unit_test(it_trusts_its_authority_alone),
		cmocka_unit_test(it_follows_nobody),
		cmocka_unit_test(answers_have_a_limit_of_size_and_time),
		cmocka_unit_test(it_hears_when_to_come_back),
		cmocka_unit_test(nobody_there_is_an_error),
		cmocka_unit_test(it_keeps_its_connection),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
