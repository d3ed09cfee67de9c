/* Inno Setup, from 5.1.5 on.  A table in the program tells where the script
 * ("setup-0": two blocks, the second lists where each file is) and the data
 * ("setup-1": chunks with a mark, each of which holds one or many files)
 * begin.  The layout of that list changes from version to version; but every
 * entry leads to a chunk's mark, and so the size of an entry is found by
 * trying.  Files come out under their numbers; where the list cannot be
 * read, or belongs to another file (setup-1.bin), whole chunks come out. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/pack/codec.h"
#include "formats/pack/pack.h"

#define LIST_MAX     (32u << 20) /* of the list of files, unpacked */
#define PIECE        4096u       /* of a block, each with its checksum */
#define CALLS_BLOCK  65536u
#define STRIDE_MIN   58u
#define STRIDE_MAX   140u
#define ENCRYPTED_AT 160u /* blocks begin before that, behind the version */

static const struct span chunk_mark = { "zlb\x1a", 4 };
static const struct span script_mark = { "Inno Setup Setup Data (", 23 };

struct inno {
	struct span object, data; /* data: setup-1, to the end of the object */
	struct peel *out;
	bool stopped;
};

static const char *
find(struct span s, struct span mark)
{
	return s.len == 0 ? NULL : memmem(s.ptr, s.len, mark.ptr, mark.len);
}

static uint32_t
crc_of(struct span s)
{
	return (uint32_t)crc32(0, (const Bytef *)s.ptr, (uInt)s.len);
}

/* ---- chunks -------------------------------------------------------------------- */

/* The method stands in the script, but a stream's first bytes tell as well.
 * LZMA2 begins by a size of the dictionary and a chunk that resets it. */
static codec_fn *
method_of(struct span s)
{
	uint8_t first = 0, second = 0;

	(void)bytes_u8(s, 0, &first);
	(void)bytes_u8(s, 1, &second);
	if (codec_lzma_likely(s))
		return codec_lzma;
	if (first == 'B' && second == 'Z')
		return codec_bzip2;
	if (first == 0x78 && (first << 8 | second) % 31 == 0)
		return codec_zlib;
	if (first <= 40 && (second == 1 || second >= 0xe0))
		return codec_lzma2;
	return codec_stored;
}

/* Chunks by their marks, whole. */
static bool
give_chunks(struct inno *in)
{
	struct span s = in->data;
	const char *p = find(s, chunk_mark);

	for (unsigned n = 0; p != NULL; n++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "chunk.%u", n);
		struct peel_member m =
		    peel_named((struct span){ name, (size_t)len }, FORMAT_ANY);
		struct flow f;
		struct span chunk;
		size_t used = 0;
		bool ok;

		s = span_from(s, (size_t)(p - s.ptr) + chunk_mark.len);
		p = find(s, chunk_mark);
		chunk = p == NULL ? s : bytes_sub(s, 0, (uint64_t)(p - s.ptr));
		if (!flow_begin(&f, in->out, &m, CODEC_RING, 0, UINT64_MAX))
			return false;
		/* Not every version marks where LZMA ends. */
		ok = method_of(chunk)(chunk, &f, &used) || used == chunk.len;
		if (!flow_end(&f, ok))
			return false;
	}
	return true;
}

/* ---- files within chunks --------------------------------------------------------- */

struct place {
	uint64_t chunk, packed; /* from the mark; bytes behind it */
	uint64_t at, size;      /* within the unpacked chunk */
	uint32_t number;
	bool calls, flips, encrypted;
};

/* Gives each file of a chunk its part of the stream. */
struct cutter {
	struct peel *out;
	const struct place *next, *end;
	uint64_t at; /* of the stream */
	bool within;
	uint64_t done; /* of the file */
	size_t held;   /* of the block whose calls are to be translated */
	uint8_t block[CALLS_BLOCK];
};

/* Targets of calls and jumps were made absolute, in 24 bits, a block at a
 * time; later versions also kept the highest byte 0 for backward ones. */
