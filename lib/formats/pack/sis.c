/* Installers of EPOC and Symbian.
 *
 * Up to Symbian 8 a head says where records stand, and each of these where
 * the file is: once, or once for each language.  From EPOC 6 on files are
 * deflated unless the head says otherwise.  Records of other kinds ask
 * questions, or say under which condition those behind them count: all files
 * come out.
 *
 * From Symbian 9 on all is fields within fields: type, length, bytes, and
 * zeros up to a multiple of 4.  In arrays only the first field has a type.
 * Files come out under their numbers; the script that names them is one more
 * member. */

#include <stdio.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/pack/codec.h"
#include "formats/pack/pack.h"
#include "formats/pdf/wide.h"

#define NAME_MAX_BYTES 2048u
#define SHARED_MAX     4u /* times the object, if files share their bytes */

struct sis {
	struct span object;
	struct peel *out;
	uint64_t room; /* packed bytes that may still be read */
	unsigned files;
	bool wanted, damaged, unsupported;
};

/* The packed bytes as they are, or inflated. */
static void
give(struct sis *s, struct span packed, struct peel_member *m, bool deflated)
{
	struct flow f;

	m->packed = packed.len;
	if (packed.len > s->room) {
		s->damaged = true;
		return;
	}
	s->room -= packed.len;
	if (!deflated) {
		m->size = packed.len;
		s->wanted = peel_slice(s->out, m, packed);
		return;
	}
	s->wanted = flow_begin(&f, s->out, m, CODEC_RING, 0, UINT64_MAX) &&
	    flow_end(&f, codec_zlib(packed, &f, NULL));
}

/* ---- up to Symbian 8 ------------------------------------------------------------ */

#define EPOC6        0x10003a12u
#define WIDE         1u /* options of the head */
#define NOT_DEFLATED 8u
#define OPTION_BYTES 16u
#define FILE_WORDS   7u /* of a record, in front of what each language has */

struct head {
	uint16_t languages, files;
	bool epoc6, wide, deflated;
};

/* What stands behind the kind of a record. */
enum record { FILE_ONE, FILE_EACH, OPTIONS, IF, ELSE_IF, ELSE, END_IF, KINDS };

static bool
head_read(struct span object, struct head *h, uint32_t *records)
{
	uint16_t options;
	uint32_t uid;

	if (!bytes_le32(object, 4, &uid) ||
	    !bytes_le16(object, 18, &h->languages) ||
	    !bytes_le16(object, 20, &h->files) ||
	    !bytes_le16(object, 36, &options) ||
	    !bytes_le32(object, 52, records))
		return false;
	h->epoc6 = uid == EPOC6;
	h->wide = (options & WIDE) != 0;
	h->deflated = h->epoc6 && (options & NOT_DEFLATED) == 0;
	return true;
}

/* Where it is installed to, or where it came from. */
static void
name_read(
    struct span object, const struct head *h, uint64_t at, struct buf *name)
{
	uint32_t len, place;

	for (unsigned i = 2; i-- > 0 && name->len == 0;) {
		struct span text;

		(void)bytes_le32(object, at + 12 + 8ull * i, &len);
		(void)bytes_le32(object, at + 16 + 8ull * i, &place);
		text = bytes_sub(
		    object, place, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);
		if (h->wide)
			wide_add_utf16(name, text, false);
		else
			buf_span(name, text);
	}
}

/* The lengths of the file in each language, then where these are, then, from
 * EPOC 6 on, the lengths before they were deflated. */
static void
file_give(struct sis *s, const struct head *h, uint64_t row, unsigned n,
    struct span name)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);
	uint32_t len, place, size;

	if (!bytes_le32(s->object, row, &len) ||
	    !bytes_le32(s->object, row + 4ull * n, &place) ||
	    !bytes_have(s->object, place, len)) {
		s->damaged = true;
		return;
	}
	if (h->epoc6 && bytes_le32(s->object, row + 8ull * n, &size))
		m.size = size;
	if (len > 0)
		give(s, bytes_sub(s->object, place, len), &m, h->deflated);
}

static void
files_give(struct sis *s, const struct head *h, uint64_t *at, unsigned n)
{
	uint64_t rows = *at + 4ull * FILE_WORDS;
	struct buf name = buf_make(4 * NAME_MAX_BYTES);

	name_read(s->object, h, *at, &name);
	for (unsigned i = 0; i < n && s->wanted && !s->damaged; i++)
		file_give(s, h, rows + 4ull * i, n, buf_view(&name));
	*at = rows + 8ull * n;
	/* And the lengths from before, and the MIME type. */
	if (h->epoc6)
		*at += 4ull * n + 8;
	buf_free(&name);
}

/* Options have a name in each language, and 128 bits say which are chosen. */
static bool
record_take(struct sis *s, const struct head *h, uint64_t *at)
{
	uint32_t kind, n;

	if (!bytes_le32(s->object, *at, &kind) || kind >= KINDS)
		return false;
	(void)bytes_le32(s->object, *at + 4, &n);
	if (kind == FILE_ONE || kind == FILE_EACH)
		files_give(s, h, at, kind == FILE_ONE ? 1 : h->languages);
	else if (kind == OPTIONS)
		*at += 8 + 8ull * n * h->languages + OPTION_BYTES;
	else if (kind == IF || kind == ELSE_IF)
		*at += 8 + (uint64_t)n;
	else
		*at += 4;
	return *at <= s->object.len;
}

