/* FAT12, FAT16 and FAT32: all files that have a name, by the first table.
 * Long names where they fit the entry they stand before.  Deleted files are
 * left out.  Directories that go round in a circle are read once; files that
 * share clusters are read each. */

#include <stdlib.h>

#include "formats/bytes.h"
#include "formats/disk/image.h"
#include "formats/office/utf16.h"

#define ENTRY     32u
#define LONG_MAX  260u /* units of a name */
#define LONG_STEP 13u

enum { ATTR_LABEL = 0x08, ATTR_DIR = 0x10, ATTR_LONG = 0x0f };

struct fat {
	struct image *image;
	struct peel *out;
	unsigned bits; /* of an entry of the table: 12, 16, 32 */
	uint64_t table, root, data;
	uint32_t cluster; /* bytes */
	uint32_t clusters;
	uint32_t root_entries, root_cluster;
	unsigned char *seen; /* a bit for each cluster of a directory */
	struct buf path;
	uint16_t name[LONG_MAX]; /* the long name, as far as it was read */
	unsigned units, order;
	uint8_t sum;
};

struct bpb {
	uint16_t sector, reserved, root_entries, small, table16;
	uint8_t per_cluster, tables, media;
	uint32_t large, table32, root;
};

static bool
load_bpb(const struct image *i, struct bpb *b)
{
	char raw[64];
	struct span s = { raw, sizeof(raw) };

	if (!image_load(i, 0, raw, sizeof(raw)))
		return false;
	(void)bytes_le16(s, 11, &b->sector);
	(void)bytes_u8(s, 13, &b->per_cluster);
	(void)bytes_le16(s, 14, &b->reserved);
	(void)bytes_u8(s, 16, &b->tables);
	(void)bytes_le16(s, 17, &b->root_entries);
	(void)bytes_le16(s, 19, &b->small);
	(void)bytes_u8(s, 21, &b->media);
	(void)bytes_le16(s, 22, &b->table16);
	(void)bytes_le32(s, 32, &b->large);
	(void)bytes_le32(s, 36, &b->table32);
	(void)bytes_le32(s, 44, &b->root);
	return true;
}

