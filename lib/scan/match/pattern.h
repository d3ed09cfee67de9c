#ifndef SCAN_PATTERN_H
#define SCAN_PATTERN_H

#include "scan/match/grams.h"
#include "scan/set/record.h"

/* One pattern against one object.  Memory is fixed when it is made. */
struct pattern { /* one thread at a time */
	const unsigned char *data;
	size_t len;
	int64_t deadline_ns;
	size_t work; /* since the last look at the clock */
	bool late;   /* the deadline has passed: answers mean nothing */
	unsigned char *pivots; /* PIVOTS_MAX bytes, unmasked */
	unsigned char *folded; /* a block in small letters */
	struct grams grams;
};
enum err pattern_init(struct pattern *p, struct errinfo *ei) MUST_USE;
void pattern_clear(struct pattern *p);
void pattern_object(struct pattern *p, struct span object, int64_t deadline_ns);
/* Counts n bytes of work; looks at the clock now and then. */
void pattern_work(struct pattern *p, size_t n);

/* The places where a variant may begin, both included. */
struct pattern_range {
	size_t from, to;
};
/* Tells of a match: where it begins and where it ends.  False: enough. */
typedef bool pattern_fn(void *arg, size_t from, size_t to);
/* Calls fn for matches in rising order of their ends, one for each end. */
void pattern_each(struct pattern *p, const struct sig_variant *v,
    struct pattern_range range, pattern_fn *fn, void *arg);
/* Whether this part of the variant stands at `at`. */
bool pattern_part(struct pattern *p, const struct sig_variant *v,
    const struct sig_part *part, size_t at);

/* Whether the parts before and behind part `k`, which stands at `at`, stand
 * where they may; true if that is not cheap to tell. */
bool pattern_around(
    struct pattern *p, const struct sig_variant *v, uint32_t k, size_t at);

#endif
