/* The scanning thread: walks, hands files to the workers, and deals with what
 * they find. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "crypt/crypt.h"
#include "endpoint/agent_int.h"
#include "endpoint/walk.h"

/* ---- orders ---- */

static void
free_paths(char **paths)
{
	for (size_t i = 0; paths != NULL && paths[i] != NULL; i++)
		free(paths[i]);
	free(paths);
}

void
scan_order_free(struct scan_order *order)
{
	free_paths(order->paths);
	order->paths = NULL;
}

static char **
copy_paths(const char *const *paths)
{
	char **copy = calloc(PATHS_MAX + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < PATHS_MAX && paths[i]; i++) {
		copy[i] = strdup(paths[i]);
		if (copy[i] == NULL) {
			free_paths(copy);
			return NULL;
		}
	}
	return copy;
}

static char **
policy_paths(const struct agent *a)
{
	const json_t *list =
	    json_object_get(json_object_get(a->state.tree, "policy"), "paths");
	const char *paths[PATHS_MAX + 1] = { NULL };
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && n < PATHS_MAX; i++)
		if (json_is_string(json_array_get(list, i)))
			paths[n++] = json_string_value(json_array_get(list, i));
	return copy_paths(paths);
}

enum err
scan_order_add(struct agent *a, bool scheduled, const char *command,
    const char *const *paths, struct errinfo *ei)
{
	struct scan_order *order = &a->queue[a->queued];

	if (a->queued == SCAN_QUEUE_MAX)
		return err_set(ei, ERR_BUSY, "%d scans are waiting already",
		    SCAN_QUEUE_MAX);
	*order = (struct scan_order){ .scheduled = scheduled };
	(void)snprintf(order->command, sizeof(order->command), "%s", command);
	order->paths = paths == NULL ? policy_paths(a) : copy_paths(paths);
	if (order->paths == NULL)
		return err_set(ei, ERR_NOMEM, "scan");
	a->queued++;
	(void)pthread_cond_signal(&a->work);
	return OK;
}

#define HOUR_MS INT64_C(3600000)

bool
scan_due(const struct agent *a)
{
	const json_t *policy = json_object_get(a->state.tree, "policy");
	int64_t hours =
	    json_integer_value(json_object_get(policy, "scan_hours"));
	int64_t last = state_int(&a->state, "last_scan_ms");
	int64_t age = clock_utc_ms(&clock_system) - last;

	/* A last scan in the future: the clock was set back. */
	return policy != NULL && hours > 0 && !a->scanning && a->queued == 0 &&
	    (age >= hours * HOUR_MS || age < -HOUR_MS);
}

/* ---- findings ---- */

struct run {
	struct agent *a;
	const struct scan_order *order;
	struct scan_pool *pool;
	struct scan_limits limits;
	struct scan_cache *cache; /* or NULL */
	int64_t started_ms;
	int64_t files, infected, unscannable, unreadable;
	bool broken;   /* the pool cannot go on */
	dev_t own_dev; /* the agent's own folder is not scanned */
	ino_t own_ino;
};

struct file {
	char *path;
	int fd; /* our own, for quarantine */
	struct stat st;
};

static void
file_free(struct file *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->path);
	free(f);
}

/* The same finding has the same id, however often it is made: after a crash
 * it is told again, and stored once. */
static struct uuid
finding_id(const struct agent *a, const struct file *f, const struct stat *st,
    const struct scan_verdict *v)
{
	unsigned char digest[SHA256_LEN];
	struct buf b = buf_make(1u << 21);
	struct uuid id;

	buf_fmt(&b, "%s %llu %llu %lld.%09ld %lld ",
	    state_text(&a->state, "agent"), (unsigned long long)st->st_dev,
	    (unsigned long long)st->st_ino, (long long)st->st_mtim.tv_sec,
	    st->st_mtim.tv_nsec, (long long)st->st_size);
	buf_add(&b, v->sha256, sizeof(v->sha256));
	buf_fmt(&b, " %s %s", v->name, f->path);
	sha256(buf_view(&b), digest);
	memcpy(id.b, digest, sizeof(id.b));
	id.b[6] = (unsigned char)(0x80 | (id.b[6] & 0x0f)); /* version 8 */
	id.b[8] = (unsigned char)(0x80 | (id.b[8] & 0x3f));
	buf_free(&b);
	return id;
}

