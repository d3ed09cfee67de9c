#include "endpoint/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"

#define PATH_BYTES_MAX (1u << 20)

struct state {
	const struct walk *w;
	struct buf path;
	unsigned depth;
};

static bool walk_folder(struct state *s, int fd, dev_t dev);

static void
complain(struct state *s, int error)
{
	s->w->unreadable(s->w->arg, s->path.ptr, error);
}

/* Reading shall not look like use; only the owner may ask for that. */
static int
open_quietly(int dir, const char *name, int flags)
{
	int fd;

	flags |= O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	fd = openat(dir, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dir, name, flags);
	return fd;
}

/* A file that was opened, or opening failed (fd is -1). */
static bool
visit_file(struct state *s, int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		complain(s, errno);
		if (fd >= 0)
			(void)close(fd);
		return true;
	}
	if (!S_ISREG(st.st_mode)) { /* exchanged since we looked */
		(void)close(fd);
		return true;
	}
	return s->w->visit(s->w->arg, s->path.ptr, fd, &st);
}

/* File systems that show the kernel and hold no files. */
static bool
kernel_files(int fd)
{
	static const uint32_t magics[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
		TRACEFS_MAGIC, SECURITYFS_MAGIC, DEVPTS_SUPER_MAGIC,
		BPF_FS_MAGIC, PSTOREFS_MAGIC, EFIVARFS_MAGIC, SELINUX_MAGIC,
		HUGETLBFS_MAGIC, BINFMTFS_MAGIC, NSFS_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	for (size_t i = 0; i < COUNT(magics); i++)
		if ((uint32_t)fs.f_type == magics[i])
			return true;
	return false;
}

static bool
enter_folder(struct state *s, int dir, const char *name, dev_t dev)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (s->w->enter != NULL && !s->w->enter(s->w->arg, s->path.ptr)) {
		if (fd >= 0)
			(void)close(fd);
		return true;
	}
	if (fd < 0 || fstat(fd, &st) != 0) {
		complain(s, errno);
		if (fd >= 0)
			(void)close(fd);
		return true;
	}
	if (st.st_dev != dev && kernel_files(fd)) {
		(void)close(fd);
		return true;
	}
	return walk_folder(s, fd, st.st_dev);
}

static bool
visit_entry(struct state *s, int dir, const char *name, dev_t dev)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		complain(s, errno);
		return true;
	}
	if (S_ISDIR(st.st_mode))
		return enter_folder(s, dir, name, dev);
	if (!S_ISREG(st.st_mode))
		return true;
	if (!s->w->open)
		return s->w->visit(s->w->arg, s->path.ptr, -1, &st);
	if (s->w->known != NULL && s->w->known(s->w->arg, s->path.ptr, &st))
		return true;
	return visit_file(s, open_quietly(dir, name, O_NOFOLLOW));
}

/* Takes over fd. */
static bool
walk_folder(struct state *s, int fd, dev_t dev)
{
	DIR *d = fdopendir(fd);
	const struct dirent *entry;
	size_t len = s->path.len;
	bool go_on = true;

	if (d == NULL || s->depth == WALK_DEPTH_MAX) {
		complain(s, d == NULL ? errno : ELOOP);
		if (d == NULL)
			(void)close(fd);
		else
			(void)closedir(d);
		return true;
	}
	s->depth++;
	while (go_on) {
		errno = 0;
		entry = readdir(d);
		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (len > 0 && s->path.ptr[len - 1] != '/')
			buf_char(&s->path, '/');
		buf_text(&s->path, entry->d_name);
		if (s->path.full)
			complain(s, ENAMETOOLONG);
		else
			go_on = visit_entry(s, dirfd(d), entry->d_name, dev);
		s->path.full = false;
		s->path.len = len;
		s->path.ptr[len] = '\0';
	}
	if (go_on && errno != 0)
		complain(s, errno);
	s->depth--;
	(void)closedir(d);
	return go_on;
}

bool
walk_path(const struct walk *w, const char *path)
{
	struct state s = { .w = w, .path = buf_make(PATH_BYTES_MAX) };
	struct stat st;
	bool go_on = true;
	int fd;

	buf_text(&s.path, path);
	if (path[0] == '\0' || s.path.full || stat(path, &st) != 0) {
		w->unreadable(w->arg, path, path[0] == '\0' ? ENOENT : errno);
	} else if (S_ISDIR(st.st_mode)) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			complain(&s, errno);
		else
			go_on = walk_folder(&s, fd, st.st_dev);
	} else if (!S_ISREG(st.st_mode)) {
		complain(&s, EINVAL);
	} else if (!w->open) {
		go_on = w->visit(w->arg, path, -1, &st);
	} else {
		go_on = visit_file(&s, open_quietly(AT_FDCWD, path, 0));
	}
	buf_free(&s.path);
	return go_on;
}
