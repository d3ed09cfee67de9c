#include "keys.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/file.h"
#include "crypt/crypt.h"

#define CA_YEARS    20
#define SERVER_DAYS 825
#define RENEW_DAYS  30 /* left on the server's certificate */
#define NAMES_MAX   64

static const char *
key_path(struct setup *s, const char *name)
{
	return arena_fmt(s->arena, "%s/keys/%s", s->config.data_dir, name);
}

/* The file's text in the arena, or ERR_NOT_FOUND. */
static enum err
read_text(
    struct setup *s, const char *name, struct span *out, struct errinfo *ei)
{
	struct buf b = buf_make(PEM_MAX);
	enum err e = file_read(key_path(s, name), &b, ei);

	if (e == OK) {
		*out = arena_span(s->arena, buf_view(&b));
		if (out->ptr == NULL)
			e = err_set(ei, ERR_NOMEM, "%s", name);
	}
	if (b.ptr != NULL)
		crypt_wipe(b.ptr, b.len);
	buf_free(&b);
	return e;
}

static enum err
write_text(
    struct setup *s, const char *name, struct span text, struct errinfo *ei)
{
	return file_replace(key_path(s, name), text, 0600, ei);
}

/* Reads NAME, or makes a fresh private key there. */
static enum err
private_key(
    struct setup *s, const char *name, struct span *out, struct errinfo *ei)
{
	struct buf pem = buf_make(PEM_MAX);
	enum err e = read_text(s, name, out, ei);

	if (e != ERR_NOT_FOUND)
		return e;
	e = key_make(&pem, ei);
	if (e == OK)
		e = write_text(s, name, buf_view(&pem), ei);
	buf_free(&pem);
	return e == OK ? read_text(s, name, out, ei) : e;
}

static enum err
authority(struct setup *s, struct errinfo *ei)
{
	struct centre *c = &s->centre;
	struct buf pem = buf_make(PEM_MAX);
	struct cert_info info;
	int64_t now = clock_utc_ms(c->clock);
	enum err e = private_key(s, "ca.key", &c->ca_key, ei);

	if (e == OK)
		e = read_text(s, "ca.pem", &c->ca_cert, ei);
	if (e == ERR_NOT_FOUND) {
		e = ca_make(c->ca_key, "Khien CA", now - DAY_MS,
		    now + CA_YEARS * 365 * DAY_MS, &pem, ei);
		if (e == OK)
			e = write_text(s, "ca.pem", buf_view(&pem), ei);
		if (e == OK)
			e = read_text(s, "ca.pem", &c->ca_cert, ei);
	}
	if (e == OK)
		e = cert_read(c->ca_cert, &info, ei);
	if (e == OK)
		hex_encode(info.key_pin, SHA256_LEN, c->ca_pin);
	buf_free(&pem);
	return e;
}

static bool
is_address(const char *name)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 ||
	    inet_pton(AF_INET6, name, bytes) == 1;
}

static enum err
issue_server(struct setup *s, struct errinfo *ei)
{
	static const char *const always[] = { "localhost", "127.0.0.1", "::1" };
	const char *dns[NAMES_MAX + 4] = { NULL },
				    *ip[NAMES_MAX + 4] = { NULL };
	size_t ndns = 0, nip = 0;
	int64_t now = clock_utc_ms(s->centre.clock);
	struct buf csr = buf_make(PEM_MAX);
	struct cert_request rq = {
		.common_name = "khien-server",
		.dns_names = dns,
		.ip_names = ip,
		.server = true,
		.not_before_ms = now - DAY_MS,
		.not_after_ms = now + SERVER_DAYS * DAY_MS,
	};
	enum err e;

	for (size_t i = 0; i < COUNT(always); i++)
		*(is_address(always[i]) ? &ip[nip++] : &dns[ndns++]) =
		    always[i];
	for (size_t i = 0; s->config.names[i] != NULL && i < NAMES_MAX; i++)
		*(is_address(s->config.names[i]) ? &ip[nip++] : &dns[ndns++]) =
		    s->config.names[i];
	buf_clear(&s->server_cert);
	e = csr_make(buf_view(&s->server_key), "khien-server", &csr, ei);
	if (e == OK)
		e = ca_issue(s->centre.ca_key, s->centre.ca_cert,
		    buf_view(&csr), &rq, &s->server_cert, ei);
	if (e == OK)
		e = write_text(s, "server.pem", buf_view(&s->server_cert), ei);
	buf_free(&csr);
	return e;
}

/* The names that the certificate at hand was made for. */
static const char *
names_text(struct setup *s)
{
	const char *text = "";

	for (size_t i = 0; text != NULL && s->config.names[i] != NULL; i++)
		text = arena_fmt(s->arena, "%s%s\n", text, s->config.names[i]);
	return text == NULL ? "" : text;
}

static enum err
own_certificate(struct setup *s, struct errinfo *ei)
{
	struct span key, cert, made_for = { "", 0 };
	const char *names = names_text(s);
	struct cert_info info;
	enum err e = private_key(s, "server.key", &key, ei);

	if (e != OK)
		return e;
	s->server_key = buf_make(PEM_MAX);
	s->server_cert = buf_make(PEM_MAX);
	buf_span(&s->server_key, key);
	if (read_text(s, "server.pem", &cert, ei) == OK &&
	    read_text(s, "server.names", &made_for, ei) == OK &&
	    cert_read(cert, &info, ei) == OK && span_is(made_for, names) &&
	    info.not_after_ms - clock_utc_ms(s->centre.clock) >
		RENEW_DAYS * DAY_MS) {
		buf_span(&s->server_cert, cert);
		return OK;
	}
	e = issue_server(s, ei);
	if (e == OK)
		e = write_text(s, "server.names", span_of(names), ei);
	return e;
}

static enum err
sign_key(struct setup *s, struct errinfo *ei)
{
	struct centre *c = &s->centre;
	unsigned char bytes[64];
	char hex[129];
	struct span text;
	enum err e = read_text(s, "sign.key", &text, ei);

	if (e == ERR_NOT_FOUND) {
		e = sign_key_make(bytes, bytes + 32, ei);
		hex_encode(bytes, sizeof(bytes), hex);
		if (e == OK)
			e = write_text(s, "sign.key", span_of(hex), ei);
		text = span_of(hex);
	}
	if (e == OK && hex_decode(text, bytes, sizeof(bytes)) != OK)
		e = err_set(ei, ERR_CORRUPT, "key file sign.key");
	if (e == OK) {
		memcpy(c->sign_secret, bytes, 32);
		memcpy(c->sign_public, bytes + 32, 32);
	}
	crypt_wipe(bytes, sizeof(bytes));
	crypt_wipe(hex, sizeof(hex));
	return e;
}

enum err
keys_open(struct setup *s, struct errinfo *ei)
{
	enum err e = file_make_dir(key_path(s, ""), 0700, ei);

	if (e == OK)
		e = authority(s, ei);
	if (e == OK)
		e = own_certificate(s, ei);
	return e == OK ? sign_key(s, ei) : e;
}
