/* How many detections a second the store takes, committed: with one caller,
 * with many at once (group commit), and with many rows from each.
 *
 * usage: bench_store URL...	("sqlite:PATH" or "postgresql://...", empty) */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

#define CALLERS_MAX 256
#define AGENCIES    150
#define SECONDS     3

static const struct migration migrations[] = {
	{ "0001-detections",
	    "CREATE TABLE bench_detections (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  seq {INT} NOT NULL,\n"
	    "  at_ms {TIME} NOT NULL,\n"
	    "  path TEXT NOT NULL,\n"
	    "  name TEXT NOT NULL,\n"
	    "  sha256 {BLOB} NOT NULL,\n"
	    "  outcome TEXT NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, id),\n"
	    "  UNIQUE (agency_id, agent_id, seq)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX bench_detections_at"
	    " ON bench_detections (agency_id, at_ms);\n" },
	{ NULL, NULL },
};

struct round {
	struct store *st;
	int callers, rows; /* at once; in each call */
	int64_t until_ns;
};

struct caller {
	struct round *round;
	pthread_t thread;
	struct uuid agency, agent;
	int64_t seq, stored;
};

static enum err
insert(struct sql *q, void *arg, struct errinfo *ei)
{
	struct caller *c = arg;
	unsigned char digest[32];
	enum err e = OK;

	memcpy(digest, c->agent.b, 16);
	memcpy(digest + 16, c->agency.b, 16);
	for (int64_t i = 0; i < c->round->rows && e == OK; i++) {
		int64_t now = clock_utc_ms(&clock_system);
		struct uuid id = uuid_make(&clock_system);

		e = sql_exec(q, NULL, ei,
		    "INSERT INTO bench_detections (agency_id, id, agent_id,"
		    " seq, at_ms, path, name, sha256, outcome)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
		    " ON CONFLICT DO NOTHING",
		    SQL_UUID(c->agency), SQL_UUID(id), SQL_UUID(c->agent),
		    SQL_INT(c->seq + i), SQL_INT(now),
		    SQL_STR("/home/user/Downloads/invoice-2026-11.zip"),
		    SQL_STR("Win.Trojan.Agent-1234567-0"),
		    SQL_BLOB(((struct span){ (char *)digest, 32 })),
		    SQL_STR("quarantined"));
	}
	return e;
}

static void *
caller_main(void *arg)
{
	struct caller *c = arg;
	struct errinfo ei = { 0 };

	while (clock_mono_ns(&clock_system) < c->round->until_ns) {
		if (store_write(c->round->st, insert, c, &ei) != OK) {
			(void)fprintf(stderr, "store_write: %s\n", ei.msg);
			exit(1);
		}
		c->seq += c->round->rows;
		c->stored += c->round->rows;
	}
	return NULL;
}

/* Rows a second. */
static double
run_round(struct store *st, int callers, int rows)
{
	static struct caller all[CALLERS_MAX];
	int64_t start = clock_mono_ns(&clock_system), stored = 0;
	struct round r = { st, callers, rows,
		start + SECONDS * INT64_C(1000000000) };
	double seconds;

	for (int i = 0; i < callers; i++) {
		all[i] = (struct caller){ .round = &r };
		random_bytes(all[i].agent.b, sizeof(all[i].agent.b));
		/* Few agencies, spread over the partitions. */
		all[i].agency.b[0] = (unsigned char)(i % AGENCIES);
		if (pthread_create(
			&all[i].thread, NULL, caller_main, &all[i]) != 0)
			exit(1);
	}
	for (int i = 0; i < callers; i++) {
		(void)pthread_join(all[i].thread, NULL);
		stored += all[i].stored;
	}
	seconds = (double)(clock_mono_ns(&clock_system) - start) / 1e9;
	(void)printf("%-10s  %3d callers x %3d rows  %8.0f rows/s"
		     "  %7.0f writes/s\n",
	    store_engine(st), callers, rows, (double)stored / seconds,
	    (double)stored / rows / seconds);
	(void)fflush(stdout);
	return (double)stored / seconds;
}

static int
run_url(const char *url)
{
	static const struct {
		int callers, rows;
	} rounds[] = {
		{ 1, 1 },
		{ 32, 1 },
		{ 256, 1 },
		{ 1, 100 },
		{ 32, 100 },
	};
	struct store_options opt = { .url = url };
	struct store *st = NULL;
	struct errinfo ei = { 0 };
	enum err e = store_open(&opt, &st, &ei);
	double alone = 0;

	if (e == OK)
		e = store_migrate(st, "bench", migrations, &ei);
	if (e != OK)
		(void)fprintf(stderr, "%s\n", ei.msg);
	for (size_t i = 0; e == OK && i < COUNT(rounds); i++) {
		double got = run_round(st, rounds[i].callers, rounds[i].rows);

		if (i == 0)
			alone = got;
		else
			(void)printf("ratio %9.2f  %s rows/s, %d callers x %d"
				     " rows, against one caller, one row\n",
			    got / alone, store_engine(st), rounds[i].callers,
			    rounds[i].rows);
	}
	store_close(st);
	return e != OK;
}

int
main(int argc, char **argv)
{
	int bad = argc < 2 ? 2 : 0;

	for (int i = 1; i < argc; i++)
		bad |= run_url(argv[i]);
	return bad;
}
