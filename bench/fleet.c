/* Many agents against a running centre, over real TLS: how many syncs and
 * detections a second it takes, or what it needs for those that only wait.
 *
 * usage: bench_fleet CA-FILE TOKEN AGENTS sync ROWS SECONDS
 *        bench_fleet CA-FILE TOKEN AGENTS wait	(until standard input ends) */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "crypt/crypt.h"
#include "http/http.h"

#define THREADS     32
#define LATENCIES   4000000
#define ANSWER_MAX  (1u << 20)
#define PATIENCE_MS 90000

struct agent {
	struct buf key, cert; /* PEM */
	struct http_client *client;
	char fingerprint[SHA256_HEX];
	struct uuid spool;
	int64_t number;
};

static struct {
	struct buf ca;
	const char *url;
	struct span secret;
	struct uuid agency, token;
	struct agent *agents;
	size_t count, rows;
	int64_t until_ns;
} all;

struct worker {
	pthread_t thread;
	size_t first;
	int64_t syncs, *latency_ns;
};

static void
need(enum err e, const struct errinfo *ei, const char *what)
{
	if (e == OK)
		return;
	(void)fprintf(stderr, "bench_fleet: %s: %s\n", what, ei->msg);
	exit(3);
}

static struct http_client *
client_of(const struct agent *a)
{
	struct http_client_options opt = {
		.base_url = all.url,
		.ca_pem = buf_view(&all.ca),
		.timeout_ms = PATIENCE_MS,
	};
	struct http_client *c = NULL;
	struct errinfo ei = { 0 };

	if (a != NULL) {
		opt.cert_pem = buf_view(&a->cert);
		opt.key_pem = buf_view(&a->key);
	}
	need(http_client_new(&opt, &c, &ei), &ei, "client");
	return c;
}

/* Posts JSON, and wants `status`. */
static struct span
post(struct http_client *c, const char *path, json_t *o, int status)
{
	char *text = json_dumps(o, JSON_COMPACT);
	struct errinfo ei = { 0 };
	struct span answer = { 0 };
	int got = 0;

	need(http_client_do(c, "POST", path, span_of(text), ANSWER_MAX, &got,
		 &answer, &ei),
	    &ei, path);
	if (got != status) {
		(void)fprintf(stderr, "bench_fleet: %s: %d " SPAN_FMT "\n",
		    path, got, SPAN_ARG(answer));
		exit(3);
	}
	free(text);
	json_decref(o);
	return answer;
}

/* ---- enrolment ---- */

static void
read_token(const char *text, struct arena *arena)
{
	struct buf plain = buf_make(4096);
	struct errinfo ei = { 0 };
	struct span url;
	json_t *o = NULL;

	need(base64url_decode(span_of(text + strlen("khien1.")), &plain), &ei,
	    "token");
	need(json_parse(buf_view(&plain), &o, &ei), &ei, "token");
	need(json_get_text(o, "url", 256, &url, &ei), &ei, "token");
	need(json_get_text(o, "secret", 64, &all.secret, &ei), &ei, "token");
	need(json_get_uuid(o, "agency", &all.agency, &ei), &ei, "token");
	need(json_get_uuid(o, "token", &all.token, &ei), &ei, "token");
	all.url = arena_text(arena, url);
	all.secret = arena_span(arena, all.secret);
	json_decref(o);
	buf_free(&plain);
}

static void
enrol(struct http_client *c, struct agent *a, size_t number)
{
	struct buf csr = buf_make(PEM_MAX);
	struct errinfo ei = { 0 };
	unsigned char digest[SHA256_LEN];
	json_t *o = json_object(), *inventory, *answer = NULL;
	struct span cert;
	char host[32];

	(void)snprintf(host, sizeof(host), "bench-%zu", number);
	*a = (struct agent){ .key = buf_make(PEM_MAX),
		.cert = buf_make(PEM_MAX),
		.spool = uuid_make(&clock_system) };
	need(key_make(&a->key, &ei), &ei, "key");
	need(csr_make(buf_view(&a->key), host, &csr, &ei), &ei, "request");
	sha256(buf_view(&a->key), digest);
	hex_encode(digest, sizeof(digest), a->fingerprint);
	json_put_uuid(o, "agency", all.agency);
	json_put_uuid(o, "token", all.token);
	json_put_text(o, "secret", all.secret);
	json_put_text(o, "csr", buf_view(&csr));
	json_put_text(o, "fingerprint", span_of(a->fingerprint));
	inventory = json_put_new(o, "inventory", json_object());
	json_put_text(inventory, "host", span_of(host));
	json_put_text(inventory, "kind", SPAN("workstation"));
	need(json_parse(post(c, "/api/v1/enrol", o, 201), &answer, &ei), &ei,
	    "answer");
	need(json_get_text(answer, "certificate", PEM_MAX - 1, &cert, &ei), &ei,
	    "certificate");
	buf_span(&a->cert, cert);
	a->client = client_of(a);
	json_decref(answer);
	buf_free(&csr);
}

