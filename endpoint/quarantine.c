#include "endpoint/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "endpoint/quarantine_int.h"

/* The files of one item.  TAKING becomes ITEM by a rename once the original
 * is gone; RESTORING holds the path while the file is being put back, and
 * goes last. */
#define DATA       "data"
#define TAKING     "taking"
#define ITEM       "item"
#define RESTORING  "restoring"

#define ARENA_MAX  (4u << 20)
#define SEALED_MAX (FACTS_MAX + 64)
#define TEMP_NAME  ".khien-restore-" /* then the id, beside the target */
#define TEMP_MAX   (sizeof(TEMP_NAME) + UUID_TEXT_MAX)

struct quarantine {
	char *dir;
	int dirfd;
	const struct clock *clock;
	unsigned char key[SEAL_KEY_LEN];
};

/* ---- files of an item ---------------------------------------------------- */

#define FILE_NAME_MAX (UUID_TEXT_MAX + 16)

static void
item_name(struct uuid id, const char *ending, char out[FILE_NAME_MAX])
{
	uuid_text(id, out);
	(void)snprintf(out + UUID_TEXT_MAX - 1,
	    FILE_NAME_MAX - UUID_TEXT_MAX + 1, ".%s", ending);
}

static bool
item_has(const struct quarantine *q, struct uuid id, const char *ending)
{
	char name[FILE_NAME_MAX];

	item_name(id, ending, name);
	return faccessat(q->dirfd, name, F_OK, 0) == 0;
}

static void
item_drop(const struct quarantine *q, struct uuid id, const char *ending)
{
	char name[FILE_NAME_MAX];

	item_name(id, ending, name);
	(void)unlinkat(q->dirfd, name, 0);
}

static enum err
sync_dir(int fd, struct errinfo *ei)
{
	return fsync(fd) == 0 ? OK : err_sys(ei, "cannot make durable");
}

/* Binds what is sealed to its place. */
static void
label_of(struct uuid id, const char *ending, char out[FILE_NAME_MAX])
{
	/* What is taken keeps its facts when TAKING becomes ITEM. */
	item_name(id, strcmp(ending, TAKING) == 0 ? ITEM : ending, out);
}

static enum err
sealed_write(struct quarantine *q, struct uuid id, const char *ending,
    struct span plain, struct errinfo *ei)
{
	struct buf b = buf_make(SEALED_MAX);
	char name[FILE_NAME_MAX], label[FILE_NAME_MAX], path[PATH_MAX];
	enum err e;

	item_name(id, ending, name);
	label_of(id, ending, label);
	(void)snprintf(path, sizeof(path), "%s/%s", q->dir, name);
	e = seal(q->key, span_of(label), plain, &b, ei);
	if (e == OK)
		e = file_replace(path, buf_view(&b), 0600, ei);
	buf_free(&b);
	return e;
}

static enum err
sealed_read(struct quarantine *q, struct uuid id, const char *ending,
    struct buf *out, struct errinfo *ei)
{
	struct buf b = buf_make(SEALED_MAX);
	char name[FILE_NAME_MAX], label[FILE_NAME_MAX], path[PATH_MAX];
	enum err e;

	item_name(id, ending, name);
	label_of(id, ending, label);
	(void)snprintf(path, sizeof(path), "%s/%s", q->dir, name);
	e = file_read(path, &b, ei);
	if (e == ERR_LIMIT)
		e = err_set(ei, ERR_CORRUPT, "%s is damaged", name);
	if (e == OK)
		e = seal_open(q->key, span_of(label), buf_view(&b), out, ei);
	buf_free(&b);
	return e;
}

static enum err
facts_load(struct quarantine *q, struct uuid id, const char *ending,
    struct arena *a, struct facts *out, struct errinfo *ei)
{
	struct buf plain = buf_make(FACTS_MAX);
	char text[UUID_TEXT_MAX];
	enum err e = sealed_read(q, id, ending, &plain, ei);

