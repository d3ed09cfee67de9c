#ifndef ENDPOINT_QUARANTINE_INT_H
#define ENDPOINT_QUARANTINE_INT_H

#include <sys/stat.h>

#include "base/buf.h"
#include "endpoint/quarantine.h"

/* ---- what is known about a file (quarantine_facts.c) ----------------------- */

#define XATTRS_MAX     64
#define XATTR_NAME_MAX 255
#define XATTRS_BYTES   262144 /* of all values of one file */
#define FACTS_MAX      (1u << 20)

struct xattr {
	const char *name;
	struct span value;
};

/* Text and lists live in the caller's arena. */
struct facts {
	struct quarantine_item item;
	uint64_t dev, ino;
	int64_t mode, uid, gid;
	struct timespec atime, mtime;
	struct timespec ctime; /* while taking only: tells a change */
	struct xattr *xattrs;
	size_t xattr_count;
	/* Beyond the limits; the file is taken all the same. */
	bool xattrs_dropped;
};

/* From the open file; the digest too, by reading it with pread(2). */
enum err facts_capture(
    int fd, struct arena *a, struct facts *out, struct errinfo *ei) MUST_USE;
/* Owner, attributes, mode and times, in the order in which none undoes
 * another. */
enum err
facts_apply(const struct facts *f, int fd, struct errinfo *ei) MUST_USE;
enum err facts_encode(
    const struct facts *f, struct buf *out, struct errinfo *ei) MUST_USE;
enum err facts_decode(struct span json, struct arena *a, struct facts *out,
    struct errinfo *ei) MUST_USE;
/* SHA-256 and length of the file; its offset does not move. */
enum err file_digest(
    int fd, unsigned char out[32], uint64_t *size, struct errinfo *ei) MUST_USE;

/* ---- paths (quarantine_path.c) ---------------------------------------------- */

/* Opens the folder of an absolute path without following a symbolic link
 * that belongs to anybody but root and ourselves.  *name points into the
 * path.  ERR_NOT_FOUND for a missing folder, ERR_DENIED for such a link. */
enum err open_parent(const char *path, int *dirfd, const char **name,
    struct errinfo *ei) MUST_USE;

#endif
