#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/wire.h"

#define WORKERS_MAX 64
#define SETUP_MS    60000 /* for a worker to map and check its set */
#define GRACE_MS    5000  /* past its own limit before it is killed */
#define STOP_MS     500

struct slot {
	struct worker *worker; /* NULL: to be started when needed */
	unsigned generation;   /* of the set that it has */
	bool busy;
	void *tag;
	int64_t deadline_ns;
};

/* What a worker says of its set. */
struct set_facts {
	struct scan_set_info info;
	struct scan_added added;
};

struct scan_pool {
	struct scan_pool_options opt;
	char *user;
	int set_fd;
	unsigned generation;
	struct set_facts facts;
	size_t count;
	struct slot slots[WORKERS_MAX];
};

/* ---- sets ----------------------------------------------------------------- */

/* The set that knows nothing but EICAR, in memory. */
static enum err
builtin_set(int *out, struct errinfo *ei)
{
	struct scan_builder *b = NULL;
	int fd = memfd_create("khien-set", MFD_CLOEXEC);
	enum err e;

	if (fd < 0)
		return err_sys(ei, "built-in signature set");
	e = scan_builder_new(NULL, NULL, &b, ei);
	if (e == OK)
		e = scan_builder_write(b, 0, 0, fd, ei);
	scan_builder_free(b);
	if (e != OK)
		(void)close(fd);
	else
		*out = fd;
	return e;
}

static enum err
open_set(const char *path, int *out, struct errinfo *ei)
{
	int fd;

	if (path == NULL)
		return builtin_set(out, ei);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return err_set(ei, ERR_NOT_FOUND, "no signature set %s", path);
	if (fd < 0)
		return err_sys(ei, "signature set %s", path);
	*out = fd;
	return OK;
}

/* ---- workers ---------------------------------------------------------------- */

/* Give the worker a set and wait for its word. */
static enum err
set_up(const struct scan_pool *p, struct worker *w, int set_fd,
    struct set_facts *facts, struct errinfo *ei)
{
	struct wire_setup setup;
	struct channel *ch = worker_channel(w);
	struct message m;
	enum err e;

	/* Padding goes over the wire too. */
	memset(&setup, 0, sizeof(setup));
	setup.limits = p->opt.limits;
	setup.want_sha256 = p->opt.want_sha256;
	e = channel_send(ch, SCAN_SETUP,
	    (struct span){ (const char *)&setup, sizeof(setup) }, set_fd, ei);
	if (e == OK)
		e = channel_receive(ch, SETUP_MS, &m, ei);
	if (e != OK)
		return err_set(ei, ERR_IO, "scan worker died at its start");
	if (m.fd != -1)
		(void)close(m.fd);
	if (m.type == SCAN_REFUSED)
		return wire_failure(m.body, ei);
	if (m.type != SCAN_READY ||
	    !wire_take(&m.body, &facts->info, sizeof(facts->info)) ||
	    !wire_take(&m.body, &facts->added, sizeof(facts->added)))
		return err_set(ei, ERR_CORRUPT, "scan worker talks nonsense");
	return OK;
}

/* The worker that found fault with a set does not know its name. */
static void
name_set(const char *path, struct errinfo *ei)
{
	struct errinfo said;

	if (ei == NULL || path == NULL)
		return;
	said = *ei;
	(void)err_set(ei, said.code, "%s: %s", path, said.msg);
}

/* `path`, if not NULL, is what people call the set. */
static enum err
start(const struct scan_pool *p, int set_fd, const char *path,
    struct worker **out, struct set_facts *facts, struct errinfo *ei)
{
	struct worker_spec spec = {
		.program = worker_program(), .role = "scan", .user = p->user
	};
	struct worker *w = NULL;
	enum err e = worker_start(&spec, &w, ei);

	if (e == OK && (e = set_up(p, w, set_fd, facts, ei)) != OK)
		name_set(path, ei);
	if (e != OK) {
		(void)worker_stop(w, 0);
		return e;
	}
	*out = w;
	return OK;
}

