/* How long the pages and a sync of a whole province take: 300 agencies, 15,000
 * computers with an agent each, 200,000 detections, a quarter of figures.
 *
 * usage: bench_rooms SHARE URL...	("sqlite:PATH" or "postgresql://...",
 * empty; SHARE holds data/settings.csv) */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agencies/agencies_int.h"
#include "base/file.h"
#include "org/org.h"
#include "protection/protection_int.h"

#define AGENCIES   300
#define COMPUTERS  15000
#define DETECTIONS 200000
#define DAYS       90
#define ROUNDS     5
#define ASKS       7 /* what is measured */

struct bench {
	struct centre c;
	struct uuid agencies[AGENCIES], agents[COMPUTERS];
	int64_t now;
	int from; /* of the rows that one call stores */
};

static const struct module *const rooms[] = { &agencies_module,
	&protection_module, NULL };

static void
need(enum err e, const char *what, const struct errinfo *ei)
{
	if (e == OK)
		return;
	(void)fprintf(stderr, "bench_rooms: %s: %s\n", what, ei->msg);
	exit(1);
}

/* ---- filling ---- */

static enum err
add_agencies(struct sql *q, void *arg, struct errinfo *ei)
{
	struct bench *b = arg;
	enum err e = OK;

	for (int i = 0; e == OK && i < AGENCIES; i++) {
		char code[32];

		(void)snprintf(code, sizeof(code), "A%03d", i);
		b->agencies[i] = uuid_make(b->c.clock);
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO agencies (agency_id, code, created_ms)"
		    " VALUES (?1, ?2, 0)",
		    SQL_UUID(b->agencies[i]), SQL_STR(code));
		if (e == OK)
			e = sql_exec(q, NULL, ei,
			    "INSERT INTO agency_periods (agency_id,"
			    " valid_from, valid_to, name, kind, parent_id)"
			    " VALUES (?1, '2020-01-01', '', ?2, '', ?3)",
			    SQL_UUID(b->agencies[i]), SQL_STR(code),
			    i == 0 ? SQL_NULL
				   : SQL_UUID(b->agencies[(i - 1) / 20]));
	}
	return e;
}

static enum err
add_computer(struct sql *q, struct bench *b, int i, struct errinfo *ei)
{
	struct uuid agency = b->agencies[i % AGENCIES];
	char name[32];
	enum err e;

	(void)snprintf(name, sizeof(name), "may-%05d", i);
	b->agents[i] = uuid_make(b->c.clock);
	e = sql_exec(q, NULL, ei,
	    "INSERT INTO agents (agency_id, agent_id, fingerprint,"
	    " enrolled_ms, revoked_ms, host, kind, os, os_version, kernel,"
	    " arch, cpu, memory_mb, disk_mb, addresses, macs, version,"
	    " seen_ms, offset_ms, policy_version, set_version, set_built_ms,"
	    " last_scan_ms, fault, spool_ack) VALUES (?1, ?2, ?3, ?4, 0, ?5,"
	    " 'workstation', 'Debian', '12', '', '', '', 8192, 256000, '[]',"
	    " '[]', '0.1', ?4 - ?6, 0, 1, 1, ?4, ?4, '', 0)",
	    SQL_UUID(agency), SQL_UUID(b->agents[i]),
	    SQL_STR("0123456789abcdef0123456789abcdef"
		    "0123456789abcdef0123456789abcdef"),
	    SQL_INT(b->now), SQL_STR(name),
	    SQL_INT(i % 10 == 0 ? 9 * DAY_MS : 0));
	if (e == OK && i % 8 != 0)
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO computers (agency_id, computer_id, code,"
		    " name, kind, mac, agent_id, created_ms) VALUES"
		    " (?1, ?2, ?3, ?3, 'workstation', '', ?4, 0)",
		    SQL_UUID(agency), SQL_UUID(uuid_make(b->c.clock)),
		    SQL_STR(name), SQL_UUID(b->agents[i]));
	return e;
}

