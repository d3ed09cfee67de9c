#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uuid.h"

enum err
file_read(const char *path, struct buf *out, struct errinfo *ei)
{
	char piece[16384];
	size_t before = out->len;
	ssize_t n;
	enum err e = buf_check(out, ei);
	int fd;

	if (e != OK)
		return e;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(ei, ERR_NOT_FOUND, "no file %s", path);
	if (fd < 0)
		return err_sys(ei, "open %s", path);
	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			e = err_sys(ei, "read %s", path);
			break;
		}
		buf_add(out, piece, (size_t)n);
		if (out->full) {
			e = err_set(ei, ERR_LIMIT, "%s: more than %zu bytes",
			    path, out->max);
			break;
		}
	}
	(void)close(fd);
	if (e != OK)
		buf_cut(out, before);
	return e;
}

enum err
fd_write_all(int fd, struct span bytes, struct errinfo *ei)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(ei, "write");
		bytes = span_from(bytes, (size_t)n);
	}
	return OK;
}

/* The folder that `path` lies in. */
static enum err
parent_of(const char *path, char out[PATH_MAX], struct errinfo *ei)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	if (n >= PATH_MAX)
		return err_set(ei, ERR_LIMIT, "path of %zu bytes", n);
	if (slash == NULL)
		memcpy(out, ".", 2);
	else if (n == 0)
		memcpy(out, "/", 2);
	else {
		memcpy(out, path, n);
		out[n] = '\0';
	}
	return OK;
}

static enum err
sync_parent(const char *path, struct errinfo *ei)
{
	char dir[PATH_MAX];
	enum err e = parent_of(path, dir, ei);
	int fd;

	if (e != OK)
		return e;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(ei, "open %s", dir);
	if (fsync(fd) != 0)
		e = err_sys(ei, "fsync %s", dir);
	(void)close(fd);
	return e;
}

enum err
file_replace(
    const char *path, struct span bytes, unsigned mode, struct errinfo *ei)
{
	char temporary[PATH_MAX];
	uint64_t tag;
	int fd, n;
	enum err e;

	random_bytes(&tag, sizeof(tag));
	n = snprintf(temporary, sizeof(temporary), "%s.%016llx.tmp", path,
	    (unsigned long long)tag);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return err_set(ei, ERR_LIMIT, "path of %d bytes", n);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(ei, "create %s", temporary);
	e = fd_write_all(fd, bytes, ei);
	if (e == OK && fsync(fd) != 0)
		e = err_sys(ei, "fsync %s", temporary);
	if (close(fd) != 0 && e == OK)
		e = err_sys(ei, "close %s", temporary);
	if (e == OK && rename(temporary, path) != 0)
		e = err_sys(ei, "rename to %s", path);
	if (e != OK) {
		(void)unlink(temporary);
		return e;
	}
	return sync_parent(path, ei);
}

static enum err
make_one(const char *path, unsigned mode, struct errinfo *ei)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return OK;
	if (errno != EEXIST)
		return err_sys(ei, "make folder %s", path);
	if (stat(path, &st) != 0)
		return err_sys(ei, "folder %s", path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return err_sys(ei, "folder %s", path);
	}
	return OK;
}

enum err
file_make_dir(const char *path, unsigned mode, struct errinfo *ei)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	enum err e = OK;

	while (len > 1 && path[len - 1] == '/') /* the last must be a name */
		len--;
	if (len == 0 || len >= sizeof(part))
		return err_set(ei, ERR_LIMIT, "path of %zu bytes", len);
	memcpy(part, path, len);
	part[len] = '\0';
	for (size_t i = 1; e == OK && i < len; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		e = make_one(part, 0755, ei);
		part[i] = '/';
	}
	return e == OK ? make_one(part, mode, ei) : e;
}
