#include "store/store_int.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READERS_DEFAULT    4
#define READERS_MAX        64
#define GROUP_ROWS_DEFAULT 500
#define PATIENCE_DEFAULT   10000 /* ms */
#define PAUSE_FIRST_MS     5     /* between tries; doubles */
#define PAUSE_MAX_MS       640

/* One caller of store_write(), on its stack: it waits until `done`. */
struct job {
	struct job *next;
	store_fn *fn;
	void *arg;
	struct errinfo *ei; /* the caller's, or NULL */
	enum err e;
	bool locked; /* wants to be alone, under engine->lock() */
	bool done;
	pthread_cond_t wake;
};

struct store {
	const struct store_engine *engine;
	const struct clock *clock;
	struct place place;
	int group_rows;
	bool partitioned;

	/* The writer's thread only. */
	pthread_t writer;
	struct conn *writer_conn; /* NULL: lost */
	bool away;                /* the last try found no database */

	pthread_mutex_t mutex; /* guards all that follows */
	pthread_cond_t queued, returned, idle;
	struct job *head, **tail;
	bool closing;
	int users; /* in store_write() and store_read() */
	int readers, readers_free;
	struct conn *reader[READERS_MAX]; /* free ones first; NULL: not open */
};

const char *
store_engine(const struct store *st)
{
	return st->engine->name;
}

const struct sql_word *
store_words(const struct store *st)
{
	return st->partitioned ? st->engine->partitioned_words
			       : st->engine->words;
}

bool
store_partitioned(const struct store *st)
{
	return st->partitioned;
}

int64_t
store_now_ms(const struct store *st)
{
	return clock_utc_ms(st->clock);
}

/* ---- one transaction of the writer -------------------------------------- */

static void
drop_writer(struct store *st)
{
	st->engine->disconnect(st->writer_conn);
	st->writer_conn = NULL;
}

static enum err
connect_writer(struct store *st, struct errinfo *ei)
{
	if (st->writer_conn != NULL)
		return OK;
	return st->engine->connect(&st->place, true, &st->writer_conn, ei);
}

/* Each job but the first takes the place of the savepoint before, so that it
 * costs one round trip.  A failure of the engine, not of fn, is the whole
 * batch's: it is returned.  That of fn alone is left in job->e. */
static enum err
run_job(struct store *st, struct job *job, const char *savepoint,
    struct errinfo *ei)
{
	const struct store_engine *en = st->engine;
	struct conn *c = st->writer_conn;
	struct sql q = { .engine = en, .conn = c };
	enum err e = OK;

	if (savepoint != NULL)
		e = en->run(c, savepoint, ei);
	if (e != OK)
		return e;
	job->e = sql_run_fn(&q, job->fn, job->arg, job->ei);
	if (c->trouble != TROUBLE_NONE || !en->in_transaction(c)) {
		*ei = q.why;
		return q.failed != OK ? q.failed : ERR_BUSY;
	}
	if (savepoint != NULL && job->e != OK)
		e = en->run(c, "ROLLBACK TO SAVEPOINT job", ei);
	return e;
}

static enum err
run_jobs(struct store *st, struct job *jobs, struct errinfo *ei)
{
	const char *savepoint = jobs->next == NULL ? NULL : "SAVEPOINT job";
	enum err e = OK;

	for (struct job *j = jobs; j != NULL && e == OK; j = j->next) {
		e = run_job(st, j, savepoint, ei);
		savepoint = "RELEASE SAVEPOINT job; SAVEPOINT job";
	}
	return e;
}

/* A single job that failed has nothing to commit. */
static enum err
finish(struct store *st, const struct job *jobs, struct errinfo *ei)
{
	bool nothing = jobs->next == NULL && jobs->e != OK;

	return st->engine->run(
	    st->writer_conn, nothing ? "ROLLBACK" : "COMMIT", ei);
}

/* *doubt is set while a COMMIT was sent and not answered. */
static enum err
transaction(
    struct store *st, struct job *jobs, int64_t *doubt, struct errinfo *ei)
{
	const struct store_engine *en = st->engine;
	struct conn *c = st->writer_conn;
	int64_t mark = 0;
	enum err e = OK;

