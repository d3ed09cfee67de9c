#include "formats/exe/exe_int.h"

/* The resource directory ("The .rsrc Section", PE Format): a tree whose
 * offsets count from its begin.  Windows makes it of three levels (type,
 * name, language) and finds nothing elsewhere; so nothing else is read. */

#define LEVELS      3u
#define DIRECTORY   16u
#define ENTRY       8u
#define DATA_ENTRY  16u
#define TOP_BIT     0x80000000u
#define RESOURCES   2u /* of the data directories */
#define ENTRIES_MAX 65536u
#define PROBES_MAX  (1u << 22) /* of sections, by all look-ups */

uint32_t
pe_lookups_max(const struct exe *x)
{
	uint32_t most = PROBES_MAX / (x->sections + 1);

	return most < ENTRIES_MAX ? most : ENTRIES_MAX;
}

struct walk {
	struct span object;
	const struct exe *x;
	uint32_t base;  /* RVA of the tree */
	uint32_t *left; /* entries that may still be read */
	/* What is wanted at each level, and what was found. */
	uint32_t want[LEVELS], id[LEVELS];
	pe_resource_fn *fn;
	void *arg;
};

static bool
leaf(struct walk *w, uint32_t offset)
{
	struct pe_resource r = { w->id[0], w->id[1], w->id[2], { NULL, 0 },
		false, 0 };
	uint32_t rva, size;
	uint64_t at;

	if (exe_offset(w->object, w->x, w->base + offset, &at) &&
	    bytes_have(w->object, at, DATA_ENTRY) &&
	    bytes_le32(w->object, at, &rva) &&
	    bytes_le32(w->object, at + 4, &size) &&
	    exe_offset(w->object, w->x, rva, &r.at)) {
		r.found = true;
		if (bytes_have(w->object, r.at, size))
			r.data = bytes_sub(w->object, r.at, size);
	}
	return w->fn(w->arg, &r);
}

static bool directory(struct walk *w, unsigned level, uint32_t offset);

/* An entry; `named`: by a text, as are numbers with a top bit. */
/* NOLINTNEXTLINE(misc-no-recursion): three levels */
static bool
entry(struct walk *w, unsigned level, bool named, uint32_t child)
{
	bool any = w->want[level] == PE_RESOURCE_ANY;
	bool by_text = (w->want[level] & TOP_BIT) != 0;
	bool deeper = (child & TOP_BIT) != 0;

	if (!any && (named != by_text || w->want[level] != w->id[level]))
		return true;
	if (level + 1 == LEVELS)
		return deeper || leaf(w, child);
	/* A type stands once: the first one counts. */
	return !deeper ||
	    (directory(w, level + 1, child & ~TOP_BIT) && (level > 0 || any));
}

/* A directory and, LEVELS deep at most, those in it. */
/* NOLINTNEXTLINE(misc-no-recursion): three levels */
static bool
directory(struct walk *w, unsigned level, uint32_t offset)
{
	uint32_t rva = w->base + offset, child;
	uint16_t named, ids;
	uint64_t at;

	if (!exe_offset(w->object, w->x, rva, &at) ||
	    !bytes_le16(w->object, at + 12, &named) ||
	    !bytes_le16(w->object, at + 14, &ids))
		return false;
	rva += DIRECTORY;
	for (uint32_t i = 0; i < (uint32_t)named + ids; i++, rva += ENTRY) {
		if (*w->left == 0)
			return false;
		--*w->left;
		if (!exe_offset(w->object, w->x, rva, &at) ||
		    !bytes_le32(w->object, at, &w->id[level]) ||
		    !bytes_le32(w->object, at + 4, &child) ||
		    !entry(w, level, i < named, child))
			return false;
	}
	return true;
}

void
pe_resources_walk(struct span object, const struct exe *x, uint32_t type,
    uint32_t name, uint32_t *left, pe_resource_fn *fn, void *arg)
{
	struct walk w = { .object = object,
		.x = x,
		.base = x->dir[RESOURCES].rva,
		.want = { type, name, PE_RESOURCE_ANY },
		.fn = fn,
		.arg = arg };

	w.left = left;
	if (x->has_sections && x->dirs > RESOURCES &&
	    x->dir[RESOURCES].rva != 0 && x->dir[RESOURCES].size != 0)
		(void)directory(&w, 0, 0);
}
