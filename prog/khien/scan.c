#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "endpoint/walk.h"
#include "prog/khien/khien.h"
#include "scan/scan.h"

#define JOBS_MAX      64
#define BAR_WIDTH     30
#define BAR_PERIOD_NS INT64_C(100000000)

struct options {
	bool json;
	const char *db;
	const char *cache;
	bool all;
	uint32_t heuristics;
	int jobs;
};

struct scan_run {
	const struct khien *k;
	const struct options *opt;
	struct scan_pool *pool;
	struct scan_cache *cache; /* or NULL */
	bool bar;                 /* show progress */
	bool given_up;            /* no worker can be started any more */
	int64_t started_ns, shown_ns;
	uint64_t files_all, bytes_all; /* of all paths, for the bar */
	uint64_t unchanged; /* clean when last looked at, and the same since */
	uint64_t files, infected, suspicious, unscannable, errors;
	uint64_t bytes, read; /* of the files; with what was unpacked */
};

/* What comes back with a verdict. */
struct job {
	char *path;
	int fd; /* our own, to see whether it has changed; or -1 */
	struct stat st;
};

/* ---- progress ------------------------------------------------------------------ */

static void
clear_bar(const struct scan_run *r)
{
	if (r->bar)
		(void)fputs("\r\033[K", stderr);
}

static void
show_bar(struct scan_run *r)
{
	int64_t now = clock_mono_ns(&clock_system);
	char bar[BAR_WIDTH + 1];
	uint64_t share;

	if (!r->bar || now - r->shown_ns < BAR_PERIOD_NS)
		return;
	r->shown_ns = now;
	share = r->bytes_all == 0 ? 100 : r->bytes * 100 / r->bytes_all;
	if (share > 100)
		share = 100; /* files grew since they were counted */
	for (size_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i * 100 < share * BAR_WIDTH ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	(void)fprintf(stderr, "\r[%s] %3llu %%  %llu/%llu  %s: %llu\033[K", bar,
	    (unsigned long long)share, (unsigned long long)r->files,
	    (unsigned long long)r->files_all, tr(r->k, N_("found")),
	    (unsigned long long)r->infected);
}

static bool
count_file(void *arg, const char *path, int fd, const struct stat *st)
{
	struct scan_run *r = arg;

	(void)path;
	(void)fd;
	r->files_all++;
	r->bytes_all += (uint64_t)st->st_size;
	return true;
}

static void
count_nothing(void *arg, const char *path, int error)
{
	(void)arg;
	(void)path;
	(void)error;
}

/* ---- results ------------------------------------------------------------------- */

static void
put_json(const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL)
		(void)puts(text);
	free(text);
}

static void
put_verdict_json(const char *path, const struct scan_verdict *v)
{
	json_t *o = json_object();
	char hex[65];

	json_put_text(o, "path", span_of(path));
	json_put_text(o, "outcome", span_of(scan_outcome_name(v->outcome)));
	if (v->name[0] != '\0') {
		json_put_text(o, "name", span_of(v->name));
		json_put_text(o, "source", span_of(v->source));
	}
	if (v->also[0] != '\0')
		json_put_text(o, "also", span_of(v->also));
	if (v->outcome == SCAN_UNSCANNABLE)
		json_put_text(
		    o, "reason", span_of(scan_reason_name(v->reason)));
	if (v->inner[0] != '\0')
		json_put_text(o, "inner", span_of(v->inner));
	json_put_int(o, "size", (int64_t)v->size);
	if (v->has_sha256) {
		hex_encode(v->sha256, sizeof(v->sha256), hex);
		json_put_text(o, "sha256", span_of(hex));
	}
	json_put_int(o, "set_version", (int64_t)v->set_version);
	put_json(o);
	json_decref(o);
}

/* The other signatures, a line each. */
static void
put_also(const char *path, const struct scan_verdict *v)
{
	struct span rest = span_of(v->also);

	while (rest.len > 0) {
		put_escaped(stdout, span_of(path));
		(void)fputs(": ", stdout);
		put_escaped(stdout, span_cut(rest, '\n', &rest));
		(void)puts(" FOUND");
	}
}

static void
put_verdict(
    const struct scan_run *r, const char *path, const struct scan_verdict *v)
{
	bool found = v->name[0] != '\0';

	if (r->opt->json) {
		put_verdict_json(path, v);
		return;
	}
	if (v->outcome == SCAN_CLEAN)
		return;
	clear_bar(r);
	put_escaped(stdout, span_of(path));
	(void)fputs(": ", stdout);
	put_escaped(
	    stdout, span_of(found ? v->name : scan_reason_name(v->reason)));
	(void)puts(found ? " FOUND" : " UNSCANNABLE");
	put_also(path, v);
	if (r->bar)
		(void)fflush(stdout);
}

/* A path that could not be read at all. */
static void
put_error(struct scan_run *r, const char *path, const char *why)
{
	r->errors++;
	clear_bar(r);
	(void)fflush(stdout);
	(void)fprintf(stderr, "khien scan: ");
	put_escaped(stderr, span_of(path));
	(void)fprintf(stderr, ": %s\n", why);
	if (r->opt->json) {
		json_t *o = json_object();

		json_put_text(o, "path", span_of(path));
		json_put_text(o, "outcome", SPAN("error"));
		json_put_text(o, "error", span_of(why));
		put_json(o);
		json_decref(o);
	}
}

