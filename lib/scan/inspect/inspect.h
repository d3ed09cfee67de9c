#ifndef SCAN_INSPECT_H
#define SCAN_INSPECT_H

#include "scan/scan.h"
#include "scan/set/set.h"

/* What is in a set, told to people.  In a worker only. */

typedef bool
inspect_fn(void *arg, const struct scan_row *row); /* false: stop */

enum err inspect_run(struct scan_set *set, struct scan_set *other,
    const struct scan_query *query, inspect_fn *fn, void *arg,
    struct errinfo *ei) MUST_USE;

/* explain.c: one signature, line by line. */
bool explain_sig(struct scan_set *set, uint32_t at, inspect_fn *fn, void *arg);

#endif
