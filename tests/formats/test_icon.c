#include "testing.h"

#include "formats/exe/icon.h"
#include "formats/icon_make.h"

/* All of this is held against clamscan by tests/scan/diff/icons.py; here are
 * the rules one by one. */

#define ICON_BYTES ((size_t)1 << 19)
#define LIBRARY    0x2000u

struct taken {
	size_t n, most;
	struct icon last;
	uint32_t corner[256]; /* the upper left pixel of each */
};

static bool
take(void *arg, const struct icon *icon)
{
	struct taken *t = arg;

	t->last = *icon;
	t->corner[t->n++ & 255] = icon->pixel[0];
	return t->n < t->most;
}

static void
take_all(struct taken *t, struct span program, size_t most)
{
	struct exe x;

	memset(t, 0, sizeof(*t));
	t->most = most;
	(void)exe_parse(program, &x);
	assert_true(pe_icons(program, &x, take, t));
}

/* Takes the icons of a program that is freed. */
static void
take_made(struct taken *t, const struct span *icons, size_t n, uint16_t flags)
{
	struct span program = icon_program(icons, n, flags);

	take_all(t, program, SIZE_MAX);
	free((void *)(uintptr_t)program.ptr);
}

static void
take_one(struct taken *t, const struct buf *icon)
{
	struct span one = buf_view(icon);

	take_made(t, &one, 1, 0x102);
}

static uint32_t
black(uint32_t x, uint32_t y)
{
	(void)x;
	(void)y;
	return 0xff000000;
}

/* 0xff112233 in a checker of 16 x 16 pixels, else black. */
static uint32_t
checker(uint32_t x, uint32_t y)
{
	return ((x ^ y) >> 4 & 1) == 0 ? 0xff112233 : 0xff000000;
}

static uint32_t
place(uint32_t x, uint32_t y)
{
	return 0xff000000 | x << 8 | y;
}

static void
an_icon_is_scaled_to_a_small_square(void **state)
{
	static const struct {
		uint32_t width, height, side;
	} cases[] = { { 16, 16, 16 }, { 24, 24, 24 }, { 32, 32, 32 },
		{ 48, 48, 24 }, { 64, 64, 32 }, { 72, 72, 18 }, { 96, 96, 24 },
		{ 120, 120, 30 }, { 128, 128, 32 }, { 144, 144, 18 },
		{ 160, 160, 20 }, { 168, 168, 21 }, { 192, 192, 24 },
		{ 216, 216, 27 }, { 224, 224, 28 }, { 240, 240, 30 },
		{ 256, 256, 32 }, { 17, 17, 16 }, { 20, 20, 16 },
		{ 28, 28, 24 }, { 29, 29, 32 }, { 40, 40, 32 }, { 32, 24, 24 },
		{ 18, 24, 24 }, { 200, 256, 32 }, { 16, 15, 0 }, { 15, 16, 0 },
		{ 257, 257, 0 }, { 16, 23, 0 }, { 22, 16, 16 }, { 23, 16, 0 },
		{ 16, 22, 16 }, { 24, 16, 0 } };
	struct buf icon = buf_make(ICON_BYTES);
	struct taken t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&icon);
		icon_make(&icon, cases[i].width, cases[i].height, 32, checker);
		take_one(&t, &icon);
		assert_int_equal(t.last.side, cases[i].side);
		assert_int_equal(t.n, cases[i].side > 0);
		if (t.n > 0)
			assert_int_equal(t.last.pixel[0], 0x112233);
	}
	buf_free(&icon);
}

static void
halving_cuts_and_nearest_rounds_columns(void **state)
{
	struct buf icon = buf_make(ICON_BYTES);
	struct taken t;

	(void)state;
	icon_make(&icon, 64, 64, 32, place);
	take_one(&t, &icon);
	assert_int_equal(t.last.pixel[0], 0); /* of 0 and 1 */
	assert_int_equal(t.last.pixel[33], 0x202);
	buf_clear(&icon);
	icon_make(&icon, 40, 40, 32, place); /* 1.25 a pixel */
	take_one(&t, &icon);
	assert_int_equal(t.last.pixel[1], 0x100);
	assert_int_equal(t.last.pixel[2], 0x300);
	assert_int_equal(t.last.pixel[2 * 32], 2);
	assert_int_equal(t.last.pixel[31], 39u << 8);
	buf_free(&icon);
}

static uint32_t
ones(uint32_t x, uint32_t y)
{
	(void)x;
	(void)y;
	return 0xffffffff;
}

static uint32_t
mixed_16(uint32_t x, uint32_t y)
{
	(void)x;
	(void)y;
	return 0x7fe0; /* red and green */
}

static void
every_depth_has_its_pixels(void **state)
{
	static const struct {
		unsigned depth;
		uint32_t (*pixel)(uint32_t x, uint32_t y);
		uint32_t want;
		size_t n;
	} cases[] = { { 1, ones, 0xffffff, 1 }, { 1, black, 0, 1 },
		{ 4, ones, 0xffffff, 1 }, { 4, mixed_16, 0, 1 },
		{ 8, mixed_16, 0xe0e0e0, 1 }, { 8, ones, 0xffffff, 1 },
		/* Its green reaches into red. */
		{ 16, mixed_16, 0xfff800, 1 }, { 16, black, 0, 1 },
		{ 24, ones, 0xffffff, 1 }, { 24, black, 0, 1 },
		{ 32, checker, 0x112233, 1 } };
	struct buf icon = buf_make(ICON_BYTES);
	struct taken t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&icon);
		icon_make(&icon, 16, 16, cases[i].depth, cases[i].pixel);
		take_one(&t, &icon);
		assert_int_equal(t.n, cases[i].n);
		assert_int_equal(t.last.pixel[0], cases[i].want);
	}
	buf_free(&icon);
}