static void
bury(struct slot *s, int grace_ms)
{
	(void)worker_stop(s->worker, grace_ms);
	s->worker = NULL;
	s->busy = false;
}

/* A worker with the pool's set. */
static enum err
prepare(struct scan_pool *p, struct slot *s, struct errinfo *ei)
{
	struct set_facts facts;
	enum err e;

	if (s->worker != NULL && s->generation != p->generation &&
	    set_up(p, s->worker, p->set_fd, &facts, ei) != OK)
		bury(s, 0);
	if (s->worker == NULL) {
		e = start(p, p->set_fd, NULL, &s->worker, &facts, ei);
		if (e != OK)
			return e;
	}
	s->generation = p->generation;
	return OK;
}

/* ---- the pool --------------------------------------------------------------- */

static size_t
worker_count(int wanted)
{
	long n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1)
		return 1;
	return n > WORKERS_MAX ? WORKERS_MAX : (size_t)n;
}

enum err
scan_pool_new(const struct scan_pool_options *opt, struct scan_pool **out,
    struct errinfo *ei)
{
	struct scan_pool *p = calloc(1, sizeof(*p));
	enum err e = OK;

	if (p == NULL)
		return err_set(ei, ERR_NOMEM, "scan pool");
	p->opt = *opt;
	p->opt.set_path = p->opt.user = NULL; /* not kept alive by anyone */
	p->set_fd = -1;
	p->count = worker_count(opt->workers);
	if (opt->user != NULL) {
		p->user = strdup(opt->user);
		if (p->user == NULL)
			e = err_set(ei, ERR_NOMEM, "scan pool");
	}
	if (e == OK)
		e = open_set(opt->set_path, &p->set_fd, ei);
	if (e == OK)
		e = start(p, p->set_fd, opt->set_path, &p->slots[0].worker,
		    &p->facts, ei);
	if (e != OK) {
		scan_pool_free(p);
		return e;
	}
	*out = p;
	return OK;
}

void
scan_pool_free(struct scan_pool *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++)
		bury(&p->slots[i], p->slots[i].busy ? 0 : STOP_MS);
	if (p->set_fd != -1)
		(void)close(p->set_fd);
	free(p->user);
	free(p);
}

const struct scan_set_info *
scan_pool_info(const struct scan_pool *p)
{
	return &p->facts.info;
}

const struct scan_added *
scan_pool_added(const struct scan_pool *p)
{
	return &p->facts.added;
}

size_t
scan_pool_busy(const struct scan_pool *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->slots[i].busy;
	return n;
}

bool
scan_pool_ready(const struct scan_pool *p)
{
	return scan_pool_busy(p) < p->count;
}

/* A free slot, one whose worker runs before one that must be started. */
static struct slot *
free_slot(struct scan_pool *p)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];

		if (!s->busy && (found == NULL || found->worker == NULL))
			found = s;
	}
	return found;
}

static enum err
send_file(const struct slot *s, int fd, enum scan_need need, struct errinfo *ei)
{
	struct wire_file f = { need };

	return channel_send(worker_channel(s->worker), SCAN_FILE,
	    (struct span){ (const char *)&f, sizeof(f) }, fd, ei);
}

enum err
scan_pool_add(struct scan_pool *p, int fd, enum scan_need need, void *tag,
    struct errinfo *ei)
{
	struct slot *s = free_slot(p);
	enum err e;

	if (s == NULL)
		return err_set(ei, ERR_BUSY, "all scan workers are busy");
	e = prepare(p, s, ei);
	/* One that died while idle is replaced once. */
	if (e == OK && send_file(s, fd, need, ei) != OK) {
		bury(s, 0);
		e = prepare(p, s, ei);
		if (e == OK)
			e = send_file(s, fd, need, ei);
	}
	(void)close(fd);
	if (e != OK)
		return e;
	s->busy = true;
	s->tag = tag;
	s->deadline_ns = clock_mono_ns(&clock_system) +
	    ((int64_t)p->opt.limits.seconds * 1000 + GRACE_MS) * 1000000;
	return OK;
}

