#include <math.h>
#include <stdlib.h>

#include "formats/image/image_int.h"

/* THE HASH.  The picture in grey is made 32 x 32 by Lanczos' window of 3;
 * of its cosine transform the 8 x 8 lowest frequencies are each compared with
 * their median: one bit each, row by row. */

#define SIDE 32u
#define LOW  8u
#define TAPS 3.0
/* What a frequency of pictures that do not have it comes to at most. */
#define NOISE 1e-6

bool
picture_make(struct picture *p, uint64_t width, uint64_t height)
{
	if (width == 0 || height == 0 || width > IMAGE_SIDE_MAX ||
	    height > IMAGE_SIDE_MAX || width * height > IMAGE_PIXELS_MAX)
		return false;
	p->width = (uint32_t)width;
	p->height = (uint32_t)height;
	p->grey = calloc(width * height, 1);
	return p->grey != NULL;
}

uint8_t
grey_of(uint8_t red, uint8_t green, uint8_t blue)
{
	return (
	    uint8_t)((19595u * red + 38470u * green + 7471u * blue + 0x8000u) >>
	    16);
}

static double
sinc(double x)
{
	return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double
window(double x)
{
	return fabs(x) < TAPS ? sinc(x) * sinc(x / TAPS) : 0;
}

/* Which of `n` points make point number i of SIDE, and how much of each. */
struct taps {
	uint32_t from, to;
	double scale, centre, sum;
};

static double
tap(const struct taps *t, uint32_t k)
{
	return window((k - t->centre) / t->scale);
}

static struct taps
taps_make(uint32_t n, uint32_t i)
{
	double ratio = (double)n / SIDE, scale = ratio < 1 ? 1 : ratio;
	double centre = (i + 0.5) * ratio;
	double left = floor(centre - TAPS * scale);
	double right = ceil(centre + TAPS * scale);
	struct taps t = { .scale = scale, .centre = centre - 0.5 };

	t.from = left < 0 ? 0 : (uint32_t)left;
	if (t.from >= n)
		t.from = n - 1;
	t.to = right > n ? n : (uint32_t)right;
	if (t.to <= t.from)
		t.to = t.from + 1;
	for (uint32_t k = t.from; k < t.to; k++)
		t.sum += tap(&t, k);
	return t;
}

/* For all columns, with the weights one point after the other. */
struct across {
	struct taps taps[SIDE];
	double *weights;
};

static bool
across_make(struct across *a, uint32_t n)
{
	size_t all = 0, at = 0;

	for (uint32_t i = 0; i < SIDE; i++) {
		a->taps[i] = taps_make(n, i);
		all += a->taps[i].to - a->taps[i].from;
	}
	a->weights = calloc(all, sizeof(*a->weights));
	if (a->weights == NULL)
		return false;
	for (uint32_t i = 0; i < SIDE; i++) {
		const struct taps *t = &a->taps[i];

		for (uint32_t k = t->from; k < t->to; k++)
			a->weights[at++] = tap(t, k) / t->sum;
	}
	return true;
}

/* One row of the small picture out of columns' sums: first down, then
 * across. */
static void
row_make(const struct picture *p, uint32_t i, double *columns,
    const struct across *a, double out[SIDE])
{
	struct taps down = taps_make(p->height, i);
	const double *w = a->weights;

	for (uint32_t x = 0; x < p->width; x++)
		columns[x] = 0;
	for (uint32_t y = down.from; y < down.to; y++) {
		const uint8_t *row = p->grey + (size_t)y * p->width;
		double much = tap(&down, y) / down.sum;

		for (uint32_t x = 0; x < p->width; x++)
			columns[x] += much * row[x];
	}
	for (uint32_t j = 0; j < SIDE; j++) {
		double v = 0;

		for (uint32_t x = a->taps[j].from; x < a->taps[j].to; x++)
			v += columns[x] * *w++;
		v = round(v);
		out[j] = v < 0 ? 0 : v > 255 ? 255 : v;
	}
}

static bool
shrink(const struct picture *p, double small[SIDE][SIDE])
{
	double *columns = calloc(p->width, sizeof(*columns));
	struct across a;
	bool good = across_make(&a, p->width) && columns != NULL;

	for (uint32_t i = 0; good && i < SIDE; i++)
		row_make(p, i, columns, &a, small[i]);
	free(columns);
	free(a.weights);
	return good;
}

static void
transform(double small[SIDE][SIDE], double low[LOW * LOW])
{
	double wave[LOW][SIDE];

	for (unsigned k = 0; k < LOW; k++)
		for (unsigned n = 0; n < SIDE; n++)
			wave[k][n] = cos(M_PI * k * (2 * n + 1) / (2 * SIDE));
	for (unsigned u = 0; u < LOW; u++)
		for (unsigned v = 0; v < LOW; v++) {
			double sum = 0;

			for (unsigned y = 0; y < SIDE; y++)
				for (unsigned x = 0; x < SIDE; x++)
					sum += small[y][x] * wave[u][y] *
					    wave[v][x];
			low[u * LOW + v] = fabs(sum) < NOISE ? 0 : sum;
		}
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint64_t
hash_of(const double low[LOW * LOW])
{
	double sorted[LOW * LOW], median;
	uint64_t hash = 0;

	memcpy(sorted, low, sizeof(sorted));
	qsort(sorted, LOW * LOW, sizeof(sorted[0]), ascending);
	median = (sorted[LOW * LOW / 2 - 1] + sorted[LOW * LOW / 2]) / 2;
	for (unsigned i = 0; i < LOW * LOW; i++)
		hash = hash << 1 | (low[i] > median);
	return hash;
}

bool
image_hash(struct span object, uint64_t *hash)
{
	static picture_decoder_fn *const decoders[] = { picture_png,
		picture_jpeg, picture_gif, picture_bmp };
	double small[SIDE][SIDE], low[LOW * LOW];
	struct picture p = { 0 };
	bool good = false;

	for (size_t i = 0; !good && i < sizeof(decoders) / sizeof(decoders[0]);
	     i++)
		good = decoders[i](object, &p);
	good = good && shrink(&p, small);
	free(p.grey);
	if (!good)
		return false;
	transform(small, low);
	*hash = hash_of(low);
	return true;
}
