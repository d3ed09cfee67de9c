#include <string.h>

#include "scan/build/build_int.h"
#include "scan/set/set.h"

/* Icons that malware borrows: .idb.  name:group1:group2:124 hex digits. */

#define SUB_BYTES_MAX 1024u
#define COLOUR_MAX    4072u /* the root of 255^3 */
#define SHARES_MAX    103u  /* of three hues in per cent, rounded up */
#define COLOURED_MAX  100u

enum { F_NAME, F_GROUP, F_DIGITS = F_GROUP + ICON_COLUMNS, FIELDS };

/* Numbers of fixed width, from the left. */
struct digits {
	struct span left;
	bool bad;
};

static uint32_t
take_hex(struct digits *d, size_t width)
{
	uint32_t n = 0;

	for (size_t i = 0; i < width; i++) {
		int digit = i < d->left.len ? body_digit(d->left.ptr[i]) : -1;

		d->bad = d->bad || digit < 0;
		n = n << 4 | (uint32_t)(digit < 0 ? 0 : digit);
	}
	d->left = span_from(d->left, width);
	return n;
}

/* The lists in the order of the line. */
static const struct {
	const char *what;
	size_t digits; /* of the value */
	uint32_t most;
} lists[ICON_LISTS] = {
	[ICON_COLOUR] = { "coloured", 3, COLOUR_MAX },
	[ICON_GREY] = { "grey", 3, COLOUR_MAX },
	[ICON_BRIGHT] = { "bright", 2, UINT8_MAX },
	[ICON_DARK] = { "dark", 2, UINT8_MAX },
	[ICON_EDGE] = { "edge", 2, UINT8_MAX },
	[ICON_QUIET] = { "quiet", 2, UINT8_MAX },
};

static enum err
take_areas(struct digits *d, enum icon_list list, struct icon_print *out,
    struct errinfo *ei)
{
	uint32_t far = out->side - out->side / 8u;

	for (size_t i = 0; i < ICON_AREAS; i++) {
		uint32_t value = take_hex(d, lists[list].digits);
		uint32_t x = take_hex(d, 2), y = take_hex(d, 2);

		if (value > lists[list].most || x > far || y > far)
			return err_set(ei, ERR_SYNTAX,
			    "%s area %zu is beyond what an icon has",
			    lists[list].what, i + 1);
		out->area[list][i] = (struct icon_area){ (uint16_t)value,
			(uint8_t)x, (uint8_t)y };
	}
	return OK;
}

static enum err
take_shares(struct digits *d, struct icon_print *out, struct errinfo *ei)
{
	uint32_t red = take_hex(d, 2), green = take_hex(d, 2);
	uint32_t blue = take_hex(d, 2), coloured = take_hex(d, 2);

	if (red + green + blue > SHARES_MAX || coloured > COLOURED_MAX)
		return err_set(
		    ei, ERR_SYNTAX, "colours are more than the whole icon");
	out->red = (uint8_t)red;
	out->green = (uint8_t)green;
	out->blue = (uint8_t)blue;
	out->coloured = (uint8_t)coloured;
	return OK;
}

static enum err
parse_print(struct span hash, struct icon_print *out, struct errinfo *ei)
{
	struct digits d = { hash, false };
	enum err e = OK;

	*out = (struct icon_print){ 0 };
	if (hash.len != ICON_DIGITS)
		return err_set(ei, ERR_SYNTAX, "%zu digits, %u expected",
		    hash.len, ICON_DIGITS);
	out->side = (uint8_t)take_hex(&d, 2);
	if (!d.bad && out->side != 16 && out->side != 24 && out->side != 32)
		return err_set(ei, ERR_SYNTAX, "side is not 10, 18 or 20");
	for (unsigned i = 0; i < ICON_LISTS && e == OK && !d.bad; i++)
		e = take_areas(&d, (enum icon_list)i, out, ei);
	if (e == OK && !d.bad)
		e = take_shares(&d, out, ei);
	return d.bad ? err_set(ei, ERR_SYNTAX, "icon is not hex digits") : e;
}

enum err
build_icon_group(struct span name, struct errinfo *ei)
{
	if (name.len >= ICON_GROUP_MAX)
		return err_set(ei, ERR_LIMIT, "icon group longer than %u bytes",
		    ICON_GROUP_MAX - 1);
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < ' ')
			return err_set(ei, ERR_SYNTAX,
			    "control character in an icon group");
	if (!span_utf8(name))
		return err_set(ei, ERR_SYNTAX, "icon group is not UTF-8");
	return OK;
}

static enum err
put_icon(struct scan_builder *b, const struct set_icon *row,
    const struct set_name *name, const struct span *f, struct errinfo *ei)
{
	struct buf sub = buf_make(SUB_BYTES_MAX);
	enum err e;

	write_number(&sub, SUB_ICON);
	write_icon_groups(&sub, &f[F_GROUP]);
	write_span(&sub, f[F_DIGITS]);
	draft_begin(b->draft, name, TARGET_PE);
	draft_icon(b->draft, row);
	e = draft_sub(b->draft, buf_view(&sub), 0, ei);
	buf_free(&sub);
	return e == OK ? draft_end(b, b->draft, SPAN(""), 0, ei) : e;
}

enum err
add_icon(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ':', f);
	struct set_icon row = { 0 };
	struct set_name name;
	enum err e;

	if (n != FIELDS)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, name:group1:group2:icon expected", n);
	if (build_is_ignored(b, f[F_NAME])) {
		b->counts.skipped++;
		return OK;
	}
	e = parse_print(f[F_DIGITS], &row.print, ei);
	for (size_t c = 0; c < ICON_COLUMNS && e == OK; c++) {
		e = build_icon_group(f[F_GROUP + c], ei);
		row.group[c] = set_icon_group(f[F_GROUP + c]);
	}
	if (e == OK) /* a line need not have one */
		e = build_name(
		    b, f[F_NAME].len == 0 ? SPAN("?") : f[F_NAME], &name, ei);
	return e == OK ? put_icon(b, &row, &name, f, ei) : e;
}
