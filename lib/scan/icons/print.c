#include "scan/icons/print.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Areas are squares of a quarter of the side with the most or the least of
 * something: colour, brightness, edges.  Whatever looks like a mistake below is
 * one, made when the first lines were made and kept since. */

#define PIXELS   (ICON_SIDE_MAX * ICON_SIDE_MAX)
#define AREAS    ICON_AREAS
#define LAST     (2 * AREAS) /* areas of one list, at most */
#define STRONG   85u         /* a pixel with more colour and light has a hue */
#define COLOURED 5u          /* per cent of such: more make an icon coloured */

/* A value for each pixel, row by row. */
struct plane {
	uint32_t side;
	uint32_t at[PIXELS];
};

/* ---- areas ------------------------------------------------------------------ */

struct area {
	uint32_t sum;
	int x, y;
};

/* Of each window, at its upper left pixel. */
static void
fill_sums(const struct plane *p, struct plane *sums)
{
	uint32_t side = p->side, window = side / 4;

	sums->side = side;
	for (uint32_t y = 0; y <= side - window; y++)
		for (uint32_t x = 0; x <= side - window; x++) {
			const uint32_t *from = &p->at[y * side + x];
			uint32_t sum = 0;

			for (uint32_t i = 0; i < window; i++, from += side)
				for (uint32_t k = 0; k < window; k++)
					sum += from[k];
			sums->at[y * side + x] = sum;
		}
}

static bool
overlaps(const struct area *found, size_t n, int window, int x, int y)
{
	for (size_t i = 0; i < n; i++)
		if (abs(x - found[i].x) < window &&
		    abs(y - found[i].y) < window)
			return true;
	return false;
}

/* The first one that nothing beats.  Two windows of each row and one of each
 * column are never looked at. */
static struct area
next_area(
    const struct plane *sums, bool most, const struct area *found, size_t n)
{
	int side = (int)sums->side, window = side / 4;
	struct area best = { most ? 0 : UINT32_MAX, 0, 0 };

	for (int y = 0; y < side - window; y++)
		for (int x = 0; x < side - window - 1; x++) {
			uint32_t sum;

			if (overlaps(found, n, window, x, y))
				continue;
			sum = sums->at[y * side + x];
			if (most ? sum > best.sum : sum < best.sum)
				best = (struct area){ sum, x, y };
		}
	return best;
}

/* The value is the mean; none that a line may have if there was no place. */
static void
find_areas(const struct plane *sums, bool most, size_t n, struct icon_area *out)
{
	uint32_t window = sums->side / 4;
	struct area found[LAST];

	assert(window > 0);
	for (size_t i = 0; i < n; i++) {
		uint32_t mean;

		found[i] = next_area(sums, most, found, i);
		mean = found[i].sum / (window * window);
		out[i] = (struct icon_area){
			(uint16_t)(mean < UINT16_MAX ? mean : UINT16_MAX),
			(uint8_t)found[i].x, (uint8_t)found[i].y
		};
	}
}

/* ---- colour and light --------------------------------------------------------- */

struct colour {
	uint32_t red, green, blue;
	uint32_t light;      /* the greatest of them */
	uint32_t span;       /* less the least */
	uint32_t saturation; /* 0 to 255 */
};

static struct colour
colour_of(uint32_t pixel)
{
	struct colour c = { .red = pixel >> 16 & 0xff,
		.green = pixel >> 8 & 0xff,
		.blue = pixel & 0xff };
	uint32_t least = c.red < c.green ? c.red : c.green;

	c.light = c.red > c.green ? c.red : c.green;
	if (c.blue > c.light)
		c.light = c.blue;
	if (c.blue < least)
		least = c.blue;
	c.span = c.light - least;
	c.saturation = c.span == 0 ? 0 : 255 * c.span / c.light;
	return c;
}

static uint32_t
share(uint32_t a, uint32_t b, uint32_t span)
{
	uint32_t distance = a > b ? a - b : b - a;

	return 100 - 100 * distance / span;
}

/* Which colours there are, if there are any. */
static void
fill_shares(const struct icon *icon, struct icon_print *out)
{
	uint32_t red = 0, green = 0, blue = 0, n = 0;
	uint32_t pixels = icon->side * icon->side;

	assert(pixels > 0);
	for (uint32_t i = 0; i < pixels; i++) {
		struct colour c = colour_of(icon->pixel[i]);

		if (c.saturation <= STRONG || c.light <= STRONG)
			continue;
		n++;
		red += share(c.green, c.blue, c.span);
		green += share(c.red, c.blue, c.span);
		blue += share(c.red, c.green, c.span);
	}
	if (100 * n / pixels <= COLOURED)
		return;
	out->red = (uint8_t)(red / n);
	out->green = (uint8_t)(green / n);
	out->blue = (uint8_t)(blue / n);
	out->coloured = (uint8_t)(100 * n / pixels);
}

static void
fill_colours(const struct icon *icon, struct icon_print *out)
{
	struct plane light = { .side = icon->side }, strength = light, sums;

	for (uint32_t i = 0; i < icon->side * icon->side; i++) {
		struct colour c = colour_of(icon->pixel[i]);

		light.at[i] = c.light;
		strength.at[i] = (uint32_t)sqrt(
		    (double)(c.saturation * c.saturation * c.light));
	}
	fill_sums(&strength, &sums);
	find_areas(&sums, true, AREAS, out->area[ICON_COLOUR]);
	find_areas(&sums, false, AREAS, out->area[ICON_GREY]);
	fill_sums(&light, &sums);
	find_areas(&sums, true, AREAS, out->area[ICON_BRIGHT]);
	find_areas(&sums, false, AREAS, out->area[ICON_DARK]);
}

