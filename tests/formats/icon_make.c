#include "formats/icon_make.h"

#include "formats/pe_build.h"

#define TREE_AT   0x400u /* in the file; the entry point is before it */
#define TREE_RVA  0x1200u
#define FLAGS_AT  (PE_AT + 22)
#define DIRECTORY 16u
#define TOP_BIT   0x80000000u

static void
put(struct buf *b, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		buf_char(b, (char)(v & 0xff));
}

/* ---- icons -------------------------------------------------------------------- */

static void
put_palette(struct buf *b, unsigned depth)
{
	uint32_t n = 1u << depth;

	for (uint32_t i = 0; i < n; i++)
		put(b, i * 255 / (n - 1) * 0x10101u, 4);
}

static void
put_row(struct buf *b, uint32_t width, unsigned depth, uint32_t y,
    uint32_t (*pixel)(uint32_t x, uint32_t y))
{
	size_t from = b->len;
	uint32_t bits = 0;

	for (uint32_t x = 0; x < width && depth >= 8; x++)
		put(b, pixel(x, y), depth / 8);
	for (uint32_t x = 0; x < width && depth < 8; x++) {
		bits = bits << depth | (pixel(x, y) & ((1u << depth) - 1));
		if ((x + 1) * depth % 8 == 0)
			put(b, bits, 1);
	}
	while ((b->len - from) % 4 != 0)
		put(b, 0, 1);
}

void
icon_make(struct buf *out, uint32_t width, uint32_t height, unsigned depth,
    uint32_t (*pixel)(uint32_t x, uint32_t y))
{
	put(out, ICON_HEADER, 4);
	put(out, width, 4);
	put(out, 2 * height, 4);
	put(out, 1, 2);
	put(out, depth, 2);
	for (unsigned i = 0; i < 6; i++)
		put(out, 0, 4);
	if (depth <= 8)
		put_palette(out, depth);
	for (uint32_t y = height; y-- > 0;)
		put_row(out, width, depth, y, pixel);
	for (uint32_t i = 0; i < (width + 31) / 32 * height; i++)
		put(out, 0, 4);
}

/* ---- programs ------------------------------------------------------------------- */

static void
put_directory(struct buf *b, size_t entries)
{
	put(b, 0, 12);
	put(b, 0, 2);
	put(b, (uint32_t)entries, 2);
}

static void
put_entry(struct buf *b, size_t id, size_t at, bool leaf)
{
	put(b, (uint32_t)id, 4);
	put(b, (uint32_t)at | (leaf ? 0 : TOP_BIT), 4);
}

static void
put_data(struct buf *b, size_t at, size_t size)
{
	put(b, (uint32_t)(TREE_RVA + at), 4);
	put(b, (uint32_t)size, 4);
	put(b, 0, 8);
}

/* A name of one language, whose data stands at `at`. */
static void
put_name(struct buf *b, size_t at, size_t size)
{
	put_directory(b, 1);
	put_entry(b, 0x409, b->len + 8, true);
	put_data(b, at, size);
}
#define NAME (DIRECTORY + 8u + 16u)

static void
put_tree(struct buf *b, const struct span *icons, size_t n)
{
	size_t icon_dir = DIRECTORY + 16;
	size_t names = icon_dir + DIRECTORY + 8 * n;
	size_t group_dir = names + NAME * n;
	size_t group = group_dir + DIRECTORY + 8 + NAME;
	size_t at = group + 6 + 14 * n;

	put_directory(b, 2);
	put_entry(b, 3, icon_dir, false);
	put_entry(b, 14, group_dir, false);
	put_directory(b, n);
	for (size_t i = 0; i < n; i++)
		put_entry(b, i + 1, names + NAME * i, false);
	for (size_t i = 0; i < n; i++) {
		put_name(b, at, icons[i].len);
		at += icons[i].len;
	}
	put_directory(b, 1);
	put_entry(b, 1, group_dir + DIRECTORY + 8, false);
	put_name(b, group, 6 + 14 * n);
	put(b, 0x10000, 4);
	put(b, (uint32_t)n, 2);
	for (size_t i = 0; i < n; i++) {
		put(b, 0, 12);
		put(b, (uint32_t)i + 1, 2);
	}
	for (size_t i = 0; i < n; i++)
		buf_span(b, icons[i]);
}

struct span
icon_program(const struct span *icons, size_t n, uint16_t characteristics)
{
	struct buf tree = buf_make(PE_BUILD_MAX);
	struct pe_build b = { .entry = 0x1000,
		.section_align = 0x1000,
		.file_align = 0x200,
		.headers = 0x200 };
	struct span out;
	size_t raw;

	put_tree(&tree, icons, n);
	assert_false(tree.full);
	raw = (0x200 + tree.len + 0x1ff) / 0x200 * 0x200;
	b.size = 0x200 + raw;
	assert_true(b.size <= PE_BUILD_MAX);
	b.section[0] = (struct pe_build_section){ (uint32_t)raw, 0x1000,
		(uint32_t)raw, 0x200 };
	b.dir[2] = (struct exe_dir){ TREE_RVA, (uint32_t)tree.len };
	out = pe_build_make(&b);
	memcpy((char *)(uintptr_t)out.ptr + TREE_AT, tree.ptr, tree.len);
	pe_put(
	    (unsigned char *)(uintptr_t)out.ptr + FLAGS_AT, characteristics, 2);
	buf_free(&tree);
	return out;
}