static bool
is_power(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static bool
bpb_plausible(const struct bpb *b)
{
	return is_power(b->sector) && b->sector >= 512 && b->sector <= 4096 &&
	    is_power(b->per_cluster) && b->reserved > 0 && b->tables >= 1 &&
	    b->tables <= 2 && b->media >= 0xf0 &&
	    (b->small != 0 || b->large != 0) &&
	    (b->table16 != 0 || b->table32 != 0) &&
	    (b->table16 == 0 || b->root_entries != 0);
}

bool
fat_is(const struct image *i)
{
	struct bpb b;

	return load_bpb(i, &b) && bpb_plausible(&b);
}

/* The width of an entry follows from the number of clusters alone, but for
 * the head of FAT32, which has no size in the old place. */
static bool
lay_out(struct fat *f, const struct bpb *b)
{
	uint64_t sector = b->sector;
	uint64_t all = b->small != 0 ? b->small : b->large;
	uint64_t table = b->table16 != 0 ? b->table16 : b->table32;
	uint64_t entries =
	    ((uint64_t)b->root_entries * ENTRY + sector - 1) / sector;
	uint64_t data = b->reserved + table * b->tables + entries;

	if (data >= all || data * sector >= f->image->len)
		return false;
	f->cluster = b->sector * b->per_cluster;
	f->table = b->reserved * sector;
	f->root = (b->reserved + table * b->tables) * sector;
	f->data = data * sector;
	f->clusters = (uint32_t)((all - data) / b->per_cluster);
	f->bits = b->table16 == 0 ? 32 : f->clusters < 4085 ? 12 : 16;
	f->root_entries = b->root_entries;
	f->root_cluster = b->root;
	/* No more than the image has room for. */
	if (f->clusters > (f->image->len - f->data) / f->cluster + 1)
		f->clusters =
		    (uint32_t)((f->image->len - f->data) / f->cluster) + 1;
	return true;
}

/* ---- clusters -------------------------------------------------------------------- */

static bool
cluster_is(const struct fat *f, uint32_t c)
{
	return c >= 2 && c - 2 < f->clusters;
}

static uint64_t
cluster_at(const struct fat *f, uint32_t c)
{
	return f->data + (uint64_t)(c - 2) * f->cluster;
}

/* 0 when the table has no entry. */
static uint32_t
cluster_next(const struct fat *f, uint32_t c)
{
	char raw[4];
	struct span s = { raw, f->bits == 32 ? 4 : 2 };
	uint64_t at = f->table + (uint64_t)c * f->bits / 8;
	uint16_t small;
	uint32_t next;

	if (!image_load(f->image, at, raw, s.len))
		return 0;
	if (f->bits == 32) {
		(void)bytes_le32(s, 0, &next);
		return next & 0x0fffffff;
	}
	(void)bytes_le16(s, 0, &small);
	if (f->bits == 16)
		return small;
	return c % 2 != 0 ? (uint32_t)small >> 4 : small & 0xfffu;
}

static void
give_file(struct fat *f, uint32_t c, uint64_t size, struct giving *g)
{
	*g = giving_of(f->image, f->out, buf_view(&f->path), size);
	while (g->left > 0 && !g->over && cluster_is(f, c)) {
		uint64_t at = cluster_at(f, c), n = f->cluster, links = 1;
		uint32_t next = cluster_next(f, c);

		while (next == c + 1 && cluster_is(f, next) && n < g->left &&
		    n <= f->image->work) {
			n += f->cluster;
			links++;
			c = next;
			next = cluster_next(f, c);
		}
		image_walked(f->image, links);
		if (!giving_run(g, at, n))
			return;
		c = next;
	}
}

/* ---- names ------------------------------------------------------------------------ */

/* A part of a long name: the last part comes first, and each tells the sum
 * of the short name that it belongs to. */
static void
long_part(struct fat *f, struct span e)
{
	static const uint8_t at[LONG_STEP] = { 1, 3, 5, 7, 9, 14, 16, 18, 20,
		22, 24, 28, 30 };
	unsigned order = (uint8_t)e.ptr[0];
	unsigned first = ((order & 0x1f) - 1) * LONG_STEP;

	if ((order & 0x40) != 0) {
		f->units = 0;
		f->order = (order & 0x1f) + 1;
		f->sum = (uint8_t)e.ptr[13];
	}
	if ((order & 0x1f) == 0 || (order & 0x1f) + 1 != f->order ||
	    (uint8_t)e.ptr[13] != f->sum || first + LONG_STEP > LONG_MAX) {
		f->order = 0;
		return;
	}
	f->order--;
	for (unsigned k = LONG_STEP; k-- > 0;) {
		uint16_t unit;

		(void)bytes_le16(e, at[k], &unit);
		f->name[first + k] = unit;
		if ((order & 0x40) != 0 && (unit == 0 || unit == 0xffff))
			f->units = first + k;
		else if (f->units == 0)
			f->units = first + k + 1;
	}
}

static uint8_t
short_sum(struct span e)
{
	uint8_t sum = 0;

	for (unsigned k = 0; k < 11; k++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + (uint8_t)e.ptr[k]);
	return sum;
}

static void
add_short(struct buf *path, struct span e)
{
	unsigned base = 8, kind = 3;

	while (base > 0 && e.ptr[base - 1] == ' ')
		base--;
	while (kind > 0 && e.ptr[8 + kind - 1] == ' ')
		kind--;
	buf_add(path, e.ptr, base);
	if (kind > 0) {
		buf_char(path, '.');
		buf_add(path, e.ptr + 8, kind);
	}
}

static void
add_name(struct fat *f, struct span e)
{
	if (f->path.len > 0)
		buf_char(&f->path, '/');
	if (f->order != 1 || f->units == 0 || f->sum != short_sum(e)) {
		add_short(&f->path, e);
		return;
	}
	for (unsigned k = 0; k < f->units;)
		k += utf16_add(f->name + k, f->units - k, &f->path);
}

/* ---- directories -------------------------------------------------------------------- */

static bool read_dir(struct fat *f, uint32_t c, unsigned depth);

/* Not read before. */
static bool
see(struct fat *f, uint32_t c)
{
	unsigned char bit = (unsigned char)(1u << (c % 8));

	if (!cluster_is(f, c) || (f->seen[c / 8] & bit) != 0) {
		peel_note(f->out, PEEL_DAMAGED);
		return false;
	}
	f->seen[c / 8] |= bit;
	return true;
}

static bool
named_entry(struct fat *f, struct span e, unsigned depth)
{
	size_t len = f->path.len;
	uint8_t attr = (uint8_t)e.ptr[11];
	uint16_t high = 0, low;
	uint32_t c, size;
	struct giving g;
	bool more;

	if (f->bits == 32)
		(void)bytes_le16(e, 20, &high);
	(void)bytes_le16(e, 26, &low);
	(void)bytes_le32(e, 28, &size);
	c = (uint32_t)high << 16 | low;
	add_name(f, e);
	f->order = 0;
	if ((attr & ATTR_DIR) != 0) {
		more = read_dir(f, c, depth + 1);
	} else {
		give_file(f, c, size, &g);
		more = giving_end(&g);
	}
	buf_cut(&f->path, len);
	return more;
}

enum entries { ENTRIES_MORE, ENTRIES_LAST, ENTRIES_STOP };

static enum entries
read_entries(struct fat *f, uint64_t at, uint64_t n, unsigned depth)
{
	char raw[ENTRY];
	struct span e = { raw, sizeof(raw) };

	for (uint64_t k = 0; k + ENTRY <= n; k += ENTRY) {
		uint8_t attr;

		if (!image_load(f->image, at + k, raw, sizeof(raw))) {
			peel_note(f->out, PEEL_DAMAGED);
			return ENTRIES_LAST;
		}
		if (raw[0] == 0)
			return ENTRIES_LAST;
		attr = (uint8_t)raw[11];
		if ((uint8_t)raw[0] == 0xe5 || bytes_are(e, 0, SPAN(". ")) ||
		    bytes_are(e, 0, SPAN(".. ")))
			continue;
		if ((attr & ATTR_LONG) == ATTR_LONG)
			long_part(f, e);
		else if ((attr & ATTR_LABEL) == 0 && !named_entry(f, e, depth))
			return ENTRIES_STOP;
	}
	return peel_tick(f->out) ? ENTRIES_MORE : ENTRIES_STOP;
}

static bool
read_dir(struct fat *f, uint32_t c, unsigned depth)
{
	if (depth > DIRS_DEPTH) {
		peel_note(f->out, PEEL_UNSUPPORTED);
		return true;
	}
	while (see(f, c)) {
		enum entries e =
		    read_entries(f, cluster_at(f, c), f->cluster, depth);

		if (e != ENTRIES_MORE)
			return e == ENTRIES_LAST;
		c = cluster_next(f, c);
		/* The end of a chain, whatever the width. */
		if (c >= (0x0ffffff8 & ((1ull << f->bits) - 1)))
			return true;
	}
	return true;
}

bool
files_fat(struct image *i, struct peel *out)
{
	struct fat f = { .image = i, .out = out };
	struct bpb b;
	bool more = true;

	if (!load_bpb(i, &b) || !bpb_plausible(&b))
		return true;
	if (!lay_out(&f, &b)) {
		peel_note(out, PEEL_DAMAGED);
		return true;
	}
	f.seen = image_bits(i, f.clusters + UINT64_C(8));
	if (f.seen == NULL) {
		peel_note(out, PEEL_MEMORY);
		return true;
	}
	f.path = buf_make(PATH_MAX_BYTES);
	if (f.bits == 32)
		more = read_dir(&f, f.root_cluster, 0);
	else
		more = read_entries(&f, f.root,
			   (uint64_t)f.root_entries * ENTRY, 0) != ENTRIES_STOP;
	buf_free(&f.path);
	free(f.seen);
	return more;
}
