#include "scan/set/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "crypt/crypt.h"
#include "scan/set/hash_bits.h"
#include "scan/set/record.h"

/* ---- chunks ------------------------------------------------------------------- */

static struct span
chunk_bytes(const struct scan_set *set, uint64_t i)
{
	uint64_t at = SET_HEAD + i * SET_CHUNK;
	uint64_t n = set->dir->digests - at;

	return (struct span){ (const char *)set->base + at,
		n < SET_CHUNK ? (size_t)n : SET_CHUNK };
}

static bool
chunk_is_whole(struct scan_set *set, uint64_t i)
{
	unsigned char bit = (unsigned char)(1u << (i & 7)), digest[SHA256_LEN];

	if ((set->checked[i >> 3] & bit) != 0)
		return true;
	sha256(chunk_bytes(set, i), digest);
	if (memcmp(digest, set->digests + i * SHA256_LEN, SHA256_LEN) != 0)
		return false;
	set->checked[i >> 3] |= bit;
	return true;
}

static const void *
damaged(struct scan_set *set)
{
	set->damaged = true;
	return NULL;
}

const void *
set_part(struct scan_set *set, struct set_region r, uint64_t at, uint64_t n)
{
	uint64_t first, last, end = set->dir->digests;

	if (n == 0)
		return set->base;
	if (at > r.size || n > r.size - at || r.at < SET_HEAD || r.at > end ||
	    r.size > end - r.at)
		return damaged(set);
	first = (r.at + at - SET_HEAD) / SET_CHUNK;
	last = (r.at + at + n - 1 - SET_HEAD) / SET_CHUNK;
	for (uint64_t i = first; i <= last; i++)
		if (!chunk_is_whole(set, i))
			return damaged(set);
	return set->base + r.at + at;
}

const void *
set_region(struct scan_set *set, struct set_region r)
{
	return set_part(set, r, 0, r.size);
}

#define PAGE 4096u /* at least: less is forgotten on larger ones */

void
set_forget(struct scan_set *set, struct set_region r)
{
	uint64_t from = (r.at + PAGE - 1) / PAGE * PAGE;
	uint64_t to = (r.at + r.size) / PAGE * PAGE;

	if (from < to)
		(void)madvise((void *)(uintptr_t)(set->base + from),
		    (size_t)(to - from), MADV_DONTNEED);
}

#define RECORD_HEAD 5u /* bytes of its length, at most */

struct span
set_record(struct scan_set *set, uint32_t at)
{
	struct set_region all = set->dir->records;
	uint64_t left = at < all.size ? all.size - at : 0, n;
	struct reader r;

	if (left > RECORD_HEAD)
		left = RECORD_HEAD;
	r.p = set_part(set, all, at, left);
	if (r.p == NULL || left == 0)
		return SPAN("");
	r = reader_of((struct span){ (const char *)r.p, (size_t)left });
	n = read_number(&r, UINT32_MAX);
	at += (uint32_t)(r.p - (set->base + all.at + at));
	r.p = set_part(set, all, at, n);
	return r.bad || r.p == NULL
	    ? SPAN("")
	    : (struct span){ (const char *)r.p, (size_t)n };
}

uint32_t
set_next_record(struct scan_set *set, uint32_t at)
{
	struct span r = set_record(set, at);
	uint64_t next =
	    (uint64_t)((const unsigned char *)r.ptr + r.len - set->base) -
	    set->dir->records.at;

	return r.len == 0 || next >= set->dir->records.size ? 0
							    : (uint32_t)next;
}

/* ---- names ------------------------------------------------------------------------ */

/* A text, which ends within TEXT_MAX bytes or is cut there. */
static struct span
text_at(struct scan_set *set, uint32_t at)
{
	struct set_region all = set->dir->texts;
	uint64_t left = at < all.size ? all.size - at : 0;
	const char *p;

	if (left >= TEXT_MAX)
		left = TEXT_MAX - 1;
	p = set_part(set, all, at, left);
	if (p == NULL || at == 0)
		return SPAN("?");
	return (struct span){ p, strnlen(p, (size_t)left) };
}

void
set_name_text(
    struct scan_set *set, const struct set_name *name, char out[SCAN_NAME_MAX])
{
	struct span source,
	    t = span_cut(text_at(set, name->text), NAME_SOURCE, &source);
	const char *at = memchr(t.ptr, NAME_NUMBER, t.len);
	int head = (int)(at == NULL ? t.len : (size_t)(at - t.ptr));

	if (at == NULL)
		(void)snprintf(out, SCAN_NAME_MAX, "%.*s", head, t.ptr);
	else
		(void)snprintf(out, SCAN_NAME_MAX, "%.*s%u%.*s", head, t.ptr,
		    name->number, (int)t.len - head - 1, at + 1);
	if (out[0] == '\0')
		(void)snprintf(out, SCAN_NAME_MAX, "?");
}

