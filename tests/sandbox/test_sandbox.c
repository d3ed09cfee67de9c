#include "testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_int.h"
#include "victim.h"

/* How an act ended. */
struct fate {
	bool answered;
	struct outcome outcome;
	int signal; /* that killed it, or 0 */
	int status; /* exit, when it did not answer */
};

static char folder[] = "/tmp/khien-sandbox-XXXXXX";

static void
make_file(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret", 6), 6);
	(void)close(fd);
}

static void
lay_out(void)
{
	(void)unlink(VICTIM_NEW_FILE);
	(void)rmdir(VICTIM_NEW_FILE);
	make_file(VICTIM_OLD_FILE, 0666);
	(void)mkdir(VICTIM_FOLDER, 0777);
}

static struct fate
run_as(const char *user, const char *role, int fd)
{
	struct worker_spec spec = {
		.program = getenv("KHIEN_VICTIM"),
		.role = role,
		.user = user,
	};
	struct errinfo ei = { 0 };
	struct worker *w = NULL;
	struct fate f = { 0 };
	struct message m;
	int status;

	assert_ok(worker_start(&spec, &w, &ei));
	assert_ok(channel_send(worker_channel(w), 1, SPAN(""), fd, &ei));
	if (channel_receive(worker_channel(w), 10000, &m, &ei) == OK) {
		assert_int_equal(m.body.len, sizeof(f.outcome));
		memcpy(&f.outcome, m.body.ptr, sizeof(f.outcome));
		f.answered = true;
	}
	(void)ptrace(PTRACE_DETACH, worker_pid(w), NULL, NULL);
	status = worker_stop(w, 5000);
	f.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	f.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return f;
}

static struct fate
run(const char *wall, const char *act, int fd)
{
	char role[64];

	(void)snprintf(role, sizeof(role), "%s:%s", wall, act);
	print_message("# case: %s\n", role);
	lay_out();
	return run_as(NULL, role, fd);
}

static bool
was_done(struct fate f)
{
	return (f.answered && f.outcome.done >= 0) ||
	    (!f.answered && f.signal == 0 && f.status == 0);
}

/* Each is forbidden in the sandbox, by death (SIGSYS) or by an error, and
 * done by the same program without one (else the test would prove nothing;
 * some need rights that whoever runs the test may not have). */
static const struct {
	const char *act;
	int want; /* errno, or -signal */
	bool needs_rights;
} forbidden[] = {
	{ "read_passwd", EACCES, false },
	{ "raw_open", EACCES, false },
	{ "list_folder", EACCES, false },
	{ "reopen_passed", EACCES, false },
	{ "create_file", EACCES, false },
	{ "truncate_file", -SIGSYS, false },
	{ "remove_file", -SIGSYS, false },
	{ "rename_file", -SIGSYS, false },
	{ "make_folder", -SIGSYS, false },
	{ "change_mode", -SIGSYS, false },
	{ "socket_inet", -SIGSYS, false },
	{ "socket_raw", -SIGSYS, true },
	{ "socket_packet", -SIGSYS, true },
	{ "socket_unix", -SIGSYS, false },
	{ "socket_netlink", -SIGSYS, false },
	{ "bind_port", -SIGSYS, false },
	{ "fork_child", -SIGSYS, false },
	{ "vfork_raw", -SIGSYS, false },
	{ "exec_true", -SIGSYS, false },
	{ "ptrace_parent", -SIGSYS, true },
	{ "kill_parent", -SIGSYS, false },
	{ "tgkill_parent", -SIGSYS, false },
	{ "mount_tmpfs", -SIGSYS, true },
	{ "become_root", -SIGSYS, true },
	{ "map_code", -SIGSYS, false },
	{ "make_code", -SIGSYS, false },
	{ "raise_limit", -SIGSYS, false },
	{ "io_uring", -SIGSYS, true },
	{ "load_bpf", -SIGSYS, true },
	{ "key_ring", -SIGSYS, true },
	{ "new_space", -SIGSYS, true },
	{ "read_parent", -SIGSYS, true },
	{ "secret_memory", -SIGSYS, false },
	{ "push_keys", -SIGSYS, false },
	{ "many_files", EMFILE, false },
};

static void
each_forbidden_act_fails_and_works_without_a_sandbox(void **state)
{
	int fd = open(VICTIM_OLD_FILE, O_RDWR);

	(void)state;
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		struct fate f = run("all", forbidden[i].act, fd);

		assert_false(was_done(f));
		if (forbidden[i].want < 0)
			assert_int_equal(f.signal, -forbidden[i].want);
		else
			assert_int_equal(f.outcome.error, forbidden[i].want);
		f = run("none", forbidden[i].act, fd);
		if (!was_done(f) && forbidden[i].needs_rights)
			print_message("# not possible here anyway: %s\n",
			    forbidden[i].act);
		else
			assert_true(was_done(f));
	}
	(void)close(fd);
}

