#include "formats/image/image_int.h"

/* Bitmaps of Windows: 1, 4, 8, 24 and 32 bits a pixel, not compressed; of 32
 * bits also with masks that name a byte for each colour. */

#define MASKS    3u /* compression */
#define MASKS_AT 54u

struct bitmap {
	uint32_t data, header, compression, colours;
	int32_t width, height;
	uint16_t bits;
	unsigned byte[3]; /* red, green, blue: where within a pixel */
};

static bool
masks_read(struct span s, struct bitmap *b)
{
	uint32_t mask;

	for (unsigned i = 0; i < 3; i++) {
		b->byte[i] = 2 - i;
		if (b->compression == 0)
			continue;
		if (!bytes_le32(s, MASKS_AT + 4ull * i, &mask) || mask == 0)
			return false;
		b->byte[i] = (unsigned)__builtin_ctz(mask) / 8;
		if (mask != 0xffu << (8 * b->byte[i]))
			return false;
	}
	return b->compression == 0 || b->bits == 32;
}

static bool
header_read(struct span s, struct bitmap *b)
{
	uint32_t width, height;
	bool had = bytes_le32(s, 10, &b->data) && bytes_le32(s, 14, &b->header);

	had = had && b->header >= 40 && bytes_le32(s, 18, &width) &&
	    bytes_le32(s, 22, &height) && bytes_le16(s, 28, &b->bits) &&
	    bytes_le32(s, 30, &b->compression) &&
	    bytes_le32(s, 46, &b->colours);
	if (!had || (b->compression != 0 && b->compression != MASKS) ||
	    !masks_read(s, b))
		return false;
	b->width = (int32_t)width;
	b->height = (int32_t)height;
	if (b->colours == 0 && b->bits <= 8)
		b->colours = 1u << b->bits;
	return b->width > 0 && b->height != INT32_MIN &&
	    (b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 24 ||
		b->bits == 32);
}

/* Pixel number x of the row at `at`. */
static uint8_t
pixel(struct span s, const struct bitmap *b, uint64_t at, uint32_t x)
{
	uint8_t bgr[4] = { 0 }, index;

	if (b->bits >= 24) {
		(void)bytes_load(
		    s, at + x * (b->bits / 8ull), bgr, b->bits / 8u);
		return grey_of(
		    bgr[b->byte[0]], bgr[b->byte[1]], bgr[b->byte[2]]);
	}
	(void)bytes_u8(s, at + (uint64_t)x * b->bits / 8, &index);
	index = (uint8_t)(index >> (8 - b->bits - (uint64_t)x * b->bits % 8));
	index &= (uint8_t)((1u << b->bits) - 1);
	if (index < b->colours)
		(void)bytes_load(s, 14ull + b->header + 4ull * index, bgr, 3);
	return grey_of(bgr[2], bgr[1], bgr[0]);
}

bool
picture_bmp(struct span object, struct picture *p)
{
	struct bitmap b = { 0 };
	uint64_t row, height;

	if (!bytes_are(object, 0, SPAN("BM")) || !header_read(object, &b))
		return false;
	height = (uint64_t)(b.height < 0 ? -b.height : b.height);
	row = ((uint64_t)b.width * b.bits + 31) / 32 * 4;
	if (!bytes_have(object, b.data, row * height) ||
	    !picture_make(p, (uint64_t)b.width, height))
		return false;
	for (uint32_t y = 0; y < p->height; y++) {
		uint32_t from = b.height < 0 ? y : p->height - 1 - y;

		for (uint32_t x = 0; x < p->width; x++)
			p->grey[(size_t)y * p->width + x] =
			    pixel(object, &b, b.data + from * row, x);
	}
	return true;
}
