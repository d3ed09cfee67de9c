#include "testing.h"

#include <jpeglib.h>
#include <png.h>

#include "base/buf.h"
#include "formats/image/image.h"

/* One picture of 16 colours in every format.  Its hash is what `sigtool
 * --fuzzy-img` of ClamAV 1.4 says of these files. */
#define WIDTH    100u
#define HEIGHT   70u
#define HASH     0xb5b5e5e0e94819f0ull
#define FILE_MAX ((size_t)1 << 20)

static unsigned
colour(uint32_t x, uint32_t y)
{
	return ((x * 3 + y * y / 7 + x * y / 31) / 16) & 15;
}

static void
rgb(unsigned c, uint8_t out[3])
{
	out[0] = (uint8_t)(c * 16);
	out[1] = (uint8_t)(255 - c * 13);
	out[2] = (uint8_t)(c * c);
}

static void
put(struct buf *b, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		buf_char(b, (char)v);
		v >>= 8;
	}
}

static void
bmp_make(struct buf *b, unsigned bits, bool masks)
{
	uint8_t c[3];

	buf_text(b, "BM");
	put(b, 0, 8);
	put(b, 54 + 64, 4);
	put(b, 40, 4);
	put(b, WIDTH, 4);
	put(b, HEIGHT, 4);
	put(b, 1, 2);
	put(b, bits, 2);
	put(b, masks ? 3 : 0, 4);
	put(b, 0, 12);
	put(b, bits <= 8 ? 16 : 0, 4);
	put(b, 0, 4);
	for (unsigned i = 0; i < 16; i++) {
		rgb(i, c);
		if (masks) /* red lowest, then green, then blue */
			put(b, i < 3 ? 0xffu << (8 * i) : 0, 4);
		else
			put(b, (uint32_t)(c[2] | c[1] << 8 | c[0] << 16), 4);
	}
	for (uint32_t y = HEIGHT; y-- > 0;) {
		for (uint32_t x = 0; x < WIDTH; x++) {
			unsigned k = colour(x, y);

			rgb(k, c);
			if (bits == 4 && x % 2 == 0)
				put(b, k << 4 | colour(x + 1, y), 1);
			else if (bits == 8)
				put(b, k, 1);
			else if (masks)
				put(b,
				    (uint32_t)(c[0] | c[1] << 8 | c[2] << 16),
				    4);
			else if (bits >= 24)
				put(b,
				    (uint32_t)(c[2] | c[1] << 8 | c[0] << 16),
				    bits / 8);
		}
		while ((b->len - 54 - 64) % 4 != 0)
			put(b, 0, 1);
	}
}

static void
bmp4(struct buf *b)
{
	bmp_make(b, 4, false);
}
static void
bmp8(struct buf *b)
{
	bmp_make(b, 8, false);
}
static void
bmp24(struct buf *b)
{
	bmp_make(b, 24, false);
}
static void
bmp32(struct buf *b)
{
	bmp_make(b, 32, false);
}
static void
bmp_masks(struct buf *b)
{
	bmp_make(b, 32, true);
}

/* ---- GIF ------------------------------------------------------------------ */

#define CLEAR 16u

struct bits {
	uint8_t block[256];
	unsigned n, have;
	uint32_t v;
};

static void
put_code(struct buf *b, struct bits *s, unsigned code, unsigned width)
{
	s->v |= code << s->have;
	s->have += width;
	for (; s->have >= 8; s->have -= 8, s->v >>= 8) {
		s->block[s->n++] = (uint8_t)s->v;
		if (s->n < 255)
			continue;
		put(b, 255, 1);
		buf_add(b, s->block, 255);
		s->n = 0;
	}
}

/* Strings of `before` and `last`, looked for one by one. */
static void
lzw_put(struct buf *b, const uint8_t *in, size_t n)
{
	static struct {
		unsigned before, last;
	} string[4096];
	unsigned next = CLEAR + 2, width = 5, now = in[0];
	struct bits s = { .n = 0 };

	put_code(b, &s, CLEAR, width);
	for (size_t i = 1; i <= n; i++) {
		unsigned k = CLEAR + 2;

		while (i < n && k < next &&
		    (string[k].before != now || string[k].last != in[i]))
			k++;
		if (i < n && k < next) {
			now = k;
			continue;
		}
		put_code(b, &s, now, width);
		if (i == n)
			break;
		string[next].before = now;
		string[next++].last = now = in[i];
		if (next == (1u << width) + 1 && width < 12)
			width++;
		if (next < 4095)
			continue;
		put_code(b, &s, CLEAR, width);
		next = CLEAR + 2;
		width = 5;
	}
	put_code(b, &s, CLEAR + 1, width);
	put_code(b, &s, 0, 7);
	put(b, s.n, 1);
	buf_add(b, s.block, s.n);
	put(b, 0, 1);
}

