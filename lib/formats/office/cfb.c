#include "formats/office/cfb.h"

#include <stdlib.h>

#include "formats/office/utf16.h"

#define HEADER          512u
#define HEADER_DIFAT    109u
#define ENTRY           128u
#define MINI_SHIFT      6u
#define MINI_CUTOFF     4096u /* [MS-CFB] 2.2 allows no other */
#define SECTOR_MAX      0xfffffffau
#define END_OF_CHAIN    0xfffffffeu
#define SHIFT_SMALLEST  7u /* a sector holds a directory entry */
#define SHIFT_GREATEST  20u
#define UNTIL_CHAIN_END UINT64_MAX

/* ---- sectors ----------------------------------------------------------- */

static uint64_t
sector_at(const struct cfb *c, uint32_t sector)
{
	return ((uint64_t)sector + 1) << c->shift;
}

/* The number of the table entry for `i` in a FAT whose sectors are listed. */
static uint32_t
table_get(const struct cfb *c, const struct cfb_list *table, uint32_t i)
{
	unsigned per_shift = c->shift - 2;
	uint32_t which = i >> per_shift;
	uint32_t within = i & ((1u << per_shift) - 1);
	uint32_t next;

	if (which >= table->n || table->at[which] >= c->sectors ||
	    !bytes_le32(c->file,
		sector_at(c, table->at[which]) + 4u * (uint64_t)within, &next))
		return CFB_NONE;
	return next;
}

/* A walk along a chain of the FAT or of the mini FAT.  It stops at the first
 * sector that is none, and when the chain bites its tail (Brent's way: a
 * hare, and a tortoise that is set to it after 1, 2, 4, ... steps). */
struct walk {
	const struct cfb_list *table;
	uint32_t here, limit; /* sectors below `limit` exist */
	uint32_t tortoise, steps, power;
	bool broken;
};

static struct walk
walk_begin(const struct cfb *c, bool mini, uint32_t start)
{
	uint64_t n =
	    mini ? (uint64_t)c->mini.n << (c->shift - MINI_SHIFT) : c->sectors;

	return (struct walk){ .table = mini ? &c->minifat : &c->fat,
		.here = start,
		.limit = n > SECTOR_MAX ? SECTOR_MAX : (uint32_t)n,
		.tortoise = CFB_NONE,
		.power = 1 };
}

/* Whether `here` is a sector; at the end of a chain that ended otherwise
 * than it ought to, `broken`. */
static bool
walk_stands(struct walk *w)
{
	if (w->here < w->limit && w->here != w->tortoise)
		return true;
	w->broken = w->here != END_OF_CHAIN;
	return false;
}

static void
walk_step(const struct cfb *c, struct walk *w)
{
	if (++w->steps == w->power) {
		w->tortoise = w->here;
		w->steps = 0;
		w->power = w->power < 1u << 30 ? w->power * 2 : w->power;
	}
	w->here = table_get(c, w->table, w->here);
}

/* Where a sector of a chain stands in the file. */
static uint64_t
place(const struct cfb *c, bool mini, uint32_t sector)
{
	uint64_t at;

	if (!mini)
		return sector_at(c, sector);
	at = (uint64_t)sector << MINI_SHIFT;
	return sector_at(c, c->mini.at[at >> c->shift]) +
	    (at & ((1u << c->shift) - 1));
}

static bool
list_add(struct cfb *c, struct cfb_list *l, uint32_t sector)
{
	uint32_t *more;

	if ((l->n & (l->n - 1)) == 0) { /* 0, 1, 2, 4, ...: grow */
		size_t cap = l->n == 0 ? 16 : 2 * (size_t)l->n;

		more = realloc(l->at, cap * sizeof(*l->at));
		if (more == NULL) {
			c->memory = true;
			return false;
		}
		l->at = more;
	}
	l->at[l->n++] = sector;
	return true;
}

static void
list_chain(struct cfb *c, uint32_t start, struct cfb_list *l)
{
	struct walk w = walk_begin(c, false, start);

	if (start == CFB_NONE || start == END_OF_CHAIN)
		return;
	while (walk_stands(&w) && l->n < c->sectors) {
		if (!list_add(c, l, w.here))
			return;
		walk_step(c, &w);
	}
	c->damaged |= w.broken;
}

/* ---- opening ----------------------------------------------------------- */

/* One run of the DIFAT.  Entries that are free keep their place: the n-th FAT
 * sector speaks of the n-th group of sectors. */
static bool
difat_add(struct cfb *c, uint64_t at, uint32_t n, uint32_t wanted)
{
	uint32_t sector;

	for (uint32_t i = 0; i < n && c->fat.n < wanted; i++) {
		(void)bytes_le32(c->file, at + 4u * (uint64_t)i, &sector);
		if (!list_add(c, &c->fat, sector))
			return false;
	}
	return c->fat.n < wanted;
}

