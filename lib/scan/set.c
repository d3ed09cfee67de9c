#include "scan/set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "crypt/crypt.h"

const void *
set_at(const struct scan_set *set, struct set_region r)
{
	return set->base + r.at;
}

const char *
set_text(const struct scan_set *set, uint32_t at)
{
	return (const char *)set->base + set->dir->texts.at + at;
}

/* ---- checks ---------------------------------------------------------------
 * The digest finds damage; these find what a faulty or hostile builder could
 * have written, so that no matcher ever reads outside the file. */

/* A region within the file that holds `items` things of `size` bytes. */
static bool
region_ok(const struct scan_set *s, struct set_region r, uint64_t items,
    uint64_t size)
{
	uint64_t want;

	return r.at % SET_ALIGN == 0 && r.at <= s->len &&
	    r.size <= s->len - r.at &&
	    !__builtin_mul_overflow(items, size, &want) && r.size == want;
}

/* starts[0] = 0, never falling, and the last is `count`. */
static bool
starts_ok(const uint32_t *starts, uint32_t bits, uint32_t count)
{
	uint64_t n = UINT64_C(1) << bits;
	bool rising = true;

	for (uint64_t i = 0; i < n; i++)
		rising = rising && starts[i] <= starts[i + 1];
	return rising && starts[0] == 0 && starts[n] == count;
}

/* Not empty: a verdict without a name is none. */
static bool
text_ok(const struct scan_set *s, uint32_t at)
{
	return at > 0 && at < s->dir->texts.size && *set_text(s, at) != '\0';
}

static bool
hashes_ok(const struct scan_set *s, const struct set_hashes *h, unsigned kind)
{
	const struct set_hash *entries;
	bool ok = true;

	if (h->digest_len != digest_len((enum digest_kind)kind) ||
	    h->bucket_bits < 1 || h->bucket_bits > HASH_BUCKETS_MAX ||
	    h->sizes.size % sizeof(uint64_t) != 0 ||
	    !region_ok(s, h->sizes, h->sizes.size, 1) ||
	    !region_ok(s, h->buckets, (UINT64_C(1) << h->bucket_bits) + 1,
		sizeof(uint32_t)) ||
	    !region_ok(s, h->prefixes, h->count, sizeof(uint64_t)) ||
	    !region_ok(s, h->tails, h->count, h->digest_len - HASH_PREFIX) ||
	    !region_ok(s, h->entries, h->count, sizeof(struct set_hash)) ||
	    !starts_ok(set_at(s, h->buckets), h->bucket_bits, h->count))
		return false;
	entries = set_at(s, h->entries);
	for (uint32_t i = 0; i < h->count; i++)
		ok = ok && text_ok(s, entries[i].name) &&
		    text_ok(s, entries[i].source);
	return ok;
}

static bool
special_ok(const struct scan_set *s, const struct set_special *sp,
    const struct set_part *part)
{
	return sp->len > 0 && sp->len <= part->len &&
	    sp->at <= part->len - sp->len && sp->count <= SPECIAL_MAX &&
	    sp->bytes <= s->dir->bytes.size &&
	    (uint64_t)sp->len * sp->count <= s->dir->bytes.size - sp->bytes;
}

static bool
part_ok(const struct scan_set *s, const struct set_part *p, uint64_t specials)
{
	uint64_t room = s->dir->bytes.size;

	if (p->len == 0 || p->len > PART_MAX || p->bytes > room ||
	    p->len > room - p->bytes ||
	    (p->masks != NO_MASK &&
		(p->masks > room || p->len > room - p->masks)) ||
	    p->gap_min > p->gap_max || p->pivot_len == 0 || p->pivot > p->len ||
	    p->pivot_len > p->len - p->pivot || p->special > specials ||
	    p->specials > specials - p->special)
		return false;
	for (uint32_t i = 0; i < p->specials; i++)
		if (!special_ok(s, &s->specials[p->special + i], p))
			return false;
	return true;
}

static bool
pattern_ok(
    const struct scan_set *s, const struct set_pattern *p, uint64_t parts)
{
	uint64_t pivots = 0;

	if (p->parts == 0 || p->parts > PARTS_MAX || p->part > parts ||
	    p->parts > parts - p->part || p->target >= TARGETS ||
	    p->from >= FROM_COUNT || !text_ok(s, p->name) ||
	    !text_ok(s, p->source))
		return false;
	for (uint32_t i = 0; i < p->parts; i++)
		pivots += s->parts[p->part + i].pivot_len;
	return pivots <= PIVOTS_MAX;
}

static bool
patterns_ok(struct scan_set *s)
{
	const struct set_directory *d = s->dir;
	uint64_t parts = d->parts.size / sizeof(struct set_part);
	uint64_t specials = d->specials.size / sizeof(struct set_special);
	uint64_t patterns = d->patterns.size / sizeof(struct set_pattern);

	if (!region_ok(s, d->parts, parts, sizeof(struct set_part)) ||
	    !region_ok(s, d->specials, specials, sizeof(struct set_special)) ||
	    !region_ok(s, d->patterns, patterns, sizeof(struct set_pattern)) ||
	    !region_ok(s, d->bytes, d->bytes.size, 1))
		return false;
	s->patterns = set_at(s, d->patterns);
	s->parts = set_at(s, d->parts);
	s->specials = set_at(s, d->specials);
	s->bytes = set_at(s, d->bytes);
	for (uint64_t i = 0; i < parts; i++)
		if (!part_ok(s, &s->parts[i], specials))
			return false;
	for (uint64_t i = 0; i < patterns; i++)
		if (!pattern_ok(s, &s->patterns[i], parts))
			return false;
	return true;
}

