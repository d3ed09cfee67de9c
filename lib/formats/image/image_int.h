#ifndef FORMATS_IMAGE_INT_H
#define FORMATS_IMAGE_INT_H

#include "formats/bytes.h"
#include "formats/image/image.h"

/* More are not decoded: each costs up to 8 bytes of memory meanwhile. */
#define IMAGE_PIXELS_MAX (16u << 20)
#define IMAGE_SIDE_MAX   65535u

/* A decoded picture in grey, row by row. */
struct picture {
	uint32_t width, height;
	uint8_t *grey; /* belongs to it */
};

/* Memory, black; false if it has no pixel or too many. */
bool picture_make(struct picture *p, uint64_t width, uint64_t height);
uint8_t grey_of(uint8_t red, uint8_t green, uint8_t blue);

/* Each looks at the signature itself.  *p is filled in by true alone. */
typedef bool picture_decoder_fn(struct span object, struct picture *p);
picture_decoder_fn picture_png, picture_jpeg, picture_gif, picture_bmp;

#endif
