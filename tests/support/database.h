#ifndef TESTS_SUPPORT_DATABASE_H
#define TESTS_SUPPORT_DATABASE_H

#include "testing.h"

#include "store/store.h"

/* Fresh, empty databases for tests of any room, on every engine:
 *
 *	static void
 *	a_token_is_used_once(void **state)
 *	{
 *		struct test_database *db = *state;
 *		struct store *st = test_database_open(db);
 *		...
 *		store_close(st);
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		const struct CMUnitTest tests[] = {
 *			cmocka_unit_test(a_token_is_used_once),
 *		};
 *
 *		return test_on_every_engine(tests, COUNT(tests));
 *	}
 *
 * PostgreSQL is started by tests/support/postgres when the first test needs
 * it (about a second) and ends with this process, however that ends.  The
 * address of one that runs already may be given in $KHIEN_TEST_POSTGRES.  It
 * is an error, never a skipped test, if there is none. */

enum test_engine {
	TEST_SQLITE,
	TEST_PG,
	TEST_PG_PARTITIONED, /* every tenant table in 8 partitions */
	TEST_ENGINES
};

struct test_database {
	enum test_engine engine;
	char url[512]; /* for store_options */
	bool partitioned;
	char place[128]; /* SQLite: the temporary folder; else the schema */
};

/* Fail the test if they cannot do it. */
void test_database_make(struct test_database *db, enum test_engine engine);
void test_database_drop(struct test_database *db);
/* What to give to store_open(); options may be changed before. */
struct store_options test_database_options(const struct test_database *db);
struct store *test_database_open(const struct test_database *db);
/* PostgreSQL only: SQL as the superuser. */
void test_database_admin(const char *sql);

/* Runs each test on each engine with *state a new test_database; the tests'
 * own set-up, tear-down and initial state are not used.  Returns what main()
 * should. */
int test_on_every_engine(const struct CMUnitTest *tests, size_t count);
/* Only on those from `first` to `last`. */
int test_on_engines(const struct CMUnitTest *tests, size_t count,
    enum test_engine first, enum test_engine last);

#endif