/* What is but suspicious stays where it is, whatever the policy. */
static bool
quarantines(const struct agent *a, const struct scan_verdict *v)
{
	const char *action = json_string_value(json_object_get(
	    json_object_get(a->state.tree, "policy"), "action"));

	return v->outcome == SCAN_INFECTED &&
	    (action == NULL || strcmp(action, "report") != 0);
}

static json_t *
finding_json(const struct agent *a, struct uuid id, const struct file *f,
    const struct scan_verdict *v)
{
	json_t *o = json_object();
	char hex[65];

	json_put_uuid(o, "id", id);
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(o, "path", span_of(f->path));
	json_put_text(o, "inner", span_of(v->inner));
	json_put_text(o, "name", span_of(v->name));
	json_put_text(o, "source", span_of(v->source));
	json_put_text(o, "outcome", span_of(scan_outcome_name(v->outcome)));
	hex_encode(v->sha256, sizeof(v->sha256), hex);
	json_put_text(o, "sha256", span_of(v->has_sha256 ? hex : ""));
	if (!v->has_sha256)
		(void)json_object_del(o, "sha256");
	json_put_int(o, "size", (int64_t)v->size);
	json_put_int(o, "set_version", (int64_t)v->set_version);
	json_put_text(o, "action",
	    quarantines(a, v) ? SPAN("quarantine") : SPAN("report"));
	return o;
}

static enum err
tell_finding(struct agent *a, struct uuid id, const struct file *f,
    const struct scan_verdict *v, struct errinfo *ei)
{
	json_t *o = finding_json(a, id, f, v);
	char *text = json_dumps(o, JSON_COMPACT);
	enum err e = text == NULL
	    ? err_set(ei, ERR_NOMEM, "finding")
	    : spool_add(a->spool, SPOOL_DETECTION, span_of(text), NULL, ei);

	free(text);
	json_decref(o);
	return e;
}

static enum err
tell_action(struct agent *a, struct uuid id, const char *result,
    const char *why, struct errinfo *ei)
{
	json_t *o = json_object();

	json_put_text(o, "event", SPAN("action"));
	json_put_uuid(o, "detection", id);
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(o, "result", span_of(result));
	json_put_text(o, "reason", span_of(why));
	return record_event(a, o, ei);
}

/* First it is told, durably; then the file is taken; then that is told.
 * Killed between, the next scan or start goes on with the same id. */
static enum err
deal_with(struct agent *a, const struct file *f, const struct scan_verdict *v,
    struct errinfo *ei)
{
	struct errinfo why = { 0 };
	struct stat st;
	struct uuid id;
	char hex[65];
	enum err e;

	hex_encode(v->sha256, sizeof(v->sha256), hex);
	if (v->has_sha256 && state_has(&a->state, "allowed", hex))
		return OK;
	if (fstat(f->fd, &st) != 0)
		return err_sys(ei, "%s", f->path);
	id = finding_id(a, f, &st, v);
	e = tell_finding(a, id, f, v, ei);
	if (e != OK || !quarantines(a, v))
		return e;
	e = quarantine_take(
	    a->quarantine, id, f->fd, span_of(f->path), v->name, &why);
	log_info("detection", LOG_S("path", f->path), LOG_S("name", v->name),
	    LOG_S("quarantine", e == OK ? "taken" : why.msg));
	return tell_action(a, id, e == OK ? "quarantined" : "failed",
	    e == OK ? "" : why.msg, ei);
}

