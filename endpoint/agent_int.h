#ifndef ENDPOINT_AGENT_INT_H
#define ENDPOINT_AGENT_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "endpoint/agent.h"
#include "endpoint/net.h"
#include "endpoint/quarantine.h"
#include "endpoint/spool.h"
#include "endpoint/state.h"
#include "scan/scan.h"

#define SCAN_QUEUE_MAX 16 /* scans asked for and not begun */
#define PATHS_MAX      64 /* of one scan */

/* A scan that somebody asked for. */
struct scan_order {
	bool scheduled;   /* over the policy's paths: counts as "last scan" */
	char command[37]; /* id to answer; "" = nobody waits */
	char **paths;     /* NULL-ended, owned */
};

/* What both threads share is behind `lock`: state, spool, quarantine, queue,
 * counters.  The link belongs to the main thread, the pool to the scanner. */
struct agent {
	const char *dir;
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the scanner: an order, a set, an end */
	atomic_bool ending;
	int wake; /* eventfd: something for the main thread */

	struct state state;
	struct spool *spool;
	struct quarantine *quarantine;
	struct scan_order queue[SCAN_QUEUE_MAX];
	size_t queued;
	bool scanning;
	bool new_set;                      /* sets/current.kdb was exchanged */
	int64_t set_version, set_built_ms; /* in use */
	char fault[200];                   /* "" = none */
	int64_t last_sync_ms;              /* UTC; 0 = never */

	struct scan_pool *pool;
	struct link *link;
};

/* ---- notes (lock held) --------------------------------------------------- */

enum err record_event(struct agent *a, json_t *body,
    struct errinfo *ei) MUST_USE; /* takes the body */
void set_fault(struct agent *a, const char *what, const char *why);
void wake_main(struct agent *a);

/* ---- scanning ------------------------------------------------------------ */

/* Lock held.  Copies the paths; NULL = the policy's.  ERR_BUSY when too many
 * wait. */
enum err scan_order_add(struct agent *a, bool scheduled, const char *command,
    const char *const *paths, struct errinfo *ei) MUST_USE;
void scan_order_free(struct scan_order *order);
bool scan_due(const struct agent *a); /* lock held */
void *scanner_thread(void *agent);

/* ---- commands (lock held) ------------------------------------------------ */

void command_do(struct agent *a, const json_t *command);
/* After a start: tell what is in quarantine, in case it was not told. */
enum err quarantine_tell(struct agent *a, struct errinfo *ei) MUST_USE;

/* ---- the centre (main thread) -------------------------------------------- */

struct link; /* one exchange at a time, back-off, signature sets */
struct link *link_new(struct agent *a); /* NULL: memory */
void link_free(struct link *l);
int link_fd(const struct link *l); /* -1: nothing under way */
/* Something may be due or have arrived.  Returns the milliseconds until the
 * next call is wanted. */
int link_turn(struct link *l, bool readable);

/* ---- control socket ------------------------------------------------------ */

enum err control_listen(const char *dir, int *fd, struct errinfo *ei) MUST_USE;
void control_accept(struct agent *a, int fd);

#endif