static enum err
add_computers(struct sql *q, void *arg, struct errinfo *ei)
{
	enum err e = OK;

	for (int i = 0; e == OK && i < COMPUTERS; i++)
		e = add_computer(q, arg, i, ei);
	return e;
}

static enum err
add_detections(struct sql *q, void *arg, struct errinfo *ei)
{
	struct bench *b = arg;
	enum err e = OK;

	for (int i = b->from; e == OK && i < b->from + DETECTIONS / 20; i++)
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO detections (agency_id, detection_id,"
		    " agent_id, at_ms, received_ms, path, inner_path, name,"
		    " source, outcome, sha256, size, set_version, state,"
		    " state_ms, reason) VALUES (?1, ?2, ?3, ?4, ?4,"
		    " '/home/a/Downloads/hoa-don.exe', '', 'Test.Name', '',"
		    " 'infected', '', 1000, 1, ?5, ?4, '')",
		    SQL_UUID(b->agencies[i % COMPUTERS % AGENCIES]),
		    SQL_UUID(uuid_make(b->c.clock)),
		    SQL_UUID(b->agents[i % COMPUTERS]),
		    SQL_INT(b->now - DAYS * DAY_MS / DETECTIONS * i),
		    SQL_STR(i % 100 == 0 ? "found" : "quarantined"));
	b->from += e == OK ? DETECTIONS / 20 : 0;
	return e;
}

static void
fill(struct bench *b, const char *share)
{
	const struct figure *lists[] = { protection_figures, NULL };
	struct buf csv = buf_make(65536);
	char path[4096];
	struct errinfo ei = { 0 };

	(void)snprintf(path, sizeof(path), "%s/data/settings.csv", share);
	need(centre_migrate(&b->c, &ei), "tables", &ei);
	need(file_read(path, &csv, &ei), "settings", &ei);
	need(org_settings_load(b->c.store, buf_view(&csv), &ei), "settings",
	    &ei);
	need(store_write(b->c.store, add_agencies, b, &ei), "agencies", &ei);
	need(store_write(b->c.store, add_computers, b, &ei), "computers", &ei);
	for (int i = 0; i < 20; i++)
		need(store_write(b->c.store, add_detections, b, &ei),
		    "detections", &ei);
	for (int i = 0; i < DAYS; i++)
		need(figure_snapshot(
			 b->c.store, lists, b->now - i * DAY_MS, &ei),
		    "figures", &ei);
	buf_free(&csv);
}

/* ---- measuring ---- */

static enum err
ask_overview(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	json_t *o = NULL;
	enum err e = overview_read(rq, &o, ei);

	(void)b;
	json_decref(o);
	return e;
}

static enum err
ask_list(struct http_req *rq, const char *text,
    enum err list(const struct http_req *, const struct filter *, json_t **,
	struct errinfo *),
    struct errinfo *ei)
{
	struct filter f = { .text = span_of(text), .page = 1 };
	json_t *o = NULL;
	enum err e = list(rq, &f, &o, ei);

	json_decref(o);
	return e;
}

static enum err
ask_computers(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	(void)b;
	return ask_list(rq, "", computers_list, ei);
}

static enum err
ask_detections(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	(void)b;
	return ask_list(rq, "", detections_list, ei);
}

static enum err
ask_found(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	(void)b;
	return ask_list(rq, "may-00042", detections_list, ei);
}

static enum err
ask_agencies(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	char day[TIME_TEXT_MAX];
	json_t *o = NULL;
	enum err e;

	time_day(b->now, day);
	e = agencies_list(rq, day, &o, ei);
	json_decref(o);
	return e;
}

