#ifndef ENDPOINT_QUARANTINE_H
#define ENDPOINT_QUARANTINE_H

#include "base/arena.h"
#include "base/uuid.h"

/* Infected files, out of reach: sealed (AES-256-GCM, a key of this computer)
 * in a folder only the agent can read, with all that is needed to put them
 * back byte for byte: path, owner, group, mode, times, extended attributes.
 *
 * Item ID: ID.item (JSON facts, sealed) and ID.data (sealed file).  Order of
 * taking: data and facts written and fsynced under a temporary name, renamed,
 * folder fsynced, only then the original is removed, through the same open
 * directory and only if it is still the same inode.  Killed between, the file
 * is in both places, and opening the quarantine finishes the job.  One thread
 * at a time. */

struct quarantine;
struct quarantine_item {
	struct uuid id;
	struct span path; /* original; any bytes */
	char name[256];   /* signature */
	int64_t taken_ms;
	uint64_t size;
	unsigned char sha256[32];
};

/* The key is made at first use: DIR/key, mode 0600. */
enum err quarantine_open(const char *dir, const struct clock *clock,
    struct quarantine **out, struct errinfo *ei) MUST_USE;
void quarantine_close(struct quarantine *q); /* accepts NULL */

/* Takes the regular file open at `fd`, found at `path`, with link count 1;
 * others are ERR_UNSUPPORTED.  ERR_NOT_FOUND when it vanished, ERR_BUSY when
 * the path now names another file.  `id` is chosen by the caller, and taking
 * the same id again is OK (idempotent). */
enum err quarantine_take(struct quarantine *q, struct uuid id, int fd,
    struct span path, const char *name, struct errinfo *ei) MUST_USE;
/* Puts it back; never over an existing file (ERR_EXISTS), never through a
 * symbolic link of another user.  A missing folder is ERR_NOT_FOUND.  The
 * item leaves the quarantine when the file is durable.  to: NULL = where it
 * was. */
enum err quarantine_restore(struct quarantine *q, struct uuid id,
    const char *to, struct errinfo *ei) MUST_USE;
enum err quarantine_delete(
    struct quarantine *q, struct uuid id, struct errinfo *ei) MUST_USE;
enum err quarantine_get(struct quarantine *q, struct uuid id, struct arena *a,
    struct quarantine_item *out, struct errinfo *ei) MUST_USE;
enum err quarantine_list(struct quarantine *q, struct arena *a,
    struct quarantine_item **out, size_t *count, struct errinfo *ei) MUST_USE;

#endif