void
set_source_text(
    struct scan_set *set, const struct set_name *name, char out[SCAN_NAME_MAX])
{
	struct span source;

	(void)span_cut(text_at(set, name->text), NAME_SOURCE, &source);
	if (source.len == 0)
		source = SPAN("?");
	(void)snprintf(out, SCAN_NAME_MAX, "%.*s", (int)source.len, source.ptr);
}

/* No two names in use share these bits of their digest. */
uint64_t
set_icon_group(struct span name)
{
	unsigned char digest[SHA256_LEN];
	uint64_t group;

	sha256(name, digest);
	group = digest_prefix(digest);
	return group == ICON_GROUP_ANY ? 1 : group;
}

/* ---- checks when it is opened -------------------------------------------------------
 * That regions lie in the data, and that tables are as long as their counts
 * say: so an index below a count needs no other look. */

static bool
region_fits(const struct scan_set *set, struct set_region r, uint64_t size)
{
	uint64_t end = set->dir->digests;

	return r.at >= SET_HEAD && r.at <= end && r.size <= end - r.at &&
	    r.at % SET_ALIGN == 0 && r.size == size;
}

static bool
hashes_fit(const struct scan_set *set, const struct set_hashes *h)
{
	uint64_t n = h->count;

	if (n == 0)
		return true;
	return h->bucket_bits >= 1 && h->bucket_bits <= HASH_BUCKETS_MAX &&
	    h->size_bits >= 6 && h->size_bits <= SIZE_BITS_MAX &&
	    h->bloom_bits <= BLOOM_BITS_MAX && h->any_size <= n &&
	    h->digest_len > HASH_PREFIX && h->digest_len <= HASH_LEN_MAX &&
	    region_fits(set, h->sizes, UINT64_C(1) << (h->size_bits - 3)) &&
	    region_fits(set, h->bloom, UINT64_C(64) << h->bloom_bits) &&
	    region_fits(set, h->buckets,
		((UINT64_C(1) << h->bucket_bits) + 1) * sizeof(uint32_t)) &&
	    region_fits(set, h->prefixes, n * sizeof(uint64_t)) &&
	    region_fits(set, h->rows, n * HASH_ROW(h->digest_len));
}

static bool
filter_fits(const struct scan_set *set, const struct set_filter *f, size_t i)
{
	static const uint32_t widths[FILTERS] = { 8, 4, 3, 2 };

	if (f->count == 0)
		return true;
	return f->width == widths[i] && f->bitmap_bits >= FILTER_BITS_MIN &&
	    f->bitmap_bits <= FILTER_BITS_MAX && f->bucket_bits >= 1 &&
	    f->bucket_bits <= f->bitmap_bits &&
	    region_fits(set, f->bitmap, UINT64_C(1) << (f->bitmap_bits - 3)) &&
	    region_fits(set, f->buckets,
		((UINT64_C(1) << f->bucket_bits) + 1) * sizeof(uint32_t)) &&
	    region_fits(set, f->anchors,
		(uint64_t)f->count * sizeof(struct set_anchor));
}

/* A gate is there when something is behind it. */
static bool
gate_fits(const struct scan_set *set, size_t target)
{
	const struct set_gate *g = &set->dir->gate[target];
	bool needed = false;

	for (size_t i = 0; i < GATED; i++)
		needed = needed || set->dir->filter[target][i].count > 0;
	if (g->bits == 0)
		return !needed;
	return g->bits >= FILTER_BITS_MIN && g->bits <= FILTER_BITS_MAX &&
	    region_fits(set, g->bitmap, UINT64_C(1) << (g->bits - 3));
}

static bool
directory_fits(const struct scan_set *set)
{
	const struct set_directory *d = set->dir;
	bool ok = region_fits(set, d->members, d->members.size) &&
	    region_fits(set, d->groups, d->groups.size) &&
	    region_fits(set, d->certs, d->certs.size) &&
	    region_fits(set, d->types, d->types.size) &&
	    region_fits(set, d->links, d->links.size) &&
	    region_fits(set, d->icons, d->icons.size) &&
	    (d->added.size == 0 || region_fits(set, d->added, d->added.size)) &&
	    region_fits(set, d->records, d->records.size) &&
	    region_fits(set, d->texts, d->texts.size) &&
	    region_fits(set, d->rules, d->rules.size);

	for (size_t i = 0; i < HASH_USES * HASH_KINDS && ok; i++)
		ok = hashes_fit(set, &d->hash[i / HASH_KINDS][i % HASH_KINDS]);
	for (size_t i = 0; i < TARGETS * FILTERS && ok; i++)
		ok = filter_fits(
		    set, &d->filter[i / FILTERS][i % FILTERS], i % FILTERS);
	for (size_t i = 0; i < TARGETS && ok; i++)
		ok = region_fits(set, d->always[i], d->always[i].size) &&
		    gate_fits(set, i);
	return ok;
}

