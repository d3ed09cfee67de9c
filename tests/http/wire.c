#include "wire.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define YEAR_MS      (INT64_C(365) * DAY_MS)
#define RESPONSE_MAX (16u << 20)
#define PATIENCE_S   20

struct span
pem(const struct buf *b)
{
	return buf_view(b);
}

static void
issue(const struct identity *ca, struct identity *to, const char *name,
    bool server, int64_t from, int64_t until)
{
	static const char *const ips[] = { "127.0.0.1", "::1", NULL };
	static const char *const names[] = { "localhost", NULL };
	struct cert_request rq = { .common_name = name,
		.dns_names = server ? names : NULL,
		.ip_names = server ? ips : NULL,
		.not_before_ms = from,
		.not_after_ms = until,
		.server = server,
		.client = !server };
	struct buf csr = buf_make(PEM_MAX);
	struct errinfo ei = { 0 };

	to->key = buf_make(PEM_MAX);
	to->cert = buf_make(PEM_MAX);
	assert_ok(key_make(&to->key, &ei));
	assert_ok(csr_make(pem(&to->key), name, &csr, &ei));
	assert_ok(ca_issue(
	    pem(&ca->key), pem(&ca->cert), pem(&csr), &rq, &to->cert, &ei));
	buf_free(&csr);
}

void
authority_make(struct authority *a)
{
	int64_t now = clock_utc_ms(&clock_system);
	struct errinfo ei = { 0 };

	a->ca.key = buf_make(PEM_MAX);
	a->ca.cert = buf_make(PEM_MAX);
	assert_ok(key_make(&a->ca.key, &ei));
	assert_ok(ca_make(pem(&a->ca.key), "Test CA", now - 2 * YEAR_MS,
	    now + YEAR_MS, &a->ca.cert, &ei));
	issue(&a->ca, &a->server, "server", true, now - DAY_MS, now + YEAR_MS);
	issue(
	    &a->ca, &a->client, "agent-7", false, now - DAY_MS, now + YEAR_MS);
	issue(
	    &a->ca, &a->expired, "agent-8", false, now - YEAR_MS, now - DAY_MS);
}

void
authority_free(struct authority *a)
{
	struct identity *all[] = { &a->ca, &a->server, &a->client,
		&a->expired };

	for (size_t i = 0; i < COUNT(all); i++) {
		buf_free(&all[i]->key);
		buf_free(&all[i]->cert);
	}
}

/* ---- a peer ---- */

struct wire {
	int fd;
	gnutls_session_t tls;
	gnutls_certificate_credentials_t cred;
	struct buf in;   /* what came and is not yet given out */
	struct buf last; /* what was given out */
};

static int
connect_to(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { PATIENCE_S, 0 };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
use_identity(struct wire *w, const struct identity *who)
{
	gnutls_datum_t cert, key;

	assert_int_equal(gnutls_certificate_allocate_credentials(&w->cred), 0);
	if (who != NULL) {
		cert = (gnutls_datum_t){ (unsigned char *)who->cert.ptr,
			(unsigned)who->cert.len };
		key = (gnutls_datum_t){ (unsigned char *)who->key.ptr,
			(unsigned)who->key.len };
		assert_int_equal(gnutls_certificate_set_x509_key_mem(
				     w->cred, &cert, &key, GNUTLS_X509_FMT_PEM),
		    0);
	}
	assert_int_equal(
	    gnutls_credentials_set(w->tls, GNUTLS_CRD_CERTIFICATE, w->cred), 0);
}

struct wire *
wire_open_with(
    uint16_t port, const struct identity *who, const char *priorities)
{
	struct wire *w = calloc(1, sizeof(*w));
	int r;

	assert_non_null(w);
	w->in = buf_make(RESPONSE_MAX);
	w->last = buf_make(RESPONSE_MAX);
	w->fd = connect_to(port);
	/* A peer that is asked for a certificate of a CA it does not have
	 * would keep it back: a hostile one does not. */
	assert_int_equal(
	    gnutls_init(&w->tls,
		GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT),
	    0);
	assert_int_equal(
	    gnutls_priority_set_direct(w->tls, priorities, NULL), 0);
	use_identity(w, who);
	if (w->fd >= 0) {
		gnutls_transport_set_int(w->tls, w->fd);
		do
			r = gnutls_handshake(w->tls);
		while (r < 0 && gnutls_error_is_fatal(r) == 0);
		if (r == 0)
			return w;
	}
	wire_close(w);
	return NULL;
}

struct wire *
wire_open(uint16_t port, const struct identity *who)
{
	return wire_open_with(port, who, "NORMAL");
}

void
wire_close(struct wire *w)
{
	if (w == NULL)
		return;
	gnutls_deinit(w->tls);
	gnutls_certificate_free_credentials(w->cred);
	if (w->fd >= 0)
		(void)close(w->fd);
	buf_free(&w->in);
	buf_free(&w->last);
	free(w);
}

bool
wire_send(struct wire *w, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n > 0) {
		ssize_t done = gnutls_record_send(w->tls, at, n);

		if (done < 0 && gnutls_error_is_fatal((int)done) != 0)
			return false;
		if (done > 0) {
			at += done;
			n -= (size_t)done;
		}
	}
	return true;
}

/* False at the end. */
static bool
read_more(struct wire *w)
{
	char bytes[16384];
	ssize_t n;

	do
		n = gnutls_record_recv(w->tls, bytes, sizeof(bytes));
	while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE);
	if (n > 0)
		buf_add(&w->in, bytes, (size_t)n);
	return n > 0;
}

static size_t
body_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	return at == NULL ? 0 : strtoul(at + 17, NULL, 10);
}

const char *
wire_response(struct wire *w, bool head)
{
	size_t n = 0;
	char *end;

	buf_clear(&w->last);
	while (w->in.ptr == NULL || strstr(w->in.ptr, "\r\n\r\n") == NULL)
		if (!read_more(w))
			return "";
	end = strstr(w->in.ptr, "\r\n\r\n");
	n = (size_t)(end - w->in.ptr) + 4;
	if (!head)
		n += body_length(w->in.ptr);
	while (w->in.len < n)
		if (!read_more(w))
			return "";
	buf_add(&w->last, w->in.ptr, n);
	memmove(w->in.ptr, w->in.ptr + n, w->in.len - n + 1);
	w->in.len -= n;
	return w->last.ptr;
}

const char *
wire_ask(struct wire **w, uint16_t port, const char *request)
{
	*w = wire_open(port, NULL);
	assert_non_null(*w);
	(void)wire_send(*w, request, strlen(request));
	return wire_response(*w, strncmp(request, "HEAD ", 5) == 0);
}

bool
wire_closed(struct wire *w)
{
	return w->in.len == 0 && !read_more(w);
}

int
status_of(const char *response)
{
	return strncmp(response, "HTTP/1.1 ", 9) == 0
	    ? (int)strtol(response + 9, NULL, 10)
	    : 0;
}
