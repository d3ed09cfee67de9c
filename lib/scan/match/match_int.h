#ifndef SCAN_MATCH_INT_H
#define SCAN_MATCH_INT_H

#include "scan/match/match.h"
#include "scan/match/pattern.h"
#include "scan/match/regex.h"

/* What logic.c, sub_*.c and match.c share. */

/* What is known of a sub of the signature that is being evaluated. */
struct sub_matches {
	uint32_t asked; /* it was counted up to here; 0: not yet */
	uint32_t count;
	size_t first, last; /* where these matches begin */
};

struct evaluation {
	struct scan_set *set;
	struct pattern *pattern;
	struct regex_cache *regexes;
	const struct match_object *object;
	const struct sig *sig;
	struct sig_variant *variant; /* scratch */
	struct sub_matches sub[SUBS_MAX];
	unsigned depth; /* subs that ask for subs */
	bool damaged;   /* the record makes no sense */
};
/* Whether the signature matches the object; *at is where, or 0. */
bool sig_matches(struct evaluation *v, size_t *at);
/* For a signature that tells a format: all places, up to `most`. */
void sig_places(struct evaluation *v, uint32_t most);
/* Counts the matches of a sub up to `most`. */
const struct sub_matches *
sub_count(struct evaluation *v, uint32_t sub, uint32_t most);
/* Whether the expression at the reader holds; leaves it behind it. */
bool expression_holds(struct evaluation *v, struct reader *r);
/* Where a place is in this object; false: nowhere. */
bool place_range(const struct match_object *o, const struct sig_place *place,
    struct pattern_range *out);

/* Kinds of subs: add to `to` what they match, up to `most`. */
typedef void sub_fn(struct evaluation *v, uint32_t sub, struct reader *r,
    uint32_t most, struct sub_matches *to);
sub_fn sub_body, sub_pcre, sub_bytes, sub_image;
/* The matches of the body `sub` and of the macro behind it, which take from
 * each other. */
void sub_macro(struct evaluation *v, uint32_t sub);
/* All matches of an encoded body, wherever its place allows. */
void
body_each(struct evaluation *v, struct reader *r, pattern_fn *fn, void *arg);

/* Adds a match; false: that was the last that is wanted. */
bool sub_add(struct sub_matches *to, size_t at, uint32_t most);

#endif
