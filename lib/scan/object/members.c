#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/disk/disk.h"
#include "formats/exe/exe.h"
#include "formats/office/office.h"
#include "formats/pack/pack.h"
#include "formats/pdf/pdf.h"
#include "formats/peel.h"
#include "formats/text/text.h"
#include "scan/object/scanner_int.h"
#include "scan/object/unpack.h"

#define CHUNK      (64u << 10)
#define RATIO_FROM (16u << 20) /* unpacked bytes before the ratio counts */

/* The limits of the whole file. */
static bool
within_limits(struct scanner *s, const struct object *o)
{
	if (s->unpacked > s->limits.size) {
		scanner_give_up(s, o, SCAN_R_SIZE);
		return false;
	}
	if (s->unpacked > RATIO_FROM &&
	    s->unpacked / s->limits.ratio > s->packed) {
		scanner_give_up(s, o, SCAN_R_RATIO);
		return false;
	}
	return scanner_in_time(s, o);
}

struct bytes {
	unsigned char *ptr;
	size_t len, cap;
};

/* Room for `need` bytes in all, which is at most `max`. */
static bool
bytes_reserve(struct bytes *b, uint64_t need, uint64_t max)
{
	uint64_t cap = b->cap == 0 ? CHUNK : (uint64_t)b->cap * 2;
	unsigned char *p;

	if (need <= b->cap)
		return true;
	if (cap < need)
		cap = need;
	if (cap > max)
		cap = max;
	p = realloc(b->ptr, (size_t)cap);
	if (p == NULL)
		return false;
	b->ptr = p;
	b->cap = (size_t)cap;
	return true;
}

enum put { PUT_ALL, PUT_CUT, PUT_NO_MEMORY };

/* Puts a piece where it belongs in the member, as far as one may be long. */
static enum put
put_piece(struct scanner *s, struct bytes *b, struct span piece, uint64_t at)
{
	uint64_t max = s->limits.member_size, end;

	if (at < b->len)
		at = b->len; /* pieces do not overlap */
	if (__builtin_add_overflow(at, piece.len, &end))
		end = UINT64_MAX;
	if (at > max)
		at = max;
	if (piece.len > max - at)
		piece.len = (size_t)(max - at);
	if (!bytes_reserve(b, at + piece.len, max))
		return PUT_NO_MEMORY;
	s->unpacked += at + piece.len - b->len;
	if (at > b->len)
		memset(b->ptr + b->len, 0, (size_t)at - b->len);
	if (piece.len > 0)
		memcpy(b->ptr + at, piece.ptr, piece.len);
	b->len = (size_t)at + piece.len;
	return end > max ? PUT_CUT : PUT_ALL;
}

/* What could be read of the member is in *b, whatever went wrong.  Returns
 * false when it was longer than a member may be. */
static bool
read_member(struct scanner *s, struct unpack *u, const struct object *o,
    struct bytes *b)
{
	enum scan_reason why = SCAN_R_NONE;
	struct span piece;
	uint64_t at;

	while (unpack_piece(u, &piece, &at, &why)) {
		enum put put = put_piece(s, b, piece, at);

		if (put == PUT_CUT)
			return false;
		if (put == PUT_NO_MEMORY) {
			scanner_note(s, o, SCAN_R_MEMORY);
			return true;
		}
		if (!within_limits(s, o))
			return true;
	}
	if (why != SCAN_R_NONE)
		scanner_note(s, o, why);
	return true;
}

/* Appends what fits of `text` to a string of SCAN_INNER_MAX. */
static void
add_inner(char *inner, const char *text)
{
	size_t len = strlen(inner), n = strlen(text);

	if (n > SCAN_INNER_MAX - 1 - len)
		n = SCAN_INNER_MAX - 1 - len;
	memcpy(inner + len, text, n);
	inner[len + n] = '\0';
}

/* "outer/member", cut off where it is too long. */
static void
set_inner(struct object *child, const struct object *o, const char *name)
{
	memcpy(child->inner, o->inner, sizeof(child->inner));
	if (child->inner[0] != '\0')
		add_inner(child->inner, "/");
	add_inner(child->inner, name[0] == '\0' ? "?" : name);
}