static void
gif_make(struct buf *b, bool interlaced)
{
	static const uint32_t pass[][2] = { { 0, 8 }, { 4, 8 }, { 2, 4 },
		{ 1, 2 } };
	static uint8_t in[WIDTH * HEIGHT];
	uint8_t c[3];
	size_t n = 0;

	buf_text(b, "GIF89a");
	put(b, WIDTH | HEIGHT << 16, 4);
	put(b, 0xf3, 3);
	for (unsigned i = 0; i < 16; i++) {
		rgb(i, c);
		buf_add(b, c, 3);
	}
	buf_add(b, "!\xf9\x04\x01\0\0\x03\0", 8);
	put(b, ',', 5);
	put(b, WIDTH | HEIGHT << 16, 4);
	put(b, interlaced ? 0x40 : 0, 1);
	put(b, 4, 1);
	for (unsigned k = 0; k < (interlaced ? 4 : 1); k++)
		for (uint32_t y = pass[k][0]; y < HEIGHT;
		     y += interlaced ? pass[k][1] : 1)
			for (uint32_t x = 0; x < WIDTH; x++)
				in[n++] = (uint8_t)colour(x, y);
	lzw_put(b, in, n);
	put(b, ';', 1);
}

static void
gif(struct buf *b)
{
	gif_make(b, false);
}
static void
gif_interlaced(struct buf *b)
{
	gif_make(b, true);
}

/* ---- PNG and JPEG --------------------------------------------------------- */

static void
on_write(png_struct *p, png_byte *bytes, size_t n)
{
	buf_add(png_get_io_ptr(p), bytes, n);
}

static void
png_make(struct buf *b, int type, int depth, int interlace)
{
	png_struct *p =
	    png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_info *info = png_create_info_struct(p);
	static uint8_t row[HEIGHT][8 * WIDTH], *rows[HEIGHT];
	unsigned step = (type == PNG_COLOR_TYPE_RGB_ALPHA ? 4u : 3u);
	unsigned wide = (unsigned)depth / 8;

	for (uint32_t y = 0; y < HEIGHT; y++) {
		rows[y] = row[y];
		for (uint32_t x = 0; x < WIDTH; x++) {
			uint8_t c[3];

			rgb(colour(x, y), c);
			for (unsigned i = 0; i < 3 * wide; i++)
				row[y][x * step * wide + i] = c[i / wide];
		}
	}
	png_set_write_fn(p, b, on_write, NULL);
	png_set_IHDR(p, info, WIDTH, HEIGHT, depth, type, interlace,
	    PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_set_rows(p, info, rows);
	png_write_png(p, info, PNG_TRANSFORM_IDENTITY, NULL);
	png_destroy_write_struct(&p, &info);
}

static void
png_plain(struct buf *b)
{
	png_make(b, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE);
}
static void
png_alpha(struct buf *b)
{
	png_make(b, PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_ADAM7);
}
static void
png_deep(struct buf *b)
{
	png_make(b, PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_NONE);
}

static void
jpeg_make(struct buf *b, bool progressive)
{
	struct jpeg_compress_struct j;
	struct jpeg_error_mgr e;
	unsigned char *bytes = NULL;
	unsigned long n = 0;

	j.err = jpeg_std_error(&e);
	jpeg_create_compress(&j);
	jpeg_mem_dest(&j, &bytes, &n);
	j.image_width = WIDTH;
	j.image_height = HEIGHT;
	j.input_components = 3;
	j.in_color_space = JCS_RGB;
	jpeg_set_defaults(&j);
	jpeg_set_quality(&j, 95, TRUE);
	if (progressive)
		jpeg_simple_progression(&j);
	jpeg_start_compress(&j, TRUE);
	for (uint32_t y = 0; y < HEIGHT; y++) {
		uint8_t row[3 * WIDTH], *rows = row;

		for (uint32_t x = 0; x < WIDTH; x++)
			rgb(colour(x, y), row + 3 * (size_t)x);
		(void)jpeg_write_scanlines(&j, &rows, 1);
	}
	jpeg_finish_compress(&j);
	jpeg_destroy_compress(&j);
	buf_add(b, bytes, n);
	free(bytes);
}

static void
jpeg(struct buf *b)
{
	jpeg_make(b, false);
}
static void
jpeg_progressive(struct buf *b)
{
	jpeg_make(b, true);
}

static const struct maker {
	const char *name;
	void (*make)(struct buf *b);
} makers[] = {
	{ "bmp4", bmp4 },
	{ "bmp8", bmp8 },
	{ "bmp24", bmp24 },
	{ "bmp32", bmp32 },
	{ "bmp_masks", bmp_masks },
	{ "gif", gif },
	{ "gif_interlaced", gif_interlaced },
	{ "png", png_plain },
	{ "png_alpha", png_alpha },
	{ "png_deep", png_deep },
	{ "jpeg", jpeg },
	{ "jpeg_progressive", jpeg_progressive },
};
#define MAKERS (sizeof(makers) / sizeof(makers[0]))

static void
a_picture_has_one_hash_in_all_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < MAKERS; i++) {
		struct buf b = buf_make(FILE_MAX);
		uint64_t hash = 0;

		TEST_CASE(makers[i].name);
		makers[i].make(&b);
		assert_true(image_hash(buf_view(&b), &hash));
		assert_int_equal(hash, HASH);
		buf_free(&b);
	}
}