	uuid_text(id, text);
	if (e == ERR_NOT_FOUND)
		return err_set(ei, e, "no item %s in the quarantine", text);
	if (e == OK)
		e = facts_decode(buf_view(&plain), a, out, ei);
	buf_free(&plain);
	if (e == ERR_SYNTAX || e == ERR_LIMIT)
		e = err_set(ei, ERR_CORRUPT, "item %s is damaged", text);
	return e;
}

/* ---- taking -------------------------------------------------------------------- */

/* What the path names now: OK when it is this file. */
static enum err
same_file(
    int dirfd, const char *name, const struct facts *f, struct errinfo *ei)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
		    ? err_set(ei, ERR_NOT_FOUND, "the file vanished")
		    : err_sys(ei, "cannot examine the file");
	if (st.st_dev != f->dev || st.st_ino != f->ino)
		return err_set(ei, ERR_BUSY, "the path names another file now");
	return OK;
}

static enum err
open_folder(
    const struct facts *f, int *dirfd, const char **name, struct errinfo *ei)
{
	const char *slash = strrchr(f->item.path.ptr, '/');
	char folder[PATH_MAX];
	size_t n = slash == NULL ? 0 : (size_t)(slash - f->item.path.ptr);

	if (f->item.path.ptr[0] != '/' || n >= sizeof(folder))
		return err_set(ei, ERR_SYNTAX, "not the full path of a file");
	memcpy(folder, f->item.path.ptr, n);
	memcpy(folder + n, "/", 2);
	*dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		return errno == ENOENT || errno == ENOTDIR
		    ? err_set(ei, ERR_NOT_FOUND, "the file vanished")
		    : err_sys(ei, "cannot open the file's folder");
	*name = slash + 1;
	return OK;
}

/* Malware makes itself immutable: chattr +i. */
static void
clear_flags(int dirfd, const char *name)
{
	int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int flags;

	if (fd < 0)
		return;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	(void)close(fd);
}

/* Removes the original, if it is still what was sealed. */
static enum err
remove_original(const struct facts *f, struct errinfo *ei)
{
	const char *name;
	int dirfd = -1;
	enum err e = open_folder(f, &dirfd, &name, ei);

	if (e != OK)
		return e;
	e = same_file(dirfd, name, f, ei);
	if (e == OK && unlinkat(dirfd, name, 0) != 0) {
		if (errno == EPERM)
			clear_flags(dirfd, name);
		if (unlinkat(dirfd, name, 0) != 0)
			e = err_sys(ei, "cannot remove the file");
	}
	if (e == OK)
		e = sync_dir(dirfd, ei);
	(void)close(dirfd);
	return e;
}

static enum err
seal_data(struct quarantine *q, struct uuid id, int fd, struct errinfo *ei)
{
	char name[FILE_NAME_MAX], temporary[FILE_NAME_MAX + 4];
	enum err e = OK;
	int out;

	item_name(id, DATA, name);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	out = openat(q->dirfd, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(ei, "cannot write to the quarantine");
	if (lseek(fd, 0, SEEK_SET) != 0)
		e = err_sys(ei, "cannot read the file");
	if (e == OK)
		e = seal_file(q->key, span_of(name), fd, out, ei);
	if (e == OK && fsync(out) != 0)
		e = err_sys(ei, "cannot make the quarantined file durable");
	(void)close(out);
	if (e == OK && renameat(q->dirfd, temporary, q->dirfd, name) != 0)
		e = err_sys(ei, "cannot name the quarantined file");
	if (e != OK)
		(void)unlinkat(q->dirfd, temporary, 0);
	return e;
}

/* Still the bytes that were hashed and sealed? */
static enum err
unchanged(int fd, const struct facts *f, struct errinfo *ei)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(ei, "cannot examine the file");
	if ((uint64_t)st.st_size != f->item.size ||
	    st.st_ctim.tv_sec != f->ctime.tv_sec ||
	    st.st_ctim.tv_nsec != f->ctime.tv_nsec)
		return err_set(ei, ERR_BUSY, "the file is being written to");
	return OK;
}

