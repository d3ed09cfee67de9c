#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/pool/wire.h"

#define WORKERS_MAX 64
#define SETUP_MS    60000 /* for a worker to map and check its set */
#define GRACE_MS    5000  /* past its own limit before it is killed */
#define STOP_MS     500

/* A worker has several small files at once, so that neither side waits for
 * the other after each; a large one closes its queue. */
#define QUEUE       16u
#define QUEUE_BYTES (UINT64_C(1) << 20)

struct job {
	int fd; /* kept until the verdict: another worker may need it */
	const char *path;
	enum scan_need need;
	void *tag;
	uint64_t size;
};
struct slot {
	struct worker *worker; /* NULL: to be started when needed */
	unsigned generation;   /* of the set that it has */
	struct job queue[QUEUE];
	size_t first, count; /* of the queue, in a ring */
	size_t sent;         /* of these, the worker has so many */
	/* One of the files killed a worker: they are sent one by one, and the
	 * one that does it again is to blame. */
	bool careful;
	int64_t deadline_ns; /* of the first of them */
	struct buf heard;    /* verdicts that were not handed out */
	size_t heard_at;
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

static struct job *
head_of(struct slot *s)
{
	return &s->queue[s->first];
}

static void
pop(struct slot *s)
{
	s->first = (s->first + 1) % QUEUE;
	s->count--;
}

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
	s->sent = 0;
	buf_clear(&s->heard);
	s->heard_at = 0;
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
	for (size_t i = 0; i < p->count; i++)
		p->slots[i].heard = buf_make(MESSAGE_MAX);
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
	for (size_t i = 0; i < p->count; i++) {
		struct slot *slot = &p->slots[i];

		bury(slot, slot->count > 0 ? 0 : STOP_MS);
		for (; slot->count > 0; pop(slot))
			(void)close(head_of(slot)->fd);
		buf_free(&slot->heard);
	}
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
		n += p->slots[i].count;
	return n;
}

static uint64_t
bytes_of(const struct slot *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += s->queue[(s->first + i) % QUEUE].size;
	return n;
}

static bool
takes_more(const struct scan_pool *p, const struct slot *s)
{
	return s->count == 0 ||
	    (s->count < QUEUE && s->generation == p->generation &&
		!s->careful && bytes_of(s) < QUEUE_BYTES);
}

bool
scan_pool_ready(const struct scan_pool *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (takes_more(p, &p->slots[i]))
			return true;
	return false;
}

/* The one with the least to do; of those with nothing one whose worker runs
 * before one that must be started. */
static struct slot *
free_slot(struct scan_pool *p)
{
	struct slot *found = NULL;
	uint64_t least = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];
		uint64_t load = s->count == 0 ? s->worker == NULL
					      : bytes_of(s) + s->count + 1;

		if (takes_more(p, s) && (found == NULL || load < least)) {
			found = s;
			least = load;
		}
	}
	return found;
}

/* What a worker makes of a name depends on that alone. */
static struct span
name_of(const struct scan_pool *p, const struct job *job)
{
	const char *slash = strrchr(job->path, '/');

	if ((p->opt.limits.heuristics & SCAN_H_DISGUISED) == 0)
		return SPAN("");
	return span_of(slash == NULL ? job->path : slash + 1);
}

static enum err
send_job(const struct scan_pool *p, const struct slot *s, const struct job *job,
    struct errinfo *ei)
{
	static const uint16_t types[] = {
		[SCAN_NEED_ALL] = SCAN_FILE, [SCAN_NEED_ADDED] = SCAN_FILE_ADDED
	};
	struct channel *ch = worker_channel(s->worker);
	enum err e = OK;

	if (job->size >= QUEUE_BYTES && s->sent > 0)
		e = channel_send(ch, SCAN_FLUSH, SPAN(""), -1, ei);
	return e == OK
	    ? channel_send(ch, types[job->need], name_of(p, job), job->fd, ei)
	    : e;
}

static void
set_deadline(const struct scan_pool *p, struct slot *s)
{
	s->deadline_ns = clock_mono_ns(&clock_system) +
	    ((int64_t)p->opt.limits.seconds * 1000 + GRACE_MS) * 1000000;
}

/* Sends what waits; with care, one file at a time.  A worker that died is
 * replaced once. */
static enum err
send_jobs(struct scan_pool *p, struct slot *s, struct errinfo *ei)
{
	size_t most = s->careful ? 1 : s->count;
	bool again = true;
	enum err e = OK;

	while (e == OK && s->sent < s->count && s->sent < most) {
		if (s->sent == 0)
			e = prepare(p, s, ei);
		if (e != OK)
			return e;
		e = send_job(p, s, &s->queue[(s->first + s->sent) % QUEUE], ei);
		if (e == OK) {
			if (s->sent++ == 0)
				set_deadline(p, s);
		} else if (again) {
			s->careful = s->careful || s->sent > 0;
			again = false;
			bury(s, 0);
			e = OK;
		}
	}
	return e;
}

enum err
scan_pool_add(struct scan_pool *p, int fd, const char *path,
    enum scan_need need, void *tag, struct errinfo *ei)
{
	struct slot *s = free_slot(p);
	struct stat st;
	enum err e;

	if (s == NULL)
		return err_set(ei, ERR_BUSY, "all scan workers are busy");
	s->queue[(s->first + s->count++) % QUEUE] = (struct job){
		.fd = fd,
		.path = path,
		.need = need,
		.tag = tag,
		.size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0,
	};
	e = send_jobs(p, s, ei);
	if (e != OK) {
		s->count--;
		(void)close(fd);
	}
	return e;
}