static void
calls_back(uint8_t *p, size_t n, uint64_t base, bool flips)
{
	for (size_t i = 0; i + 5 <= n; i++) {
		uint32_t to;

		if (p[i] != 0xe8 && p[i] != 0xe9)
			continue;
		if (p[i + 4] == 0 || p[i + 4] == 0xff) {
			to = p[i + 1] | (uint32_t)p[i + 2] << 8 |
			    (uint32_t)p[i + 3] << 16;
			to -= (uint32_t)(base + i + 5);
			if (flips && (to & 0x800000) != 0)
				p[i + 4] = (uint8_t)~p[i + 4];
			p[i + 1] = (uint8_t)to;
			p[i + 2] = (uint8_t)(to >> 8);
			p[i + 3] = (uint8_t)(to >> 16);
		}
		i += 4;
	}
}

static bool
held_out(struct cutter *c)
{
	struct span s = { (const char *)c->block, c->held };

	if (c->held == 0)
		return true;
	calls_back(c->block, c->held, c->done - c->held, c->next->flips);
	c->held = 0;
	return peel_add(c->out, s);
}

static bool
file_part(struct cutter *c, struct span s)
{
	if (!c->next->calls) {
		c->done += s.len;
		return peel_add(c->out, s);
	}
	while (s.len > 0) {
		struct span now = bytes_sub(s, 0, CALLS_BLOCK - c->held);

		memcpy(c->block + c->held, now.ptr, now.len);
		c->held += now.len;
		c->done += now.len;
		s = span_from(s, now.len);
		if (c->held == CALLS_BLOCK && !held_out(c))
			return false;
	}
	return true;
}

static struct peel_member
file_named(const struct place *p, char name[32])
{
	int len = snprintf(name, 32, "file.%u", p->number);
	struct peel_member m =
	    peel_named((struct span){ name, (size_t)len }, FORMAT_ANY);

	m.size = p->size;
	return m;
}

static bool
file_begin(struct cutter *c)
{
	char name[32];
	struct peel_member m = file_named(c->next, name);

	c->within = true;
	c->done = 0;
	c->held = 0;
	return peel_begin(c->out, &m);
}

static bool
file_end(struct cutter *c)
{
	if (!held_out(c))
		return false;
	c->within = false;
	c->next++;
	return peel_end(c->out);
}

/* Two that overlap: the second is there, in the first. */
static bool
cut(void *arg, struct span s)
{
	struct cutter *c = arg;

	while (s.len > 0) {
		struct span now;
		uint64_t left;

		while (!c->within && c->next < c->end && c->next->at < c->at)
			c->next++;
		if (c->next == c->end)
			return true;
		if (!c->within && c->next->at == c->at && !file_begin(c))
			return false;
		left =
		    c->within ? c->next->size - c->done : c->next->at - c->at;
		now = bytes_sub(s, 0, left);
		s = span_from(s, now.len);
		c->at += now.len;
		if (c->within && !file_part(c, now))
			return false;
		if (c->within && c->done == c->next->size && !file_end(c))
			return false;
	}
	return true;
}

static bool
give_encrypted(struct inno *in, const struct place *p, const struct place *end)
{
	peel_note(in->out, PEEL_ENCRYPTED);
	for (; p < end; p++) {
		char name[32];
		struct peel_member m = file_named(p, name);

		m.encrypted = true;
		in->stopped = !(peel_begin(in->out, &m) && peel_end(in->out));
		if (in->stopped)
			return false;
	}
	return true;
}

/* All the files of one chunk, [p, end). */
static bool
give_files(struct inno *in, const struct place *p, const struct place *end)
{
	struct span chunk =
	    bytes_sub(in->data, p->chunk + chunk_mark.len, p->packed);
	struct cutter *c = calloc(1, sizeof(*c));
	uint64_t size = end[-1].at + end[-1].size;
	codec_fn *codec = method_of(chunk);
	struct flow f;
	bool ok;

	if (c == NULL) {
		peel_note(in->out, PEEL_MEMORY);
		return true;
	}
	*c = (struct cutter){ .out = in->out, .next = p, .end = end };
	ok = flow_init(&f, in->out, CODEC_RING, 0, size);
	f.to = cut;
	f.arg = c;
	if (p->packed == size)
		codec = codec_stored;
	if (ok)
		ok = codec(chunk, &f, NULL) && flow_flush(&f) && f.left == 0;
	in->stopped = !flow_flush(&f);
	if (!in->stopped && !ok)
		peel_note(in->out, PEEL_DAMAGED);
	if (!in->stopped && c->within)
		in->stopped = !file_end(c);
	flow_free(&f);
	free(c);
	return !in->stopped;
}

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->chunk != y->chunk)
		return x->chunk < y->chunk ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool
