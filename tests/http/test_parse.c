#include "testing.h"

#include "http/http_int.h"

static const struct {
	const char *name, *raw, *want; /* NULL: refused */
} paths[] = {
	{ "the root", "/", "/" },
	{ "plain", "/api/v1/agents", "/api/v1/agents" },
	{ "escapes are decoded", "/a%20b", "/a b" },
	{ "Vietnamese", "/m%C3%A1y", "/m\xc3\xa1y" },
	{ "a plus is a plus", "/a+b", "/a+b" },
	{ "an escaped percent sign is decoded once", "/a%2541", "/a%41" },
	{ "dots within a name", "/a..b/.c", "/a..b/.c" },
	{ "empty", "", NULL },
	{ "without slash", "a", NULL },
	{ "an absolute form", "https://x/a", NULL },
	{ "a cut escape", "/%2", NULL },
	{ "an escape that is no hex", "/%zz", NULL },
	{ "NUL", "/a%00b", NULL },
	{ "line end", "/a%0d%0aX:", NULL },
	{ "delete", "/%7f", NULL },
	{ "up", "/a/../b", NULL },
	{ "up, escaped", "/a/%2e%2e/b", NULL },
	{ "up at the end", "/..", NULL },
	{ "a dot segment", "/./a", NULL },
	{ "a hidden slash", "/a%2fb", NULL },
	{ "overlong UTF-8", "/%c0%ae", NULL },
	{ "half a character", "/%e1%ba", NULL },
	{ "raw bytes over ASCII", "/\xc3\xa1", NULL },
	{ "a raw blank", "/a b", NULL },
	{ "a fragment", "/a#b", NULL },
};

static void
paths_are_decoded_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct arena *a = arena_new(65536);
		struct errinfo ei = { 0 };
		const char *got = NULL;
		enum err e;

		TEST_CASE(paths[i].name);
		e = path_decode(span_of(paths[i].raw), a, &got, &ei);
		assert_int_equal(e, paths[i].want == NULL ? ERR_SYNTAX : OK);
		if (paths[i].want != NULL)
			assert_string_equal(got, paths[i].want);
		else
			assert_string_equal(ei.field, "path");
		arena_free(a);
	}
}

static const struct {
	const char *name, *text;
	const char *field, *want; /* NULL: refused, naming `field` */
} forms[] = {
	{ "one field", "a=b", "a", "b" },
	{ "a plus is a blank", "a=b+c%2B", "a", "b c+" },
	{ "no value", "a", "a", "" },
	{ "empty value", "a=&b=c", "a", "" },
	{ "absent", "a=b", "x", "" },
	{ "the first of two wins", "a=1&a=2", "a", "1" },
	{ "an equals sign in the value", "a=b=c", "a", "b=c" },
	{ "empty pairs are skipped", "&&a=b&", "a", "b" },
	{ "the name is decoded", "%61=b", "a", "b" },
	{ "lines", "a=x%0D%0Ay", "a", "x\r\ny" },
	{ "Vietnamese", "a=C%C6%A1", "a", "C\xc6\xa1" },
	{ "a bad escape names its field", "b=c&a=%g0", "a", NULL },
	{ "a cut escape", "a=%1", "a", NULL },
	{ "NUL", "a=%00", "a", NULL },
	{ "a control character", "a=%01", "a", NULL },
	{ "not UTF-8", "a=%ff", "a", NULL },
	{ "a name that is no text", "%ff=1", "", NULL },
};

static void
forms_are_decoded_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct arena *a = arena_new(65536);
		struct pairs got = { 0 };
		struct errinfo ei = { 0 };
		enum err e;

		TEST_CASE(forms[i].name);
		e = urlencoded_parse(span_of(forms[i].text), a, &got, &ei);
		assert_int_equal(e, forms[i].want == NULL ? ERR_SYNTAX : OK);
		if (forms[i].want == NULL)
			assert_string_equal(ei.field, forms[i].field);
		else
			assert_true(span_is(
			    pairs_find(&got, forms[i].field), forms[i].want));
		arena_free(a);
	}
}