	if (jobs->locked)
		e = en->lock(c, ei);
	if (e == OK)
		e = en->begin(c, &mark, ei);
	if (e == OK)
		e = run_jobs(st, jobs, ei);
	if (e == OK) {
		e = finish(st, jobs, ei);
		if (c->trouble == TROUBLE_LOST)
			*doubt = mark;
	}
	if (e != OK && c->trouble != TROUBLE_LOST && en->in_transaction(c))
		(void)!en->run(c, "ROLLBACK", NULL);
	/* What was committed stays so, whatever becomes of the lock. */
	if (jobs->locked && c->trouble != TROUBLE_LOST &&
	    en->unlock(c, NULL) != OK)
		c->trouble = TROUBLE_LOST;
	return e;
}

/* ---- trying again ------------------------------------------------------- */

static void
pause_before_try(int try)
{
	int64_t ms = PAUSE_MAX_MS;
	struct timespec ts;

	if (try < 7)
		ms = PAUSE_FIRST_MS << try;
	/* Two writers that met should not meet again. */
	ms = ms / 2 + (int64_t)random_below((uint64_t)ms);
	ts.tv_sec = ms / 1000;
	ts.tv_nsec = ms % 1000 * 1000000;
	(void)nanosleep(&ts, NULL);
}

/* On the new connection: did the old one commit? */
static enum err
settle(struct store *st, int64_t *doubt, bool *committed, struct errinfo *ei)
{
	enum err e = OK;

	if (*doubt != 0)
		e = st->engine->outcome(st->writer_conn, *doubt, committed, ei);
	if (e == OK)
		*doubt = 0;
	return e;
}

/* One try.  False: try again. */
static bool
attempt(struct store *st, struct job *jobs, int64_t *doubt, enum err *e,
    struct errinfo *ei)
{
	bool committed = false;
	enum trouble trouble;

	*e = connect_writer(st, ei);
	if (*e != OK)
		return *e != ERR_BUSY;
	st->writer_conn->trouble = TROUBLE_NONE;
	*e = settle(st, doubt, &committed, ei);
	if (*e == OK && !committed)
		*e = transaction(st, jobs, doubt, ei);
	trouble = st->writer_conn->trouble;
	if (trouble == TROUBLE_LOST ||
	    st->engine->in_transaction(st->writer_conn))
		drop_writer(st);
	return *e == OK || trouble == TROUBLE_NONE;
}

/* The one place where transactions are run again: for `patience`, or once
 * while the database is known to be away. */
static enum err
run_batch(struct store *st, struct job *jobs, struct errinfo *ei)
{
	int64_t start = clock_mono_ns(&clock_system), doubt = 0;
	enum err e = OK;

	for (int try = 0; !attempt(st, jobs, &doubt, &e, ei); try++) {
		int64_t waited = clock_mono_ns(&clock_system) - start;

		if (waited > st->place.patience_ms * INT64_C(1000000) ||
		    (st->away && st->writer_conn == NULL)) {
			e = ERR_BUSY;
			break;
		}
		pause_before_try(try);
	}
	st->away = st->writer_conn == NULL;
	if (doubt != 0)
		e = err_set(ei, ERR_BUSY,
		    "the database went away in the middle of a commit; the"
		    " change may be stored or not");
	return e;
}

/* ---- the writer's thread ------------------------------------------------ */

/* Takes the next batch off the queue, or NULL when all is done. */
static struct job *
take_batch(struct store *st)
{
	struct job *first, **end;
	int n = 0;

	(void)pthread_mutex_lock(&st->mutex);
	while (st->head == NULL && !st->closing)
		(void)pthread_cond_wait(&st->queued, &st->mutex);
	first = st->head;
	for (end = &st->head; *end != NULL && n < st->group_rows; n++) {
		if ((*end)->locked && n > 0)
			break; /* the first of the next batch */
		end = &(*end)->next;
		if (first->locked)
			break;
	}
	st->head = *end;
	*end = NULL;
	if (st->head == NULL)
		st->tail = &st->head;
	(void)pthread_mutex_unlock(&st->mutex);
	return first;
}

