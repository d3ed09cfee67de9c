#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_int.h"

/* The kernel may be newer than the headers we are built with (Debian 12: ABI
 * 2), so what came later is spelled out here as landlock(7) gives it. */
#define FS_ABI_1            ((1ULL << 13) - 1) /* execute ... make symlinks */
#define FS_REFER            (1ULL << 13)
#define FS_TRUNCATE         (1ULL << 14)
#define FS_IOCTL_DEV        (1ULL << 15)
#define NET_BIND_TCP        (1ULL << 0)
#define NET_CONNECT         (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

/* What a kernel of each ABI can forbid beyond those before it. */
static const struct {
	int abi;
	struct ruleset_attr more;
} known[] = {
	{ 1, { .fs = FS_ABI_1 } },
	{ 2, { .fs = FS_REFER } },
	{ 3, { .fs = FS_TRUNCATE } },
	{ 4, { .net = NET_BIND_TCP | NET_CONNECT } },
	{ 5, { .fs = FS_IOCTL_DEV } },
	{ 6, { .scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL } },
};

/* A folder is readable with all that is below it.  A path that this machine
 * does not have is nothing to read. */
static enum err
allow_reading(int ruleset, const char *path, struct errinfo *ei)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat st;
	enum err e = OK;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return OK;
	rule.parent_fd = fd;
	rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0)
		e = err_sys(ei, "landlock: cannot allow %s", path);
	(void)close(fd);
	return e;
}

enum err
landlock_enter(const struct sandbox_profile *profile, struct errinfo *ei)
{
	struct ruleset_attr attr = { 0 };
	const char *const *path = profile->read_paths;
	enum err e = OK;
	long abi, fd;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return err_set(ei, ERR_UNSUPPORTED,
		    "this kernel has Landlock switched off (add \"landlock\" "
		    "to its lsm= list); nothing hostile is read without it");
	for (size_t i = 0; i < COUNT(known) && known[i].abi <= abi; i++) {
		attr.fs |= known[i].more.fs;
		attr.net |= known[i].more.net;
		attr.scoped |= known[i].more.scoped;
	}
	if (profile->network)
		attr.net &= ~NET_CONNECT;
	/* Older kernels take the longer struct if its end is zero. */
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return err_sys(ei, "landlock: cannot make rules");
	for (; e == OK && path != NULL && *path != NULL; path++)
		e = allow_reading((int)fd, *path, ei);
	if (e == OK && syscall(SYS_landlock_restrict_self, (int)fd, 0) != 0)
		e = err_sys(ei, "landlock: cannot restrict");
	(void)close((int)fd);
	return e;
}
