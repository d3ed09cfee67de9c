#include "support/database.h"

#include <fcntl.h>
#include <ftw.h>
#include <libpq-fe.h>
#include <unistd.h>

#define TESTS_MAX 128

/* ---- the server ---------------------------------------------------------- */

/* Starts the keeper with our pipe as its standard input: it stays until that
 * ends, which no crash of ours can prevent. */
static FILE *
start_keeper(void)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		fail_msg("pipe of the PostgreSQL keeper");
	pid = fork();
	if (pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)execl(TEST_POSTGRES, TEST_POSTGRES, "keep", (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]); /* in[1] stays open for our lifetime */
	(void)close(out[1]);
	return fdopen(out[0], "r");
}

static const char *
server_address(void)
{
	static char address[256];
	const char *given = getenv("KHIEN_TEST_POSTGRES");
	FILE *f;

	if (given != NULL)
		return given;
	if (address[0] != '\0')
		return address;
	f = start_keeper();
	if (f == NULL || fgets(address, sizeof(address), f) == NULL)
		fail_msg("PostgreSQL did not start: %s", TEST_POSTGRES);
	address[strcspn(address, "\n")] = '\0';
	(void)fclose(f);
	return address;
}

static void
run_sql(const char *user, const char *sql)
{
	const char *names[] = { "dbname", user != NULL ? "user" : NULL, NULL };
	const char *values[] = { server_address(), user, NULL };
	PGconn *c = PQconnectdbParams(names, values, 1);
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
}

void
test_database_admin(const char *sql)
{
	run_sql("postgres", sql);
}

/* ---- one database -------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
make_sqlite(struct test_database *db)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(db->place, sizeof(db->place), "%s/khien-db-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(db->place) == NULL)
		fail_msg("temporary folder %s", db->place);
	(void)snprintf(
	    db->url, sizeof(db->url), "sqlite:%s/khien.db", db->place);
}

/* A schema is a database that costs a millisecond. */
static void
make_pg(struct test_database *db)
{
	static int made;
	char sql[256];

	(void)snprintf(
	    db->place, sizeof(db->place), "t%d_%d", (int)getpid(), ++made);
	(void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", db->place);
	run_sql(NULL, sql);
	(void)snprintf(db->url, sizeof(db->url),
	    "%s&options=-csearch_path%%3D%s", server_address(), db->place);
}

void
test_database_make(struct test_database *db, enum test_engine engine)
{
	*db = (struct test_database){ .engine = engine,
		.partitioned = engine == TEST_PG_PARTITIONED };
	if (engine == TEST_SQLITE)
		make_sqlite(db);
	else
		make_pg(db);
}

void
test_database_drop(struct test_database *db)
{
	char sql[256];

	if (db->engine == TEST_SQLITE) {
		(void)nftw(db->place, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
		return;
	}
	(void)snprintf(sql, sizeof(sql),
	    "SET client_min_messages = warning; DROP SCHEMA %s CASCADE",
	    db->place);
	run_sql(NULL, sql);
}

struct store_options
test_database_options(const struct test_database *db)
{
	return (struct store_options){
		.url = db->url,
		.partitioned = db->partitioned,
	};
}

struct store *
test_database_open(const struct test_database *db)
{
	struct store_options opt = test_database_options(db);
	struct store *st = NULL;
	struct errinfo ei = { 0 };

	assert_ok(store_open(&opt, &st, &ei));
	return st;
}

/* ---- every engine -------------------------------------------------------- */

static int
set_up(void **state)
{
	const enum test_engine *engine = *state;
	struct test_database *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return -1;
	test_database_make(db, *engine);
	*state = db;
	return 0;
}

static int
tear_down(void **state)
{
	test_database_drop(*state);
	free(*state);
	return 0;
}

int
test_on_engines(const struct CMUnitTest *tests, size_t count,
    enum test_engine first, enum test_engine last)
{
	static const char *const names[] = { "sqlite", "postgresql",
		"postgresql, partitioned" };
	static enum test_engine engines[TEST_ENGINES];
	static struct CMUnitTest all[TESTS_MAX * TEST_ENGINES];
	static char titles[TESTS_MAX * TEST_ENGINES][128];
	size_t n = 0;

	if (count > TESTS_MAX)
		return 1;
	for (enum test_engine e = first; e <= last; e++) {
		engines[e] = e;
		for (size_t i = 0; i < count; i++, n++) {
			(void)snprintf(titles[n], sizeof(titles[n]), "%s [%s]",
			    tests[i].name, names[e]);
			all[n] =
			    (struct CMUnitTest){ titles[n], tests[i].test_func,
				    set_up, tear_down, &engines[e] };
		}
	}
	return _cmocka_run_group_tests("engines", all, n, NULL, NULL);
}

int
test_on_every_engine(const struct CMUnitTest *tests, size_t count)
{
	return test_on_engines(tests, count, TEST_SQLITE, TEST_PG_PARTITIONED);
}
