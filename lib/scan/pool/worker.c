#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sandbox/sandbox.h"
#include "scan/build/build_int.h"
#include "scan/pool/wire.h"
#include "scan/set/set.h"

#define SOURCE_MAX ((off_t)2 << 30) /* bytes of one signature file */

/* ---- role "scan" ---------------------------------------------------------- */

/* A set with its scanner, and the same of what was added to make it. */
struct scan_work {
	struct scan_set *set, *added;
	struct scanner *scanner, *added_scanner;
	bool want_sha256;
};

/* Verdicts are told when there is nothing else to do, or enough of them. */
#define FLUSH_VERDICTS 8u
#define FLUSH_NS       INT64_C(20000000)

struct scan_role {
	struct scan_work work;
	struct buf verdicts;
	size_t count;
	int64_t since_ns; /* when the first of them was known */
};

static enum err
flush(void *arg, struct channel *ch)
{
	struct scan_role *r = arg;
	enum err e = OK;

	if (r->count > 0)
		e = channel_send(
		    ch, SCAN_VERDICTS, buf_view(&r->verdicts), -1, NULL);
	buf_clear(&r->verdicts);
	r->count = 0;
	return e;
}

static void
add_verdict(struct scan_role *r, const struct scan_verdict *v)
{
	size_t at = r->verdicts.len;
	uint32_t n = 0;

	if (r->count++ == 0)
		r->since_ns = clock_mono_ns(&clock_system);
	buf_add(&r->verdicts, &n, sizeof(n));
	scan_verdict_encode(v, &r->verdicts);
	n = (uint32_t)(r->verdicts.len - at - sizeof(n));
	if (!r->verdicts.full)
		memcpy(r->verdicts.ptr + at, &n, sizeof(n));
}

static void
close_work(struct scan_work *w)
{
	scanner_free(w->added_scanner);
	scanner_free(w->scanner);
	scan_set_close(w->added);
	scan_set_close(w->set);
}

static enum err
open_work(struct scan_work *w, int fd, const struct scan_limits *limits,
    struct errinfo *ei)
{
	enum err e = scan_set_open(fd, &w->set, ei);

	if (e == OK)
		e = scan_set_added(w->set, &w->added, ei);
	if (e == OK)
		e = scanner_new(w->set, limits, &w->scanner, ei);
	if (e == OK && w->added != NULL)
		e = scanner_new(w->added, limits, &w->added_scanner, ei);
	return e;
}

static enum err
send_ready(struct channel *ch, const struct scan_work *w)
{
	struct buf b = buf_make(MESSAGE_MAX);
	struct scan_set_info info;
	struct scan_added added;
	enum err e;

	memset(&added, 0, sizeof(added)); /* padding goes over the wire too */
	scan_set_info(w->set, &info);
	if (w->added != NULL)
		set_added_fill(w->added, &added);
	buf_add(&b, &info, sizeof(info));
	buf_add(&b, &added, sizeof(added));
	e = channel_send(ch, SCAN_READY, buf_view(&b), -1, NULL);
	buf_free(&b);
	return e;
}

/* Takes the new set, or keeps the old one and says why. */
static enum err
on_setup(struct scan_work *w, struct channel *ch, const struct message *m)
{
	struct scan_work new = { 0 };
	struct wire_setup setup;
	struct errinfo why = { 0 };
	struct span body = m->body;
	enum err e;

	if (m->fd == -1 || !wire_take(&body, &setup, sizeof(setup)))
		return wire_unexpected(m);
	new.want_sha256 = setup.want_sha256 != 0;
	e = open_work(&new, m->fd, &setup.limits, &why);
	(void)close(m->fd);
	if (e != OK) {
		close_work(&new);
		return wire_send_failure(ch, SCAN_REFUSED, &why);
	}
	close_work(w);
	*w = new;
	return send_ready(ch, w);
}

/* What is not clean by what was added alone may yet be on the whole set's
 * allow list. */
static void
scan_fd(struct scan_work *w, const struct message *m, struct scan_verdict *v)
{
	if (m->type == SCAN_FILE_ADDED && w->added_scanner != NULL) {
		scanner_file(
		    w->added_scanner, m->fd, m->body, w->want_sha256, v);
		if (v->outcome == SCAN_CLEAN)
			return;
	}
	scanner_file(w->scanner, m->fd, m->body, w->want_sha256, v);
}

static enum err
on_file(struct scan_role *r, struct channel *ch, const struct message *m)
{
	struct scan_verdict v;

	if (r->work.scanner == NULL || m->fd == -1)
		return wire_unexpected(m);
	scan_fd(&r->work, m, &v);
	(void)close(m->fd);
	add_verdict(r, &v);
	if (r->verdicts.full)
		return ERR_NOMEM;
	return r->count >= FLUSH_VERDICTS ||
		clock_mono_ns(&clock_system) - r->since_ns > FLUSH_NS
	    ? flush(r, ch)
	    : OK;
}

static enum err
on_scan_message(void *arg, struct channel *ch, const struct message *m)
{
	struct scan_role *r = arg;

	if (m->type == SCAN_SETUP)
		return on_setup(&r->work, ch, m);
	if (m->type == SCAN_FILE || m->type == SCAN_FILE_ADDED)
		return on_file(r, ch, m);
	return m->type == SCAN_FLUSH ? flush(r, ch) : wire_unexpected(m);
}

int
scan_worker_main(void)
{
	struct scan_role r = { .verdicts = buf_make(MESSAGE_MAX) };
	int status = wire_serve_idle(&sandbox_scan, on_scan_message, flush, &r);

	close_work(&r.work);
	buf_free(&r.verdicts);
	return status;
}