/* ---- syncs ---- */

static void
add_detection(json_t *records, struct agent *a)
{
	json_t *record = json_object(), *o;

	json_put_int(record, "number", ++a->number);
	json_put_text(record, "kind", SPAN("detection"));
	o = json_put_new(record, "body", json_object());
	json_put_uuid(o, "id", uuid_make(&clock_system));
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(o, "path", SPAN("/home/canbo/Downloads/bao_cao.doc.exe"));
	json_put_text(o, "name", SPAN("Win.Trojan.Agent-36001"));
	json_put_text(o, "outcome", SPAN("infected"));
	json_put_text(o, "action", SPAN("quarantine"));
	json_put_int(o, "size", 68);
	json_put_int(o, "set_version", 1);
	(void)json_array_append_new(records, record);
}

static void
sync_once(struct agent *a, size_t rows)
{
	json_t *o = json_object(), *records;
	int64_t now = clock_utc_ms(&clock_system);

	json_put_text(o, "fingerprint", span_of(a->fingerprint));
	json_put_time(o, "time", now);
	json_put_time(o, "last_scan", now);
	json_put_text(o, "version", SPAN("0.1.0"));
	json_put_int(o, "policy_version", 1);
	json_put_int(o, "set_version", 1);
	json_put_uuid(o, "spool", a->spool);
	records = json_put_new(o, "records", json_array());
	for (size_t i = 0; i < rows; i++)
		add_detection(records, a);
	(void)post(a->client, "/api/v1/agent/sync", o, 200);
}

static void *
sync_many(void *arg)
{
	struct worker *w = arg;
	size_t i = w->first;

	while (clock_mono_ns(&clock_system) < all.until_ns) {
		int64_t start = clock_mono_ns(&clock_system);

		sync_once(&all.agents[i], all.rows);
		if (w->syncs < LATENCIES / THREADS)
			w->latency_ns[w->syncs] =
			    clock_mono_ns(&clock_system) - start;
		w->syncs++;
		i += THREADS;
		if (i >= all.count)
			i = w->first;
	}
	return NULL;
}

static int
by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(int64_t seconds)
{
	static int64_t latency_ns[LATENCIES];
	struct worker w[THREADS] = { 0 };
	int64_t syncs = 0;
	size_t n = 0, half, most;

	all.until_ns = clock_mono_ns(&clock_system) + seconds * 1000000000;
	for (size_t i = 0; i < THREADS; i++) {
		w[i].first = i;
		w[i].latency_ns = &latency_ns[i * (LATENCIES / THREADS)];
		if (pthread_create(&w[i].thread, NULL, sync_many, &w[i]) != 0)
			exit(3);
	}
	for (size_t i = 0; i < THREADS; i++) {
		(void)pthread_join(w[i].thread, NULL);
		syncs += w[i].syncs;
		for (int64_t k = 0; k < w[i].syncs; k++)
			latency_ns[n++] = w[i].latency_ns[k];
	}
	qsort(latency_ns, n, sizeof(*latency_ns), by_size);
	half = n / 2;
	most = n * 99 / 100;
	(void)printf("%lld syncs/s %lld detections/s p50 %.1f ms p99 %.1f ms\n",
	    (long long)(syncs / seconds),
	    (long long)(syncs * (int64_t)all.rows / seconds),
	    (double)latency_ns[half] / 1e6, (double)latency_ns[most] / 1e6);
}

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new(65536);
	struct errinfo ei = { 0 };
	struct http_client *c;

	if (argc < 5 || arena == NULL || (argc != 5 && argc != 7))
		return 2;
	all.ca = buf_make(PEM_MAX);
	need(file_read(argv[1], &all.ca, &ei), &ei, argv[1]);
	read_token(argv[2], arena);
	all.count = strtoul(argv[3], NULL, 10);
	all.agents = calloc(all.count, sizeof(*all.agents));
	if (all.agents == NULL || all.count < THREADS)
		return 2;
	http_client_begin();
	c = client_of(NULL);
	for (size_t i = 0; i < all.count; i++)
		enrol(c, &all.agents[i], i);
	http_client_free(c);
	for (size_t i = 0; i < all.count; i++)
		sync_once(&all.agents[i], 0); /* connects */
	if (argc == 5) {
		(void)puts("ready");
		(void)fflush(stdout);
		(void)getchar();
	} else {
		all.rows = strtoul(argv[5], NULL, 10);
		measure(strtol(argv[6], NULL, 10));
	}
	return 0;
}
