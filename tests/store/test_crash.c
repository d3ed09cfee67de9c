#include "things.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- kill -9 while writing ----------------------------------------------- */

#define WRITERS 4
#define ROUNDS  3

/* No key forbids a second one: a doubled row would be there. */
static const struct migration logs[] = {
	{ "0001-log",
	    "CREATE TABLE log (agency_id {UUID} NOT NULL, n {INT} NOT NULL,"
	    " filler TEXT NOT NULL) {GLOBAL};\n"
	    "CREATE INDEX log_n ON log (n);\n" },
	{ NULL, NULL },
};

struct writer {
	struct store *st;
	pthread_t thread;
	int64_t n;
};

static enum err
add_log(struct sql *q, void *arg, struct errinfo *ei)
{
	static const char filler[] =
	    "0123456789012345678901234567890123456789012345678901234567890123";
	struct uuid agency = { { 1 } };

	for (int i = 0; i < 3; i++) /* all three or none */
		WANT_OK(sql_exec(q, NULL, ei,
		    "INSERT INTO log (agency_id, n, filler)"
		    " VALUES (?1, ?2, ?3)",
		    SQL_UUID(agency), SQL_INT(*(int64_t *)arg),
		    SQL_STR(filler)));
	return OK;
}

/* Writes for ever, and says which are acknowledged. */
static void *
write_for_ever(void *arg)
{
	struct writer *w = arg;

	for (;; w->n += WRITERS) {
		if (store_write(w->st, add_log, &w->n, NULL) != OK ||
		    write(STDOUT_FILENO, &w->n, sizeof(w->n)) < 0)
			_exit(1);
	}
	return NULL;
}

/* This program again, as the one that is killed. */
static int
child_main(const char *url, int64_t first)
{
	struct store_options opt = { .url = url };
	struct writer all[WRITERS];
	struct store *st;

	if (store_open(&opt, &st, NULL) != OK)
		return 1;
	for (int i = 0; i < WRITERS; i++) {
		all[i] = (struct writer){ .st = st, .n = first + i };
		if (pthread_create(
			&all[i].thread, NULL, write_for_ever, &all[i]) != 0)
			return 1;
	}
	(void)pthread_join(all[0].thread, NULL);
	return 1;
}

static pid_t
start_child(const char *url, int64_t first, int *out)
{
	char number[32];
	int ends[2];
	pid_t pid;

	(void)snprintf(number, sizeof(number), "%lld", (long long)first);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)execl(
		    "/proc/self/exe", "child", url, number, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	*out = ends[0];
	return pid;
}

struct want {
	int64_t n, found;
};

static enum err
count_log(struct sql *q, void *arg, struct errinfo *ei)
{
	struct want *w = arg;

	return sql_get_int(q, &w->found, ei,
	    "SELECT count(*) FROM log WHERE n = ?1", SQL_INT(w->n));
}

static enum err
count_odd(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei,
	    "SELECT count(*) FROM"
	    " (SELECT n FROM log GROUP BY n HAVING count(*) <> 3) AS odd");
}

/* Kills the writer after a while; returns how many it had acknowledged. */
static int
kill_while_writing(const struct test_database *db, int64_t first)
{
	struct store *st;
	struct timespec ts = { 0, 60000000 + (long)random_below(90000000) };
	struct errinfo ei = { 0 };
	struct want w = { 0 };
	int64_t odd = -1;
	int acknowledged = 0, status, in;
	pid_t pid = start_child(db->url, first, &in);

	assert_int_equal(read(in, &w.n, sizeof(w.n)), sizeof(w.n));
	(void)nanosleep(&ts, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	st = test_database_open(db);
	do {
		assert_ok(store_read(st, count_log, &w, &ei));
		assert_int_equal(w.found, 3);
		acknowledged++;
	} while (read(in, &w.n, sizeof(w.n)) == sizeof(w.n));
	(void)close(in);
	assert_ok(store_read(st, count_odd, &odd, &ei));
	assert_int_equal(odd, 0);
	store_close(st);
	return acknowledged;
}

static void
what_was_acknowledged_survives_kill_9(void **state)
{
	const struct test_database *db = *state;
	struct store *st = test_database_open(db);
	struct errinfo ei = { 0 };

	assert_ok(store_migrate(st, "log", logs, &ei));
	/* Nobody else has it open: the next to come must repair it. */
	store_close(st);
	for (int i = 0; i < ROUNDS; i++)
		print_message(
		    "# %d acknowledged\n", kill_while_writing(db, 1000000 * i));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_survives_kill_9),
	};

	if (argc == 3)
		return child_main(argv[1], strtoll(argv[2], NULL, 10));
	return test_on_every_engine(tests, COUNT(tests));
}
