#include "scan/fixture.h"

#include "formats/icon_make.h"
#include "scan/icons/print.h"
#include "scan/set/set.h"

/* Verdicts are held against clamscan by tests/scan/diff/icons.py; here are the
 * rules one by one, and what only sets have. */

#define ICON_BYTES ((size_t)1 << 19)
#define WORD       "4d5a" /* in every program */
#define GREY24                                                                 \
	"18060091004b0a00047040203c09100470a000490402be0711b4080bb00a01150000" \
	"33000651000c8d10058a0f0c630a061900111c000022000b00000000"
#define COLOUR32                                                               \
	"20c8a0017c3a16009dc08172ec050548211116bb0d06dc1617d90417d80e17260000" \
	"5c08005c00086211165f081745130b0e00001708001910002626184d"

static uint32_t
colours(uint32_t x, uint32_t y)
{
	return 0xff000000 | (x * 8 & 255) << 16 | (y * 8 & 255) << 8 |
	    (x * y & 255);
}

static uint32_t
greys(uint32_t x, uint32_t y)
{
	return 0xff000000 | ((x * x + y * 5) & 255) * 0x10101;
}

static struct span
program_of(uint32_t side, uint32_t (*pixel)(uint32_t x, uint32_t y))
{
	struct buf icon = buf_make(ICON_BYTES);
	struct span one, out;

	icon_make(&icon, side, side, 32, pixel);
	one = buf_view(&icon);
	out = icon_program(&one, 1, 0x102);
	buf_free(&icon);
	return out;
}

static void
free_program(struct span p)
{
	free((void *)(uintptr_t)p.ptr);
}

/* ---- prints ------------------------------------------------------------------ */

static bool
print_last(void *arg, const struct icon *icon)
{
	icon_print(icon, arg);
	return true;
}

static void
write_print(const struct icon_print *p, struct buf *out)
{
	buf_fmt(out, "%02x", p->side);
	for (unsigned i = 0; i < ICON_LISTS * ICON_AREAS; i++) {
		const struct icon_area *a =
		    &p->area[i / ICON_AREAS][i % ICON_AREAS];

		buf_fmt(out, i < ICON_BRIGHT * ICON_AREAS ? "%03x" : "%02x",
		    a->value);
		buf_fmt(out, "%02x%02x", a->x, a->y);
	}
	buf_fmt(
	    out, "%02x%02x%02x%02x", p->red, p->green, p->blue, p->coloured);
}

/* As clamscan --debug has them. */
static void
a_print_has_known_digits(void **state)
{
	static const struct {
		uint32_t side;
		uint32_t (*pixel)(uint32_t x, uint32_t y);
		const char *digits;
	} cases[] = {
		{ 32, colours, COLOUR32 },
		{ 24, greys, GREY24 },
		{ 16, greys,
		    "1008e060207d0506069040a053060205d050605d040ac40a0bb00a079c"
		    "0a030b00001f0004270400b80a0aaf0a069c0a021b00002a000b2f0007"
		    "00000000" },
		{ 72, colours,
		    "12a6b070da520606a3605003fa0a0a45c0b0345c030bd10404d00c04d0"
		    "040c570000760800760008900a0b8e09028b020a3000004a0400520c00"
		    "26261853" },
		{ 40, colours,
		    "20c6b1200c320012bef1517396030459c0d0d7d50b05e61412dc1208db"
		    "07122f0000710008740800690517580d135216130f00001708001b1000"
		    "24241b4f" },
	};
	struct buf text = buf_make(256);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span p = program_of(cases[i].side, cases[i].pixel);
		struct icon_print print;
		struct exe x;

		assert_true(exe_parse(p, &x));
		assert_true(pe_icons(p, &x, print_last, &print));
		buf_clear(&text);
		write_print(&print, &text);
		assert_string_equal(text.ptr, cases[i].digits);
		free_program(p);
	}
	buf_free(&text);
}

/* ---- verdicts ------------------------------------------------------------------ */