static void
landlock_alone_keeps_files_out_of_reach(void **state)
{
	static const char *const acts[] = { "read_passwd", "list_folder",
		"create_file", "remove_file", "rename_file", "make_folder",
		"reopen_passed", "exec_true" };
	int fd = open(VICTIM_OLD_FILE, O_RDONLY);

	(void)state;
	for (size_t i = 0; i < COUNT(acts); i++)
		assert_false(was_done(run("landlock", acts[i], fd)));
	(void)close(fd);
}

static void
limits_hold(void **state)
{
	int fd = open(VICTIM_OLD_FILE, O_RDWR | O_APPEND);
	struct fate f;

	(void)state;
#if !SANDBOX_SANITIZED
	f = run("small", "much_memory", fd);
	assert_int_equal(f.outcome.done, -1);
	assert_int_equal(f.outcome.error, ENOMEM);
#endif
	assert_true(was_done(run("none", "much_memory", fd)));
	f = run("small", "much_cpu", fd);
	assert_false(f.answered);
	assert_true(f.signal == SIGXCPU || f.signal == SIGKILL);
	assert_true(was_done(run("none", "much_cpu", fd)));
	f = run("small", "grow_passed", fd);
	assert_int_equal(f.outcome.error, EFBIG);
	assert_true(was_done(run("none", "grow_passed", fd)));
	(void)close(fd);
}

static void
a_passed_file_is_what_it_was_opened_for(void **state)
{
	int ro = open(VICTIM_OLD_FILE, O_RDONLY);
	int rw = open(VICTIM_OLD_FILE, O_RDWR);

	(void)state;
	assert_true(was_done(run("all", "read_passed", ro)));
	assert_int_equal(run("all", "write_passed", ro).outcome.error, EBADF);
	/* Even a writable one, in a profile that writes nothing. */
	assert_int_equal(run("all", "write_passed", rw).outcome.error, EFBIG);
	assert_true(was_done(run("none", "write_passed", rw)));
	assert_true(was_done(run("write", "write_output", rw)));
	(void)close(ro);
	(void)close(rw);
}

static void
nothing_is_inherited_but_the_channel(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(dup2(fd, VICTIM_LEAKED_FD), VICTIM_LEAKED_FD);
	assert_int_equal(run("all", "inherited_file", fd).outcome.error, EBADF);
	(void)close(VICTIM_LEAKED_FD);
	(void)close(fd);
}

static void
ordinary_work_goes_on(void **state)
{
	int fd = open(VICTIM_OLD_FILE, O_RDONLY);

	(void)state;
	assert_true(was_done(run("all", "work_quietly", fd)));
	assert_true(was_done(run("net", "work_quietly", fd)));
	assert_true(was_done(run("net", "start_thread", fd)));
	(void)close(fd);
}

static int
listen_on(struct sockaddr_in *in)
{
	socklen_t len = sizeof(*in);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*in = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(s, (struct sockaddr *)in, len), 0);
	assert_int_equal(listen(s, 1), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)in, &len), 0);
	return s;
}

static void
the_network_profile_speaks_and_reads_only_what_it_needs(void **state)
{
	static const char *const yes[] = { "connect_out", "resolve_localhost",
		"read_hosts", "socket_inet" };
	static const struct {
		const char *act;
		int want;
	} no[] = {
		{ "read_passwd", EACCES },
		{ "create_file", -SIGSYS },
		{ "list_folder", EACCES },
		{ "socket_raw", -SIGSYS },
		{ "socket_packet", EACCES },
		{ "socket_unix", EACCES },
		{ "bind_port", -SIGSYS },
		{ "vfork_raw", -SIGSYS },
		{ "fork_child", -SIGSYS },
		{ "exec_true", -SIGSYS },
		{ "kill_parent", -SIGSYS },
		{ "map_code", -SIGSYS },
	};
	struct sockaddr_in in;
	int fd = open(VICTIM_OLD_FILE, O_RDWR);
	int port = open(".", O_TMPFILE | O_RDWR, 0600);
	int s = listen_on(&in);

	(void)state;
	assert_int_equal(pwrite(port, &in.sin_port, sizeof(in.sin_port), 0), 2);
	for (size_t i = 0; i < COUNT(yes); i++) {
		char role[64];

		(void)snprintf(role, sizeof(role), "net:%s", yes[i]);
		TEST_CASE(role);
		assert_true(was_done(run_as(NULL, role, port)));
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		struct fate f = run("net", no[i].act, fd);

		assert_false(was_done(f));
		if (no[i].want < 0)
			assert_int_equal(f.signal, -no[i].want);
		else
			assert_int_equal(f.outcome.error, no[i].want);
	}
	(void)close(fd);
	(void)close(port);
	(void)close(s);
}