give_places(struct inno *in, struct place *p, size_t n)
{
	const struct place *from = p, *end = p + n;

	qsort(p, n, sizeof(*p), by_place);
	while (from < end) {
		const struct place *to = from;

		while (to < end && to->chunk == from->chunk)
			to++;
		if (from->encrypted ? !give_encrypted(in, from, to)
				    : !give_files(in, from, to))
			return false;
		from = to;
	}
	return true;
}

/* ---- the list ---------------------------------------------------------------------- */

/* An entry: first and last slice (the numbers of setup-N.bin), where the
 * chunk begins in 4 bytes, later 8; then 8 bytes each: where in the unpacked
 * chunk, the file's size, the chunk's packed size.  Checksum, times, version
 * and flags follow. */
static bool
place_read(const struct inno *in, struct span e, unsigned wide, struct place *p)
{
	uint32_t first, last, start;

	(void)bytes_le32(e, 0, &first);
	(void)bytes_le32(e, 4, &last);
	(void)bytes_le32(e, 8, &start);
	p->chunk = start;
	if (wide == 8)
		(void)bytes_le64(e, 8, &p->chunk);
	(void)bytes_le64(e, 8 + wide, &p->at);
	(void)bytes_le64(e, 16 + wide, &p->size);
	(void)bytes_le64(e, 24 + wide, &p->packed);
	return first == 0 && last == 0 && p->at <= UINT64_MAX - p->size &&
	    bytes_are(in->data, p->chunk, chunk_mark) &&
	    bytes_have(in->data, p->chunk + chunk_mark.len, p->packed);
}

/* Where the flags are is known of two sizes: with an MD5 (to 5.3.8) and with
 * a SHA-1 (to 6.3). */
static void
flags_read(struct span e, struct place *p)
{
	uint8_t flags = 0;

	if (e.len == 70)
		(void)bytes_u8(e, 68, &flags);
	if (e.len == 74)
		(void)bytes_u8(e, 72, &flags);
	p->calls = (flags & 0x10) != 0;
	p->encrypted = (flags & 0x40) != 0;
	p->flips = e.len == 74;
}

/* The number of entries if all are sound, else 0. */
static size_t
list_read(const struct inno *in, struct span list, unsigned stride,
    unsigned wide, struct place *p)
{
	size_t n = 0;

	for (size_t at = 0; at < list.len; at += stride, n++) {
		struct span e = { list.ptr + at, stride };

		if (!place_read(in, e, wide, &p[n]))
			return 0;
		p[n].number = (uint32_t)n;
		flags_read(e, &p[n]);
	}
	return n;
}

/* False: the list is of no kind that is known; or stop. */
static bool
give_listed(struct inno *in, struct span list)
{
	struct place *p = NULL;
	size_t n = 0;

	if (list.len < STRIDE_MIN || list.len > LIST_MAX)
		return false;
	p = calloc(list.len / STRIDE_MIN + 1, sizeof(*p));
	if (p == NULL) {
		peel_note(in->out, PEEL_MEMORY);
		return false;
	}
	for (unsigned i = STRIDE_MIN * 2; n == 0 && i <= STRIDE_MAX * 2; i++)
		if (list.len % (i / 2) == 0)
			n = list_read(in, list, i / 2, i % 2 == 0 ? 4 : 8, p);
	if (n > 0)
		(void)give_places(in, p, n);
	free(p);
	return n > 0;
}

/* ---- the script --------------------------------------------------------------------- */

/* A block: checksum of its head; the head, which is its size, of 4 or later
 * 8 bytes, and whether it is packed; then pieces. */
struct block {
	struct span pieces;
	bool packed;
	uint64_t end;
};