/* The whole register again: nothing new, every row looked at. */
static enum err
ask_import(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	static const struct route route = { "POST", "/", "computers.write",
		NULL, 0 };
	struct buf csv = buf_make(4u << 20);
	json_t *o = NULL;
	enum err e;

	(void)b;
	rq->route = &route;
	buf_text(&csv, "ma_co_quan,ma_may,ten_may,loai\n");
	for (int i = 0; i < COMPUTERS; i++)
		buf_fmt(&csv, "A%03d,may-%05d,may-%05d,server\n", i % AGENCIES,
		    i, i);
	e = computers_import(rq, buf_view(&csv), &o, ei);
	json_decref(o);
	buf_free(&csv);
	return e;
}

static enum err
ask_sync(struct bench *b, struct http_req *rq, struct errinfo *ei)
{
	struct agent agent = { b->agencies[7], b->agents[7], "may" };
	struct sync s = { .agent = &agent,
		.fingerprint = "0123456789abcdef0123456789abcdef"
			       "0123456789abcdef0123456789abcdef",
		.agent_time_ms = b->now,
		.last_scan_ms = b->now,
		.version = SPAN("0.1"),
		.fault = SPAN(""),
		.policy_version = 1,
		.set_version = 1 };
	json_t *o = NULL;
	enum err e = protection_sync(&b->c, &s, &o, ei);

	(void)rq;
	json_decref(o);
	return e;
}

/* Prints how long each takes; the first database leaves its times for the
 * others to compare with. */
static void
measure(struct bench *b, const char *first, double *first_ms)
{
	static const struct {
		const char *name;
		enum err (*ask)(
		    struct bench *, struct http_req *, struct errinfo *);
	} asks[ASKS] = {
		{ "overview", ask_overview },
		{ "computers", ask_computers },
		{ "detections", ask_detections },
		{ "detections of a computer", ask_found },
		{ "agencies", ask_agencies },
		{ "sync", ask_sync },
		{ "register of 15,000 rows", ask_import },
	};

	for (size_t i = 0; i < COUNT(asks); i++) {
		int64_t best = INT64_MAX;

		for (int r = 0; r < ROUNDS; r++) {
			int64_t begun = clock_mono_ns(&clock_system), took;
			struct http_req rq = { .app = &b->c,
				.arena = arena_new(64u << 20),
				.path = "/",
				.lang = "en" };
			struct errinfo ei = { 0 };

			need(asks[i].ask(b, &rq, &ei), asks[i].name, &ei);
			arena_free(rq.arena);
			took = clock_mono_ns(&clock_system) - begun;
			best = took < best ? took : best;
		}
		(void)printf("%-12s %-26s %8.2f ms\n", store_engine(b->c.store),
		    asks[i].name, (double)best / 1e6);
		if (first == NULL)
			first_ms[i] = (double)best / 1e6;
		else
			(void)printf("ratio %9.2f  %s %s, against %s\n",
			    first_ms[i] / ((double)best / 1e6),
			    store_engine(b->c.store), asks[i].name, first);
	}
}

static void
run(const char *share, const char *url, const char *first, double *first_ms)
{
	static struct bench b;
	struct store_options opt = { .url = url };
	struct i18n *en = NULL;
	struct errinfo ei = { 0 };

	b = (struct bench){ .c = { .clock = &clock_system, .modules = rooms },
		.now = clock_utc_ms(&clock_system) };
	need(store_open(&opt, &b.c.store, &ei), url, &ei);
	need(i18n_open("", "en", &en, &ei), "English", &ei);
	b.c.en = b.c.vi = en;
	fill(&b, share);
	measure(&b, first, first_ms);
	store_close(b.c.store);
	i18n_free(en);
}

int
main(int argc, char **argv)
{
	double first_ms[ASKS] = { 0 };

	if (argc < 3) {
		(void)fprintf(stderr, "usage: bench_rooms SHARE URL...\n");
		return 2;
	}
	run(argv[1], argv[2], NULL, first_ms);
	for (int i = 3; i < argc; i++)
		run(argv[1], argv[i], "the first database", first_ms);
	return 0;
}
