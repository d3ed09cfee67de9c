#include "things.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A damaged SQLite file is named, and never taken for less data. */

#define ROWS 3000

static const char *
path_of(const struct test_database *db)
{
	return db->url + strlen("sqlite:");
}

static enum err
fill(struct sql *q, void *arg, struct errinfo *ei)
{
	(void)arg;
	for (int64_t i = 0; i < ROWS; i++) {
		char name[64];
		struct place p = { .name = name, .n = i };

		(void)snprintf(name, sizeof(name),
		    "a place with a rather long name %lld", (long long)i);
		WANT_OK(add_place(q, &p, ei));
	}
	return OK;
}

/* All columns of all rows; a count alone reads only an index. */
static enum err
read_all(struct sql *q, void *arg, struct errinfo *ei)
{
	struct sql_rows r;
	bool more = false;
	int64_t *rows = arg, n = 0;
	enum err e = sql_query(q, &r, ei, "SELECT n, within, name FROM places");

	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
		n++;
	sql_end(&r);
	*rows = n;
	return e;
}

static void
setup_file(struct test_database *db)
{
	struct store *st;
	struct errinfo ei = { 0 };

	test_database_make(db, TEST_SQLITE);
	st = open_things(db);
	assert_ok(store_write(st, fill, NULL, &ei));
	store_close(st);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
overwrite(const char *path, off_t at, size_t n)
{
	char noise[8192];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && n <= sizeof(noise));
	random_bytes(noise, n);
	assert_int_equal(pwrite(fd, noise, n, at), (ssize_t)n);
	(void)close(fd);
}

/* Opens and reads all; the file must be called damaged at one or the other. */
static void
expect_damage(const struct test_database *db)
{
	struct store_options opt = test_database_options(db);
	struct store *st = NULL;
	struct errinfo ei = { 0 };
	int64_t n = 0;
	enum err e = store_open(&opt, &st, &ei);

	if (e == OK)
		e = store_read(st, read_all, &n, &ei);
	assert_err(e, ERR_CORRUPT);
	assert_non_null(strstr(ei.msg, path_of(db)));
	assert_non_null(strstr(ei.msg, "is damaged"));
	store_close(st);
}

static void
a_file_cut_short_is_damaged(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		static const off_t cut[] = { 1, 4096, 5000, 40000 };
		struct test_database db;
		off_t size, keep;

		setup_file(&db);
		size = size_of(path_of(&db));
		keep = i < 4 ? size - cut[i] : (i == 4 ? size / 2 : 50);
		assert_int_equal(truncate(path_of(&db), keep), 0);
		print_message(
		    "# %lld of %lld bytes\n", (long long)keep, (long long)size);
		expect_damage(&db);
		test_database_drop(&db);
	}
}

static void
a_file_that_is_no_database_is_damaged(void **state)
{
	struct test_database db;

	(void)state;
	setup_file(&db);
	overwrite(path_of(&db), 0, 4096);
	expect_damage(&db);
	test_database_drop(&db);
}

static void
noise_in_the_middle_is_found_at_use(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct test_database db;

		setup_file(&db);
		overwrite(path_of(&db), size_of(path_of(&db)) / 8 * 4, 8192);
		overwrite(path_of(&db), size_of(path_of(&db)) / 8 * 6, 8192);
		expect_damage(&db);
		test_database_drop(&db);
	}
}

static void
damage_met_while_writing_is_told(void **state)
{
	struct store_options opt;
	struct test_database db;
	struct store *st = NULL;
	struct errinfo ei = { 0 };
	enum err e;

	(void)state;
	setup_file(&db);
	for (off_t at = 4096; at + 8192 <= size_of(path_of(&db)); at += 8192)
		overwrite(path_of(&db), at, 8192);
	opt = test_database_options(&db);
	e = store_open(&opt, &st, &ei);
	if (e == OK)
		e = store_write(st, fill, NULL, &ei);
	assert_err(e, ERR_CORRUPT);
	assert_non_null(strstr(ei.msg, path_of(&db)));
	store_close(st);
	test_database_drop(&db);
}

static void
a_new_file_is_nobody_elses_to_read(void **state)
{
	struct test_database db;
	struct store *st;
	struct stat info;

	(void)state;
	test_database_make(&db, TEST_SQLITE);
	st = open_things(&db);
	assert_int_equal(stat(path_of(&db), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	store_close(st);
	test_database_drop(&db);
}

/* As a process that was started in the folder and may not pass those above. */
static int
use_from_inside(const char *folder, uid_t uid)
{
	struct store_options opt = { .url = "sqlite:khien.db" };
	struct place p = { .name = "a place" };
	struct store *st = NULL;
	int64_t n = 0;

	if (chdir(folder) != 0 || setresgid(uid, uid, uid) != 0 ||
	    setresuid(uid, uid, uid) != 0 || chdir(folder) == 0)
		return 1;
	if (store_open(&opt, &st, NULL) != OK ||
	    store_migrate(st, "things", things_migrations, NULL) != OK ||
	    store_write(st, add_place, &p, NULL) != OK ||
	    store_read(st, read_all, &n, NULL) != OK)
		return 2;
	store_close(st);
	return n == 1 ? 0 : 3;
}

static void
a_relative_file_needs_no_folder_above(void **state)
{
	char closed[] = "/tmp/khien-closed-XXXXXX", inside[64], wipe[96];
	struct passwd *nobody = getpwnam("nobody");
	int status = 0;
	pid_t child;

	(void)state;
	if (geteuid() != 0 || nobody == NULL)
		skip();
	assert_non_null(mkdtemp(closed));
	(void)snprintf(inside, sizeof(inside), "%s/inside", closed);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_int_equal(chown(inside, nobody->pw_uid, nobody->pw_gid), 0);
	child = fork();
	if (child == 0)
		_exit(use_from_inside(inside, nobody->pw_uid));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)snprintf(wipe, sizeof(wipe), "rm -r %s", closed);
	assert_int_equal(system(wipe), 0);
}

static void
addresses_that_cannot_work_are_refused(void **state)
{
	static const struct {
		const char *url;
		enum err want;
	} cases[] = {
		{ "", ERR_SYNTAX },
		{ "/var/lib/khien.db", ERR_SYNTAX },
		{ "sqlite:", ERR_SYNTAX },
		{ "sqlite::memory:", ERR_SYNTAX },
		{ "sqlite:/nonexistent/folder/khien.db", ERR_IO },
		{ "sqlite:/", ERR_IO },
		{ "postgresql://%zz", ERR_SYNTAX },
		{ "postgresql:///khien?host=/nonexistent", ERR_BUSY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_options opt = { .url = cases[i].url };
		struct store *st = NULL;
		struct errinfo ei = { 0 };

		TEST_CASE(cases[i].url);
		assert_err(store_open(&opt, &st, &ei), cases[i].want);
		assert_true(ei.msg[0] != '\0');
		assert_null(st);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_cut_short_is_damaged),
		cmocka_unit_test(a_file_that_is_no_database_is_damaged),
		cmocka_unit_test(noise_in_the_middle_is_found_at_use),
		cmocka_unit_test(damage_met_while_writing_is_told),
		cmocka_unit_test(a_new_file_is_nobody_elses_to_read),
		cmocka_unit_test(a_relative_file_needs_no_folder_above),
		cmocka_unit_test(addresses_that_cannot_work_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