static bool
block_read(struct span s, uint64_t at, struct block *b)
{
	for (unsigned wide = 4; wide <= 8; wide += 4) {
		uint32_t crc, low;
		uint64_t size = 0;
		uint8_t packed;
		uint64_t head = at + 4 + wide + 1;

		(void)bytes_le32(s, at, &crc);
		(void)bytes_le32(s, at + 4, &low);
		size = low;
		if (wide == 8)
			(void)bytes_le64(s, at + 4, &size);
		if (!bytes_u8(s, at + 4 + wide, &packed) || packed > 1 ||
		    crc_of(bytes_sub(s, at + 4, wide + 1)) != crc)
			continue;
		b->pieces = bytes_sub(s, head, size);
		b->packed = packed == 1;
		b->end = head + b->pieces.len;
		return true;
	}
	return false;
}

/* Unpacks a block, gives it out, and keeps it if `keep` is there. */
struct keeper {
	struct peel *out;
	struct buf *keep;
};

static bool
on_script(void *arg, struct span s)
{
	struct keeper *k = arg;

	if (k->keep != NULL)
		buf_span(k->keep, s);
	return peel_add(k->out, s);
}

/* Its pieces without their checksums. */
static void
join(struct span pieces, struct buf *to)
{
	while (pieces.len > 4) {
		buf_span(to, bytes_sub(pieces, 4, PIECE));
		pieces = span_from(pieces, 4 + PIECE);
	}
}

static bool
block_give(
    struct inno *in, const struct block *b, const char *name, struct buf *keep)
{
	struct peel_member m = peel_named(span_of(name), FORMAT_ANY);
	struct keeper k = { in->out, keep };
	struct buf packed = buf_make(b->pieces.len + 1);
	codec_fn *codec = codec_stored;
	struct flow f;
	size_t used = 0;
	bool go, ok;

	join(b->pieces, &packed);
	if (b->packed)
		codec = method_of(buf_view(&packed));
	m.packed = packed.len;
	go = flow_begin(&f, in->out, &m, CODEC_RING, 0, UINT64_MAX);
	if (go) {
		f.to = on_script;
		f.arg = &k;
		ok = codec(buf_view(&packed), &f, &used) || used == packed.len;
		go = flow_end(&f, ok);
	}
	buf_free(&packed);
	in->stopped = !go;
	return go;
}

/* Behind the version stand the two blocks, or before them, from 6.5 on, what
 * there is to know about encryption. */
static bool
script_find(struct span object, struct block *first)
{
	struct span s = object;
	const char *p = find(s, script_mark);

	while (p != NULL) {
		uint64_t at = (uint64_t)(p - object.ptr);

		for (unsigned i = 64; i < ENCRYPTED_AT; i++)
			if (block_read(object, at + i, first))
				return true;
		s = span_from(object, (size_t)at + script_mark.len);
		p = find(s, script_mark);
	}
	return false;
}

/* Where setup-1 begins. */
static bool
table_read(struct span object, uint64_t *data)
{
	static const struct span mark = { "rDlPtS\xcd\xe6\xd7\x7b\x0b\x2a",
		12 };
	const char *p = find(object, mark);
	uint64_t at;
	uint32_t version, offset;

	if (p == NULL)
		return false;
	at = (uint64_t)(p - object.ptr);
	if (bytes_le32(object, at + 12, &version) && version == 2)
		return bytes_le64(object, at + 48, data);
	if (!bytes_le32(object, at + 36, &offset))
		return false;
	*data = offset;
	return true;
}

void
open_inno(struct span object, struct peel *out)
{
	struct inno in = { .object = object, .data = object, .out = out };
	struct buf list = buf_make(LIST_MAX);
	struct block first, second;
	uint64_t at;

	if (span_starts(object, "idska32\x1a")) {
		(void)give_chunks(&in);
		return;
	}
	if (!script_find(object, &first) ||
	    !block_give(&in, &first, "setup-0", NULL))
		return;
	if (block_read(object, first.end, &second))
		(void)block_give(&in, &second, "setup-0.files", &list);
	else
		peel_note(out, PEEL_DAMAGED);
	if (!in.stopped && table_read(object, &at))
		in.data = bytes_sub(object, at, UINT64_MAX);
	if (!in.stopped && !give_listed(&in, buf_view(&list)))
		(void)give_chunks(&in);
	buf_free(&list);
}