static uint32_t
clear_green(uint32_t x, uint32_t y)
{
	(void)x;
	(void)y;
	return 0x00ff00;
}

static uint32_t
half_black(uint32_t x, uint32_t y)
{
	return x + y == 0 ? 0xff000000 : 0x80000000;
}

static void
what_is_hidden_is_white(void **state)
{
	struct buf icon = buf_make(ICON_BYTES);
	struct taken t;
	size_t mask;

	(void)state;
	icon_make(&icon, 16, 16, 24, clear_green);
	mask = icon.len - 4; /* of the first row: it stands last */
	icon.ptr[mask] = (char)0x80;
	take_one(&t, &icon);
	assert_int_equal(t.last.pixel[0], 0xffffff);
	assert_int_equal(t.last.pixel[1], 0x00ff00);
	/* Nothing says that it is opaque: the mask does. */
	buf_clear(&icon);
	icon_make(&icon, 16, 16, 32, clear_green);
	icon.ptr[icon.len - 4] = (char)0x80;
	take_one(&t, &icon);
	assert_int_equal(t.last.pixel[0], 0xffffff);
	assert_int_equal(t.last.pixel[1], 0x00ff00);
	/* Else the mask says nothing. */
	buf_clear(&icon);
	icon_make(&icon, 16, 16, 32, half_black);
	icon.ptr[icon.len - 4] = (char)0x80;
	take_one(&t, &icon);
	assert_int_equal(t.last.pixel[0], 0);
	assert_int_equal(t.last.pixel[1], 0x7f7f7f);
	buf_free(&icon);
}

static void
a_header_says_enough(void **state)
{
	static const struct {
		size_t at;
		char byte;
		size_t n;
	} cases[] = { { 0, 39, 0 }, { 8, 33, 1 }, { 11, (char)0x80, 0 },
		{ 14, 2, 0 }, { 16, 3, 1 }, { 20, 1, 1 }, { 32, 1, 1 } };
	struct buf icon = buf_make(ICON_BYTES);
	struct taken t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&icon);
		icon_make(&icon, 16, 16, 24, black);
		icon.ptr[cases[i].at] = cases[i].byte;
		take_one(&t, &icon);
		assert_int_equal(t.n, cases[i].n);
	}
	buf_free(&icon);
}

static void
libraries_have_no_icons(void **state)
{
	struct buf icon = buf_make(ICON_BYTES);
	struct span one;
	struct taken t;

	(void)state;
	icon_make(&icon, 16, 16, 24, black);
	one = buf_view(&icon);
	take_made(&t, &one, 1, LIBRARY);
	assert_int_equal(t.n, 0);
	buf_free(&icon);
}

/* The icons follow each other; each has a colour of its own. */
static void
a_hundred_entries_are_looked_at(void **state)
{
	struct buf icon = buf_make(ICON_BYTES), all = icon;
	struct span some[120], program;
	struct taken t;

	(void)state;
	icon_make(&icon, 16, 16, 24, black);
	for (size_t i = 0; i < COUNT(some); i++) {
		icon.ptr[ICON_HEADER + 15 * 48] = (char)i;
		buf_span(&all, buf_view(&icon));
	}
	for (size_t i = 0; i < COUNT(some); i++)
		some[i] = (struct span){ all.ptr + i * icon.len, icon.len };
	program = icon_program(some, COUNT(some), 0x102);
	take_all(&t, program, SIZE_MAX);
	assert_int_equal(t.n, PE_ICON_ENTRIES);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.corner[i], i);
	take_all(&t, program, 7);
	assert_int_equal(t.n, 7);
	free((void *)(uintptr_t)program.ptr);
	buf_free(&icon);
	buf_free(&all);
}

/* However a file is cut, what is read lies within it. */
static void
a_cut_program_has_fewer(void **state)
{
	struct buf icon = buf_make(ICON_BYTES);
	struct span one, program;
	struct taken t;
	size_t last = 0;

	(void)state;
	icon_make(&icon, 16, 16, 4, black);
	one = buf_view(&icon);
	program = icon_program(&one, 1, 0x102);
	for (size_t n = 0; n <= program.len; n += n < 0x3f0 ? 61 : 1) {
		char *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy + 1, program.ptr, n);
		take_all(&t, (struct span){ copy + 1, n }, SIZE_MAX);
		assert_true(t.n >= last);
		last = t.n;
		free(copy);
	}
	assert_int_equal(last, 1);
	free((void *)(uintptr_t)program.ptr);
	buf_free(&icon);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_icon_is_scaled_to_a_small_square),
		cmocka_unit_test(halving_cuts_and_nearest_rounds_columns),
		cmocka_unit_test(every_depth_has_its_pixels),
		cmocka_unit_test(what_is_hidden_is_white),
		cmocka_unit_test(a_header_says_enough),
		cmocka_unit_test(libraries_have_no_icons),
		cmocka_unit_test(a_hundred_entries_are_looked_at),
		cmocka_unit_test(a_cut_program_has_fewer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
