/* UDF, on discs, sticks and in images that are ISO 9660 too: all files that
 * have a name.  The anchor is looked for with each size of block.  Read:
 * physical, sparable (as if nothing was replaced) and metadata partitions;
 * data in its descriptor, in short, long and extended allocation descriptors
 * and their continuations.  Virtual partitions (discs written in sessions)
 * are told but not read, named streams are left out.  Checksums are not
 * compared, except where they tell a descriptor from chance. */

#include <stdlib.h>

#include "formats/bytes.h"
#include "formats/disk/image.h"
#include "formats/office/utf16.h"

#define PARTS_MAX    8u   /* partition maps */
#define EXTENTS_MAX  64u  /* of a metadata file */
#define VOLUME_MAX   256u /* descriptors in a sequence */
#define DIR_MAX      (16u << 20)
#define CHAIN_MAX    4096u /* continuations of one file */
#define BLOCK_MAX    4096u
#define TAG          16u
#define NAME_MAX_LEN 254u /* units of a name */

enum {
	TAG_ANCHOR = 2,
	TAG_PARTITION = 5,
	TAG_LOGICAL = 6,
	TAG_END = 8,
	TAG_FILE_SET = 256,
	TAG_FILE_ID = 257,
	TAG_EXTENT = 258,
	TAG_FILE = 261,
	TAG_FILE_LARGE = 266
};

struct extent {
	uint32_t block, blocks; /* of the disk */
};

/* What a reference's partition number means. */
struct part_map {
	uint16_t number;
	bool known, metadata;
	uint32_t file; /* of metadata: where its descriptor is */
	uint64_t from; /* blocks */
	uint32_t extents;
	struct extent extent[EXTENTS_MAX];
};

struct udf {
	struct image *image;
	struct peel *out;
	uint32_t block;
	struct part_map map[PARTS_MAX];
	uint32_t maps;
	struct {
		uint16_t number;
		uint32_t from;
	} part[PARTS_MAX];
	uint32_t parts;
	uint32_t set_block;
	uint16_t set_part;
	bool has_set;
	unsigned char *seen; /* a bit for each block: directories */
	struct buf path;
	uint64_t dirs; /* bytes of directories that may be held */
};

#define NOWHERE UINT64_MAX

static bool
tag_is(struct span s, unsigned want)
{
	uint16_t id;
	uint8_t sum = 0, said;

	if (!bytes_have(s, 0, TAG))
		return false;
	(void)bytes_le16(s, 0, &id);
	(void)bytes_u8(s, 4, &said);
	for (unsigned k = 0; k < TAG; k++)
		if (k != 4)
			sum = (uint8_t)(sum + (uint8_t)s.ptr[k]);
	return id == want && sum == said;
}

/* A block of the disk, or what the image has of it. */
static struct span
load_block(const struct udf *u, uint64_t at, char raw[BLOCK_MAX])
{
	size_t n = u->block;

	if (at == NOWHERE || at > u->image->len / u->block ||
	    !image_load(u->image, at * u->block, raw, n))
		n = 0;
	return (struct span){ raw, n };
}

/* Where a block of a partition is on the disk. */
static uint64_t
find_block(const struct udf *u, uint32_t part, uint32_t block)
{
	const struct part_map *m;

	if (part >= u->maps || !u->map[part].known)
		return NOWHERE;
	m = &u->map[part];
	if (!m->metadata)
		return m->from + block;
	for (uint32_t k = 0; k < m->extents; k++) {
		if (block < m->extent[k].blocks)
			return (uint64_t)m->extent[k].block + block;
		block -= m->extent[k].blocks;
	}
	return NOWHERE;
}

/* ---- the volume -------------------------------------------------------------------- */

static void
read_partition(struct udf *u, struct span s)
{
	uint32_t n = u->parts;

	if (n == PARTS_MAX)
		return;
	(void)bytes_le16(s, 22, &u->part[n].number);
	(void)bytes_le32(s, 188, &u->part[n].from);
	u->parts++;
}

/* 1: a partition; 2: something that stands in for one, told by its name. */
static void
read_map(struct udf *u, struct span s, struct part_map *m)
{
	uint8_t kind;

	*m = (struct part_map){ 0 };
	(void)bytes_u8(s, 0, &kind);
	if (kind == 1) {
		m->known = bytes_le16(s, 4, &m->number);
		return;
	}
	if (bytes_are(s, 5, SPAN("*UDF Metadata"))) {
		m->metadata = true;
		m->known = bytes_le32(s, 40, &m->file);
	} else {
		m->known = bytes_are(s, 5, SPAN("*UDF Sparable"));
	}
	(void)bytes_le16(s, 38, &m->number);
	if (!m->known)
		peel_note(u->out, PEEL_UNSUPPORTED);
}

