#ifndef TESTS_FORMATS_ICON_MAKE_H
#define TESTS_FORMATS_ICON_MAKE_H

#include "base/buf.h"

/* Icons and programs that have them, made out of nothing. */

#define ICON_HEADER 40u

/* An icon resource.  `pixel` gives words of `depth` bits, of 8 bits and less
 * indices into a palette of greys; nothing is hidden. */
void icon_make(struct buf *out, uint32_t width, uint32_t height, unsigned depth,
    uint32_t (*pixel)(uint32_t x, uint32_t y));

/* A program whose only group has these icons, numbered from 1 on; a heap block
 * of its own size, to be freed. */
struct span
icon_program(const struct span *icons, size_t n, uint16_t characteristics);

#endif
