/* VHD, dynamic: a copy of the footer, a header, and a table that places
 * blocks of the disk, each behind a bitmap of its written sectors.  The bitmap
 * is not looked at: an unwritten sector holds zeros or what was there before.
 * A fixed VHD is the disk itself with a footer, and needs no opener.
 * Differencing disks lack what stands in their parent, which is told. */

#include "formats/bytes.h"
#include "formats/disk/image.h"

#define SECTOR 512u

enum { VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

static bool
read_vhd(struct span s, struct image *i, struct peel *out)
{
	uint64_t size, header, table;
	uint32_t kind, count, block;

	(void)bytes_be64(s, 16, &header);
	(void)bytes_be64(s, 48, &size);
	(void)bytes_be32(s, 60, &kind);
	if (kind == VHD_DIFFERENCING)
		peel_note(out, PEEL_UNSUPPORTED);
	if (!bytes_are(s, header, SPAN("cxsparse")) ||
	    !bytes_have(s, header, 1024))
		return false;
	(void)bytes_be64(s, header + 16, &table);
	(void)bytes_be32(s, header + 28, &count);
	(void)bytes_be32(s, header + 32, &block);
	if (block < SECTOR || (block & (block - 1)) != 0 || table > s.len)
		return false;
	i->table = bytes_sub(s, table, (uint64_t)count * 4);
	i->block = block;
	/* A bit a sector, in whole sectors. */
	i->skip = (block / SECTOR / 8 + SECTOR - 1) / SECTOR * SECTOR;
	i->len = (uint64_t)(i->table.len / 4) * block;
	if (size < i->len)
		i->len = size;
	return i->len > 0;
}

void
open_vhd(struct span object, struct peel *out)
{
	struct image i = image_of(object);
	struct giving g;
	enum format f;

	if (!read_vhd(object, &i, out)) {
		peel_note(out, PEEL_DAMAGED);
		return;
	}
	f = image_format(&i);
	if (f != FORMAT_ANY) {
		(void)image_open(&i, f, out);
		return;
	}
	g = giving_of(&i, out, SPAN("disk"), i.len);
	(void)giving_run(&g, 0, i.len);
	(void)giving_end(&g);
}
