#include "endpoint/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "endpoint/spool_int.h"

#define BYTES_MAX    (UINT64_C(64) << 20)
#define SEGMENTS_MAX 65536
#define NAME_LEN     22 /* 16 hex digits and ".spool" */
#define SLOT_LEN     52
#define SLOT_STEP    512 /* so that a torn write spoils one slot only */

struct segment {
	uint64_t first; /* its numbers are not below; names the file */
	uint64_t last;  /* first - 1 when it is empty */
	size_t size, count, events;
};

struct spool {
	char *dir;
	const struct clock *clock;
	uint64_t bytes_max;
	int lock, state;
	int active; /* the last segment, for appending */
	struct uuid id;
	uint64_t turn;   /* of the state's two slots */
	uint64_t acked;  /* highest number that has arrived */
	uint64_t peeked; /* highest number that was ever handed out */
	bool state_lost; /* acked and peeked are guesses */
	struct segment *segs;
	size_t seg_count, seg_cap;
	uint64_t waiting;
};

/* ---- the state file: two slots written in turn, in place, so that it needs
 * no new block on a full disk ------------------------------------------ */

static const char state_magic[8] = { 'K', 'H', 'S', 'T', 'A', 'T', 'E', '1' };

static enum err
state_write(struct spool *sp, struct errinfo *ei)
{
	char slot[SLOT_LEN];

	sp->turn++;
	memcpy(slot, state_magic, 8);
	memcpy(slot + 8, sp->id.b, 16);
	put_u64(slot + 24, sp->turn);
	put_u64(slot + 32, sp->acked);
	put_u64(slot + 40, sp->peeked);
	put_u32(slot + 48, crc32c((struct span){ slot, 48 }));
	if (pwrite(sp->state, slot, sizeof(slot),
		(off_t)(sp->turn % 2 * SLOT_STEP)) != (ssize_t)sizeof(slot) ||
	    fdatasync(sp->state) != 0)
		return err_sys(ei, "%s/state: cannot write", sp->dir);
	return OK;
}

/* False when neither slot is sound: a new spool, or a damaged file. */
static bool
state_read(struct spool *sp)
{
	bool found = false;
	char slot[SLOT_LEN];

	for (int i = 0; i < 2; i++) {
		if (pread(sp->state, slot, sizeof(slot),
			(off_t)i * SLOT_STEP) != (ssize_t)sizeof(slot) ||
		    memcmp(slot, state_magic, 8) != 0 ||
		    get_u32(slot + 48) != crc32c((struct span){ slot, 48 }) ||
		    (found && get_u64(slot + 24) < sp->turn))
			continue;
		memcpy(sp->id.b, slot + 8, 16);
		sp->turn = get_u64(slot + 24);
		sp->acked = get_u64(slot + 32);
		sp->peeked = get_u64(slot + 40);
		found = true;
	}
	return found;
}

/* ---- segments ---------------------------------------------------------- */

static void
segment_path(const struct spool *sp, uint64_t first, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%016llx.spool", sp->dir,
	    (unsigned long long)first);
}

static enum err
segment_load(
    const struct spool *sp, uint64_t first, struct buf *out, struct errinfo *ei)
{
	char path[PATH_MAX];
	enum err e;

	segment_path(sp, first, path);
	buf_clear(out);
	e = file_read(path, out, ei);
	out->full = false;
	/* What goes on beyond any length of ours is junk; one that is gone
	 * has lost all its records. */
	return e == ERR_LIMIT || e == ERR_NOT_FOUND ? OK : e;
}

static enum err
segment_insert(
    struct spool *sp, size_t at, struct segment seg, struct errinfo *ei)
{
	struct segment *p = sp->segs;

	if (sp->seg_count == sp->seg_cap) {
		size_t cap = sp->seg_cap == 0 ? 16 : sp->seg_cap * 2;

		if (cap > SEGMENTS_MAX)
			return err_set(
			    ei, ERR_LIMIT, "%s: too many segments", sp->dir);
		p = reallocarray(sp->segs, cap, sizeof(*p));
		if (p == NULL)
			return err_set(ei, ERR_NOMEM, "spool");
		sp->segs = p;
		sp->seg_cap = cap;
	}
	memmove(p + at + 1, p + at, (sp->seg_count - at) * sizeof(*p));
	p[at] = seg;
	sp->seg_count++;
	return OK;
}

