#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/sandbox_int.h"

/* Who is allowed a row.  A system call in no row kills the process. */
enum who {
	ALL = 1,        /* every profile */
	NET = 2,        /* network */
	WRITE = 4,      /* file_max > 0 */
	CLOSED = 8,     /* no network */
	SANITIZED = 16, /* what the sanitizers' run time adds */
};

/* No argument decides, or one does: (arg & mask) == value. */
struct rule {
	unsigned who;
	int call;
	int error; /* 0: allow; else fail with this errno */
	int arg;   /* -1: whatever the arguments */
	uint64_t mask, value;
};

#define S(name) SCMP_SYS(name)
#define YES(w, name)                                                           \
	{                                                                      \
		(w), S(name), 0, -1, 0, 0                                      \
	}
#define NO(w, name, error)                                                     \
	{                                                                      \
		(w), S(name), (error), -1, 0, 0                                \
	}
#define IF(w, name, arg, mask, value)                                          \
	{                                                                      \
		(w), S(name), 0, (arg), (uint64_t)(mask), (uint64_t)(value)    \
	}
#define NO_IF(w, name, error, arg, mask, value)                                \
	{                                                                      \
		(w), S(name), (error), (arg), (uint64_t)(mask),                \
		    (uint64_t)(value)                                          \
	}

#define READ_ONLY                                                              \
	(O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) | O_APPEND)
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_THREAD)
#define NEW_SPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct rule rules[] = {
	/* Open files, memory, time. */
	YES(ALL, read),
	YES(ALL, readv),
	YES(ALL, pread64),
	YES(ALL, preadv),
	YES(ALL, write),
	YES(ALL, writev),
	YES(ALL, close),
	YES(ALL, lseek),
	YES(ALL, fstat),
	YES(ALL, fadvise64),
	IF(ALL, newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH), /* fstat(3) */
	IF(ALL, mmap, 2, PROT_EXEC, 0),
	IF(ALL, mprotect, 2, PROT_EXEC, 0),
	YES(ALL, munmap),
	YES(ALL, mremap),
	YES(ALL, madvise),
	YES(ALL, brk),
	YES(ALL, futex),
	YES(ALL, poll),
	YES(ALL, ppoll),
	YES(ALL, sendmsg),
	YES(ALL, recvmsg),
	YES(ALL, sendto),
	YES(ALL, recvfrom),
	YES(ALL, clock_gettime),
	YES(ALL, clock_getres),
	YES(ALL, clock_nanosleep),
	YES(ALL, nanosleep),
	YES(ALL, gettimeofday),
	YES(ALL, time),
	YES(ALL, getrandom),
	YES(ALL, exit),
	YES(ALL, exit_group),
	YES(ALL, restart_syscall),
	YES(ALL, rt_sigaction),
	YES(ALL, rt_sigprocmask),
	YES(ALL, rt_sigreturn),
	YES(ALL, sigaltstack),
	YES(ALL, getpid),
	YES(ALL, gettid),
	YES(ALL, getuid),
	YES(ALL, geteuid),
	YES(ALL, getgid),
	YES(ALL, getegid),
	YES(ALL, sched_yield),
	YES(ALL, sched_getaffinity),
	YES(ALL, getrusage),
	YES(ALL, sysinfo),
	YES(ALL, uname),
	YES(ALL, set_robust_list),
	YES(ALL, rseq),
	IF(ALL, prlimit64, 2, UINT64_MAX, 0), /* reading only */
	IF(ALL, fcntl, 1, UINT32_MAX, F_GETFL),
	IF(ALL, fcntl, 1, UINT32_MAX, F_SETFL),
	IF(ALL, fcntl, 1, UINT32_MAX, F_GETFD),
	IF(ALL, fcntl, 1, UINT32_MAX, F_SETFD),
	IF(ALL, fcntl, 1, UINT32_MAX, F_DUPFD_CLOEXEC),
	IF(ALL, prctl, 0, UINT32_MAX, PR_SET_NAME),
	IF(ALL, prctl, 0, UINT32_MAX, PR_SET_VMA), /* malloc naming maps */
	NO_IF(ALL, ioctl, ENOTTY, 1, UINT32_MAX, TCGETS), /* isatty(3) */

	/* Libraries try these and manage without: locale, time zone, iconv,
	 * configuration.  Landlock says no as well. */
	NO(CLOSED, open, EACCES),
	NO(CLOSED, openat, EACCES),
	NO(CLOSED, openat2, EACCES),
	NO(CLOSED, access, EACCES),
	NO(CLOSED, faccessat, EACCES),
	NO(CLOSED, faccessat2, EACCES),
	NO(CLOSED, stat, EACCES),
	NO(CLOSED, lstat, EACCES),
	NO(CLOSED, statx, EACCES),
	NO_IF(CLOSED, newfstatat, EACCES, 3, AT_EMPTY_PATH, 0),
	NO(ALL, readlinkat, EACCES),
	NO(ALL, getcwd, EACCES),

	/* The one output file. */
	YES(WRITE, pwrite64),
	YES(WRITE, pwritev),
	YES(WRITE, ftruncate),
	YES(WRITE, fallocate),
	YES(WRITE, fsync),
	YES(WRITE, fdatasync),

	/* Names, TCP, TLS. */
	IF(NET, open, 1, READ_ONLY, O_RDONLY),
	IF(NET, openat, 2, READ_ONLY, O_RDONLY),
	YES(NET, access),
	YES(NET, faccessat),
	YES(NET, faccessat2),
	YES(NET, stat),
	YES(NET, lstat),
	YES(NET, statx),
	IF(NET, newfstatat, 3, AT_EMPTY_PATH, 0),
	YES(NET, getdents64),
	YES(NET, connect),
	YES(NET, getpeername),
	YES(NET, getsockname),
	YES(NET, getsockopt),
	YES(NET, setsockopt),
	YES(NET, sendmmsg),
	YES(NET, recvmmsg),
	YES(NET, shutdown),
	YES(NET, epoll_create1),
	YES(NET, epoll_ctl),
	YES(NET, epoll_wait),
	YES(NET, epoll_pwait),
	YES(NET, eventfd2),
	YES(NET, pipe2),
	YES(NET, select),
	YES(NET, pselect6),
	IF(NET, socketpair, 0, UINT32_MAX, AF_UNIX), /* libcurl's wake-ups */
	IF(NET, ioctl, 1, UINT32_MAX, FIONREAD),
	IF(NET, ioctl, 1, UINT32_MAX, FIONBIO),
	/* Threads, but no processes.  clone3 hides its flags in memory; the C
	 * library falls back to clone. */
	IF(NET, clone, 0, THREAD_FLAGS | NEW_SPACES, THREAD_FLAGS),
	NO(NET, clone3, ENOSYS),
	YES(NET, set_tid_address),

	YES(SANITIZED, readlink),
	YES(SANITIZED, getppid),
	IF(SANITIZED, prctl, 0, UINT32_MAX, PR_GET_DUMPABLE),
	IF(SANITIZED, prctl, 0, UINT32_MAX, PR_SET_DUMPABLE),
	NO(SANITIZED, personality, EPERM),
};

