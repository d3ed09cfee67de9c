#include "scan/links/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/links/needle.h"
#include "scan/match/regex.h"
#include "scan/set/mask.h"
#include "scan/set/record.h"

#define PAIR_MAX       (2 * (URL_SCHEME_MAX + 3 + URL_HOST_MAX) + 2)
#define REGEX_SLOTS    4u  /* for each expression */
#define REGEX_BITS_MAX 14u /* of the slots */

/* The rows of one kind: links_hash() above, the record's place below. */
struct list {
	uint64_t *row;
	struct needle *needle; /* of each expression, else NULL */
	size_t count;
};

struct links {
	struct scan_set *set;
	bool loaded, damaged;
	uint64_t *rows;
	struct list list[LINK_KINDS];
	struct regex_cache *regexes; /* NULL: no expressions */
	char text[LINK_PATTERN_MAX]; /* a pattern, unmasked */
};

uint32_t
links_hash(struct span text)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.ptr[i]) * 16777619u;
	return h;
}

/* ---- the lists ------------------------------------------------------------- */

enum err
links_new(struct scan_set *set, struct links **out, struct errinfo *ei)
{
	const struct set_directory *d = set->dir;

	*out = NULL;
	if (d->links.size == 0 && d->hash[HASH_URL][DIGEST_SHA256].count == 0)
		return OK;
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_set(ei, ERR_NOMEM, "lists of links");
	(*out)->set = set;
	return OK;
}

void
links_free(struct links *l)
{
	if (l == NULL)
		return;
	regex_cache_free(l->regexes);
	for (size_t kind = 0; kind < LINK_KINDS; kind++)
		free(l->list[kind].needle);
	free(l->rows);
	free(l);
}

static int
cmp_row(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
take_kind(struct links *l, unsigned kind, const struct set_link *rows, size_t n)
{
	struct list *list = &l->list[kind];

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind)
			list->row[list->count++] =
			    (uint64_t)rows[i].hash << 32 | rows[i].sig;
	if (list->count > 0)
		qsort(list->row, list->count, sizeof(*list->row), cmp_row);
}

/* The signature at `at` and its masked pattern; false: damaged. */
static bool
read_pattern(
    struct links *l, uint32_t at, struct sig *sig, struct span *pattern)
{
	struct reader r;

	if (!sig_read(set_record(l->set, at), at, sig) ||
	    (sig->flags & SIG_IS_LINK) == 0)
		return false;
	r = reader_of(sig->sub[0]);
	if (read_number(&r, SUB_KINDS - 1) != SUB_LINK)
		return false;
	*pattern = read_span(&r, read_number(&r, LINK_PATTERN_MAX));
	return !r.bad;
}

/* Of a damaged one none are known, and it is met again. */
static bool
find_needles(struct links *l, struct list *list)
{
	struct span masked;
	struct sig sig;

	list->needle = calloc(list->count + 1, sizeof(*list->needle));
	for (size_t i = 0; list->needle != NULL && i < list->count; i++) {
		if (!read_pattern(l, (uint32_t)list->row[i], &sig, &masked) ||
		    masked.len < LINK_REGEX_HEAD + LINK_REGEX_TAIL)
			continue;
		mask_copy(l->text, masked.ptr, masked.len, 0);
		needle_of((struct span){ l->text + LINK_REGEX_HEAD,
			      masked.len - LINK_REGEX_HEAD - LINK_REGEX_TAIL },
		    &list->needle[i]);
	}
	return list->needle != NULL;
}

static bool
make_regexes(struct links *l)
{
	size_t n = l->list[LINK_SHOWN_REGEX].count;
	unsigned bits = 1;

	if (n < l->list[LINK_ALLOW_REGEX].count)
		n = l->list[LINK_ALLOW_REGEX].count;
	if (n == 0)
		return true;
	while (bits < REGEX_BITS_MAX && (size_t)1 << bits < n * 2 * REGEX_SLOTS)
		bits++;
	l->regexes = regex_cache_sized(bits);
	return l->regexes != NULL &&
	    find_needles(l, &l->list[LINK_SHOWN_REGEX]) &&
	    find_needles(l, &l->list[LINK_ALLOW_REGEX]);
}