static void
take_verdict(struct run *r, const struct file *f, const struct scan_verdict *v)
{
	struct errinfo ei = { 0 };
	enum err e = OK;

	r->files++;
	r->unscannable += v->outcome == SCAN_UNSCANNABLE;
	if (v->outcome != SCAN_INFECTED && v->outcome != SCAN_SUSPICIOUS)
		return;
	r->infected += v->outcome == SCAN_INFECTED;
	(void)pthread_mutex_lock(&r->a->lock);
	e = deal_with(r->a, f, v, &ei);
	if (e != OK)
		set_fault(r->a, "finding", ei.msg);
	wake_main(r->a);
	(void)pthread_mutex_unlock(&r->a->lock);
	if (e != OK)
		log_error("detection.lost", LOG_S("path", f->path),
		    LOG_S("why", ei.msg));
}

/* ---- walking ---- */

static void
wait_one(struct run *r)
{
	struct errinfo ei = { 0 };
	struct scan_verdict v;
	struct file *f;
	void *tag = NULL;

	if (scan_pool_next(r->pool, -1, &tag, &v, &ei) != OK) {
		(void)pthread_mutex_lock(&r->a->lock);
		set_fault(r->a, "scan workers", ei.msg);
		(void)pthread_mutex_unlock(&r->a->lock);
		r->broken = true;
		return;
	}
	f = tag;
	take_verdict(r, f, &v);
	if (r->cache != NULL && v.outcome == SCAN_CLEAN)
		scan_cache_add(
		    r->cache, f->fd, &f->st, &v, clock_utc_ms(&clock_system));
	file_free(f);
}

/* Whoever asks for a scan now wants all files looked at; the schedule does
 * not. */
static enum scan_need
need_of(const struct run *r, const struct stat *st)
{
	return !r->order->scheduled || r->cache == NULL
	    ? SCAN_NEED_ALL
	    : scan_cache_need(r->cache, scan_pool_added(r->pool), st,
		  clock_utc_ms(&clock_system));
}

static bool
on_file(void *arg, const char *path, int fd, const struct stat *st)
{
	struct run *r = arg;
	struct file *f = calloc(1, sizeof(*f));
	struct errinfo ei = { 0 };

	while (!r->broken && !scan_pool_ready(r->pool))
		wait_one(r);
	if (f != NULL) {
		f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		f->path = strdup(path);
		f->st = *st;
	}
	if (r->broken || f == NULL || f->fd < 0 || f->path == NULL ||
	    scan_pool_add(r->pool, fd, f->path, need_of(r, st), f, &ei) != OK) {
		file_free(f);
		(void)close(fd);
		r->unreadable++;
	}
	return !r->broken && !atomic_load(&r->a->ending);
}

static bool
is_known(void *arg, const char *path, const struct stat *st)
{
	struct run *r = arg;

	(void)path;
	if (need_of(r, st) != SCAN_NEED_NOTHING)
		return false;
	r->files++;
	return true;
}

static void
on_unreadable(void *arg, const char *path, int error)
{
	struct run *r = arg;

	(void)path;
	r->unreadable += error != ENOENT; /* vanished: not there to read */
}

/* Not its own folder, and not what the policy excludes. */
static bool
on_folder(void *arg, const char *path)
{
	struct run *r = arg;
	const json_t *list;
	struct stat st;
	bool good = true;

	if (lstat(path, &st) == 0 && st.st_dev == r->own_dev &&
	    st.st_ino == r->own_ino)
		return false;
	(void)pthread_mutex_lock(&r->a->lock);
	list = json_object_get(
	    json_object_get(r->a->state.tree, "policy"), "exclude");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *x = json_string_value(json_array_get(list, i));

		good = good && (x == NULL || strcmp(x, path) != 0);
	}
	(void)pthread_mutex_unlock(&r->a->lock);
	return good;
}

