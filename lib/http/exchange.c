/* One request and its response.
 *
 * The network thread reads the head and decides whether the request can be
 * anything at all.  A small body is read at once; before a large one a
 * handler thread is asked whether its sender may come in.  When all is there,
 * a handler thread answers.  While a handler thread has it the connection is
 * suspended: the two never look at an exchange at the same time. */

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "http/http_int.h"

struct exchange *
exchange_new(
    struct http_server *srv, struct MHD_Connection *mhd, const char *target)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL || info == NULL || info->socket_context == NULL) {
		free(x);
		return NULL;
	}
	x->srv = srv;
	x->mhd = mhd;
	x->connection = info->socket_context;
	x->begun_ns = clock_mono_ns(&clock_system);
	(void)atomic_fetch_add(&srv->exchanges, 1);
	x->raw = strdup(target);
	x->rq.arena = arena_new(HTTP_ARENA_MAX);
	if (x->raw == NULL || x->rq.arena == NULL) {
		exchange_free(x);
		return NULL;
	}
	x->rq.app = srv->opt.app;
	x->rq.internal = x;
	x->rq.path = "/";
	x->rq.method = x->rq.content_type = "";
	x->rq.remote = x->connection->remote;
	x->rq.lang = "vi";
	x->rs.arena = x->rq.arena;
	x->rs.type = "text/plain";
	x->rs.body = buf_make(HTTP_ARENA_MAX);
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	(void)atomic_fetch_sub(&x->srv->exchanges, 1);
	json_decref(x->tree);
	buf_free(&x->body);
	buf_free(&x->rs.body);
	arena_free(x->rq.arena);
	free(x->raw);
	free(x);
}

/* ---- handler threads ---- */

static void
ask_authorise(struct exchange *x)
{
	const struct http_server_options *opt = &x->srv->opt;

	if (x->rq.route == NULL || x->refused || x->allowed)
		return;
	x->refused =
	    opt->authorise != NULL && opt->authorise(&x->rq, &x->refusal) != OK;
	x->allowed = !x->refused;
}

static void
read_form(struct exchange *x)
{
	enum err e = OK;

	x->rq.body = buf_view(&x->body);
	if (type_is(&x->rq, "application/x-www-form-urlencoded"))
		e = urlencoded_parse(
		    x->rq.body, x->rq.arena, &x->form, &x->refusal);
	else if (type_is(&x->rq, "multipart/form-data"))
		e = multipart_parse(x->rq.body, span_of(x->rq.content_type),
		    x->rq.arena, &x->form, &x->refusal);
	x->refused = e != OK;
}

static void
answer_refusal(struct exchange *x)
{
	const struct http_server_options *opt = &x->srv->opt;

	if (opt->fail_page != NULL && strncmp(x->raw, "/api/", 5) != 0)
		opt->fail_page(&x->rq, &x->rs, &x->refusal);
	else
		http_fail(&x->rq, &x->rs, &x->refusal);
}

/* A handler that did not do its part is our fault, not the peer's. */
static void
check_answer(struct exchange *x)
{
	const char *fault = x->rs.fault;
	struct errinfo ei = { 0 };

	if (fault == NULL && x->rs.status != 0)
		return;
	(void)err_set(&ei, ERR_CORRUPT, "%s",
	    fault == NULL ? "no answer was made" : fault);
	buf_clear(&x->rs.body);
	x->rs.status = 0;
	x->rs.header_count = 0;
	http_fail(&x->rq, &x->rs, &ei);
}

static void
answer(struct exchange *x)
{
	const char *accept = http_header(&x->rq, "Accept-Encoding");

	if (!x->refused)
		read_form(x);
	if (x->refused)
		answer_refusal(x);
	else
		x->rq.route->handler(&x->rq, &x->rs);
	check_answer(x);
	if (accepts_gzip(span_of(accept)))
		response_compress(&x->rs);
	log_debug("http.request", LOG_S("method", x->rq.method),
	    LOG_S("path", x->rq.path), LOG_I("status", x->rs.status),
	    LOG_S("remote", x->rq.remote),
	    LOG_I("us", (clock_mono_ns(&clock_system) - x->begun_ns) / 1000));
}

/* An answer to a body that is still being sent is lost when the connection
 * ends: so read a body of fair size to its end, unless the peer waits. */
static bool
discards_body(const struct exchange *x)
{
	return x->length <= HTTP_DISCARD_MAX &&
	    http_header(&x->rq, "Expect") == NULL;
}

