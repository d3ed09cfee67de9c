/* What handlers tell a response, and how it leaves the house. */

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/log.h"
#include "http/http_int.h"

#define GZIP_MIN      1024
#define GZIP_LEVEL    5
#define RETRY_SECONDS "5"

void
http_send_bytes(
    struct http_res *rs, int status, const char *type, struct span bytes)
{
	if (rs->status != 0) {
		rs->fault = "two answers were sent";
		return;
	}
	rs->status = status;
	rs->type = type;
	buf_span(&rs->body, bytes);
	if (rs->body.full)
		rs->fault = "the answer is too large";
}

void
http_send_json(struct http_res *rs, int status, json_t *tree)
{
	char *text = json_dumps(tree, JSON_COMPACT);

	if (text == NULL)
		rs->fault = "the answer is not JSON";
	http_send_bytes(rs, status, "application/json", span_of(text));
	free(text);
	json_decref(tree);
}

void
http_send_html(struct http_res *rs, int status, struct span html)
{
	http_send_bytes(rs, status, "text/html; charset=utf-8", html);
}

void
http_send_redirect(struct http_res *rs, const char *location)
{
	http_set_header(rs, "Location", location);
	http_send_bytes(rs, 303, "text/plain", (struct span){ NULL, 0 });
}

static bool
header_ok(const char *value)
{
	for (; *value != '\0'; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

void
http_set_header(struct http_res *rs, const char *name, const char *value)
{
	char *copy = header_ok(value) && rs->header_count < HTTP_HEADERS_MAX
	    ? arena_text(rs->arena, span_of(value))
	    : NULL;

	if (copy == NULL) {
		rs->fault = "a header cannot be sent";
		return;
	}
	rs->headers[rs->header_count].name = name;
	rs->headers[rs->header_count++].value = copy;
}

/* RFC 6265, 4.1.1: cookie-octet. */
static bool
cookie_ok(const char *value)
{
	for (; *value != '\0'; value++)
		if (*value <= 0x20 || *value >= 0x7f ||
		    strchr("\",;\\", *value) != NULL)
			return false;
	return true;
}

void
http_set_cookie(
    struct http_res *rs, const char *name, const char *value, int64_t max_age_s)
{
	char *text = cookie_ok(name) && cookie_ok(value)
	    ? arena_fmt(rs->arena,
		  "%s=%s; Path=/; Max-Age=%lld; Secure; HttpOnly; "
		  "SameSite=Strict",
		  name, value, (long long)max_age_s)
	    : NULL;

	if (text == NULL)
		rs->fault = "a cookie cannot be sent";
	else
		http_set_header(rs, "Set-Cookie", text);
}

int
http_status(enum err code)
{
	static const int table[ERR_MAX] = {
		[OK] = 200,
		[ERR_SYNTAX] = 400,
		[ERR_LIMIT] = 413,
		[ERR_NOMEM] = 500,
		[ERR_NOT_FOUND] = 404,
		[ERR_EXISTS] = 409,
		[ERR_AUTH] = 401,
		[ERR_DENIED] = 403,
		[ERR_IO] = 500,
		[ERR_BUSY] = 503,
		[ERR_UNSUPPORTED] = 405,
		[ERR_CORRUPT] = 500,
	};

	return code < ERR_MAX ? table[code] : 500;
}

void
http_fail(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei)
{
	int status = http_status(ei->code);
	json_t *o = json_object(), *error;

	if (status == 500)
		log_error("request.failed", LOG_S("path", rq->path),
		    LOG_S("error", err_name(ei->code)), LOG_S("text", ei->msg));
	error = json_put_new(o, "error", json_object());
	json_put_text(error, "code",
	    span_of(status == 500 ? "internal" : err_name(ei->code)));
	json_put_text(error, "field", span_of(status == 500 ? "" : ei->field));
	json_put_text(error, "message",
	    span_of(status == 500 ? "the centre has a fault" : ei->msg));
	if (status == 503)
		http_set_header(rs, "Retry-After", RETRY_SECONDS);
	http_send_json(rs, status, o);
}

/* ---- on the way out ---- */

static const struct {
	const char *name, *value;
} always[] = {
	{ "Content-Security-Policy",
	    "default-src 'none'; script-src 'self'; style-src 'self'; "
	    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
	    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "same-origin" },
	{ "Strict-Transport-Security", "max-age=31536000" },
};

static bool
has_header(const struct http_res *rs, const char *name)
{
	for (size_t i = 0; i < rs->header_count; i++)
		if (strcasecmp(rs->headers[i].name, name) == 0)
			return true;
	return false;
}

bool
compressible(const char *type)
{
	static const char *const kinds[] = { "text/", "application/json",
		"image/svg+xml" };

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strncmp(type, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

enum err
gzip(struct span s, struct buf *out, struct errinfo *ei)
{
	z_stream z = { 0 };
	uLong most;
	char *to;
	int done;

	if (s.len > UINT32_MAX ||
	    deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(ei, ERR_NOMEM, "gzip");
	most = deflateBound(&z, (uLong)s.len);
	to = malloc(most);
	if (to == NULL) {
		(void)deflateEnd(&z);
		return err_set(ei, ERR_NOMEM, "gzip");
	}
	z.next_in = (Bytef *)(uintptr_t)s.ptr;
	z.avail_in = (uInt)s.len;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)most;
	done = deflate(&z, Z_FINISH);
	if (done == Z_STREAM_END)
		buf_add(out, to, most - z.avail_out);
	(void)deflateEnd(&z);
	free(to);
	if (done != Z_STREAM_END)
		return err_set(ei, ERR_NOMEM, "gzip");
	return buf_check(out, ei);
}

void
response_compress(struct http_res *rs)
{
	struct buf small = buf_make(rs->body.max);

	if (rs->body.len < GZIP_MIN || !compressible(rs->type) ||
	    has_header(rs, "Content-Encoding"))
		return;
	if (gzip(buf_view(&rs->body), &small, NULL) != OK) {
		buf_free(&small); /* then as it is */
		return;
	}
	buf_free(&rs->body);
	rs->body = small;
	http_set_header(rs, "Content-Encoding", "gzip");
	http_set_header(rs, "Vary", "Accept-Encoding");
}

struct MHD_Response *
response_make(struct http_res *rs)
{
	struct span fixed = rs->fixed;
	struct MHD_Response *r = fixed.ptr != NULL
	    ? MHD_create_response_from_buffer(fixed.len,
		  (void *)(uintptr_t)fixed.ptr, MHD_RESPMEM_PERSISTENT)
	    : MHD_create_response_from_buffer(
		  rs->body.len, rs->body.ptr, MHD_RESPMEM_MUST_FREE);

	if (r == NULL)
		return NULL;
	if (fixed.ptr == NULL)
		rs->body = buf_make(0); /* the response has it now */
	for (size_t i = 0; i < COUNT(always); i++)
		(void)MHD_add_response_header(
		    r, always[i].name, always[i].value);
	(void)MHD_add_response_header(r, "Content-Type", rs->type);
	if (!has_header(rs, "Cache-Control"))
		(void)MHD_add_response_header(r, "Cache-Control", "no-store");
	for (size_t i = 0; i < rs->header_count; i++)
		(void)MHD_add_response_header(
		    r, rs->headers[i].name, rs->headers[i].value);
	return r;
}
