/* Charts.  No style attributes: the Content-Security-Policy forbids them; the
 * classes are the style sheet's. */

#include <inttypes.h>

#include "page/page.h"

#define BAR_WIDTH   1000
#define BAR_HEIGHT  36
#define BAR_LEAST   6 /* one of ten thousand can still be seen */
#define PARTS_MAX   32

#define LINE_WIDTH  640
#define LINE_HEIGHT 160
#define LINE_LEFT   48 /* room for the numbers of the axis */
#define LINE_TOP    12
#define LINE_BOTTOM 148

/* Leaves <title> open: what follows is read to those who do not see. */
static void
open_svg(struct buf *out, int width, int height, const char *aspect,
    const char *title)
{
	buf_fmt(out,
	    "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\" "
	    "preserveAspectRatio=\"%s\"><title>",
	    width, height, aspect);
	page_escape(out, span_of(title));
}

/* Widths that add up to BAR_WIDTH and show every part that is not empty. */
static void
divide(const struct page_part *parts, size_t n, int width[PARTS_MAX])
{
	double total = 0;
	size_t widest = 0;
	int left = BAR_WIDTH;

	for (size_t i = 0; i < n; i++)
		total += parts[i].value > 0 ? (double)parts[i].value : 0;
	for (size_t i = 0; i < n; i++) {
		width[i] = 0;
		if (parts[i].value > 0)
			width[i] =
			    (int)((double)parts[i].value / total * BAR_WIDTH);
		if (parts[i].value > 0 && width[i] < BAR_LEAST)
			width[i] = BAR_LEAST;
		if (width[i] > width[widest])
			widest = i;
		left -= width[i];
	}
	if (n > 0 && total > 0)
		width[widest] += left;
}

static void
add_part(struct buf *out, const struct page_part *part, int x, int width)
{
	buf_text(out, "<rect class=\"");
	page_escape(out, span_of(part->css_class));
	buf_fmt(out, "\" x=\"%d\" width=\"%d\" height=\"%d\"><title>", x, width,
	    BAR_HEIGHT);
	page_escape(out, span_of(part->label));
	buf_fmt(out, ": %" PRId64 "</title></rect>", part->value);
}

void
page_bar_svg(
    struct buf *out, const char *title, const struct page_part *parts, size_t n)
{
	int width[PARTS_MAX], x = 0;

	if (n > PARTS_MAX)
		n = PARTS_MAX;
	divide(parts, n, width);
	open_svg(out, BAR_WIDTH, BAR_HEIGHT, "none", title);
	for (size_t i = 0; i < n; i++) {
		buf_text(out, i == 0 ? ": " : ", ");
		page_escape(out, span_of(parts[i].label));
		buf_fmt(out, " %" PRId64, parts[i].value);
	}
	buf_text(out, "</title>");
	for (size_t i = 0; i < n; i++) {
		if (width[i] > 0)
			add_part(out, &parts[i], x, width[i]);
		x += width[i];
	}
	if (x == 0) /* nothing to divide: an empty frame */
		buf_fmt(out,
		    "<rect fill=\"none\" stroke=\"currentColor\" "
		    "width=\"%d\" height=\"%d\"/>",
		    BAR_WIDTH, BAR_HEIGHT);
	buf_text(out, "</svg>");
}

/* The least of 1, 2, 5, 10, 20, 50... that is not below `value`. */
static int64_t
round_up(int64_t value)
{
	static const int64_t steps[] = { 1, 2, 5 };
	int64_t power = 1;

	for (; power <= INT64_MAX / 50; power *= 10)
		for (size_t i = 0; i < COUNT(steps); i++)
			if (steps[i] * power >= value)
				return steps[i] * power;
	return value;
}

static double
place_x(size_t i, size_t n)
{
	double step = n < 2 ? 0 : (double)i / (double)(n - 1);

	return LINE_LEFT + step * (LINE_WIDTH - LINE_LEFT - 8);
}

static double
place_y(int64_t value, int64_t top)
{
	return LINE_BOTTOM -
	    (double)value / (double)top * (LINE_BOTTOM - LINE_TOP);
}

static void
add_axis(struct buf *out, int64_t top)
{
	const struct {
		int64_t value;
		int y;
	} ticks[] = { { top, LINE_TOP }, { 0, LINE_BOTTOM } };

	for (size_t i = 0; i < COUNT(ticks); i++)
		buf_fmt(out,
		    "<path stroke=\"currentColor\" stroke-opacity=\"0.3\" "
		    "d=\"M%d %dH%d\"/><text fill=\"currentColor\" "
		    "font-size=\"12\" text-anchor=\"end\" x=\"%d\" "
		    "y=\"%d\">%" PRId64 "</text>",
		    LINE_LEFT, ticks[i].y, LINE_WIDTH - 8, LINE_LEFT - 6,
		    ticks[i].y + 4, ticks[i].value);
}

/* One unbroken run of days; a single day is a dot. */
static void
add_run(struct buf *out, const int64_t *values, size_t from, size_t to,
    size_t n, int64_t top)
{
	if (to - from == 1) {
		buf_fmt(out,
		    "<circle class=\"line\" fill=\"currentColor\" cx=\"%.1f\" "
		    "cy=\"%.1f\" "
		    "r=\"3\"/>",
		    place_x(from, n), place_y(values[from], top));
		return;
	}
	buf_text(out,
	    "<polyline class=\"line\" fill=\"none\" "
	    "stroke=\"currentColor\" stroke-width=\"2\" points=\"");
	for (size_t i = from; i < to; i++)
		buf_fmt(out, "%s%.1f,%.1f", i == from ? "" : " ", place_x(i, n),
		    place_y(values[i], top));
	buf_text(out, "\"/>");
}

void
page_line_svg(
    struct buf *out, const char *title, const int64_t *values, size_t n)
{
	int64_t top = 1;

	for (size_t i = 0; i < n; i++)
		if (values[i] > top)
			top = values[i];
	top = round_up(top);
	open_svg(out, LINE_WIDTH, LINE_HEIGHT, "xMidYMid", title);
	buf_text(out, "</title>");
	add_axis(out, top);
	for (size_t from = 0, to; from < n; from = to + 1) {
		for (to = from; to < n && values[to] >= 0; to++)
			;
		if (to > from)
			add_run(out, values, from, to, n, top);
	}
	buf_text(out, "</svg>");
}
