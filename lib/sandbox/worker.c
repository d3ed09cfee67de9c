#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/channel_int.h"

#define READY_MS     5000
#define ACCOUNT_MAX  16384 /* bytes of one passwd entry */
#define LANG_MAX     64
#define ABOVE_STDFDS 10
#define IMAGE_FD     (CHANNEL_FD + 1) /* the program, until it runs */

struct worker {
	pid_t pid;
	int pidfd;
	struct channel *ch;
};

/* ---- which program ------------------------------------------------------ */

static char program_path[PATH_MAX];

static void
find_program(void)
{
	static const char name[] = "khien-worker";
	const char *env = secure_getenv("KHIEN_WORKER");
	ssize_t n;
	char *slash;

	if (env != NULL && strlen(env) < sizeof(program_path)) {
		memcpy(program_path, env, strlen(env) + 1);
		return;
	}
	n = readlink("/proc/self/exe", program_path,
	    sizeof(program_path) - sizeof(name));
	if (n < 0)
		n = 0;
	program_path[n] = '\0';
	slash = strrchr(program_path, '/');
	memcpy(slash == NULL ? program_path : slash + 1, name, sizeof(name));
}

const char *
worker_program(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, find_program);
	return program_path;
}

/* ---- starting ------------------------------------------------------------ */

/* All that the child needs between fork and exec, where only
 * async-signal-safe calls are allowed. */
struct launch {
	const char *program, *role;
	char lang[LANG_MAX];
	int socket, null, image; /* all above those the worker keeps */
	bool change_user;
	uid_t uid;
	gid_t gid;
	pid_t parent;
};

/* In the child.  Returns only on failure, the step. */
static enum launch_step
become_worker(const struct launch *l)
{
	char *argv[] = { (char *)(uintptr_t)l->program,
		(char *)(uintptr_t)l->role, NULL };
	char *envp[] = { (char *)(uintptr_t)l->lang, NULL };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &plain, NULL); /* some may not be */
	(void)sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
		return LAUNCH_SIGNALS;
	/* Ctrl-C at the parent's terminal is the parent's to handle. */
	if (setsid() < 0)
		return LAUNCH_SESSION;
	if (dup2(l->null, 0) < 0 || dup2(l->null, 1) < 0 ||
	    dup2(l->socket, CHANNEL_FD) < 0 ||
	    dup3(l->image, IMAGE_FD, O_CLOEXEC) < 0 ||
	    close_range(IMAGE_FD + 1, ~0U, 0) != 0)
		return LAUNCH_FILES;
	if (l->change_user &&
	    (setgroups(0, NULL) != 0 ||
		setresgid(l->gid, l->gid, l->gid) != 0 ||
		setresuid(l->uid, l->uid, l->uid) != 0))
		return LAUNCH_USER;
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != l->parent)
		return LAUNCH_PARENT;
	/* Not by its path: the worker's user may not pass through there. */
	(void)execveat(IMAGE_FD, "", argv, envp, AT_EMPTY_PATH);
	return LAUNCH_EXEC;
}

static void __attribute__((noreturn)) child_main(const struct launch *l)
{
	struct launch_failure f = { .step = become_worker(l) };
	struct frame head = { .length = sizeof(f), .type = WORKER_NOT_RUN };
	char bytes[sizeof(head) + sizeof(f)];

	f.error = errno;
	/* Which of the two is the socket depends on how far it came; sending
	 * to the other fails. */
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), &f, sizeof(f));
	if (send(CHANNEL_FD, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
		(void)!send(l->socket, bytes, sizeof(bytes), MSG_NOSIGNAL);
	_exit(127);
}

/* Who the worker will be. */
static enum err
find_user(const char *user, struct launch *l, struct errinfo *ei)
{
	char bytes[ACCOUNT_MAX];
	struct passwd pw, *found = NULL;

	if (user == NULL || geteuid() != 0)
		return OK;
	if (getpwnam_r(user, &pw, bytes, sizeof(bytes), &found) != 0 ||
	    found == NULL)
		return err_set(
		    ei, ERR_NOT_FOUND, "no user %s on this system", user);
	l->change_user = true;
	l->uid = pw.pw_uid;
	l->gid = pw.pw_gid;
	return OK;
}

/* A copy of fd out of the way of 0-4; closes the original. */
static int
lift(int fd)
{
	int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_STDFDS);

	if (fd >= 0)
		(void)close(fd);
	return up;
}

static void
close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static enum err
spawn(struct worker *w, struct launch *l, int ours, struct errinfo *ei)
{
	enum err e;

	w->pid = fork();
	if (w->pid == 0)
		child_main(l);
	if (w->pid < 0) {
		e = err_sys(ei, "cannot start %s", l->program);
		(void)close(ours);
		return e;
	}
	e = channel_new(ours, &w->ch, ei);
	if (e != OK) {
		(void)close(ours);
		return e;
	}
	w->pidfd = pidfd_open(w->pid, 0);
	if (w->pidfd < 0)
		return err_sys(ei, "cannot watch %s", l->program);
	return OK;
}