static void
read_logical(struct udf *u, struct span s)
{
	uint32_t count, at = 440;

	(void)bytes_le32(s, 248 + 4, &u->set_block);
	u->has_set = bytes_le16(s, 248 + 8, &u->set_part);
	(void)bytes_le32(s, 268, &count);
	u->maps = 0;
	for (uint32_t k = 0; k < count && k < PARTS_MAX; k++) {
		uint8_t len;

		if (!bytes_u8(s, at + 1, &len) || len < 6)
			break;
		read_map(u, bytes_sub(s, at, len), &u->map[u->maps++]);
		at += len;
	}
}

static void
read_sequence(struct udf *u, uint32_t at, uint32_t bytes)
{
	char raw[BLOCK_MAX];
	uint32_t count = bytes / u->block;

	for (uint32_t k = 0; k < count && k < VOLUME_MAX; k++) {
		struct span s = load_block(u, (uint64_t)at + k, raw);

		if (tag_is(s, TAG_PARTITION))
			read_partition(u, s);
		else if (tag_is(s, TAG_LOGICAL))
			read_logical(u, s);
		else if (tag_is(s, TAG_END))
			break;
	}
}

static bool
read_anchor(struct udf *u, uint64_t at)
{
	char raw[BLOCK_MAX];
	struct span s = load_block(u, at, raw);
	uint32_t said, len[2], block[2];

	if (!tag_is(s, TAG_ANCHOR) || !bytes_le32(s, 12, &said) || said != at)
		return false;
	for (unsigned k = 0; k < 2; k++) {
		(void)bytes_le32(s, 16 + 8 * k, &len[k]);
		(void)bytes_le32(s, 20 + 8 * k, &block[k]);
	}
	for (unsigned k = 0; k < 2 && !(u->has_set && u->parts > 0); k++)
		read_sequence(u, block[k], len[k]);
	return u->has_set && u->parts > 0;
}

static bool
find_volume(struct udf *u)
{
	static const uint32_t sizes[] = { 2048, 512, 4096, 1024 };

	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint64_t n = u->image->len / sizes[k];
		const uint64_t places[] = { 256, n - 1, n - 257, 512 };

		u->block = sizes[k];
		for (unsigned j = 0; j < 4; j++)
			if (places[j] < n && read_anchor(u, places[j]))
				return true;
	}
	return false;
}

/* ---- the descriptor of a file ---------------------------------------------------------- */

enum { KIND_DIR = 4, KIND_FILE = 5, KIND_METADATA = 250, KIND_MIRROR = 251 };
enum { DATA_SHORT, DATA_LONG, DATA_EXTENDED, DATA_WITHIN };

struct file {
	uint8_t kind;
	unsigned data; /* DATA_* */
	uint64_t size;
	struct span rest; /* descriptors, or the data */
	uint64_t at;      /* where `rest` is in the image */
	uint32_t part;
};

static bool
read_file(const struct udf *u, uint64_t at, uint32_t part, char raw[BLOCK_MAX],
    struct file *f)
{
	struct span s = load_block(u, at, raw);
	bool large = tag_is(s, TAG_FILE_LARGE);
	uint32_t attributes, len, head = large ? 216 : 176;
	uint16_t flags;

	if (!large && !tag_is(s, TAG_FILE))
		return false;
	(void)bytes_u8(s, 27, &f->kind);
	(void)bytes_le16(s, 34, &flags);
	(void)bytes_le64(s, 56, &f->size);
	(void)bytes_le32(s, head - 8, &attributes);
	(void)bytes_le32(s, head - 4, &len);
	f->data = flags & 7;
	f->rest = bytes_sub(s, (uint64_t)head + attributes, len);
	f->at = at * u->block + head + attributes;
	f->part = part;
	return f->data <= DATA_WITHIN;
}

/* One allocation descriptor; each kind has its length and the places of the
 * block and of the partition within. */
struct piece {
	uint32_t len, block, part;
	unsigned type;
};

enum { PIECE_WRITTEN, PIECE_RESERVED, PIECE_HOLE, PIECE_CHAIN };

static const struct {
	uint8_t size, block, part;
} pieces[] = {
	[DATA_SHORT] = { 8, 4, 0 },
	[DATA_LONG] = { 16, 4, 8 },
	[DATA_EXTENDED] = { 20, 12, 16 },
};

