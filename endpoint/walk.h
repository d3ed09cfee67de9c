#ifndef ENDPOINT_WALK_H
#define ENDPOINT_WALK_H

#include <stdbool.h>

#include <sys/stat.h>

#include "base/span.h"

/* Files of a path given by a user: itself, or all below a folder.  Symbolic
 * links are followed only when they are the path itself; devices, sockets
 * and pipes are passed over, and so are the kernel's own file systems (proc,
 * sysfs ...) below another one. */

struct walk {
	/* An ordinary file; `fd` is the visitor's, or -1 when `open` is
	 * false.  False ends the walk. */
	bool (*visit)(
	    void *arg, const char *path, int fd, const struct stat *st);
	/* Is this file known, so that it need not be opened?  NULL: none. */
	bool (*known)(void *arg, const char *path, const struct stat *st);
	/* What could not be read, with an errno. */
	void (*unreadable)(void *arg, const char *path, int error);
	/* May this folder be entered?  NULL: every one. */
	bool (*enter)(void *arg, const char *path);
	void *arg;
	bool open; /* open the files */
};

#define WALK_DEPTH_MAX 500 /* folders within folders: one fd for each */

/* False when the visitor ended it. */
bool walk_path(const struct walk *w, const char *path);

#endif
