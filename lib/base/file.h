#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/* Whole files, safely.  Any thread. */

/* Appends the file's bytes, all or none; longer than out->max is ERR_LIMIT,
 * absent is ERR_NOT_FOUND. */
enum err
file_read(const char *path, struct buf *out, struct errinfo *ei) MUST_USE;
/* Writes a temporary beside it, fsyncs, renames, fsyncs the folder: after a
 * crash the file is the old or the new one.  `mode` as for open(2). */
enum err file_replace(const char *path, struct span bytes, unsigned mode,
    struct errinfo *ei) MUST_USE;
/* mkdir -p with this mode for the last; fine if it is there. */
enum err
file_make_dir(const char *path, unsigned mode, struct errinfo *ei) MUST_USE;
/* All of the bytes, in spite of short writes and EINTR. */
enum err fd_write_all(int fd, struct span bytes, struct errinfo *ei) MUST_USE;

#endif
