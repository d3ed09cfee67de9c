#ifndef SCAN_RULES_H
#define SCAN_RULES_H

#include "base/span.h"

/* YARA rules at scan time, as rules_build.c compiled them and the set holds
 * them (masked).  libyara trusts
 * its stream: it is read only after the digest of the whole set was right,
 * and only inside a worker. */
struct rules; /* one thread at a time */

enum rules_result {
	RULES_NONE,
	RULES_FOUND,
	RULES_TIME,
	RULES_MEMORY,
	RULES_FAILED /* libyara gave up on these bytes */
};

enum err
rules_open(struct span masked, struct rules **out, struct errinfo *ei) MUST_USE;
void rules_close(struct rules *r); /* accepts NULL */
/* On RULES_FOUND *name and *source (the rule's file) belong to `r`. */
enum rules_result rules_scan(struct rules *r, struct span bytes, int seconds,
    const char **name, const char **source);

#endif
