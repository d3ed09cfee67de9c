#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "scan/match.h"
#include "scan/rules.h"
#include "scan/unpack.h"

#define SMALL_MAX  (1u << 20) /* smaller files are read, larger ones mapped */
#define CHUNK      (64u << 10)
#define RATIO_FROM (16u << 20) /* unpacked bytes before the ratio counts */

struct scanner {
	const struct scan_set *set;
	struct scan_limits limits;
	struct matcher *matcher;
	struct rules *rules; /* NULL: the set has none */
	struct digest *digest;
	struct buf text;      /* normalised */
	unsigned char *small; /* SMALL_MAX bytes */
	bool bodies, hashes;  /* the set has any */
	/* the file under way */
	struct scan_verdict *v;
	int64_t deadline_ns;
	uint64_t packed, unpacked;
	uint32_t members;
	bool stop; /* found, or a limit of the whole file passed */
};

/* The file, or something unpacked from it.  Its containers stay alive, so
 * that an allow list may name any of them. */
struct object {
	const struct object *parent;
	struct span bytes;
	uint32_t depth;
	unsigned digests; /* bits of the kinds that are known */
	unsigned char digest[HASH_KINDS][DIGEST_MAX];
	char inner[SCAN_INNER_MAX];
};

static void unpack_object(struct scanner *s, const struct object *o);

enum err
scanner_new(const struct scan_set *set, const struct scan_limits *limits,
    struct scanner **out, struct errinfo *ei)
{
	const struct set_directory *d = set->dir;
	struct scanner *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return err_set(ei, ERR_NOMEM, "scanner");
	s->set = set;
	s->limits = *limits;
	s->text = buf_make(TEXT_NORMAL_MAX);
	s->bodies = d->patterns.size > 0;
	for (size_t kind = 0; kind < HASH_KINDS; kind++)
		s->hashes = s->hashes || d->hash[HASH_HIT][kind].count > 0;
	s->digest = digest_new();
	s->small = malloc(SMALL_MAX);
	e = s->digest == NULL || s->small == NULL
	    ? err_set(ei, ERR_NOMEM, "scanner")
	    : matcher_new(set, &s->matcher, ei);
	if (e == OK && d->rules.size > 0)
		e = rules_open((struct span){ set_at(set, d->rules),
				   (size_t)d->rules.size },
		    &s->rules, ei);
	if (e != OK) {
		scanner_free(s);
		return e;
	}
	*out = s;
	return OK;
}

void
scanner_free(struct scanner *s)
{
	if (s == NULL)
		return;
	matcher_free(s->matcher);
	rules_close(s->rules);
	digest_free(s->digest);
	buf_free(&s->text);
	free(s->small);
	free(s);
}

/* The first reason is the one that is told. */
static void
note(struct scanner *s, const struct object *o, enum scan_reason reason)
{
	if (s->v->outcome != SCAN_CLEAN)
		return;
	s->v->outcome = SCAN_UNSCANNABLE;
	s->v->reason = reason;
	memcpy(s->v->inner, o->inner, sizeof(s->v->inner));
}

/* As note(), and nothing more is unpacked. */
static void
give_up(struct scanner *s, const struct object *o, enum scan_reason reason)
{
	note(s, o, reason);
	s->stop = true;
}

static bool
in_time(struct scanner *s, const struct object *o)
{
	if (clock_mono_ns(&clock_system) < s->deadline_ns)
		return true;
	give_up(s, o, SCAN_R_TIME);
	return false;
}

/* ---- one object ------------------------------------------------------------- */

static bool
need_digests(struct scanner *s, struct object *o, unsigned kinds)
{
	kinds &= ~o->digests;
	if (kinds == 0)
		return true;
	if (digest_begin(s->digest, kinds) != OK)
		return false;
	digest_add(s->digest, o->bytes.ptr, o->bytes.len);
	for (unsigned kind = 0; kind < HASH_KINDS; kind++)
		if ((kinds & 1u << kind) != 0)
			digest_end(
			    s->digest, (enum digest_kind)kind, o->digest[kind]);
	o->digests |= kinds;
	return true;
}

static const struct set_hash *
look_up(struct scanner *s, struct object *o, enum hash_use use)
{
	unsigned kinds = set_hash_kinds(s->set, use, o->bytes.len);
	const struct set_hash *h = NULL;

	if (kinds == 0 || o->bytes.len == 0)
		return NULL;
	if (!need_digests(s, o, kinds)) {
		note(s, o, SCAN_R_MEMORY);
		return NULL;
	}
	for (unsigned kind = 0; kind < HASH_KINDS && h == NULL; kind++)
		if ((kinds & 1u << kind) != 0)
			h = set_hash_find(
			    s->set, use, kind, o->digest[kind], o->bytes.len);
	return h;
}