static void
make(struct fixture *f, const char *icons, const char *asks)
{
	struct errinfo ei = { 0 };
	struct scan_builder *b = NULL;

	*f = (struct fixture){ .problems = 0 };
	assert_ok(scan_builder_new(fixture_on_problem, f, &b, &ei));
	assert_ok(scan_builder_add(b, "a.ldb", span_of(asks), &ei));
	assert_ok(scan_builder_add(b, "a.idb", span_of(icons), &ei));
	fixture_open(f, b, &scan_limits_default);
}

static const char *
scan(
    struct fixture *f, uint32_t side, uint32_t (*pixel)(uint32_t x, uint32_t y))
{
	struct span p = program_of(side, pixel);
	const char *name = fixture_scan(f, p);

	free_program(p);
	return name;
}

static void
a_signature_asks_for_groups(void **state)
{
	static const struct {
		const char *keys;
		bool found;
	} cases[] = { { "IconGroup1:one", true }, { "IconGroup2:two", true },
		{ "IconGroup1:one,IconGroup2:two", true },
		{ "IconGroup1:*", true }, { "IconGroup2:*", true },
		{ "IconGroup1:*,IconGroup2:two", true },
		{ "IconGroup1:two", false }, { "IconGroup1:One", false },
		{ "IconGroup1:", false },
		{ "IconGroup1:one,IconGroup2:", false },
		{ "IconGroup1:one,IconGroup2:four", false },
		{ "IconGroup1:three,IconGroup2:four", false },
		{ "IconGroup2:two,FileSize:1-1", false } };
	char asks[256];
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].keys);
		(void)snprintf(asks, sizeof(asks),
		    "Asks;Engine:51-255,Target:1,%s;0;" WORD "\n",
		    cases[i].keys);
		make(&f,
		    "Like:one:two:" COLOUR32 "\n"
		    "Unlike:three:four:" GREY24 "\n",
		    asks);
		assert_int_equal(f.problems, 0);
		assert_int_equal(f.counts.icons, 2);
		assert_string_equal(
		    scan(&f, 32, colours), cases[i].found ? "Asks" : "");
		fixture_clear(&f);
	}
}

static void
an_icon_counts_behind_its_expression(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "I:one:two:" COLOUR32 "\nI:g:h:" GREY24 "\n",
	    "Word;Engine:51-255,Target:1,IconGroup1:one;0;6e6f776f7264\n"
	    "Colour;Engine:51-255,Target:1,IconGroup1:one;0;" WORD "\n"
	    "Grey;Engine:51-255,Target:1,IconGroup1:g;0;" WORD "\n");
	assert_string_equal(scan(&f, 32, colours), "Colour");
	assert_string_equal(scan(&f, 24, greys), "Grey");
	assert_string_equal(scan(&f, 48, colours), "");
	assert_string_equal(scan(&f, 32, colours), "Colour");
	fixture_clear(&f);
}

static void
without_icons_nothing_is_like_them(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "# none\n",
	    "Asks;Engine:51-255,Target:1,IconGroup1:*;0;" WORD "\n");
	assert_int_equal(f.problems, 0);
	assert_string_equal(scan(&f, 32, colours), "");
	fixture_clear(&f);
}

/* ---- lines ---------------------------------------------------------------------- */

static void
a_bad_line_is_named(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{ "a:b:" GREY24, "3 fields, name:group1:group2:icon expected" },
		{ "a:b:c:d:" GREY24,
		    "5 fields, name:group1:group2:icon expected" },
		{ "a:b:c:" GREY24 " ", "125 digits, 124 expected" },
		{ "a:b\1:c:" GREY24, "control character in an icon group" },
		{ "a:b:\xff:" GREY24, "icon group is not UTF-8" },
	};
	static const struct {
		size_t at;
		const char *digits, *reason;
	} digits[] = {
		{ 0, "19", "side is not 10, 18 or 20" },
		{ 0, "g8", "icon is not hex digits" },
		{ 123, "x", "icon is not hex digits" },
		{ 2, "fe9", "coloured area 1 is beyond what an icon has" },
		{ 23, "fe9", "grey area 1 is beyond what an icon has" },
		{ 5, "16", "coloured area 1 is beyond what an icon has" },
		{ 48, "16", "bright area 1 is beyond what an icon has" },
		{ 90, "16", "edge area 2 is beyond what an icon has" },
		{ 114, "16", "quiet area 3 is beyond what an icon has" },
		{ 116, "402800", "colours are more than the whole icon" },
		{ 122, "65", "colours are more than the whole icon" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases) + COUNT(digits); i++) {
		size_t k = i - COUNT(cases);
		char line[256];

		if (i < COUNT(cases)) {
			fixture_make(&f, "a.idb", cases[i].line);
		} else {
			(void)snprintf(line, sizeof(line), "a:b:c:%s", GREY24);
			memcpy(line + 6 + digits[k].at, digits[k].digits,
			    strlen(digits[k].digits));
			fixture_make(&f, "a.idb", line);
		}
		assert_int_equal(f.problems, 1);
		assert_string_equal(f.problem,
		    i < COUNT(cases) ? cases[i].reason : digits[k].reason);
		assert_int_equal(f.counts.icons, 0);
		fixture_clear(&f);
	}
}