static void
on_unreadable(void *arg, const char *path, int error)
{
	const struct scan_run *r = arg;
	char text[128];

	put_error(arg, path,
	    error == EINVAL ? tr(r->k, N_("neither a file nor a folder"))
			    : strerror_r(error, text, sizeof(text)));
}

static void
take_verdict(
    struct scan_run *r, const struct job *job, const struct scan_verdict *v)
{
	uint64_t *const counters[SCAN_OUTCOMES] = {
		[SCAN_INFECTED] = &r->infected,
		[SCAN_SUSPICIOUS] = &r->suspicious,
		[SCAN_UNSCANNABLE] = &r->unscannable,
	};

	r->files++;
	r->bytes += (uint64_t)job->st.st_size;
	r->read += v->read;
	if (v->outcome == SCAN_UNSCANNABLE && v->reason == SCAN_R_UNREADABLE) {
		put_error(r, job->path, tr(r->k, N_("cannot be read")));
	} else {
		if (counters[v->outcome] != NULL)
			++*counters[v->outcome];
		put_verdict(r, job->path, v);
	}
	show_bar(r);
}

/* ---- scanning ------------------------------------------------------------------ */

static void
job_free(struct job *job)
{
	if (job != NULL)
		free(job->path);
	if (job != NULL && job->fd >= 0)
		(void)close(job->fd);
	free(job);
}

static enum scan_need
need_of(const struct scan_run *r, const struct stat *st)
{
	return r->cache == NULL
	    ? SCAN_NEED_ALL
	    : scan_cache_need(r->cache, scan_pool_added(r->pool), st,
		  clock_utc_ms(&clock_system));
}

static bool
is_known(void *arg, const char *path, const struct stat *st)
{
	struct scan_run *r = arg;

	(void)path;
	if (need_of(r, st) != SCAN_NEED_NOTHING)
		return false;
	r->files++;
	r->unchanged++;
	r->bytes += (uint64_t)st->st_size;
	show_bar(r);
	return true;
}

/* One verdict; false when none will come any more. */
static bool
wait_one(struct scan_run *r)
{
	struct scan_verdict v;
	struct errinfo ei = { 0 };
	struct job *job;
	void *tag = NULL;

	if (scan_pool_next(r->pool, -1, &tag, &v, &ei) != OK) {
		(void)failed(r->k, ei.msg);
		r->given_up = true;
		return false;
	}
	job = tag;
	take_verdict(r, job, &v);
	if (job->fd >= 0 && v.outcome == SCAN_CLEAN)
		scan_cache_add(r->cache, job->fd, &job->st, &v,
		    clock_utc_ms(&clock_system));
	job_free(job);
	return true;
}

static bool
on_file(void *arg, const char *path, int fd, const struct stat *st)
{
	struct scan_run *r = arg;
	struct errinfo ei = { 0 };
	struct job *job;

	while (!scan_pool_ready(r->pool))
		if (!wait_one(r)) {
			(void)close(fd);
			return false;
		}
	job = calloc(1, sizeof(*job));
	if (job != NULL) {
		job->fd = r->cache == NULL ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		job->st = *st;
	}
	if (job == NULL || (job->path = strdup(path)) == NULL) {
		job_free(job);
		(void)close(fd);
		put_error(r, path, "out of memory");
		return true;
	}
	if (scan_pool_add(r->pool, fd, job->path, need_of(r, st), job, &ei) !=
	    OK) {
		job_free(job);
		(void)failed(r->k, ei.msg);
		r->given_up = true;
		return false;
	}
	return true;
}

static void
count_all(struct scan_run *r, char **paths)
{
	struct walk w = {
		.visit = count_file, .unreadable = count_nothing, .arg = r
	};

	for (; *paths != NULL; paths++)
		(void)walk_path(&w, *paths);
}

static void
scan_all(struct scan_run *r, char **paths)
{
	struct walk w = { .visit = on_file,
		.known = is_known,
		.unreadable = on_unreadable,
		.arg = r,
		.open = true };

	r->started_ns = clock_mono_ns(&clock_system);
	for (; *paths != NULL && !r->given_up; paths++)
		(void)walk_path(&w, *paths);
	while (!r->given_up && scan_pool_busy(r->pool) > 0)
		(void)wait_one(r);
	clear_bar(r);
}

/* ---- summary ------------------------------------------------------------------- */

static const struct {
	const char *key, *label;
	size_t offset;
} totals[] = {
	{ "files", N_("Files"), offsetof(struct scan_run, files) },
	{ "unchanged", N_("Unchanged since they were clean"),
	    offsetof(struct scan_run, unchanged) },
	{ "infected", N_("Infected"), offsetof(struct scan_run, infected) },
	{ "suspicious", N_("Suspicious"),
	    offsetof(struct scan_run, suspicious) },
	{ "unscannable", N_("Not scanned in full"),
	    offsetof(struct scan_run, unscannable) },
	{ "errors", N_("Not read"), offsetof(struct scan_run, errors) },
	{ "bytes", N_("Bytes"), offsetof(struct scan_run, bytes) },
	{ "bytes_scanned", N_("Bytes scanned, unpacked ones included"),
	    offsetof(struct scan_run, read) },
};