static enum err
open_active(struct spool *sp, struct errinfo *ei)
{
	char path[PATH_MAX];

	if (sp->active >= 0)
		(void)close(sp->active);
	segment_path(sp, sp->segs[sp->seg_count - 1].first, path);
	sp->active = open(path, O_WRONLY | O_CLOEXEC);
	return sp->active >= 0 ? OK : err_sys(ei, "cannot open %s", path);
}

/* What a segment becomes when it is written anew. */
struct rewrite {
	uint64_t until; /* its numbers should reach this far; 0 = open end */
	bool drop_events;
	struct buf *out;
	struct segment seg; /* facts of the new one */
	uint64_t gap_to;    /* a gap not yet written ends here; 0: none */
	const char *why;
};

static void
flush_gap(struct rewrite *rw)
{
	if (rw->gap_to == 0)
		return;
	segment_put_gap(rw->out, rw->seg.last + 1, rw->gap_to, rw->why);
	rw->seg.last = rw->gap_to;
	rw->seg.count++;
	rw->gap_to = 0;
}

static void
add_gap(struct rewrite *rw, uint64_t to, const char *why)
{
	if (rw->gap_to != 0 && rw->why != why)
		flush_gap(rw);
	rw->gap_to = to;
	rw->why = why;
}

static const char why_damaged[] = "damaged";
static const char why_space[] = "no space";

static void
keep_record(struct rewrite *rw, const struct spool_record *rec)
{
	bool space_gap =
	    rec->kind == SPOOL_GAP && span_ends(rec->body, "\"no space\"}");

	if (rw->drop_events && (rec->kind == SPOOL_EVENT || space_gap)) {
		add_gap(rw, rec->number, why_space);
		return;
	}
	flush_gap(rw);
	segment_put_record(rw->out, rec->number, rec->kind, rec->body);
	rw->seg.last = rec->number;
	rw->seg.count++;
	rw->seg.events += rec->kind == SPOOL_EVENT;
}

/* Goes through the bytes of a segment and composes what it should be: the
 * same, when nothing is damaged and nothing must go. */
static void
compose(
    const struct spool *sp, struct span in, uint64_t first, struct rewrite *rw)
{
	struct segment_reader r = { in, SEGMENT_HEAD, first - 1 };
	struct spool_record rec;
	enum segment_item item;

	rw->seg = (struct segment){ .first = first, .last = first - 1 };
	rw->gap_to = 0;
	buf_clear(rw->out);
	segment_put_head(rw->out, sp->id, first);
	while ((item = segment_next(&r, &rec)) != SEGMENT_END) {
		if (rw->until != 0 && rec.number > rw->until &&
		    item != SEGMENT_CUT)
			break;
		if (item == SEGMENT_RECORD)
			keep_record(rw, &rec);
		else if (item == SEGMENT_LOST)
			add_gap(rw, rec.number, why_damaged);
	}
	if (rw->until > rw->seg.last && rw->until > rw->gap_to)
		add_gap(rw, rw->until, why_damaged);
	flush_gap(rw);
	rw->seg.size = rw->out->len;
}

/* Brings segment i in order on disk and in memory. */
static enum err
segment_settle(struct spool *sp, size_t i, bool drop_events, struct errinfo *ei)
{
	struct buf in = buf_make(SEGMENT_READ_MAX);
	struct buf out = buf_make(SEGMENT_READ_MAX * 8);
	struct rewrite rw = {
		.drop_events = drop_events,
		.out = &out,
		.until = i + 1 < sp->seg_count ? sp->segs[i + 1].first - 1 : 0,
	};
	char path[PATH_MAX];
	enum err e = segment_load(sp, sp->segs[i].first, &in, ei);

	if (e != OK)
		goto out;
	compose(sp, buf_view(&in), sp->segs[i].first, &rw);
	e = buf_check(&out, ei);
	/* Many gaps in the place of small events can take more room. */
	if (e != OK || (drop_events && out.len >= in.len))
		goto out;
	if (!span_eq(buf_view(&in), buf_view(&out))) {
		segment_path(sp, rw.seg.first, path);
		e = file_replace(path, buf_view(&out), 0600, ei);
		if (e == OK && i + 1 == sp->seg_count && sp->active >= 0)
			e = open_active(sp, ei);
	}
	if (e == OK)
		sp->segs[i] = rw.seg;
out:
	buf_free(&in);
	buf_free(&out);
	return e;
}

