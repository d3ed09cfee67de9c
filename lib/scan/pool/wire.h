#ifndef SCAN_WIRE_H
#define SCAN_WIRE_H

#include "scan/scan.h"

/* What programs and their workers say to each other.  Bodies are these
 * structs, some with text behind them.  The program trusts nothing that a
 * worker says: it has read hostile bytes. */

#define WIRE_PATH_MAX 4096

enum scan_message {
	/* To a scanner. */
	SCAN_SETUP = 1,  /* struct wire_setup, the set's file */
	SCAN_FILE,       /* its name, or nothing; the file */
	SCAN_FILE_ADDED, /* the same, for what was added alone */
	SCAN_FLUSH,      /* say what is known by now */
	/* From it. */
	SCAN_READY,    /* struct scan_set_info, struct scan_added */
	SCAN_REFUSED,  /* struct wire_failure, text */
	SCAN_VERDICTS, /* in order: uint32_t, that many bytes of
			  scan_verdict_encode() */
	/* To a builder. */
	BUILD_BASE,   /* a set's file, before all else */
	BUILD_FIRST,  /* what must be read before all else; as the next */
	BUILD_SOURCE, /* its name; the file */
	BUILD_WRITE,  /* struct wire_write; the output file */
	/* From it. */
	BUILD_PROBLEM, /* struct wire_problem, the reason */
	BUILD_TAKEN,   /* the source is read */
	BUILD_WRITTEN, /* struct scan_counts */
	BUILD_FAILED,  /* struct wire_failure, text */
	/* To an inspector. */
	INSPECT_SET, /* a set's file; at most two */
	INSPECT_ASK, /* struct wire_ask, text */
	/* From it. */
	INSPECT_ROW, /* struct wire_row, name, source, text, each ended by 0 */
	INSPECT_DONE,
	INSPECT_FAILED, /* struct wire_failure, text */
};

struct wire_setup {
	struct scan_limits limits;
	uint32_t want_sha256;
};
struct wire_write {
	uint64_t version;
	int64_t built_ms;
};
struct wire_problem {
	uint64_t line;
};
struct wire_ask {
	uint64_t rows;
	uint32_t ask, zero;
};
struct wire_row {
	uint32_t label; /* enum scan_label */
};
struct wire_failure {
	uint32_t code; /* enum err */
};

/* Serve messages in the sandbox until the parent closes; what `fn` returns
 * but OK ends it.  Returns the exit status. */
struct sandbox_profile;
typedef enum err
wire_serve_fn(void *arg, struct channel *ch, const struct message *m);
int
wire_serve(const struct sandbox_profile *profile, wire_serve_fn *fn, void *arg);
/* As that, and calls `idle` before it waits. */
typedef enum err wire_idle_fn(void *arg, struct channel *ch);
int wire_serve_idle(const struct sandbox_profile *profile, wire_serve_fn *fn,
    wire_idle_fn *idle, void *arg);
/* What a parent sends in no order that we know ends the worker. */
enum err wire_unexpected(const struct message *m);

/* Takes the struct at the start of a body; false if it is too short. */
bool wire_take(struct span *body, void *out, size_t n);
/* The failure that a worker reports, as our own. */
enum err wire_failure(struct span body, struct errinfo *ei);

/* In a worker: tell the parent what went wrong. */
enum err wire_send_failure(
    struct channel *ch, uint16_t type, const struct errinfo *why) MUST_USE;

/* Before a sandbox is entered: what the libraries would otherwise look for
 * in files later. */
void wire_warm_up(void);

#endif
