#ifndef FORMATS_IMAGE_IMAGE_H
#define FORMATS_IMAGE_IMAGE_H

#include "base/span.h"

/* PICTURES, as far as signatures speak of how they look.  No state, any
 * thread. */

/* What `fuzzy_img#` compares: a perceptual hash of a PNG, JPEG, GIF or BMP
 * picture, written in hex as signatures have it, highest digit first.  False
 * for anything else, for what is damaged, and for pictures of more pixels than
 * are decoded here.  Time and memory: O(pixels). */
bool image_hash(struct span object, uint64_t *hash);

#endif
