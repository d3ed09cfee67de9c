#include "endpoint/agent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "endpoint/agent_int.h"
#include "endpoint/enrol.h"
#include "endpoint/inventory.h"

#define ENROL_LOOK_MS 1000

/* ---- start ---- */

/* Waits until this computer has enrolled; false when asked to end. */
static enum err
wait_enrolled(struct agent *a, int signals, struct errinfo *ei)
{
	bool told = false;

	for (;;) {
		struct pollfd p = { .fd = signals, .events = POLLIN };
		enum err e = state_load(a->dir, &a->state, ei);

		if (e != ERR_NOT_FOUND)
			return e;
		if (!told)
			log_info("agent.waiting", LOG_S("for", "enrolment"));
		told = true;
		if (poll(&p, 1, ENROL_LOOK_MS) > 0)
			return ERR_NOT_FOUND;
	}
}

/* A copied disk wakes up in another computer. */
static enum err
check_identity(struct agent *a, struct errinfo *ei)
{
	char print[65];
	enum err e = inventory_fingerprint("", print, ei);

	if (e != OK || strcmp(print, state_text(&a->state, "fingerprint")) == 0)
		return e;
	log_warn("agent.cloned", LOG_S("was", state_text(&a->state, "agent")));
	return rekey(&a->state, print, ei);
}

static enum err
open_parts(struct agent *a, struct errinfo *ei)
{
	char path[PATH_MAX];
	struct spool_options opt = { .dir = path, .clock = &clock_system };
	enum err e;

	(void)json_object_del(a->state.tree, "ordered");
	(void)snprintf(path, sizeof(path), "%s/sets", a->dir);
	e = file_make_dir(path, 0700, ei);
	(void)snprintf(path, sizeof(path), "%s/spool", a->dir);
	if (e == OK)
		e = file_make_dir(path, 0700, ei);
	if (e == OK)
		e = spool_open(&opt, &a->spool, ei);
	(void)snprintf(path, sizeof(path), "%s/quarantine", a->dir);
	if (e == OK)
		e = file_make_dir(path, 0700, ei);
	if (e == OK)
		e = quarantine_open(path, &clock_system, &a->quarantine, ei);
	return e == OK ? quarantine_tell(a, ei) : e;
}

/* ---- the loop ---- */

static void
drain(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

static void
order_due_scan(struct agent *a)
{
	(void)pthread_mutex_lock(&a->lock);
	if (scan_due(a))
		(void)!scan_order_add(a, true, "", NULL, NULL);
	(void)pthread_mutex_unlock(&a->lock);
}

static void
loop(struct agent *a, int signals, int control)
{
	bool readable = false;

	for (;;) {
		int wait = link_turn(a->link, readable);
		struct pollfd p[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = control, .events = POLLIN },
			{ .fd = a->wake, .events = POLLIN },
			{ .fd = link_fd(a->link), .events = POLLIN },
		};

		order_due_scan(a);
		if (poll(p, COUNT(p), wait) < 0 && errno != EINTR)
			return;
		if (p[0].revents != 0)
			return;
		if (p[1].revents != 0)
			control_accept(a, control);
		if (p[2].revents != 0)
			drain(a->wake);
		readable = p[3].revents != 0;
	}
}

static void
end_scanner(struct agent *a, pthread_t thread)
{
	(void)pthread_mutex_lock(&a->lock);
	atomic_store(&a->ending, true);
	(void)pthread_cond_broadcast(&a->work);
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_join(thread, NULL);
}

static enum err
run_parts(struct agent *a, int signals, struct errinfo *ei)
{
	pthread_t thread;
	int control = -1;
	enum err e = control_listen(a->dir, &control, ei);

	a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	a->link = link_new(a);
	if (e == OK && (a->wake < 0 || a->link == NULL))
		e = err_set(ei, ERR_NOMEM, "agent");
	if (e == OK && pthread_create(&thread, NULL, scanner_thread, a) != 0)
		e = err_set(ei, ERR_NOMEM, "scanning thread");
	if (e == OK) {
		log_info("agent.started",
		    LOG_S("agent", state_text(&a->state, "agent")),
		    LOG_S("centre", state_text(&a->state, "url")));
		loop(a, signals, control);
		end_scanner(a, thread);
	}
	link_free(a->link);
	if (a->wake >= 0)
		(void)close(a->wake);
	if (control >= 0)
		(void)close(control);
	return e;
}

enum err
agent_run(const struct agent_options *opt, struct errinfo *ei)
{
	struct agent *a = calloc(1, sizeof(*a));
	sigset_t set;
	int signals;
	enum err e;

	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "agent");
	a->dir = opt->dir;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->work, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	e = signals < 0 ? err_sys(ei, "signals")
			: wait_enrolled(a, signals, ei);
	if (e == OK)
		e = check_identity(a, ei);
	if (e == OK)
		e = open_parts(a, ei);
	if (e == OK)
		e = run_parts(a, signals, ei);
	else if (e == ERR_NOT_FOUND && a->state.tree == NULL)
		e = OK; /* ended before it enrolled */
	for (size_t i = 0; i < a->queued; i++)
		scan_order_free(&a->queue[i]);
	quarantine_close(a->quarantine);
	spool_close(a->spool);
	state_free(&a->state);
	if (signals >= 0)
		(void)close(signals);
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_cond_destroy(&a->work);
	free(a);
	if (e == OK)
		log_info("agent.stopped");
	return e;
}
