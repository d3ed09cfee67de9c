#include "formats/exe/pe_pack.h"

#define DOS_HEADER   64u
#define FILE_HEADER  24u
#define OPTIONAL     224u /* what is written when no header was kept */
#define SECTION      40u
#define PAGE         0x1000u
#define BASE_MAX     0x10000u /* above this the file does not begin at RVA 0 */

#define IMAGE_ALWAYS ((size_t)16 << 20)
#define IMAGE_MOST   ((size_t)256 << 20)
#define IMAGE_RATIO  64u

size_t
pe_image_max(size_t packed, uint64_t claimed)
{
	size_t most = packed > IMAGE_MOST / IMAGE_RATIO ? IMAGE_MOST
							: packed * IMAGE_RATIO;

	if (most < IMAGE_ALWAYS)
		most = IMAGE_ALWAYS;
	return claimed < most ? (size_t)claimed : most;
}

static void
put16(struct buf *b, uint32_t v)
{
	buf_char(b, (char)v);
	buf_char(b, (char)(v >> 8));
}

static void
put32(struct buf *b, uint32_t v)
{
	put16(b, v);
	put16(b, v >> 16);
}

static void
put_zeros(struct buf *b, size_t n)
{
	static const char zeros[PAGE];

	for (; n > sizeof(zeros) && !b->full; n -= sizeof(zeros))
		buf_add(b, zeros, sizeof(zeros));
	buf_add(b, zeros, n);
}

/* A number over what stands at `at`, which is there. */
static void
set32(struct buf *b, size_t at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		b->ptr[at + i] = (char)(v >> (8 * i));
}

/* A PE header of our own for a packer that kept none. */
static void
put_header(const struct pe_image *im, struct buf *b)
{
	buf_add(b, "PE\0\0\x4c\x01", 6);
	put16(b, im->parts);
	put_zeros(b, 12);
	put16(b, OPTIONAL);
	put16(b, 0x103); /* executable, 32 bits, no relocations */
	put16(b, 0x10b);
	put_zeros(b, 14);
	put32(b, im->entry);
	put_zeros(b, 8);
	put32(b, im->image_base);
	put_zeros(b, 24); /* alignments and versions */
	put32(b, (uint32_t)(im->base + im->bytes.len));
	put_zeros(b, 8);
	put16(b, 2); /* graphical */
	put_zeros(b, 22);
	put32(b, EXE_DIRS);
	put_zeros(b, EXE_DIRS * sizeof(struct exe_dir));
}

bool
pe_entry_rva(struct span object, const struct exe *x, uint32_t *out)
{
	return bytes_le32(object, x->header + FILE_HEADER + 16, out);
}

/* The sections' names and places; returns where the last one ends. */
static uint64_t
parts_read(struct span object, const struct exe *x, struct pe_image *im)
{
	uint64_t end = 0;

	im->parts = x->sections < PE_PARTS_MAX ? x->sections : PE_PARTS_MAX;
	im->image_base = (uint32_t)x->image_base;
	im->base = UINT32_MAX;
	for (uint32_t i = 0; i < im->parts; i++) {
		const struct exe_section *s = &x->section[i];
		struct pe_part *p = &im->part[i];

		(void)bytes_load(object, x->sections_at + (uint64_t)i * SECTION,
		    p->name, sizeof(p->name));
		p->va = (uint32_t)s->va;
		p->size = (uint32_t)s->va_size;
		p->flags = s->flags;
		if (p->va < im->base)
			im->base = p->va;
		if (s->va + s->va_size > end)
			end = s->va + s->va_size;
	}
	return end;
}

bool
pe_image_map(struct span object, const struct exe *x, struct pe_image *im)
{
	uint64_t end = parts_read(object, x, im), size = end - im->base;

	im->bytes.max = pe_image_max(object.len, size);
	if (im->bytes.max < size)
		return false;
	put_zeros(&im->bytes, size);
	if (im->bytes.full)
		return false;
	for (uint32_t i = 0; i < im->parts; i++) {
		const struct exe_section *s = &x->section[i];
		uint64_t n =
		    s->raw_size < s->va_size ? s->raw_size : s->va_size;

		if (bytes_have(object, s->raw, n))
			memcpy(im->bytes.ptr + (s->va - im->base),
			    object.ptr + s->raw, n);
	}
	return true;
}

