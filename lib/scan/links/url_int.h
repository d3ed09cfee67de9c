#ifndef SCAN_URL_INT_H
#define SCAN_URL_INT_H

#include "scan/links/url.h"

/* What url.c and url_forms.c share. */

/* A copy without what nobody sees, cut at the size of `out`. */
struct span url_clean(struct span text, char out[URL_TEXT_MAX]);
/* %41 as the byte, in place; the new length.  *zero is set when a byte 0 or 1
 * comes out of it, and not at the end. */
size_t url_unescape(char *text, size_t len, bool *zero);
/* What stands before the first "/", "?" or "#". */
struct span url_authority(struct span s);
/* Without the user, the port and stops at its ends. */
struct span url_host_of(struct span authority);

#endif