/* The object, or what it came in, is known to be good. */
static bool
allowed(struct scanner *s, const struct object *o)
{
	for (; o != NULL; o = o->parent)
		/* Digests are a cache: filling it is not a change. */
		if (look_up(s, (struct object *)(uintptr_t)o, HASH_ALLOW) !=
		    NULL)
			return true;
	return false;
}

/* True: the verdict is in. */
static bool
found(struct scanner *s, const struct object *o, const char *prefix,
    const char *name, const char *source)
{
	struct scan_verdict *v = s->v;

	if (allowed(s, o))
		return false;
	v->outcome = SCAN_INFECTED;
	v->reason = SCAN_R_NONE;
	(void)snprintf(v->name, sizeof(v->name), "%s%s", prefix, name);
	(void)snprintf(v->source, sizeof(v->source), "%s", source);
	memcpy(v->inner, o->inner, sizeof(v->inner));
	s->stop = true;
	return true;
}

static bool
match_bodies(struct scanner *s, const struct object *o, struct span bytes,
    unsigned targets)
{
	const struct set_pattern *p;
	enum match_result r =
	    matcher_scan(s->matcher, bytes, targets, s->deadline_ns, &p);

	if (r == MATCH_LATE)
		give_up(s, o, SCAN_R_TIME);
	return r == MATCH_FOUND &&
	    found(s, o, "", set_text(s->set, p->name),
		set_text(s->set, p->source));
}

static bool
look_at_bodies(struct scanner *s, const struct object *o)
{
	enum set_target type = type_target(o->bytes);
	unsigned raw = 1u << TARGET_ANY;

	if (!s->bodies)
		return false;
	/* Signatures for text are written against the normalised form. */
	if (type != TARGET_TEXT)
		return match_bodies(s, o, o->bytes, raw | 1u << type);
	if (match_bodies(s, o, o->bytes, raw))
		return true;
	buf_clear(&s->text);
	text_normalise(o->bytes, &s->text);
	if (s->text.full) {
		note(s, o, SCAN_R_MEMORY);
		return false;
	}
	return match_bodies(s, o, buf_view(&s->text), raw | 1u << TARGET_TEXT);
}

static bool
look_at_rules(struct scanner *s, const struct object *o)
{
	static const enum scan_reason reasons[] = {
		[RULES_TIME] = SCAN_R_TIME,
		[RULES_MEMORY] = SCAN_R_MEMORY,
		[RULES_FAILED] = SCAN_R_UNSUPPORTED,
	};
	int64_t left = s->deadline_ns - clock_mono_ns(&clock_system);
	struct rules_match match;
	enum rules_result r;

	if (s->rules == NULL || o->bytes.len == 0)
		return false;
	r = rules_scan(
	    s->rules, o->bytes, (int)(left / 1000000000) + 1, &match);
	if (r == RULES_FOUND)
		return found(s, o, "YARA.", match.name, match.source);
	if (r != RULES_NONE)
		note(s, o, reasons[r]);
	return false;
}

static void
scan_object(struct scanner *s, struct object *o)
{
	const struct set_hash *h;

	s->v->objects++;
	s->v->read += o->bytes.len;
	if (s->hashes && (h = look_up(s, o, HASH_HIT)) != NULL &&
	    found(s, o, "", set_text(s->set, h->name),
		set_text(s->set, h->source)))
		return;
	if (look_at_bodies(s, o) || look_at_rules(s, o))
		return;
	if (in_time(s, o))
		unpack_object(s, o);
}

/* ---- what is inside --------------------------------------------------------- */

/* The limits of the whole file. */
static bool
within_limits(struct scanner *s, const struct object *o)
{
	if (s->unpacked > s->limits.size) {
		give_up(s, o, SCAN_R_SIZE);
		return false;
	}
	if (s->unpacked > RATIO_FROM &&
	    s->unpacked / s->limits.ratio > s->packed) {
		give_up(s, o, SCAN_R_RATIO);
		return false;
	}
	return in_time(s, o);
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
			note(s, o, SCAN_R_MEMORY);
			return true;
		}
		if (!within_limits(s, o))
			return true;
	}
	if (why != SCAN_R_NONE)
		note(s, o, why);
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
		give_up(s, &child, SCAN_R_COUNT);
		return true;
	}
	if (m->encrypted) {
		note(s, &child, SCAN_R_ENCRYPTED);
		return true;
	}
	if (!read_member(s, u, &child, &b)) {
		if (may_be_tar && looks_like_tar(&b)) {
			free(b.ptr);
			return false;
		}
		note(s, &child, SCAN_R_SIZE);
	}
	child.bytes = (struct span){ (const char *)b.ptr, b.len };
	if (b.len > 0)
		scan_object(s, &child);
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
		note(s, o, why);
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
		note(s, o, SCAN_R_DEPTH);
		return;
	}
	left = walk(s, o, packed, how, false);
	if (left == WALK_TAR)
		(void)walk(s, o, packed, how, true);
	if (left == WALK_LOCAL &&
	    walk(s, o, packed, PACK_LOCAL, false) != WALK_DONE)
		note(s, o, SCAN_R_UNSUPPORTED);
}

