/* Partition tables.  MBR: four entries and the chain of logical drives within
 * an extended one.  GPT: the array that the first header names, or the one at
 * the end when the first is broken.  APM: one entry a block.  Checksums are
 * not compared: a wrong one does not make a partition harmless.  A partition
 * that stands in one piece is a member; one that does not (in a dynamic image)
 * is read in its place. */

#include <stdio.h>

#include "formats/bytes.h"
#include "formats/disk/image.h"

#define SECTOR      512u
#define LOGICAL_MAX 128u
#define GPT_MAX     1024u
#define APM_MAX     256u

static bool
has_files(enum format f)
{
	return f == FORMAT_FAT || f == FORMAT_EXFAT || f == FORMAT_NTFS ||
	    f == FORMAT_UDF;
}

static bool
give_part(struct image *i, uint64_t at, uint64_t len, unsigned number,
    struct peel *out)
{
	struct image part = image_part(i, at, len);
	enum format f = i->block == 0 ? FORMAT_ANY : image_format(&part);
	char name[16];
	int n = snprintf(name, sizeof(name), "%u", number);
	struct giving g;

	if (part.len < len)
		peel_note(out, PEEL_DAMAGED);
	if (has_files(f)) {
		bool more = image_open(&part, f, out);

		i->work = part.work;
		return more;
	}
	g = giving_of(i, out, (struct span){ name, (size_t)n }, part.len);
	(void)giving_run(&g, at, part.len);
	return giving_end(&g);
}

/* ---- MBR ------------------------------------------------------------------------ */

struct entry {
	uint8_t active, type;
	uint32_t first, sectors;
};

