#include <stdlib.h>

#include "formats/exe/icon_int.h"

/* Squares whose side is a multiple of 24 or 32 are halved until they are small
 * enough, whatever side that gives; all else is made 16, 24 or 32 pixels wide
 * and high, by taking the nearest. */

static uint32_t
mean(uint32_t a, uint32_t b)
{
	uint32_t out = 0;

	for (unsigned shift = 0; shift < 24; shift += 8)
		out |= ((a >> shift & 0xff) + (b >> shift & 0xff)) / 2 << shift;
	return out;
}

/* What is written stands before what is still to be read. */
static void
halve(struct icon_image *im)
{
	uint32_t width = im->width, *to = im->pixel;

	for (uint32_t y = 0; y + 1 < im->height; y += 2) {
		const uint32_t *row = im->pixel + (size_t)y * width;

		for (uint32_t x = 0; x + 1 < width; x += 2)
			*to++ = mean(mean(row[x], row[x + 1]),
			    mean(row[width + x], row[width + x + 1]));
	}
	im->width /= 2;
	im->height /= 2;
}

static int
distance(const struct icon_image *im, int side)
{
	return abs((int)im->width - side) + abs((int)im->height - side);
}

/* The smaller of two that are as near. */
static uint32_t
nearest_side(const struct icon_image *im)
{
	if (distance(im, 32) < distance(im, 24))
		return 32;
	return distance(im, 24) < distance(im, 16) ? 24 : 16;
}

/* Columns are rounded, rows cut. */
static void
take_nearest(const struct icon_image *im, struct icon *out)
{
	double sx = (double)im->width / out->side;
	double sy = (double)im->height / out->side;

	for (uint32_t y = 0; y < out->side; y++)
		for (uint32_t x = 0; x < out->side; x++) {
			uint32_t column = (uint32_t)(x * sx + 0.5);
			uint32_t row = (uint32_t)(y * sy);

			if (column >= im->width)
				column = im->width - 1;
			out->pixel[y * out->side + x] =
			    im->pixel[row * im->width + column];
		}
}

void
icon_scale(struct icon_image *im, struct icon *out)
{
	bool square = im->width == im->height &&
	    (im->width == 16 || im->width % 24 == 0 || im->width % 32 == 0);

	while (square && im->width > ICON_SIDE_MAX)
		halve(im);
	out->side = square ? im->width : nearest_side(im);
	if (square)
		memcpy(out->pixel, im->pixel,
		    (size_t)out->side * out->side * sizeof(*out->pixel));
	else
		take_nearest(im, out);
}
