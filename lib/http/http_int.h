#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "http/assets.h"
#include "http/http.h"

/* Inside the room: parsers of what a request holds, the route table, the
 * threads, and one exchange of request and response. */

#define HTTP_ARENA_MAX      (64u << 20)
#define HTTP_HEADERS_MAX    16          /* of a response, beside the fixed */
#define HTTP_QUEUE_MAX      4096        /* requests that wait for a thread */
#define HTTP_SMALL_BODY     (16u << 10) /* read before authorise is asked */
#define HTTP_DISCARD_MAX    (16u << 20) /* of a refused body, to answer after */
#define HTTP_BYTES_A_SECOND 4096        /* the slowest peer we wait for */
#define HTTP_PARTS_HEAD     4096        /* bytes before a part's contents */

struct pair {
	struct span name, value;
};
struct pairs {
	struct pair *list;
	size_t count;
};

/* ---- parsers (pure: fuzzed) ---- */

/* A request path: every byte printable ASCII or a %XX that decodes; the
 * whole begins with '/' and is UTF-8 without control characters, without
 * "." and ".." segments, and no escape hides a '/'. */
enum err path_decode(struct span raw, struct arena *a, const char **out,
    struct errinfo *ei) MUST_USE;
/* application/x-www-form-urlencoded, of a body or a query string. */
enum err urlencoded_parse(struct span s, struct arena *a, struct pairs *out,
    struct errinfo *ei) MUST_USE;
/* multipart/form-data (RFC 7578); `type` is the Content-Type header.  Values
 * are spans of `body`. */
enum err multipart_parse(struct span body, struct span type, struct arena *a,
    struct pairs *out, struct errinfo *ei) MUST_USE;
/* name="value" or name=value of a header such as Content-Type; .ptr is NULL
 * when there is none. */
struct span header_parameter(struct span header, const char *name);
/* The value of a cookie in a Cookie header (RFC 6265); .ptr is NULL when
 * there is none. */
struct span cookie_find(struct span header, const char *name);
/* Does an Accept-Encoding header (RFC 9110, 12.5.3) take gzip? */
bool accepts_gzip(struct span header);
/* Text for people and programs: UTF-8, no controls but tab, CR and LF. */
bool text_ok(struct span s);
enum err pairs_add(struct pairs *p, struct arena *a, struct span name,
    struct span value, struct errinfo *ei) MUST_USE;
/* The first of this name, or an empty span. */
struct span pairs_find(const struct pairs *p, const char *name);

/* ---- routes ---- */

#define ALLOW_MAX 64

struct router;
enum err router_new(const struct route *const *tables, struct router **out,
    struct errinfo *ei) MUST_USE;
void router_free(struct router *r);
/* ERR_NOT_FOUND: no such path.  ERR_UNSUPPORTED: another method; `allow` lists
 * those that there are.  Parameters are spans of `path`. */
enum err router_find(const struct router *r, const char *method,
    const char *path, const struct route **out,
    struct span params[HTTP_PARAMS_MAX], char allow[ALLOW_MAX]) MUST_USE;

/* ---- threads ---- */

/* Signals are the program's: threads are made with all blocked but those that
 * a fault of their own raises. */
void signals_block(sigset_t *before);
enum err thread_start(pthread_t *out, void *(*run)(void *), void *arg,
    struct errinfo *ei) MUST_USE;

struct job {
	struct job *next;
};
struct pool;
enum err pool_new(int threads, size_t queue_max, void (*run)(struct job *),
    struct pool **out, struct errinfo *ei) MUST_USE;
bool pool_push(struct pool *p, struct job *j); /* false: the queue is full */
/* Runs what waits and ends the threads; pool_push() refuses from now on. */
void pool_end(struct pool *p);  /* accepts NULL */
void pool_free(struct pool *p); /* pool_end() first; accepts NULL */

/* ---- connections ---- */

enum certificate { CERT_UNKNOWN, CERT_NONE, CERT_GOOD, CERT_BAD };

struct connection {
	struct connection *previous, *next;
	int fd;
	_Atomic int64_t deadline_ns; /* shut down after it; 0 = never */
	enum certificate certificate;
	struct span der; /* of CERT_GOOD */
	char remote[INET6_ADDRSTRLEN];
};

/* All connections, and a thread that ends those that are too slow. */
struct watch;
enum err watch_new(struct watch **out, struct errinfo *ei) MUST_USE;
void watch_free(struct watch *w); /* when no connection is left */
struct connection *
watch_add(struct watch *w, struct MHD_Connection *mhd, int seconds);
void watch_remove(struct watch *w, struct connection *c); /* frees */
/* From now on the peer has `seconds`, and more for `bytes` that must pass;
 * 0 seconds: as long as it takes. */
void connection_allow(struct connection *c, int seconds, uint64_t bytes);
/* Verifies the peer's certificate, once. */
enum certificate
connection_certificate(struct connection *c, struct MHD_Connection *mhd);

/* ---- responses ---- */

struct http_res {
	int status; /* 0: nothing sent yet */
	const char *type;
	struct buf body;
	struct span
	    fixed; /* instead of the body: lives as long as the server */
	struct {
		const char *name;
		char *value;
	} headers[HTTP_HEADERS_MAX];
	size_t header_count;
	const char *fault;   /* a mistake of the handler, or NULL */
	struct arena *arena; /* the request's */
};

void response_compress(struct http_res *rs); /* text over 1 KiB */
/* NULL when memory is out; takes the body. */
struct MHD_Response *response_make(struct http_res *rs);
bool compressible(const char *type);
/* Appends the gzip form (RFC 1952) of `s`. */
enum err gzip(struct span s, struct buf *out, struct errinfo *ei) MUST_USE;

/* ---- exchanges ---- */

struct http_server {
	struct http_server_options opt;
	struct router *router;
	struct MHD_Daemon *daemon;
	struct pool *pool;
	struct watch *watch;
	int listening; /* fd, or -1 */
	atomic_bool stopping;
	atomic_int exchanges; /* begun and not completed */
	char *cert, *key, *trust;
	char fault[256]; /* what the library said while starting */
};

enum state {
	S_HEAD,   /* the headers are there */
	S_ALLOW,  /* at a handler thread: may it come in? */
	S_ASKED,  /* it was asked; the body follows */
	S_BODY,   /* the body, if any, arrives; thrown away if refused */
	S_HANDLE, /* at a handler thread */
	S_DONE,   /* the response is ready */
};

struct exchange {
	struct job job; /* first: a job is an exchange */
	struct http_server *srv;
	struct MHD_Connection *mhd;
	struct connection *connection;
	char *raw; /* target of the request line */
	enum state state;
	bool refused, allowed;  /* allowed: authorise agreed */
	struct errinfo refusal; /* why, if refused */
	uint64_t length;        /* of the body */
	int64_t begun_ns;
	const struct asset *asset; /* asked for, or NULL */
	struct http_req rq;
	struct http_res rs;
	struct buf body;
	struct pairs query, form;
	json_t *tree;
};

bool type_is(const struct http_req *rq, const char *type);

struct exchange *
exchange_new(struct http_server *srv, struct MHD_Connection *mhd,
    const char *target); /* NULL when memory is out */
void exchange_free(struct exchange *x);
void exchange_run(struct job *job); /* on a handler thread */
/* On a network thread, whenever libmicrohttpd has something. */
enum MHD_Result exchange_step(
    struct exchange *x, const char *method, const char *data, size_t *size);

#endif
