#ifndef TESTS_HTTP_WIRE_H
#define TESTS_HTTP_WIRE_H

#include "testing.h"

#include "crypt/crypt.h"
#include "http/http.h"

/* A certificate authority with some certificates, and a TLS peer that sends
 * whatever bytes a test likes. */

struct identity {
	struct buf key, cert; /* PEM */
};
struct authority {
	struct identity ca, server, client;
	struct identity expired; /* a client's, of last year */
};

void authority_make(struct authority *a);
void authority_free(struct authority *a);
struct span pem(const struct buf *b);

struct wire;

/* `who` may be NULL.  NULL if TLS fails. */
struct wire *wire_open(uint16_t port, const struct identity *who);
struct wire *wire_open_with(
    uint16_t port, const struct identity *who, const char *priorities);
void wire_close(struct wire *w);
bool wire_send(struct wire *w, const void *bytes, size_t n);
/* One response, head and body, NUL-terminated; "" when the peer closed.
 * Belongs to the wire until the next call.  `head` says that no body follows
 * whatever the length says. */
const char *wire_response(struct wire *w, bool head);
/* Both of the above on a connection of its own. */
const char *wire_ask(struct wire **w, uint16_t port, const char *request);
bool wire_closed(struct wire *w); /* nothing more comes */
int status_of(const char *response);

#endif
