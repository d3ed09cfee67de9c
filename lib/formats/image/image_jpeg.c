#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "formats/image/image_int.h"

/* Progressive pictures can be made to cost much for each byte of theirs: by
 * many scans, of which each goes over all pixels. */
#define SCANS_MAX 64

struct decoder {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr error;
	struct jpeg_progress_mgr progress;
	jmp_buf out;
	struct picture picture;
	uint8_t *row;
};

static void
on_error(j_common_ptr c)
{
	struct decoder *d = c->client_data;

	longjmp(d->out, 1);
}

/* A warning says that the file is damaged. */
static void
on_message(j_common_ptr c, int level)
{
	if (level < 0)
		on_error(c);
}

static void
on_output(j_common_ptr c)
{
	(void)c;
}

static void
on_progress(j_common_ptr c)
{
	struct decoder *d = c->client_data;

	if (c->is_decompressor && d->jpeg.input_scan_number > SCANS_MAX)
		on_error(c);
}

static void
rows_read(struct decoder *d)
{
	struct picture *p = &d->picture;

	for (uint32_t y = 0; y < p->height; y++) {
		uint8_t *grey = p->grey + (size_t)y * p->width;

		(void)jpeg_read_scanlines(&d->jpeg, &d->row, 1);
		for (size_t x = 0; x < p->width; x++)
			grey[x] = grey_of(d->row[3 * x], d->row[3 * x + 1],
			    d->row[3 * x + 2]);
	}
}

static bool
decode(struct decoder *d, struct span object)
{
	if (setjmp(d->out) != 0)
		return false;
	jpeg_create_decompress(&d->jpeg);
	d->jpeg.client_data = d;
	d->jpeg.progress = &d->progress;
	d->jpeg.mem->max_memory_to_use = 256L << 20;
	jpeg_mem_src(&d->jpeg, (const unsigned char *)object.ptr, object.len);
	if (jpeg_read_header(&d->jpeg, TRUE) != JPEG_HEADER_OK ||
	    !picture_make(
		&d->picture, d->jpeg.image_width, d->jpeg.image_height))
		return false;
	d->jpeg.out_color_space = JCS_RGB;
	(void)jpeg_start_decompress(&d->jpeg);
	d->row = calloc(d->picture.width, 3);
	if (d->row == NULL || d->jpeg.output_width != d->picture.width ||
	    d->jpeg.output_height != d->picture.height ||
	    d->jpeg.output_components != 3)
		return false;
	rows_read(d);
	return true;
}

bool
picture_jpeg(struct span object, struct picture *p)
{
	struct decoder d = { .progress = { .progress_monitor = on_progress } };
	bool good;

	if (!bytes_are(object, 0, SPAN("\xff\xd8\xff")))
		return false;
	d.jpeg.err = jpeg_std_error(&d.error);
	d.jpeg.client_data = &d;
	d.error.error_exit = on_error;
	d.error.emit_message = on_message;
	d.error.output_message = on_output;
	good = decode(&d, object);
	jpeg_destroy_decompress(&d.jpeg);
	free(d.row);
	if (good)
		*p = d.picture;
	else
		free(d.picture.grey);
	return good;
}