static enum err
refused(int code, const char *what, struct errinfo *ei)
{
	errno = -code;
	return err_sys(ei, "seccomp: %s", what);
}

static enum err
add_rule(scmp_filter_ctx ctx, const struct rule *r, struct errinfo *ei)
{
	uint32_t action =
	    r->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)r->error);
	struct scmp_arg_cmp cmp;
	int n;

	/* A system call that this architecture does not have. */
	if (r->call < 0)
		return OK;
	if (r->arg < 0) {
		n = seccomp_rule_add_array(ctx, action, r->call, 0, NULL);
	} else {
		cmp = SCMP_CMP64(
		    (unsigned)r->arg, SCMP_CMP_MASKED_EQ, r->mask, r->value);
		n = seccomp_rule_add_array(ctx, action, r->call, 1, &cmp);
	}
	return n == 0 ? OK : refused(n, "a rule was not accepted", ei);
}

/* Rules that compare two arguments, or need a value of now. */
static enum err
add_special(
    scmp_filter_ctx ctx, const struct sandbox_profile *p, struct errinfo *ei)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int n;

	/* abort(3) */
	n = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(tgkill), 1,
	    SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)getpid()));
	for (size_t i = 0; p->network && i < COUNT(families) * 2; i++)
		if (n == 0)
			n = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(socket), 2,
			    SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)families[i / 2]),
			    SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xf,
				(uint64_t)types[i % 2]));
	/* The resolver tries nscd and netlink, and does without. */
	for (int family = 0; p->network && n == 0 && family < AF_MAX; family++)
		if (family != AF_INET && family != AF_INET6)
			n = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
			    S(socket), 1,
			    SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)family));
	return n == 0 ? OK : refused(n, "a rule was not accepted", ei);
}

static enum err
load(scmp_filter_ctx ctx, struct errinfo *ei)
{
	int n;

	n = seccomp_attr_set(
	    ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (n == 0) /* reach the threads that libraries may have started */
		n = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (n == 0) /* binary tree */
		n = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (n == 0)
		n = seccomp_load(ctx);
	return n == 0 ? OK : refused(n, "the filter was not accepted", ei);
}

enum err
filter_enter(const struct sandbox_profile *profile, struct errinfo *ei)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	unsigned who = ALL | (profile->network ? NET : CLOSED) |
	    (profile->file_max > 0 ? WRITE : 0) |
	    (SANDBOX_SANITIZED ? SANITIZED : 0);
	enum err e = OK;

	if (ctx == NULL)
		return err_set(ei, ERR_NOMEM, "seccomp filter");
	for (size_t i = 0; e == OK && i < COUNT(rules); i++)
		if ((rules[i].who & who) != 0)
			e = add_rule(ctx, &rules[i], ei);
	if (e == OK)
		e = add_special(ctx, profile, ei);
	if (e == OK)
		e = load(ctx, ei);
	seccomp_release(ctx);
	return e;
}
