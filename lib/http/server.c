/* The HTTPS server: libmicrohttpd on the network threads, which start and
 * stop here; handlers on a pool of their own. */

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "http/http_int.h"

/* Request line and headers, of both directions; held by every connection. */
#define CONNECTION_MEMORY 10240
#define BACKLOG           1024
#define STOP_SECONDS      5 /* for the last answers to leave */
#define PRIORITIES                                                             \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:"  \
	"+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"                    \
	"+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* ---- called by libmicrohttpd ---- */

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **state)
{
	(void)cls;
	(void)mhd;
	(void)url;
	(void)version;
	return *state == NULL ? MHD_NO
			      : exchange_step(*state, method, data, size);
}

/* The first that is heard of a request: its target, undecoded. */
static void *
on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	return exchange_new(cls, mhd, uri);
}

static void
on_completed(void *cls, struct MHD_Connection *mhd, void **state,
    enum MHD_RequestTerminationCode code)
{
	struct http_server *srv = cls;
	struct exchange *x = *state;

	(void)mhd;
	(void)code;
	if (x == NULL)
		return;
	/* Idle, which libmicrohttpd ends, and then the next head. */
	connection_allow(x->connection, 2 * srv->opt.request_seconds, 0);
	exchange_free(x);
	*state = NULL;
}

static void
on_connection(void *cls, struct MHD_Connection *mhd, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http_server *srv = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = watch_add(srv->watch, mhd, srv->opt.request_seconds);
	} else if (*context != NULL) {
		watch_remove(srv->watch, *context);
		*context = NULL;
	}
}

/* Targets are decoded by path_decode() and nobody else. */
static size_t
leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void
on_message(void *cls, const char *fmt, va_list ap)
{
	struct http_server *srv = cls;
	char text[sizeof(srv->fault)];
	size_t n;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	n = strcspn(text, "\n");
	text[n] = '\0';
	if (srv->daemon == NULL) /* still one thread */
		memcpy(srv->fault, text, sizeof(text));
	else
		log_debug("http.library", LOG_S("text", text));
}

/* ---- start ---- */

static void
set_defaults(struct http_server_options *opt)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (opt->network_threads == 0)
		opt->network_threads = cores > 0 ? (int)cores : 1;
	if (opt->handler_threads == 0)
		opt->handler_threads = 32;
	if (opt->connections_max == 0)
		opt->connections_max = 4096;
	if (opt->request_seconds == 0)
		opt->request_seconds = 75;
}

static enum err
socket_address(const struct http_server_options *opt,
    struct sockaddr_storage *out, struct errinfo *ei)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, opt->address, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(opt->port);
		return OK;
	}
	if (inet_pton(AF_INET6, opt->address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(opt->port);
		return OK;
	}
	return err_field(
	    ei, ERR_SYNTAX, "address", "%s is not an IP address", opt->address);
}

static enum err
open_listener(struct http_server *srv, struct errinfo *ei)
{
	const struct http_server_options *opt = &srv->opt;
	struct sockaddr_storage address;
	const int on = 1;
	enum err e = socket_address(opt, &address, ei);

	if (e != OK)
		return e;
	srv->listening = socket(
	    address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (srv->listening < 0 ||
	    setsockopt(srv->listening, SOL_SOCKET, SO_REUSEADDR, &on,
		sizeof(on)) != 0 ||
	    bind(srv->listening, (struct sockaddr *)&address,
		address.ss_family == AF_INET6
		    ? sizeof(struct sockaddr_in6)
		    : sizeof(struct sockaddr_in)) != 0 ||
	    listen(srv->listening, BACKLOG) != 0)
		return err_sys(
		    ei, "listen on %s port %u", opt->address, opt->port);
	return OK;
}

static enum err
copy_pem(struct span pem, char **out, struct errinfo *ei)
{
	if (pem.len == 0)
		return OK;
	*out = strndup(pem.ptr, pem.len);
	return *out == NULL ? err_set(ei, ERR_NOMEM, "certificate") : OK;
}

static enum err
copy_pems(struct http_server *srv, struct errinfo *ei)
{
	enum err e = copy_pem(srv->opt.cert_pem, &srv->cert, ei);

	if (e == OK)
		e = copy_pem(srv->opt.key_pem, &srv->key, ei);
	if (e == OK)
		e = copy_pem(srv->opt.client_ca_pem, &srv->trust, ei);
	if (e == OK && (srv->cert == NULL || srv->key == NULL))
		e = err_set(ei, ERR_SYNTAX, "no certificate or no key");
	return e;
}

static struct MHD_Daemon *
start_daemon(struct http_server *srv)
{
	const struct http_server_options *opt = &srv->opt;
	struct MHD_OptionItem more[3] = { { MHD_OPTION_END, 0, NULL } };
	size_t n = 0;

	if (srv->trust != NULL)
		more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST,
			0, srv->trust };
	if (opt->network_threads > 1)
		more[n++] =
		    (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE,
			    opt->network_threads, NULL };
	more[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS |
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, on_request, srv, MHD_OPTION_EXTERNAL_LOGGER,
	    on_message, srv, MHD_OPTION_LISTEN_SOCKET, srv->listening,
	    MHD_OPTION_HTTPS_MEM_CERT, srv->cert, MHD_OPTION_HTTPS_MEM_KEY,
	    srv->key, MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)opt->connections_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)opt->request_seconds,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
	    on_target, srv, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, srv,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, srv, MHD_OPTION_ARRAY,
	    more, MHD_OPTION_END);
}