static bool
is_extended(unsigned type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Four entries at the end of a sector that has the mark. */
static bool
load_table(const struct image *i, uint64_t at, struct entry e[4])
{
	char raw[66];
	struct span s = { raw, sizeof(raw) };

	if (!image_load(i, at + 446, raw, sizeof(raw)) ||
	    !bytes_are(s, 64, SPAN("\x55\xaa")))
		return false;
	for (unsigned k = 0; k < 4; k++) {
		(void)bytes_u8(s, 16u * k, &e[k].active);
		(void)bytes_u8(s, 16u * k + 4, &e[k].type);
		(void)bytes_le32(s, 16u * k + 8, &e[k].first);
		(void)bytes_le32(s, 16u * k + 12, &e[k].sectors);
	}
	return true;
}

/* Many boot sectors end in the mark; a table has a partition on the disk. */
bool
mbr_is(const struct image *i)
{
	struct entry e[4];
	bool any = false;

	if (!load_table(i, 0, e))
		return false;
	for (unsigned k = 0; k < 4; k++) {
		if ((e[k].active & 0x7f) != 0)
			return false;
		any = any ||
		    (e[k].type != 0 && e[k].sectors > 0 && e[k].first > 0 &&
			(uint64_t)e[k].first * SECTOR < i->len);
	}
	return any;
}

/* Each table names one drive, counted from itself, and the next table,
 * counted from the extended partition; forward only, so that it ends. */
static bool
give_logical(struct image *i, uint64_t base, unsigned *number, struct peel *out)
{
	uint64_t at = base, next = base;
	struct entry e[4];

	for (unsigned n = 0; n < LOGICAL_MAX; n++) {
		if (!load_table(i, at * SECTOR, e)) {
			peel_note(out, PEEL_DAMAGED);
			return true;
		}
		for (unsigned k = 0; k < 4; k++) {
			if (is_extended(e[k].type))
				next = base + e[k].first;
			else if (e[k].type != 0 && e[k].sectors != 0 &&
			    !give_part(i, (at + e[k].first) * SECTOR,
				(uint64_t)e[k].sectors * SECTOR, (*number)++,
				out))
				return false;
		}
		if (next == at)
			return true;
		if (next < at)
			break;
		at = next;
	}
	peel_note(out, PEEL_DAMAGED);
	return true;
}

bool
parts_mbr(struct image *i, struct peel *out)
{
	struct giving boot = giving_of(i, out, SPAN("boot"), SECTOR);
	struct entry e[4];
	unsigned number = 5;

	if (!load_table(i, 0, e))
		return true;
	(void)giving_run(&boot, 0, SECTOR);
	if (!giving_end(&boot))
		return false;
	for (unsigned k = 0; k < 4; k++) {
		bool more = true;

		if (e[k].type == 0 || e[k].sectors == 0 || e[k].first == 0)
			continue;
		if (is_extended(e[k].type))
			more = give_logical(i, e[k].first, &number, out);
		else
			more = give_part(i, (uint64_t)e[k].first * SECTOR,
			    (uint64_t)e[k].sectors * SECTOR, k + 1, out);
		if (!more)
			return false;
	}
	return true;
}

/* ---- GPT ------------------------------------------------------------------------- */

struct gpt {
	uint64_t entries;
	uint32_t count, size;
};

static bool
load_gpt(const struct image *i, uint64_t at, uint64_t sector, struct gpt *g)
{
	char raw[92];
	struct span s = { raw, sizeof(raw) };

	if (!image_load(i, at, raw, sizeof(raw)) ||
	    !bytes_are(s, 0, SPAN("EFI PART")))
		return false;
	(void)bytes_le64(s, 72, &g->entries);
	(void)bytes_le32(s, 80, &g->count);
	(void)bytes_le32(s, 84, &g->size);
	if (g->size < 128 || g->size > 4096 || g->count == 0 ||
	    g->entries >= i->len / sector)
		return false;
	g->entries *= sector;
	return true;
}

static bool
give_gpt(
    struct image *i, const struct gpt *g, uint64_t sector, struct peel *out)
{
	static const char unused[16];
	char raw[48];
	struct span s = { raw, sizeof(raw) };

	if (g->count > GPT_MAX)
		peel_note(out, PEEL_UNSUPPORTED);
	for (uint32_t k = 0; k < g->count && k < GPT_MAX; k++) {
		uint64_t first, last;

		if (!image_load(i, g->entries + (uint64_t)k * g->size, raw,
			sizeof(raw))) {
			peel_note(out, PEEL_DAMAGED);
			return true;
		}
		(void)bytes_le64(s, 32, &first);
		(void)bytes_le64(s, 40, &last);
		if (memcmp(raw, unused, sizeof(unused)) == 0)
			continue;
		if (first == 0 || last < first || last >= i->len / sector)
			peel_note(out, PEEL_DAMAGED);
		if (first == 0 || last < first || first >= i->len / sector)
			continue;
		if (last >= i->len / sector)
			last = i->len / sector - 1;
		if (!give_part(i, first * sector, (last - first + 1) * sector,
			k + 1, out))
			return false;
	}
	return true;
}

bool
parts_gpt(struct image *i, struct peel *out)
{
	static const uint32_t sectors[] = { 512, 4096 };
	struct gpt g;

	for (unsigned k = 0; k < 2; k++) {
		uint64_t n = sectors[k];

		if (load_gpt(i, n, n, &g))
			return give_gpt(i, &g, n, out);
	}
	for (unsigned k = 0; k < 2; k++) {
		uint64_t n = sectors[k];

		if (i->len > n && load_gpt(i, i->len / n * n - n, n, &g))
			return give_gpt(i, &g, n, out);
	}
	peel_note(out, PEEL_DAMAGED);
	return true;
}

/* ---- APM ------------------------------------------------------------------------- */

bool
parts_apm(struct image *i, struct peel *out)
{
	char raw[16];
	struct span s = { raw, sizeof(raw) };
	uint16_t size = 0;
	uint32_t count = 1;

	if (image_load(i, 0, raw, 4) && bytes_are(s, 0, SPAN("ER")))
		(void)bytes_be16(s, 2, &size);
	if (size < SECTOR || size > 4096)
		size = SECTOR;
	for (uint32_t k = 1; k <= count && k <= APM_MAX; k++) {
		uint32_t first, blocks;

		if (!image_load(i, (uint64_t)k * size, raw, sizeof(raw)) ||
		    !bytes_are(s, 0, SPAN("PM"))) {
			peel_note(out, PEEL_DAMAGED);
			return true;
		}
		(void)bytes_be32(s, 4, &count);
		(void)bytes_be32(s, 8, &first);
		(void)bytes_be32(s, 12, &blocks);
		/* The first one is often the map itself. */
		if (first <= k || blocks == 0)
			continue;
		if (!give_part(i, (uint64_t)first * size,
			(uint64_t)blocks * size, k, out))
			return false;
	}
	if (count > APM_MAX)
		peel_note(out, PEEL_UNSUPPORTED);
	return true;
}
