#ifndef SCAN_RULES_BUILD_COMPILE_H
#define SCAN_RULES_BUILD_COMPILE_H

#include <yara.h>

#include "base/buf.h"

/* libyara's compiler with our variables, and what it says. */

#define COMPLAINT_MAX 200u /* bytes of a message */

struct complaint {
	size_t line;    /* from 1 on; 0: libyara named none */
	bool error;     /* else a warning */
	char rule[129]; /* the one that libyara was at, or "" */
	char reason[COMPLAINT_MAX];
};

struct complaints {
	struct buf list; /* struct complaint */
};

void complaints_init(struct complaints *c);
void complaints_free(struct complaints *c);

/* NULL when memory is out.  `c` must live as long. */
YR_COMPILER *rules_compiler_new(struct complaints *c);
/* Appends libyara's stream of what was compiled; ends the compiler. */
enum err rules_compiler_end(
    YR_COMPILER *yc, struct buf *out, struct errinfo *ei) MUST_USE;

#endif
