#ifndef SANDBOX_CHANNEL_INT_H
#define SANDBOX_CHANNEL_INT_H

#include "sandbox/sandbox.h"

/* What goes before every body, in host byte order: both ends are one
 * installation on one machine. */
struct frame {
	uint32_t length;
	uint16_t type, zero;
};

struct channel {
	int fd;
	int stall_ms;    /* longest wait of a send for the peer to read */
	enum err broken; /* set for good by the first error that is not
			     ERR_BUSY; then every call repeats it */
	struct frame head;
	size_t head_got, body_got;
	char *body;
	size_t cap;
	bool waits; /* a receive may block: it has no deadline */
	int passed; /* came with the message under way, or -1 */
};

/* The first message of a worker, never given to callers. */
enum {
	WORKER_READY = 0xffff,   /* its sandbox is entered; no body */
	WORKER_FAILED = 0xfffe,  /* it could not be: text for people */
	WORKER_NOT_RUN = 0xfffd, /* struct launch_failure */
};

/* Where a worker stopped before it ran its program. */
enum launch_step {
	LAUNCH_SIGNALS,
	LAUNCH_SESSION,
	LAUNCH_FILES,
	LAUNCH_USER,
	LAUNCH_PARENT,
	LAUNCH_EXEC,
	LAUNCH_STEPS
};
struct launch_failure {
	int error; /* errno */
	enum launch_step step;
};

#endif