static bool
looks_like_tar(const struct bytes *b)
{
	return b->len > 262 && memcmp(b->ptr + 257, "ustar", 5) == 0;
}

/* Returns false when it is a tar too large to be held: to be read member by
 * member instead. */
static bool
scan_member(struct scanner *s, struct unpack *u, const struct object *o,
    const struct unpack_member *m, enum pack how, uint32_t position,
    bool may_be_tar)
{
	struct object child = { .parent = o, .depth = o->depth + 1 };
	const struct member_facts facts = { span_of(m->name), PEEL_UNKNOWN,
		m->size, m->encrypted, position };
	struct bytes b = { 0 };

	set_inner(&child, o, m->name);
	if (++s->members > s->limits.count) {
		scanner_give_up(s, &child, SCAN_R_COUNT);
		return true;
	}
	if ((how != PACK_STREAM && names_look(s, &child, &facts)) || m->old)
		return true;
	if (m->encrypted) {
		scanner_suspect(s, &child, "Encrypted.Archive");
		scanner_note(s, &child, SCAN_R_ENCRYPTED);
		return true;
	}
	if (!read_member(s, u, &child, &b)) {
		if (may_be_tar && looks_like_tar(&b)) {
			free(b.ptr);
			return false;
		}
		scanner_note(s, &child, SCAN_R_SIZE);
	}
	child.bytes = (struct span){ (const char *)b.ptr, b.len };
	if (b.len > 0)
		scanner_object(s, &child);
	if (!s->stop)
		part_look(s, &child, span_of(m->name));
	if (!s->stop)
		disguise_look(s, &child, span_of(m->name));
	free(b.ptr);
	return true;
}

/* What is left to do behind a walk: read a large tar by its members, or a
 * zip without its directory, or members of old methods. */
#define WALK_TAR   1u
#define WALK_LOCAL 2u
#define WALK_OLD   4u

static unsigned
walk(struct scanner *s, const struct object *o, struct span packed,
    enum pack how, bool with_tar)
{
	struct unpack *u = NULL;
	struct unpack_member m;
	enum scan_reason why = unpack_open(packed, how, with_tar, &u);
	bool fits = true, withheld = false, old = false;
	uint32_t position = 0;

	while (why == SCAN_R_NONE && fits && !s->stop &&
	    unpack_next(u, &m, &why)) {
		withheld = withheld || m.withheld;
		old = old || m.old;
		fits = scan_member(s, u, o, &m, how, ++position,
		    how == PACK_STREAM && !with_tar);
	}
	if (why != SCAN_R_NONE)
		scanner_note(s, o, why);
	unpack_close(u);
	if (!fits)
		return WALK_TAR;
	if (s->stop)
		return 0;
	return (withheld ? WALK_LOCAL : 0) | (old ? WALK_OLD : 0);
}

/* ---- openers --------------------------------------------------------------------
 * The sink of formats/peel.h: each member is an object. */

struct sink {
	struct peel peel; /* first */
	struct scanner *s;
	const struct object *o;
	struct object child;
	struct bytes bytes;
	uint32_t position; /* of the child */
	char name[SCAN_INNER_MAX];
	bool cut; /* the member was longer than one may be */
};

static struct sink *
sink_of(struct peel *p)
{
	return (struct sink *)(void *)p;
}

/* Containers that say something of their members. */
static const bool has_directory[FORMATS] = {
	[FORMAT_ARJ] = true,
	[FORMAT_ARJSFX] = true,
	[FORMAT_MSCHM] = true,
	[FORMAT_UDF] = true,
	[FORMAT_ISO9660] = true,
};

