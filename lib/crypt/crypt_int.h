#ifndef CRYPT_CRYPT_INT_H
#define CRYPT_CRYPT_INT_H

#include <openssl/asn1.h>

#include "crypt/crypt.h"

/* An OpenSSL call failed: its own first reason, and an empty error queue. */
enum err crypt_fail(struct errinfo *ei, enum err code, const char *what);

/* UTC, in ms; false if there is none, or it is malformed. */
bool crypt_time(const ASN1_TIME *t, int64_t *out);

#endif