static void
walk_all(struct run *r)
{
	struct walk w = { .visit = on_file,
		.known = is_known,
		.unreadable = on_unreadable,
		.enter = on_folder,
		.arg = r,
		.open = true };

	for (size_t i = 0; r->order->paths[i] != NULL && !r->broken; i++) {
		struct stat st;

		/* A policy names folders that not every computer has. */
		if (r->order->scheduled && lstat(r->order->paths[i], &st) != 0)
			continue;
		if (!walk_path(&w, r->order->paths[i]))
			break;
	}
	while (!r->broken && scan_pool_busy(r->pool) > 0)
		wait_one(r);
}

/* ---- a whole scan ---- */

static json_t *
scan_event(const struct run *r, int64_t now)
{
	json_t *o = json_object();

	json_put_text(o, "event", SPAN("scan"));
	json_put_time(o, "time", now);
	json_put_time(o, "started", r->started_ms);
	json_put_bool(o, "scheduled", r->order->scheduled);
	json_put_int(o, "files", r->files);
	json_put_int(o, "infected", r->infected);
	json_put_int(o, "unscannable", r->unscannable);
	json_put_int(o, "unreadable", r->unreadable);
	return o;
}

static json_t *
command_event(const char *id, bool done, const char *why)
{
	json_t *o = json_object();

	json_put_text(o, "event", SPAN("command"));
	json_put_text(o, "command", span_of(id));
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(o, "result", done ? SPAN("done") : SPAN("failed"));
	json_put_text(o, "reason", span_of(why));
	return o;
}

/* Lock held. */
static void
finish(struct run *r, bool whole)
{
	struct agent *a = r->a;
	int64_t now = clock_utc_ms(&clock_system);
	struct errinfo ei = { 0 };
	enum err e = record_event(a, scan_event(r, now), &ei);

	if (e == OK && r->order->command[0] != '\0')
		e = record_event(a,
		    command_event(r->order->command, whole,
			whole ? "" : "the scan was broken off"),
		    &ei);
	if (e == OK && whole && r->order->scheduled) {
		json_put_int(a->state.tree, "last_scan_ms", now);
		e = state_save(&a->state, &ei);
	}
	if (e != OK)
		set_fault(a, "scan", ei.msg);
	log_info("scan.ended", LOG_I("files", r->files),
	    LOG_I("infected", r->infected),
	    LOG_I("unscannable", r->unscannable),
	    LOG_I("unreadable", r->unreadable),
	    LOG_I("ms", now - r->started_ms));
}

/* The policy's.  Lock held. */
static struct scan_limits
limits_of(const struct agent *a)
{
	const json_t *list = json_object_get(
	    json_object_get(a->state.tree, "policy"), "suspicious");
	struct scan_limits limits = scan_limits_default;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *kind = json_string_value(json_array_get(list, i));
		uint32_t bits = 0;

		/* A centre may know more kinds than this agent. */
		if (kind != NULL &&
		    scan_heuristics_parse(span_of(kind), &bits, NULL) == OK)
			limits.heuristics |= bits;
	}
	return limits;
}

/* Without it every file is scanned: slower, not wrong. */
static void
open_cache(struct run *r)
{
	char path[PATH_MAX];
	struct errinfo ei = { 0 };

	(void)snprintf(path, sizeof(path), "%s/scan-cache", r->a->dir);
	if (scan_cache_open(path, scan_pool_info(r->pool), &r->limits,
		&r->cache, &ei) != OK)
		log_warn("scan.cache", LOG_S("why", ei.msg));
}

static void
run_order(
    struct agent *a, struct scan_pool *pool, const struct scan_order *order)
{
	struct run r = { .a = a,
		.order = order,
		.pool = pool,
		.started_ms = clock_utc_ms(&clock_system) };
	struct stat st;