/* A segment whose first number is `first`, holding at most a gap that ends
 * at gap_to. */
static enum err
segment_create(struct spool *sp, size_t at, uint64_t first, uint64_t gap_to,
    struct errinfo *ei)
{
	struct segment seg = { .first = first, .last = first - 1 };
	struct buf b = buf_make(4096);
	char path[PATH_MAX];
	enum err e;

	segment_put_head(&b, sp->id, first);
	if (gap_to != 0) {
		segment_put_gap(&b, first, gap_to, why_damaged);
		seg.last = gap_to;
		seg.count = 1;
	}
	seg.size = b.len;
	segment_path(sp, first, path);
	e = buf_check(&b, ei);
	if (e == OK)
		e = file_replace(path, buf_view(&b), 0600, ei);
	if (e == OK)
		e = segment_insert(sp, at, seg, ei);
	buf_free(&b);
	return e;
}

/* ---- opening ----------------------------------------------------------- */

static enum err
list_name(struct spool *sp, const char *name, struct errinfo *ei)
{
	struct segment seg = { 0 };
	unsigned char number[8];
	struct span hex = { name, 16 };
	size_t at;

	if (strlen(name) != NAME_LEN || strcmp(name + 16, ".spool") != 0 ||
	    hex_decode(hex, number, sizeof(number)) != OK)
		return OK;
	for (size_t i = 0; i < sizeof(number); i++)
		seg.first = seg.first << 8 | number[i];
	if (seg.first == 0)
		return OK;
	for (at = sp->seg_count; at > 0; at--)
		if (sp->segs[at - 1].first < seg.first)
			break;
	return segment_insert(sp, at, seg, ei);
}

/* Finds the segments and removes what an interrupted rewrite left. */
static enum err
list_segments(struct spool *sp, struct errinfo *ei)
{
	DIR *d = opendir(sp->dir);
	struct dirent *de;
	enum err e = OK;

	if (d == NULL)
		return err_sys(ei, "cannot read %s", sp->dir);
	while (e == OK && (de = readdir(d)) != NULL) {
		if (span_ends(span_of(de->d_name), ".tmp"))
			(void)unlinkat(dirfd(d), de->d_name, 0);
		else
			e = list_name(sp, de->d_name, ei);
	}
	(void)closedir(d);
	return e;
}

/* Without a state file: the id that the newest sound header gives. */
static enum err
id_from_segments(struct spool *sp, bool *found, struct errinfo *ei)
{
	struct buf b = buf_make(SEGMENT_READ_MAX);
	enum err e = OK;
	uint64_t first;

	*found = false;
	for (size_t i = sp->seg_count; e == OK && !*found && i-- > 0;) {
		e = segment_load(sp, sp->segs[i].first, &b, ei);
		*found =
		    e == OK && segment_get_head(buf_view(&b), &sp->id, &first);
	}
	buf_free(&b);
	return e;
}

/* Settles which spool this is, and what of it has arrived. */
static enum err
identify(struct spool *sp, struct errinfo *ei)
{
	bool known = state_read(sp);
	enum err e = OK;

	if (sp->seg_count == 0) {
		sp->id = uuid_make(sp->clock);
		sp->acked = sp->peeked = 0;
		e = state_write(sp, ei);
		return e == OK ? segment_create(sp, 0, 1, 0, ei) : e;
	}
	if (!known) {
		e = id_from_segments(sp, &known, ei);
		if (e == OK && !known)
			sp->id = uuid_make(sp->clock);
		sp->acked = sp->peeked = sp->segs[0].first - 1;
		sp->state_lost = true;
		if (e == OK)
			e = state_write(sp, ei);
	}
	if (e == OK && sp->acked + 1 < sp->segs[0].first)
		e = segment_create(
		    sp, 0, sp->acked + 1, sp->segs[0].first - 1, ei);
	return e;
}

