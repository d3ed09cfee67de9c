#ifndef FORMATS_EXE_ICON_INT_H
#define FORMATS_EXE_ICON_INT_H

#include "formats/bytes.h"
#include "formats/exe/icon.h"

/* A decoded icon as large as it is: 0xRRGGBB, row by row from the top. */
struct icon_image {
	uint32_t width, height;
	uint32_t pixel[PE_ICON_PIXELS];
};

/* What stands at `at` of the object, as icon resources have it; false if that
 * is none that is compared. */
bool icon_decode(struct span object, uint64_t at, struct icon_image *out);
/* Works on `im` itself. */
void icon_scale(struct icon_image *im, struct icon *out);

#endif