static enum err
become_item(struct quarantine *q, struct uuid id, struct errinfo *ei)
{
	char from[FILE_NAME_MAX], to[FILE_NAME_MAX];

	item_name(id, TAKING, from);
	item_name(id, ITEM, to);
	if (renameat(q->dirfd, from, q->dirfd, to) != 0)
		return err_sys(ei, "cannot name the quarantined item");
	return sync_dir(q->dirfd, ei);
}

static void
forget(struct quarantine *q, struct uuid id)
{
	item_drop(q, id, TAKING);
	item_drop(q, id, ITEM);
	item_drop(q, id, DATA);
	item_drop(q, id, RESTORING);
	(void)fsync(q->dirfd);
}

/* Seals data and facts: from here on the file is in both places. */
static enum err
take_copy(
    struct quarantine *q, int fd, const struct facts *f, struct errinfo *ei)
{
	struct buf json = buf_make(FACTS_MAX);
	enum err e = facts_encode(f, &json, ei);

	if (e == OK)
		e = seal_data(q, f->item.id, fd, ei);
	if (e == OK)
		e = unchanged(fd, f, ei);
	if (e == OK)
		e = sealed_write(q, f->item.id, TAKING, buf_view(&json), ei);
	buf_free(&json);
	return e;
}

static enum err
take_file(struct quarantine *q, int fd, struct facts *f, struct errinfo *ei)
{
	struct stat st;
	const char *name;
	int dirfd = -1;
	enum err e = open_folder(f, &dirfd, &name, ei);

	if (e != OK)
		return e;
	e = same_file(dirfd, name, f, ei);
	(void)close(dirfd);
	if (e == OK)
		e = take_copy(q, fd, f, ei);
	if (e == OK)
		e = remove_original(f, ei);
	/* Removed by somebody else meanwhile, not just renamed: as good. */
	if (e == ERR_NOT_FOUND && item_has(q, f->item.id, TAKING) &&
	    fstat(fd, &st) == 0 && st.st_nlink == 0)
		e = OK;
	if (e != OK) {
		forget(q, f->item.id);
		return e;
	}
	return become_item(q, f->item.id, ei);
}

enum err
quarantine_take(struct quarantine *q, struct uuid id, int fd, struct span path,
    const char *name, struct errinfo *ei)
{
	struct facts f = { .item = { .id = id } };
	struct arena *a;
	enum err e;

	if (item_has(q, id, ITEM))
		return OK;
	if (path.len == 0 || path.len >= PATH_MAX ||
	    memchr(path.ptr, '\0', path.len) != NULL)
		return err_set(ei, ERR_SYNTAX, "not the full path of a file");
	a = arena_new(ARENA_MAX);
	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "quarantine");
	f.item.path = (struct span){ arena_text(a, path), path.len };
	f.item.taken_ms = clock_utc_ms(q->clock);
	(void)snprintf(f.item.name, sizeof(f.item.name), "%s", name);
	e = f.item.path.ptr == NULL ? err_set(ei, ERR_NOMEM, "quarantine")
				    : facts_capture(fd, a, &f, ei);
	if (e == OK)
		e = take_file(q, fd, &f, ei);
	arena_free(a);
	return e;
}

/* ---- putting back ---------------------------------------------------------------- */

/* Opens the sealed data into fd, and checks that it is what was taken. */
static enum err
unseal_data(
    struct quarantine *q, const struct facts *f, int fd, struct errinfo *ei)
{
	char name[FILE_NAME_MAX];
	unsigned char sum[SHA256_LEN];
	uint64_t size = 0;
	enum err e;
	int in;