static bool
filter_ok(const struct scan_set *s, const struct set_filter *f, uint32_t width)
{
	uint64_t patterns = s->dir->patterns.size / sizeof(struct set_pattern);
	const struct set_anchor *a;

	if (f->width != width || f->bitmap_bits < FILTER_BITS_MIN ||
	    f->bitmap_bits > FILTER_BITS_MAX || f->bucket_bits < 1 ||
	    f->bucket_bits > f->bitmap_bits ||
	    !region_ok(s, f->bitmap, UINT64_C(1) << (f->bitmap_bits - 3), 1) ||
	    !region_ok(s, f->buckets, (UINT64_C(1) << f->bucket_bits) + 1,
		sizeof(uint32_t)) ||
	    !region_ok(s, f->anchors, f->count, sizeof(struct set_anchor)) ||
	    !starts_ok(set_at(s, f->buckets), f->bucket_bits, f->count))
		return false;
	a = set_at(s, f->anchors);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct set_pattern *p;

		if (a[i].pattern >= patterns)
			return false;
		p = &s->patterns[a[i].pattern];
		if (a[i].part >= p->parts ||
		    a[i].at + width > s->parts[p->part + a[i].part].len)
			return false;
	}
	return true;
}

static bool
tables_ok(struct scan_set *s)
{
	static const uint32_t widths[FILTERS] = { 8, 4, 2 };
	const struct set_directory *d = s->dir;

	if (!region_ok(s, d->texts, d->texts.size, 1) || d->texts.size == 0 ||
	    *set_text(s, (uint32_t)(d->texts.size - 1)) != '\0' ||
	    !region_ok(s, d->rules, d->rules.size, 1) || !patterns_ok(s))
		return false;
	for (unsigned use = 0; use < HASH_USES; use++)
		for (unsigned kind = 0; kind < HASH_KINDS; kind++)
			if (!hashes_ok(s, &d->hash[use][kind], kind))
				return false;
	for (size_t i = 0; i < FILTERS; i++)
		if (!filter_ok(s, &d->filter[i], widths[i]))
			return false;
	return true;
}

static enum err
check(struct scan_set *s, struct errinfo *ei)
{
	const struct set_header *h = s->header;
	struct span rest = { (const char *)s->base + sizeof(*h),
		s->len - sizeof(*h) };
	unsigned char digest[SHA256_LEN];

	if (memcmp(h->magic, SET_MAGIC, sizeof(h->magic)) != 0)
		return err_set(ei, ERR_CORRUPT, "not a signature set");
	if (h->format != SET_FORMAT)
		return err_set(ei, ERR_UNSUPPORTED,
		    "signature set of format %u, this program reads %u",
		    h->format, SET_FORMAT);
	if (h->header_size != sizeof(*h) || h->file_size != s->len)
		return err_set(
		    ei, ERR_CORRUPT, "signature set is cut off or has grown");
	sha256(rest, digest);
	if (memcmp(digest, h->digest, sizeof(digest)) != 0)
		return err_set(
		    ei, ERR_CORRUPT, "signature set differs from its digest");
	if (!tables_ok(s))
		return err_set(
		    ei, ERR_CORRUPT, "signature set points outside of itself");
	return OK;
}

/* ---- opening --------------------------------------------------------------- */

enum err
scan_set_open(int fd, struct scan_set **out, struct errinfo *ei)
{
	struct scan_set *s;
	struct stat st;
	void *p;
	enum err e;

	if (fstat(fd, &st) != 0)
		return err_sys(ei, "signature set");
	if (!S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)(sizeof(struct set_header) +
			     sizeof(struct set_directory)))
		return err_set(ei, ERR_CORRUPT, "not a signature set");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(ei, "signature set");
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		(void)munmap(p, (size_t)st.st_size);
		return err_set(ei, ERR_NOMEM, "signature set");
	}
	s->base = p;
	s->len = (size_t)st.st_size;
	s->header = p;
	s->dir = (const void *)(s->base + sizeof(*s->header));
	e = check(s, ei);
	if (e != OK) {
		scan_set_close(s);
		return e;
	}
	*out = s;
	return OK;
}

void
scan_set_close(struct scan_set *set)
{
	if (set == NULL)
		return;
	(void)munmap((void *)(uintptr_t)set->base, set->len);
	free(set);
}

void
scan_set_info(const struct scan_set *set, struct scan_set_info *out)
{
	const struct set_directory *d = set->dir;

	*out = (struct scan_set_info){
		.version = d->version,
		.built_ms = d->built_ms,
		.file_size = set->len,
		.counts = { .hashes = d->hashes,
		    .bodies = d->bodies,
		    .allowed = d->allowed,
		    .yara = d->yara,
		    .skipped = d->skipped },
	};
	memcpy(out->digest, set->header->digest, sizeof(out->digest));
}