static uint64_t
total(const struct scan_run *r, size_t i)
{
	return *(
	    const uint64_t *)(const void *)((const char *)r + totals[i].offset);
}

static void
put_summary_json(const struct scan_run *r, int64_t ms)
{
	json_t *o = json_object();

	json_put_text(o, "outcome", SPAN("summary"));
	for (size_t i = 0; i < COUNT(totals); i++)
		json_put_int(o, totals[i].key, (int64_t)total(r, i));
	json_put_int(o, "duration_ms", ms);
	json_put_int(
	    o, "set_version", (int64_t)scan_pool_info(r->pool)->version);
	put_json(o);
	json_decref(o);
}

static void
put_summary(const struct scan_run *r)
{
	int64_t ms = (clock_mono_ns(&clock_system) - r->started_ns) / 1000000;

	if (r->opt->json) {
		put_summary_json(r, ms);
		return;
	}
	(void)fflush(stdout);
	for (size_t i = 0; i < COUNT(totals); i++)
		(void)fprintf(stderr, "%s: %llu\n", tr(r->k, totals[i].label),
		    (unsigned long long)total(r, i));
	(void)fprintf(stderr, "%s: %lld.%03lld\n", tr(r->k, N_("Seconds")),
	    (long long)(ms / 1000), (long long)(ms % 1000));
	(void)fprintf(stderr, "%s: %llu\n", tr(r->k, N_("Signature set")),
	    (unsigned long long)scan_pool_info(r->pool)->version);
}

/* ---- the verb ------------------------------------------------------------------- */

static int
parse(const struct khien *k, int argc, char **argv, struct options *opt)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "db", required_argument, NULL, 'd' },
		{ "jobs", required_argument, NULL, 'n' },
		{ "cache", required_argument, NULL, 'c' },
		{ "all", no_argument, NULL, 'a' },
		{ "suspicious", required_argument, NULL, 's' },
		{ 0 },
	};
	uint64_t jobs;
	int c;

	while ((c = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (c == 'j')
			opt->json = true;
		else if (c == 'd')
			opt->db = optarg;
		else if (c == 'c')
			opt->cache = optarg;
		else if (c == 'a')
			opt->all = true;
		else if (c == 's') {
			if (scan_heuristics_parse(
				span_of(optarg), &opt->heuristics, NULL) != OK)
				return wrong_use(k,
				    N_("--suspicious is not of macro, "
				       "encrypted, active, disguised, all"),
				    optarg);
		} else if (c != 'n')
			return wrong_option(k, c, argv);
		else if (span_u64(span_of(optarg), JOBS_MAX, &jobs) != OK ||
		    jobs == 0)
			return wrong_use(
			    k, N_("--jobs is not 1 to 64"), optarg);
		else
			opt->jobs = (int)jobs;
	}
	if (optind == argc)
		return wrong_use(k, N_("no path to scan"), NULL);
	return 0;
}

static enum err
open_pool(struct scan_run *r, struct errinfo *ei)
{
	struct scan_pool_options po = {
		.set_path = r->opt->db,
		.workers = r->opt->jobs,
		.user = "nobody",
		.limits = scan_limits_default,
	};

	po.limits.all = r->opt->all;
	po.limits.heuristics = r->opt->heuristics;
	if (po.set_path == NULL && access(SET_DEFAULT, F_OK) == 0)
		po.set_path = SET_DEFAULT;
	if (po.set_path == NULL)
		(void)fprintf(stderr, "khien scan: %s\n",
		    tr(r->k,
			N_("no signature set is installed and --db names "
			   "none: only the EICAR test file is known")));
	if (scan_pool_new(&po, &r->pool, ei) != OK)
		return ei->code;
	if (r->opt->cache == NULL)
		return OK;
	return scan_cache_open(
	    r->opt->cache, scan_pool_info(r->pool), &po.limits, &r->cache, ei);
}

int
verb_scan(const struct khien *k, int argc, char **argv)
{
	struct options opt = { 0 };
	struct scan_run r = { .k = k, .opt = &opt };
	struct errinfo ei = { 0 };
	int status = parse(k, argc, argv, &opt);

	if (status != 0)
		return status;
	if (open_pool(&r, &ei) != OK) {
		scan_pool_free(r.pool);
		return failed(k, ei.msg);
	}
	r.bar = !opt.json && isatty(STDERR_FILENO) == 1;
	if (r.bar)
		count_all(&r, argv + optind);
	scan_all(&r, argv + optind);
	put_summary(&r);
	scan_cache_close(r.cache);
	scan_pool_free(r.pool);
	if (r.infected + r.suspicious > 0)
		return STATUS_FOUND;
	return r.errors > 0 || r.given_up ? STATUS_FAILED : 0;
}