/* The records above `acked` of a sound segment. */
static uint64_t
count_above(struct span bytes, uint64_t first, uint64_t acked)
{
	struct segment_reader r = { bytes, SEGMENT_HEAD, first - 1 };
	struct spool_record rec;
	uint64_t n = 0;

	while (segment_next(&r, &rec) == SEGMENT_RECORD)
		n += rec.number > acked;
	return n;
}

static enum err
count_waiting(struct spool *sp, struct errinfo *ei)
{
	struct buf b = buf_make(SEGMENT_READ_MAX);
	uint64_t n = 0;
	enum err e = OK;

	for (size_t i = 0; e == OK && i < sp->seg_count; i++) {
		const struct segment *seg = &sp->segs[i];

		if (seg->first > sp->acked) {
			n += seg->count;
		} else if (seg->last > sp->acked) {
			e = segment_load(sp, seg->first, &b, ei);
			n += count_above(buf_view(&b), seg->first, sp->acked);
		}
	}
	if (e == OK)
		sp->waiting = n;
	buf_free(&b);
	return e;
}

/* After a failed write the file is what it was before. */
static enum err
append(struct spool *sp, struct span bytes, struct errinfo *ei)
{
	struct segment *seg = &sp->segs[sp->seg_count - 1];
	size_t done = 0;
	enum err e = OK;
	ssize_t n;

	while (e == OK && done < bytes.len) {
		n = pwrite(sp->active, bytes.ptr + done, bytes.len - done,
		    (off_t)(seg->size + done));
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			e = err_sys(ei, "%s: cannot write", sp->dir);
	}
	if (e == OK && fdatasync(sp->active) != 0)
		e = err_sys(ei, "%s: cannot make durable", sp->dir);
	if (e != OK)
		(void)!ftruncate(sp->active, (off_t)seg->size);
	return e;
}

/* Appends the record, or the gap, in `bytes` that reaches to number `last`. */
static enum err
append_record(struct spool *sp, const struct buf *bytes, uint64_t last,
    enum spool_class kind, struct errinfo *ei)
{
	struct segment *seg = &sp->segs[sp->seg_count - 1];
	enum err e = buf_check(bytes, ei);

	if (e == OK)
		e = append(sp, buf_view(bytes), ei);
	if (e != OK)
		return e;
	seg->last = last;
	seg->size += bytes->len;
	seg->count++;
	seg->events += kind == SPOOL_EVENT;
	sp->waiting++;
	return OK;
}

/* Numbers that were handed out are never given again, even if the end of the
 * last segment is gone. */
static enum err
skip_peeked(struct spool *sp, struct errinfo *ei)
{
	uint64_t last = sp->segs[sp->seg_count - 1].last;
	struct buf b = buf_make(4096);
	enum err e;

	if (sp->peeked <= last)
		return OK;
	segment_put_gap(&b, last + 1, sp->peeked, why_damaged);
	e = append_record(sp, &b, sp->peeked, SPOOL_GAP, ei);
	buf_free(&b);
	return e;
}

static enum err
open_files(struct spool *sp, struct errinfo *ei)
{
	char path[PATH_MAX];
	enum err e = file_make_dir(sp->dir, 0700, ei);

	if (e != OK)
		return e;
	(void)snprintf(path, sizeof(path), "%s/lock", sp->dir);
	sp->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (sp->lock < 0)
		return err_sys(ei, "cannot open %s", path);
	if (flock(sp->lock, LOCK_EX | LOCK_NB) != 0)
		return err_set(
		    ei, ERR_BUSY, "%s is in use by another process", sp->dir);
	(void)snprintf(path, sizeof(path), "%s/state", sp->dir);
	sp->state = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (sp->state < 0)
		return err_sys(ei, "cannot open %s", path);
	return OK;
}

static enum err
open_all(struct spool *sp, struct errinfo *ei)
{
	enum err e = open_files(sp, ei);

	if (e == OK)
		e = list_segments(sp, ei);
	if (e == OK)
		e = identify(sp, ei);
	for (size_t i = 0; e == OK && i < sp->seg_count; i++)
		e = segment_settle(sp, i, false, ei);
	if (e == OK)
		e = open_active(sp, ei);
	if (e == OK)
		e = skip_peeked(sp, ei);
	if (e == OK)
		e = count_waiting(sp, ei);
	return e;
}

