#ifndef ENDPOINT_SPOOL_INT_H
#define ENDPOINT_SPOOL_INT_H

#include "base/buf.h"
#include "endpoint/spool.h"

/* The bytes of a segment; all numbers little-endian. */

#define SEGMENT_HEAD 36 /* magic 8, spool id 16, first number 8, CRC-32C 4 */
#define RECORD_HEAD  17 /* length 4, CRC-32C 4, number 8, class 1 */
#define RECORD_CRCED 8  /* where the bytes begin that length and CRC count */
/* A segment whose last record began just below the limit, and some junk. */
#define SEGMENT_READ_MAX (SPOOL_SEGMENT_MAX + SPOOL_RECORD_MAX + 65536)

uint32_t crc32c(struct span s);
void put_u32(void *to, uint32_t v);
void put_u64(void *to, uint64_t v);
uint32_t get_u32(const void *from);
uint64_t get_u64(const void *from);

void segment_put_head(struct buf *out, struct uuid id, uint64_t first);
/* False when it is cut short or damaged. */
bool segment_get_head(struct span bytes, struct uuid *id, uint64_t *first);
void segment_put_record(
    struct buf *out, uint64_t number, enum spool_class kind, struct span body);
/* The numbers from..to are gone. */
void
segment_put_gap(struct buf *out, uint64_t from, uint64_t to, const char *why);

enum segment_item {
	SEGMENT_RECORD, /* whole and sound; a gap too is a record */
	SEGMENT_LOST,   /* last + 1 .. number are not here, then more follows */
	SEGMENT_CUT,    /* the end breaks off within one record */
	SEGMENT_END
};
/* Walks the records behind the header, over what is damaged. */
struct segment_reader {
	struct span bytes; /* of the whole segment */
	size_t at;         /* set to SEGMENT_HEAD */
	uint64_t last;     /* set to the number before the first */
};
enum segment_item
segment_next(struct segment_reader *r, struct spool_record *out);

#endif
