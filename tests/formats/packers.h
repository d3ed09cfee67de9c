#ifndef TESTS_FORMATS_PACKERS_H
#define TESTS_FORMATS_PACKERS_H

#include "testing.h"

#include "base/buf.h"

/* The usual libraries, one call each: they append to `b`. */
typedef void pack_fn(struct buf *b, struct span s);
pack_fn pack_stored;
pack_fn pack_deflate; /* bare */
pack_fn pack_zlib;
pack_fn pack_bzip2;
pack_fn pack_bzip2_nsis; /* of one block */
pack_fn pack_lzma;       /* five bytes of properties and the stream */
pack_fn pack_lzma2;      /* a byte of properties and the stream */

#endif
