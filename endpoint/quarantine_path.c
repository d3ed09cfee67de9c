#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint/quarantine_int.h"

#define LINKS_MAX 40 /* as the kernel's own limit */

struct walk {
	int at;              /* the folder reached */
	char rest[PATH_MAX]; /* what is still to be walked */
	int links;
};

/* Put the target of the link `name` before the rest. */
static enum err
follow(struct walk *w, const char *name, struct errinfo *ei)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(w->at, name, target, sizeof(target));
	size_t rest = strlen(w->rest);

	if (n <= 0 || ++w->links > LINKS_MAX ||
	    (size_t)n + rest + 2 > sizeof(w->rest))
		return err_set(
		    ei, ERR_LIMIT, "symbolic link %s leads too far", name);
	memmove(w->rest + n + 1, w->rest, rest + 1);
	memcpy(w->rest, target, (size_t)n);
	w->rest[n] = '/';
	if (target[0] == '/') {
		(void)close(w->at);
		w->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (w->at < 0)
			return err_sys(ei, "open /");
	}
	return OK;
}

static enum err
step(struct walk *w, const char *name, struct errinfo *ei)
{
	struct stat st;
	int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
		    ? err_set(ei, ERR_NOT_FOUND, "no folder %s", name)
		    : err_sys(ei, "folder %s", name);
	if (fstat(fd, &st) != 0) {
		e = err_sys(ei, "folder %s", name);
	} else if (S_ISLNK(st.st_mode)) {
		e = st.st_uid == 0 || st.st_uid == geteuid()
		    ? follow(w, name, ei)
		    : err_set(ei, ERR_DENIED,
			  "folder %s is a symbolic link of another user", name);
	} else if (!S_ISDIR(st.st_mode)) {
		e = err_set(ei, ERR_NOT_FOUND, "%s is no folder", name);
	} else {
		(void)close(w->at);
		w->at = fd;
		return OK;
	}
	(void)close(fd);
	return e;
}

/* Takes the first component off the rest; false at the end. */
static bool
next_component(struct walk *w, char name[NAME_MAX + 1])
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(name, p, n);
	name[n] = '\0';
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

enum err
open_parent(const char *path, int *dirfd, const char **name, struct errinfo *ei)
{
	const char *slash = strrchr(path, '/');
	struct walk w = { 0 };
	char part[NAME_MAX + 1];
	enum err e = OK;

	if (path[0] != '/' || strlen(path) >= sizeof(w.rest) ||
	    slash[1] == '\0')
		return err_set(ei, ERR_SYNTAX, "not the full path of a file");
	memcpy(w.rest, path, (size_t)(slash - path));
	w.at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.at < 0)
		return err_sys(ei, "open /");
	while (e == OK && next_component(&w, part))
		e = step(&w, part, ei);
	if (e == OK && w.rest[strspn(w.rest, "/")] != '\0')
		e = err_set(ei, ERR_LIMIT, "a folder's name is too long");
	if (e != OK) {
		(void)close(w.at);
		return e;
	}
	*dirfd = w.at;
	*name = slash + 1;
	return OK;
}