/* With all signals blocked, for the threads inherit that. */
static enum err
start_network(struct http_server *srv, struct errinfo *ei)
{
	sigset_t before;

	signals_block(&before);
	srv->daemon = start_daemon(srv);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (srv->daemon == NULL)
		return err_set(ei, ERR_IO, "the server does not start: %s",
		    srv->fault[0] == '\0' ? "no reason given" : srv->fault);
	return OK;
}

enum err
http_server_start(const struct http_server_options *opt,
    struct http_server **out, struct errinfo *ei)
{
	struct http_server *srv = calloc(1, sizeof(*srv));
	enum err e;

	if (srv == NULL)
		return err_set(ei, ERR_NOMEM, "server");
	(void)signal(SIGPIPE, SIG_IGN);
	srv->opt = *opt;
	srv->listening = -1;
	set_defaults(&srv->opt);
	e = router_new(opt->tables, &srv->router, ei);
	if (e == OK)
		e = copy_pems(srv, ei);
	if (e == OK)
		e = open_listener(srv, ei);
	if (e == OK)
		e = watch_new(&srv->watch, ei);
	if (e == OK)
		e = pool_new(srv->opt.handler_threads, HTTP_QUEUE_MAX,
		    exchange_run, &srv->pool, ei);
	if (e == OK)
		e = start_network(srv, ei);
	if (e == OK)
		*out = srv;
	else
		http_server_stop(srv);
	return e;
}

uint16_t
http_server_port(const struct http_server *srv)
{
	union {
		struct sockaddr_in6 v6;
		struct sockaddr_in v4;
		struct sockaddr any;
	} a = { 0 };
	socklen_t n = sizeof(a);

	if (getsockname(srv->listening, &a.any, &n) != 0)
		return 0;
	return ntohs(
	    a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

/* ---- stop ---- */

/* What is with a handler ends, what waits is told to come back, and answers
 * get a moment to leave. */
static void
stop_network(struct http_server *srv)
{
	const struct timespec moment = { 0, 10000000 };
	int64_t until;

	(void)MHD_quiesce_daemon(srv->daemon); /* the socket stays ours */
	pool_end(srv->pool); /* nothing stays suspended after this */
	until =
	    clock_mono_ns(&clock_system) + STOP_SECONDS * INT64_C(1000000000);
	while (atomic_load(&srv->exchanges) > 0 &&
	    clock_mono_ns(&clock_system) < until)
		(void)nanosleep(&moment, NULL);
	MHD_stop_daemon(srv->daemon);
}

static void
wipe(char *pem)
{
	if (pem != NULL)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

void
http_server_stop(struct http_server *srv)
{
	if (srv == NULL)
		return;
	atomic_store(&srv->stopping, true);
	if (srv->daemon != NULL)
		stop_network(srv);
	pool_free(srv->pool);
	watch_free(srv->watch);
	if (srv->listening >= 0)
		(void)close(srv->listening);
	router_free(srv->router);
	wipe(srv->key);
	free(srv->cert);
	free(srv->trust);
	free(srv);
}
