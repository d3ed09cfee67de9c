#ifndef CRYPT_CRYPT_INT_H
#define CRYPT_CRYPT_INT_H

#include "crypt/crypt.h"

/* An OpenSSL call failed: its own first reason, and an empty error queue. */
enum err crypt_fail(struct errinfo *ei, enum err code, const char *what);

#endif
