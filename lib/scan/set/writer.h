#ifndef SCAN_WRITER_H
#define SCAN_WRITER_H

#include "base/buf.h"
#include "crypt/crypt.h"
#include "scan/set/format.h"

/* A set on its way into a file, or into memory: the data in order, each chunk
 * hashed when it is full, then the digests, then the head. */
struct set_writer {
	int fd;
	struct buf *memory; /* instead of the file, unless NULL */
	uint64_t at;        /* of the next byte in the file */
	unsigned char chunk[SET_CHUNK];
	size_t fill;
	struct buf digests;
	struct errinfo *ei;
	enum err e; /* the first failure; then nothing is done */
};

/* Into `memory` if it is not NULL, else into the file. */
enum err set_writer_new(int fd, struct buf *memory, struct set_writer **out,
    struct errinfo *ei) MUST_USE;
void set_writer_free(struct set_writer *w); /* accepts NULL */

void set_put(struct set_writer *w, const void *bytes, size_t n);
void set_put_zeros(struct set_writer *w, size_t n);
struct set_region set_begin(struct set_writer *w);
void set_end(const struct set_writer *w, struct set_region *r);
struct set_region
set_put_region(struct set_writer *w, const void *bytes, size_t n);
struct set_region set_put_buf(struct set_writer *w, const struct buf *b);
/* Zeroed memory for `count` items, or NULL and a failure. */
void *set_make(struct set_writer *w, size_t count, size_t size);
/* The directory, whose `digests` it fills in, and all that is left. */
enum err set_finish(struct set_writer *w, struct set_directory *d) MUST_USE;

#endif
