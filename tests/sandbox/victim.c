/* A worker that tries what a worker may not do.  Its role is WALL:ACT, WALL
 * one of none (the control: no sandbox), landlock, all, net, small, write;
 * it answers with one message, struct outcome, or dies. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/channel_int.h"
#include "sandbox/sandbox_int.h"
#include "victim.h"

/* Each act returns 0 or more when it was done, -1 with errno when not. */

static int
read_passwd(int fd)
{
	char byte;
	int f = open("/etc/passwd", O_RDONLY);

	(void)fd;
	return f < 0 ? -1 : (int)read(f, &byte, 1);
}

static int
raw_open(int fd)
{
	(void)fd;
	return (int)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static int
list_folder(int fd)
{
	(void)fd;
	return open("/etc", O_RDONLY | O_DIRECTORY);
}

static int
create_file(int fd)
{
	(void)fd;
	return open(VICTIM_NEW_FILE, O_WRONLY | O_CREAT, 0600);
}

static int
truncate_file(int fd)
{
	(void)fd;
	return truncate(VICTIM_OLD_FILE, 0);
}

static int
remove_file(int fd)
{
	(void)fd;
	return unlink(VICTIM_OLD_FILE);
}

static int
rename_file(int fd)
{
	(void)fd;
	return rename(VICTIM_OLD_FILE, VICTIM_NEW_FILE);
}

static int
make_folder(int fd)
{
	(void)fd;
	return mkdir(VICTIM_NEW_FILE, 0700);
}

static int
change_mode(int fd)
{
	return fchmod(fd, 0777);
}

static int
socket_inet(int fd)
{
	(void)fd;
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
socket_raw(int fd)
{
	(void)fd;
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int
socket_packet(int fd)
{
	(void)fd;
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int
socket_unix(int fd)
{
	(void)fd;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
socket_netlink(int fd)
{
	(void)fd;
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int
bind_port(int fd)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	(void)fd;
	return s < 0 ? -1 : bind(s, (struct sockaddr *)&in, sizeof(in));
}

static int
fork_child(int fd)
{
	pid_t pid = fork();

	(void)fd;
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return pid < 0 ? -1 : 0;
}

static int
vfork_raw(int fd)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)fd;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int
exec_true(int fd)
{
	char *argv[] = { (char *)(uintptr_t) "true", NULL };

	(void)fd;
	return execv("/bin/true", argv); /* exits with 0 when done */
}

static int
ptrace_parent(int fd)
{
	(void)fd;
	return (int)ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static int
kill_parent(int fd)
{
	(void)fd;
	return kill(getppid(), 0);
}

static int
tgkill_parent(int fd)
{
	(void)fd;
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int
mount_tmpfs(int fd)
{
	(void)fd;
	if (mount("none", VICTIM_FOLDER, "tmpfs", 0, NULL) != 0)
		return -1;
	return umount(VICTIM_FOLDER);
}

static int
become_root(int fd)
{
	(void)fd;
	return setuid(0);
}

static int
map_code(int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)fd;
	return p == MAP_FAILED ? -1 : 0;
}

static int
make_code(int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)fd;
	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int
much_memory(int fd)
{
	char *p = malloc(VICTIM_MEMORY);

	(void)fd;
	if (p == NULL)
		return -1;
	memset(p, 1, VICTIM_MEMORY);
	return p[VICTIM_MEMORY / 2] == 1 ? 0 : -1;
}

static int
much_cpu(int fd)
{
	struct rusage ru;

	(void)fd;
	do
		(void)getrusage(RUSAGE_SELF, &ru);
	while (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec < 3);
	return 0;
}

static int
many_files(int fd)
{
	for (int i = 0; i < 1000; i++)
		if (fcntl(fd, F_DUPFD_CLOEXEC, 0) < 0)
			return -1;
	return 0;
}

static int
raise_limit(int fd)
{
	struct rlimit rl = { 4096, 4096 };

	(void)fd;
	return setrlimit(RLIMIT_NOFILE, &rl);
}

static int
io_uring(int fd)
{
	char params[256] = { 0 };

	(void)fd;
	return (int)syscall(SYS_io_uring_setup, 4, params);
}

static int
load_bpf(int fd)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	(void)fd;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int
key_ring(int fd)
{
	(void)fd;
	return (int)syscall(SYS_keyctl, 0 /* get id */, -3 /* session */, 1);
}

static int
new_space(int fd)
{
	(void)fd;
	return unshare(CLONE_NEWUSER);
}

static int
read_parent(int fd)
{
	char byte, *to = &byte;
	struct iovec here = { to, 1 }, there = { to, 1 };
	ssize_t n = process_vm_readv(getppid(), &here, 1, &there, 1, 0);

	(void)fd;
	/* Without a sandbox the address may be none of the parent's. */
	return n < 0 && errno != EFAULT ? -1 : 0;
}

static int
write_passed(int fd)
{
	return (int)write(fd, "x", 1);
}

static int
grow_passed(int fd)
{
	static const char block[1 << 16];

	for (int i = 0; i < 64; i++)
		if (write(fd, block, sizeof(block)) < 0)
			return -1;
	return 0;
}

static int
reopen_passed(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR);
}

static int
inherited_file(int fd)
{
	(void)fd;
	return fcntl(VICTIM_LEAKED_FD, F_GETFD);
}

static int
push_keys(int fd)
{
	struct winsize ws;

	(void)fd;
	/* The number is what counts: TIOCSTI needs a terminal to succeed. */
	return ioctl(2, TIOCGWINSZ, &ws) == 0 || errno == ENOTTY ? 0 : -1;
}

static int
secret_memory(int fd)
{
	(void)fd;
	return memfd_create("x", 0);
}

static int
read_passed(int fd)
{
	char bytes[4];

	return pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) ? 0 : -1;
}

static int
write_output(int fd)
{
	return write(fd, "abc", 3) == 3 && fsync(fd) == 0 ? 0 : -1;
}

static int
work_quietly(int fd)
{
	void *p = malloc(10 << 20);
	struct stat st;
	time_t now = time(NULL);
	struct tm tm;

	if (p == NULL || fstat(fd, &st) != 0 || localtime_r(&now, &tm) == NULL)
		return -1;
	memset(p, 1, 10 << 20);
	free(p);
	return isatty(0) == 0 ? 0 : -1;
}

static void *
add_one(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int
start_thread(int fd)
{
	pthread_t t;
	int n = 0;

	(void)fd;
	errno = pthread_create(&t, NULL, add_one, &n);
	return errno == 0 && pthread_join(t, NULL) == 0 && n == 1 ? 0 : -1;
}

static int
resolve_localhost(int fd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;

	(void)fd;
	if (getaddrinfo("localhost", "443", &hints, &list) != 0)
		return -1;
	freeaddrinfo(list);
	return 0;
}

static int
read_hosts(int fd)
{
	char byte;
	int f = open("/etc/hosts", O_RDONLY);

	(void)fd;
	return f < 0 ? -1 : (int)read(f, &byte, 1);
}

/* To a port that the test listens on: its number is in the passed file. */
static int
connect_out(int fd)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 ||
	    pread(fd, &in.sin_port, sizeof(in.sin_port), 0) !=
		sizeof(in.sin_port))
		return -1;
	return connect(s, (struct sockaddr *)&in, sizeof(in));
}

static int
who_am_i(int fd)
{
	(void)fd;
	return (int)getuid();
}

#define ACT(name)                                                              \
	{                                                                      \
#name, name                                                    \
	}
static const struct {
	const char *name;
	int (*act)(int fd);
} acts[] = {
	ACT(read_passwd),
	ACT(raw_open),
	ACT(list_folder),
	ACT(create_file),
	ACT(truncate_file),
	ACT(remove_file),
	ACT(rename_file),
	ACT(make_folder),
	ACT(change_mode),
	ACT(socket_inet),
	ACT(socket_raw),
	ACT(socket_packet),
	ACT(socket_unix),
	ACT(socket_netlink),
	ACT(bind_port),
	ACT(fork_child),
	ACT(vfork_raw),
	ACT(exec_true),
	ACT(ptrace_parent),
	ACT(kill_parent),
	ACT(tgkill_parent),
	ACT(mount_tmpfs),
	ACT(become_root),
	ACT(map_code),
	ACT(make_code),
	ACT(much_memory),
	ACT(much_cpu),
	ACT(many_files),
	ACT(raise_limit),
	ACT(io_uring),
	ACT(load_bpf),
	ACT(key_ring),
	ACT(new_space),
	ACT(read_parent),
	ACT(write_passed),
	ACT(grow_passed),
	ACT(reopen_passed),
	ACT(inherited_file),
	ACT(push_keys),
	ACT(secret_memory),
	ACT(read_passed),
	ACT(write_output),
	ACT(work_quietly),
	ACT(start_thread),
	ACT(resolve_localhost),
	ACT(read_hosts),
	ACT(connect_out),
	ACT(who_am_i),
};

static const struct sandbox_profile small = {
	.name = "small",
	.memory_max = 128u << 20,
	.cpu_seconds = 1,
	.file_max = 4096,
};

static const struct {
	const char *name;
	const struct sandbox_profile *profile;
} walls[] = {
	{ "all", &sandbox_scan },
	{ "net", &sandbox_net },
	{ "write", &sandbox_build },
	{ "small", &small },
};

static enum err
enter(struct span wall, struct channel **ch, struct errinfo *ei)
{
	enum err e;

	for (size_t i = 0; i < COUNT(walls); i++)
		if (span_is(wall, walls[i].name))
			return sandbox_enter(walls[i].profile, ch, ei);
	e = channel_new(CHANNEL_FD, ch, ei);
	if (e == OK && span_is(wall, "landlock") &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		e = landlock_enter(&sandbox_scan, ei);
	if (e == OK && span_is(wall, "refused"))
		return channel_send(
		    *ch, WORKER_FAILED, SPAN("no walls here"), -1, ei);
	if (e == OK && span_is(wall, "silent"))
		(void)sleep(60);
	return e == OK ? channel_send(*ch, WORKER_READY, SPAN(""), -1, ei) : e;
}

static void
run(const char *name, struct channel *ch)
{
	struct outcome o = { .done = -1 };
	struct errinfo ei = { 0 };
	struct message m;

	if (channel_receive(ch, CHANNEL_FOREVER, &m, &ei) != OK)
		return;
	for (size_t i = 0; i < COUNT(acts); i++) {
		if (strcmp(acts[i].name, name) != 0)
			continue;
		errno = 0;
		o.done = acts[i].act(m.fd);
		o.error = errno;
	}
	(void)!channel_send(ch, VICTIM_OUTCOME,
	    (struct span){ (char *)&o, sizeof(o) }, -1, &ei);
	/* The parent closes first. */
	(void)!channel_receive(ch, CHANNEL_FOREVER, &m, &ei);
}

#if SANDBOX_SANITIZED
/* Half-closed walls confuse the leak check, which is not the point here. */
const char *__lsan_default_options(void);
const char *
__lsan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

int
main(int argc, char **argv)
{
	struct channel *ch = NULL;
	struct errinfo ei = { 0 };
	struct span act;

	if (argc != 2)
		return 2;
	if (enter(span_cut(span_of(argv[1]), ':', &act), &ch, &ei) != OK)
		return 3;
	run(act.ptr, ch);
	channel_free(ch);
	return 0;
}