/* Exactly as many bytes, so that a sanitizer sees what reads beyond. */
static bool
hash_copy(struct span s, size_t n, uint64_t *hash)
{
	char *copy = malloc(n + 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, s.ptr, n);
	good = image_hash((struct span){ copy, n }, hash);
	free(copy);
	return good;
}

static void
a_picture_torn_anywhere_has_none_or_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < MAKERS; i++) {
		struct buf b = buf_make(FILE_MAX);
		uint64_t hash;

		makers[i].make(&b);
		for (size_t n = 0; n < b.len; n += n < 200 ? 1 : 1 + n / 60)
			if (hash_copy(buf_view(&b), n, &hash))
				assert_int_equal(hash, HASH);
		buf_free(&b);
	}
}

static void
damage_is_survived(void **state)
{
	uint32_t noise = 1;

	(void)state;
	for (size_t i = 0; i < MAKERS; i++) {
		struct buf b = buf_make(FILE_MAX);
		uint64_t hash;

		makers[i].make(&b);
		for (unsigned turn = 0; turn < 200; turn++) {
			size_t at;
			char was;

			noise = noise * 1664525 + 1013904223;
			at = (noise >> 8) % (turn < 100 ? 80 : b.len);
			was = b.ptr[at];
			b.ptr[at] = (char)noise;
			(void)hash_copy(buf_view(&b), b.len, &hash);
			b.ptr[at] = was;
		}
		buf_free(&b);
	}
}

/* A frame much larger than its canvas would cost more than it has pixels. */
static void
a_frame_of_too_many_pixels_is_not_decoded(void **state)
{
	struct buf b = buf_make(FILE_MAX);
	uint64_t hash;

	(void)state;
	gif(&b);
	/* behind the header, 16 colours, an extension and the frame's place */
	memset(b.ptr + 13 + 48 + 8 + 5, 0xff, 4);
	assert_false(image_hash(buf_view(&b), &hash));
	buf_free(&b);
}

static void
absurd_sizes_and_other_bytes_have_none(void **state)
{
	static const struct span files[] = {
		{ "", 0 },
		{ "GIF89a", 6 },
		{ "GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08"
		  "\xff",
		    25 },
		{ "GIF89a\0\0\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\x08\x01\0\0", 27 },
		{ "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f"
		  "\0\0\0\x80\1\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		  "\0\0\0\0\0",
		    54 },
		{ "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff"
		  "\xff\x08\x02\0\0\0",
		    29 },
		{ "\xff\xd8\xff\xe0", 4 },
		{ "MZ", 2 },
	};
	uint64_t hash;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_false(hash_copy(files[i], files[i].len, &hash));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_picture_has_one_hash_in_all_formats),
		cmocka_unit_test(a_picture_torn_anywhere_has_none_or_the_same),
		cmocka_unit_test(damage_is_survived),
		cmocka_unit_test(a_frame_of_too_many_pixels_is_not_decoded),
		cmocka_unit_test(absurd_sizes_and_other_bytes_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