enum err
spool_open(
    const struct spool_options *opt, struct spool **out, struct errinfo *ei)
{
	struct spool *sp;
	enum err e;

	if (strlen(opt->dir) > PATH_MAX - 64)
		return err_set(ei, ERR_LIMIT, "path of the spool is too long");
	sp = calloc(1, sizeof(*sp));
	if (sp == NULL)
		return err_set(ei, ERR_NOMEM, "spool");
	sp->lock = sp->state = sp->active = -1;
	sp->clock = opt->clock;
	sp->bytes_max = opt->bytes_max == 0 ? BYTES_MAX : opt->bytes_max;
	sp->dir = strdup(opt->dir);
	e = sp->dir == NULL ? err_set(ei, ERR_NOMEM, "spool")
			    : open_all(sp, ei);
	if (e != OK) {
		spool_close(sp);
		return e;
	}
	*out = sp;
	return OK;
}

void
spool_close(struct spool *sp)
{
	if (sp == NULL)
		return;
	if (sp->active >= 0)
		(void)close(sp->active);
	if (sp->state >= 0)
		(void)close(sp->state);
	if (sp->lock >= 0)
		(void)close(sp->lock);
	free(sp->segs);
	free(sp->dir);
	free(sp);
}

struct uuid
spool_id(const struct spool *sp)
{
	return sp->id;
}

uint64_t
spool_waiting(const struct spool *sp)
{
	return sp->waiting;
}

/* ---- adding ------------------------------------------------------------ */

static uint64_t
bytes_of(const struct spool *sp)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sp->seg_count; i++)
		n += sp->segs[i].size;
	return n;
}

/* Lets the oldest events go until `need` more bytes fit. */
static enum err
make_room(struct spool *sp, size_t need, struct errinfo *ei)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < sp->seg_count; i++) {
		if (bytes_of(sp) + need <= sp->bytes_max)
			break;
		if (sp->segs[i].events > 0)
			e = segment_settle(sp, i, true, ei);
	}
	if (e == OK)
		e = count_waiting(sp, ei);
	if (e == OK && bytes_of(sp) + need > sp->bytes_max)
		e = err_set(ei, ERR_LIMIT,
		    "%s holds %llu bytes that must not be lost", sp->dir,
		    (unsigned long long)bytes_of(sp));
	return e;
}

static enum err
rotate(struct spool *sp, struct errinfo *ei)
{
	enum err e = segment_create(
	    sp, sp->seg_count, sp->segs[sp->seg_count - 1].last + 1, 0, ei);

	return e == OK ? open_active(sp, ei) : e;
}

enum err
spool_add(struct spool *sp, enum spool_class kind, struct span body,
    uint64_t *number, struct errinfo *ei)
{
	struct buf b = buf_make(SPOOL_RECORD_MAX + RECORD_HEAD);
	size_t need = body.len + RECORD_HEAD;
	const struct segment *seg = &sp->segs[sp->seg_count - 1];
	uint64_t next = seg->last + 1;
	enum err e = OK;

	if (body.len > SPOOL_RECORD_MAX)
		return err_set(ei, ERR_LIMIT,
		    "record of %zu bytes, at most %d are kept", body.len,
		    SPOOL_RECORD_MAX);
	if (bytes_of(sp) + need > sp->bytes_max)
		e = make_room(sp, need, ei);
	if (e == OK && seg->size + need > SPOOL_SEGMENT_MAX && seg->count > 0)
		e = rotate(sp, ei);
	if (e != OK)
		return e;
	segment_put_record(&b, next, kind, body);
	e = append_record(sp, &b, next, kind, ei);
	buf_free(&b);
	if (e == OK && number != NULL)
		*number = next;
	return e;
}

/* ---- handing out ------------------------------------------------------- */

struct peek {
	struct arena *arena;
	struct spool_record *records;
	size_t count, max, bytes_left;
	bool full;
};