static void
a_line_may_have_no_name(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "::h:" COLOUR32 "\r\n# a comment\n\n",
	    "Asks;Engine:51-255,Target:1,IconGroup1:;0;" WORD "\n");
	assert_int_equal(f.problems, 0);
	assert_string_equal(scan(&f, 32, colours), "Asks");
	fixture_clear(&f);
}

/* ---- sets ------------------------------------------------------------------------ */

static void
add_to(
    struct fixture *base, struct fixture *f, const char *name, const char *text)
{
	struct errinfo ei = { 0 };
	struct scan_builder *b = NULL;

	*f = (struct fixture){ .problems = 0 };
	assert_ok(scan_builder_onto(base->set, fixture_on_problem, f, &b, &ei));
	assert_ok(scan_builder_add(b, name, span_of(text), &ei));
	fixture_open(f, b, &scan_limits_default);
	assert_int_equal(f->problems, 0);
}

/* Files that were clean need another look with all of the set then: what asks
 * and what is asked for need not be added together. */
static void
icons_are_added_to_a_set(void **state)
{
	static const char asks[] =
	    "Asks;Engine:51-255,Target:1,IconGroup1:one;0;" WORD "\n";
	struct fixture base, f;

	(void)state;
	make(&base, "I:two:h:" GREY24 "\n", asks);
	assert_string_equal(scan(&base, 32, colours), "");
	add_to(&base, &f, "b.idb", "Added:one:h:" COLOUR32 "\n");
	assert_string_equal(scan(&f, 32, colours), "Asks");
	assert_int_equal(f.set->dir->icon_lines, 2);
	assert_int_equal(f.set->dir->added.size, 0);
	fixture_clear(&f);
	add_to(&base, &f, "b.ldb",
	    "Grey;Engine:51-255,Target:1,IconGroup1:two;0;" WORD "\n");
	assert_string_equal(scan(&f, 24, greys), "Grey");
	assert_int_equal(f.set->dir->added.size, 0);
	fixture_clear(&f);
	add_to(&base, &f, "b.ndb", "Other:0:*:41424344\n");
	assert_true(f.set->dir->added.size > 0);
	fixture_clear(&f);
	fixture_clear(&base);
}

static void
icons_are_left_out_of_a_set(void **state)
{
	static const char asks[] =
	    "Asks;Engine:51-255,Target:1,IconGroup1:one;0;" WORD "\n";
	struct fixture base, f;

	(void)state;
	make(
	    &base, "Gone-1:one:h:" COLOUR32 "\nStays:one:h:" GREY24 "\n", asks);
	assert_string_equal(scan(&base, 32, colours), "Asks");
	add_to(&base, &f, "b.ign2", "Gone-1\n");
	assert_string_equal(scan(&f, 32, colours), "");
	assert_string_equal(scan(&f, 24, greys), "Asks");
	assert_int_equal(f.set->dir->icon_lines, 1);
	fixture_clear(&f);
	fixture_clear(&base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_print_has_known_digits),
		cmocka_unit_test(a_signature_asks_for_groups),
		cmocka_unit_test(an_icon_counts_behind_its_expression),
		cmocka_unit_test(without_icons_nothing_is_like_them),
		cmocka_unit_test(a_bad_line_is_named),
		cmocka_unit_test(a_line_may_have_no_name),
		cmocka_unit_test(icons_are_added_to_a_set),
		cmocka_unit_test(icons_are_left_out_of_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