/* The slot is over: its worker is gone, and so is the verdict. */
static void
lost(struct scan_pool *p, struct slot *s, enum scan_reason reason,
    struct scan_verdict *out)
{
	bury(s, 0);
	*out = (struct scan_verdict){
		.outcome = SCAN_UNSCANNABLE,
		.reason = reason,
		.set_version = p->facts.info.version,
	};
}

/* Takes what the worker says.  ERR_BUSY: nothing whole yet. */
static enum err
hear(struct scan_pool *p, struct slot *s, struct scan_verdict *out)
{
	struct message m;
	enum err e = channel_receive(worker_channel(s->worker), 0, &m, NULL);

	if (e == ERR_BUSY)
		return e;
	if (e == OK && m.fd != -1)
		(void)close(m.fd);
	if (e != OK || m.type != SCAN_VERDICT ||
	    scan_verdict_decode(m.body, out, NULL) != OK)
		lost(p, s, SCAN_R_WORKER, out);
	s->busy = false;
	return OK;
}

static int
ms_until(int64_t now, int64_t then)
{
	int64_t ms = (then - now + 999999) / 1000000;

	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

/* Wait for a busy worker to speak, or for the first deadline. */
static void
wait_any(struct scan_pool *p, int64_t now, int64_t until, bool forever)
{
	struct pollfd fds[WORKERS_MAX];
	int64_t first = until;
	nfds_t n = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];

		if (!s->busy)
			continue;
		fds[n++] = (struct pollfd){
			.fd = channel_fd(worker_channel(s->worker)),
			.events = POLLIN,
		};
		if (forever || s->deadline_ns < first)
			first = s->deadline_ns;
		forever = false;
	}
	(void)poll(fds, n, ms_until(now, first));
}

/* One pass over the busy workers; NULL when none has a verdict. */
static struct slot *
harvest(struct scan_pool *p, struct scan_verdict *out)
{
	int64_t now = clock_mono_ns(&clock_system);

	for (size_t i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];

		if (!s->busy)
			continue;
		if (hear(p, s, out) == OK)
			return s;
		if (now >= s->deadline_ns) {
			lost(p, s, SCAN_R_TIME, out);
			return s;
		}
	}
	return NULL;
}

enum err
scan_pool_next(struct scan_pool *p, int timeout_ms, void **tag,
    struct scan_verdict *out, struct errinfo *ei)
{
	int64_t now = clock_mono_ns(&clock_system);
	int64_t until = now + (int64_t)timeout_ms * 1000000;
	struct slot *s;

	if (scan_pool_busy(p) == 0)
		return err_set(ei, ERR_BUSY, "no file is being scanned");
	while ((s = harvest(p, out)) == NULL) {
		now = clock_mono_ns(&clock_system);
		if (timeout_ms >= 0 && now >= until)
			return err_set(ei, ERR_BUSY, "no verdict yet");
		wait_any(p, now, until, timeout_ms < 0);
	}
	*tag = s->tag;
	return OK;
}

enum err
scan_pool_reload(struct scan_pool *p, const char *set_path, struct errinfo *ei)
{
	struct set_facts facts;
	struct worker *w = NULL;
	struct slot *s;
	int fd = -1;
	enum err e = open_set(set_path, &fd, ei);

	if (e != OK)
		return e;
	/* A worker of its own tries the set, so that a bad one costs nothing
	 * that runs. */
	e = start(p, fd, set_path, &w, &facts, ei);
	if (e != OK) {
		(void)close(fd);
		return e;
	}
	(void)close(p->set_fd);
	p->set_fd = fd;
	p->facts = facts;
	p->generation++;
	s = free_slot(p);
	if (s == NULL) {
		(void)worker_stop(w, STOP_MS);
		return OK;
	}
	if (s->worker != NULL)
		bury(s, STOP_MS);
	s->worker = w;
	s->generation = p->generation;
	return OK;
}
