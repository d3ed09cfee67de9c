/* exFAT: all files that have a name.  A file is a set of entries: itself, its
 * stream, its name.  Its clusters are in a row, or in a chain of the table.
 * Directories that go round in a circle are read once. */

#include <stdlib.h>

#include "formats/bytes.h"
#include "formats/disk/image.h"
#include "formats/office/utf16.h"

#define ENTRY          32u
#define NAME_MAX_UNITS 255u
#define NAME_STEP      15u

enum { KIND_FILE = 0x85, KIND_STREAM = 0xc0, KIND_NAME = 0xc1 };
enum { ATTR_DIR = 0x10, IN_A_ROW = 0x02 };

struct exfat {
	struct image *image;
	struct peel *out;
	uint64_t table, data;
	uint64_t cluster; /* bytes */
	uint32_t clusters, root;
	unsigned char *seen; /* a bit for each cluster of a directory */
	struct buf path;
};

/* What the entries so far said. */
struct set {
	unsigned left; /* entries that belong to it */
	uint16_t attr;
	uint8_t flags, len;
	uint32_t first;
	uint64_t size;
	unsigned units;
	uint16_t name[NAME_MAX_UNITS];
};

static bool
lay_out(struct exfat *f)
{
	char raw[112];
	struct span s = { raw, sizeof(raw) };
	uint32_t table, data;
	uint8_t sector, per;

	if (!image_load(f->image, 0, raw, sizeof(raw)))
		return false;
	(void)bytes_le32(s, 80, &table);
	(void)bytes_le32(s, 88, &data);
	(void)bytes_le32(s, 92, &f->clusters);
	(void)bytes_le32(s, 96, &f->root);
	(void)bytes_u8(s, 108, &sector);
	(void)bytes_u8(s, 109, &per);
	if (sector < 9 || sector > 12 || per > 25 - sector)
		return false;
	f->table = (uint64_t)table << sector;
	f->data = (uint64_t)data << sector;
	f->cluster = UINT64_C(1) << (sector + per);
	if (f->data >= f->image->len)
		return false;
	/* No more than the image has room for. */
	if (f->clusters > (f->image->len - f->data) / f->cluster + 1)
		f->clusters =
		    (uint32_t)((f->image->len - f->data) / f->cluster) + 1;
	return true;
}

static bool
cluster_is(const struct exfat *f, uint32_t c)
{
	return c >= 2 && c - 2 < f->clusters;
}

static uint64_t
cluster_at(const struct exfat *f, uint32_t c)
{
	return f->data + (uint64_t)(c - 2) * f->cluster;
}

static uint32_t
cluster_next(const struct exfat *f, uint32_t c, unsigned flags)
{
	char raw[4];
	struct span s = { raw, sizeof(raw) };
	uint32_t next;

	if ((flags & IN_A_ROW) != 0)
		return c + 1;
	(void)image_load(f->image, f->table + (uint64_t)c * 4, raw, 4);
	(void)bytes_le32(s, 0, &next);
	return next;
}

static bool
give_file(struct exfat *f, const struct set *e)
{
	struct giving g =
	    giving_of(f->image, f->out, buf_view(&f->path), e->size);
	uint32_t c = e->first;

	while (g.left > 0 && cluster_is(f, c)) {
		uint64_t at = cluster_at(f, c), n = f->cluster, links = 1;
		uint32_t next = cluster_next(f, c, e->flags);

		while (next == c + 1 && cluster_is(f, next) && n < g.left &&
		    n <= f->image->work) {
			n += f->cluster;
			links++;
			c = next;
			next = cluster_next(f, c, e->flags);
		}
		image_walked(f->image, links);
		if (!giving_run(&g, at, n))
			break;
		c = next;
	}
	return giving_end(&g);
}

/* ---- directories -------------------------------------------------------------------- */

static bool read_dir(
    struct exfat *f, uint32_t c, uint64_t size, unsigned flags, unsigned depth);

static bool
whole_set(struct exfat *f, const struct set *e, unsigned depth)
{
	size_t len = f->path.len;
	unsigned units = e->units < e->len ? e->units : e->len;
	bool more = true;

	if (len > 0)
		buf_char(&f->path, '/');
	for (unsigned k = 0; k < units;)
		k += utf16_add(e->name + k, units - k, &f->path);
	if ((e->attr & ATTR_DIR) == 0)
		more = give_file(f, e);
	else if (e->first != 0)
		more = read_dir(f, e->first, e->size, e->flags, depth + 1);
	buf_cut(&f->path, len);
	return more;
}

static void
add_to_set(struct set *e, struct span s)
{
	uint8_t kind = (uint8_t)s.ptr[0];

	if (kind == KIND_STREAM) {
		(void)bytes_u8(s, 1, &e->flags);
		(void)bytes_u8(s, 3, &e->len);
		(void)bytes_le32(s, 20, &e->first);
		(void)bytes_le64(s, 24, &e->size);
	}
	for (unsigned k = 0;
	     kind == KIND_NAME && k < NAME_STEP && e->units < NAME_MAX_UNITS;
	     k++)
		(void)bytes_le16(s, 2 + 2 * k, &e->name[e->units++]);
}

enum entries { ENTRIES_MORE, ENTRIES_LAST, ENTRIES_STOP };

static enum entries
read_entries(struct exfat *f, uint64_t at, struct set *e, unsigned depth)
{
	char raw[ENTRY];
	struct span s = { raw, sizeof(raw) };

	for (uint64_t k = 0; k + ENTRY <= f->cluster; k += ENTRY) {
		if (!image_load(f->image, at + k, raw, sizeof(raw))) {
			peel_note(f->out, PEEL_DAMAGED);
			return ENTRIES_LAST;
		}
		if (raw[0] == 0)
			return ENTRIES_LAST;
		if ((uint8_t)raw[0] == KIND_FILE) {
			*e = (struct set){ .left = (uint8_t)raw[1] };
			(void)bytes_le16(s, 4, &e->attr);
		} else if (e->left > 0) {
			add_to_set(e, s);
			if (--e->left == 0 && !whole_set(f, e, depth))
				return ENTRIES_STOP;
		}
	}
	return peel_tick(f->out) ? ENTRIES_MORE : ENTRIES_STOP;
}

/* Not read before. */
static bool
see(struct exfat *f, uint32_t c)
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
read_dir(
    struct exfat *f, uint32_t c, uint64_t size, unsigned flags, unsigned depth)
{
	struct set e = { 0 };

	if (depth > DIRS_DEPTH) {
		peel_note(f->out, PEEL_UNSUPPORTED);
		return true;
	}
	while (size > 0 && see(f, c)) {
		enum entries got = read_entries(f, cluster_at(f, c), &e, depth);

		if (got != ENTRIES_MORE)
			return got == ENTRIES_LAST;
		size -= size < f->cluster ? size : f->cluster;
		c = cluster_next(f, c, flags);
		if (c == UINT32_MAX)
			return true;
	}
	return true;
}

bool
files_exfat(struct image *i, struct peel *out)
{
	struct exfat f = { .image = i, .out = out };
	bool more;

	if (!lay_out(&f)) {
		peel_note(out, PEEL_DAMAGED);
		return true;
	}
	f.seen = image_bits(i, f.clusters + UINT64_C(8));
	if (f.seen == NULL) {
		peel_note(out, PEEL_MEMORY);
		return true;
	}
	f.path = buf_make(PATH_MAX_BYTES);
	/* Of the root nobody says how long it is. */
	more = read_dir(&f, f.root, UINT64_MAX, 0, 0);
	buf_free(&f.path);
	free(f.seen);
	return more;
}
