#include "scan/icons/print.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_VALUE  51  /* of 255 */
#define NEAR_COLOUR 814 /* of 4072 */
#define LEAST_GREY  70  /* of confidence */

unsigned
icon_line_side(const struct icon_print *icon)
{
	return icon->side / 8 * 8;
}

/* 0: elsewhere, or another value; else 40 to 100. */
static int
score(const struct icon_area *a, const struct icon_area *b, int reach, int near)
{
	int dx = a->x - b->x, dy = a->y - b->y;
	int apart = (int)sqrt((double)(dx * dx + dy * dy));

	if (apart > reach || abs(a->value - b->value) > near)
		return 0;
	return 100 - 60 * apart / reach;
}

/* The mean of what each area of the icon finds in the line.  One of the line
 * may be found by several: it matters which is which. */
static int
agreement(const struct icon_area *icon, const struct icon_area *line, size_t n,
    int reach, int near)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		int best = 0;

		for (size_t k = 0; k < n; k++) {
			int s = score(&icon[i], &line[k], reach, near);

			if (s > best)
				best = s;
		}
		sum += best;
	}
	return sum / (int)n;
}

struct pair {
	const struct icon_print *icon, *line;
	int reach; /* how far an area may have moved */
};

static int
agree(const struct pair *p, enum icon_list list, int near)
{
	return agreement(p->icon->area[list], p->line->area[list], ICON_AREAS,
	    p->reach, near);
}

/* Two lists as one of twice the length. */
static int
agree_both(const struct pair *p, enum icon_list first, enum icon_list second)
{
	struct icon_area icon[2 * ICON_AREAS], line[2 * ICON_AREAS];
	size_t half = sizeof(p->icon->area[first]);

	memcpy(icon, p->icon->area[first], half);
	memcpy(icon + ICON_AREAS, p->icon->area[second], half);
	memcpy(line, p->line->area[first], half);
	memcpy(line + ICON_AREAS, p->line->area[second], half);
	return agreement(icon, line, 2 * ICON_AREAS, p->reach, NEAR_VALUE);
}

static int
alike(int a, int b)
{
	int much = 100 - 10 * abs(a - b);

	return much > 0 ? much : 0;
}

static int
agree_in_shares(const struct icon_print *a, const struct icon_print *b)
{
	return (alike(a->red, b->red) + alike(a->green, b->green) +
		   alike(a->blue, b->blue) + alike(a->coloured, b->coloured)) /
	    4;
}

/* Five parts of six, so never more than 83. */
static int
confidence_of_grey(const struct pair *p)
{
	return (agree(p, ICON_BRIGHT, NEAR_VALUE) +
		   agree(p, ICON_DARK, NEAR_VALUE) +
		   2 * agree_both(p, ICON_EDGE, ICON_COLOUR) +
		   agree_both(p, ICON_QUIET, ICON_GREY)) /
	    6;
}

static int
confidence_of_colour(const struct pair *p)
{
	bool both = p->icon->coloured != 0 && p->line->coloured != 0;
	int colour = both ? agree(p, ICON_COLOUR, NEAR_COLOUR) : 0;
	int grey = both ? agree(p, ICON_GREY, NEAR_COLOUR) : 0;
	int quiet = agree(p, ICON_QUIET, NEAR_VALUE);

	return (colour +
		   2 * (grey + agree(p, ICON_BRIGHT, NEAR_VALUE) + quiet) / 3 +
		   agree(p, ICON_DARK, NEAR_VALUE) +
		   agree(p, ICON_EDGE, NEAR_VALUE) +
		   agree_in_shares(p->icon, p->line)) /
	    6;
}

static int
least_confidence(unsigned side)
{
	static const struct {
		unsigned side;
		int least;
	} sides[] = { { 16, 72 }, { 24, 68 }, { 32, 64 } };

	for (size_t i = 0; i < COUNT(sides); i++)
		if (sides[i].side == side)
			return sides[i].least;
	return INT32_MAX;
}

bool
icon_is_like(const struct icon_print *icon, const struct icon_print *line,
    unsigned *confidence)
{
	struct pair p = { icon, line, icon->side / 4 * 3 / 4 };
	bool grey = icon->coloured == 0 && line->coloured == 0;
	int is = grey ? confidence_of_grey(&p) : confidence_of_colour(&p);

	*confidence = (unsigned)is;
	return is >= (grey ? LEAST_GREY : least_confidence(line->side));
}