/* False: nothing more is wanted of this object. */
static bool
begin_child(struct sink *k, const struct peel_member *m)
{
	struct scanner *s = k->s;
	struct member_facts facts;

	(void)snprintf(k->name, sizeof(k->name), "%.*s",
	    (int)(m->name.len < sizeof(k->name) ? m->name.len
						: sizeof(k->name)),
	    m->name.len == 0 ? "" : m->name.ptr);
	k->child = (struct object){
		.parent = k->o, .depth = k->o->depth + 1, .format = m->format
	};
	set_inner(&k->child, k->o, k->name);
	k->bytes = (struct bytes){ 0 };
	k->cut = false;
	if (s->stop)
		return false;
	if (++s->members > s->limits.count) {
		scanner_give_up(s, &k->child, SCAN_R_COUNT);
		return false;
	}
	if (m->encrypted) {
		scanner_suspect(s, &k->child, "Encrypted.Archive");
		scanner_note(s, &k->child, SCAN_R_ENCRYPTED);
	}
	facts = (struct member_facts){ m->name, m->packed, m->size,
		m->encrypted, ++k->position };
	return !has_directory[k->o->format] ||
	    !names_look(s, &k->child, &facts);
}

static bool
sink_begin(struct peel *p, const struct peel_member *m)
{
	return begin_child(sink_of(p), m);
}

static bool
sink_add(struct peel *p, struct span piece)
{
	struct sink *k = sink_of(p);
	enum put put;

	if (k->cut)
		return true;
	put = put_piece(k->s, &k->bytes, piece, k->bytes.len);
	if (put == PUT_CUT) {
		k->cut = true;
		scanner_note(k->s, &k->child, SCAN_R_SIZE);
	} else if (put == PUT_NO_MEMORY) {
		k->cut = true;
		scanner_note(k->s, &k->child, SCAN_R_MEMORY);
	}
	if (within_limits(k->s, &k->child))
		return true;
	free(k->bytes.ptr);
	k->bytes = (struct bytes){ 0 };
	return false;
}

static void
look_at_child(struct sink *k)
{
	if (k->child.bytes.len > 0)
		scanner_object(k->s, &k->child);
	if (!k->s->stop)
		disguise_look(k->s, &k->child, span_of(k->name));
}

static bool
sink_end(struct peel *p)
{
	struct sink *k = sink_of(p);

	k->child.bytes =
	    (struct span){ (const char *)k->bytes.ptr, k->bytes.len };
	look_at_child(k);
	free(k->bytes.ptr);
	k->bytes = (struct bytes){ 0 };
	return !k->s->stop;
}

/* Bytes that take no memory count as work all the same. */
static bool
sink_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	struct sink *k = sink_of(p);

	if (!begin_child(k, m))
		return false;
	k->s->unpacked += bytes.len;
	if (!within_limits(k->s, &k->child))
		return false;
	k->child.bytes = bytes;
	look_at_child(k);
	return !k->s->stop;
}

static void
sink_note(struct peel *p, enum peel_problem why)
{
	static const enum scan_reason reasons[PEEL_PROBLEMS] = {
		[PEEL_DAMAGED] = SCAN_R_DAMAGED,
		[PEEL_ENCRYPTED] = SCAN_R_ENCRYPTED,
		[PEEL_UNSUPPORTED] = SCAN_R_UNSUPPORTED,
		[PEEL_MEMORY] = SCAN_R_MEMORY,
	};
	struct sink *k = sink_of(p);

	scanner_note(k->s, k->o, reasons[why]);
}

static void
sink_suspect(struct peel *p, const char *heuristic)
{
	struct sink *k = sink_of(p);

	scanner_suspect(k->s, k->o, heuristic);
}

static bool
sink_tick(struct peel *p)
{
	struct sink *k = sink_of(p);

	return !k->s->stop && scanner_in_time(k->s, k->o);
}

void
members_open(struct scanner *s, const struct object *o, struct span bytes,
    opener_fn *opener)
{
	static const struct peel_ops ops = { sink_begin, sink_add, sink_end,
		sink_slice, sink_note, sink_suspect, sink_tick };
	struct sink k = { .peel = { &ops }, .s = s, .o = o };

	if (o->depth >= s->limits.depth) {
		scanner_note(s, o, SCAN_R_DEPTH);
		return;
	}
	opener(bytes, &k.peel);
	free(k.bytes.ptr);
}

