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

#define CACHE_MAGIC  "KHIENCLN" /* 8 bytes, its NUL not written */
#define CACHE_FORMAT 1u
#define ENTRIES_MIN  (1u << 16)
#define ENTRIES_MAX  (1u << 22) /* 96 MiB */
#define BUCKET       8u
#define PATH_BYTES   4096
#define MINUTE_MS    60000
#define KEEP_MINUTES (7u * 24 * 60) /* and up to a quarter less */
#define RACY_NS      INT64_C(2000000000)

struct head {
	char magic[8];
	uint32_t format, entries;
	unsigned char secret[16]; /* so that nobody can make files alike */
	unsigned char what[SHA256_LEN]; /* the set and the limits */
	uint64_t used;
};
struct entry {
	unsigned char mark[16];
	uint32_t minute; /* when it was scanned; 0: free */
	uint32_t zero;
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
is_usable(const struct scan_cache *c, const unsigned char what[SHA256_LEN])
{
	const struct head *h = c->head;

	return memcmp(h->magic, CACHE_MAGIC, sizeof(h->magic)) == 0 &&
	    h->format == CACHE_FORMAT && h->entries >= ENTRIES_MIN &&
	    h->entries <= ENTRIES_MAX && (h->entries & (h->entries - 1)) == 0 &&
	    c->len == file_size(h->entries) &&
	    memcmp(h->what, what, SHA256_LEN) == 0;
}

/* An empty table in the file's place. */
static enum err
begin_afresh(struct scan_cache *c, uint32_t entries,
    const unsigned char what[SHA256_LEN], struct errinfo *ei)
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
	memcpy(c->head->what, what, SHA256_LEN);
	return getrandom(c->head->secret, sizeof(c->head->secret), 0) ==
		sizeof(c->head->secret)
	    ? OK
	    : err_sys(ei, "random numbers");
}

static bool
open_old(struct scan_cache *c, const unsigned char what[SHA256_LEN])
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
	if (ok && is_usable(c, what))
		return true;
	unmap(c);
	return false;
}

enum err
scan_cache_open(const char *path, const unsigned char set_digest[32],
    const struct scan_limits *limits, struct scan_cache **out,
    struct errinfo *ei)
{
	struct scan_cache *c = calloc(1, sizeof(*c));
	unsigned char what[SHA256_LEN];
	enum err e = OK;

	if (c == NULL)
		return err_set(ei, ERR_NOMEM, "scan cache");
	if (strlen(path) >= sizeof(c->path)) {
		free(c);
		return err_set(ei, ERR_LIMIT, "%s: path is too long", path);
	}
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	fill_what(set_digest, limits, what);
	if (!open_old(c, what))
		e = begin_afresh(c, ENTRIES_MIN, what, ei);
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

bool
scan_cache_has(
    const struct scan_cache *c, const struct stat *st, int64_t now_ms)
{
	unsigned char mark[SHA256_LEN];
	const struct entry *e;

	mark_of(c, st, mark);
	e = bucket_of(c, mark);
	for (size_t i = 0; i < BUCKET; i++)
		if (memcmp(e[i].mark, mark, sizeof(e[i].mark)) == 0)
			return is_fresh(&e[i], (uint32_t)(now_ms / MINUTE_MS));
	return false;
}

static void
put_mark(struct scan_cache *c, const unsigned char *mark, uint32_t minute)
{
	struct entry *e = bucket_of(c, mark), *to = e;

	for (size_t i = 0; i < BUCKET; i++) {
		if (memcmp(e[i].mark, mark, sizeof(e[i].mark)) == 0) {
			to = &e[i];
			break;
		}
		if (e[i].minute < to->minute)
			to = &e[i]; /* free, or the oldest */
	}
	c->head->used += to->minute == 0;
	to->minute = minute;
	memcpy(to->mark, mark, sizeof(to->mark));
}

/* Twice as large; what does not fit in the new one is left out. */
static void
grow(struct scan_cache *c)
{
	struct scan_cache old = *c;
	unsigned char what[SHA256_LEN];

	memcpy(what, old.head->what, sizeof(what));
	c->head = NULL;
	if (begin_afresh(c, old.head->entries * 2, what, NULL) != OK ||
	    c->head == NULL) {
		*c = old;
		return;
	}
	memcpy(c->head->secret, old.head->secret, sizeof(c->head->secret));
	for (uint32_t i = 0; i < old.head->entries; i++)
		if (old.entry[i].minute != 0)
			put_mark(c, old.entry[i].mark, old.entry[i].minute);
	unmap(&old);
}

void
scan_cache_add(
    struct scan_cache *c, int fd, const struct stat *st, int64_t now_ms)
{
	unsigned char mark[SHA256_LEN];
	int64_t changed =
	    st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
	struct stat now;

	/* Within one tick of the clock it may change again unseen. */
	if (now_ms * 1000000 - changed < RACY_NS || fstat(fd, &now) != 0 ||
	    now.st_size != st->st_size ||
	    now.st_ctim.tv_sec != st->st_ctim.tv_sec ||
	    now.st_ctim.tv_nsec != st->st_ctim.tv_nsec)
		return;
	if (c->head->used > c->head->entries / 2 &&
	    c->head->entries < ENTRIES_MAX)
		grow(c);
	mark_of(c, st, mark);
	put_mark(c, mark, (uint32_t)(now_ms / MINUTE_MS));
}