void
exchange_run(struct job *job)
{
	struct exchange *x = (struct exchange *)job;
	int seconds = x->srv->opt.request_seconds;

	if (!x->refused && atomic_load(&x->srv->stopping)) {
		(void)err_set(&x->refusal, ERR_BUSY, "the centre is stopping");
		x->refused = true;
	}
	ask_authorise(x);
	if (x->state == S_ALLOW && (x->allowed || discards_body(x))) {
		x->state = S_ASKED;
		connection_allow(x->connection, seconds, x->length);
	} else {
		answer(x);
		x->state = S_DONE;
		connection_allow(x->connection, seconds, x->rs.body.len);
	}
	MHD_resume_connection(x->mhd); /* x may be gone now */
}

/* ---- network threads ---- */

static enum MHD_Result
send_answer(struct exchange *x)
{
	struct MHD_Response *r = response_make(&x->rs);
	enum MHD_Result sent;

	if (r == NULL)
		return MHD_NO;
	sent = MHD_queue_response(x->mhd, (unsigned)x->rs.status, r);
	MHD_destroy_response(r);
	return sent;
}

/* To a handler thread; when too many wait, the answer is made here. */
static enum MHD_Result
queue(struct exchange *x, enum state state)
{
	struct errinfo ei = { 0 };

	x->state = state;
	connection_allow(x->connection, 0, 0);
	MHD_suspend_connection(x->mhd);
	if (pool_push(x->srv->pool, &x->job))
		return MHD_YES;
	(void)err_set(&ei, ERR_BUSY, "too many requests are waiting");
	http_fail(&x->rq, &x->rs, &ei);
	x->state = S_DONE;
	connection_allow(x->connection, x->srv->opt.request_seconds, 0);
	MHD_resume_connection(x->mhd);
	return MHD_YES;
}

static enum MHD_Result
send_asset(struct exchange *x)
{
	const struct asset *asset = x->asset;
	const char *known = http_header(&x->rq, "If-None-Match");
	const char *accept = http_header(&x->rq, "Accept-Encoding");
	bool same = known != NULL && strstr(known, asset->etag + 2) != NULL;
	bool now = span_is(
	    pairs_find(&x->query, "v"), assets_version(x->srv->opt.assets));
	struct span bytes = asset->bytes;

	x->state = S_DONE;
	connection_allow(
	    x->connection, x->srv->opt.request_seconds, asset->bytes.len);
	http_set_header(&x->rs, "ETag", asset->etag);
	http_set_header(&x->rs, "Cache-Control",
	    now ? "public, max-age=31536000, immutable" : "no-cache");
	if (asset->gzipped.len > 0)
		http_set_header(&x->rs, "Vary", "Accept-Encoding");
	if (asset->gzipped.len > 0 && !same && accepts_gzip(span_of(accept))) {
		http_set_header(&x->rs, "Content-Encoding", "gzip");
		bytes = asset->gzipped;
	}
	x->rs.status = same ? 304 : 200;
	x->rs.type = asset->type;
	if (!same)
		x->rs.fixed = bytes;
	return send_answer(x);
}

struct framing {
	int lengths, encodings, strange;
};

/* A name with a blank or a control is a name that others read otherwise
 * (RFC 9112, 5.1). */