/* The first file is done: its tag. */
static void *
finish(struct slot *s)
{
	struct job *job = head_of(s);
	void *tag = job->tag;

	(void)close(job->fd);
	s->sent -= s->sent > 0;
	pop(s);
	s->careful = s->careful && s->count > 0;
	return tag;
}

/* The worker is gone.  True: the first file is to blame, here is what is said
 * of it; else they are tried again. */
static bool
lost(struct scan_pool *p, struct slot *s, enum scan_reason reason,
    struct scan_verdict *out)
{
	bool to_blame = s->sent <= 1;

	bury(s, 0);
	if (!to_blame) {
		s->careful = true;
		return false;
	}
	*out = (struct scan_verdict){
		.outcome = SCAN_UNSCANNABLE,
		.reason = reason,
		.set_version = p->facts.info.version,
	};
	return true;
}

/* The next verdict of those that came together; false: nonsense. */
static bool
take_verdict(struct slot *s, struct scan_verdict *out)
{
	struct span rest = span_from(buf_view(&s->heard), s->heard_at);
	struct span body = rest;
	uint32_t n;

	if (!wire_take(&body, &n, sizeof(n)) || n > body.len)
		return false;
	body.len = n;
	s->heard_at += sizeof(n) + n;
	if (s->heard_at == s->heard.len) {
		bool ok = scan_verdict_decode(body, out, NULL) == OK;

		buf_clear(&s->heard);
		s->heard_at = 0;
		return ok;
	}
	return scan_verdict_decode(body, out, NULL) == OK;
}

/* Takes what the worker says.  ERR_BUSY: nothing. */
static enum err
hear(struct slot *s)
{
	struct message m;
	enum err e = channel_receive(worker_channel(s->worker), 0, &m, NULL);

	if (e != OK)
		return e;
	if (m.fd != -1)
		(void)close(m.fd);
	if (m.type != SCAN_VERDICTS || m.body.len == 0)
		return ERR_CORRUPT;
	buf_span(&s->heard, m.body);
	return s->heard.full ? ERR_NOMEM : OK;
}

/* A verdict of this slot, if there is one by now. */
static bool
harvest_slot(
    struct scan_pool *p, struct slot *s, int64_t now, struct scan_verdict *out)
{
	enum err e = s->worker == NULL ? ERR_IO
	    : s->heard.len > 0         ? OK
				       : hear(s);

	if (e == ERR_BUSY)
		return now >= s->deadline_ns && lost(p, s, SCAN_R_TIME, out);
	if (e != OK || s->sent == 0 || !take_verdict(s, out))
		return lost(p, s, SCAN_R_WORKER, out);
	set_deadline(p, s);
	return true;
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

		if (s->sent == 0)
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

/* One pass over the busy workers: NULL when none has a verdict.  What a worker
 * that died has left is given to another. */
static struct slot *
harvest(struct scan_pool *p, struct scan_verdict *out, struct errinfo *ei)
{
	int64_t now = clock_mono_ns(&clock_system);

	for (size_t i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];

		if (s->count == 0)
			continue;
		if (s->sent > 0 && harvest_slot(p, s, now, out))
			return s;
		if (s->sent == 0 && send_jobs(p, s, ei) != OK) {
			s->sent = 1; /* of none but the first */
			(void)lost(p, s, SCAN_R_WORKER, out);
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
	while ((s = harvest(p, out, ei)) == NULL) {
		now = clock_mono_ns(&clock_system);
		if (timeout_ms >= 0 && now >= until)
			return err_set(ei, ERR_BUSY, "no verdict yet");
		wait_any(p, now, until, timeout_ms < 0);
	}
	*tag = finish(s);
	return OK;
}

static struct slot *
idle_slot(struct scan_pool *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->slots[i].count == 0 && p->slots[i].worker != NULL)
			return &p->slots[i];
	return NULL;
}

/* Lets a worker try the set: one that has nothing to do, which keeps its old
 * set if the new one is bad; else a new one, which takes longer. */
static enum err
try_set(struct scan_pool *p, int fd, const char *path, struct slot *s,
    struct set_facts *facts, struct errinfo *ei)
{
	enum err e;

	if (s == NULL) {
		struct worker *w = NULL;

		e = start(p, fd, path, &w, facts, ei);
		(void)worker_stop(w, e == OK ? STOP_MS : 0);
		return e;
	}
	e = set_up(p, s->worker, fd, facts, ei);
	if (e == OK) {
		s->generation = p->generation + 1;
		return OK;
	}
	/* What broke off in the middle is not asked again. */
	if (e == ERR_IO || e == ERR_CORRUPT)
		bury(s, 0);
	name_set(path, ei);
	return e;
}

enum err
scan_pool_reload(struct scan_pool *p, const char *set_path, struct errinfo *ei)
{
	struct set_facts facts;
	int fd = -1;
	enum err e = open_set(set_path, &fd, ei);

	if (e == OK)
		e = try_set(p, fd, set_path, idle_slot(p), &facts, ei);
	if (e != OK) {
		if (fd != -1)
			(void)close(fd);
		return e;
	}
	(void)close(p->set_fd);
	p->set_fd = fd;
	p->facts = facts;
	p->generation++;
	return OK;
}

void
scan_pool_limit(struct scan_pool *p, const struct scan_limits *limits)
{
	if (memcmp(&p->opt.limits, limits, sizeof(*limits)) == 0)
		return;
	p->opt.limits = *limits;
	p->generation++; /* a worker takes them with its set */
}