static void
a_worker_of_root_becomes_its_user(void **state)
{
	struct passwd *pw = getpwnam("nobody");
	struct fate f;

	(void)state;
	if (geteuid() != 0 || pw == NULL)
		skip();
	f = run_as("nobody", "all:who_am_i", -1);
	assert_int_equal(f.outcome.done, (int)pw->pw_uid);
	f = run_as("nobody", "none:become_root", -1);
	assert_int_equal(f.outcome.error, EPERM);
}

/* A copy of the program in a folder that only we may enter. */
static void
hide_victim(const char *hidden)
{
	int from = open(getenv("KHIEN_VICTIM"), O_RDONLY);
	int to = open(hidden, O_WRONLY | O_CREAT, 0755);
	char bytes[65536];
	ssize_t n;

	assert_true(from >= 0 && to >= 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(to, bytes, (size_t)n), n);
	(void)close(from);
	(void)close(to);
}

static void
a_worker_starts_from_where_its_user_may_not_go(void **state)
{
	struct worker_spec spec = { .role = "all:who_am_i", .user = "nobody" };
	char closed[] = "/tmp/khien-closed-XXXXXX", path[64];
	struct errinfo ei = { 0 };
	struct worker *w = NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(closed));
	(void)snprintf(path, sizeof(path), "%s/victim", closed);
	hide_victim(path);
	spec.program = path;
	assert_ok(worker_start(&spec, &w, &ei));
	(void)worker_stop(w, 0);
	(void)unlink(path);
	(void)rmdir(closed);
}

static void
a_worker_that_cannot_start_says_why(void **state)
{
	struct {
		struct worker_spec spec;
		enum err want;
		const char *words;
	} cases[] = {
		{ { .program = "/nowhere/at-all", .role = "x" }, ERR_IO,
		    "be executed: No such file" },
		{ { .program = "/bin/true", .role = "x" }, ERR_IO, "died" },
		{ { .program = "/bin/cat", .role = "/dev/zero" }, ERR_IO,
		    "not ready" },
		{ { .program = getenv("KHIEN_VICTIM"), .role = "refused:x" },
		    ERR_UNSUPPORTED, "no walls here" },
		{ { .program = getenv("KHIEN_VICTIM"), .role = "silent:x" },
		    ERR_IO, "not ready" },
		{ { .program = "/bin/true",
		      .role = "x",
		      .user = "no-such-user-here" },
		    ERR_NOT_FOUND, "no user" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };
		struct worker *w = NULL;

		if (cases[i].spec.user != NULL && geteuid() != 0)
			continue;
		TEST_CASE(cases[i].words);
		assert_err(
		    worker_start(&cases[i].spec, &w, &ei), cases[i].want);
		assert_null(w);
		if (strstr(ei.msg, cases[i].words) == NULL)
			fail_msg(
			    "\"%s\" is not in \"%s\"", cases[i].words, ei.msg);
	}
}

static void
a_sandbox_is_not_entered_by_hand(void **state)
{
	struct channel *ch = NULL;
	struct errinfo ei = { 0 };
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	if (fcntl(CHANNEL_FD, F_GETFD) < 0)
		assert_int_equal(dup2(fd, CHANNEL_FD), CHANNEL_FD);
	assert_err(sandbox_enter(&sandbox_scan, &ch, &ei), ERR_UNSUPPORTED);
	if (fd != CHANNEL_FD)
		(void)close(fd);
}

static int
enter_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 ||
	    chdir(folder) != 0)
		return -1;
	lay_out();
	return 0;
}

static int
leave_folder(void **state)
{
	(void)state;
	(void)unlink(VICTIM_OLD_FILE);
	(void)unlink(VICTIM_NEW_FILE);
	(void)rmdir(VICTIM_NEW_FILE);
	(void)rmdir(VICTIM_FOLDER);
	return chdir("/") != 0 || rmdir(folder) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_forbidden_act_fails_and_works_without_a_sandbox),
		cmocka_unit_test(landlock_alone_keeps_files_out_of_reach),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_passed_file_is_what_it_was_opened_for),
		cmocka_unit_test(nothing_is_inherited_but_the_channel),
		cmocka_unit_test(ordinary_work_goes_on),
		cmocka_unit_test(
		    the_network_profile_speaks_and_reads_only_what_it_needs),
		cmocka_unit_test(a_worker_of_root_becomes_its_user),
		cmocka_unit_test(
		    a_worker_starts_from_where_its_user_may_not_go),
		cmocka_unit_test(a_worker_that_cannot_start_says_why),
		cmocka_unit_test(a_sandbox_is_not_entered_by_hand),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
