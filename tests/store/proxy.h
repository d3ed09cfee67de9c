#ifndef TESTS_STORE_PROXY_H
#define TESTS_STORE_PROXY_H

#include "support/database.h"

/* Stands between the store and PostgreSQL, on a Unix socket of its own, and
 * cuts the connection at the moment that a test asks for. */
struct proxy;

enum proxy_cut {
	PROXY_PASS,
	PROXY_CUT_BEFORE_COMMIT, /* the server never hears COMMIT */
	PROXY_CUT_AFTER_COMMIT,  /* it answers, and nobody hears that */
	PROXY_AWAY,              /* refuses new connections, cuts the old */
};

struct proxy *proxy_start(const struct test_database *db);
void proxy_stop(struct proxy *p);
const char *proxy_url(const struct proxy *p);
/* The next COMMIT is cut once, then all passes again; AWAY stays. */
void proxy_set(struct proxy *p, enum proxy_cut cut);
int proxy_cuts(struct proxy *p); /* how often it happened */

#endif
