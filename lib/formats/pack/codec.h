#ifndef PACK_CODEC_H
#define PACK_CODEC_H

#include "formats/pack/flow.h"

/* Streams of the usual libraries, and what archives made of them.  Each
 * reads `in` until the stream ends, or the flow wants no more, and tells in
 * *used (which may be NULL) how much it took.  False: the stream is damaged
 * or broken off; what was readable is in the flow. */
typedef bool codec_fn(struct span in, struct flow *f, size_t *used);

codec_fn codec_stored;
codec_fn codec_deflate;    /* RFC 1951, bare */
codec_fn codec_zlib;       /* RFC 1950 */
codec_fn codec_bzip2;      /* "BZh" */
codec_fn codec_bzip2_nsis; /* without heads and checksums, see bzip2.c */
codec_fn codec_lzma;       /* 5 bytes of properties, then LZMA, to its mark */
codec_fn codec_lzma_x86;   /* the same, calls were made absolute before */
codec_fn codec_lzma2;      /* a byte of properties, then LZMA2 */
codec_fn codec_lzma_alone; /* .lzma: properties, size, LZMA */

/* Whether these bytes may be the properties of LZMA as packers set them. */
bool codec_lzma_likely(struct span s);

#define CODEC_RING 65536u /* a good size for the flow */

#endif