/* ---- role "build" --------------------------------------------------------- */

struct build_work {
	struct scan_builder *builder;
	struct scan_set *base; /* that is added to, or NULL */
	struct channel *ch;
	bool lost; /* the parent does not listen any more */
};

static void
on_problem(void *arg, const struct scan_problem *p)
{
	struct build_work *w = arg;
	struct wire_problem head = { p->line };
	struct buf b = buf_make(sizeof(head) + ERRMSG_MAX);

	buf_add(&b, &head, sizeof(head));
	buf_text(&b, p->reason);
	if (channel_send(w->ch, BUILD_PROBLEM, buf_view(&b), -1, NULL) != OK)
		w->lost = true;
	buf_free(&b);
}

static enum err
add_container(struct build_work *w, int fd, size_t size, const char *name,
    bool first, struct errinfo *ei)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	enum err e;

	if (p == MAP_FAILED)
		return err_sys(ei, "%s", name);
	e = build_container(
	    w->builder, name, (struct span){ p, size }, first, ei);
	(void)munmap(p, size);
	return e;
}

/* In pieces: some are hundreds of megabytes, and lines are short. */
static enum err
add_pieces(struct build_work *w, int fd, const char *name, struct errinfo *ei)
{
	static char piece[1u << 18];
	enum err e = build_open(w->builder, name, ei);
	ssize_t n = 1;

	while (e == OK && n > 0) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0)
			e = err_sys(ei, "%s", name);
		else if (n > 0)
			build_feed(
			    w->builder, (struct span){ piece, (size_t)n });
	}
	return e == OK ? build_close(w->builder, ei) : e;
}

static enum err
add_file(struct build_work *w, int fd, const char *name, bool first,
    struct errinfo *ei)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(ei, "%s", name);
	if (!S_ISREG(st.st_mode) || st.st_size > SOURCE_MAX)
		return err_set(ei, ERR_LIMIT,
		    "%s: not a file of up to %lld bytes", name,
		    (long long)SOURCE_MAX);
	if (scan_builder_turn(name) == SCAN_TURN_BOTH && st.st_size > 0)
		return add_container(
		    w, fd, (size_t)st.st_size, name, first, ei);
	return add_pieces(w, fd, name, ei);
}

static enum err
on_source(struct build_work *w, const struct message *m)
{
	struct errinfo why = { 0 };
	char name[WIRE_PATH_MAX];
	enum err e;

	if (m->fd == -1 || m->body.len == 0 || m->body.len >= sizeof(name))
		return wire_unexpected(m);
	memcpy(name, m->body.ptr, m->body.len);
	name[m->body.len] = '\0';
	e = add_file(w, m->fd, name, m->type == BUILD_FIRST, &why);
	(void)close(m->fd);
	if (w->lost)
		return ERR_IO;
	if (e != OK)
		return wire_send_failure(w->ch, BUILD_FAILED, &why);
	return channel_send(w->ch, BUILD_TAKEN, SPAN(""), -1, NULL);
}

/* From now on what comes is added to this set. */
static enum err
on_base(struct build_work *w, const struct message *m)
{
	struct scan_builder *b = NULL;
	struct errinfo why = { 0 };
	enum err e;

	if (m->fd == -1 || w->base != NULL)
		return wire_unexpected(m);
	e = scan_set_open(m->fd, &w->base, &why);
	(void)close(m->fd);
	if (e == OK)
		e = scan_builder_onto(w->base, on_problem, w, &b, &why);
	if (e != OK)
		return wire_send_failure(w->ch, BUILD_FAILED, &why);
	scan_builder_free(w->builder);
	w->builder = b;
	return channel_send(w->ch, BUILD_TAKEN, SPAN(""), -1, NULL);
}

static enum err
on_write(struct build_work *w, const struct message *m)
{
	struct span body = m->body;
	struct errinfo why = { 0 };
	struct scan_counts counts;
	struct wire_write wr;
	enum err e;

	if (m->fd == -1 || !wire_take(&body, &wr, sizeof(wr)))
		return wire_unexpected(m);
	e = scan_builder_write(
	    w->builder, wr.version, wr.built_ms, m->fd, &why);
	(void)close(m->fd);
	if (e != OK)
		return wire_send_failure(w->ch, BUILD_FAILED, &why);
	scan_builder_counts(w->builder, &counts);
	return channel_send(w->ch, BUILD_WRITTEN,
	    (struct span){ (const char *)&counts, sizeof(counts) }, -1, NULL);
}

static enum err
on_build_message(void *arg, struct channel *ch, const struct message *m)
{
	struct build_work *w = arg;

	w->ch = ch;
	if (m->type == BUILD_BASE)
		return on_base(w, m);
	if (m->type == BUILD_SOURCE || m->type == BUILD_FIRST)
		return on_source(w, m);
	if (m->type == BUILD_WRITE)
		return on_write(w, m);
	return wire_unexpected(m);
}

int
scan_build_worker_main(void)
{
	struct build_work w = { 0 };
	struct errinfo ei = { 0 };
	int status;

	if (scan_builder_new(on_problem, &w, &w.builder, &ei) != OK) {
		(void)fprintf(stderr, "khien-worker: %s\n", ei.msg);
		return 3;
	}
	status = wire_serve(&sandbox_build, on_build_message, &w);
	scan_builder_free(w.builder);
	scan_set_close(w.base);
	return status;
}
