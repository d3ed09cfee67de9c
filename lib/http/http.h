#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* HTTPS server (RFC 9110, 9112; TLS 1.2 and 1.3) and client.  Handlers see
 * requests and responses, never sockets; they may block, for they run on a
 * pool of threads of their own while the network threads go on.  A program
 * that starts a server or makes a client ignores SIGPIPE from then on; the
 * threads made here have all signals blocked. */

/* ---- requests and responses ------------------------------------------- */

struct http_server;
struct http_res; /* one response; belongs to the server */

#define HTTP_PARAMS_MAX 4
#define HTTP_BODY_MAX   (1u << 20) /* unless the route says otherwise */
#define HTTP_FORM_MAX   256        /* fields of one form or query */

struct http_req {
	void *app;           /* http_server_options.app */
	struct arena *arena; /* lives as long as the request, 64 MiB */
	const char *method;  /* "GET" */
	const char *path;    /* decoded, begins with '/', valid UTF-8 */
	struct span params[HTTP_PARAMS_MAX]; /* {x} of the pattern, decoded */
	struct span body;
	const char *content_type; /* "" if there is none */
	const char *remote;       /* address of the peer, for logs */
	struct span client_cert;  /* DER that TLS verified against our CA, or
				     empty */
	const struct route *route;
	/* Set by the authorise hook; the server does not look at it. */
	void *who;
	const char *lang; /* "vi" or "en"; set by the authorise hook */
	void *internal;
};

typedef void http_handler(const struct http_req *rq, struct http_res *rs);

/* One table row for each door into the house. */
struct route {
	const char *method;     /* NULL ends the table */
	const char *pattern;    /* "/api/v1/agents/{id}" */
	const char *permission; /* "public", "agent", or a permission's name */
	http_handler *handler;
	size_t body_max; /* bytes; 0 = HTTP_BODY_MAX */
};

/* A header or cookie of the request, or NULL.  Names are case-blind. */
const char *http_header(const struct http_req *rq, const char *name);
const char *http_cookie(const struct http_req *rq, const char *name);
/* Field of the query string, or of an urlencoded or multipart body; an
 * absent field is an empty span.  Decoded; the first of several wins.  All but
 * the contents of a file is UTF-8 without control characters other than tab,
 * CR and LF: a request that holds anything else is answered 400 and never
 * reaches its handler. */
struct span http_query(const struct http_req *rq, const char *name);
struct span http_form(const struct http_req *rq, const char *name);
enum err http_param_uuid(const struct http_req *rq, int i, struct uuid *out,
    struct errinfo *ei) MUST_USE;
/* The body as a JSON object; the content type must say so.  The tree is
 * released with the request. */
enum err http_json_body(
    const struct http_req *rq, const json_t **out, struct errinfo *ei) MUST_USE;

/* Exactly one of these ends a handler; none or two are answered with 500. */
void http_send_json(struct http_res *rs, int status, json_t *tree); /* takes */
void http_send_html(struct http_res *rs, int status, struct span html);
void http_send_bytes(
    struct http_res *rs, int status, const char *type, struct span bytes);
void http_send_redirect(struct http_res *rs, const char *location); /* 303 */
/* {"error":{"code":...,"field":...,"message":...}} with the status that one
 * table gives for ei->code: 400 syntax, 413 limit, 401 auth, 403 denied, 404,
 * 405 unsupported, 409 exists, 503 busy (with Retry-After), 500 for the rest,
 * whose text is logged and not sent. */
void http_fail(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei);
int http_status(enum err code);
/* Before sending.  A value with a control character, or that a cookie cannot
 * hold, makes the answer a 500: it is a mistake of ours.  `name` is not
 * copied. */
void http_set_header(struct http_res *rs, const char *name, const char *value);
void http_set_cookie(struct http_res *rs, const char *name, const char *value,
    int64_t max_age_s); /* Secure; HttpOnly; SameSite=Strict; Path=/ */

/* ---- server ------------------------------------------------------------ */

struct http_server_options {
	const char *address; /* "127.0.0.1", "::1" */
	uint16_t port;       /* 0 = any free one; http_server_port() */
	struct span cert_pem, key_pem; /* of this server */
	struct span client_ca_pem; /* asks for client certificates of this CA;
				      having none is allowed, a bad one not */
	int network_threads;       /* 0 = cores */
	int handler_threads;       /* 0 = 32 */
	int connections_max;       /* 0 = 4096 */
	int request_seconds;       /* idle and whole-request deadline; 0 = 75 */
	const struct route *const *tables; /* NULL-ended list of tables */
	const struct assets *assets;       /* http/assets.h; NULL for none */
	/* Decides whether `rq->route` may be used, before a body is parsed and
	 * before one over 16 KiB is even read.  Sets rq->who and rq->lang.
	 * May block.  Not called for unknown paths. */
	enum err (*authorise)(struct http_req *rq, struct errinfo *ei);
	/* A failure for people rather than programs: called for paths outside
	 * /api/; NULL = http_fail().  rq->route is NULL when there is none,
	 * rq->path is "/" when it was not readable. */
	void (*fail_page)(const struct http_req *rq, struct http_res *rs,
	    const struct errinfo *ei);
	void *app;
};
/* Two routes that answer the same request, or a route without permission,
 * refuse to start. */
enum err http_server_start(const struct http_server_options *opt,
    struct http_server **out, struct errinfo *ei) MUST_USE;
uint16_t http_server_port(const struct http_server *srv);
/* Stops accepting, lets running handlers end, closes.  NULL is fine. */
void http_server_stop(struct http_server *srv);

/* Every response carries: Content-Security-Policy default-src 'none' with
 * scripts, styles, images and fonts of our own only (nothing inline),
 * X-Content-Type-Options, Referrer-Policy, Strict-Transport-Security,
 * Cache-Control no-store unless set; text is gzip-compressed when the peer
 * accepts it and it is over 1 KiB. */

/* ---- client ------------------------------------------------------------ */

/* Loads what the TLS library reads from disk, once for each process: before
 * threads, and before a sandbox closes the files. */
void http_client_begin(void);

/* Keeps one connection alive.  One thread at a time.  Uses no proxy and no
 * other authority than ca_pem, whatever the environment says. */
struct http_client;
struct http_client_options {
	const char *base_url; /* "https://host:8443" */
	struct span ca_pem;   /* the only trust; empty only with insecure */
	struct span cert_pem, key_pem; /* of the client; empty for none */
	/* Fetching the CA itself, whose key pin the caller then checks. */
	bool insecure;
	int timeout_ms; /* of a whole exchange; 0 = 90,000 */
};
enum err http_client_new(const struct http_client_options *opt,
    struct http_client **out, struct errinfo *ei) MUST_USE;
void http_client_free(struct http_client *c); /* accepts NULL */
/* One exchange.  `body` empty means none; JSON otherwise.  A response longer
 * than max_body is ERR_LIMIT; no connection, ERR_IO; a TLS failure, ERR_AUTH.
 * Any status is OK.  *response (if not NULL) is borrowed until the next
 * call. */
enum err http_client_do(struct http_client *c, const char *method,
    const char *path, struct span body, size_t max_body, int *status,
    struct span *response, struct errinfo *ei) MUST_USE;
/* Seconds of the last response's Retry-After; 0 if there was none. */
int http_client_retry_after(const struct http_client *c);

#endif
