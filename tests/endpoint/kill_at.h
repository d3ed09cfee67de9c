#ifndef TESTS_ENDPOINT_KILL_AT_H
#define TESTS_ENDPOINT_KILL_AT_H

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `act` in a child and kills it (SIGKILL) at its n-th entry to or exit
 * from a system call.  True when it was killed, false when it came to its
 * end before: so that a loop over n tries every point there is. */
static inline bool
kill_at(unsigned n, void act(void *arg), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(99);
		(void)raise(SIGSTOP);
		act(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	for (unsigned i = 0; i < n; i++) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0)
			break;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return true;
}

#endif
