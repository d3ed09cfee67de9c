#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <sys/types.h>

#include "base/buf.h"

/* Worker processes.  Hostile bytes are read only here: a worker is this
 * installation's khien-worker, started with fork and exec (fresh address
 * layout), talking over one socket, holding no right that its profile does
 * not name.  A worker that dies costs one request; its parent buries it and
 * starts the next.  Norms: landlock(7), seccomp(2), unix(7). */

/* ---- messages ---------------------------------------------------------
 * One message is a fixed header {u32 length, u16 type, u16 zero} in host
 * byte order and its body; at most one open file travels with it. */

#define MESSAGE_MAX     (4u << 20) /* bytes of a body */
#define CHANNEL_FD      3          /* where a worker finds its socket */
#define CHANNEL_FOREVER (-1)

struct message {
	uint16_t type;    /* the two ends agree on what it means; not 0 */
	struct span body; /* belongs to the channel until its next receive */
	int fd;           /* -1, or an open file that is now the receiver's */
};

/* One end of the socket.  One thread at a time. */
struct channel;

/* Takes over `fd` (a connected SOCK_STREAM Unix socket). */
enum err channel_new(int fd, struct channel **out, struct errinfo *ei) MUST_USE;
void channel_free(struct channel *ch);    /* closes; accepts NULL */
int channel_fd(const struct channel *ch); /* to poll(2) for POLLIN */
/* `fd` (-1 for none) stays the caller's.  ERR_IO when the peer is gone. */
enum err channel_send(struct channel *ch, uint16_t type, struct span body,
    int fd, struct errinfo *ei) MUST_USE;
/* Wait for one whole message.  ERR_BUSY after timeout_ms (nothing is lost:
 * call again), ERR_NOT_FOUND at the end (the peer closed between messages),
 * ERR_IO or ERR_CORRUPT when it broke off within one or sent nonsense. */
enum err channel_receive(struct channel *ch, int timeout_ms,
    struct message *out, struct errinfo *ei) MUST_USE;

/* ---- the parent's side ------------------------------------------------ */

struct worker_spec {
	const char *program; /* path of khien-worker; worker_program() */
	const char *role;    /* its first argument */
	/* When the parent is root, the worker becomes this user ("nobody",
	 * "khien-net"); NULL or not root: it stays who it is. */
	const char *user;
};

struct worker;

/* The khien-worker beside the running program, or KHIEN_WORKER from the
 * environment of a test.  Text of the arena-free static kind: one per
 * process. */
const char *worker_program(void);

/* Starts it and waits (5 s) until it says that its sandbox is entered; if it
 * cannot be, fails with the worker's own words: there is no way on without.
 * The worker inherits fd 0-2 as /dev/null, /dev/null, stderr, and CHANNEL_FD;
 * nothing else, and an empty environment but LANG. */
enum err worker_start(const struct worker_spec *spec, struct worker **out,
    struct errinfo *ei) MUST_USE;
struct channel *worker_channel(struct worker *w); /* belongs to the worker */
pid_t worker_pid(const struct worker *w);
/* Closes the socket, waits up to grace_ms, then SIGKILL; reaps.  Returns the
 * wait status.  Frees the worker; accepts NULL (0). */
int worker_stop(struct worker *w, int grace_ms);

/* ---- the worker's side ------------------------------------------------ */

struct sandbox_profile {
	const char *name;
	uint64_t memory_max;  /* bytes, RLIMIT_AS; 0 = not limited */
	uint64_t cpu_seconds; /* RLIMIT_CPU of the process; 0 = not limited */
	uint64_t file_max;    /* bytes it may write to a file passed to it */
	bool network;         /* may open IPv4/IPv6 stream sockets, DNS */
	const char *const *read_paths; /* NULL-ended: readable files, dirs */
};

/* No files, no network: what scans. */
extern const struct sandbox_profile sandbox_scan;
/* TLS to the centre and the files a resolver needs: what speaks. */
extern const struct sandbox_profile sandbox_net;
/* As scan, but may write the one output file passed to it. */
extern const struct sandbox_profile sandbox_build;

/* Close every fd above CHANNEL_FD, no_new_privs, rlimits, Landlock over
 * everything the kernel knows, seccomp allow list with kill.  Never returns
 * to a state between: on failure the process must exit.  Then tells the
 * parent by the first message; *out is the worker's end of the channel. */
enum err sandbox_enter(const struct sandbox_profile *profile,
    struct channel **out, struct errinfo *ei) MUST_USE;

#endif