	(void)pthread_mutex_lock(&a->lock);
	r.limits = limits_of(a);
	(void)pthread_mutex_unlock(&a->lock);
	scan_pool_limit(pool, &r.limits);
	if (stat(a->dir, &st) == 0) {
		r.own_dev = st.st_dev;
		r.own_ino = st.st_ino;
	}
	log_info("scan.started", LOG_I("scheduled", order->scheduled));
	open_cache(&r);
	walk_all(&r);
	scan_cache_close(r.cache);
	(void)pthread_mutex_lock(&a->lock);
	if (!atomic_load(&a->ending))
		finish(&r, !r.broken);
	wake_main(a);
	(void)pthread_mutex_unlock(&a->lock);
}

/* ---- the thread ---- */

static enum err
open_pool(struct agent *a, struct errinfo *ei)
{
	char path[PATH_MAX];
	struct scan_pool_options opt = { .user = "nobody",
		.limits = scan_limits_default };

	(void)snprintf(path, sizeof(path), "%s/sets/current.kdb", a->dir);
	opt.set_path = access(path, R_OK) == 0 ? path : NULL;
	return scan_pool_new(&opt, &a->pool, ei);
}

/* Lock held: what the pool uses now. */
static void
note_set(struct agent *a)
{
	const struct scan_set_info *info = scan_pool_info(a->pool);

	a->set_version = (int64_t)info->version;
	a->set_built_ms = info->built_ms;
	a->fault[0] = '\0';
	wake_main(a);
}

static void
reload(struct agent *a)
{
	char path[PATH_MAX];
	struct errinfo ei = { 0 };
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/sets/current.kdb", a->dir);
	e = scan_pool_reload(a->pool, path, &ei);
	(void)pthread_mutex_lock(&a->lock);
	if (e == OK)
		note_set(a);
	else
		set_fault(a, "signature set", ei.msg);
	(void)pthread_mutex_unlock(&a->lock);
}

/* Waits for something to do; false at the end.  Lock held. */
static bool
next_order(struct agent *a, struct scan_order *out, bool *new_set)
{
	while (a->queued == 0 && !a->new_set && !atomic_load(&a->ending))
		(void)pthread_cond_wait(&a->work, &a->lock);
	if (atomic_load(&a->ending))
		return false;
	*new_set = a->new_set;
	a->new_set = false;
	*out = (struct scan_order){ 0 };
	if (a->queued > 0) {
		*out = a->queue[0];
		memmove(
		    a->queue, a->queue + 1, --a->queued * sizeof(a->queue[0]));
		a->scanning = true;
	}
	return true;
}

#define RETRY_SECONDS 30

/* The pool, tried again and again: without it the computer is unprotected,
 * and the fault says so at the centre. */
static bool
have_pool(struct agent *a)
{
	struct errinfo ei = { 0 };

	while (a->pool == NULL && !atomic_load(&a->ending)) {
		struct timespec until;

		if (open_pool(a, &ei) == OK)
			break;
		log_error("scan.workers", LOG_S("why", ei.msg));
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += RETRY_SECONDS;
		(void)pthread_mutex_lock(&a->lock);
		set_fault(a, "scan workers", ei.msg);
		(void)pthread_cond_timedwait(&a->work, &a->lock, &until);
		(void)pthread_mutex_unlock(&a->lock);
	}
	return a->pool != NULL;
}

void *
scanner_thread(void *agent)
{
	struct agent *a = agent;
	struct scan_order order;
	bool new_set = false;

	if (!have_pool(a))
		return NULL;
	(void)pthread_mutex_lock(&a->lock);
	note_set(a);
	while (next_order(a, &order, &new_set)) {
		(void)pthread_mutex_unlock(&a->lock);
		if (new_set)
			reload(a);
		if (order.paths != NULL)
			run_order(a, a->pool, &order);
		scan_order_free(&order);
		(void)pthread_mutex_lock(&a->lock);
		a->scanning = false;
	}
	(void)pthread_mutex_unlock(&a->lock);
	scan_pool_free(a->pool);
	a->pool = NULL;
	return NULL;
}