static void
open_old(struct sis *s)
{
	struct head h;
	uint32_t records;
	uint64_t at;

	if (!head_read(s->object, &h, &records)) {
		s->damaged = true;
		return;
	}
	at = records;
	for (unsigned i = 0; i < h.files && s->wanted && !s->damaged; i++) {
		if (!record_take(s, &h, &at))
			s->damaged = true;
		else if (s->wanted)
			s->wanted = peel_tick(s->out);
	}
}

/* ---- from Symbian 9 on ----------------------------------------------------------- */

#define UIDS       16u /* bytes */
#define LEVELS_MAX 8u
#define LONG       0x80000000u /* the length has 63 bits */

enum field {
	ARRAY = 2,
	COMPRESSED = 3,
	CONTENTS = 12,
	DATA = 30,
	DATA_UNIT = 31,
	FILE_DATA = 32,
	FIELDS
};

/* What fields are made of; the others are of no interest. */
static const enum inside {
	OPAQUE,
	OF_FIELDS,
	OF_ELEMENTS,
	OF_BYTES,
} insides[FIELDS] = {
	[ARRAY] = OF_ELEMENTS,
	[COMPRESSED] = OF_BYTES,
	[CONTENTS] = OF_FIELDS,
	[DATA] = OF_FIELDS,
	[DATA_UNIT] = OF_FIELDS,
	[FILE_DATA] = OF_FIELDS,
};

/* A level: what is left of it, and what is in it. */
struct level {
	struct span left;
	uint32_t element; /* type of all its fields, or 0 */
};

/* The next field of a level, of which there is more. */
static bool
field_take(struct level *l, uint32_t *type, struct span *body)
{
	uint64_t at = 0, n;
	uint32_t low, high;

	*type = l->element;
	if (l->element == 0 && !bytes_le32(l->left, 0, type))
		return false;
	at += l->element == 0 ? 4 : 0;
	if (!bytes_le32(l->left, at, &low))
		return false;
	at += 4;
	n = low;
	if ((low & LONG) != 0) {
		if (!bytes_le32(l->left, at, &high))
			return false;
		at += 4;
		n = (uint64_t)high << 31 | (low & ~LONG);
	}
	if (!bytes_have(l->left, at, n))
		return false;
	*body = bytes_sub(l->left, at, n);
	n += at;
	n += (4 - n % 4) % 4;
	l->left = bytes_sub(l->left, n, UINT64_MAX);
	return true;
}

/* How it is compressed, the size from before, the bytes. */
static void
bytes_give(struct sis *s, struct span body, const char *name)
{
	struct peel_member m = peel_named(span_of(name), FORMAT_ANY);
	uint32_t method;

	if (!bytes_le32(body, 0, &method) || !bytes_le64(body, 4, &m.size))
		s->damaged = true;
	else if (method > 1)
		s->unsupported = true;
	else if (body.len > 12)
		give(s, bytes_sub(body, 12, UINT64_MAX), &m, method == 1);
}

/* Those of arrays all have the type that stands in front of them. */
static struct level
level_of(struct span body, enum inside inside)
{
	struct level l = { .left = body };

	if (inside == OF_ELEMENTS) {
		(void)bytes_le32(body, 0, &l.element);
		l.left = span_from(body, 4);
	}
	return l;
}

/* The script stands in the contents themselves, files deeper. */
static void
compressed_give(struct sis *s, struct span body, unsigned depth)
{
	char name[32];

	if (depth > 2)
		(void)snprintf(name, sizeof(name), "file.%u", s->files++);
	bytes_give(s, body, depth > 2 ? name : "script");
}

static void
open_new(struct sis *s)
{
	struct level level[LEVELS_MAX];
	unsigned depth = 1;

	level[0] = level_of(bytes_sub(s->object, UIDS, UINT64_MAX), OF_FIELDS);
	while (depth > 0 && s->wanted && !s->damaged) {
		enum inside inside = OPAQUE;
		struct span body;
		uint32_t type;

		if (level[depth - 1].left.len == 0) {
			depth--;
			continue;
		}
		if (depth == LEVELS_MAX ||
		    !field_take(&level[depth - 1], &type, &body)) {
			s->damaged = true;
			break;
		}
		if (type < FIELDS)
			inside = insides[type];
		if (inside == OF_BYTES)
			compressed_give(s, body, depth);
		else if (inside != OPAQUE)
			level[depth++] = level_of(body, inside);
		/* What is behind the contents is no part of them. */
		if (depth > 1)
			level[0].left.len = 0;
		s->wanted = s->wanted && peel_tick(s->out);
	}
}

void
open_sis(struct span object, struct peel *out)
{
	struct sis s = { .object = object,
		.out = out,
		.room = (uint64_t)object.len * SHARED_MAX,
		.wanted = true };

	if (bytes_are(object, 0, SPAN("\x7a\x1a\x20\x10")))
		open_new(&s);
	else
		open_old(&s);
	if (s.damaged && s.wanted)
		peel_note(out, PEEL_DAMAGED);
	if (s.unsupported && s.wanted)
		peel_note(out, PEEL_UNSUPPORTED);
}