static enum err
launch(struct worker *w, const struct worker_spec *spec, struct errinfo *ei)
{
	const char *lang = getenv("LANG");
	struct launch l = {
		.program = spec->program, .role = spec->role, .parent = getpid()
	};
	int sv[2];
	enum err e = find_user(spec->user, &l, ei);

	if (e != OK)
		return e;
	(void)snprintf(l.lang, sizeof(l.lang), "LANG=%s",
	    lang == NULL || strlen(lang) > LANG_MAX - 6 ? "C" : lang);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return err_sys(ei, "cannot make a socket for a worker");
	l.socket = lift(sv[1]);
	l.null = lift(open("/dev/null", O_RDWR | O_CLOEXEC));
	l.image = lift(open(spec->program, O_PATH | O_CLOEXEC));
	if (l.image < 0)
		e = err_sys(ei, "%s cannot be executed", spec->program);
	else if (l.socket < 0 || l.null < 0)
		e = err_sys(ei, "cannot open files for a worker");
	if (e == OK)
		e = spawn(w, &l, sv[0], ei);
	else
		(void)close(sv[0]);
	close_if_open(l.socket);
	close_if_open(l.null);
	close_if_open(l.image);
	return e;
}

static enum err
not_run(const struct worker_spec *spec, struct span body, struct errinfo *ei)
{
	static const char *const steps[LAUNCH_STEPS] = {
		[LAUNCH_SIGNALS] = "reset signals",
		[LAUNCH_SESSION] = "leave the terminal",
		[LAUNCH_FILES] = "arrange its files",
		[LAUNCH_USER] = "change to its user",
		[LAUNCH_PARENT] = "be tied to its parent",
		[LAUNCH_EXEC] = "be executed",
	};
	struct launch_failure f;

	if (body.len == sizeof(f))
		memcpy(&f, body.ptr, sizeof(f));
	if (body.len != sizeof(f) || (unsigned)f.step >= LAUNCH_STEPS)
		return err_set(ei, ERR_CORRUPT, "%s: failed", spec->program);
	errno = f.error;
	return err_sys(ei, "%s cannot %s", spec->program, steps[f.step]);
}

/* Read the worker's first message. */
static enum err
await_ready(
    struct worker *w, const struct worker_spec *spec, struct errinfo *ei)
{
	struct message m;
	enum err e = channel_receive(w->ch, READY_MS, &m, ei);

	if (e == ERR_BUSY)
		return err_set(ei, ERR_IO, "%s %s: not ready after %d s",
		    spec->program, spec->role, READY_MS / 1000);
	if (e != OK)
		return err_set(ei, ERR_IO, "%s %s: died at its start",
		    spec->program, spec->role);
	if (m.fd != -1)
		(void)close(m.fd);
	if (m.type == WORKER_READY)
		return OK;
	if (m.type == WORKER_NOT_RUN)
		return not_run(spec, m.body, ei);
	if (m.type == WORKER_FAILED)
		return err_set(ei, ERR_UNSUPPORTED, "%s %s: " SPAN_FMT,
		    spec->program, spec->role, SPAN_ARG(m.body));
	return err_set(
	    ei, ERR_CORRUPT, "%s %s: is no worker", spec->program, spec->role);
}

enum err
worker_start(
    const struct worker_spec *spec, struct worker **out, struct errinfo *ei)
{
	struct worker *w = calloc(1, sizeof(*w));
	enum err e;

	if (w == NULL)
		return err_set(ei, ERR_NOMEM, "worker");
	w->pidfd = -1;
	e = launch(w, spec, ei);
	if (e == OK)
		e = await_ready(w, spec, ei);
	if (e != OK) {
		(void)worker_stop(w, 0);
		return e;
	}
	*out = w;
	return OK;
}

struct channel *
worker_channel(struct worker *w)
{
	return w->ch;
}

pid_t
worker_pid(const struct worker *w)
{
	return w->pid;
}

int
worker_stop(struct worker *w, int grace_ms)
{
	struct pollfd p;
	int status = 0, n = 0;

	if (w == NULL)
		return 0;
	channel_free(w->ch);
	if (w->pid > 0) {
		p = (struct pollfd){ .fd = w->pidfd, .events = POLLIN };
		do
			n = w->pidfd < 0 ? 0 : poll(&p, 1, grace_ms);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			(void)kill(w->pid, SIGKILL);
		while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (w->pidfd >= 0)
		(void)close(w->pidfd);
	free(w);
	return status;
}