static void
a_form_has_a_limit_of_fields(void **state)
{
	struct arena *a = arena_new(1u << 20);
	struct buf text = buf_make(65536);
	struct pairs got = { 0 };
	struct errinfo ei = { 0 };

	(void)state;
	for (int i = 0; i < HTTP_FORM_MAX; i++)
		buf_text(&text, "a=b&");
	assert_ok(urlencoded_parse(buf_view(&text), a, &got, &ei));
	assert_int_equal(got.count, HTTP_FORM_MAX);
	buf_text(&text, "c");
	assert_err(urlencoded_parse(buf_view(&text), a, &got, &ei), ERR_LIMIT);
	buf_free(&text);
	arena_free(a);
}

#define TYPE "multipart/form-data; boundary=XyZ"
#define PART(head, body)                                                       \
	"--XyZ\r\nContent-Disposition: form-data; " head "\r\n\r\n" body "\r"  \
	"\n"

static const struct {
	const char *name, *type, *body;
	const char *field, *want; /* NULL: refused */
} parts[] = {
	{ "one field", TYPE, PART("name=\"a\"", "b") "--XyZ--\r\n", "a", "b" },
	{ "no line end at the end", TYPE, PART("name=\"a\"", "b") "--XyZ--",
	    "a", "b" },
	{ "two fields", TYPE,
	    PART("name=\"a\"", "b") PART("name=\"c\"", "d") "--XyZ--\r\n", "c",
	    "d" },
	{ "a quoted boundary", "multipart/form-data; boundary=\"XyZ\"",
	    PART("name=\"a\"", "b") "--XyZ--\r\n", "a", "b" },
	{ "a semicolon within quotes", TYPE,
	    PART("filename=\"a;name=b\"; name=\"f\"", "x") "--XyZ--\r\n", "f",
	    "x" },
	{ "an empty value", TYPE, PART("name=\"a\"", "") "--XyZ--\r\n", "a",
	    "" },
	{ "line ends and a near boundary belong to the value", TYPE,
	    PART("name=\"a\"", "x\r\n--XyY\r\n") "--XyZ--\r\n", "a",
	    "x\r\n--XyY\r\n" },
	{ "other headers of a part", TYPE,
	    "--XyZ\r\nContent-Type: text/csv\r\ncontent-disposition: "
	    "form-data; name=a; filename=x.csv\r\n\r\n\xff\r\n--XyZ--",
	    "a", "\xff" },
	{ "no parts", TYPE, "--XyZ--\r\n", "a", "" },
	{ "no boundary in the type", "multipart/form-data",
	    PART("name=\"a\"", "b") "--XyZ--\r\n", "", NULL },
	{ "bytes before the first boundary", TYPE,
	    "x" PART("name=\"a\"", "b") "--XyZ--\r\n", "", NULL },
	{ "an empty body", TYPE, "", "", NULL },
	{ "no last boundary", TYPE, PART("name=\"a\"", "b"), "", NULL },
	{ "a boundary with a tail", TYPE,
	    "--XyZ0\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n"
	    "--XyZ--",
	    "", NULL },
	{ "bytes after the end", TYPE,
	    PART("name=\"a\"", "b") "--XyZ--\r\nmore", "", NULL },
	{ "a part without name", TYPE, PART("", "b") "--XyZ--\r\n", "", NULL },
	{ "a part without head", TYPE, "--XyZ\r\nabc\r\n--XyZ--\r\n", "",
	    NULL },
	{ "a field that is no text names itself", TYPE,
	    PART("name=\"a\"", "\xff") "--XyZ--\r\n", "a", NULL },
};

static void
multipart_is_read_as_browsers_write_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct arena *a = arena_new(65536);
		struct pairs got = { 0 };
		struct errinfo ei = { 0 };
		enum err e;

		TEST_CASE(parts[i].name);
		e = multipart_parse(span_of(parts[i].body),
		    span_of(parts[i].type), a, &got, &ei);
		assert_int_equal(e, parts[i].want == NULL ? ERR_SYNTAX : OK);
		if (parts[i].want == NULL)
			assert_string_equal(ei.field, parts[i].field);
		else
			assert_true(span_is(
			    pairs_find(&got, parts[i].field), parts[i].want));
		arena_free(a);
	}
}

