#ifndef SCAN_MATCH_H
#define SCAN_MATCH_H

#include "scan/set.h"

/* Body signatures against one object.  The prefilter passes over the bytes
 * once for each anchor width; only patterns whose anchor it meets are looked
 * at.  State grows with what is met, not with the set. */
struct matcher; /* one thread at a time */

enum match_result { MATCH_NONE, MATCH_FOUND, MATCH_LATE };

enum err matcher_new(const struct scan_set *set, struct matcher **out,
    struct errinfo *ei) MUST_USE;
void matcher_free(struct matcher *m); /* accepts NULL */
/* `targets` has a bit (1 << target) for each kind of signature that applies.
 * Gives up at deadline_ns (monotonic). */
enum match_result matcher_scan(struct matcher *m, struct span object,
    unsigned targets, int64_t deadline_ns, const struct set_pattern **found);

#endif
