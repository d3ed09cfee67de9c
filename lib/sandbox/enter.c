#include <errno.h>
#include <linux/capability.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/channel_int.h"
#include "sandbox/sandbox_int.h"

#define FILES_CLOSED  64 /* descriptors of a worker without network */
#define FILES_NETWORK 256

const struct sandbox_profile sandbox_scan = {
	.name = "scan",
	.memory_max = UINT64_C(2) << 30,
};

static const char *const resolver_paths[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/ssl/openssl.cnf",
	"/usr/lib/ssl",
	"/run/systemd/resolve",
	NULL,
};
const struct sandbox_profile sandbox_net = {
	.name = "net",
	.memory_max = UINT64_C(1) << 30,
	.network = true,
	.read_paths = resolver_paths,
};

const struct sandbox_profile sandbox_build = {
	.name = "build",
	.memory_max = UINT64_C(4) << 30,
	.file_max = UINT64_C(4) << 30,
};

#if SANDBOX_SANITIZED
/* The leak check wants to trace the process, which is forbidden now. */
static bool entered;
int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
	return entered;
}
#endif

/* Resolver modules are shared objects: have them loaded while that is
 * possible. */
static void
load_resolver(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

	if (getaddrinfo("localhost", "443", &hints, &list) == 0)
		freeaddrinfo(list);
}

static enum err
limit(int what, uint64_t value, const char *name, struct errinfo *ei)
{
	struct rlimit rl = { .rlim_cur = value, .rlim_max = value }, now;

	/* Never more than we were given. */
	if (getrlimit((__rlimit_resource_t)what, &now) == 0 &&
	    now.rlim_max < value)
		rl.rlim_cur = rl.rlim_max = now.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &rl) != 0)
		return err_sys(ei, "cannot limit %s", name);
	return OK;
}

static enum err
limit_all(const struct sandbox_profile *p, struct errinfo *ei)
{
	const struct {
		int what;
		bool wanted;
		uint64_t value;
		const char *name;
	} limits[] = {
		{ RLIMIT_CORE, true, 0, "core dumps" },
		/* Counted over all processes of the user, so that a number
		 * for a worker with threads would be a guess. */
		{ RLIMIT_NPROC, !p->network, 0, "processes" },
		{ RLIMIT_NOFILE, true,
		    p->network ? FILES_NETWORK : FILES_CLOSED, "files" },
		{ RLIMIT_MEMLOCK, true, 0, "locked memory" },
		{ RLIMIT_MSGQUEUE, true, 0, "queues" },
		{ RLIMIT_FSIZE, true, p->file_max, "file size" },
		{ RLIMIT_CPU, p->cpu_seconds > 0, p->cpu_seconds, "CPU time" },
		/* The sanitizers reserve terabytes of addresses. */
		{ RLIMIT_AS, p->memory_max > 0 && !SANDBOX_SANITIZED,
		    p->memory_max, "memory" },
	};
	enum err e = OK;

	for (size_t i = 0; e == OK && i < COUNT(limits); i++)
		if (limits[i].wanted)
			e = limit(limits[i].what, limits[i].value,
			    limits[i].name, ei);
	/* Past its size a write fails and does not kill. */
	if (e == OK && signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		e = err_sys(ei, "cannot ignore SIGXFSZ");
	return e;
}

/* Also when nobody gave us another user: root without capabilities. */
static enum err
drop_privileges(struct errinfo *ei)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NAME, program_invocation_short_name) != 0)
		return err_sys(ei, "cannot give up privileges");
	if (syscall(SYS_capset, &head, none) != 0)
		return err_sys(ei, "cannot drop capabilities");
	return OK;
}

static enum err
restrict_self(const struct sandbox_profile *profile, struct errinfo *ei)
{
	enum err e;

	if (close_range(CHANNEL_FD + 1, ~0U, 0) != 0)
		return err_sys(ei, "cannot close inherited files");
	if (profile->network)
		load_resolver();
	e = drop_privileges(ei);
	if (e == OK)
		e = landlock_enter(profile, ei);
	if (e == OK)
		e = limit_all(profile, ei);
	/* Last: it forbids all that came before. */
	if (e == OK)
		e = filter_enter(profile, ei);
	return e;
}

enum err
sandbox_enter(const struct sandbox_profile *profile, struct channel **out,
    struct errinfo *ei)
{
	struct channel *ch = NULL;
	struct errinfo why = { 0 };
	int domain = 0;
	socklen_t len = sizeof(domain);
	enum err e;

	if (getsockopt(CHANNEL_FD, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
	    domain != AF_UNIX)
		return err_set(ei, ERR_UNSUPPORTED,
		    "this program is started by Khiên, not by hand");
	e = channel_new(CHANNEL_FD, &ch, ei);
	if (e != OK)
		return e;
	/* The parent is trusted, and may be busy for long. */
	ch->stall_ms = CHANNEL_FOREVER;
	e = restrict_self(profile, &why);
	if (e != OK) {
		(void)!channel_send(
		    ch, WORKER_FAILED, span_of(why.msg), -1, NULL);
		channel_free(ch);
		return err_set(ei, e, "%s", why.msg);
	}
#if SANDBOX_SANITIZED
	entered = true;
#endif
	e = channel_send(ch, WORKER_READY, SPAN(""), -1, ei);
	if (e != OK) {
		channel_free(ch);
		return e;
	}
	*out = ch;
	return OK;
}