static bool
read_piece(const struct file *f, struct span s, uint64_t at, struct piece *p)
{
	uint16_t part;
	uint32_t len;

	if (!bytes_have(s, at, pieces[f->data].size))
		return false;
	(void)bytes_le32(s, at, &len);
	(void)bytes_le32(s, at + pieces[f->data].block, &p->block);
	(void)bytes_le16(s, at + pieces[f->data].part, &part);
	p->part = f->data == DATA_SHORT ? f->part : part;
	p->type = len >> 30;
	p->len = len & 0x3fffffff;
	return p->len > 0;
}

typedef bool piece_fn(struct udf *u, const struct piece *p, void *ctx);

/* The next block of descriptors; empty when there is none. */
static struct span
next_chain(const struct udf *u, const struct piece *p, char raw[BLOCK_MAX])
{
	struct span s = load_block(u, find_block(u, p->part, p->block), raw);
	uint32_t len;

	if (!tag_is(s, TAG_EXTENT) || !bytes_le32(s, 20, &len))
		return (struct span){ raw, 0 };
	return bytes_sub(s, 24, len);
}

/* False: `each` wants no more. */
static bool
walk_pieces(struct udf *u, const struct file *f, piece_fn *each, void *ctx)
{
	char raw[BLOCK_MAX];
	struct span s = f->rest;
	unsigned chains = 0;
	uint64_t at = 0;
	struct piece p;

	while (read_piece(f, s, at, &p)) {
		at += pieces[f->data].size;
		if (p.type != PIECE_CHAIN) {
			if (!each(u, &p, ctx))
				return false;
			continue;
		}
		if (++chains > CHAIN_MAX || !peel_tick(u->out))
			return false;
		s = next_chain(u, &p, raw);
		at = 0;
	}
	return true;
}

/* ---- data ---------------------------------------------------------------------------- */

static bool
give_piece(struct udf *u, const struct piece *p, void *ctx)
{
	struct giving *g = ctx;
	uint64_t block = find_block(u, p->part, p->block);

	if (g->left == 0)
		return false;
	if (p->type != PIECE_WRITTEN)
		return giving_zeros(g, p->len);
	return block != NOWHERE && block <= u->image->len / u->block &&
	    giving_run(g, block * u->block, p->len);
}

static bool
give_file(struct udf *u, const struct file *f)
{
	struct giving g =
	    giving_of(u->image, u->out, buf_view(&u->path), f->size);

	if (f->data == DATA_WITHIN)
		(void)giving_run(&g, f->at, f->rest.len);
	else
		(void)walk_pieces(u, f, give_piece, &g);
	return giving_end(&g);
}

/* The bytes of a directory. */
static bool
add_piece(struct udf *u, const struct piece *p, void *ctx)
{
	struct buf *b = ctx;
	uint64_t block = find_block(u, p->part, p->block), at = 0;

	if (p->type != PIECE_WRITTEN || block > u->image->len / u->block)
		return false;
	while (at < p->len && !b->full) {
		struct span s =
		    image_piece(u->image, block * u->block + at, p->len - at);

		if (s.len == 0)
			return false;
		buf_span(b, s);
		at += s.len;
	}
	return !b->full && peel_tick(u->out);
}

/* The blocks of a metadata file. */
static bool
add_extent(struct udf *u, const struct piece *p, void *ctx)
{
	struct part_map *m = ctx;
	uint64_t block = m->from + p->block;

	if (m->extents == EXTENTS_MAX || block > UINT32_MAX) {
		peel_note(u->out, PEEL_UNSUPPORTED);
		return false;
	}
	m->extent[m->extents++] =
	    (struct extent){ (uint32_t)block, p->len / u->block };
	return true;
}