	item_name(f->item.id, DATA, name);
	in = openat(q->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return err_set(
		    ei, ERR_CORRUPT, "the data of the item is missing");
	e = seal_open_file(q->key, span_of(name), in, fd, ei);
	(void)close(in);
	if (e == OK)
		e = file_digest(fd, sum, &size, ei);
	if (e == OK &&
	    (size != f->item.size ||
		memcmp(sum, f->item.sha256, sizeof(sum)) != 0))
		e = err_set(ei, ERR_CORRUPT, "the data of the item changed");
	return e;
}

/* Gives the finished file its name, never over another. */
static enum err
put_in_place(
    int dirfd, const char *temporary, const char *name, struct errinfo *ei)
{
	int n = renameat2(dirfd, temporary, dirfd, name, RENAME_NOREPLACE);

	/* A file system that cannot: a second name, then away with the
	 * first. */
	if (n != 0 && errno == EINVAL) {
		n = linkat(dirfd, temporary, dirfd, name, 0);
		if (n == 0)
			(void)unlinkat(dirfd, temporary, 0);
	}
	if (n != 0 && errno == EEXIST)
		return err_set(
		    ei, ERR_EXISTS, "a file of this name is there already");
	if (n != 0)
		return err_sys(ei, "cannot put the file back");
	return sync_dir(dirfd, ei);
}

static void
temp_name(struct uuid id, char out[TEMP_MAX])
{
	memcpy(out, TEMP_NAME, sizeof(TEMP_NAME));
	uuid_text(id, out + sizeof(TEMP_NAME) - 1);
}

static enum err
write_back(struct quarantine *q, const struct facts *f, int dirfd,
    const char *name, struct errinfo *ei)
{
	char temporary[TEMP_MAX];
	enum err e;
	int fd;

	temp_name(f->item.id, temporary);
	(void)unlinkat(dirfd, temporary, 0);
	fd = openat(dirfd, temporary,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(ei, "cannot write to the folder");
	e = unseal_data(q, f, fd, ei);
	if (e == OK)
		e = facts_apply(f, fd, ei);
	if (e == OK && fsync(fd) != 0)
		e = err_sys(ei, "cannot make the file durable");
	(void)close(fd);
	if (e == OK)
		e = put_in_place(dirfd, temporary, name, ei);
	if (e != OK)
		(void)unlinkat(dirfd, temporary, 0);
	return e;
}

/* open_parent() gives a handle for names only; fsync needs more. */
static enum err
open_target(const char *path, int *dirfd, const char **name, struct errinfo *ei)
{
	struct stat st;
	int handle = -1;
	enum err e = open_parent(path, &handle, name, ei);

	if (e != OK)
		return e;
	*dirfd = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		e = err_sys(ei, "cannot open the folder");
	(void)close(handle);
	if (e == OK && fstatat(*dirfd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		(void)close(*dirfd);
		e = err_set(
		    ei, ERR_EXISTS, "a file of this name is there already");
	}
	return e;
}

static enum err
restore_to(struct quarantine *q, const struct facts *f, const char *to,
    struct errinfo *ei)
{
	const char *name;
	int dirfd = -1;
	enum err e = open_target(to, &dirfd, &name, ei);

	if (e != OK)
		return e;
	e = sealed_write(q, f->item.id, RESTORING, span_of(to), ei);
	if (e == OK)
		e = write_back(q, f, dirfd, name, ei);
	if (e == OK)
		forget(q, f->item.id);
	else
		item_drop(q, f->item.id, RESTORING);
	(void)close(dirfd);
	return e;
}

enum err
quarantine_restore(
    struct quarantine *q, struct uuid id, const char *to, struct errinfo *ei)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct facts f;
	enum err e;

	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "quarantine");
	e = facts_load(q, id, ITEM, a, &f, ei);
	if (e == OK)
		e = restore_to(q, &f, to == NULL ? f.item.path.ptr : to, ei);
	arena_free(a);
	return e;
}

enum err
quarantine_delete(struct quarantine *q, struct uuid id, struct errinfo *ei)
{
	char text[UUID_TEXT_MAX];

	uuid_text(id, text);
	if (!item_has(q, id, ITEM))
		return err_set(
		    ei, ERR_NOT_FOUND, "no item %s in the quarantine", text);
	forget(q, id);
	if (item_has(q, id, ITEM) || item_has(q, id, DATA))
		return err_set(ei, ERR_IO, "cannot delete item %s", text);
	return OK;
}

/* ---- looking -------------------------------------------------------------------- */

enum err
quarantine_get(struct quarantine *q, struct uuid id, struct arena *a,
    struct quarantine_item *out, struct errinfo *ei)
{
	struct facts f;
	enum err e = facts_load(q, id, ITEM, a, &f, ei);