/* FAT sectors that speak of sectors behind the end of the file are left out,
 * so the file's own size bounds how far a DIFAT chain is followed. */
static void
difat_read(struct cfb *c)
{
	uint32_t per = 1u << (c->shift - 2);
	uint32_t wanted = c->sectors / per + (c->sectors % per != 0);
	uint32_t next = CFB_NONE;

	(void)bytes_le32(c->file, 68, &next);
	if (!difat_add(c, 76, HEADER_DIFAT, wanted))
		return;
	while (next < c->sectors) {
		if (!difat_add(c, sector_at(c, next), per - 1, wanted))
			return;
		(void)bytes_le32(c->file,
		    sector_at(c, next) + 4u * ((uint64_t)per - 1), &next);
	}
}

static void
directory_read(struct cfb *c, uint32_t start)
{
	struct cfb_entry all = {
		.kind = CFB_ROOT, .start = start, .size = UNTIL_CHAIN_END
	};
	struct span s = cfb_stream_load(c, &all, &c->directory);

	if (c->directory.len == 0)
		buf_span(&c->directory, s); /* it stood in one piece */
	c->memory |= c->directory.full;
	c->entries = (uint32_t)(c->directory.len / ENTRY);
}

bool
cfb_open(struct cfb *c, struct span file)
{
	struct cfb_entry root;
	uint32_t start;
	uint16_t shift;
	uint64_t n;

	*c = (struct cfb){ .file = file, .directory = buf_make(file.len) };
	if (!bytes_are(file, 0, CFB_MAGIC) || !bytes_le16(file, 30, &shift) ||
	    file.len < HEADER || shift < SHIFT_SMALLEST ||
	    shift > SHIFT_GREATEST)
		return false;
	c->shift = shift;
	n = (file.len + (1u << shift) - 1) >> shift;
	n = n == 0 ? 0 : n - 1; /* the header stands where one would */
	c->sectors = n > SECTOR_MAX ? SECTOR_MAX : (uint32_t)n;
	difat_read(c);
	(void)bytes_le32(file, 48, &start);
	directory_read(c, start);
	(void)bytes_le32(file, 60, &start);
	list_chain(c, start, &c->minifat);
	root = cfb_entry_read(c, 0);
	c->damaged |= root.kind != CFB_ROOT;
	list_chain(c, root.start, &c->mini);
	return true;
}

void
cfb_close(struct cfb *c)
{
	free(c->fat.at);
	free(c->minifat.at);
	free(c->mini.at);
	buf_free(&c->directory);
}

struct cfb_entry
cfb_entry_read(const struct cfb *c, uint32_t i)
{
	struct cfb_entry e = { .kind = CFB_FREE };
	struct span raw = buf_view(&c->directory);
	uint64_t at = (uint64_t)i * ENTRY;
	uint16_t length;

	if (i >= c->entries)
		return e;
	(void)bytes_le16(raw, at + 64, &length);
	while (e.units < CFB_NAME_UNITS && 2u * e.units + 1 < length) {
		(void)bytes_le16(raw, at + 2u * e.units, &e.name[e.units]);
		if (e.name[e.units] == 0)
			break;
		e.units++;
	}
	(void)bytes_u8(raw, at + 66, &e.kind);
	(void)bytes_le32(raw, at + 68, &e.left);
	(void)bytes_le32(raw, at + 72, &e.right);
	(void)bytes_le32(raw, at + 76, &e.child);
	(void)bytes_le32(raw, at + 116, &e.start);
	(void)bytes_le64(raw, at + 120, &e.size);
	if (c->shift == 9)
		e.size &= UINT32_MAX; /* [MS-CFB] 2.6.1: may be rubbish */
	return e;
}

/* ---- streams ----------------------------------------------------------- */

/* A piece of the file, `more` bytes longer; what is behind the end of the
 * file does not come. */
static void
piece_take(struct cfb *c, struct span *piece, struct buf *copy, uint64_t at,
    uint64_t more)
{
	struct span s = bytes_sub(c->file, at, more);

	c->damaged |= s.len < more;
	if (piece->len == 0) {
		*piece = s;
	} else if (piece->ptr + piece->len == s.ptr) {
		piece->len += s.len;
	} else {
		buf_span(copy, *piece);
		*piece = s;
	}
}

