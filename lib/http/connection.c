/* What is known of a connection: who is at the other end, and how long we
 * wait for it.  libmicrohttpd ends a connection on which nothing happens; one
 * on which a byte happens now and then is ended here. */

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "http/http_int.h"

#define LOOK_SECONDS      1
#define EXTRA_SECONDS_MAX 7200 /* whatever length a peer claims */

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t end;
	struct connection *first;
	bool ending;
	pthread_t thread;
};

void
connection_allow(struct connection *c, int seconds, uint64_t bytes)
{
	uint64_t most = (uint64_t)EXTRA_SECONDS_MAX * HTTP_BYTES_A_SECOND;
	int64_t extra =
	    (int64_t)((bytes < most ? bytes : most) / HTTP_BYTES_A_SECOND);
	int64_t ns = seconds == 0 ? 0
				  : clock_mono_ns(&clock_system) +
		(seconds + extra) * INT64_C(1000000000);

	atomic_store(&c->deadline_ns, ns);
}

/* The socket is closed by its owner, libmicrohttpd, after watch_remove();
 * shutting it down makes the owner notice. */
static void
end_slow(struct watch *w)
{
	int64_t now = clock_mono_ns(&clock_system);

	for (struct connection *c = w->first; c != NULL; c = c->next) {
		int64_t deadline = atomic_load(&c->deadline_ns);

		if (deadline == 0 || now < deadline)
			continue;
		log_debug("http.too_slow", LOG_S("remote", c->remote));
		(void)shutdown(c->fd, SHUT_RDWR);
		atomic_store(&c->deadline_ns, 0);
	}
}

static void *
look_often(void *arg)
{
	struct watch *w = arg;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->ending) {
		struct timespec until;

		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_SECONDS;
		(void)pthread_cond_timedwait(&w->end, &w->lock, &until);
		end_slow(w);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

enum err
watch_new(struct watch **out, struct errinfo *ei)
{
	struct watch *w = calloc(1, sizeof(*w));
	pthread_condattr_t monotonic;
	enum err e;

	if (w == NULL)
		return err_set(ei, ERR_NOMEM, "connections");
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->end, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	e = thread_start(&w->thread, look_often, w, ei);
	if (e != OK) {
		free(w);
		return e;
	}
	*out = w;
	return OK;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->ending = true;
	(void)pthread_cond_signal(&w->end);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->end);
	free(w);
}

static void
set_remote(struct connection *c, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info == NULL ? NULL : info->client_addr;

	if (a != NULL)
		(void)getnameinfo(a,
		    a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof(struct sockaddr_in),
		    c->remote, sizeof(c->remote), NULL, 0, NI_NUMERICHOST);
}

struct connection *
watch_add(struct watch *w, struct MHD_Connection *mhd, int seconds)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL || info == NULL) {
		free(c);
		return NULL;
	}
	c->fd = info->connect_fd;
	set_remote(c, mhd);
	connection_allow(c, seconds, 0);
	(void)pthread_mutex_lock(&w->lock);
	c->next = w->first;
	if (c->next != NULL)
		c->next->previous = c;
	w->first = c;
	(void)pthread_mutex_unlock(&w->lock);
	return c;
}

void
watch_remove(struct watch *w, struct connection *c)
{
	(void)pthread_mutex_lock(&w->lock);
	if (c->next != NULL)
		c->next->previous = c->previous;
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		w->first = c->next;
	(void)pthread_mutex_unlock(&w->lock);
	free((char *)(uintptr_t)c->der.ptr);
	free(c);
}

/* ---- the peer's certificate ---- */

static enum certificate
verify(struct connection *c, gnutls_session_t session)
{
	char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st data = { GNUTLS_DT_KEY_PURPOSE_OID,
		(unsigned char *)purpose, 0 };
	const gnutls_datum_t *list;
	unsigned n = 0, status = 0;
	struct span der;
	char *copy;

	list = gnutls_certificate_get_peers(session, &n);
	if (list == NULL || n == 0)
		return CERT_NONE;
	if (gnutls_certificate_verify_peers(session, &data, 1, &status) != 0 ||
	    status != 0) {
		log_warn("http.bad_certificate", LOG_S("remote", c->remote),
		    LOG_I("status", (int64_t)status));
		return CERT_BAD;
	}
	der = (struct span){ (const char *)list[0].data, list[0].size };
	copy = malloc(der.len);
	if (copy == NULL)
		return CERT_BAD;
	memcpy(copy, der.ptr, der.len);
	c->der = (struct span){ copy, der.len };
	return CERT_GOOD;
}

enum certificate
connection_certificate(struct connection *c, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info;

	if (c->certificate != CERT_UNKNOWN)
		return c->certificate;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	c->certificate = info == NULL || info->tls_session == NULL
	    ? CERT_NONE
	    : verify(c, info->tls_session);
	return c->certificate;
}
