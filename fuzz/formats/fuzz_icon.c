#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/exe/icon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ICONS_MOST 50u /* more are slow, and say nothing new */

struct taken {
	size_t n;
	uint64_t sum;
};

static void
check_side(uint32_t side)
{
	static const uint32_t sides[] = { 16, 18, 20, 21, 24, 27, 28, 30, 32 };
	size_t i = 0;

	while (i < sizeof(sides) / sizeof(sides[0]) && sides[i] != side)
		i++;
	assert(i < sizeof(sides) / sizeof(sides[0]));
}

static bool
take(void *arg, const struct icon *icon)
{
	struct taken *t = arg;

	assert(t->n < ICONS_MOST);
	check_side(icon->side);
	for (uint32_t i = 0; i < icon->side * icon->side; i++) {
		assert(icon->pixel[i] <= 0xffffff);
		t->sum = t->sum * 31 + icon->pixel[i];
	}
	return ++t->n < ICONS_MOST;
}

/* Whatever the bytes: icons are small squares of colours without opacity, the
 * same each time, and no more are given than are wanted. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span object = { (const char *)data, size };
	struct taken a = { 0, 0 }, b = { 0, 0 };
	static struct exe x;
	bool good = exe_parse(object, &x);

	assert(pe_icons(object, &x, take, &a));
	assert(pe_icons(object, &x, take, &b));
	assert(a.n == b.n && a.sum == b.sum);
	assert(a.n == 0 || good || x.has_sections);
	return 0;
}
