#ifndef ENDPOINT_SPOOL_H
#define ENDPOINT_SPOOL_H

#include "base/arena.h"
#include "base/uuid.h"

/* What the computer has to tell, until the centre has acknowledged it: an
 * append-only folder of segments that survives kill -9, a power cut and
 * weeks offline.  Records have rising numbers; the centre stores a number
 * once.  One thread at a time, one process (a lock file says so).
 *
 * A segment NNNNNNNNNNNNNNNN.spool is a header {magic, spool id (UUID), first
 * number} and records {u32 length, u32 CRC-32C of the rest, u64 number, u8
 * class, body}.  A record cut short at the end of the last segment was never
 * acknowledged to anybody and is cut off at opening; damage elsewhere loses
 * only what is damaged and becomes a gap record, whose number is that of the
 * last record that it stands for.  The file "state" holds what was handed
 * out and what has arrived: a number that was handed out is never used again,
 * even if the end of the last segment is lost. */

#define SPOOL_RECORD_MAX  65536
#define SPOOL_SEGMENT_MAX (1u << 20)

enum spool_class {
	SPOOL_DETECTION = 1, /* never dropped before telemetry */
	SPOOL_EVENT = 2,
	SPOOL_GAP = 3, /* body: JSON {"from":n,"to":m,"why":...} */
};

struct spool;
struct spool_options {
	const char *dir;
	uint64_t bytes_max; /* of the folder; 0 = 64 MiB */
	const struct clock *clock;
};
struct spool_record {
	uint64_t number;
	enum spool_class kind;
	struct span body; /* in the caller's arena */
};

/* The spool id is new for a new or emptied folder, so that numbers of a lost
 * spool are never taken for known ones. */
enum err spool_open(const struct spool_options *opt, struct spool **out,
    struct errinfo *ei) MUST_USE;
void spool_close(struct spool *sp);           /* accepts NULL */
struct uuid spool_id(const struct spool *sp); /* may change by spool_ack() */

/* Durable (fdatasync) when it returns; *number may be NULL.  When the folder
 * is full the oldest events give way, then ERR_LIMIT; what gave way is a gap
 * record. */
enum err spool_add(struct spool *sp, enum spool_class kind, struct span body,
    uint64_t *number, struct errinfo *ei) MUST_USE;
/* Up to `max` records (and max_bytes of bodies) after the last acknowledged
 * one, in order; the array and bodies are in the arena. */
enum err
spool_peek(struct spool *sp, struct arena *a, size_t max, size_t max_bytes,
    struct spool_record **out, size_t *count, struct errinfo *ei) MUST_USE;
/* Everything up to `number` has arrived for good.  A number that was never
 * handed out means that this folder was set back in time (a restored image):
 * the spool takes a new id, under which all that waits goes out again. */
enum err
spool_ack(struct spool *sp, uint64_t number, struct errinfo *ei) MUST_USE;
uint64_t spool_waiting(const struct spool *sp); /* records not acknowledged */

#endif
