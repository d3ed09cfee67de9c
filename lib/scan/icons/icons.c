#include "scan/icons/icons.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/icons/print.h"

#define TIME_EACH 64u /* rows that are compared without a look at the clock */

enum row_state { ROW_NEW, ROW_UNLIKE, ROW_LIKE };

struct icons {
	struct scan_set *set;
	bool loaded;              /* of the program: what follows */
	enum icons_result failed; /* why it was not, or NONE */
	int64_t deadline_ns;
	size_t count;
	struct icon_print print[PE_ICONS_MAX];
	size_t rows;
	unsigned char state[]; /* enum row_state, of each row of the set */
};

enum err
icons_new(struct scan_set *set, struct icons **out, struct errinfo *ei)
{
	size_t rows = (size_t)(set->dir->icons.size / sizeof(struct set_icon));

	*out = NULL;
	if (rows == 0)
		return OK;
	*out = calloc(1, sizeof(**out) + rows);
	if (*out == NULL)
		return err_set(ei, ERR_NOMEM, "icons");
	(*out)->set = set;
	(*out)->rows = rows;
	return OK;
}

void
icons_free(struct icons *i)
{
	free(i);
}

void
icons_forget(struct icons *i)
{
	if (i != NULL)
		i->loaded = false;
}

/* ---- the program's ---------------------------------------------------------- */

static bool
is_late(const struct icons *i)
{
	return clock_mono_ns(&clock_system) >= i->deadline_ns;
}

static bool
add_icon(void *arg, const struct icon *icon)
{
	struct icons *i = arg;

	icon_print(icon, &i->print[i->count++]);
	if (is_late(i))
		i->failed = ICONS_LATE;
	return i->failed == ICONS_NONE && i->count < COUNT(i->print);
}

static void
load(struct icons *i, struct span object, const struct exe *x)
{
	if (i->loaded)
		return;
	i->loaded = true;
	i->failed = ICONS_NONE;
	i->count = 0;
	memset(i->state, ROW_NEW, i->rows);
	if (!pe_icons(object, x, add_icon, i))
		i->failed = ICONS_MEMORY;
}

/* ---- the set's --------------------------------------------------------------- */

static bool
is_asked(const struct set_icon *row, const uint64_t group[ICON_COLUMNS])
{
	for (size_t c = 0; c < ICON_COLUMNS; c++)
		if (group[c] != ICON_GROUP_ANY && group[c] != row->group[c])
			return false;
	return true;
}

static enum row_state
compare(const struct icons *i, const struct set_icon *row)
{
	unsigned confidence;

	for (size_t k = 0; k < i->count; k++)
		if (icon_line_side(&i->print[k]) == row->print.side &&
		    icon_is_like(&i->print[k], &row->print, &confidence))
			return ROW_LIKE;
	return ROW_UNLIKE;
}

static enum icons_result
match_rows(struct icons *i, const struct set_icon *row,
    const uint64_t group[ICON_COLUMNS])
{
	for (size_t k = 0; k < i->rows; k++) {
		if (k % TIME_EACH == 0 && is_late(i))
			return ICONS_LATE;
		if (i->state[k] == ROW_UNLIKE || !is_asked(&row[k], group))
			continue;
		if (i->state[k] == ROW_NEW)
			i->state[k] = (unsigned char)compare(i, &row[k]);
		if (i->state[k] == ROW_LIKE)
			return ICONS_FOUND;
	}
	return ICONS_NONE;
}

enum icons_result
icons_match(struct icons *i, struct span object, const struct exe *x,
    const uint64_t group[ICON_COLUMNS], int64_t deadline_ns)
{
	const struct set_icon *rows = set_region(i->set, i->set->dir->icons);

	i->deadline_ns = deadline_ns;
	if (rows == NULL)
		return ICONS_DAMAGED;
	load(i, object, x);
	if (i->failed != ICONS_NONE)
		return i->failed;
	return i->count == 0 ? ICONS_NONE : match_rows(i, rows, group);
}