/* When the first mail comes: most scanners see none. */
static bool
load(struct links *l)
{
	struct set_region all = l->set->dir->links;
	const struct set_link *rows = set_region(l->set, all);
	size_t n = (size_t)(all.size / sizeof(*rows)), used = 0;

	if (l->loaded)
		return !l->damaged;
	l->loaded = true;
	l->damaged = true;
	if (rows == NULL)
		return false;
	l->rows = calloc(n + 1, sizeof(*l->rows));
	if (l->rows == NULL)
		return false;
	for (unsigned kind = 0; kind < LINK_KINDS; kind++) {
		l->list[kind].row = l->rows + used;
		take_kind(l, kind, rows, n);
		used += l->list[kind].count;
	}
	l->damaged = !make_regexes(l);
	return !l->damaged;
}

static bool
find_text(struct links *l, enum link_kind kind, struct span text,
    struct set_name *out)
{
	const struct list *list = &l->list[kind];
	uint64_t key = (uint64_t)links_hash(text) << 32;
	size_t from = 0, to = list->count;
	struct span masked;
	struct sig sig;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (list->row[mid] < key)
			from = mid + 1;
		else
			to = mid;
	}
	for (; from < list->count && list->row[from] >> 32 == key >> 32; from++)
		if (read_pattern(l, (uint32_t)list->row[from], &sig, &masked)) {
			mask_copy(l->text, masked.ptr, masked.len, 0);
			if (span_eq(
				(struct span){ l->text, masked.len }, text)) {
				*out = sig.name;
				return true;
			}
		}
	return false;
}

static bool
find_regex(struct links *l, enum link_kind kind, struct span subject,
    struct set_name *out)
{
	const struct list *list = &l->list[kind];
	struct span masked;
	struct sig sig;
	size_t start, end;

	for (size_t i = 0; i < list->count; i++) {
		uint32_t at = (uint32_t)list->row[i];
		const struct regex *r;

		if (!needle_in(&list->needle[i], subject) ||
		    !read_pattern(l, at, &sig, &masked))
			continue;
		r = regex_get(l->regexes, at, masked, LINK_REGEX_FLAGS);
		if (r != NULL &&
		    regex_find(l->regexes, r, subject, 0, false, &start,
			&end) == REGEX_FOUND) {
			*out = sig.name;
			return true;
		}
	}
	return false;
}

/* ---- pairs ------------------------------------------------------------------- */

struct pair {
	struct url real, shown;
	char full[PAIR_MAX]; /* "http://evil.example:www.bank.example/" */
	char bare[PAIR_MAX]; /* "evil.example:www.bank.example/" */
};

static struct span
print_full(struct pair *p)
{
	const struct url *u[] = { &p->real, &p->shown };
	size_t n = 0;

	for (size_t i = 0; i < COUNT(u); i++)
		n += (size_t)snprintf(p->full + n, sizeof(p->full) - n,
		    "%.*s%s%.*s%c", (int)u[i]->scheme.len, u[i]->scheme.ptr,
		    u[i]->scheme.len > 0 ? "://" : "", (int)u[i]->host.len,
		    u[i]->host.ptr, i == 0 ? ':' : '/');
	return (struct span){ p->full, n };
}

static struct span
print_bare(struct pair *p)
{
	int n = snprintf(p->bare, sizeof(p->bare), "%.*s:%.*s/",
	    (int)p->real.host.len, p->real.host.ptr, (int)p->shown.host.len,
	    p->shown.host.ptr);

	return (struct span){ p->bare, (size_t)n };
}

/* `text`, then what is left of it behind each stop, up to `end`. */
static bool
find_below(struct links *l, enum link_kind kind, struct span text, size_t end,
    struct set_name *out)
{
	bool found = find_text(l, kind, text, out);

	for (size_t i = 0; i < end && !found; i++)
		if (text.ptr[i] == '.')
			found = find_text(l, kind, span_from(text, i + 1), out);
	return found;
}

/* Expressions see the host that is shown alone, or the pair with its schemes:
 * that says less. */
enum listed { LISTED_NOT, LISTED_PAIR, LISTED_HOST };

static enum listed
find_listed(struct links *l, struct pair *p, struct set_name *from)
{
	struct span bare = print_bare(p);

	if (find_below(l, LINK_SHOWN, p->shown.host, p->shown.host.len, from) ||
	    find_regex(l, LINK_SHOWN_REGEX,
		span_from(bare, p->real.host.len + 1), from))
		return LISTED_HOST;
	return find_regex(l, LINK_SHOWN_REGEX, print_full(p), from)
	    ? LISTED_PAIR
	    : LISTED_NOT;
}

