#include <stdlib.h>

#include "formats/image/image_int.h"

/* The first picture of a GIF, on a canvas of black.  What is transparent has
 * its colour nevertheless.  LZW with codes of up to 12 bits,
 * the lowest bit first, in blocks of up to 255 bytes. */

#define CODES   4096u
#define NO_CODE CODES

struct reader {
	struct span in;
	uint64_t at;
	unsigned block; /* bytes left in it */
	uint32_t bits;
	unsigned have;
	bool over;
};

struct frame {
	uint32_t left, top, width, height;
	bool interlaced;
	uint64_t table; /* of colours: 3 bytes each */
	unsigned colours;
};

static unsigned
byte(struct reader *r)
{
	uint8_t c;

	r->over = !bytes_u8(r->in, r->at, &c) || r->over;
	r->at++;
	return c;
}

static unsigned
half(struct reader *r)
{
	unsigned low = byte(r);

	return low | byte(r) << 8;
}

static unsigned
code_read(struct reader *r, unsigned width)
{
	unsigned c;

	while (r->have < width && !r->over) {
		if (r->block == 0)
			r->block = byte(r);
		if (r->block == 0) {
			r->over = true;
			return 0;
		}
		r->block--;
		r->bits |= byte(r) << r->have;
		r->have += 8;
	}
	c = r->bits & ((1u << width) - 1);
	r->bits >>= width;
	r->have -= r->have < width ? r->have : width;
	return c;
}

static void
blocks_skip(struct reader *r)
{
	unsigned n;

	while ((n = byte(r)) != 0 && !r->over)
		r->at += n;
}

struct lzw {
	uint16_t before[CODES];
	uint8_t last[CODES], stack[CODES + 1];
	unsigned least, width, next, previous;
	uint8_t first;
};

static void
lzw_clear(struct lzw *z)
{
	z->width = z->least + 1;
	z->next = (1u << z->least) + 2;
	z->previous = NO_CODE;
}

/* The bytes that `code` stands for, last one first; 0 if for none. */
static unsigned
lzw_expand(struct lzw *z, unsigned code)
{
	unsigned n = 0, c = code;

	if (code > z->next || (code == z->next && z->previous == NO_CODE))
		return 0;
	if (code == z->next) {
		z->stack[n++] = z->first;
		c = z->previous;
	}
	for (; c >= 1u << z->least && n < CODES; c = z->before[c])
		z->stack[n++] = z->last[c];
	z->stack[n++] = z->first = (uint8_t)c;
	if (z->previous != NO_CODE && z->next < CODES) {
		z->before[z->next] = (uint16_t)z->previous;
		z->last[z->next] = z->first;
		z->next++;
		if (z->next == 1u << z->width && z->width < 12)
			z->width++;
	}
	z->previous = code;
	return n;
}

/* Where row number i of an interlaced picture is. */
static uint32_t
row_place(const struct frame *f, uint32_t i)
{
	static const struct {
		uint32_t from, step;
	} passes[] = { { 0, 8 }, { 4, 8 }, { 2, 4 }, { 1, 2 } };

	for (unsigned k = 0; f->interlaced && k < 4; k++) {
		uint32_t n = f->height <= passes[k].from
		    ? 0
		    : (f->height - passes[k].from - 1) / passes[k].step + 1;

		if (i < n)
			return passes[k].from + i * passes[k].step;
		i -= n;
	}
	return i;
}

static void
pixel_put(struct span in, const struct frame *f, struct picture *p, uint64_t n,
    uint8_t colour)
{
	uint64_t x = f->left + n % f->width;
	uint64_t y = f->top + row_place(f, (uint32_t)(n / f->width));
	uint8_t rgb[3] = { 0 };

	if (x >= p->width || y >= p->height)
		return;
	if (colour < f->colours)
		(void)bytes_load(in, f->table + 3ull * colour, rgb, 3);
	p->grey[y * p->width + x] = grey_of(rgb[0], rgb[1], rgb[2]);
}

static bool
pixels_read(struct reader *r, const struct frame *f, struct picture *p)
{
	struct lzw *z = calloc(1, sizeof(*z));
	uint64_t want = (uint64_t)f->width * f->height, n = 0;

	if (z == NULL)
		return false;
	z->least = byte(r);
	if (z->least < 1 || z->least > 8) {
		free(z);
		return false;
	}
	lzw_clear(z);
	while (n < want) {
		unsigned code = code_read(r, z->width), k;

		if (r->over || code == (1u << z->least) + 1)
			break;
		if (code == 1u << z->least) {
			lzw_clear(z);
			continue;
		}
		k = lzw_expand(z, code);
		if (k == 0)
			break;
		while (k-- > 0 && n < want)
			pixel_put(r->in, f, p, n++, z->stack[k]);
	}
	free(z);
	return n == want;
}

static void
table_skip(struct reader *r, unsigned flags, struct frame *f)
{
	if ((flags & 0x80) == 0)
		return;
	f->table = r->at;
	f->colours = 2u << (flags & 7);
	r->at += 3ull * f->colours;
}

static bool
frame_find(struct reader *r, struct frame *f)
{
	unsigned flags;

	while (!r->over) {
		unsigned kind = byte(r);

		if (kind == 0x21) {
			(void)byte(r);
			blocks_skip(r);
			continue;
		}
		if (kind != 0x2c)
			return false;
		f->left = half(r);
		f->top = half(r);
		f->width = half(r);
		f->height = half(r);
		flags = byte(r);
		f->interlaced = (flags & 0x40) != 0;
		table_skip(r, flags, f);
		return !r->over && f->width > 0 && f->height > 0 &&
		    f->width <= IMAGE_PIXELS_MAX / f->height;
	}
	return false;
}

bool
picture_gif(struct span object, struct picture *p)
{
	struct reader r = { .in = object, .at = 6 };
	struct frame f = { 0 };
	struct picture made;
	uint32_t width, height;

	if (!bytes_are(object, 0, SPAN("GIF87a")) &&
	    !bytes_are(object, 0, SPAN("GIF89a")))
		return false;
	width = half(&r);
	height = half(&r);
	r.at += 2;
	table_skip(
	    &r, (unsigned char)(object.len > 10 ? object.ptr[10] : 0), &f);
	r.at = 13 + 3ull * f.colours;
	f.table = 13;
	if (!frame_find(&r, &f) || !picture_make(&made, width, height))
		return false;
	if (!pixels_read(&r, &f, &made)) {
		free(made.grey);
		return false;
	}
	*p = made;
	return true;
}
