#ifndef PACK_LZX_H
#define PACK_LZX_H

#include "base/span.h"

/* LZX as in Microsoft's help files and cabinets: LZ77 over a window of 2^15
 * to 2^21 bytes, frames of LZX_FRAME bytes that end on 16-bit words. */
#define LZX_FRAME    32768u
#define LZX_BITS_MIN 15u
#define LZX_BITS_MAX 21u

struct lzx;
/* NULL: no memory.  window_bits between LZX_BITS_MIN and _MAX. */
struct lzx *lzx_new(unsigned window_bits);
void lzx_free(struct lzx *z); /* accepts NULL */
/* What follows starts afresh, with these bytes, `at` bytes into the output. */
void lzx_reset(struct lzx *z, struct span in, uint64_t at);
/* The next `len` bytes, at most LZX_FRAME; fewer when *ok became false: the
 * rest cannot be read before another reset.  Valid until the next call. */
struct span lzx_frame(struct lzx *z, size_t len, bool *ok);

#endif
