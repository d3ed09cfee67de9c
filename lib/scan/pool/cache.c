#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/crypt.h"
#include "scan/scan.h"

/* A table of fingerprints, mapped: a file of the agent alone (0600).  It is
 * never the truth about anything, so what is damaged is begun afresh, and a
 * fingerprint that was written in part fits no file. */

#define CACHE_MAGIC     "KHIENCLN" /* 8 bytes, its NUL not written */
#define CACHE_FORMAT    2u
#define GENERATIONS_MAX (1u << 31)
#define ALONE           1u
#define ENTRIES_MIN     (1u << 16)
#define ENTRIES_MAX     (1u << 22) /* 96 MiB */
#define BUCKET          8u
#define PATH_BYTES      4096
#define MINUTE_MS       60000
#define KEEP_MINUTES    (7u * 24 * 60) /* and up to a quarter less */
#define RACY_NS         INT64_C(2000000000)

struct head {
	char magic[8];
	uint32_t format, entries;
	unsigned char secret[16]; /* so that nobody can make files alike */
	unsigned char what[SHA256_LEN]; /* the set and the limits */
	unsigned char root[SHA256_LEN]; /* the same of what it adds to */
	uint64_t used;
	/* Twice the number of sets so far; entries since `oldest` were clean
	 * with the root, or with it and more. */
	uint32_t generation, oldest;
};
struct entry {
	unsigned char mark[16];
	uint32_t minute;     /* when it was scanned; 0: free */
	uint32_t generation; /* the lowest bit: it held no members */
};

struct scan_cache {
	char path[PATH_BYTES];
	struct head *head;
	struct entry *entry;
	size_t len;
};

static size_t
file_size(uint32_t entries)
{
	return sizeof(struct head) + (size_t)entries * sizeof(struct entry);
}

static bool
map(struct scan_cache *c, int fd, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	c->head = p;
	c->entry = (struct entry *)(void *)(c->head + 1);
	c->len = len;
	return true;
}

static void
unmap(struct scan_cache *c)
{
	if (c->head != NULL)
		(void)munmap(c->head, c->len);
	c->head = NULL;
}

/* What the marks stand for: another set or other limits, another answer. */
static void
fill_what(const unsigned char set_digest[SHA256_LEN],
    const struct scan_limits *limits, unsigned char what[SHA256_LEN])
{
	struct buf b = buf_make(256);

	buf_add(&b, set_digest, SHA256_LEN);
	buf_add(&b, limits, sizeof(*limits));
	sha256(buf_view(&b), what);
	buf_free(&b);
}

static bool
is_whole(const struct scan_cache *c)
{
	const struct head *h = c->head;

	return memcmp(h->magic, CACHE_MAGIC, sizeof(h->magic)) == 0 &&
	    h->format == CACHE_FORMAT && h->entries >= ENTRIES_MIN &&
	    h->entries <= ENTRIES_MAX && (h->entries & (h->entries - 1)) == 0 &&
	    c->len == file_size(h->entries) && h->generation < GENERATIONS_MAX;
}

/* What a table stands for: a set, and what it was built from if it adds to
 * another. */
struct stands_for {
	unsigned char what[SHA256_LEN], root[SHA256_LEN];
};

/* Whether what the table knows is of use to another set: of the same, or of
 * one that adds to it, or to what it adds to. */
static bool
move_on(struct head *h, const struct stands_for *to)
{
	if (memcmp(h->what, to->what, SHA256_LEN) == 0)
		return true;
	if (memcmp(h->what, to->root, SHA256_LEN) == 0)
		h->oldest = h->generation;
	else if (memcmp(h->root, to->root, SHA256_LEN) != 0)
		return false;
	h->generation += 2;
	memcpy(h->what, to->what, SHA256_LEN);
	memcpy(h->root, to->root, SHA256_LEN);
	return true;
}

