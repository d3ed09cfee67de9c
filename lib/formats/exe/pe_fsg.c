#include "formats/exe/pe_pack.h"

/* FSG (bart, xt).  The stub of version 2 makes numbers behind it its stack:
 *	xchg [PLACE], esp; popad; xchg eax, esp; push ebp; movsb; mov dh, 80h
 * whereby PLACE holds the address of a frame: edi, where the program goes,
 * esi, its one stream of aPLib, and ebx, a table of addresses of which the
 * fourth is the entry point.
 * Version 1.33 keeps a table in the header:
 *	mov esi, TABLE; lodsd; xchg ebx, eax; lodsd; xchg edi, eax; lodsd; ...
 * of ebx, edi, esi as above, and addresses, each plus 1, where further streams
 * go, up to a 0.  The streams stand one behind the other. */

#define FRAME_EDI   0u
#define FRAME_ESI   4u
#define FRAME_EBX   16u
#define ENTRY       12u /* in the table */

#define STREAMS_MAX 64u
#define JUMP_AT     161u /* in the stub of 1.33 */

/* The four bytes at a virtual address that lies in the file. */
static bool
word_at(struct span object, const struct exe *x, uint32_t va, uint32_t *out)
{
	uint64_t at;

	return exe_offset(object, x, (uint32_t)(va - x->image_base), &at) &&
	    bytes_le32(object, at, out);
}

struct plan {
	uint32_t from, to; /* virtual addresses */
	uint64_t more;     /* file offset of where further streams go, or 0 */
	uint32_t entry;    /* RVA */
};

static bool
frame_read(
    struct span object, const struct exe *x, uint32_t place, struct plan *p)
{
	uint32_t frame, table;
	bool had;

	had = word_at(object, x, place, &frame) &&
	    word_at(object, x, frame + FRAME_EDI, &p->to) &&
	    word_at(object, x, frame + FRAME_ESI, &p->from) &&
	    word_at(object, x, frame + FRAME_EBX, &table) &&
	    word_at(object, x, table + ENTRY, &p->entry);
	p->entry -= (uint32_t)x->image_base;
	return had;
}

/* The entry point is where a jump of the stub goes. */
static bool
table_read(
    struct span object, const struct exe *x, uint32_t table, struct plan *p)
{
	uint32_t entry, jump;
	uint64_t at;

	if (!exe_offset(object, x, (uint32_t)(table - x->image_base), &at) ||
	    !bytes_le32(object, at + 4, &p->to) ||
	    !bytes_le32(object, at + 8, &p->from))
		return false;
	p->more = at + 12;
	p->entry = p->to - (uint32_t)x->image_base;
	if (pe_entry_rva(object, x, &entry) &&
	    bytes_are(object, x->entry + JUMP_AT, SPAN("\x0f\x84")) &&
	    bytes_le32(object, x->entry + JUMP_AT + 2, &jump))
		p->entry = entry + JUMP_AT + 6 + jump;
	return true;
}

/* UNPACKED_DONE if it is one of the stubs, and the plan is complete. */
static enum unpacked
plan_read(struct span object, const struct exe *x, struct plan *p)
{
	uint32_t where;

	if (bytes_are(object, x->entry, SPAN("\x87\x25")) &&
	    bytes_le32(object, x->entry + 2, &where) &&
	    bytes_are(object, x->entry + 6, SPAN("\x61\x94\x55\xa4\xb6\x80")))
		return frame_read(object, x, where, p) ? UNPACKED_DONE
						       : UNPACKED_BROKEN;
	if (bytes_are(object, x->entry, SPAN("\xbe")) &&
	    bytes_le32(object, x->entry + 1, &where) &&
	    bytes_are(object, x->entry + 5,
		SPAN("\xad\x93\xad\x97\xad\x56\x96\xb2\x80\xa4\xb6\x80")))
		return table_read(object, x, where, p) ? UNPACKED_DONE
						       : UNPACKED_BROKEN;
	return UNPACKED_NOT;
}

/* Each stream begins a section of its own, up to the next one. */
static void
part_add(struct pe_image *im, size_t to, size_t end)
{
	struct pe_part *last = &im->part[im->parts - 1];
	uint32_t va = im->base + (uint32_t)to;

	va -= va % 0x1000;
	if (va <= last->va || im->parts == STREAMS_MAX)
		return;
	last->size = va - last->va;
	last[1] = *last;
	last[1].va = va;
	last[1].size = im->base + (uint32_t)end - va;
	im->parts++;
}

/* All go into the first section, the last byte of which is before `end`. */
static enum unpacked
streams_unpack(struct span object, const struct plan *p, size_t end,
    struct pe_image *im, struct peel *out)
{
	uint32_t base = im->image_base + im->base, va = p->to;
	size_t from = p->from - base, to, begin, room = end;

	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		to = begin = va - base;
		if (from >= im->bytes.len || to >= end)
			return UNPACKED_BROKEN;
		part_add(im, to, end);
		if (!aplib_unpack(im, &from, &to,
			room < end - to ? room : end - to, out) ||
		    to > end)
			return UNPACKED_BROKEN;
		room -= to - begin > room ? room : to - begin;
		if (p->more == 0)
			return UNPACKED_DONE;
		if (!bytes_le32(object, p->more + 4ull * i, &va))
			return UNPACKED_BROKEN;
		if (va == 0)
			return UNPACKED_DONE;
		va--;
	}
	return UNPACKED_BROKEN;
}

enum unpacked
pe_fsg(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct plan p = { 0 };
	enum unpacked u;
	size_t end;

	if (x->pe32plus || x->sections < 2 || x->section[0].raw_size != 0)
		return UNPACKED_NOT;
	u = plan_read(object, x, &p);
	if (u != UNPACKED_DONE)
		return u;
	if (!pe_image_map(object, x, im))
		return UNPACKED_BROKEN;
	/* What was packed stands behind, and is not kept. */
	im->parts = 1;
	im->entry = p.entry;
	end = im->part[0].va - im->base + (size_t)im->part[0].size;
	u = streams_unpack(object, &p, end, im, out);
	if (end < im->bytes.len)
		buf_cut(&im->bytes, end);
	return u;
}
