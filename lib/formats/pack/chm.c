/* Compiled help (ITSF): a directory of names, each with a section, a place
 * and a length.  Section 0 stands as it is; section 1 is one LZX stream over
 * all its files, which starts afresh every so many frames.  Its files are
 * taken in the order of their places, so that the stream is unpacked once;
 * members that overlap may unpack it again, but not without limit. */

#include <stdlib.h>

#include "formats/bytes.h"
#include "formats/pack/lzx.h"
#include "formats/pack/pack.h"

#define CHUNK_HEAD  20u
#define REWINDS_MAX 4u /* times the stream may be unpacked, at most */

struct entry {
	struct span name;
	uint64_t section, at, len;
};

struct chm {
	struct span object, stored; /* stored: section 0, to the end */
	struct peel *out;
	struct entry *entry;
	size_t count, room;
	bool stopped;
};

/* The compressed section. */
struct stream {
	struct peel *out;
	struct lzx *lzx;
	struct span in, resets; /* resets: where each frame begins, 8 bytes */
	uint64_t size;          /* unpacked */
	uint64_t interval;      /* in frames: it starts afresh */
	uint64_t next;          /* frame to be unpacked */
	uint64_t budget;        /* frames that may still be unpacked */
	struct span frame;      /* the last one, ends at next * LZX_FRAME */
	bool broken;            /* until another start */
	bool stopped;           /* the sink has no time left */
};

/* ---- directory --------------------------------------------------------------- */

/* Seven bits a byte, the highest first; at most nine bytes. */
static bool
number(struct span s, uint64_t *at, uint64_t *out)
{
	uint8_t byte = 0x80;

	*out = 0;
	for (unsigned i = 0; i < 9 && (byte & 0x80) != 0; i++) {
		if (!bytes_u8(s, (*at)++, &byte))
			return false;
		*out = *out << 7 | (byte & 0x7f);
	}
	return (byte & 0x80) == 0;
}

static bool
entry_add(struct chm *c, const struct entry *e)
{
	if (c->count == c->room) {
		size_t room = c->room == 0 ? 64 : c->room * 2;
		struct entry *more = realloc(c->entry, room * sizeof(*more));

		if (more == NULL) {
			peel_note(c->out, PEEL_MEMORY);
			return false;
		}
		c->entry = more;
		c->room = room;
	}
	c->entry[c->count++] = *e;
	return true;
}

static bool
chunk_read(struct chm *c, struct span chunk)
{
	uint32_t spare;
	uint64_t at = CHUNK_HEAD, len;
	struct entry e;

	if (!span_starts(chunk, "PMGL") || !bytes_le32(chunk, 4, &spare))
		return true; /* an index, or unused */
	if (spare > chunk.len - CHUNK_HEAD)
		return false;
	chunk.len -= spare;
	while (at < chunk.len) {
		if (!number(chunk, &at, &len) || !bytes_have(chunk, at, len))
			return false;
		e.name = bytes_sub(chunk, at, len);
		at += len;
		if (!number(chunk, &at, &e.section) ||
		    !number(chunk, &at, &e.at) || !number(chunk, &at, &e.len))
			return false;
		if (e.len > 0 && !entry_add(c, &e))
			return false;
	}
	return true;
}

static bool
directory_read(struct chm *c)
{
	static const struct span itsp = { "ITSP", 4 };
	uint64_t at, len, stored;
	uint32_t version, head, size;
	struct span dir;
	bool ok;

	(void)bytes_le32(c->object, 4, &version);
	(void)bytes_le64(c->object, 0x48, &at);
	if (!bytes_le64(c->object, 0x50, &len))
		return false;
	if (version < 3 || !bytes_le64(c->object, 0x58, &stored))
		stored = at > UINT64_MAX - len ? UINT64_MAX : at + len;
	c->stored = bytes_sub(c->object, stored, UINT64_MAX);
	dir = bytes_sub(c->object, at, len);
	ok = dir.len == len;
	(void)bytes_le32(dir, 8, &head);
	if (!bytes_are(dir, 0, itsp) || !bytes_le32(dir, 16, &size) ||
	    size < CHUNK_HEAD)
		return false;
	for (uint64_t i = head; bytes_have(dir, i, size); i += size) {
		c->stopped = !peel_tick(c->out);
		if (c->stopped)
			break;
		ok = chunk_read(c, bytes_sub(dir, i, size)) && ok;
	}
	return ok;
}

/* ---- the stream -------------------------------------------------------------- */

#define STORAGE   "::DataSpace/Storage/MSCompressed/"
#define TRANSFORM STORAGE "Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/"

/* The bytes of an entry of section 0. */
static struct span
stored_entry(const struct chm *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct entry *e = &c->entry[i];

		if (e->section == 0 && span_is(e->name, name))
			return bytes_sub(c->stored, e->at, e->len);
	}
	return (struct span){ "", 0 };
}

/* The window in bits, 0: not one that LZX knows. */
static unsigned
control_read(struct span control, uint64_t *interval)
{
	static const struct span mark = { "LZXC", 4 };
	uint32_t version, every, window;
	uint64_t unit;

	(void)bytes_le32(control, 8, &version);
	(void)bytes_le32(control, 12, &every);
	if (!bytes_are(control, 4, mark) || !bytes_le32(control, 16, &window))
		return 0;
	unit = version == 2 ? LZX_FRAME : 1;
	*interval = every * unit / LZX_FRAME;
	if (*interval == 0 || every * unit % LZX_FRAME != 0)
		return 0;
	for (unsigned bits = LZX_BITS_MIN; bits <= LZX_BITS_MAX; bits++)
		if (window * unit == UINT64_C(1) << bits)
			return bits;
	return 0;
}

