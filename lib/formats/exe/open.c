#include "formats/exe/pe_pack.h"

static const struct packer {
	const char *name; /* of the member */
	unpacker_fn *unpack;
} packers[] = {
	{ "mew", pe_mew }, /* those before UPX: sections are alike */
	{ "yc", pe_yc },
	{ "fsg", pe_fsg },
	{ "petite", pe_petite },
	{ "nspack", pe_nspack },
	{ "pespin", pe_pespin },
	{ "upack", pe_upack },
	{ "upx", pe_upx },
	{ "aspack", pe_aspack },
	{ "wwpack", pe_wwpack },
};

/* The first packer that knows the program. */
static void
unpack(struct span object, const struct exe *x, struct peel *out)
{
	struct pe_image im;

	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		enum unpacked u;

		memset(&im, 0, sizeof(im));
		u = packers[i].unpack(object, x, out, &im);
		if (u == UNPACKED_DONE)
			(void)pe_image_give(&im, span_of(packers[i].name), out);
		else if (u == UNPACKED_BROKEN)
			peel_note(out, PEEL_DAMAGED);
		buf_free(&im.bytes);
		if (u == UNPACKED_DONE || u == UNPACKED_STOP)
			return;
	}
}

/* Certificates stand behind the sections too, but are no overlay; a program
 * there is given as such. */
static bool
overlay_give(struct span object, const struct exe *x, struct peel *out)
{
	struct peel_member m = peel_named(SPAN("overlay"), FORMAT_ANY);
	struct pe_certificates c;
	struct span overlay;

	overlay = span_from(object, (size_t)x->overlay);
	pe_certificates(object, x, &c);
	if (c.table.len > 0 && c.table.ptr >= overlay.ptr) {
		if (c.table.ptr + c.table.len == object.ptr + object.len)
			overlay.len = (size_t)(c.table.ptr - overlay.ptr);
		else if (c.table.ptr == overlay.ptr)
			overlay = span_from(overlay, c.table.len);
	}
	if (x->overlay == 0 || overlay.len == 0 || pe_is_embedded(overlay))
		return true;
	m.packed = m.size = overlay.len;
	return peel_slice(out, &m, overlay);
}

void
open_pe(struct span object, struct peel *out)
{
	struct exe x;

	(void)exe_parse(object, &x);
	if (x.format == FORMAT_MSEXE && x.has_sections &&
	    overlay_give(object, &x, out) && pe_embedded_give(object, 2, out))
		unpack(object, &x, out);
}

/* ---- universal binaries -------------------------------------------------- */

#define FAT_MAX    31u /* kinds of processor; Java classes have more there */
#define FAT_HEADER 8u

struct fat_arch {
	uint64_t offset, size;
	uint32_t row;
};

static bool
arch_read(struct span object, bool wide, uint64_t i, struct fat_arch *a)
{
	uint64_t at = FAT_HEADER + i * (wide ? 32u : 20u);
	uint32_t offset, size;
	bool had;

	if (wide)
		return bytes_be64(object, at + 8, &a->offset) &&
		    bytes_be64(object, at + 16, &a->size);
	(void)bytes_be32(object, at + 8, &offset);
	had = bytes_be32(object, at + 12, &size);
	a->offset = offset;
	a->size = size;
	return had;
}

void
open_macho_fat(struct span object, struct peel *out)
{
	struct fat_arch a = { 0 };
	uint32_t n, magic;
	uint64_t table;
	bool wide;

	if (!bytes_be32(object, 0, &magic) || !bytes_be32(object, 4, &n) ||
	    (magic != 0xcafebabe && magic != 0xcafebabf) || n > FAT_MAX)
		return;
	wide = magic == 0xcafebabf;
	table = FAT_HEADER + n * (wide ? 32ull : 20ull);
	for (uint32_t i = 0; i < n; i++) {
		struct peel_member m = peel_named(SPAN(""), FORMAT_ANY);
		struct span slice;

		if (!arch_read(object, wide, i, &a) || a.offset < table ||
		    a.offset >= object.len) {
			peel_note(out, PEEL_DAMAGED);
			continue;
		}
		slice = bytes_sub(object, a.offset, a.size);
		if (slice.len < a.size)
			peel_note(out, PEEL_DAMAGED);
		m.packed = m.size = slice.len;
		if (!peel_slice(out, &m, slice))
			return;
	}
}