/* An empty table in the file's place. */
static enum err
begin_afresh(struct scan_cache *c, uint32_t entries,
    const struct stands_for *to, struct errinfo *ei)
{
	char temporary[PATH_BYTES + 8];
	int fd;

	(void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", c->path);
	fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return err_sys(ei, "%s", c->path);
	if (posix_fallocate(fd, 0, (off_t)file_size(entries)) != 0 ||
	    !map(c, fd, file_size(entries)) ||
	    rename(temporary, c->path) != 0) {
		enum err e = err_sys(ei, "%s", c->path);

		(void)unlink(temporary);
		(void)close(fd);
		unmap(c);
		return e;
	}
	(void)close(fd);
	memcpy(c->head->magic, CACHE_MAGIC, sizeof(c->head->magic));
	c->head->format = CACHE_FORMAT;
	c->head->entries = entries;
	memcpy(c->head->what, to->what, SHA256_LEN);
	memcpy(c->head->root, to->root, SHA256_LEN);
	c->head->generation = c->head->oldest = 2;
	return getrandom(c->head->secret, sizeof(c->head->secret), 0) ==
		sizeof(c->head->secret)
	    ? OK
	    : err_sys(ei, "random numbers");
}

static bool
open_old(struct scan_cache *c, const struct stands_for *to)
{
	int fd = open(c->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 077) == 0 && st.st_uid == geteuid() &&
	    st.st_size >= (off_t)file_size(ENTRIES_MIN) &&
	    st.st_size <= (off_t)file_size(ENTRIES_MAX) &&
	    map(c, fd, (size_t)st.st_size);

	if (fd >= 0)
		(void)close(fd);
	if (ok && is_whole(c) && move_on(c->head, to))
		return true;
	unmap(c);
	return false;
}

enum err
scan_cache_open(const char *path, const struct scan_set_info *set,
    const struct scan_limits *limits, struct scan_cache **out,
    struct errinfo *ei)
{
	static const unsigned char none[SHA256_LEN];
	struct scan_cache *c = calloc(1, sizeof(*c));
	struct stands_for to;
	enum err e = OK;

	if (c == NULL)
		return err_set(ei, ERR_NOMEM, "scan cache");
	if (strlen(path) >= sizeof(c->path)) {
		free(c);
		return err_set(ei, ERR_LIMIT, "%s: path is too long", path);
	}
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	fill_what(set->digest, limits, to.what);
	fill_what(memcmp(set->from, none, sizeof(none)) == 0 ? set->digest
							     : set->from,
	    limits, to.root);
	if (!open_old(c, &to))
		e = begin_afresh(c, ENTRIES_MIN, &to, ei);
	if (e != OK)
		scan_cache_close(c);
	else
		*out = c;
	return e;
}

void
scan_cache_close(struct scan_cache *c)
{
	if (c != NULL)
		unmap(c);
	free(c);
}

/* ---- marks ------------------------------------------------------------------------ */

/* Everything that changes when the file does. */
struct identity {
	unsigned char secret[16];
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

static void
mark_of(const struct scan_cache *c, const struct stat *st,
    unsigned char mark[SHA256_LEN])
{
	struct identity id = {
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_s = st->st_mtim.tv_sec,
		.mtime_ns = st->st_mtim.tv_nsec,
		.ctime_s = st->st_ctim.tv_sec,
		.ctime_ns = st->st_ctim.tv_nsec,
	};

	assert(c->head != NULL);
	memcpy(id.secret, c->head->secret, sizeof(id.secret));
	sha256((struct span){ (const char *)&id, sizeof(id) }, mark);
}

static struct entry *
bucket_of(const struct scan_cache *c, const unsigned char *mark)
{
	uint32_t n;

	memcpy(&n, mark, sizeof(n));
	return &c->entry[(n & (c->head->entries - 1)) / BUCKET * BUCKET];
}

/* Files that were scanned together do not expire together. */
static bool
is_fresh(const struct entry *e, uint32_t now)
{
	uint32_t keep = KEEP_MINUTES - e->mark[15] * (KEEP_MINUTES / 4 / 256);

	return e->minute != 0 && e->minute <= now && now - e->minute < keep;
}

static struct entry *
find_mark(const struct scan_cache *c, const unsigned char *mark)
{
	struct entry *e = bucket_of(c, mark);

	for (size_t i = 0; i < BUCKET; i++)
		if (memcmp(e[i].mark, mark, sizeof(e[i].mark)) == 0)
			return &e[i];
	return NULL;
}

enum scan_need
scan_cache_need(struct scan_cache *c, const struct scan_added *added,
    const struct stat *st, int64_t now_ms)
{
	unsigned char mark[SHA256_LEN];
	struct entry *e;

	mark_of(c, st, mark);
	e = find_mark(c, mark);
	if (e == NULL || !is_fresh(e, (uint32_t)(now_ms / MINUTE_MS)) ||
	    e->generation < c->head->oldest)
		return SCAN_NEED_ALL;
	if ((e->generation & ~ALONE) == c->head->generation)
		return SCAN_NEED_NOTHING;
	if (!added->any)
		return SCAN_NEED_ALL;
	if ((e->generation & ALONE) == 0 ||
	    scan_added_has(added, (uint64_t)st->st_size))
		return SCAN_NEED_ADDED;
	e->generation = c->head->generation | ALONE;
	return SCAN_NEED_NOTHING;
}

/* Its own place, a free one, or that of the oldest. */
static struct entry *
place_for(const struct scan_cache *c, const unsigned char *mark)
{
	struct entry *e = bucket_of(c, mark), *to = find_mark(c, mark);

	if (to != NULL)
		return to;
	to = e;
	for (size_t i = 1; i < BUCKET; i++)
		if (e[i].minute < to->minute)
			to = &e[i];
	return to;
}

static void
put_entry(struct scan_cache *c, const struct entry *e)
{
	struct entry *to = place_for(c, e->mark);

	c->head->used += to->minute == 0;
	*to = *e;
}

/* Twice as large; what does not fit in the new one is left out. */
static void
grow(struct scan_cache *c)
{
	struct scan_cache old = *c;
	struct stands_for to;

	memcpy(to.what, old.head->what, sizeof(to.what));
	memcpy(to.root, old.head->root, sizeof(to.root));
	c->head = NULL;
	if (begin_afresh(c, old.head->entries * 2, &to, NULL) != OK ||
	    c->head == NULL) {
		*c = old;
		return;
	}
	memcpy(c->head->secret, old.head->secret, sizeof(c->head->secret));
	c->head->generation = old.head->generation;
	c->head->oldest = old.head->oldest;
	for (uint32_t i = 0; i < old.head->entries; i++)
		if (old.entry[i].minute != 0)
			put_entry(c, &old.entry[i]);
	unmap(&old);
}

static bool
has_changed(int fd, const struct stat *st, int64_t now_ms)
{
	int64_t changed =
	    st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
	struct stat now;

	/* Within one tick of the clock it may change again unseen. */
	return now_ms * 1000000 - changed < RACY_NS || fstat(fd, &now) != 0 ||
	    now.st_size != st->st_size ||
	    now.st_ctim.tv_sec != st->st_ctim.tv_sec ||
	    now.st_ctim.tv_nsec != st->st_ctim.tv_nsec;
}

void
scan_cache_add(struct scan_cache *c, int fd, const struct stat *st,
    const struct scan_verdict *v, int64_t now_ms)
{
	unsigned char mark[SHA256_LEN];
	struct entry e = { .minute = (uint32_t)(now_ms / MINUTE_MS) };
	const struct entry *old;

	if (has_changed(fd, st, now_ms))
		return;
	if (c->head->used > c->head->entries / 2 &&
	    c->head->entries < ENTRIES_MAX)
		grow(c);
	mark_of(c, st, mark);
	memcpy(e.mark, mark, sizeof(e.mark));
	e.generation = c->head->generation | (v->objects == 1 ? ALONE : 0);
	/* What was added is looked for in it now and then; all, in time. */
	old = find_mark(c, mark);
	if (old != NULL && is_fresh(old, e.minute))
		e.minute = old->minute;
	put_entry(c, &e);
}
