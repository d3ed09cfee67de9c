#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/pool/wire.h"

#define PROBLEMS_STALL_MS (30 * 60000) /* longest silence of a builder */

struct build {
	struct worker *worker;
	scan_problem_fn *problem;
	void *arg;
	uint64_t unread; /* problems found on this side */
	uint64_t problems;
	bool first; /* the round of files that say what is left out */
	struct scan_counts counts;
};

static void
tell(struct build *b, const char *file, size_t line, const char *reason)
{
	struct scan_problem p = { file, line, reason };

	b->problems++;
	if (b->problem != NULL)
		b->problem(b->arg, &p);
}

/* A problem that the worker found in `file`. */
static void
pass_on(struct build *b, const char *file, struct span body)
{
	char reason[ERRMSG_MAX];
	struct wire_problem head;

	if (!wire_take(&body, &head, sizeof(head)))
		return;
	(void)snprintf(reason, sizeof(reason), "%.*s",
	    (int)(body.len < ERRMSG_MAX ? body.len : ERRMSG_MAX), body.ptr);
	tell(b, file, (size_t)head.line, reason);
}

/* Wait until the worker is done with what it was sent. */
static enum err
await(struct build *b, const char *file, enum scan_message done,
    struct errinfo *ei)
{
	struct channel *ch = worker_channel(b->worker);
	struct message m;

	for (;;) {
		enum err e = channel_receive(ch, PROBLEMS_STALL_MS, &m, ei);
		struct span body = m.body;

		if (e != OK)
			return err_set(ei, ERR_IO,
			    "%s: the worker that reads it died", file);
		if (m.fd != -1)
			(void)close(m.fd);
		if (m.type == BUILD_FAILED)
			return wire_failure(m.body, ei);
		if (m.type == BUILD_PROBLEM)
			pass_on(b, file, m.body);
		else if (m.type != done ||
		    (done == BUILD_WRITTEN &&
			!wire_take(&body, &b->counts, sizeof(b->counts))))
			return err_set(ei, ERR_CORRUPT,
			    "%s: the worker that reads it talks nonsense",
			    file);
		else
			return OK;
	}
}

static bool
has_turn(const struct build *b, const char *path)
{
	enum scan_turn turn = scan_builder_turn(path);

	return turn == SCAN_TURN_BOTH || (turn == SCAN_TURN_FIRST) == b->first;
}

static enum err
send_as(struct build *b, enum scan_message type, const char *path,
    struct errinfo *ei)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum err e;

	if (fd < 0 && errno == ENOENT)
		return err_set(ei, ERR_NOT_FOUND, "no file %s", path);
	if (fd < 0)
		return err_sys(ei, "%s", path);
	e = channel_send(
	    worker_channel(b->worker), (uint16_t)type, span_of(path), fd, ei);
	(void)close(fd);
	return e == OK ? await(b, path, BUILD_TAKEN, ei) : e;
}

static enum err
send_file(struct build *b, const char *path, struct errinfo *ei)
{
	return send_as(b, b->first ? BUILD_FIRST : BUILD_SOURCE, path, ei);
}

/* What it says of a set does not name it. */
static enum err
send_base(struct build *b, const char *path, struct errinfo *ei)
{
	struct errinfo said = { 0 };
	enum err e = send_as(b, BUILD_BASE, path, &said);

	if (e == OK || span_starts(span_of(said.msg), "no file"))
		return e == OK ? OK : err_set(ei, e, "%s", said.msg);
	return err_set(ei, e, "%s: %s", path, said.msg);
}

/* ---- folders -------------------------------------------------------------- */

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* A file of a folder: what is no signature file is named and passed over. */
static enum err
send_entry(
    struct build *b, const char *dir, const char *name, struct errinfo *ei)
{
	char path[WIRE_PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	enum err e;

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(ei, ERR_LIMIT, "%s: path is too long", dir);
	if (!has_turn(b, path))
		return OK;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		b->unread++;
		tell(b, path, 0, "not a file");
		return OK;
	}
	e = send_file(b, path, ei);
	if (e != ERR_UNSUPPORTED)
		return e;
	b->unread++;
	tell(b, path, 0, "its ending names no signature format known here");
	return OK;
}

