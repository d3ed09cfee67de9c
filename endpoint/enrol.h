#ifndef ENDPOINT_ENROL_H
#define ENDPOINT_ENROL_H

#include "endpoint/state.h"

/* How a computer comes to belong to a centre (docs/api/openapi.yaml, enrol).
 * The token carries the pin of the centre's authority, so nothing is taken
 * on trust. */

/* Makes DIR (0700) and DIR/agent.json.  ERR_EXISTS when this computer has
 * enrolled already. */
enum err enrol(const char *dir, struct span token, struct errinfo *ei) MUST_USE;

/* This computer is not the one that enrolled (a cloned disk): a new key, a
 * new agent id, and an empty spool, for what is in it the original tells.
 * Safe to repeat. */
enum err
rekey(struct state *s, const char *fingerprint, struct errinfo *ei) MUST_USE;

#endif
