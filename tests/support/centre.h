#ifndef TESTS_SUPPORT_CENTRE_H
#define TESTS_SUPPORT_CENTRE_H

#include "support/database.h"

#include "crypt/crypt.h"
#include "module/module.h"

/* A centre for tests of rooms: the tables and settings of the product on the
 * test's database, keys of its own, and a clock that stands still at TEST_NOW
 * until the test moves it. */

#define TEST_NOW INT64_C(1764208800000) /* 2025-11-27 09:00 in UTC+7 */
#define TEST_DAY "2025-11-27"

struct test_centre {
	struct centre c;
	struct clock clock;
	struct arena *arena;
	struct buf ca_key, ca_cert, server_key, server_cert;
	char dir[64]; /* c.data_dir */
};

void test_centre_open(
    struct test_centre *t, struct test_database *db, int64_t now_ms);
void test_centre_close(struct test_centre *t);

/* A request as it reaches a handler of the administrator. */
struct http_req test_request(struct test_centre *t);

/* The number that constant SQL gives; text results are compared in it. */
int64_t test_number(struct store *st, const char *sql);
/* Rows of the audit log with this action. */
int64_t test_audited(struct store *st, const char *action);

/* An agency that holds from 2020-01-01. */
struct uuid
test_agency(struct test_centre *t, const char *code, const char *parent);
void test_setting(struct test_centre *t, const char *key, int64_t value);

#endif