static enum err
peek_record(struct peek *pk, const struct spool_record *rec, struct errinfo *ei)
{
	struct spool_record *to = &pk->records[pk->count];

	/* One always passes, or a long one would block the way for ever. */
	pk->full = pk->count == pk->max ||
	    (rec->body.len > pk->bytes_left && pk->count > 0);
	if (pk->full)
		return OK;
	*to = *rec;
	to->body = arena_span(pk->arena, rec->body);
	if (to->body.ptr == NULL)
		return err_set(ei, ERR_NOMEM, "records of the spool");
	pk->count++;
	pk->bytes_left -=
	    rec->body.len < pk->bytes_left ? rec->body.len : pk->bytes_left;
	return OK;
}

static enum err
peek_segment(struct spool *sp, size_t i, struct buf *b, struct peek *pk,
    struct errinfo *ei)
{
	struct segment_reader r = { .at = SEGMENT_HEAD,
		.last = sp->segs[i].first - 1 };
	struct spool_record rec;
	enum err e = segment_load(sp, sp->segs[i].first, b, ei);

	/* Damaged under our hands: bring it in order first. */
	if (e == OK &&
	    (b->len != sp->segs[i].size ||
		count_above(buf_view(b), sp->segs[i].first, 0) !=
		    sp->segs[i].count)) {
		e = segment_settle(sp, i, false, ei);
		if (e == OK)
			e = segment_load(sp, sp->segs[i].first, b, ei);
	}
	r.bytes = buf_view(b);
	while (e == OK && !pk->full && segment_next(&r, &rec) != SEGMENT_END)
		if (rec.number > sp->acked)
			e = peek_record(pk, &rec, ei);
	return e;
}

enum err
spool_peek(struct spool *sp, struct arena *a, size_t max, size_t max_bytes,
    struct spool_record **out, size_t *count, struct errinfo *ei)
{
	struct buf b = buf_make(SEGMENT_READ_MAX);
	struct peek pk = { .arena = a, .max = max, .bytes_left = max_bytes };
	enum err e = OK;

	pk.records = ARENA_NEW(a, struct spool_record, max + 1);
	if (pk.records == NULL)
		return err_set(ei, ERR_NOMEM, "records of the spool");
	for (size_t i = 0; e == OK && !pk.full && i < sp->seg_count; i++)
		if (sp->segs[i].last > sp->acked)
			e = peek_segment(sp, i, &b, &pk, ei);
	buf_free(&b);
	if (e == OK && pk.count > 0 &&
	    pk.records[pk.count - 1].number > sp->peeked) {
		sp->peeked = pk.records[pk.count - 1].number;
		e = state_write(sp, ei);
	}
	if (e != OK)
		return e;
	*out = pk.records;
	*count = pk.count;
	return OK;
}

/* The centre knows numbers that were never handed out: this folder was set
 * back in time (a snapshot), and its next numbers would be taken for known.
 * All that waits goes out again under a new id. */
static enum err
renew(struct spool *sp, struct errinfo *ei)
{
	enum err e;

	sp->id = uuid_make(sp->clock);
	e = state_write(sp, ei);
	for (size_t i = 0; e == OK && i < sp->seg_count; i++)
		e = segment_settle(sp, i, false, ei);
	return e;
}

enum err
spool_ack(struct spool *sp, uint64_t number, struct errinfo *ei)
{
	size_t gone = 0;
	char path[PATH_MAX];
	enum err e;

	if (number > sp->peeked &&
	    (!sp->state_lost || number > sp->segs[sp->seg_count - 1].last))
		return renew(sp, ei);
	sp->state_lost = false;
	if (number <= sp->acked)
		return OK;
	sp->acked = number;
	if (sp->peeked < number)
		sp->peeked = number;
	e = state_write(sp, ei);
	if (e != OK)
		return e;
	while (gone + 1 < sp->seg_count && sp->segs[gone].last <= number) {
		segment_path(sp, sp->segs[gone].first, path);
		if (unlink(path) != 0 && errno != ENOENT)
			break;
		gone++;
	}
	sp->seg_count -= gone;
	memmove(sp->segs, sp->segs + gone, sp->seg_count * sizeof(*sp->segs));
	return count_waiting(sp, ei);
}
