#include "formats/exe/pe_pack.h"

/* UPX (upx.github.io).  A first section without data in the file is what the
 * program unpacks itself to; the next one holds the packed bytes and the stub
 * that begins with
 *	pushad; mov esi, PACKED; lea edi, [esi + DISTANCE]
 * Names of sections and the stub's details are often changed to hide that,
 * so neither is relied on: each method is tried from where the stub says, and
 * from the begin of the section.  The unpacked bytes end with the offset of
 * the original header among them (UPX's "extra info"). */

#define STUB_MAX    64u
#define FILE_HEADER 24u
#define SECTION     40u

struct place {
	struct exe_section target, source;
	uint32_t base;  /* RVA of what is unpacked */
	uint64_t at[2]; /* file offsets where packed bytes may begin */
	unsigned n;
	struct span packed; /* the section; what is behind belongs to none */
};

static bool
sections_fit(struct span object, const struct exe *x, struct place *p)
{
	for (uint64_t i = 0; i + 1 < x->sections; i++)
		if (exe_section_find(object, x, i, &p->target) &&
		    p->target.raw_size == 0 && p->target.va_size != 0 &&
		    exe_section_find(object, x, i + 1, &p->source) &&
		    p->source.raw_size != 0 && p->source.va_size != 0)
			return true;
	return false;
}

static void
place_add(struct place *p, uint64_t at)
{
	if (at < p->source.raw || at - p->source.raw >= p->source.raw_size)
		return;
	for (unsigned i = 0; i < p->n; i++)
		if (p->at[i] == at)
			return;
	p->at[p->n++] = at;
}

/* mov esi, imm32 (or lea rsi, [rip + imm32]); lea edi, [esi + imm32]. */
static void
stub_read(struct span object, const struct exe *x, struct place *p)
{
	struct span stub = bytes_sub(object, x->entry, STUB_MAX);
	uint32_t value, distance, rva = 0, entry_rva;
	bool found = false;

	entry_rva = (uint32_t)(x->entry - p->source.raw + p->source.va);
	for (uint32_t i = 0; i + 13 < stub.len && !found; i++) {
		uint32_t at = 5;

		(void)bytes_le32(stub, i + 1, &value);
		if (x->pe32plus && bytes_are(stub, i, SPAN("\x48\x8d\x35"))) {
			(void)bytes_le32(stub, i + 3, &value);
			rva = entry_rva + i + 7 + value;
			at = 8;
		} else if (stub.ptr[i] == '\xbe') {
			rva = value - (uint32_t)x->image_base;
		} else {
			continue;
		}
		found = bytes_are(stub, i + at, SPAN("\x8d\xbe")) &&
		    bytes_le32(stub, i + at + 2, &distance);
	}
	if (!found)
		return;
	place_add(p, rva - p->source.va + p->source.raw);
	rva += distance;
	if (rva >= p->target.va && rva - p->target.va < p->target.va_size)
		p->base = rva;
}

static bool
place_find(struct span object, const struct exe *x, struct place *p)
{
	memset(p, 0, sizeof(*p));
	if (!x->has_sections || !sections_fit(object, x, p) ||
	    p->source.va < p->target.va)
		return false;
	p->base = (uint32_t)p->target.va;
	if (x->entry >= p->source.raw &&
	    x->entry - p->source.raw < p->source.raw_size)
		stub_read(object, x, p);
	place_add(p, p->source.raw);
	return p->n > 0;
}

/* LZMA after two bytes with its parameters. */
static bool
lzma_two(struct span in, struct buf *out, struct peel *ticker)
{
	struct lzma_bits bits;
	uint8_t first, second;

	if (!bytes_u8(in, 0, &first) || !bytes_u8(in, 1, &second))
		return false;
	bits.position = first & 7;
	bits.position_literal = second >> 4;
	bits.context = second & 15;
	return first >> 3 == bits.context + bits.position_literal &&
	    lzma_unpack(bits, span_from(in, 2), out, ticker);
}

/* The original header, of which UPX keeps the offset behind everything, and
 * the section table behind it. */
static bool
header_read(struct pe_image *im, uint32_t at)
{
	struct span all = buf_view(&im->bytes);
	uint16_t sections, optional;
	uint64_t table;

	if (!bytes_are(all, at, SPAN("PE\0\0")) ||
	    !bytes_le16(all, at + 6ull, &sections) ||
	    !bytes_le16(all, at + 20ull, &optional) || sections == 0 ||
	    sections > PE_PARTS_MAX || optional > 1024)
		return false;
	table = (uint64_t)at + FILE_HEADER + optional;
	if (!bytes_have(all, table, (uint64_t)sections * SECTION))
		return false;
	(void)bytes_le32(all, at + FILE_HEADER + 16ull, &im->entry);
	im->header = bytes_sub(all, at, FILE_HEADER + (uint64_t)optional);
	im->parts = sections;
	for (uint32_t i = 0; i < sections; i++, table += SECTION) {
		struct pe_part *p = &im->part[i];

		(void)bytes_load(all, table, p->name, sizeof(p->name));
		(void)bytes_le32(all, table + 8, &p->size);
		(void)bytes_le32(all, table + 12, &p->va);
		(void)bytes_le32(all, table + 36, &p->flags);
	}
	return true;
}

/* Without a header, false, and the whole memory is one section, entered at its
 * begin. */
static bool
header_find(const struct exe *x, struct pe_image *im)
{
	struct span all = buf_view(&im->bytes);
	uint32_t at;

	im->image_base = (uint32_t)x->image_base;
	if (all.len >= 4 && bytes_le32(all, all.len - 4, &at) &&
	    header_read(im, at))
		return true;
	for (size_t i = all.len; i-- > 0;)
		if (all.ptr[i] == 'P' && header_read(im, (uint32_t)i))
			return true;
	im->parts = 1;
	im->entry = im->base;
	im->part[0] = (struct pe_part){ ".text", im->base,
		(uint32_t)im->bytes.len, 0xe0000020 };
	return false;
}

/* By one method.  That it came to an end mark is proof enough; with LZMA only
 * the header is. */
static bool
method_try(unsigned method, struct span in, const struct exe *x,
    struct peel *out, struct pe_image *im)
{
	buf_clear(&im->bytes);
	if (method == NRVS)
		return lzma_two(in, &im->bytes, out) && header_find(x, im);
	if (!nrv_unpack((enum nrv)method, in, &im->bytes, out) ||
	    im->bytes.len <= FILE_HEADER)
		return false;
	(void)header_find(x, im);
	return true;
}

enum unpacked
pe_upx(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct place p;
	struct span in;

	if (!place_find(object, x, &p))
		return UNPACKED_NOT;
	im->base = p.base;
	im->bytes.max = pe_image_max(
	    (size_t)p.source.raw_size, p.source.va + p.source.va_size - p.base);
	for (unsigned i = 0; i < p.n; i++) {
		in = bytes_sub(object, p.at[i],
		    p.source.raw + p.source.raw_size - p.at[i]);
		for (unsigned method = 0; method <= NRVS; method++) {
			if (!peel_tick(out))
				return UNPACKED_STOP;
			if (method_try(method, in, x, out, im))
				return UNPACKED_DONE;
		}
	}
	return UNPACKED_NOT;
}
