#ifndef ENDPOINT_AGENT_H
#define ENDPOINT_AGENT_H

#include "base/buf.h"

/* The agent: what keeps one computer protected.  The calling thread listens
 * to the centre, to commands and to the clock; one more thread scans. */

struct agent_options {
	const char *dir; /* its state: agent.json, spool/, quarantine/, sets/ */
};

/* Runs until SIGTERM or SIGINT, which the caller must have blocked before any
 * thread started.  A computer that has not enrolled is waited for.  Returns
 * when stopped (OK) or when it cannot go on. */
enum err
agent_run(const struct agent_options *opt, struct errinfo *ei) MUST_USE;

/* Asks the agent that runs with this state: one line of JSON each way over
 * DIR/control.sock.  {"do":"status"} or {"do":"scan","paths":[...]}. */
enum err agent_ask(const char *dir, struct span question, struct buf *answer,
    struct errinfo *ei) MUST_USE;
#define AGENT_ASK_MAX 65536 /* bytes of a question or an answer */

#endif