static void
unpack_part(struct scanner *s, const struct object *o, struct span packed,
    enum pack how)
{
	unsigned left;

	if (s->stop)
		return;
	if (o->depth >= s->limits.depth) {
		scanner_note(s, o, SCAN_R_DEPTH);
		return;
	}
	left = walk(s, o, packed, how, false);
	if ((left & WALK_TAR) != 0)
		(void)walk(s, o, packed, how, true);
	if ((left & WALK_LOCAL) != 0 &&
	    (walk(s, o, packed, PACK_LOCAL, false) & ~WALK_OLD) != 0)
		scanner_note(s, o, SCAN_R_UNSUPPORTED);
	if ((left & WALK_OLD) != 0 && !s->stop)
		members_open(s, o, packed, open_zip_old);
}

static opener_fn *const openers[FORMATS] = {
	[FORMAT_MSEXE] = open_pe,
	[FORMAT_MACHO_UNIBIN] = open_macho_fat,
	[FORMAT_MSSZDD] = open_szdd,
	[FORMAT_ARJ] = open_arj,
	[FORMAT_ARJSFX] = open_arj,
	[FORMAT_MSCHM] = open_chm,
	[FORMAT_ISHIELD] = open_ishield,
	[FORMAT_SIS] = open_sis,
	[FORMAT_PDF] = open_pdf,
	[FORMAT_SWF] = open_swf,
	[FORMAT_LNK] = open_lnk,
	[FORMAT_XDP] = open_xdp,
	[FORMAT_MSOLE2] = open_ole2,
	[FORMAT_TEXT_ASCII] = open_data_urls,
	[FORMAT_HTML] = open_data_urls,
	[FORMAT_SCRIPT] = open_data_urls,
	[FORMAT_MAIL] = open_mail,
	[FORMAT_TNEF] = open_tnef,
	[FORMAT_ONENOTE] = open_onenote,
	[FORMAT_RTF] = open_rtf,
	[FORMAT_UUENCODED] = open_uu,
	[FORMAT_BINHEX] = open_binhex,
	[FORMAT_MBR] = open_mbr,
	[FORMAT_GPT] = open_gpt,
	[FORMAT_APM] = open_apm,
	[FORMAT_VHD] = open_vhd,
	[FORMAT_FAT] = open_fat,
	[FORMAT_EXFAT] = open_exfat,
	[FORMAT_NTFS] = open_ntfs,
	[FORMAT_UDF] = open_udf,
	[FORMAT_ISO9660] = open_udf, /* beside libarchive */
};

/* ---- what begins in the middle ---------------------------------------------------
 * A guess, so nothing is said when it comes to nothing; and each is the rest
 * of the object, so that there are limits of their own. */

#define EMBEDDED_GROWTH 4u /* times the object's bytes, in all */

/* Formats that are taken apart whole: what they hold is found there. */
static bool
holds_members(const struct object *o)
{
	static const bool in_part[FORMATS] = {
		[FORMAT_MSEXE] = true,
		[FORMAT_MSOLE2] = true,
		[FORMAT_TEXT_ASCII] = true,
		[FORMAT_HTML] = true,
		[FORMAT_SCRIPT] = true,
	};

	return type_pack(o->bytes) != PACK_NONE ||
	    (openers[o->format] != NULL && !in_part[o->format]);
}

/* Those that want the program in front of them as well. */
static opener_fn *const installers[FORMATS] = {
	[FORMAT_NULSFT] = open_nsis,
	[FORMAT_INNO] = open_inno,
	[FORMAT_AUTOIT] = open_autoit,
	[FORMAT_ISHIELD] = open_ishield,
	[FORMAT_ISHIELD_MSI] = open_ishield_msi,
};

static void
scan_embedded(
    struct scanner *s, const struct object *o, const struct embedded *at)
{
	struct object child = { .parent = o,
		.depth = o->depth + 1,
		.is_embedded = true,
		.bytes = span_from(o->bytes, at->at) };
	struct scan_verdict before = *s->v;
	char name[32];

