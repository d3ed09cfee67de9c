#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "crypt/crypt.h"
#include "endpoint/quarantine_int.h"
#include "kill_at.h"

static char base[PATH_MAX] = "/tmp/khien-quarantine-XXXXXX";
static char store[PATH_MAX], home[PATH_MAX];

static struct quarantine *
open_store(void)
{
	struct quarantine *q = NULL;
	struct errinfo ei = { 0 };

	assert_ok(quarantine_open(store, &clock_system, &q, &ei));
	return q;
}

static void
path_of(char out[PATH_MAX], const char *name)
{
	assert_true(
	    (size_t)snprintf(out, PATH_MAX, "%s/%s", home, name) < PATH_MAX);
}

static void
write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	(void)close(fd);
}

static bool
present(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static enum err
take(struct quarantine *q, struct uuid id, const char *path)
{
	struct errinfo ei = { 0 };
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	enum err e;

	assert_true(fd >= 0);
	e = quarantine_take(q, id, fd, span_of(path), "Test.Name", &ei);
	(void)close(fd);
	return e;
}

static void
clear_folder(const char *dir)
{
	char path[PATH_MAX * 2];
	struct dirent *de;
	DIR *d = opendir(dir);

	while (d != NULL && (de = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		if (de->d_name[0] == '.' &&
		    (de->d_name[1] == '\0' || de->d_name[1] == '.'))
			continue;
		if (unlink(path) != 0 && rmdir(path) != 0) {
			clear_folder(path);
			(void)rmdir(path);
		}
	}
	if (d != NULL)
		(void)closedir(d);
}

static size_t
entries(const char *dir)
{
	struct dirent *de;
	DIR *d = opendir(dir);
	size_t n = 0;

	while (d != NULL && (de = readdir(d)) != NULL)
		n += strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static bool
store_holds(const char *bytes, size_t n)
{
	char path[PATH_MAX * 2];
	struct dirent *de;
	DIR *d = opendir(store);
	bool found = false;

	while ((de = readdir(d)) != NULL) {
		static char text[1 << 20];
		ssize_t len;
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s", store, de->d_name);
		fd = open(path, O_RDONLY);
		len = read(fd, text, sizeof(text));
		(void)close(fd);
		found |= len > 0 && memmem(text, (size_t)len, bytes, n) != NULL;
	}
	(void)closedir(d);
	return found;
}

static void
a_file_comes_back_byte_for_byte_with_all_that_belongs_to_it(void **state)
{
	static const char *const names[] = { "plain", "new\nline",
		"bad\xff\xfeutf8", "-dash",
		"ti\xe1\xba\xbfng Vi\xe1\xbb\x87t" };
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000 };
	const struct timespec times[2] = { { 1000000001, 123456789 },
		{ 999999999, 987654321 } };
	char *bytes = malloc(300000), *back = malloc(300001);
	struct quarantine *q;

	(void)state;
	random_bytes(bytes, 300000);
	for (size_t i = 0; i < COUNT(names) * COUNT(sizes); i++) {
		size_t size = sizes[i / COUNT(names)];
		struct uuid id = uuid_make(&clock_system);
		struct arena *a = arena_new(1 << 20);
		struct quarantine_item item;
		struct errinfo ei = { 0 };
		char path[PATH_MAX], value[64];
		struct stat was, is;
		bool has_xattr;
		int fd;

		q = open_store();
		path_of(path, names[i % COUNT(names)]);
		write_file(path, bytes, size);
		has_xattr = setxattr(path, "user.khien", "a\0b", 3, 0) == 0;
		if (geteuid() == 0)
			assert_int_equal(lchown(path, 12345, 54321), 0);
		assert_int_equal(chmod(path, 06751), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		assert_int_equal(stat(path, &was), 0);

		assert_err(take(q, id, path), OK);
		assert_false(present(path));
		assert_err(quarantine_get(q, id, a, &item, &ei), OK);
		assert_true(span_is(item.path, path));
		assert_int_equal(item.size, size);
		assert_string_equal(item.name, "Test.Name");
		if (size >= 64)
			assert_false(store_holds(bytes, 64));
		quarantine_close(q);

		q = open_store();
		assert_ok(quarantine_restore(q, id, NULL, &ei));
		fd = open(path, O_RDONLY | O_NOATIME);
		assert_int_equal(fstat(fd, &is), 0);
		assert_int_equal(read(fd, back, 300001), (ssize_t)size);
		assert_memory_equal(back, bytes, size);
		assert_int_equal(is.st_mode, was.st_mode);
		assert_int_equal(is.st_uid, was.st_uid);
		assert_int_equal(is.st_gid, was.st_gid);
		assert_memory_equal(
		    &is.st_mtim, &was.st_mtim, sizeof(is.st_mtim));
		assert_memory_equal(
		    &is.st_atim, &was.st_atim, sizeof(is.st_atim));
		if (has_xattr) {
			assert_int_equal(
			    fgetxattr(fd, "user.khien", value, sizeof(value)),
			    3);
			assert_memory_equal(value, "a\0b", 3);
		}
		(void)close(fd);
		assert_err(quarantine_get(q, id, a, &item, &ei), ERR_NOT_FOUND);
		assert_int_equal(entries(store), 1); /* the key */
		quarantine_close(q);
		arena_free(a);
		(void)unlink(path);
	}
	free(bytes);
	free(back);
}

static void
what_must_not_be_taken_is_refused_and_stays(void **state)
{
	struct quarantine *q = open_store();
	struct uuid id = uuid_make(&clock_system);
	struct errinfo ei = { 0 };
	char path[PATH_MAX], other[PATH_MAX];
	int fd;

	(void)state;
	path_of(path, "linked");
	path_of(other, "other");
	write_file(path, "x", 1);
	assert_int_equal(link(path, other), 0);
	assert_err(take(q, id, path), ERR_UNSUPPORTED);
	assert_true(present(path) && present(other));
	(void)unlink(other);

	assert_int_equal(mkfifo(other, 0600), 0);
	assert_err(take(q, id, other), ERR_UNSUPPORTED);
	(void)unlink(other);
	assert_err(take(q, id, home), ERR_UNSUPPORTED);

	/* Another file under the name. */
	fd = open(path, O_RDONLY);
	write_file(other, "innocent", 8);
	assert_int_equal(rename(other, path), 0);
	assert_err(quarantine_take(q, id, fd, span_of(path), "n", &ei),
	    ERR_NOT_FOUND); /* the open one has no name at all */
	assert_true(present(path));
	(void)close(fd);
	fd = open(path, O_RDONLY);
	assert_int_equal(rename(path, other), 0);
	write_file(path, "third", 5);
	assert_err(
	    quarantine_take(q, id, fd, span_of(path), "n", &ei), ERR_BUSY);
	/* A symbolic link to it is not it. */
	(void)unlink(path);
	assert_int_equal(symlink(other, path), 0);
	assert_err(
	    quarantine_take(q, id, fd, span_of(path), "n", &ei), ERR_BUSY);
	assert_true(present(other));
	(void)unlink(path);
	assert_err(
	    quarantine_take(q, id, fd, span_of(path), "n", &ei), ERR_NOT_FOUND);
	assert_err(quarantine_take(q, id, fd, span_of("relative"), "n", &ei),
	    ERR_SYNTAX);
	assert_err(quarantine_take(q, id, fd, SPAN("/nul\0byte"), "n", &ei),
	    ERR_SYNTAX);
	(void)close(fd);
	assert_int_equal(entries(store), 1);
	clear_folder(home);
	quarantine_close(q);
}

static void
taking_again_is_fine_and_deleting_is_final(void **state)
{
	struct quarantine *q = open_store();
	struct uuid id = uuid_make(&clock_system);
	struct errinfo ei = { 0 };
	char path[PATH_MAX];

	(void)state;
	path_of(path, "x");
	write_file(path, "abc", 3);
	assert_err(take(q, id, path), OK);
	write_file(path, "new", 3);
	assert_err(take(q, id, path), OK);
	assert_true(present(path));
	assert_ok(quarantine_delete(q, id, &ei));
	assert_err(quarantine_delete(q, id, &ei), ERR_NOT_FOUND);
	assert_err(quarantine_restore(q, id, NULL, &ei), ERR_NOT_FOUND);
	assert_int_equal(entries(store), 1);
	clear_folder(home);
	quarantine_close(q);
}

static void
restoring_overwrites_nothing_and_follows_no_foreign_link(void **state)
{
	struct quarantine *q = open_store();
	struct uuid id = uuid_make(&clock_system);
	struct errinfo ei = { 0 };
	char path[PATH_MAX], dir[PATH_MAX], away[PATH_MAX], to[PATH_MAX];

	(void)state;
	path_of(dir, "dir");
	path_of(path, "dir/file");
	path_of(away, "away");
	path_of(to, "dir/file");
	assert_int_equal(mkdir(dir, 0755), 0);
	write_file(path, "abc", 3);
	assert_err(take(q, id, path), OK);

	write_file(path, "another", 7);
	assert_err(quarantine_restore(q, id, NULL, &ei), ERR_EXISTS);
	(void)unlink(path);
	/* A dangling link is something that is there, too. */
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_err(quarantine_restore(q, id, NULL, &ei), ERR_EXISTS);
	(void)unlink(path);

	assert_int_equal(rename(dir, away), 0);
	assert_err(quarantine_restore(q, id, NULL, &ei), ERR_NOT_FOUND);
	if (geteuid() == 0) {
		assert_int_equal(symlink(away, dir), 0);
		assert_int_equal(lchown(dir, 12345, 12345), 0);
		assert_err(quarantine_restore(q, id, NULL, &ei), ERR_DENIED);
		assert_int_equal(entries(away), 0);
		assert_int_equal(lchown(dir, 0, 0), 0);
	} else {
		assert_int_equal(symlink("away", dir), 0);
	}
	/* Our own link is followed, a loop is not. */
	assert_ok(quarantine_restore(q, id, NULL, &ei));
	path_of(path, "away/file");
	assert_true(present(path));
	id = uuid_make(&clock_system);
	assert_err(take(q, id, path), OK);
	(void)unlink(dir);
	assert_int_equal(symlink("dir", dir), 0);
	assert_err(quarantine_restore(q, id, to, &ei), ERR_LIMIT);
	assert_err(quarantine_restore(q, id, "dir/file", &ei), ERR_SYNTAX);
	path_of(to, "elsewhere");
	assert_ok(quarantine_restore(q, id, to, &ei));
	assert_true(present(to));
	clear_folder(home);
	assert_int_equal(entries(store), 1);
	quarantine_close(q);
}

static void
changed_items_are_noticed_and_do_not_hide_others(void **state)
{
	static const char *const endings[] = { "item", "data" };
	struct errinfo ei = { 0 };
	char path[PATH_MAX], file[PATH_MAX * 2], text[UUID_TEXT_MAX];

	(void)state;
	path_of(path, "x");
	for (size_t i = 0; i < COUNT(endings); i++) {
		struct uuid bad = uuid_make(&clock_system);
		struct uuid good = uuid_make(&clock_system);
		struct quarantine *q = open_store();
		struct arena *a = arena_new(1 << 20);
		struct quarantine_item *items;
		size_t n = 0;
		char byte;
		int fd;

		write_file(path, "abcdef", 6);
		assert_err(take(q, bad, path), OK);
		write_file(path, "ghijkl", 6);
		assert_err(take(q, good, path), OK);
		uuid_text(bad, text);
		(void)snprintf(
		    file, sizeof(file), "%s/%s.%s", store, text, endings[i]);
		fd = open(file, O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, 30), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, 30), 1);
		(void)close(fd);
		quarantine_close(q);
		q = open_store();
		assert_err(quarantine_restore(q, bad, NULL, &ei), ERR_CORRUPT);
		assert_false(present(path));
		assert_ok(quarantine_list(q, a, &items, &n, &ei));
		assert_int_equal(n, i == 0 ? 1 : 2);
		assert_ok(quarantine_restore(q, good, NULL, &ei));
		assert_ok(quarantine_delete(q, bad, &ei));
		assert_int_equal(entries(store), 1);
		arena_free(a);
		quarantine_close(q);
		clear_folder(home);
	}
}

static void
a_damaged_key_is_said_so(void **state)
{
	struct quarantine *q = NULL;
	struct errinfo ei = { 0 };
	char key[PATH_MAX * 2];

	(void)state;
	(void)snprintf(key, sizeof(key), "%s/key", store);
	assert_int_equal(truncate(key, 31), 0);
	assert_err(quarantine_open(store, &clock_system, &q, &ei), ERR_CORRUPT);
	(void)unlink(key);
	quarantine_close(open_store());
}

/* ---- kill at every step --------------------------------------------------- */

struct job {
	char path[PATH_MAX];
	struct uuid id;
	bool restore;
};

static void
do_job(void *arg)
{
	struct job *j = arg;
	struct quarantine *q = NULL;
	struct errinfo ei = { 0 };
	enum err e;
	int fd;

	if (quarantine_open(store, &clock_system, &q, &ei) != OK)
		_exit(1);
	if (j->restore) {
		e = quarantine_restore(q, j->id, NULL, &ei);
	} else {
		fd = open(j->path, O_RDONLY);
		e = quarantine_take(q, j->id, fd, span_of(j->path), "n", &ei);
		(void)close(fd);
	}
	if (e != OK)
		_exit(2);
	quarantine_close(q);
}

static bool
item_there(struct uuid id)
{
	struct quarantine *q = open_store();
	struct arena *a = arena_new(1 << 20);
	struct quarantine_item item;
	struct errinfo ei = { 0 };
	enum err e = quarantine_get(q, id, a, &item, &ei);

	quarantine_close(q);
	arena_free(a);
	assert_true(e == OK || e == ERR_NOT_FOUND);
	return e == OK;
}

static void
killed_at_any_step_the_file_is_in_one_place(void **state)
{
	static char bytes[100000], back[100001];
	struct job j = { 0 };
	struct errinfo ei = { 0 };
	unsigned steps[2] = { 0 };

	(void)state;
	random_bytes(bytes, sizeof(bytes));
	path_of(j.path, "victim");
	for (int restore = 0; restore < 2; restore++) {
		for (unsigned n = 0;; n++) {
			bool killed, item;
			int fd;

			clear_folder(home);
			j.id = uuid_make(&clock_system);
			j.restore = false;
			write_file(j.path, bytes, sizeof(bytes));
			if (restore)
				do_job(&j);
			j.restore = restore;
			killed = kill_at(n, do_job, &j);
			/* Opening finishes what was begun. */
			item = item_there(j.id);
			assert_true(item != present(j.path));
			if (!killed)
				assert_int_equal(item, !restore);
			if (item) {
				struct quarantine *q = open_store();

				assert_ok(
				    quarantine_restore(q, j.id, NULL, &ei));
				quarantine_close(q);
			}
			assert_int_equal(entries(home), 1);
			assert_int_equal(entries(store), 1);
			fd = open(j.path, O_RDONLY);
			assert_int_equal(read(fd, back, sizeof(back)),
			    (ssize_t)sizeof(bytes));
			assert_memory_equal(back, bytes, sizeof(bytes));
			(void)close(fd);
			if (!killed)
				break;
			steps[restore]++;
		}
	}
	print_message("# killed at %u points of taking, %u of restoring\n",
	    steps[0], steps[1]);
	assert_true(steps[0] > 40 && steps[1] > 40);
	clear_folder(home);
}

static void
a_new_file_with_an_old_inode_survives_the_finishing(void **state)
{
	struct job j = { 0 };

	(void)state;
	path_of(j.path, "victim");
	for (unsigned n = 0;; n++) {
		bool killed;

		clear_folder(home);
		clear_folder(store);
		write_file(j.path, "evil", 4);
		j.id = uuid_make(&clock_system);
		killed = kill_at(n, do_job, &j);
		if (!killed)
			break;
		if (present(j.path)) {
			(void)item_there(j.id);
			continue;
		}
		/* Often the same inode number. */
		write_file(j.path, "good", 4);
		assert_true(item_there(j.id));
		assert_true(present(j.path));
	}
	clear_folder(home);
	clear_folder(store);
}

static int
make_folders(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL || realpath(base, store) == NULL)
		return -1;
	(void)snprintf(base, sizeof(base), "%s", store);
	(void)snprintf(store, sizeof(store), "%.64s/store", base);
	(void)snprintf(home, sizeof(home), "%.64s/home", base);
	return mkdir(home, 0755);
}

static int
remove_folders(void **state)
{
	(void)state;
	clear_folder(base);
	return rmdir(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_file_comes_back_byte_for_byte_with_all_that_belongs_to_it),
		cmocka_unit_test(what_must_not_be_taken_is_refused_and_stays),
		cmocka_unit_test(taking_again_is_fine_and_deleting_is_final),
		cmocka_unit_test(
		    restoring_overwrites_nothing_and_follows_no_foreign_link),
		cmocka_unit_test(
		    changed_items_are_noticed_and_do_not_hide_others),
		cmocka_unit_test(a_damaged_key_is_said_so),
		cmocka_unit_test(killed_at_any_step_the_file_is_in_one_place),
		cmocka_unit_test(
		    a_new_file_with_an_old_inode_survives_the_finishing),
	};

	return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