	if (e == OK)
		*out = f.item;
	return e;
}

/* ID.ENDING: the id of such a name. */
static bool
parse_name(const char *name, struct uuid *id, const char **ending)
{
	struct span text = { name, UUID_TEXT_MAX - 1 };

	if (strlen(name) <= UUID_TEXT_MAX || name[UUID_TEXT_MAX - 1] != '.' ||
	    uuid_parse(text, id) != OK)
		return false;
	*ending = name + UUID_TEXT_MAX;
	return true;
}

/* The names in the folder, in order; free each and the list. */
static enum err
list_names(const struct quarantine *q, struct dirent ***names, int *n,
    struct errinfo *ei)
{
	*n = scandir(q->dir, names, NULL, alphasort);
	return *n >= 0 ? OK : err_sys(ei, "cannot read %s", q->dir);
}

enum err
quarantine_list(struct quarantine *q, struct arena *a,
    struct quarantine_item **out, size_t *count, struct errinfo *ei)
{
	struct quarantine_item *items;
	struct dirent **names;
	const char *ending;
	struct uuid id;
	size_t found = 0;
	int n;
	enum err e = list_names(q, &names, &n, ei);

	if (e != OK)
		return e;
	items = ARENA_NEW(a, struct quarantine_item, (size_t)n + 1);
	if (items == NULL)
		e = err_set(ei, ERR_NOMEM, "list of the quarantine");
	for (int i = 0; i < n; i++) {
		if (e == OK && parse_name(names[i]->d_name, &id, &ending) &&
		    strcmp(ending, ITEM) == 0) {
			e = quarantine_get(q, id, a, &items[found], ei);
			found += e == OK;
			/* One that is damaged does not hide the others. */
			if (e == ERR_CORRUPT || e == ERR_NOT_FOUND)
				e = OK;
		}
		free(names[i]);
	}
	free(names);
	if (e == OK) {
		*out = items;
		*count = found;
	}
	return e;
}

/* ---- opening, and finishing what was interrupted ---------------------------------- */

/* Does the path hold the bytes of the item?  Neither a name nor an inode
 * number, which the system gives again, says so after a restart. */
static bool
holds_bytes(const struct facts *f, int dirfd, const char *name)
{
	int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char sum[SHA256_LEN];
	struct stat st;
	uint64_t size;
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == f->item.size &&
	    file_digest(fd, sum, &size, NULL) == OK && size == f->item.size &&
	    memcmp(sum, f->item.sha256, sizeof(sum)) == 0;
	(void)close(fd);
	return same;
}

/* Killed while the file was in both places. */
static enum err
finish_taking(struct quarantine *q, struct uuid id, struct errinfo *ei)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct facts f;
	const char *name;
	int dirfd = -1;
	enum err e;

	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "quarantine");
	e = facts_load(q, id, TAKING, a, &f, ei);
	if (e == OK)
		e = open_folder(&f, &dirfd, &name, ei);
	if (e == OK) {
		e = holds_bytes(&f, dirfd, name) ? remove_original(&f, ei)
						 : ERR_BUSY;
		(void)close(dirfd);
	}
	arena_free(a);
	/* It is gone from there, or another file is in its place: what is
	 * sealed here may be the only copy. */
	if (e == OK || e == ERR_NOT_FOUND || e == ERR_BUSY)
		return become_item(q, id, ei);
	return e;
}

static enum err
finish_restoring_to(struct quarantine *q, const struct facts *f, const char *to,
    struct errinfo *ei)
{
	char temporary[TEMP_MAX];
	const char *name;
	int dirfd = -1;
	enum err e = open_parent(to, &dirfd, &name, ei);

	if (e == OK) {
		temp_name(f->item.id, temporary);
		if (unlinkat(dirfd, temporary, 0) != 0 &&
		    holds_bytes(f, dirfd, name))
			forget(q, f->item.id);
		(void)close(dirfd);
	}
	item_drop(q, f->item.id, RESTORING);
	return OK;
}

