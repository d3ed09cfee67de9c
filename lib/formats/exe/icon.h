#ifndef FORMATS_EXE_ICON_H
#define FORMATS_EXE_ICON_H

#include "formats/exe/exe.h"

/* ICONS OF PROGRAMS, as .idb lines speak of them: those of the icon group that
 * stands first, in all its languages.  Which are read and how they are scaled
 * is as in ClamAV 1.4, mistakes and all, since lines are made from what it
 * saw.  All is computed from the object: no state, any thread. */

#define ICON_SIDE_MAX   32u
#define PE_ICON_ENTRIES 100u /* of the group are looked at */
#define PE_ICONS_MAX    1000u
#define PE_ICON_PIXELS  (256u * 256u) /* of one: 256 KiB meanwhile */

/* A square over white: 0xRRGGBB, row by row from the top.  Sides are 16, 18,
 * 20, 21, 24, 27, 28, 30 and 32. */
struct icon {
	uint32_t side;
	uint32_t pixel[ICON_SIDE_MAX * ICON_SIDE_MAX];
};
typedef bool pe_icon_fn(void *arg, const struct icon *icon);

/* Each icon that can be decoded, once, until `fn` says false or a limit is
 * reached.  None of a library (DLL).  False: no memory. */
bool
pe_icons(struct span object, const struct exe *x, pe_icon_fn *fn, void *arg);

#endif
