#ifndef SCAN_RULES_FILTER_H
#define SCAN_RULES_FILTER_H

#include "base/span.h"
#include "scan/rules/rules_format.h"

/* Which leaves of the YARA rules could match an object: one pass over its
 * bytes for all strings of all rules, then the gates of those rules of which
 * something was found. */
struct rules_filter; /* one thread at a time */

/* Copies and checks all but the streams of libyara: ERR_CORRUPT for what
 * does not fit together. */
enum err rules_filter_open(
    struct span masked, struct rules_filter **out, struct errinfo *ei) MUST_USE;
void rules_filter_close(struct rules_filter *f); /* accepts NULL */

/* Numbers of leaves, valid until the next call. */
const uint32_t *
rules_filter_scan(struct rules_filter *f, struct span bytes, size_t *count);

size_t rules_filter_leaves(const struct rules_filter *f);
/* Where the stream of a leaf lies in what was given to open(). */
struct rules_region
rules_filter_leaf(const struct rules_filter *f, size_t leaf);
/* The file that a namespace of libyara ("0", "1", ...) stands for. */
const char *rules_filter_source(const struct rules_filter *f, const char *ns);

#endif
