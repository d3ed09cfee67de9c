/* Files that are replaced whole or not at all, logs, translations. */

#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/i18n.h"
#include "base/log.h"

static char folder[] = "/tmp/khien-base-XXXXXX";

static const char *
at(const char *name)
{
	static char path[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void
assert_holds(const char *path, const char *text)
{
	struct buf b = buf_make(65536);
	struct errinfo ei = { 0 };

	assert_ok(file_read(path, &b, &ei));
	assert_true(span_is(buf_view(&b), text));
	buf_free(&b);
}

static void
a_file_is_read_whole_or_not_at_all(void **state)
{
	struct buf b = buf_make(8);
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(file_replace(at("a"), SPAN("12345"), 0600, &ei));
	buf_text(&b, "abc");
	assert_ok(file_read(at("a"), &b, &ei));
	assert_string_equal(b.ptr, "abc12345");
	buf_cut(&b, 4);
	assert_err(file_read(at("a"), &b, &ei), ERR_LIMIT);
	assert_true(span_is(buf_view(&b), "abc1"));
	assert_err(file_read(at("none"), &b, &ei), ERR_NOT_FOUND);
	assert_non_null(strstr(ei.msg, "none"));
	assert_err(file_read(folder, &b, &ei), ERR_IO);
	buf_free(&b);
}

static void
a_replaced_file_has_its_mode_and_leaves_no_other(void **state)
{
	struct errinfo ei = { 0 };
	struct stat st;

	(void)state;
	assert_ok(file_replace(at("b"), SPAN("old"), 0600, &ei));
	assert_ok(file_replace(at("b"), SPAN("new"), 0640, &ei));
	assert_holds(at("b"), "new");
	assert_int_equal(stat(at("b"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_err(file_replace("/nowhere/b", SPAN("x"), 0600, &ei), ERR_IO);
	assert_true(ei.sys_errno != 0);
	assert_int_equal(unlink(at("b")), 0);
}

/* The disk is full at the 4096th byte: the old file stays. */
static void
a_full_disk_leaves_the_old_file(void **state)
{
	static char big[65536];
	pid_t child;
	int status = -1;
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(file_replace(at("c"), SPAN("old"), 0600, &ei));
	child = fork();
	if (child == 0) {
		struct rlimit limit = { 4096, 4096 };

		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(9);
		_exit((int)file_replace(
		    at("c"), (struct span){ big, sizeof(big) }, 0600, &ei));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), ERR_IO);
	assert_holds(at("c"), "old");
	assert_int_equal(unlink(at("c")), 0);
	assert_int_equal(unlink(at("a")), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing is left beside it */
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void
folders_are_made_to_their_depth(void **state)
{
	struct errinfo ei = { 0 };
	struct stat st;

	(void)state;
	assert_ok(file_make_dir(at("x/y/z"), 0700, &ei));
	assert_ok(file_make_dir(at("x/y/z"), 0700, &ei));
	assert_int_equal(stat(at("x/y/z"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_ok(file_replace(at("f"), SPAN(""), 0600, &ei));
	assert_err(file_make_dir(at("f/g"), 0700, &ei), ERR_IO);
	assert_err(file_make_dir(at("f"), 0700, &ei), ERR_IO);
	assert_int_equal(unlink(at("f")), 0);
	assert_int_equal(rmdir(at("x/y/z")), 0);
	assert_int_equal(rmdir(at("x/y")), 0);
	assert_int_equal(rmdir(at("x")), 0);
}

/* ---- logs ---- */

/* What one event writes, as a pipe hears it. */
static void
logged(char *out, size_t size, const char *event, const struct log_field *f)
{
	int fd[2], saved = dup(2);
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	(void)dup2(fd[1], 2);
	log_event(LOG_WARN_L, event, f);
	(void)dup2(saved, 2);
	(void)close(saved);
	(void)close(fd[1]);
	n = read(fd[0], out, size - 1);
	(void)close(fd[0]);
	assert_true(n >= 0);
	out[n] = '\0';
}

static void
an_event_is_one_line_whatever_it_holds(void **state)
{
	const struct log_field fields[] = {
		LOG_SP("path", SPAN("a\n\x1b[31m\xff\"\\")),
		LOG_I("count", -5),
		LOG_END,
	};
	char line[LOG_LINE_MAX + 2];

	(void)state;
	log_setup("test", LOG_INFO_L);
	logged(line, sizeof(line), "some.event", fields);
	assert_non_null(strstr(line, "\"event\":\"some.event\""));
	assert_non_null(strstr(line, "\"level\":\"warn\""));
	assert_non_null(strstr(line, "\"count\":-5"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_null(strchr(line, '\x1b'));
	assert_null(strchr(line, '\xff'));
}

static void
a_long_event_is_cut_and_a_low_one_is_not_shown(void **state)
{
	static char big[3 * LOG_LINE_MAX];
	const struct log_field fields[] = {
		LOG_SP("text", ((struct span){ big, sizeof(big) })), LOG_END
	};
	static char line[4 * LOG_LINE_MAX];

	(void)state;
	memset(big, 'x', sizeof(big));
	logged(line, sizeof(line), "big", fields);
	assert_true(strlen(line) <= LOG_LINE_MAX);
	assert_int_equal(line[strlen(line) - 1], '\n');
	log_setup("test", LOG_ERROR_L);
	logged(line, sizeof(line), "warned", &(struct log_field){ 0 });
	assert_string_equal(line, "");
}

/* ---- translations ---- */

static void
english_needs_no_catalogue_and_others_do(void **state)
{
	struct errinfo ei = { 0 };
	struct i18n *t = NULL;

	(void)state;
	assert_ok(i18n_open("/nowhere", "en", &t, &ei));
	assert_string_equal(i18n_text(t, "Sign in"), "Sign in");
	assert_string_equal(i18n_lang(t), "en");
	i18n_free(t);
	t = NULL;
	assert_err(i18n_open("/nowhere", "vi", &t, &ei), ERR_NOT_FOUND);
	assert_null(t);
	i18n_free(NULL);
}

static void
the_language_is_that_of_the_environment(void **state)
{
	(void)state;
	(void)unsetenv("LC_ALL");
	(void)unsetenv("LC_MESSAGES");
	(void)setenv("LANG", "C.UTF-8", 1);
	assert_string_equal(i18n_env_lang(), "vi");
	(void)setenv("LANG", "en_US.UTF-8", 1);
	assert_string_equal(i18n_env_lang(), "en");
	(void)setenv("LC_ALL", "vi_VN", 1);
	assert_string_equal(i18n_env_lang(), "vi");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
		cmocka_unit_test(
		    a_replaced_file_has_its_mode_and_leaves_no_other),
		cmocka_unit_test(a_full_disk_leaves_the_old_file),
		cmocka_unit_test(folders_are_made_to_their_depth),
		cmocka_unit_test(an_event_is_one_line_whatever_it_holds),
		cmocka_unit_test(
		    a_long_event_is_cut_and_a_low_one_is_not_shown),
		cmocka_unit_test(english_needs_no_catalogue_and_others_do),
		cmocka_unit_test(the_language_is_that_of_the_environment),
	};
	int status;

	if (mkdtemp(folder) == NULL)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return status;
}
