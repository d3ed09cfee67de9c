#ifndef SCAN_MATCH_H
#define SCAN_MATCH_H

#include "formats/exe/exe.h"
#include "scan/set/record.h"
#include "scan/set/set.h"

/* Body and logical signatures against one object.  The prefilter passes over
 * the bytes once for each anchor width; only signatures whose anchor it meets
 * are decoded and looked at, each at most once.  State grows with what is
 * met, not with the set. */
struct matcher; /* one thread at a time */

/* What signatures ask about the object besides its bytes. */
struct match_facts {
	void *arg;
	/* Whether a condition of a signature holds; fields as record.h says. */
	bool (*holds)(
	    void *arg, enum sig_condition kind, struct reader *fields);
	/* The program that the object is, or NULL. */
	const struct exe *(*exe)(void *arg);
	/* Where the entries of its version information begin. */
	size_t (*versions)(void *arg, const uint64_t **places);
	/* How the picture that the object is looks; false: it is none. */
	bool (*image)(void *arg, uint64_t *hash);
	/* Something of this format begins at `at`. */
	void (*embedded)(void *arg, enum format format, size_t at);
	/* A signature matches.  False: enough. */
	bool (*found)(void *arg, const struct sig *sig, size_t at);
};
struct match_object {
	struct span bytes;
	enum set_target target;
	int64_t deadline_ns; /* monotonic */
	const struct match_facts *facts;
};

enum match_result { MATCH_DONE, MATCH_ENOUGH, MATCH_LATE, MATCH_DAMAGED };

enum err matcher_new(
    struct scan_set *set, struct matcher **out, struct errinfo *ei) MUST_USE;
void matcher_free(struct matcher *m); /* accepts NULL */
enum match_result
matcher_scan(struct matcher *m, const struct match_object *object);

/* Whether the regular expression of signature `sig` is in a member's name. */
bool matcher_name_fits(struct matcher *m, uint32_t sig, struct span masked,
    struct span flags, struct span name);

#endif