static bool
stream_open(struct stream *st, const struct chm *c)
{
	struct span control = stored_entry(c, STORAGE "ControlData");
	struct span table =
	    stored_entry(c, TRANSFORM "InstanceData/ResetTable");
	struct span sizes = stored_entry(c, STORAGE "SpanInfo");
	unsigned window = control_read(control, &st->interval);
	uint32_t at, entries;

	st->out = c->out;
	st->in = stored_entry(c, STORAGE "Content");
	if (window == 0) {
		peel_note(c->out, PEEL_UNSUPPORTED);
		return false;
	}
	(void)bytes_le32(table, 4, &entries);
	if (bytes_le32(table, 12, &at))
		st->resets = bytes_sub(table, at, UINT64_C(8) * entries);
	if (!bytes_le64(table, 16, &st->size) &&
	    !bytes_le64(sizes, 0, &st->size))
		st->size = UINT64_MAX;
	st->budget = st->size / LZX_FRAME + 1;
	st->budget = st->budget > UINT64_MAX / REWINDS_MAX
	    ? UINT64_MAX
	    : st->budget * REWINDS_MAX;
	st->broken = true; /* not begun */
	st->lzx = lzx_new(window);
	if (st->lzx == NULL)
		peel_note(c->out, PEEL_MEMORY);
	return st->lzx != NULL;
}

/* The frame at which the stream starts afresh, if it is known where. */
static bool
stream_start(struct stream *st, uint64_t frame)
{
	uint64_t at = 0;

	if (frame > 0 &&
	    (frame > SIZE_MAX / 8 || !bytes_le64(st->resets, frame * 8, &at)))
		return false;
	lzx_reset(st->lzx, span_from(st->in, at > SIZE_MAX ? SIZE_MAX : at),
	    frame * LZX_FRAME);
	st->next = frame;
	st->broken = false;
	return true;
}

/* False: no time is left, or the budget is spent. */
static bool
stream_frame(struct stream *st)
{
	uint64_t left = st->size - st->next * LZX_FRAME;
	bool ok;

	st->frame.len = 0;
	if (st->budget == 0)
		return false;
	if (!peel_tick(st->out)) {
		st->stopped = true;
		return false;
	}
	st->budget--;
	if (st->next % st->interval == 0 && st->next > 0 &&
	    !stream_start(st, st->next)) {
		st->broken = true;
		return true;
	}
	st->frame = lzx_frame(
	    st->lzx, left < LZX_FRAME ? (size_t)left : LZX_FRAME, &ok);
	st->next++;
	st->broken = !ok;
	return true;
}

/* Goes to where frame `want` is the last one unpacked, the cheapest way. */
static bool
stream_seek(struct stream *st, uint64_t want)
{
	uint64_t start = want - want % st->interval;

	if (!st->broken && st->next == want + 1)
		return true;
	if (st->broken || st->next > want || st->next < start) {
		st->frame.len = 0;
		if (!stream_start(st, start) &&
		    (st->broken || st->next > want) && !stream_start(st, 0))
			return true;
	}
	while (!st->broken && st->next <= want)
		if (!stream_frame(st))
			return false;
	return true;
}

/* The bytes of one file.  False: stop. */
static bool
stream_member(struct stream *st, const struct entry *e)
{
	struct peel_member m = peel_named(e->name, FORMAT_ANY);
	uint64_t at = e->at, left = e->len;

	m.size = e->len;
	if (at >= st->size || left > st->size - at) {
		peel_note(st->out, PEEL_DAMAGED);
		left = at < st->size ? st->size - at : 0;
	}
	if (!peel_begin(st->out, &m))
		return false;
	while (left > 0) {
		struct span have;
		bool there = stream_seek(st, at / LZX_FRAME);

		if (st->stopped)
			return false;
		have = bytes_sub(st->frame, at % LZX_FRAME, left);
		if (!there || have.len == 0 || st->next != at / LZX_FRAME + 1) {
			peel_note(st->out, PEEL_DAMAGED);
			break;
		}
		if (!peel_add(st->out, have))
			return false;
		at += have.len;
		left -= have.len;
	}
	return peel_end(st->out);
}

/* ---- all of it --------------------------------------------------------------- */

static int
by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return span_cmp(x->name, y->name);
}

static bool
give_stored(const struct chm *c, const struct entry *e)
{
	struct peel_member m = peel_named(e->name, FORMAT_ANY);
	struct span bytes = bytes_sub(c->stored, e->at, e->len);

	if (span_starts(e->name, "::DataSpace/"))
		return true; /* the stream and what describes it */
	m.size = e->len;
	if (bytes.len < e->len)
		peel_note(c->out, PEEL_DAMAGED);
	return peel_slice(c->out, &m, bytes);
}

static void
give_all(const struct chm *c)
{
	struct stream st = { 0 };
	size_t i = 0;

	while (i < c->count && c->entry[i].section == 0)
		if (!give_stored(c, &c->entry[i++]))
			return;
	if (i < c->count && c->entry[i].section == 1) {
		if (!stream_open(&st, c))
			return;
		while (i < c->count && c->entry[i].section == 1 &&
		    stream_member(&st, &c->entry[i]))
			i++;
		lzx_free(st.lzx);
	} else if (i < c->count) {
		peel_note(c->out, PEEL_UNSUPPORTED);
	}
}

void
open_chm(struct span object, struct peel *out)
{
	struct chm c = { .object = object, .out = out };

	if (!span_starts(object, "ITSF"))
		return;
	if (!directory_read(&c) && !c.stopped)
		peel_note(out, PEEL_DAMAGED);
	if (c.count > 0 && !c.stopped) {
		qsort(c.entry, c.count, sizeof(c.entry[0]), by_place);
		give_all(&c);
	}
	free(c.entry);
}
