#ifndef TEXT_DECODE_H
#define TEXT_DECODE_H

#include "base/buf.h"
#include "formats/peel.h"

/* Encodings of mail bodies, into the member that is begun; false: the sink
 * wants no more. */
bool decode_quoted(struct span text, struct peel *out); /* RFC 2045 */
/* The lines of a uuencoded file from *at on, which is then behind its end. */
bool decode_uu(struct span text, size_t *at, struct peel *out);

/* Files in text, each a member: uuencoded, and BinHex 4.0.  False: the sink
 * wants no more.  *damaged: one of them broke off. */
bool uu_give(struct span text, struct peel *out);
bool binhex_give(struct span text, struct peel *out, bool *damaged);

/* %41 or =41 as the byte; all else as it is. */
void decode_escapes(struct span s, char mark, struct buf *out);

#endif