static bool
head_is_whole(const struct scan_set *set)
{
	const size_t from = sizeof(struct set_header);
	struct digest *d = digest_new();
	unsigned char digest[DIGEST_MAX];
	bool ok = d != NULL && digest_begin(d, 1u << DIGEST_SHA256) == OK;

	if (ok) {
		digest_add(d, set->base + from, SET_HEAD - from);
		digest_add(d, set->digests, set->chunks * SHA256_LEN);
		digest_end(d, DIGEST_SHA256, digest);
		ok = memcmp(digest, set->header->digest, SHA256_LEN) == 0;
	}
	digest_free(d);
	return ok;
}

static enum err
check(struct scan_set *set, struct errinfo *ei)
{
	const struct set_header *h = set->header;
	uint64_t data;

	if (memcmp(h->magic, SET_MAGIC, sizeof(h->magic)) != 0)
		return err_set(ei, ERR_CORRUPT, "not a signature set");
	if (h->format != SET_FORMAT)
		return err_set(ei, ERR_UNSUPPORTED,
		    "signature set of format %u, %u expected", h->format,
		    SET_FORMAT);
	if (h->file_size != set->len || h->header_size != sizeof(*h) ||
	    h->zero != 0 || set->len < SET_HEAD ||
	    set->dir->digests < SET_HEAD || set->dir->digests > set->len)
		return err_set(ei, ERR_CORRUPT, "signature set is cut short");
	data = set->dir->digests - SET_HEAD;
	set->chunks = (data + SET_CHUNK - 1) / SET_CHUNK;
	set->digests = set->base + set->dir->digests;
	if (set->chunks * SHA256_LEN != set->len - set->dir->digests ||
	    !head_is_whole(set))
		return err_set(ei, ERR_CORRUPT, "signature set is damaged");
	if (!directory_fits(set))
		return err_set(ei, ERR_CORRUPT,
		    "signature set has tables that do not fit");
	set->checked = calloc(set->chunks / 8 + 1, 1);
	return set->checked == NULL ? err_set(ei, ERR_NOMEM, "signature set")
				    : OK;
}

/* The mapping becomes the set's own if it `owns` it, at once. */
static enum err
open_bytes(const unsigned char *base, size_t len, bool owns,
    struct scan_set **out, struct errinfo *ei)
{
	struct scan_set *set = calloc(1, sizeof(*set));
	enum err e;

	if (set == NULL) {
		if (owns)
			(void)munmap((void *)(uintptr_t)base, len);
		return err_set(ei, ERR_NOMEM, "signature set");
	}
	set->base = base;
	set->len = len;
	set->owns = owns;
	set->header = (const struct set_header *)(const void *)base;
	set->dir = (const struct set_directory *)(const void *)(base +
	    sizeof(struct set_header));
	e = check(set, ei);
	if (e != OK)
		scan_set_close(set);
	else
		*out = set;
	return e;
}

enum err
scan_set_open(int fd, struct scan_set **out, struct errinfo *ei)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)SET_HEAD)
		return err_set(ei, ERR_CORRUPT, "not a signature set");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(ei, "signature set");
	return open_bytes(p, (size_t)st.st_size, true, out, ei);
}

enum err
scan_set_added(struct scan_set *set, struct scan_set **out, struct errinfo *ei)
{
	struct set_region r = set->dir->added;
	const void *p = r.size < SET_HEAD ? NULL : set_region(set, r);

	*out = NULL;
	if (r.size == 0)
		return OK;
	if (p == NULL)
		return err_set(ei, ERR_CORRUPT, "signature set is damaged");
	return open_bytes(p, r.size, false, out, ei);
}

void
scan_set_close(struct scan_set *set)
{
	if (set == NULL)
		return;
	if (set->owns)
		(void)munmap((void *)(uintptr_t)set->base, set->len);
	free(set->checked);
	free(set);
}

enum err
scan_set_verify(struct scan_set *set, struct errinfo *ei)
{
	for (uint64_t i = 0; i < set->chunks; i++)
		if (!chunk_is_whole(set, i))
			return err_set(ei, ERR_CORRUPT,
			    "signature set is damaged in bytes %llu to %llu",
			    (unsigned long long)(SET_HEAD + i * SET_CHUNK),
			    (unsigned long long)(SET_HEAD +
				(i + 1) * SET_CHUNK));
	return OK;
}

void
scan_set_info(const struct scan_set *set, struct scan_set_info *out)
{
	const struct set_directory *d = set->dir;

	*out = (struct scan_set_info){
		.version = d->version,
		.built_ms = d->built_ms,
		.file_size = set->header->file_size,
		.counts = { d->hashes, d->bodies, d->allowed, d->yara,
		    d->link_patterns, d->icon_lines, d->skipped },
	};
	memcpy(out->digest, set->header->digest, sizeof(out->digest));
	memcpy(out->from, d->from, sizeof(out->from));
}
