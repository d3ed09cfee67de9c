#include "formats/exe/icon_int.h"

/* An icon resource: BITMAPINFOHEADER of twice the height, palette, pixels,
 * mask, the lowest row first.  How large the resource is, how it is packed and
 * how many colours it uses is ignored: the end of the file is the only bound. */

#define HEADER   40u
#define SIDE_MIN 16u
#define SIDE_MAX 256u
#define OPAQUE   0xff000000u

struct bitmap {
	uint32_t width, height, depth;
	const unsigned char *palette; /* of 2^depth words, if it has one */
	const unsigned char *pixels;
	size_t stride, mask_stride; /* bytes of a row */
};

/* A pixel of a row: 0xAARRGGBB. */
typedef uint32_t
pixel_fn(const struct bitmap *b, const unsigned char *row, uint32_t x);

static uint32_t
pixel_indexed(const struct bitmap *b, const unsigned char *row, uint32_t x)
{
	uint32_t bit = x * b->depth;
	uint32_t i = (uint32_t)row[bit / 8] >> (8 - b->depth - bit % 8);
	uint32_t word;

	i &= (1u << b->depth) - 1;
	memcpy(&word, b->palette + 4 * i, sizeof(word));
	return word;
}

/* Shifted too far there: green reaches into red, red into opacity. */
static uint32_t
pixel_16(const struct bitmap *b, const unsigned char *row, uint32_t x)
{
	uint32_t p = row[2 * x], q = row[2 * x + 1];
	uint32_t blue = p & 31, green = p >> 5 | (q & 3) << 3, red = q & 0xfc;

	(void)b;
	return (blue << 3 | blue >> 2) | (green << 3 | green >> 2) << 11 |
	    (red << 3 | red >> 2) << 17;
}

static uint32_t
pixel_24(const struct bitmap *b, const unsigned char *row, uint32_t x)
{
	const unsigned char *p = row + (size_t)3 * x;

	(void)b;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static uint32_t
pixel_32(const struct bitmap *b, const unsigned char *row, uint32_t x)
{
	uint32_t word;

	(void)b;
	memcpy(&word, row + (size_t)4 * x, sizeof(word));
	return word;
}

static pixel_fn *
pixel_fn_of(uint32_t depth)
{
	static const struct {
		uint32_t depth;
		pixel_fn *fn;
	} depths[] = { { 1, pixel_indexed }, { 4, pixel_indexed },
		{ 8, pixel_indexed }, { 16, pixel_16 }, { 24, pixel_24 },
		{ 32, pixel_32 } };

	for (size_t i = 0; i < COUNT(depths); i++)
		if (depths[i].depth == depth)
			return depths[i].fn;
	return NULL;
}

static bool
side_fits(uint32_t side, uint32_t other)
{
	return side >= SIDE_MIN && side <= SIDE_MAX && side >= 3 * other / 4;
}

/* False if it is of no size or depth that is read; *size is the header's. */
static bool
header_read(struct span object, uint64_t at, struct bitmap *b, uint32_t *size)
{
	uint16_t depth;

	if (!bytes_have(object, at, HEADER))
		return false;
	(void)bytes_le32(object, at, size);
	(void)bytes_le32(object, at + 4, &b->width);
	(void)bytes_le32(object, at + 8, &b->height);
	(void)bytes_le16(object, at + 14, &depth);
	b->height /= 2;
	b->depth = depth;
	b->stride = ((size_t)b->width * depth + 31) / 32 * 4;
	b->mask_stride = ((size_t)b->width + 31) / 32 * 4;
	return *size >= HEADER && b->height <= SIDE_MAX &&
	    side_fits(b->width, b->height) && side_fits(b->height, b->width);
}

/* What stands behind the header; false if it is not all there. */
static bool
place_rows(struct span object, uint64_t at, struct bitmap *b)
{
	size_t colours = b->depth > 8 ? 0 : (size_t)4 << b->depth;
	size_t rows = b->stride + (b->depth == 32 ? 0 : b->mask_stride);

	if (!bytes_have(object, at, colours + rows * b->height))
		return false;
	b->palette = (const unsigned char *)object.ptr + at;
	b->pixels = b->palette + colours;
	return true;
}

static void
read_pixels(const struct bitmap *b, pixel_fn *fn, struct icon_image *out)
{
	uint32_t *to = out->pixel;

	for (uint32_t y = b->height; y-- > 0;)
		for (uint32_t x = 0; x < b->width; x++)
			*to++ = fn(b, b->pixels + y * b->stride, x);
}

/* What the mask does not hide is opaque. */
static void
apply_mask(
    const struct bitmap *b, const unsigned char *mask, struct icon_image *out)
{
	uint32_t *to = out->pixel;

	for (uint32_t y = b->height; y-- > 0;)
		for (uint32_t x = 0; x < b->width; x++, to++)
			if ((mask[y * b->mask_stride + x / 8] >> (7 - x % 8) &
				1) == 0)
				*to |= OPAQUE;
}

static bool
has_opacity(const struct icon_image *im)
{
	for (size_t i = 0; i < (size_t)im->width * im->height; i++)
		if ((im->pixel[i] & OPAQUE) != 0)
			return true;
	return false;
}

/* A mask stands behind all but those that say themselves what is opaque; if
 * these say that nothing is, a mask is sought there too. */
static void
make_opaque(struct span object, const struct bitmap *b, struct icon_image *im)
{
	const unsigned char *mask = b->pixels + b->stride * b->height;
	uint64_t at = (uint64_t)((const char *)mask - object.ptr);

	if (b->depth == 32 && has_opacity(im))
		return;
	if (bytes_have(object, at, (uint64_t)b->mask_stride * b->height)) {
		apply_mask(b, mask, im);
		return;
	}
	for (size_t i = 0; i < (size_t)im->width * im->height; i++)
		im->pixel[i] |= OPAQUE;
}

static uint32_t
over_white(uint32_t word)
{
	uint32_t opaque = word >> 24, out = 0;

	for (unsigned shift = 0; shift < 24; shift += 8)
		out |= (255 - opaque + opaque * (word >> shift & 0xff) / 255)
		    << shift;
	return out;
}

bool
icon_decode(struct span object, uint64_t at, struct icon_image *out)
{
	struct bitmap b;
	uint32_t header;
	pixel_fn *fn;

	if (!header_read(object, at, &b, &header))
		return false;
	fn = pixel_fn_of(b.depth);
	/* In 32 bits: ffffffff is one byte before the icon. */
	if (fn == NULL || !place_rows(object, (uint32_t)at + header, &b))
		return false;
	out->width = b.width;
	out->height = b.height;
	read_pixels(&b, fn, out);
	make_opaque(object, &b, out);
	for (size_t i = 0; i < (size_t)b.width * b.height; i++)
		out->pixel[i] = over_white(out->pixel[i]);
	return true;
}