/* Rounded up, as ClamAV does: so .mdb signatures of unpacked sections fit. */
static uint32_t
part_size(const struct pe_image *im, uint32_t i)
{
	uint32_t size = im->part[i].size;

	return size > UINT32_MAX - PAGE ? size
					: (size + PAGE - 1) / PAGE * PAGE;
}

/* Where the file ends, as an RVA: with the last section, but not more than
 * a page behind what was unpacked. */
static uint64_t
image_end(const struct pe_image *im)
{
	uint64_t most = im->base + im->bytes.len + PAGE - 1, end = im->base;

	most -= most % PAGE;
	for (uint32_t i = 0; i < im->parts; i++) {
		uint64_t e = (uint64_t)im->part[i].va + part_size(im, i);

		if (e > end)
			end = e;
	}
	return end < most ? end : most;
}

/* What does not lie in the image is not in the file. */
static void
put_section(
    const struct pe_image *im, uint32_t i, uint32_t shift, struct buf *b)
{
	const struct pe_part *p = &im->part[i];
	uint64_t end = image_end(im);
	uint32_t size = part_size(im, i), raw = size;

	if (p->va < im->base || p->va >= end)
		raw = 0;
	else if (raw > end - p->va)
		raw = (uint32_t)(end - p->va);
	buf_add(b, p->name, sizeof(p->name));
	put32(b, size);
	put32(b, p->va);
	put32(b, raw);
	put32(b, raw == 0 ? 0 : p->va - shift);
	put_zeros(b, 12);
	put32(b, p->flags);
}

/* All in front of the image; `shift` is what file offsets are less than
 * RVAs. */
static void
put_headers(const struct pe_image *im, uint32_t shift, struct buf *b)
{
	size_t at = DOS_HEADER + FILE_HEADER;

	buf_text(b, "MZ");
	put_zeros(b, DOS_HEADER - 6);
	put32(b, DOS_HEADER);
	if (im->header.len >= FILE_HEADER + OPTIONAL)
		buf_span(b, im->header);
	else
		put_header(im, b);
	if (b->full || b->len < at + OPTIONAL)
		return;
	b->ptr[DOS_HEADER + 6] = (char)im->parts;
	b->ptr[DOS_HEADER + 7] = 0;
	set32(b, DOS_HEADER + 20,
	    0x01030000u | (uint32_t)(b->len - DOS_HEADER - FILE_HEADER));
	set32(b, at + 16, im->entry);
	set32(b, at + 32, PAGE);
	set32(b, at + 36, shift == 0 ? PAGE : 0x200);
	set32(b, at + 60, PAGE);
	for (uint32_t i = 0; i < im->parts; i++)
		put_section(im, i, shift, b);
}

/* The image without what is behind its sections, or with zeros there. */
static bool
body_give(const struct pe_image *im, uint64_t size, struct peel *out)
{
	static const char zeros[PAGE];
	struct span have = bytes_sub(buf_view(&im->bytes), 0, size);

	return peel_add(out, have) &&
	    (have.len == size ||
		peel_add(out, (struct span){ zeros, size - have.len }));
}

bool
pe_image_give(const struct pe_image *im, struct span name, struct peel *out)
{
	struct peel_member m = peel_named(name, FORMAT_MSEXE);
	uint64_t size = im->whole ? 0 : image_end(im) - im->base;
	uint32_t front = im->base, shift = 0;
	struct buf b = buf_make(2 * BASE_MAX);
	bool more = true;

	if (im->base > BASE_MAX || im->base < PAGE) {
		shift = im->base / PAGE * PAGE - 2 * PAGE;
		front = im->base - shift;
	}
	if (im->whole) {
		m.size = im->bytes.len;
		return peel_begin(out, &m) &&
		    peel_add(out, buf_view(&im->bytes)) && peel_end(out);
	}
	put_headers(im, shift, &b);
	if (b.len < front)
		put_zeros(&b, front - b.len);
	if (b.full || b.len != front) {
		peel_note(out, b.full ? PEEL_MEMORY : PEEL_DAMAGED);
		goto out;
	}
	m.size = front + size;
	more = peel_begin(out, &m) && peel_add(out, buf_view(&b)) &&
	    body_give(im, size, out) && peel_end(out);
out:
	buf_free(&b);
	return more;
}