/* ---- edges ---------------------------------------------------------------------- */

/* Its constants have single precision, its sums double. */
#define SINGLE(number) ((double)number##f)

/* sRGB as linear light, in per cent. */
static void
fill_linear(double linear[256])
{
	for (unsigned i = 0; i < 256; i++) {
		double u = i / 255.0;

		if (u > SINGLE(0.04045))
			u = pow(
			    (u + SINGLE(0.055)) / SINGLE(1.055), SINGLE(2.4));
		else
			u = u / SINGLE(12.92);
		linear[i] = u * 100;
	}
}

static double
lab(double t)
{
	if (t > SINGLE(0.008856))
		return pow(t, (double)(1.0f / 3.0f));
	return SINGLE(7.787) * t + (double)(16.0f / 116.0f);
}

/* How far a colour is from a certain grey, in CIE L*a*b*. */
static double
distance(const double linear[256], uint32_t pixel)
{
	double r = linear[pixel >> 16 & 0xff], g = linear[pixel >> 8 & 0xff],
	       b = linear[pixel & 0xff];
	double x =
	    lab((SINGLE(0.4124) * r + SINGLE(0.3576) * g + SINGLE(0.1805) * b) /
		SINGLE(95.047));
	double y =
	    lab((SINGLE(0.2126) * r + SINGLE(0.7152) * g + SINGLE(0.0722) * b) /
		100);
	double z =
	    lab((SINGLE(0.0193) * r + SINGLE(0.1192) * g + SINGLE(0.9505) * b) /
		SINGLE(108.883));
	double dl = SINGLE(53.19278) - (116 * y - 16);
	double da = SINGLE(0.0031420942) - 500 * (x - y);
	double db = SINGLE(-0.0062075877) - 200 * (y - z);

	return sqrt(dl * dl + da * da + db * db);
}

/* Sobel's operator, cut; `d` is the middle of three rows. */
static uint32_t
gradient(const double *d, size_t side)
{
	const double *up = d - side, *down = d + side;
	double gx = up[-1] + 2 * d[-1] + down[-1] - up[1] - 2 * d[1] - down[1];
	double gy =
	    up[-1] + 2 * up[0] + up[1] - down[-1] - 2 * down[0] - down[1];

	return (uint32_t)sqrt(gx * gx + gy * gy);
}

/* Inner pixels as parts of the strongest edge; without any, their blue. */
static void
fill_edges(const struct icon *icon, struct plane *e)
{
	size_t side = icon->side;
	double linear[256], d[PIXELS];
	uint32_t most = 0;

	fill_linear(linear);
	for (size_t i = 0; i < side * side; i++)
		d[i] = distance(linear, icon->pixel[i]);
	for (size_t y = 1; y + 1 < side; y++)
		for (size_t x = 1; x + 1 < side; x++) {
			size_t i = y * side + x;

			e->at[i] = gradient(&d[i], side);
			if (e->at[i] > most)
				most = e->at[i];
		}
	for (size_t y = 1; y + 1 < side; y++)
		for (size_t x = 1; x + 1 < side; x++) {
			size_t i = y * side + x;

			e->at[i] = most == 0 ? icon->pixel[i] & 0xff
					     : 255 * e->at[i] / most;
		}
}

/* 1 2 1 across, then down; the rows above are done when they are used. */
static void
blur(struct plane *e)
{
	uint32_t side = e->side;
	struct plane h = { .side = side };

	for (uint32_t y = 1; y + 1 < side; y++)
		for (uint32_t x = 1; x + 1 < side; x++) {
			const uint32_t *p = &e->at[y * side + x];

			h.at[y * side + x] = (p[-1] + 2 * p[0] + p[1]) / 4;
		}
	for (uint32_t y = 1; y + 1 < side; y++)
		for (uint32_t x = 1; x + 1 < side; x++) {
			uint32_t i = y * side + x;

			h.at[i] =
			    (h.at[i - side] + 2 * h.at[i] + h.at[i + side]) / 4;
		}
	*e = h;
}

/* Of a grey icon three more of each stand in place of colour and grey, the
 * quiet ones at the places of the edges. */
static void
fill_areas_of_edges(const struct icon *icon, struct icon_print *out)
{
	struct plane e = { .side = icon->side }, sums;
	struct icon_area edge[LAST], quiet[LAST];
	size_t n = out->coloured == 0 ? LAST : AREAS;

	fill_edges(icon, &e);
	blur(&e);
	fill_sums(&e, &sums);
	find_areas(&sums, true, n, edge);
	find_areas(&sums, false, n, quiet);
	for (size_t i = 0; i < n; i++) {
		if (i < AREAS) {
			out->area[ICON_EDGE][i] = edge[i];
			out->area[ICON_QUIET][i] = quiet[i];
			continue;
		}
		out->area[ICON_COLOUR][i - AREAS] = edge[i];
		out->area[ICON_GREY][i - AREAS] = edge[i];
		out->area[ICON_GREY][i - AREAS].value = quiet[i].value;
	}
}

void
icon_print(const struct icon *icon, struct icon_print *out)
{
	*out = (struct icon_print){ .side = (uint8_t)icon->side };
	fill_shares(icon, out);
	fill_colours(icon, out);
	fill_areas_of_edges(icon, out);
}
