#include <stdlib.h>

#include "formats/exe/exe_int.h"
#include "formats/exe/icon_int.h"

/* Which icons of a program: RT_GROUP_ICON names those of one symbol in several
 * sizes, RT_ICON has each.  Windows picks one that fits; here each is taken
 * that the first group names, and no other. */

#define RT_ICON       3u
#define RT_GROUP_ICON 14u
#define GROUP_HEAD    6u
#define GROUP_ENTRY   14u
#define ENTRY_ID      12u
#define LIBRARY       0x2000u /* of Characteristics */
#define LOOKUPS       16u     /* times what is read for one kind */

struct icons {
	struct span object;
	const struct exe *x;
	pe_icon_fn *fn;
	void *arg;
	uint32_t left; /* entries of directories that may still be read */
	bool has_group, stopped;
	uint32_t group; /* the first one's name */
	unsigned entries;
	/* An icon that is named again, or in many languages, costs once. */
	uint64_t seen[PE_ICONS_MAX];
	size_t icons;
	struct icon icon;
	struct icon_image image;
};

static bool
is_seen(const struct icons *s, uint64_t at)
{
	for (size_t i = 0; i < s->icons; i++)
		if (s->seen[i] == at)
			return true;
	return false;
}

static bool
icon_add(void *arg, const struct pe_resource *r)
{
	struct icons *s = arg;

	if (!r->found || is_seen(s, r->at))
		return true;
	s->seen[s->icons++] = r->at;
	if (icon_decode(s->object, r->at, &s->image)) {
		icon_scale(&s->image, &s->icon);
		s->stopped = !s->fn(s->arg, &s->icon);
	}
	s->stopped = s->stopped || s->icons == PE_ICONS_MAX;
	return !s->stopped;
}

/* The number has a sign there: ffff means any. */
static void
entry_add(struct icons *s, uint16_t id)
{
	uint32_t name = (uint32_t)(int32_t)(int16_t)id;

	pe_resources_walk(
	    s->object, s->x, RT_ICON, name, &s->left, icon_add, s);
	s->stopped = s->stopped || ++s->entries >= PE_ICON_ENTRIES;
}

static bool
group_add(void *arg, const struct pe_resource *r)
{
	struct icons *s = arg;
	struct span entries = span_from(r->data, GROUP_HEAD);
	uint16_t count, id;

	if (!s->has_group)
		s->group = r->name;
	else if (s->group != r->name)
		return false;
	s->has_group = true;
	(void)bytes_le16(r->data, 4, &count);
	while (count-- > 0 && entries.len >= GROUP_ENTRY && !s->stopped) {
		(void)bytes_le16(entries, ENTRY_ID, &id);
		entry_add(s, id);
		entries = span_from(entries, GROUP_ENTRY);
	}
	return !s->stopped;
}

bool
pe_icons(struct span object, const struct exe *x, pe_icon_fn *fn, void *arg)
{
	struct icons *s;
	uint32_t left = LOOKUPS * pe_lookups_max(x);

	if (x->format != FORMAT_MSEXE || (x->characteristics & LIBRARY) != 0)
		return true;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return false;
	s->object = object;
	s->x = x;
	s->fn = fn;
	s->arg = arg;
	s->left = left;
	pe_resources_walk(
	    object, x, RT_GROUP_ICON, PE_RESOURCE_ANY, &left, group_add, s);
	free(s);
	return true;
}