/* Programs disagree about which of several archives in a file is the one: all
 * are opened.  First the zips at its end, the last one first. */
static void
unpack_object(struct scanner *s, const struct object *o)
{
	struct span front = o->bytes;
	struct zip_place zip;
	enum pack how;

	while (!s->stop &&
	    type_zip_at_end(front, type_pack(front) == PACK_NONE, &zip)) {
		unpack_part(s, o, span_from(front, zip.base), PACK_ARCHIVE);
		front.len = zip.front;
		if (!in_time(s, o))
			return;
	}
	how = type_pack(front);
	/* Others may well end in a zip that they store. */
	if (how != PACK_NONE)
		unpack_part(
		    s, o, span_starts(front, "PK") ? front : o->bytes, how);
}

/* ---- the whole file --------------------------------------------------------- */

static void
begin(struct scanner *s, uint64_t size, struct scan_verdict *v)
{
	*v = (struct scan_verdict){ .set_version = s->set->dir->version,
		.size = size };
	s->v = v;
	s->deadline_ns = clock_mono_ns(&clock_system) +
	    (int64_t)s->limits.seconds * 1000000000;
	s->packed = size;
	s->unpacked = 0;
	s->members = 0;
	s->stop = false;
}

/* `whole`: the bytes are all of the file. */
static void
scan_root(struct scanner *s, struct span bytes, bool whole, bool want_sha256)
{
	struct object root = { .bytes = bytes };

	if (!whole)
		note(s, &root, SCAN_R_SIZE);
	scan_object(s, &root);
	if (!whole ||
	    (!want_sha256 && s->v->outcome != SCAN_INFECTED &&
		s->v->outcome != SCAN_SUSPICIOUS) ||
	    !need_digests(s, &root, 1u << DIGEST_SHA256))
		return;
	s->v->has_sha256 = true;
	memcpy(s->v->sha256, root.digest[DIGEST_SHA256], SHA256_LEN);
}

void
scanner_bytes(struct scanner *s, struct span bytes, bool want_sha256,
    struct scan_verdict *out)
{
	begin(s, bytes.len, out);
	scan_root(s, bytes, true, want_sha256);
}

static void
unreadable(struct scanner *s, enum scan_reason reason)
{
	struct object root = { .depth = 0 };

	note(s, &root, reason);
}

static void
scan_mapped(struct scanner *s, int fd, uint64_t size, bool want_sha256)
{
	uint64_t len = size < s->limits.size ? size : s->limits.size;
	void *p = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED) {
		unreadable(
		    s, errno == ENOMEM ? SCAN_R_MEMORY : SCAN_R_UNREADABLE);
		return;
	}
	s->v->size = size;
	s->packed = size;
	scan_root(s, (struct span){ p, (size_t)len }, len == size, want_sha256);
	(void)munmap(p, (size_t)len);
}

static void
scan_small(struct scanner *s, int fd, bool want_sha256)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < SMALL_MAX) {
		n = pread(fd, s->small + len, SMALL_MAX - len, (off_t)len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		unreadable(s, SCAN_R_UNREADABLE);
		return;
	}
	/* It has grown meanwhile. */
	if (len == SMALL_MAX && fstat(fd, &st) == 0 &&
	    st.st_size >= (off_t)SMALL_MAX) {
		scan_mapped(s, fd, (uint64_t)st.st_size, want_sha256);
		return;
	}
	s->v->size = len;
	s->packed = len;
	scan_root(
	    s, (struct span){ (const char *)s->small, len }, true, want_sha256);
}

void
scanner_file(
    struct scanner *s, int fd, bool want_sha256, struct scan_verdict *out)
{
	struct stat st = { 0 };
	bool readable = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	begin(s, readable ? (uint64_t)st.st_size : 0, out);
	if (!readable)
		unreadable(s, SCAN_R_UNREADABLE);
	else if (st.st_size < (off_t)SMALL_MAX)
		scan_small(s, fd, want_sha256);
	else
		scan_mapped(s, fd, (uint64_t)st.st_size, want_sha256);
}
