#ifndef SCAN_ICONS_PRINT_H
#define SCAN_ICONS_PRINT_H

#include "formats/exe/icon.h"
#include "scan/set/format.h"

/* What .idb lines tell of an icon, and how like two of these are.  Computed as
 * ClamAV 1.4 does, to the digit: lines are made with that.  No state, any
 * thread. */

/* Of a grey icon the lists of colour and grey hold more edges, as in lines. */
void icon_print(const struct icon *icon, struct icon_print *out);

/* Whether the icon is like the line; their sides must belong together: see
 * icon_line_side().  *confidence: 0 to 100. */
bool icon_is_like(const struct icon_print *icon, const struct icon_print *line,
    unsigned *confidence);
/* The side of the lines that an icon of this side is compared with. */
unsigned icon_line_side(const struct icon_print *icon);

#endif
