#include "scan/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define WEEK_MS INT64_C(604800000)

/* A folder with a cache and a file in it. */
struct place {
	char dir[64], cache[96], file[96];
	int fd;
	struct stat st;
	struct scan_cache *c;
	int64_t now_ms; /* well after the file was made */
};

static const struct scan_set_info set_a = { .digest = "a" },
				  set_b = { .digest = "b" };
static const struct scan_added nothing;
static const struct scan_verdict clean = { .objects = 1 };

static void
open_cache(struct place *p, const struct scan_set_info *set)
{
	struct errinfo ei = { 0 };

	scan_cache_close(p->c);
	p->c = NULL;
	assert_ok(
	    scan_cache_open(p->cache, set, &scan_limits_default, &p->c, &ei));
}

static bool
is_clean(struct place *p, const struct stat *st, int64_t now_ms)
{
	return scan_cache_need(p->c, &nothing, st, now_ms) == SCAN_NEED_NOTHING;
}

static void
place_make(struct place *p)
{
	*p = (struct place){ .dir = "/tmp/khien-cache-XXXXXX" };
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->cache, sizeof(p->cache), "%s/cache", p->dir);
	(void)snprintf(p->file, sizeof(p->file), "%s/file", p->dir);
	p->fd = open(p->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(p->fd, "hello", 5), 5);
	assert_int_equal(fstat(p->fd, &p->st), 0);
	p->now_ms = clock_utc_ms(&clock_system) + 10000;
	open_cache(p, &set_a);
}

static void
place_clear(struct place *p)
{
	scan_cache_close(p->c);
	(void)close(p->fd);
	(void)unlink(p->file);
	(void)unlink(p->cache);
	(void)rmdir(p->dir);
}

static void
an_unchanged_file_is_known_until_it_expires(void **state)
{
	struct place p;

	(void)state;
	place_make(&p);
	assert_false(is_clean(&p, &p.st, p.now_ms));
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	assert_true(is_clean(&p, &p.st, p.now_ms));
	assert_true(is_clean(&p, &p.st, p.now_ms + WEEK_MS / 2));
	assert_false(is_clean(&p, &p.st, p.now_ms + WEEK_MS));
	/* The clock was set back behind the scan. */
	assert_false(is_clean(&p, &p.st, p.now_ms - WEEK_MS));
	open_cache(&p, &set_a);
	assert_true(is_clean(&p, &p.st, p.now_ms));
	place_clear(&p);
}

static void
a_file_that_changes_is_not_known(void **state)
{
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	struct place p;
	struct stat st;

	(void)state;
	place_make(&p);
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	(void)usleep(20000);
	/* The same size, and a time of change as it was: like malware. */
	assert_int_equal(pwrite(p.fd, "jello", 5, 0), 5);
	old[0] = p.st.st_atim;
	old[1] = p.st.st_mtim;
	assert_int_equal(futimens(p.fd, old), 0);
	assert_int_equal(fstat(p.fd, &st), 0);
	assert_int_equal(st.st_size, p.st.st_size);
	assert_int_equal(st.st_mtim.tv_nsec, p.st.st_mtim.tv_nsec);
	assert_false(is_clean(&p, &st, p.now_ms));
	/* Changed while it was scanned: the old state is not remembered. */
	open_cache(&p, &set_b);
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	assert_false(is_clean(&p, &p.st, p.now_ms));
	place_clear(&p);
}

static void
a_file_that_may_change_unseen_is_not_remembered(void **state)
{
	struct place p;
	int64_t changed;

	(void)state;
	place_make(&p);
	changed = p.st.st_ctim.tv_sec * 1000 + p.st.st_ctim.tv_nsec / 1000000;
	scan_cache_add(p.c, p.fd, &p.st, &clean, changed + 1);
	assert_false(is_clean(&p, &p.st, p.now_ms));
	place_clear(&p);
}

static void
another_set_or_other_limits_begin_afresh(void **state)
{
	struct scan_limits limits = scan_limits_default;
	struct errinfo ei = { 0 };
	struct place p;

	(void)state;
	place_make(&p);
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	open_cache(&p, &set_b);
	assert_false(is_clean(&p, &p.st, p.now_ms));
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	scan_cache_close(p.c);
	limits.depth++;
	assert_ok(scan_cache_open(p.cache, &set_b, &limits, &p.c, &ei));
	assert_false(is_clean(&p, &p.st, p.now_ms));
	place_clear(&p);
}

static enum scan_need
need(struct place *p, const struct scan_added *added)
{
	return scan_cache_need(p->c, added, &p->st, p->now_ms);
}

/* A set that adds to another needs only what was added, and that only where
 * it may be. */
