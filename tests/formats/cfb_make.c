#include "cfb_make.h"

#include <assert.h>
#include <string.h>

#define ENTRIES_MAX 512u
#define NONE        0xffffffffu
#define END         0xfffffffeu
#define FAT_SECTOR  0xfffffffdu
#define FILE_MAX    (16u << 20)

struct entry {
	char name[32];
	uint8_t kind;
	uint32_t parent, child, right, start;
	struct span bytes;
};

struct maker {
	struct entry entry[ENTRIES_MAX];
	uint32_t entries;
	struct buf fat, minifat, mini, big;
	size_t sector;
	uint32_t first_big;
};

static void
le(struct buf *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++, v >>= 1, v >>= 7)
		buf_char(b, (char)(v & 0xff));
}

static void
pad(struct buf *b, size_t unit, char with)
{
	while (b->len % unit != 0)
		buf_char(b, with);
}

static uint32_t
child_of(struct maker *m, uint32_t parent, struct span name, uint8_t kind)
{
	uint32_t *link = &m->entry[parent].child;
	struct entry *e;

	for (; *link != NONE; link = &m->entry[*link].right)
		if (kind == 1 && span_is(name, m->entry[*link].name))
			return *link;
	assert(m->entries < ENTRIES_MAX && name.len < sizeof(e->name));
	*link = m->entries;
	e = &m->entry[m->entries];
	*e = (struct entry){ .kind = kind,
		.parent = parent,
		.child = NONE,
		.right = NONE,
		.start = END };
	memcpy(e->name, name.ptr, name.len);
	return m->entries++;
}

static void
entries_make(struct maker *m, const struct cfb_item *items, size_t n)
{
	m->entry[0] = (struct entry){ .name = "Root Entry",
		.kind = 5,
		.child = NONE,
		.right = NONE,
		.start = END };
	m->entries = 1;
	for (size_t i = 0; i < n; i++) {
		struct span rest = span_of(items[i].path);
		uint32_t at = 0;

		while (memchr(rest.ptr, '/', rest.len) != NULL) {
			struct span name = span_cut(rest, '/', &rest);

			at = child_of(m, at, name, 1);
		}
		at = child_of(m, at, rest, 2);
		m->entry[at].bytes = items[i].bytes;
	}
}

/* A chain of consecutive sectors that begins at `first`. */
static void
chain(struct buf *table, uint32_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		le(table, i + 1 < n ? first + i + 1 : END, 4);
}

static void
small_make(struct maker *m)
{
	for (uint32_t i = 1; i < m->entries; i++) {
		struct entry *e = &m->entry[i];

		if (e->bytes.len == 0 || e->bytes.len >= 4096)
			continue;
		e->start = (uint32_t)(m->mini.len / 64);
		buf_span(&m->mini, e->bytes);
		pad(&m->mini, 64, 0);
		chain(&m->minifat, e->start, m->mini.len / 64 - e->start);
	}
	m->entry[0].bytes = buf_view(&m->mini);
	pad(&m->minifat, m->sector, (char)0xff);
	pad(&m->mini, m->sector, 0);
}

static void
directory_make(const struct maker *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->entries; i++) {
		const struct entry *e = &m->entry[i];

		for (size_t j = 0; j < sizeof(e->name); j++)
			le(out, (unsigned char)e->name[j], 2);
		le(out, 2 * strlen(e->name) + 2, 2);
		le(out, e->kind, 1);
		le(out, 1, 1); /* black */
		le(out, NONE, 4);
		le(out, e->right, 4);
		le(out, e->child, 4);
		for (unsigned j = 0; j < 36; j++)
			buf_char(out, 0);
		le(out, e->start, 4);
		le(out, e->bytes.len, 8);
	}
	pad(out, m->sector, 0);
}

static void
header_make(const struct cfb_made *made, unsigned major, uint32_t fats,
    uint32_t minifats, struct buf *out)
{
	buf_span(out, SPAN("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"));
	le(out, 0, 16);
	le(out, 0x3e, 2);
	le(out, major, 2);
	le(out, 0xfffe, 2);
	le(out, major == 3 ? 9 : 12, 2);
	le(out, 6, 8);
	le(out, 0, 4);
	le(out, fats, 4);
	le(out, made->directory, 4);
	le(out, 0, 4);
	le(out, 4096, 4);
	le(out, made->minifat, 4);
	le(out, minifats, 4);
	le(out, END, 4);
	le(out, 0, 4);
	for (uint32_t i = 0; i < 109; i++)
		le(out, i < fats ? made->fat + i : NONE, 4);
	pad(out, made->sector, 0);
}

