#ifndef TEXT_LINES_H
#define TEXT_LINES_H

#include "base/span.h"

/* The line at *at without its end, which may be LF, CR LF or CR; *at is then
 * behind it.  False: none is left. */
bool lines_next(struct span s, size_t *at, struct span *line);
/* Letters compared without regard to case. */
bool lines_starts(struct span s, struct span prefix);
bool lines_same(struct span a, struct span b);

#endif
