#ifndef SCAN_LINKS_H
#define SCAN_LINKS_H

#include "scan/links/url.h"
#include "scan/set/set.h"

/* Links of mails against what a set knows: whose names phishing mail borrows
 * (.pdb), what may look like that and is not (.wdb), hashes of links that are
 * known to be bad (.gdb).
 *
 * A link is suspected when the host that is shown is listed, the pair is not
 * allowed, and the real link is another owner's, or worse. */
struct links; /* one thread at a time; borrows the set */

/* *out is NULL when the set knows nothing of links. */
enum err links_new(
    struct scan_set *set, struct links **out, struct errinfo *ei) MUST_USE;
void links_free(struct links *l); /* accepts NULL */

struct links_hit {
	char name[SCAN_NAME_MAX]; /* "Heuristics...." */
	struct set_name from;     /* whose source is the list's */
};
enum links_result { LINKS_CLEAN, LINKS_FOUND, LINKS_DAMAGED };
/* `shown` may be empty: nothing is there to be read. */
enum links_result links_check(struct links *l, struct span real,
    struct span shown, struct links_hit *out);

/* What a list's text becomes in the set, and what is looked up there. */
uint32_t links_hash(struct span text);

#endif