static void
what_is_added_is_all_that_is_looked_for(void **state)
{
	static const struct scan_set_info more = { .digest = "more",
		.from = "a" };
	static const struct scan_set_info still = { .digest = "still",
		.from = "a" };
	static const struct scan_set_info chain = { .digest = "chain",
		.from = "still" };
	static const struct scan_set_info other = { .digest = "other",
		.from = "b" };
	static const struct scan_added all = { .any = true, .all = true };
	static const struct scan_added sizes = { .any = true };
	struct place p;

	(void)state;
	place_make(&p);
	scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
	open_cache(&p, &more);
	assert_int_equal(need(&p, &all), SCAN_NEED_ADDED);
	assert_int_equal(need(&p, &nothing), SCAN_NEED_ALL);
	open_cache(&p, &still);
	assert_int_equal(need(&p, &all), SCAN_NEED_ADDED);
	assert_int_equal(need(&p, &sizes), SCAN_NEED_NOTHING);
	assert_int_equal(need(&p, &all), SCAN_NEED_NOTHING);
	open_cache(&p, &chain);
	assert_int_equal(need(&p, &all), SCAN_NEED_ADDED);
	open_cache(&p, &other);
	assert_int_equal(need(&p, &all), SCAN_NEED_ALL);
	place_clear(&p);
}

/* Members have sizes of their own, and a chain must not be broken. */
static void
what_is_not_known_for_sure_is_looked_at(void **state)
{
	static const struct scan_set_info more = { .digest = "more",
		.from = "a" };
	static const struct scan_set_info chain = { .digest = "chain",
		.from = "more" };
	static const struct scan_added sizes = { .any = true };
	static const struct scan_verdict archive = { .objects = 2 };
	struct place p;

	(void)state;
	place_make(&p);
	scan_cache_add(p.c, p.fd, &p.st, &archive, p.now_ms);
	open_cache(&p, &more);
	assert_int_equal(need(&p, &sizes), SCAN_NEED_ADDED);
	open_cache(&p, &chain); /* not looked at with the one between */
	assert_int_equal(need(&p, &sizes), SCAN_NEED_ALL);
	place_clear(&p);
}

/* Cut, filled with rubbish, readable by others, a link: never trusted. */
static void
what_is_no_cache_of_ours_is_replaced(void **state)
{
	struct place p;
	char other[128];
	struct stat st;
	int fd;

	(void)state;
	place_make(&p);
	for (int way = 0; way < 4; way++) {
		scan_cache_add(p.c, p.fd, &p.st, &clean, p.now_ms);
		assert_true(is_clean(&p, &p.st, p.now_ms));
		scan_cache_close(p.c);
		p.c = NULL;
		fd = open(p.cache, O_RDWR | O_CLOEXEC);
		(void)snprintf(other, sizeof(other), "%s/other", p.dir);
		if (way == 0)
			assert_int_equal(ftruncate(fd, 100), 0);
		else if (way == 1)
			assert_int_equal(pwrite(fd, "rubbish", 7, 0), 7);
		else if (way == 2)
			assert_int_equal(fchmod(fd, 0644), 0);
		else
			assert_true(rename(p.cache, other) == 0 &&
			    symlink(other, p.cache) == 0);
		(void)close(fd);
		open_cache(&p, &set_a);
		assert_false(is_clean(&p, &p.st, p.now_ms));
		assert_int_equal(lstat(p.cache, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	(void)unlink(other);
	place_clear(&p);
}

static void
it_grows_and_forgets_nothing_that_fits(void **state)
{
	struct place p;
	size_t known = 0;
	const size_t n = 100000;

	(void)state;
	place_make(&p);
	for (size_t i = 0; i < n; i++) {
		struct stat st = p.st;

		/* Only the identity differs; the file itself is unchanged. */
		st.st_ino += i;
		scan_cache_add(p.c, p.fd, &st, &clean, p.now_ms);
	}
	for (size_t i = 0; i < n; i++) {
		struct stat st = p.st;

		st.st_ino += i;
		known += is_clean(&p, &st, p.now_ms);
	}
	assert_true(known > n - n / 50);
	place_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unchanged_file_is_known_until_it_expires),
		cmocka_unit_test(a_file_that_changes_is_not_known),
		cmocka_unit_test(
		    a_file_that_may_change_unseen_is_not_remembered),
		cmocka_unit_test(another_set_or_other_limits_begin_afresh),
		cmocka_unit_test(what_is_added_is_all_that_is_looked_for),
		cmocka_unit_test(what_is_not_known_for_sure_is_looked_at),
		cmocka_unit_test(what_is_no_cache_of_ours_is_replaced),
		cmocka_unit_test(it_grows_and_forgets_nothing_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
