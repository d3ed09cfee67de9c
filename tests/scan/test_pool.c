#include "scan/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

/* A folder of its own for each test, removed afterwards. */
static char dir[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/khien-pool-XXXXXX");
	return mkdtemp(dir) == NULL || chmod(dir, 0755) != 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int
remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static size_t
count_files(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static size_t next;
	char *p = path[next++ % COUNT(path)];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void
write_file(const char *path, const char *text)
{
	struct errinfo ei = { 0 };

	assert_ok(file_replace(path, span_of(text), 0644, &ei));
}

struct problems {
	size_t count, line;
	char file[256], reason[ERRMSG_MAX];
};

static void
on_problem(void *arg, const struct scan_problem *p)
{
	struct problems *out = arg;

	out->count++;
	out->line = p->line;
	(void)snprintf(out->file, sizeof(out->file), "%s", p->file);
	(void)snprintf(out->reason, sizeof(out->reason), "%s", p->reason);
}

static enum err
build(const char *source, const char *out, uint64_t version,
    struct problems *problems, struct scan_counts *counts)
{
	struct errinfo ei = { 0 };
	const struct scan_build_options opt = { .version = version };
	enum err e = scan_build_files(
	    &source, 1, out, &opt, on_problem, problems, counts, &ei);

	if (e != OK)
		print_message("# %s\n", ei.msg);
	return e;
}

/* A set of one body signature. */
static const char *
make_set(const char *name, const char *line, uint64_t version)
{
	struct problems problems = { 0 };
	struct scan_counts counts;
	const char *source = in_dir("source.ndb"), *out = in_dir(name);

	write_file(source, line);
	assert_err(build(source, out, version, &problems, &counts), OK);
	assert_int_equal(problems.count, 0);
	return out;
}

static struct scan_pool *
open_pool(const char *set, int workers, uint32_t seconds)
{
	struct scan_pool_options opt = {
		.set_path = set,
		.workers = workers,
		.user = "nobody",
		.limits = scan_limits_default,
	};
	struct scan_pool *p = NULL;
	struct errinfo ei = { 0 };

	if (seconds > 0)
		opt.limits.seconds = seconds;
	assert_ok(scan_pool_new(&opt, &p, &ei));
	return p;
}

static void
add(struct scan_pool *p, struct span bytes, void *tag)
{
	struct errinfo ei = { 0 };

	assert_ok(
	    scan_pool_add(p, memory_file(bytes), "", SCAN_NEED_ALL, tag, &ei));
}

static struct scan_verdict
next(struct scan_pool *p)
{
	struct scan_verdict v;
	struct errinfo ei = { 0 };
	void *tag;

	assert_ok(scan_pool_next(p, -1, &tag, &v, &ei));
	return v;
}

/* Our one child: the tests below have a pool of one worker. */
static pid_t
worker_of_pool(void)
{
	struct buf b = buf_make(4096);
	struct errinfo ei = { 0 };
	char path[64];
	long pid;

	(void)snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	assert_ok(file_read(path, &b, &ei));
	assert_true(b.len > 0);
	pid = strtol(b.ptr, NULL, 10);
	buf_free(&b);
	assert_true(pid > 1);
	return (pid_t)pid;
}

static void
a_pool_finds_eicar_without_a_set(void **state)
{
	struct scan_pool *p = open_pool(NULL, 2, 0);
	struct scan_verdict v;

	(void)state;
	assert_int_equal(scan_pool_info(p)->counts.bodies, 1);
	assert_true(scan_pool_ready(p));
	add(p, eicar(), NULL);
	assert_int_equal(scan_pool_busy(p), 1);
	v = next(p);
	assert_int_equal(v.outcome, SCAN_INFECTED);
	assert_string_equal(v.name, "Eicar-Test-Signature");
	assert_true(v.has_sha256);
	scan_pool_free(p);
}

static void
each_file_comes_back_once_with_its_tag(void **state)
{
	enum { FILES = 300 };
	struct scan_pool *p = open_pool(NULL, 3, 0);
	unsigned char seen[FILES] = { 0 };
	struct errinfo ei = { 0 };
	size_t back = 0;
	void *tag;

	(void)state;
	for (size_t i = 0; back < FILES;) {
		struct scan_verdict v;

		if (i < FILES && scan_pool_ready(p)) {
			add(p, i % 7 == 0 ? eicar() : SPAN("fine"), seen + i);
			i++;
			continue;
		}
		assert_ok(scan_pool_next(p, -1, &tag, &v, &ei));
		++*(unsigned char *)tag;
		back++;
		assert_int_equal(v.outcome == SCAN_INFECTED,
		    ((unsigned char *)tag - seen) % 7 == 0);
	}
	for (size_t i = 0; i < FILES; i++)
		assert_int_equal(seen[i], 1);
	assert_err(scan_pool_next(p, 0, &tag, &(struct scan_verdict){ 0 }, &ei),
	    ERR_BUSY);
	scan_pool_free(p);
}

static void
a_full_pool_is_busy(void **state)
{
	struct scan_pool *p = open_pool(NULL, 1, 0);
	struct errinfo ei = { 0 };
	int fd = memory_file(SPAN("x"));
	size_t files = 0;

	(void)state;
	assert_int_equal(kill(worker_of_pool(), SIGSTOP), 0);
	while (scan_pool_ready(p) && files < 1000) {
		add(p, SPAN("y"), NULL);
		files++;
	}
	assert_in_range(files, 2, 100);
	assert_err(
	    scan_pool_add(p, fd, "", SCAN_NEED_ALL, NULL, &ei), ERR_BUSY);
	/* it is still ours */
	assert_int_equal(close(fd), 0);
	assert_int_equal(kill(worker_of_pool(), SIGCONT), 0);
	while (files-- > 0)
		assert_int_equal(next(p).outcome, SCAN_CLEAN);
	scan_pool_free(p);
}

static void
a_dead_worker_costs_one_file(void **state)
{
	struct scan_pool *p = open_pool(NULL, 1, 0);
	struct scan_verdict v;
	pid_t pid = worker_of_pool();

	(void)state;
	/* It does not get to the file before it dies. */
	assert_int_equal(kill(pid, SIGSTOP), 0);
	add(p, eicar(), NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	v = next(p);
	assert_int_equal(v.outcome, SCAN_UNSCANNABLE);
	assert_int_equal(v.reason, SCAN_R_WORKER);
	add(p, eicar(), NULL);
	v = next(p);
	assert_int_equal(v.outcome, SCAN_INFECTED);
	assert_int_not_equal(worker_of_pool(), pid);
	scan_pool_free(p);
}

/* The worker has many files when it dies: they are tried one by one, and who
 * kills again is to blame, alone. */
static void
only_the_file_that_kills_is_to_blame(void **state)
{
	enum { FILES = 9, KILLER = 3 };
	struct scan_pool *p = open_pool(NULL, 1, 60);
	unsigned char tags[FILES];
	struct errinfo ei = { 0 };
	struct scan_verdict v;
	void *tag;

	(void)state;
	assert_int_equal(kill(worker_of_pool(), SIGSTOP), 0);
	for (size_t i = 0; i < FILES; i++)
		add(p, i % 2 == 0 ? SPAN("fine") : eicar(), &tags[i]);
	assert_int_equal(kill(worker_of_pool(), SIGKILL), 0);
	for (size_t i = 0; i < FILES; i++) {
		if (i == KILLER) {
			assert_int_equal(kill(worker_of_pool(), SIGSTOP), 0);
			assert_err(
			    scan_pool_next(p, 50, &tag, &v, &ei), ERR_BUSY);
			assert_int_equal(kill(worker_of_pool(), SIGKILL), 0);
		}
		assert_ok(scan_pool_next(p, -1, &tag, &v, &ei));
		assert_ptr_equal(tag, &tags[i]);
		assert_int_equal(v.outcome,
		    i == KILLER      ? SCAN_UNSCANNABLE
			: i % 2 == 0 ? SCAN_CLEAN
				     : SCAN_INFECTED);
	}
	assert_int_equal(scan_pool_busy(p), 0);
	scan_pool_free(p);
}

static void
a_worker_that_died_while_idle_costs_nothing(void **state)
{
	struct scan_pool *p = open_pool(NULL, 1, 0);
	struct timespec t = { .tv_nsec = 100000000 };

	(void)state;
	assert_int_equal(kill(worker_of_pool(), SIGKILL), 0);
	(void)nanosleep(&t, NULL);
	add(p, eicar(), NULL);
	assert_int_equal(next(p).outcome, SCAN_INFECTED);
	scan_pool_free(p);
}

static void
a_worker_past_its_time_is_killed(void **state)
{
	struct scan_pool *p = open_pool(NULL, 1, 1);
	struct scan_verdict v;
	struct errinfo ei = { 0 };
	pid_t pid = worker_of_pool();
	void *tag;

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	add(p, SPAN("x"), NULL);
	assert_err(scan_pool_next(p, 50, &tag, &v, &ei), ERR_BUSY);
	v = next(p);
	assert_int_equal(v.outcome, SCAN_UNSCANNABLE);
	assert_int_equal(v.reason, SCAN_R_TIME);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	add(p, eicar(), NULL);
	assert_int_equal(next(p).outcome, SCAN_INFECTED);
	scan_pool_free(p);
}

/* Whether the process has a file of this name mapped. */
static bool
has_mapped(pid_t pid, const char *name)
{
	struct buf b = buf_make(1 << 20);
	struct errinfo ei = { 0 };
	char path[64];
	bool found;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	assert_ok(file_read(path, &b, &ei));
	found = strstr(b.ptr, name) != NULL;
	buf_free(&b);
	return found;
}

/* A large file is mapped: when another program cuts it, the worker dies on
 * it, and on it alone. */
static void
a_file_cut_while_it_is_scanned_costs_itself(void **state)
{
	enum { SIZE = 64 << 20 };
	struct problems problems = { 0 };
	struct scan_counts counts;
	struct scan_pool *p;
	struct timespec ms = { .tv_nsec = 1000000 };
	struct errinfo ei = { 0 };
	struct scan_verdict v;
	int fd = memory_file(SPAN(""));

	(void)state;
	write_file(in_dir("slow.yar"),
	    "rule S { condition: for all i in (0..filesize) : "
	    "(uint8(filesize - i) != 1) }\n");
	assert_err(
	    build(in_dir("slow.yar"), in_dir("set"), 1, &problems, &counts),
	    OK);
	p = open_pool(in_dir("set"), 1, 60);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_ok(scan_pool_add(p, dup(fd), "", SCAN_NEED_ALL, NULL, &ei));
	while (!has_mapped(worker_of_pool(), "/memfd:test"))
		(void)nanosleep(&ms, NULL);
	assert_int_equal(ftruncate(fd, 0), 0);
	(void)close(fd);
	v = next(p);
	assert_int_equal(v.outcome, SCAN_UNSCANNABLE);
	assert_int_equal(v.reason, SCAN_R_WORKER);
	add(p, eicar(), NULL);
	assert_int_equal(next(p).outcome, SCAN_INFECTED);
	scan_pool_free(p);
}

static void
what_is_no_file_is_unreadable(void **state)
{
	struct scan_pool *p = open_pool(NULL, 1, 0);
	struct errinfo ei = { 0 };
	struct scan_verdict v;

	(void)state;
	assert_ok(scan_pool_add(p, open("/", O_RDONLY | O_DIRECTORY), "/",
	    SCAN_NEED_ALL, NULL, &ei));
	v = next(p);
	assert_int_equal(v.outcome, SCAN_UNSCANNABLE);
	assert_int_equal(v.reason, SCAN_R_UNREADABLE);
	scan_pool_free(p);
}

static void
a_reload_changes_the_set_for_new_files(void **state)
{
	const char *one = make_set("one", "One:0:*:6f6e65\n", 1);
	const char *two = make_set("two", "Two:0:*:74776f\n", 2);
	struct scan_pool *p = open_pool(one, 2, 0);
	struct errinfo ei = { 0 };
	struct scan_verdict v;

	(void)state;
	add(p, SPAN("one"), NULL);
	assert_string_equal(next(p).name, "One");
	add(p, SPAN("one"), NULL); /* under way */
	assert_ok(scan_pool_reload(p, two, &ei));
	assert_true(scan_pool_info(p)->version == 2);
	v = next(p);
	assert_string_equal(v.name, "One");
	assert_true(v.set_version == 1);
	for (int i = 0; i < 3; i++) {
		add(p, SPAN("two"), NULL);
		add(p, SPAN("two"), NULL);
		assert_string_equal(next(p).name, "Two");
		v = next(p);
		assert_string_equal(v.name, "Two");
		assert_true(v.set_version == 2);
	}
	scan_pool_free(p);
}

static void
a_bad_reload_keeps_the_set(void **state)
{
	const char *one = make_set("one", "One:0:*:6f6e65\n", 1);
	struct scan_pool *p = open_pool(one, 1, 0);
	struct errinfo ei = { 0 };

	(void)state;
	write_file(in_dir("bad"), "not a set at all");
	assert_err(scan_pool_reload(p, in_dir("bad"), &ei), ERR_CORRUPT);
	assert_err(scan_pool_reload(p, in_dir("none"), &ei), ERR_NOT_FOUND);
	assert_true(scan_pool_info(p)->version == 1);
	add(p, SPAN("one"), NULL);
	assert_string_equal(next(p).name, "One");
	scan_pool_free(p);
}

static void
a_pool_needs_a_good_set(void **state)
{
	struct scan_pool_options opt = { .workers = 1,
		.limits = scan_limits_default };
	struct scan_pool *p = NULL;
	struct errinfo ei = { 0 };

	(void)state;
	opt.set_path = in_dir("none");
	assert_err(scan_pool_new(&opt, &p, &ei), ERR_NOT_FOUND);
	write_file(in_dir("bad"), "");
	opt.set_path = in_dir("bad");
	assert_err(scan_pool_new(&opt, &p, &ei), ERR_CORRUPT);
	opt.set_path = dir;
	assert_err(scan_pool_new(&opt, &p, &ei), ERR_CORRUPT);
}

/* ---- building ------------------------------------------------------------------------ */

static void
a_folder_is_built_with_its_problems_named(void **state)
{
	struct problems problems = { 0 };
	struct scan_counts counts;

	(void)state;
	assert_int_equal(mkdir(in_dir("sigs"), 0755), 0);
	write_file(in_dir("sigs/a.ndb"), "A:0:*:61626364\nbad line\n");
	write_file(
	    in_dir("sigs/b.hdb"), "5d41402abc4b2a76b9719d911017c592:5:H\n");
	write_file(in_dir("sigs/c.yar"), "rule C { condition: true }\n");
	write_file(
	    in_dir("sigs/d.fp"), "5d41402abc4b2a76b9719d911017c592:5:H\n");
	assert_err(
	    build(in_dir("sigs"), in_dir("set"), 9, &problems, &counts), OK);
	assert_int_equal(counts.bodies, 2);
	assert_int_equal(counts.hashes, 1);
	assert_int_equal(counts.yara, 1);
	assert_int_equal(counts.allowed, 1);
	assert_int_equal(counts.skipped, 1);
	assert_int_equal(problems.count, 1);
	assert_int_equal(problems.line, 2);
	assert_string_equal(problems.file, in_dir("sigs/a.ndb"));
	write_file(in_dir("sigs/README"), "text");
	assert_err(
	    build(in_dir("sigs"), in_dir("set"), 9, &problems, &counts), OK);
	assert_int_equal(counts.skipped, 2);
}

static void
a_build_that_fails_leaves_the_old_set(void **state)
{
	static const struct {
		const char *name;
		enum err want;
	} cases[] = { { "none.ndb", ERR_NOT_FOUND },
		{ "text.txt", ERR_UNSUPPORTED } };
	const char *set = make_set("set", "One:0:*:6f6e65\n", 1);
	struct problems problems = { 0 };
	struct scan_counts counts;
	struct stat before, after;

	(void)state;
	write_file(in_dir("text.txt"), "text");
	assert_int_equal(stat(set, &before), 0);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_err(
		    build(in_dir(cases[i].name), set, 2, &problems, &counts),
		    cases[i].want);
	assert_int_equal(stat(set, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	/* the set, its source and the text: no temporary file either */
	assert_int_equal(count_files(), 3);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pool_finds_eicar_without_a_set),
		TEST(each_file_comes_back_once_with_its_tag),
		TEST(a_full_pool_is_busy),
		TEST(a_dead_worker_costs_one_file),
		TEST(only_the_file_that_kills_is_to_blame),
		TEST(a_worker_that_died_while_idle_costs_nothing),
		TEST(a_worker_past_its_time_is_killed),
		TEST(a_file_cut_while_it_is_scanned_costs_itself),
		TEST(what_is_no_file_is_unreadable),
		TEST(a_reload_changes_the_set_for_new_files),
		TEST(a_bad_reload_keeps_the_set),
		TEST(a_pool_needs_a_good_set),
		TEST(a_folder_is_built_with_its_problems_named),
		TEST(a_build_that_fails_leaves_the_old_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
