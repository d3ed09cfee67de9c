#ifndef SCAN_ICONS_H
#define SCAN_ICONS_H

#include "formats/exe/exe.h"
#include "scan/set/set.h"

/* A program's icons against those of a set (.idb): malware that borrows the
 * icon of a document, a folder or a bank.  Icons are decoded when a signature
 * asks for the first time, each line is compared once for each program. */
struct icons; /* one thread at a time; borrows the set */

/* *out is NULL when the set has no icons. */
enum err icons_new(
    struct scan_set *set, struct icons **out, struct errinfo *ei) MUST_USE;
void icons_free(struct icons *i); /* accepts NULL */

/* Another program comes. */
void icons_forget(struct icons *i); /* accepts NULL */

enum icons_result {
	ICONS_NONE,
	ICONS_FOUND,
	ICONS_LATE, /* not all could be compared until then */
	ICONS_DAMAGED,
	ICONS_MEMORY
};
/* Whether an icon is like one of a line in both groups; ICON_GROUP_ANY is
 * each.  The same bytes each time until it forgets. */
enum icons_result
icons_match(struct icons *i, struct span object, const struct exe *x,
    const uint64_t group[ICON_COLUMNS], int64_t deadline_ns);

#endif