static bool
is_allowed(struct links *l, struct pair *p)
{
	struct span bare = print_bare(p), pair = { bare.ptr, bare.len - 1 };
	struct set_name ignored;

	return find_below(l, LINK_ALLOW, pair, p->real.host.len, &ignored) ||
	    find_regex(l, LINK_ALLOW_REGEX, print_full(p), &ignored) ||
	    find_regex(l, LINK_ALLOW_REGEX, bare, &ignored);
}

static bool
is_cloaked(const struct pair *p)
{
	return p->real.cloaked;
}

static bool
is_unsafe(const struct pair *p)
{
	return span_is(p->shown.scheme, "https") &&
	    !span_is(p->real.scheme, "https");
}

static bool
is_number(const struct pair *p)
{
	return url_is_number(p->real.host) &&
	    !span_eq(p->real.host, p->shown.host);
}

static bool
is_other(const struct pair *p)
{
	return !url_same_owner(p->real.host, p->shown.host);
}

/* The first that holds names what is wrong. */
static const struct {
	bool (*holds)(const struct pair *p);
	enum listed least;
	const char *name;
} wrongs[] = {
	{ is_cloaked, LISTED_HOST, "Heuristics.Phishing.Email.Cloaked.Null" },
	{ is_unsafe, LISTED_HOST, "Heuristics.Phishing.Email.SSL-Spoof" },
	{ is_number, LISTED_PAIR,
	    "Heuristics.Phishing.Email.Cloaked.NumericIP" },
	{ is_other, LISTED_PAIR, "Heuristics.Phishing.Email.SpoofedDomain" },
};

/* NULL: nothing. */
static const char *
wrong_with(const struct pair *p, enum listed listed)
{
	for (size_t i = 0; i < COUNT(wrongs); i++)
		if (listed >= wrongs[i].least && wrongs[i].holds(p))
			return wrongs[i].name;
	return NULL;
}

static enum links_result
check_pair(
    struct links *l, struct span real, struct span shown, struct links_hit *out)
{
	struct pair p;
	const char *name;

	if (!url_read(real, URL_REAL, &p.real) ||
	    !url_read(shown, URL_SHOWN, &p.shown) ||
	    wrong_with(&p, LISTED_HOST) == NULL)
		return LINKS_CLEAN;
	if (!load(l))
		return LINKS_DAMAGED;
	name = wrong_with(&p, find_listed(l, &p, &out->from));
	if (name == NULL || is_allowed(l, &p))
		return LINKS_CLEAN;
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
	return LINKS_FOUND;
}

/* ---- hashes ------------------------------------------------------------------ */

struct asking {
	struct scan_set *set;
	bool allowed, found;
	struct set_hash row; /* the first that was found */
};

static bool
ask_hash(void *arg, struct span form)
{
	struct asking *a = arg;
	unsigned char digest[SHA256_LEN];
	struct set_hash row;

	sha256(form, digest);
	a->allowed = set_hash_find(
	    a->set, HASH_URL, DIGEST_SHA256, digest, URL_ALLOWED, &row);
	for (uint64_t what = URL_ALLOWED + 1; what < URL_KINDS && !a->found;
	     what++)
		a->found = set_hash_find(
		    a->set, HASH_URL, DIGEST_SHA256, digest, what, &a->row);
	return !a->allowed;
}

static enum links_result
check_hashes(struct links *l, struct span real, struct links_hit *out)
{
	struct asking a = { .set = l->set };

	if (l->set->dir->hash[HASH_URL][DIGEST_SHA256].count == 0)
		return LINKS_CLEAN;
	(void)url_forms(real, ask_hash, &a);
	if (!a.found || a.allowed)
		return LINKS_CLEAN;
	out->from = a.row.name;
	set_name_text(l->set, &out->from, out->name);
	return LINKS_FOUND;
}

enum links_result
links_check(
    struct links *l, struct span real, struct span shown, struct links_hit *out)
{
	enum links_result r = check_hashes(l, real, out);

	if (r != LINKS_CLEAN || l->set->dir->links.size == 0)
		return r;
	return check_pair(l, real, shown, out);
}