static enum err
finish_restoring(struct quarantine *q, struct uuid id, struct errinfo *ei)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct buf to = buf_make(PATH_MAX);
	struct facts f;
	enum err e;

	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "quarantine");
	e = sealed_read(q, id, RESTORING, &to, ei);
	if (e == OK)
		e = facts_load(q, id, ITEM, a, &f, ei);
	if (e == OK)
		e = finish_restoring_to(q, &f, to.ptr, ei);
	else if (e == ERR_NOT_FOUND) /* killed while the item was going */
		forget(q, id);
	buf_free(&to);
	arena_free(a);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
finish_one(struct quarantine *q, const char *name, struct errinfo *ei)
{
	const char *ending;
	struct uuid id;

	if (span_ends(span_of(name), ".tmp")) {
		(void)unlinkat(q->dirfd, name, 0);
		return OK;
	}
	if (!parse_name(name, &id, &ending))
		return OK;
	if (strcmp(ending, RESTORING) == 0)
		return finish_restoring(q, id, ei);
	if (strcmp(ending, TAKING) == 0)
		return finish_taking(q, id, ei);
	/* Sealed, but killed before its facts were: the original is where it
	 * was. */
	if (strcmp(ending, DATA) == 0 && !item_has(q, id, TAKING) &&
	    !item_has(q, id, ITEM) && !item_has(q, id, RESTORING))
		item_drop(q, id, DATA);
	return OK;
}

static enum err
finish_all(struct quarantine *q, struct errinfo *ei)
{
	struct dirent **names;
	int n;
	enum err e = list_names(q, &names, &n, ei);

	if (e != OK)
		return e;
	for (int i = 0; i < n; i++) {
		/* What cannot be finished now (a damaged item, a folder that
		 * is not mounted) waits, and does not keep the others. */
		(void)!finish_one(q, names[i]->d_name, ei);
		free(names[i]);
	}
	free(names);
	return OK;
}

static enum err
load_key(struct quarantine *q, struct errinfo *ei)
{
	struct buf b = buf_make(SEAL_KEY_LEN + 1);
	char path[PATH_MAX];
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/key", q->dir);
	e = file_read(path, &b, ei);
	if (e == ERR_NOT_FOUND) {
		random_bytes(q->key, sizeof(q->key));
		e = file_replace(path,
		    (struct span){ (char *)q->key, sizeof(q->key) }, 0600, ei);
	} else if (e == OK && b.len == SEAL_KEY_LEN) {
		memcpy(q->key, b.ptr, SEAL_KEY_LEN);
	} else if (e == OK || e == ERR_LIMIT) {
		e = err_set(ei, ERR_CORRUPT, "%s is damaged", path);
	}
	if (b.ptr != NULL)
		crypt_wipe(b.ptr, b.len);
	buf_free(&b);
	return e;
}

enum err
quarantine_open(const char *dir, const struct clock *clock,
    struct quarantine **out, struct errinfo *ei)
{
	struct quarantine *q;
	enum err e;

	if (strlen(dir) > PATH_MAX - 2 * FILE_NAME_MAX)
		return err_set(
		    ei, ERR_LIMIT, "path of the quarantine is too long");
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return err_set(ei, ERR_NOMEM, "quarantine");
	q->dirfd = -1;
	q->clock = clock;
	q->dir = strdup(dir);
	e = q->dir == NULL ? err_set(ei, ERR_NOMEM, "quarantine")
			   : file_make_dir(dir, 0700, ei);
	if (e == OK) {
		q->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (q->dirfd < 0)
			e = err_sys(ei, "cannot open %s", dir);
	}
	if (e == OK)
		e = load_key(q, ei);
	if (e == OK)
		e = finish_all(q, ei);
	if (e != OK) {
		quarantine_close(q);
		return e;
	}
	*out = q;
	return OK;
}

void
quarantine_close(struct quarantine *q)
{
	if (q == NULL)
		return;
	if (q->dirfd >= 0)
		(void)close(q->dirfd);
	crypt_wipe(q->key, sizeof(q->key));
	free(q->dir);
	free(q);
}
