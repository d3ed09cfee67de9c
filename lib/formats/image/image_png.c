#include <png.h>
#include <stdlib.h>

#include "formats/image/image_int.h"

/* libpng's own errors jump back here; what they jump over is in `struct
 * decoder`, which nothing else holds. */
struct decoder {
	png_struct *png;
	png_info *info;
	struct span in;
	size_t at;
	struct picture picture;
	uint8_t *rows; /* RGB, all of them: pictures may be interlaced */
	uint8_t **row;
};

static void
on_read(png_struct *png, png_byte *out, size_t n)
{
	struct decoder *d = png_get_io_ptr(png);

	if (!bytes_load(d->in, d->at, out, n))
		png_error(png, "short");
	d->at += n;
}

static void
on_error(png_struct *png, png_const_charp text)
{
	(void)text;
	png_longjmp(png, 1);
}

static void
on_warning(png_struct *png, png_const_charp text)
{
	(void)png;
	(void)text;
}

/* 8 bits of red, green and blue, whatever it has; alpha is dropped. */
static void
form_set(struct decoder *d)
{
	png_set_expand(d->png);
	png_set_scale_16(d->png);
	png_set_gray_to_rgb(d->png);
	png_set_strip_alpha(d->png);
	(void)png_set_interlace_handling(d->png);
	png_read_update_info(d->png, d->info);
}

static bool
rows_make(struct decoder *d)
{
	size_t width = 3 * (size_t)d->picture.width;

	if (png_get_rowbytes(d->png, d->info) != width)
		return false;
	d->rows = calloc(d->picture.height, width);
	d->row = calloc(d->picture.height, sizeof(*d->row));
	for (uint32_t i = 0;
	     d->rows != NULL && d->row != NULL && i < d->picture.height; i++)
		d->row[i] = d->rows + i * width;
	return d->rows != NULL && d->row != NULL;
}

static bool
decode(struct decoder *d)
{
	if (setjmp(png_jmpbuf(d->png)) != 0)
		return false;
	png_set_read_fn(d->png, d, on_read);
	png_set_user_limits(d->png, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
	png_set_chunk_cache_max(d->png, 64);
	png_set_chunk_malloc_max(d->png, 1u << 20);
	png_read_info(d->png, d->info);
	if (!picture_make(&d->picture, png_get_image_width(d->png, d->info),
		png_get_image_height(d->png, d->info)))
		return false;
	form_set(d);
	if (!rows_make(d))
		return false;
	png_read_image(d->png, d->row);
	return true;
}

bool
picture_png(struct span object, struct picture *p)
{
	struct decoder d = { .in = object };
	bool good;

	if (!bytes_are(object, 0, SPAN("\x89PNG\r\n\x1a\n")))
		return false;
	d.png = png_create_read_struct(
	    PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
	if (d.png == NULL)
		return false;
	d.info = png_create_info_struct(d.png);
	good = d.info != NULL && decode(&d);
	png_destroy_read_struct(&d.png, &d.info, NULL);
	for (size_t i = 0;
	     good && i < (size_t)d.picture.width * d.picture.height; i++)
		d.picture.grey[i] = grey_of(
		    d.rows[3 * i], d.rows[3 * i + 1], d.rows[3 * i + 2]);
	free(d.rows);
	free(d.row);
	if (good)
		*p = d.picture;
	else
		free(d.picture.grey);
	return good;
}