	(void)snprintf(name, sizeof(name), "%zu", at->at);
	set_inner(&child, o, name);
	/* An archive's own bytes were looked at with those of the object. */
	if (installers[at->format] != NULL)
		members_open(s, o, o->bytes, installers[at->format]);
	else if (type_pack(child.bytes) != PACK_NONE)
		members_scan(s, &child);
	else if (at->format == FORMAT_MSEXE)
		scanner_object(s, &child);
	/* A limit that ended the scan is no guess. */
	if (s->v->outcome == SCAN_UNSCANNABLE && !s->stop) {
		before.read = s->v->read;
		before.objects = s->v->objects;
		*s->v = before;
	}
}

/* Of archives the first place counts, since their own members' heads look
 * like others. */
static bool
is_repeated(const struct object *o, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (o->embedded[k].format == o->embedded[i].format)
			return o->embedded[i].format != FORMAT_MSEXE;
	return false;
}

/* Whether scan_embeddeds() gets to the entry; programs in programs are
 * open_pe()'s, which takes all. */
static bool
is_taken(const struct object *o, uint32_t i)
{
	uint64_t work = 0;

	if (o->is_embedded || holds_members(o) || is_repeated(o, i))
		return false;
	if (o->format == FORMAT_MSEXE && o->embedded[i].format == FORMAT_MSEXE)
		return true;
	for (uint32_t k = 0; k <= i; k++)
		if (!is_repeated(o, k))
			work += o->bytes.len - o->embedded[k].at;
	return work / EMBEDDED_GROWTH <= o->bytes.len;
}

/* An object that this one is a part of, as it is, takes what begins here. */
static bool
is_taken_above(const struct object *o, const char *place)
{
	for (const struct object *p = o->parent;
	     p != NULL && o->bytes.ptr >= p->bytes.ptr &&
	     o->bytes.ptr < p->bytes.ptr + p->bytes.len;
	     p = p->parent)
		for (uint32_t i = 0; i < p->embeddeds; i++)
			if (p->bytes.ptr + p->embedded[i].at == place &&
			    is_taken(p, i))
				return true;
	return false;
}

/* Programs within programs are open_pe()'s; and a zip at the end has been
 * opened. */
static bool
passed_over(const struct object *o, uint32_t i, bool zipped)
{
	enum format f = o->embedded[i].format;

	return is_taken_above(o, o->bytes.ptr + o->embedded[i].at) ||
	    (f == FORMAT_MSEXE && o->format == FORMAT_MSEXE) ||
	    (f == FORMAT_ZIPSFX && zipped) || is_repeated(o, i);
}

static void
scan_embeddeds(struct scanner *s, const struct object *o, bool zipped)
{
	uint64_t work = 0;

	if (o->is_embedded || o->depth >= s->limits.depth || holds_members(o))
		return;
	for (uint32_t i = 0; i < o->embeddeds && !s->stop; i++) {
		if (passed_over(o, i, zipped))
			continue;
		work += o->bytes.len - o->embedded[i].at;
		if (work / EMBEDDED_GROWTH > o->bytes.len ||
		    s->members >= s->limits.count)
			return;
		s->members++;
		scan_embedded(s, o, &o->embedded[i]);
	}
}

/* Programs disagree about which of several archives in a file is the one: all
 * are opened.  First the zips at its end, the last one first. */
void
members_scan(struct scanner *s, const struct object *o)
{
	struct span front = o->bytes;
	struct zip_place zip;
	enum pack how;

	while (!s->stop &&
	    type_zip_at_end(front, type_pack(front) == PACK_NONE, &zip)) {
		unpack_part(s, o, span_from(front, zip.base), PACK_ARCHIVE);
		front.len = zip.front;
		if (!scanner_in_time(s, o))
			return;
	}
	how = type_pack(front);
	/* Others may well end in a zip that they store. */
	if (how != PACK_NONE)
		unpack_part(
		    s, o, span_starts(front, "PK") ? front : o->bytes, how);
	if (!s->stop && openers[o->format] != NULL)
		members_open(s, o, o->bytes, openers[o->format]);
	if (!s->stop)
		scan_embeddeds(s, o, front.len != o->bytes.len);
}