struct span
cfb_stream_load(struct cfb *c, const struct cfb_entry *e, struct buf *copy)
{
	bool mini = e->kind == CFB_STREAM && e->size < MINI_CUTOFF;
	uint64_t unit = UINT64_C(1) << (mini ? MINI_SHIFT : c->shift);
	uint64_t left = e->size;
	struct walk w = walk_begin(c, mini, e->start);
	struct span piece = { c->file.ptr, 0 };
	uint32_t taken = 0;

	buf_clear(copy);
	while (left > 0 && walk_stands(&w) && taken++ < w.limit) {
		uint64_t n = left < unit ? left : unit;

		if (e->size == UNTIL_CHAIN_END) /* the last may be cut off */
			n = bytes_sub(c->file, place(c, mini, w.here), n).len;
		piece_take(c, &piece, copy, place(c, mini, w.here), n);
		left -= e->size == UNTIL_CHAIN_END ? 0 : n;
		walk_step(c, &w);
	}
	c->damaged |= w.broken || (left > 0 && e->size != UNTIL_CHAIN_END);
	if (copy->len == 0)
		return piece;
	buf_span(copy, piece);
	c->memory |= copy->full;
	return buf_view(copy);
}

/* ---- the tree ---------------------------------------------------------- */

#define UNSEEN     CFB_NONE
#define ROOT_ENTRY 0u

static void
tree_push(const struct cfb *c, struct cfb_tree *t, uint32_t i, uint32_t parent)
{
	if (i >= c->entries || t->parent[i] != UNSEEN || i == ROOT_ENTRY)
		return;
	t->parent[i] = parent;
	t->order[t->n++] = i;
}

/* Breadth first over `order` as its own queue: each entry enters it once,
 * whatever the links say. */
bool
cfb_tree_read(struct cfb *c, struct cfb_tree *t)
{
	*t = (struct cfb_tree){ 0 };
	if (c->entries == 0)
		return false;
	t->order = calloc(c->entries, sizeof(*t->order));
	t->parent = calloc(c->entries, sizeof(*t->parent));
	if (t->order == NULL || t->parent == NULL) {
		cfb_tree_free(t);
		c->memory = true;
		return false;
	}
	memset(t->parent, 0xff, c->entries * sizeof(*t->parent));
	t->parent[ROOT_ENTRY] = ROOT_ENTRY;
	tree_push(c, t, cfb_entry_read(c, ROOT_ENTRY).child, ROOT_ENTRY);
	for (uint32_t done = 0; done < t->n; done++) {
		uint32_t i = t->order[done];
		struct cfb_entry e = cfb_entry_read(c, i);

		tree_push(c, t, e.left, t->parent[i]);
		tree_push(c, t, e.right, t->parent[i]);
		if (e.kind == CFB_STORAGE)
			tree_push(c, t, e.child, i);
	}
	for (uint32_t i = 1; i < c->entries; i++)
		if (t->parent[i] == UNSEEN &&
		    cfb_entry_read(c, i).kind == CFB_STREAM)
			tree_push(c, t, i, ROOT_ENTRY);
	return true;
}

void
cfb_tree_free(struct cfb_tree *t)
{
	free(t->order);
	free(t->parent);
	*t = (struct cfb_tree){ 0 };
}

/* ---- names ------------------------------------------------------------- */

bool
cfb_name_is(const struct cfb_entry *e, const char *name)
{
	size_t n = strlen(name);

	if (n != e->units)
		return false;
	for (size_t i = 0; i < n; i++)
		if (utf16_lower(e->name[i]) !=
		    utf16_lower((unsigned char)name[i]))
			return false;
	return true;
}

/* Windows Installer keeps two characters of 64 in each unit, or one. */
static bool
packed_add(uint16_t unit, struct buf *out)
{
	static const char alphabet[] = "0123456789"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz._";
	unsigned v = unit - 0x3800u;

	if (unit < 0x3800 || unit > 0x4840)
		return false;
	if (unit == 0x4840) { /* begins the name of a table */
		buf_char(out, '!');
		return true;
	}
	buf_char(out, alphabet[v & 63]);
	if (unit < 0x4800)
		buf_char(out, alphabet[v >> 6]);
	return true;
}

static void
name_add(const struct cfb_entry *e, struct buf *out)
{
	for (unsigned i = 0; i < e->units; i++) {
		uint16_t unit = e->name[i];

		if (unit < 0x20)
			buf_fmt(out, "_%u_", unit);
		else if (unit == '/')
			buf_char(out, '_');
		else if (!packed_add(unit, out))
			i += utf16_add(&e->name[i], e->units - i, out) - 1;
	}
}

void
cfb_path_add(
    const struct cfb *c, const struct cfb_tree *t, uint32_t i, struct buf *out)
{
	uint32_t path[CFB_DEPTH_MAX];
	struct cfb_entry e;
	unsigned n = 0;

	for (; i != ROOT_ENTRY && n < CFB_DEPTH_MAX; i = t->parent[i])
		path[n++] = i;
	while (n-- > 0) {
		e = cfb_entry_read(c, path[n]);
		name_add(&e, out);
		if (n > 0)
			buf_char(out, '/');
	}
}
