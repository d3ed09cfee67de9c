#include "scan/object/scanner_int.h"

bool
icons_look(struct scanner *s, const struct object *o, const struct exe *x,
    const struct span name[ICON_COLUMNS])
{
	static const enum scan_reason reasons[] = {
		[ICONS_LATE] = SCAN_R_TIME,
		[ICONS_DAMAGED] = SCAN_R_SET,
		[ICONS_MEMORY] = SCAN_R_MEMORY,
	};
	uint64_t group[ICON_COLUMNS];
	enum icons_result r;

	if (s->icons == NULL)
		return false;
	for (size_t c = 0; c < ICON_COLUMNS; c++)
		group[c] = name[c].ptr == NULL ? ICON_GROUP_ANY
					       : set_icon_group(name[c]);
	r = icons_match(s->icons, o->bytes, x, group, s->deadline_ns);
	if (r != ICONS_NONE && r != ICONS_FOUND)
		scanner_note(s, o, reasons[r]);
	return r == ICONS_FOUND;
}
