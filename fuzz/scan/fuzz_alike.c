#include <assert.h>
#include <string.h>

#include "scan/icons/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The side's number, pixels (the rest of an icon is the last one), then a line
 * as a set has it. */
static size_t
read_icon(const uint8_t *data, size_t size, struct icon *out)
{
	static const uint32_t sides[] = { 16, 18, 20, 21, 24, 27, 28, 30, 32 };
	size_t at = 1;
	uint32_t pixel = 0;

	out->side = sides[size == 0 ? 0 : data[0] % COUNT(sides)];
	for (uint32_t i = 0; i < out->side * out->side; i++) {
		if (at + 3 <= size && i < 200) {
			memcpy(&pixel, data + at, 3);
			at += 3;
		}
		out->pixel[i] = pixel;
	}
	return at < size ? at : size;
}

static void
check_print(const struct icon *icon, const struct icon_print *p)
{
	const struct icon_area *a = &p->area[0][0];

	assert(p->side == icon->side);
	assert(p->red + p->green + p->blue <= 103 && p->coloured <= 100);
	for (size_t i = 0; i < (size_t)ICON_LISTS * ICON_AREAS; i++)
		assert(a[i].x < icon->side && a[i].y < icon->side &&
		    (a[i].value <= 4072 || a[i].value == UINT16_MAX));
}

/* Any icon: what it is told by is within bounds, and as like itself as an icon
 * gets.  Any line, damaged as it may be: a confidence of at most 100. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct icon icon;
	struct icon_print p, line = { 0 };
	size_t at = read_icon(data, size, &icon), left = size - at;
	unsigned confidence;

	icon_print(&icon, &p);
	check_print(&icon, &p);
	memcpy(&line, data + at, left < sizeof(line) ? left : sizeof(line));
	(void)icon_is_like(&p, &line, &confidence);
	assert(confidence <= 100);
	line = p;
	line.side = (uint8_t)icon_line_side(&p);
	assert(icon_is_like(&p, &line, &confidence));
	assert(confidence == (p.coloured == 0 ? 83 : 100));
	return 0;
}