static void
place_map(struct udf *u, struct part_map *m)
{
	char raw[BLOCK_MAX];
	struct file f;
	bool found = false;

	for (uint32_t k = 0; k < u->parts && !found; k++) {
		found = u->part[k].number == m->number;
		if (found)
			m->from = u->part[k].from;
	}
	m->known = m->known && found;
	if (!m->known || !m->metadata)
		return;
	if (read_file(u, m->from + m->file, 0, raw, &f) &&
	    f.data != DATA_WITHIN)
		(void)walk_pieces(u, &f, add_extent, m);
	m->known = m->extents > 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static bool read_dir(struct udf *u, const struct file *f, unsigned depth);

/* Characters of one byte or of two. */
static void
add_name(struct udf *u, struct span s)
{
	uint16_t unit[NAME_MAX_LEN];
	size_t n = 0;
	bool wide = s.len > 0 && s.ptr[0] == 16;

	if (u->path.len > 0)
		buf_char(&u->path, '/');
	for (size_t at = 1; at < s.len && n < NAME_MAX_LEN; n++) {
		if (wide)
			(void)bytes_be16(s, at, &unit[n]);
		else
			unit[n] = (uint8_t)s.ptr[at];
		at += wide ? 2 : 1;
	}
	for (size_t k = 0; k < n;)
		k += utf16_add(unit + k, n - k, &u->path);
}

/* A directory that was not read before. */
static bool
see(struct udf *u, uint64_t block)
{
	unsigned char bit = (unsigned char)(1u << (block % 8));

	if (block >= u->image->len / u->block ||
	    (u->seen[block / 8] & bit) != 0) {
		peel_note(u->out, PEEL_DAMAGED);
		return false;
	}
	u->seen[block / 8] |= bit;
	return true;
}

static bool
named_file(struct udf *u, uint32_t part, uint32_t block, unsigned depth)
{
	char raw[BLOCK_MAX];
	uint64_t at = find_block(u, part, block);
	struct file f;

	if (!read_file(u, at, part, raw, &f)) {
		peel_note(u->out, PEEL_DAMAGED);
		return true;
	}
	if (f.kind != KIND_DIR)
		return f.kind != KIND_FILE && f.kind != 0 ? true
							  : give_file(u, &f);
	return !see(u, at) || read_dir(u, &f, depth);
}

enum { ID_DELETED = 4, ID_PARENT = 8 };

/* The next entry; 0 at the end, or how long it is. */
static bool
read_entry(struct udf *u, struct span s, uint64_t *at, unsigned depth)
{
	uint8_t flags, name;
	uint16_t part, more;
	uint32_t block;
	size_t len = u->path.len;
	uint64_t from = *at;
	bool go = true;

	(void)bytes_u8(s, from + 18, &flags);
	(void)bytes_u8(s, from + 19, &name);
	(void)bytes_le32(s, from + 24, &block);
	(void)bytes_le16(s, from + 28, &part);
	(void)bytes_le16(s, from + 36, &more);
	*at = from + ((38u + more + name + 3u) & ~3u);
	if ((flags & (ID_DELETED | ID_PARENT)) != 0)
		return true;
	add_name(u, bytes_sub(s, from + 38 + more, name));
	go = named_file(u, part, block, depth);
	buf_cut(&u->path, len);
	return go;
}

static bool
read_dir(struct udf *u, const struct file *f, unsigned depth)
{
	struct buf b = buf_make(u->dirs < DIR_MAX ? (size_t)u->dirs : DIR_MAX);
	struct span s;
	uint64_t at = 0;
	bool more = true;

	if (depth > DIRS_DEPTH) {
		peel_note(u->out, PEEL_UNSUPPORTED);
		return true;
	}
	if (f->data == DATA_WITHIN)
		buf_span(&b, f->rest);
	else
		(void)walk_pieces(u, f, add_piece, &b);
	s = buf_view(&b);
	u->dirs -= s.len;
	if (s.len < f->size)
		peel_note(u->out, PEEL_DAMAGED);
	s = bytes_sub(s, 0, f->size);
	while (more && at < s.len && tag_is(span_from(s, at), TAG_FILE_ID))
		more = read_entry(u, s, &at, depth + 1);
	if (more && at < s.len)
		peel_note(u->out, PEEL_DAMAGED);
	buf_free(&b);
	return more && peel_tick(u->out);
}

static bool
read_root(struct udf *u)
{
	char raw[BLOCK_MAX];
	struct span s =
	    load_block(u, find_block(u, u->set_part, u->set_block), raw);
	uint32_t block;
	uint16_t part;

	if (!tag_is(s, TAG_FILE_SET)) {
		peel_note(u->out, PEEL_DAMAGED);
		return true;
	}
	(void)bytes_le32(s, 400 + 4, &block);
	(void)bytes_le16(s, 400 + 8, &part);
	return named_file(u, part, block, 0);
}

bool
files_udf(struct image *i, struct peel *out)
{
	struct udf *u = calloc(1, sizeof(*u));
	bool more = true;

	if (u == NULL) {
		peel_note(out, PEEL_MEMORY);
		return true;
	}
	u->image = i;
	u->out = out;
	u->path = buf_make(PATH_MAX_BYTES);
	u->dirs = i->bytes.len;
	if (find_volume(u)) {
		for (uint32_t k = 0; k < u->maps; k++)
			place_map(u, &u->map[k]);
		u->seen = image_bits(i, i->len / u->block);
		if (u->seen == NULL)
			peel_note(out, PEEL_MEMORY);
		else
			more = read_root(u);
	} else if (image_format(i) == FORMAT_UDF) {
		peel_note(out, PEEL_DAMAGED);
	}
	free(u->seen);
	buf_free(&u->path);
	free(u);
	return more;
}