static const struct {
	const char *header, *name, *want; /* NULL: none */
} cookies[] = {
	{ "a=b", "a", "b" },
	{ "x=1; a=b; y=2", "a", "b" },
	{ "x=1;a=b", "a", "b" },
	{ "a=\"b\"", "a", "b" },
	{ "a=", "a", "" },
	{ "a", "a", "" },
	{ "a=b=c", "a", "b=c" },
	{ "a=1; a=2", "a", "1" },
	{ "x=\"; a=b", "a", "b" },
	{ "aa=b; ba=c", "a", NULL },
	{ "A=b", "a", NULL },
	{ "", "a", NULL },
	{ ";;; ;", "a", NULL },
};

static void
cookies_are_found_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cookies); i++) {
		struct span got =
		    cookie_find(span_of(cookies[i].header), cookies[i].name);

		TEST_CASE(cookies[i].header);
		if (cookies[i].want == NULL)
			assert_null(got.ptr);
		else
			assert_true(
			    got.ptr != NULL && span_is(got, cookies[i].want));
	}
}

static const struct {
	const char *header;
	bool want;
} encodings[] = {
	{ "gzip", true },
	{ "deflate, gzip;q=0.5, br", true },
	{ "GZIP", true },
	{ "gzip; q=1.0", true },
	{ "gzip;q=0", false },
	{ "gzip;q=0.000", false },
	{ "x-gzip", false },
	{ "identity", false },
	{ "", false },
};

static void
gzip_is_sent_only_to_who_takes_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(encodings); i++) {
		TEST_CASE(encodings[i].header);
		assert_int_equal(accepts_gzip(span_of(encodings[i].header)),
		    encodings[i].want);
	}
}

/* ---- routes ---- */

static void
handler(const struct http_req *rq, struct http_res *rs)
{
	(void)rq;
	(void)rs;
}

#define ROUTE(m, p)                                                            \
	{                                                                      \
		.method = (m), .pattern = (p), .permission = "public",         \
		.handler = handler                                             \
	}

static const struct {
	const char *name;
	struct route routes[3];
	enum err want;
} tables[] = {
	{ "two paths", { ROUTE("GET", "/a"), ROUTE("GET", "/b") }, OK },
	{ "two methods", { ROUTE("GET", "/a"), ROUTE("POST", "/a") }, OK },
	{ "other lengths", { ROUTE("GET", "/a/{x}"), ROUTE("GET", "/a") }, OK },
	{ "the same twice", { ROUTE("GET", "/a"), ROUTE("GET", "/a") },
	    ERR_EXISTS },
	{ "two names for one parameter",
	    { ROUTE("GET", "/a/{x}"), ROUTE("GET", "/a/{y}") }, ERR_EXISTS },
	{ "a parameter that takes the other's word",
	    { ROUTE("GET", "/a/{x}"), ROUTE("GET", "/a/new") }, ERR_EXISTS },
	{ "crossing parameters",
	    { ROUTE("GET", "/{x}/b"), ROUTE("GET", "/a/{y}") }, ERR_EXISTS },
	{ "parameters kept apart by a word",
	    { ROUTE("GET", "/a/{x}"), ROUTE("GET", "/b/{x}") }, OK },
	{ "no permission",
	    { { .method = "GET", .pattern = "/a", .handler = handler } },
	    ERR_SYNTAX },
	{ "empty permission",
	    { { .method = "GET",
		.pattern = "/a",
		.permission = "",
		.handler = handler } },
	    ERR_SYNTAX },
	{ "no handler",
	    { { .method = "GET", .pattern = "/a", .permission = "public" } },
	    ERR_SYNTAX },
	{ "no slash", { ROUTE("GET", "a") }, ERR_SYNTAX },
	{ "a slash at the end", { ROUTE("GET", "/a/") }, ERR_SYNTAX },
	{ "an empty segment", { ROUTE("GET", "/a//b") }, ERR_SYNTAX },
	{ "a parameter within a word", { ROUTE("GET", "/a{x}") }, ERR_SYNTAX },
	{ "five parameters", { ROUTE("GET", "/{a}/{b}/{c}/{d}/{e}") },
	    ERR_SYNTAX },
	{ "an unknown method", { ROUTE("get", "/a") }, ERR_SYNTAX },
};

