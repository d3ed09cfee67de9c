#include <stdlib.h>
#include <string.h>

#include "scan/scanner_int.h"
#include "scan/unpack.h"

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
    const struct unpack_member *m, bool may_be_tar)
{
	struct object child = { .parent = o, .depth = o->depth + 1 };
	struct bytes b = { 0 };

	set_inner(&child, o, m->name);
	if (++s->members > s->limits.count) {
		scanner_give_up(s, &child, SCAN_R_COUNT);
		return true;
	}
	if (m->encrypted) {
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
	free(b.ptr);
	return true;
}

/* What is left to do behind a walk: read a large tar by its members, or a
 * zip without its directory. */
enum walk { WALK_DONE, WALK_TAR, WALK_LOCAL };

static enum walk
walk(struct scanner *s, const struct object *o, struct span packed,
    enum pack how, bool with_tar)
{
	struct unpack *u = NULL;
	struct unpack_member m;
	enum scan_reason why = unpack_open(packed, how, with_tar, &u);
	bool fits = true, withheld = false;

	while (why == SCAN_R_NONE && fits && !s->stop &&
	    unpack_next(u, &m, &why)) {
		withheld = withheld || m.withheld;
		fits =
		    scan_member(s, u, o, &m, how == PACK_STREAM && !with_tar);
	}
	if (why != SCAN_R_NONE)
		scanner_note(s, o, why);
	unpack_close(u);
	if (!fits)
		return WALK_TAR;
	return withheld && !s->stop ? WALK_LOCAL : WALK_DONE;
}

static void
unpack_part(struct scanner *s, const struct object *o, struct span packed,
    enum pack how)
{
	enum walk left;

	if (s->stop)
		return;
	if (o->depth >= s->limits.depth) {
		scanner_note(s, o, SCAN_R_DEPTH);
		return;
	}
	left = walk(s, o, packed, how, false);
	if (left == WALK_TAR)
		(void)walk(s, o, packed, how, true);
	if (left == WALK_LOCAL &&
	    walk(s, o, packed, PACK_LOCAL, false) != WALK_DONE)
		scanner_note(s, o, SCAN_R_UNSUPPORTED);
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
}