static void
answer(struct store *st, struct job *jobs, enum err e, const struct errinfo *ei)
{
	struct job *next;

	(void)pthread_mutex_lock(&st->mutex);
	for (; jobs != NULL; jobs = next) {
		next = jobs->next; /* the job is gone once it is done */
		if (e != OK) {
			jobs->e = e;
			if (jobs->ei != NULL) {
				*jobs->ei = *ei;
				jobs->ei->code = e;
			}
		}
		jobs->done = true;
		(void)pthread_cond_signal(&jobs->wake);
	}
	(void)pthread_mutex_unlock(&st->mutex);
}

static void
enter(struct store *st)
{
	(void)pthread_mutex_lock(&st->mutex);
	assert(!st->closing);
	st->users++;
}

static void
leave(struct store *st)
{
	if (--st->users == 0)
		(void)pthread_cond_signal(&st->idle);
	(void)pthread_mutex_unlock(&st->mutex);
}

static void *
writer_main(void *arg)
{
	struct store *st = arg;
	struct job *jobs;

	while ((jobs = take_batch(st)) != NULL) {
		struct errinfo ei = { 0 };
		enum err e = run_batch(st, jobs, &ei);

		answer(st, jobs, e, &ei);
	}
	return NULL;
}

static enum err
write_job(struct store *st, struct job *job)
{
	/* It would wait for itself. */
	assert(!pthread_equal(pthread_self(), st->writer));
	(void)pthread_cond_init(&job->wake, NULL);
	enter(st);
	*st->tail = job;
	st->tail = &job->next;
	(void)pthread_cond_signal(&st->queued);
	while (!job->done)
		(void)pthread_cond_wait(&job->wake, &st->mutex);
	leave(st);
	(void)pthread_cond_destroy(&job->wake);
	return job->e;
}

enum err
store_write(struct store *st, store_fn *fn, void *arg, struct errinfo *ei)
{
	struct job job = { .fn = fn, .arg = arg, .ei = ei };

	return write_job(st, &job);
}

enum err
store_write_locked(
    struct store *st, store_fn *fn, void *arg, struct errinfo *ei)
{
	struct job job = { .fn = fn, .arg = arg, .ei = ei, .locked = true };

	return write_job(st, &job);
}

/* ---- readers ------------------------------------------------------------ */

static struct conn *
take_reader(struct store *st)
{
	struct conn *c;

	enter(st);
	while (st->readers_free == 0)
		(void)pthread_cond_wait(&st->returned, &st->mutex);
	c = st->reader[--st->readers_free];
	(void)pthread_mutex_unlock(&st->mutex);
	return c;
}

static void
return_reader(struct store *st, struct conn *c)
{
	(void)pthread_mutex_lock(&st->mutex);
	st->reader[st->readers_free++] = c;
	(void)pthread_cond_signal(&st->returned);
	leave(st);
}

/* BEGIN finds out whether the server is still there, and only then fn runs:
 * so it runs once at most. */
static enum err
begin_read(struct store *st, struct conn **c, struct errinfo *ei)
{
	const struct store_engine *en = st->engine;
	enum err e = OK;

	for (int try = 0; try < 2; try++) {
		e = OK;
		if (*c == NULL)
			e = en->connect(&st->place, false, c, ei);
		if (e != OK)
			return e;
		(*c)->trouble = TROUBLE_NONE;
		e = en->run(*c, en->begin_read, ei);
		if (e == OK)
			return OK;
		en->disconnect(*c);
		*c = NULL;
	}
	return e;
}

enum err
store_read(struct store *st, store_fn *fn, void *arg, struct errinfo *ei)
{
	struct conn *c = take_reader(st);
	enum err e = begin_read(st, &c, ei);

	if (e == OK) {
		struct sql q = { .engine = st->engine, .conn = c };

		e = sql_run_fn(&q, fn, arg, ei);
		if (st->engine->run(c, "ROLLBACK", NULL) != OK ||
		    c->trouble == TROUBLE_LOST) {
			st->engine->disconnect(c);
			c = NULL;
		}
	}
	return_reader(st, c);
	return e;
}