static bool
is_token(const char *name)
{
	size_t n = strspn(name,
	    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n > 0 && name[n] == '\0';
}

static enum MHD_Result
count_framing(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *f = cls;

	(void)kind;
	(void)value;
	f->lengths += strcasecmp(name, "Content-Length") == 0;
	f->encodings += strcasecmp(name, "Transfer-Encoding") == 0;
	f->strange += !is_token(name);
	return MHD_YES;
}

/* Where a body ends must be beyond doubt, or a proxy before us and we might
 * see different requests (RFC 9112, 11.2): one Content-Length, nothing else. */
static enum err
read_framing(struct exchange *x, struct errinfo *ei)
{
	const char *text = http_header(&x->rq, "Content-Length");
	struct framing f = { 0 };

	(void)MHD_get_connection_values(
	    x->mhd, MHD_HEADER_KIND, count_framing, &f);
	if (f.encodings == 0 && f.strange == 0 &&
	    (f.lengths == 0 ||
		(f.lengths == 1 &&
		    span_u64(span_of(text), UINT64_MAX, &x->length) == OK)))
		return OK;
	x->length = UINT64_MAX; /* not worth reading */
	http_set_header(&x->rs, "Connection", "close");
	if (f.strange > 0)
		return err_set(ei, ERR_SYNTAX, "a header has no proper name");
	return err_field(ei, ERR_SYNTAX,
	    f.encodings > 0 ? "Transfer-Encoding" : "Content-Length",
	    "the length of the body must be given, once");
}

static size_t
body_max(const struct route *rt)
{
	return rt->body_max == 0 ? HTTP_BODY_MAX : rt->body_max;
}

static enum err
read_target(struct exchange *x, struct errinfo *ei)
{
	struct span query, path = span_cut(span_of(x->raw), '?', &query);
	enum err e = path_decode(path, x->rq.arena, &x->rq.path, ei);

	if (e == OK)
		e = urlencoded_parse(query, x->rq.arena, &x->query, ei);
	return e;
}

static enum err
read_certificate(struct exchange *x, struct errinfo *ei)
{
	switch (connection_certificate(x->connection, x->mhd)) {
	case CERT_GOOD:
		x->rq.client_cert = x->connection->der;
		return OK;
	case CERT_BAD:
		http_set_header(&x->rs, "Connection", "close");
		return err_field(ei, ERR_AUTH, "certificate",
		    "the client certificate is not valid");
	case CERT_NONE:
	case CERT_UNKNOWN:
		break;
	}
	return OK;
}

static enum err
find_route(struct exchange *x, struct errinfo *ei)
{
	char allow[ALLOW_MAX];
	enum err e = router_find(x->srv->router, x->rq.method, x->rq.path,
	    &x->rq.route, x->rq.params, allow);

	if (e == ERR_UNSUPPORTED) {
		http_set_header(&x->rs, "Allow", allow);
		return err_set(ei, e, N_("no such method here"));
	}
	if (e != OK)
		return err_set(ei, e, N_("no such path"));
	if (x->length > body_max(x->rq.route))
		return err_set(ei, ERR_LIMIT,
		    N_("the request or its file is larger than allowed here"));
	x->body = buf_make(body_max(x->rq.route));
	return OK;
}

static const struct asset *
asked_asset(const struct exchange *x)
{
	bool reads = strcmp(x->rq.method, "GET") == 0 ||
	    strcmp(x->rq.method, "HEAD") == 0;

	return reads && x->length == 0
	    ? assets_find(x->srv->opt.assets, x->rq.path)
	    : NULL;
}

/* Who asks for what?  Decides the way of the request. */
static enum MHD_Result
on_head(struct exchange *x, const char *method)
{
	const char *type = http_header(&x->rq, "Content-Type");
	enum err e;

	x->rq.method = arena_text(x->rq.arena, span_of(method));
	if (x->rq.method == NULL)
		return MHD_NO;
	if (type != NULL)
		x->rq.content_type = type;
	e = read_framing(x, &x->refusal);
	if (e == OK)
		e = read_target(x, &x->refusal);
	if (e == OK)
		x->asset = asked_asset(x);
	if (e == OK && x->asset == NULL)
		e = read_certificate(x, &x->refusal);
	if (e == OK && x->asset == NULL)
		e = find_route(x, &x->refusal);
	x->refused = e != OK;
	connection_allow(x->connection, x->srv->opt.request_seconds, x->length);
	/* An answer before the end of the request, be it empty, makes
	 * libmicrohttpd close the connection. */
	if (x->refused && !discards_body(x))
		return queue(x, S_HANDLE);
	if (!x->refused && x->length > HTTP_SMALL_BODY)
		return queue(x, S_ALLOW);
	x->state = S_BODY;
	return MHD_YES;
}

static enum MHD_Result
on_body(struct exchange *x, const char *data, size_t *size)
{
	if (*size == 0)
		return x->asset != NULL ? send_asset(x) : queue(x, S_HANDLE);
	if (!x->refused)
		buf_add(&x->body, data, *size);
	if (x->body.full) { /* memory: the length was checked */
		(void)err_set(&x->refusal, ERR_BUSY, "no memory left");
		x->refused = true;
	}
	*size = 0;
	return MHD_YES;
}

enum MHD_Result
exchange_step(
    struct exchange *x, const char *method, const char *data, size_t *size)
{
	switch (x->state) {
	case S_HEAD:
		return on_head(x, method);
	case S_ASKED: /* called once more before the body */
		x->state = S_BODY;
		return MHD_YES;
	case S_BODY:
		return on_body(x, data, size);
	case S_DONE:
		return send_answer(x);
	case S_ALLOW:
	case S_HANDLE:
		break; /* suspended: not called */
	}
	return MHD_NO;
}