static uint32_t
sectors_of(const struct maker *m, size_t bytes)
{
	return (uint32_t)((bytes + m->sector - 1) / m->sector);
}

/* The sizes are known, so everything has its place before it is written. */
static void
plan(struct maker *m, struct cfb_made *made, uint32_t *fats)
{
	uint32_t dirs = sectors_of(m, m->entries * 128u), rest = dirs;

	rest += sectors_of(m, m->minifat.len) + sectors_of(m, m->mini.len);
	for (uint32_t i = 1; i < m->entries; i++)
		if (m->entry[i].bytes.len >= 4096)
			rest += sectors_of(m, m->entry[i].bytes.len);
	*fats = 1;
	while (*fats * (m->sector / 4) < *fats + rest)
		(*fats)++;
	assert(*fats <= 109);
	made->fat = 0;
	made->directory = *fats;
	made->minifat = m->mini.len == 0 ? END : made->directory + dirs;
	made->mini = made->directory + dirs + sectors_of(m, m->minifat.len);
	made->big = made->mini + sectors_of(m, m->mini.len);
	m->entry[0].start = m->mini.len == 0 ? END : made->mini;
	for (uint32_t i = 0; i < *fats; i++)
		le(&m->fat, FAT_SECTOR, 4);
	chain(&m->fat, made->directory, dirs);
	chain(&m->fat, made->minifat, sectors_of(m, m->minifat.len));
	chain(&m->fat, made->mini, sectors_of(m, m->mini.len));
}

static void
big_make(struct maker *m, const struct cfb_made *made)
{
	for (uint32_t i = 1; i < m->entries; i++) {
		struct entry *e = &m->entry[i];

		if (e->bytes.len < 4096)
			continue;
		e->start = made->big + (uint32_t)(m->big.len / m->sector);
		buf_span(&m->big, e->bytes);
		pad(&m->big, m->sector, 0);
		chain(&m->fat, e->start, sectors_of(m, e->bytes.len));
	}
	pad(&m->fat, m->sector, (char)0xff);
}

struct cfb_made
cfb_make(unsigned major, const struct cfb_item *items, size_t n)
{
	struct maker m = { .sector = major == 3 ? 512 : 4096,
		.fat = buf_make(FILE_MAX),
		.minifat = buf_make(FILE_MAX),
		.mini = buf_make(FILE_MAX),
		.big = buf_make(FILE_MAX) };
	struct cfb_made made = { .sector = m.sector,
		.file = buf_make(FILE_MAX) };
	uint32_t fats;

	entries_make(&m, items, n);
	small_make(&m);
	plan(&m, &made, &fats);
	big_make(&m, &made);
	header_make(
	    &made, major, fats, sectors_of(&m, m.minifat.len), &made.file);
	buf_span(&made.file, buf_view(&m.fat));
	directory_make(&m, &made.file);
	buf_span(&made.file, buf_view(&m.minifat));
	buf_span(&made.file, buf_view(&m.mini));
	buf_span(&made.file, buf_view(&m.big));
	buf_free(&m.fat);
	buf_free(&m.minifat);
	buf_free(&m.mini);
	buf_free(&m.big);
	assert(!made.file.full);
	return made;
}

size_t
cfb_made_at(const struct cfb_made *m, uint32_t sector)
{
	return (sector + (size_t)1) * m->sector;
}

size_t
cfb_made_entry(const struct cfb_made *m, uint32_t entry)
{
	return cfb_made_at(m, m->directory) + entry * (size_t)128;
}

void
cfb_put32(struct cfb_made *m, size_t at, uint32_t v)
{
	assert(at + 4 <= m->file.len);
	for (unsigned i = 0; i < 4; i++)
		m->file.ptr[at + i] = (char)(v >> (8 * i) & 0xff);
}

static void
chunk_make(struct buf *out, struct span text)
{
	struct buf c = buf_make(8192);

	for (size_t i = 0; i < text.len; i++) {
		if (i % 8 == 0)
			buf_char(&c, 0);
		buf_char(&c, text.ptr[i]);
	}
	le(out, 0xb000u | (c.len - 1), 2); /* length - 3, header included */
	buf_span(out, buf_view(&c));
	buf_free(&c);
}

void
ovba_make(struct buf *out, struct span text)
{
	buf_char(out, 1);
	/* 3600 literals and their flags fit the 4098 bytes of a chunk. */
	for (size_t at = 0; at < text.len; at += 3600) {
		struct span s = span_from(text, at);

		s.len = s.len < 3600 ? s.len : 3600;
		chunk_make(out, s);
	}
}