static void
a_table_that_is_not_clear_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tables); i++) {
		const struct route *const list[] = { tables[i].routes, NULL };
		struct router *r = NULL;
		struct errinfo ei = { 0 };

		TEST_CASE(tables[i].name);
		assert_err(router_new(list, &r, &ei), tables[i].want);
		assert_int_equal(r != NULL, tables[i].want == OK);
		router_free(r);
	}
}

static void
a_path_finds_its_route_and_parameters(void **state)
{
	static const struct route routes[] = {
		ROUTE("GET", "/"),
		ROUTE("GET", "/a/{x}/b/{y}"),
		ROUTE("POST", "/a/{x}/b/{y}"),
		{ 0 },
	};
	const struct route *const list[] = { routes, NULL };
	const struct route *got = NULL;
	struct span p[HTTP_PARAMS_MAX];
	char allow[ALLOW_MAX];
	struct router *r = NULL;
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(router_new(list, &r, &ei));
	assert_err(router_find(r, "GET", "/", &got, p, allow), OK);
	assert_ptr_equal(got, &routes[0]);
	assert_err(router_find(r, "HEAD", "/a/1/b/2 3", &got, p, allow), OK);
	assert_ptr_equal(got, &routes[1]);
	assert_true(span_is(p[0], "1") && span_is(p[1], "2 3"));
	assert_err(
	    router_find(r, "PUT", "/a/1/b/2", &got, p, allow), ERR_UNSUPPORTED);
	assert_string_equal(allow, "GET, HEAD, POST");
	assert_err(
	    router_find(r, "GET", "/a/1/b/", &got, p, allow), ERR_NOT_FOUND);
	assert_err(
	    router_find(r, "GET", "/a//b/2", &got, p, allow), ERR_NOT_FOUND);
	assert_err(
	    router_find(r, "GET", "/a/1/b/2/", &got, p, allow), ERR_NOT_FOUND);
	assert_err(router_find(r, "GET", "//", &got, p, allow), ERR_NOT_FOUND);
	router_free(r);
}

/* ---- threads ---- */

struct waiting {
	struct job job;
	pthread_mutex_t *gate;
	atomic_int *ran;
};

static void
run_waiting(struct job *j)
{
	struct waiting *w = (struct waiting *)j;

	(void)pthread_mutex_lock(w->gate);
	(void)pthread_mutex_unlock(w->gate);
	(void)atomic_fetch_add(w->ran, 1);
}

static void
a_full_queue_refuses_and_what_waits_is_still_run(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	atomic_int ran = 0;
	struct waiting jobs[10];
	struct pool *p = NULL;
	struct errinfo ei = { 0 };
	int taken = 0;

	(void)state;
	assert_ok(pool_new(2, 3, run_waiting, &p, &ei));
	(void)pthread_mutex_lock(&gate);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = (struct waiting){ .gate = &gate, .ran = &ran };
		taken += pool_push(p, &jobs[i].job);
	}
	assert_in_range(taken, 3, 5);
	(void)pthread_mutex_unlock(&gate);
	pool_end(p);
	assert_int_equal(atomic_load(&ran), taken);
	assert_false(pool_push(p, &jobs[0].job));
	pool_free(p);
	pool_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_decoded_strictly),
		cmocka_unit_test(forms_are_decoded_strictly),
		cmocka_unit_test(a_form_has_a_limit_of_fields),
		cmocka_unit_test(multipart_is_read_as_browsers_write_it),
		cmocka_unit_test(cookies_are_found_by_name),
		cmocka_unit_test(gzip_is_sent_only_to_who_takes_it),
		cmocka_unit_test(a_table_that_is_not_clear_is_refused),
		cmocka_unit_test(a_path_finds_its_route_and_parameters),
		cmocka_unit_test(
		    a_full_queue_refuses_and_what_waits_is_still_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
