#include "formats/exe/pe_pack.h"

/* MEW 11 SE (Northfox).  The entry point jumps into the header, where
 *	mov esi, TABLE; mov ebx, esi; lodsd; lodsd; push eax; lodsd; ...
 * finds a routine, the original entry point, and streams of aPLib, each behind
 * the address it goes to, up to an address of 0. */

#define STREAMS_MAX 64u
#define JUMP        5u
#define PAGE        0x1000u

/* The virtual address of the table; false if the stub is not MEW's. */
static bool
table_find(struct span object, const struct exe *x, uint32_t *va)
{
	uint32_t entry, to;
	uint64_t at;

	return pe_entry_rva(object, x, &entry) &&
	    bytes_are(object, x->entry, SPAN("\xe9")) &&
	    bytes_le32(object, x->entry + 1, &to) &&
	    exe_offset(object, x, (uint32_t)(entry + JUMP + to), &at) &&
	    bytes_are(object, at, SPAN("\xbe")) &&
	    bytes_le32(object, at + 1, va) &&
	    bytes_are(object, at + 5,
		SPAN("\x8b\xde\xad\xad\x50\xad\x97\xb2\x80\xa4\xb6\x80\xff"));
}

/* Each stream begins a section of its own. */
static void
part_add(struct pe_image *im, uint32_t va)
{
	struct pe_part *last = im->parts > 0 ? &im->part[im->parts - 1] : NULL;
	uint32_t end = (uint32_t)(im->base + im->bytes.len);

	va -= va % PAGE;
	if (last != NULL && va <= last->va)
		return;
	if (last != NULL)
		last->size = va - last->va;
	im->part[im->parts++] =
	    (struct pe_part){ ".mew", va, end - va, 0xe0000060 };
}

static enum unpacked
streams_unpack(struct pe_image *im, size_t at, struct peel *out)
{
	struct span all = buf_view(&im->bytes);
	size_t room = all.len, to, begin;
	uint32_t va;

	im->parts = 0;
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		if (!bytes_le32(all, at, &va))
			return UNPACKED_BROKEN;
		if (va == 0 && i > 0)
			return UNPACKED_DONE;
		to = begin = va - im->image_base - im->base;
		at += sizeof(va);
		if (begin >= all.len || !aplib_unpack(im, &at, &to, room, out))
			return UNPACKED_BROKEN;
		room -= to - begin > room ? room : to - begin;
		part_add(im, va - im->image_base);
	}
	return UNPACKED_BROKEN;
}

/* What was packed stands behind what it became, and is not kept. */
static void
packed_drop(struct pe_image *im, uint32_t va)
{
	struct pe_part *last = &im->part[im->parts - 1];

	if (va <= last->va || va - im->base >= im->bytes.len)
		return;
	buf_cut(&im->bytes, va - im->base);
	last->size = va - last->va;
}

enum unpacked
pe_mew(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	uint32_t table, entry;
	enum unpacked u;

	if (x->pe32plus || x->sections != 2 || x->section[0].raw_size != 0 ||
	    !table_find(object, x, &table))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im))
		return UNPACKED_BROKEN;
	table -= im->image_base + im->base;
	if (!bytes_le32(buf_view(&im->bytes), table + 4ull, &entry))
		return UNPACKED_BROKEN;
	im->entry = entry - im->image_base;
	u = streams_unpack(im, table + 8ull, out);
	if (u == UNPACKED_DONE)
		packed_drop(im, (uint32_t)x->section[1].va);
	return u;
}