static enum err
send_folder(struct build *b, const char *dir, struct errinfo *ei)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, not_hidden, by_bytes);
	enum err e = OK;

	if (n < 0)
		return err_sys(ei, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (e == OK)
			e = send_entry(b, dir, names[i]->d_name, ei);
		free(names[i]);
	}
	free(names);
	return e;
}

static enum err
send_path(struct build *b, const char *path, struct errinfo *ei)
{
	struct stat st;

	if (strlen(path) >= WIRE_PATH_MAX || path[0] == '\0')
		return err_set(ei, ERR_LIMIT, "path is empty or too long");
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return send_folder(b, path, ei);
	return has_turn(b, path) ? send_file(b, path, ei) : OK;
}

/* ---- output ---------------------------------------------------------------- */

static enum err
write_set(struct build *b, int fd, uint64_t version, struct errinfo *ei)
{
	struct wire_write wr = { version, clock_utc_ms(&clock_system) };
	enum err e = channel_send(worker_channel(b->worker), BUILD_WRITE,
	    (struct span){ (const char *)&wr, sizeof(wr) }, fd, ei);

	return e == OK ? await(b, "signature set", BUILD_WRITTEN, ei) : e;
}

/* fsync, rename, fsync the folder: the file is the old one or the new one. */
static enum err
publish(int fd, const char *from, const char *to, struct errinfo *ei)
{
	char dir[WIRE_PATH_MAX];
	const char *slash = strrchr(to, '/');
	int dfd;
	enum err e = OK;

	(void)snprintf(dir, sizeof(dir), "%.*s",
	    slash == NULL ? 1 : (int)(slash - to) + 1,
	    slash == NULL ? "." : to);
	if (fchmod(fd, 0644) != 0 || fsync(fd) != 0 || rename(from, to) != 0)
		return err_sys(ei, "%s", to);
	dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dfd < 0 || fsync(dfd) != 0)
		e = err_sys(ei, "%s", dir);
	if (dfd >= 0)
		(void)close(dfd);
	return e;
}

static enum err
write_out(
    struct build *b, const char *out_path, uint64_t version, struct errinfo *ei)
{
	char temporary[WIRE_PATH_MAX];
	int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", out_path);
	int fd;
	enum err e;

	if (n < 0 || (size_t)n >= sizeof(temporary))
		return err_set(ei, ERR_LIMIT, "%s: path is too long", out_path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_sys(ei, "%s", out_path);
	e = write_set(b, fd, version, ei);
	if (e == OK)
		e = publish(fd, temporary, out_path, ei);
	(void)close(fd);
	if (e != OK)
		(void)unlink(temporary);
	return e;
}

static enum err
send_all(
    struct build *b, const char *const *paths, size_t n, struct errinfo *ei)
{
	enum err e = OK;

	for (int round = 0; round < 2; round++) {
		b->first = round == 0;
		for (size_t i = 0; i < n && e == OK; i++)
			e = send_path(b, paths[i], ei);
	}
	return e;
}

enum err
scan_build_files(const char *const *paths, size_t n, const char *out_path,
    const struct scan_build_options *opt, scan_problem_fn *problem, void *arg,
    struct scan_counts *counts, struct errinfo *ei)
{
	struct worker_spec spec = {
		.program = worker_program(), .role = "build", .user = "nobody"
	};
	struct build b = { .problem = problem, .arg = arg };
	enum err e = worker_start(&spec, &b.worker, ei);

	if (e == OK && opt->base != NULL)
		e = send_base(&b, opt->base, ei);
	if (e == OK)
		e = send_all(&b, paths, n, ei);
	if (e == OK && opt->strict && b.problems > 0)
		e = err_set(ei, ERR_SYNTAX, "%llu lines cannot be used",
		    (unsigned long long)b.problems);
	if (e == OK)
		e = write_out(&b, out_path, opt->version, ei);
	(void)worker_stop(b.worker, e == OK ? 500 : 0);
	if (e != OK)
		return e;
	b.counts.skipped += b.unread;
	*counts = b.counts;
	return OK;
}
