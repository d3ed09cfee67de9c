#ifndef FORMATS_BASE64_H
#define FORMATS_BASE64_H

#include "base/buf.h"
#include "formats/peel.h"

/* Base64 (RFC 4648); characters that do not belong there are passed over, and
 * behind '=' another text may begin.  Into the member that is begun; false if
 * the sink wants no more. */
bool base64_give(struct span text, struct peel *out);
void base64_add(struct span text, struct buf *out);

#endif
