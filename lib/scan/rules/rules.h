#ifndef SCAN_RULES_H
#define SCAN_RULES_H

#include "base/span.h"

/* YARA rules at scan time, as build/group.c compiled them and the set holds
 * them (masked).  A filter of ours (filter.h) says which rules could
 * match at all; only those are given to libyara, loaded when they are first
 * needed.  libyara trusts its streams: they are read only after the digest
 * of the whole set was right, and only inside a worker. */
struct rules; /* one thread at a time; borrows what it was opened with */

enum rules_result {
	RULES_NONE,
	RULES_FOUND,
	RULES_TIME,
	RULES_MEMORY,
	RULES_FAILED /* libyara gave up on these bytes */
};

/* All of it belongs to the rules. */
struct rules_match {
	const char *name;
	const char *source; /* the rule's file */
	const char *author; /* its meta of that name, or "" */
};

enum err
rules_open(struct span masked, struct rules **out, struct errinfo *ei) MUST_USE;
void rules_close(struct rules *r); /* accepts NULL */
/* Ends at the first match, which on RULES_FOUND is in *m. */
enum rules_result rules_scan(
    struct rules *r, struct span bytes, int seconds, struct rules_match *m);
/* Tells all matches, in no order, each once.  RULES_FOUND when there was one
 * and nothing failed. */
typedef void rules_match_fn(void *arg, const struct rules_match *m);
enum rules_result rules_scan_all(struct rules *r, struct span bytes,
    int seconds, rules_match_fn *fn, void *arg);

#endif
