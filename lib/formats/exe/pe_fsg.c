#include "formats/exe/pe_pack.h"

/* FSG 2 (bart, xt).  Its stub makes numbers behind it its stack:
 *	xchg [PLACE], esp; popad; xchg eax, esp; push ebp; movsb; mov dh, 80h
 * whereby PLACE holds the address of a frame: edi, where the program goes,
 * esi, its one stream of aPLib, and ebx, a table of addresses of which the
 * fourth is the entry point.  Older versions are not read. */

#define FRAME_EDI 0u
#define FRAME_ESI 4u
#define FRAME_EBX 16u
#define ENTRY     12u /* in the table */

/* The four bytes at a virtual address that lies in the file. */
static bool
word_at(struct span object, const struct exe *x, uint32_t va, uint32_t *out)
{
	uint64_t at;

	return exe_offset(object, x, (uint32_t)(va - x->image_base), &at) &&
	    bytes_le32(object, at, out);
}

enum unpacked
pe_fsg(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	uint32_t place, frame, edi, esi, ebx, entry, base;
	size_t from, to, end;

	if (x->pe32plus || x->sections < 2 || x->section[0].raw_size != 0 ||
	    !bytes_are(object, x->entry, SPAN("\x87\x25")) ||
	    !bytes_le32(object, x->entry + 2, &place) ||
	    !bytes_are(object, x->entry + 6, SPAN("\x61\x94\x55\xa4\xb6\x80")))
		return UNPACKED_NOT;
	if (!word_at(object, x, place, &frame) ||
	    !word_at(object, x, frame + FRAME_EDI, &edi) ||
	    !word_at(object, x, frame + FRAME_ESI, &esi) ||
	    !word_at(object, x, frame + FRAME_EBX, &ebx) ||
	    !word_at(object, x, ebx + ENTRY, &entry) ||
	    !pe_image_map(object, x, im))
		return UNPACKED_BROKEN;
	base = im->image_base + im->base;
	from = esi - base;
	to = edi - base;
	/* What was packed stands behind, and is not kept. */
	im->parts = 1;
	end = im->part[0].va - im->base + (size_t)im->part[0].size;
	if (from >= im->bytes.len || to >= end ||
	    !aplib_unpack(im, &from, &to, end - to, out) || to > end)
		return UNPACKED_BROKEN;
	im->entry = entry - im->image_base;
	buf_cut(&im->bytes, end);
	return UNPACKED_DONE;
}