/* ---- opening and closing ------------------------------------------------ */

static enum err
choose_engine(struct store *st, const char *url, struct errinfo *ei)
{
	static const struct {
		const char *prefix;
		const struct store_engine *engine;
		bool whole; /* libpq reads the prefix too */
	} kinds[] = {
		{ "sqlite:", &store_sqlite, false },
		{ "postgresql:", &store_pg, true },
		{ "postgres:", &store_pg, true },
	};
	const char *target;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!span_starts(span_of(url), kinds[i].prefix))
			continue;
		target = kinds[i].whole ? url : url + strlen(kinds[i].prefix);
		st->engine = kinds[i].engine;
		st->place.target = strdup(target);
		return st->place.target != NULL
		    ? OK
		    : err_set(ei, ERR_NOMEM, "database address");
	}
	return err_set(ei, ERR_SYNTAX,
	    "database address must begin with sqlite: or postgresql://");
}

static enum err
connect_first(struct store *st, struct errinfo *ei)
{
	struct conn *c = NULL;
	enum err e = connect_writer(st, ei);

	if (e == OK)
		e = begin_read(st, &c, ei);
	if (e == OK)
		e = st->engine->run(c, "ROLLBACK", ei);
	st->reader[st->readers - 1] = c; /* the first to be taken */
	return e;
}

static void
free_store(struct store *st)
{
	for (int i = 0; i < st->readers; i++)
		st->engine->disconnect(st->reader[i]);
	/* The last: SQLite then empties and removes the -wal file. */
	if (st->engine != NULL)
		st->engine->disconnect(st->writer_conn);
	(void)pthread_mutex_destroy(&st->mutex);
	(void)pthread_cond_destroy(&st->queued);
	(void)pthread_cond_destroy(&st->returned);
	(void)pthread_cond_destroy(&st->idle);
	free(st->place.target);
	free(st);
}

static int
or_default(int given, int initial, int max)
{
	if (given <= 0)
		return initial;
	return given < max ? given : max;
}

enum err
store_open(
    const struct store_options *opt, struct store **out, struct errinfo *ei)
{
	struct store *st = calloc(1, sizeof(*st));
	enum err e;

	if (st == NULL)
		return err_set(ei, ERR_NOMEM, "database");
	st->clock = opt->clock != NULL ? opt->clock : &clock_system;
	st->group_rows =
	    or_default(opt->group_rows, GROUP_ROWS_DEFAULT, 1 << 20);
	st->place.patience_ms =
	    or_default(opt->patience_ms, PATIENCE_DEFAULT, 1 << 30);
	st->partitioned = opt->partitioned;
	st->tail = &st->head;
	(void)pthread_mutex_init(&st->mutex, NULL);
	(void)pthread_cond_init(&st->queued, NULL);
	(void)pthread_cond_init(&st->returned, NULL);
	(void)pthread_cond_init(&st->idle, NULL);
	e = choose_engine(st, opt->url, ei);
	if (e != OK)
		goto out;
	st->readers = or_default(opt->readers, READERS_DEFAULT, READERS_MAX);
	st->readers_free = st->readers;
	e = connect_first(st, ei);
	if (e == OK &&
	    (errno = pthread_create(&st->writer, NULL, writer_main, st)) != 0)
		e = err_sys(ei, "thread of the database writer");
	if (e != OK)
		goto out;
	*out = st;
	return OK;
out:
	free_store(st);
	return e;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	(void)pthread_mutex_lock(&st->mutex);
	while (st->users > 0)
		(void)pthread_cond_wait(&st->idle, &st->mutex);
	st->closing = true;
	(void)pthread_cond_signal(&st->queued);
	(void)pthread_mutex_unlock(&st->mutex);
	(void)pthread_join(st->writer, NULL);
	free_store(st);
}
