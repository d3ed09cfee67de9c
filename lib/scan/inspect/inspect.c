#include "scan/inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/set/record.h"

struct walk {
	struct scan_set *set;
	inspect_fn *fn;
	void *arg;
	struct span text; /* names must contain it */
	uint64_t left;    /* rows that may still be told */
	bool explain;
	bool stopped;
};

static void
tell(struct walk *w, enum scan_label label, const struct set_name *name,
    const char *text)
{
	char names[SCAN_NAME_MAX], source[SCAN_NAME_MAX];
	struct scan_row row = { label, names, source, text };

	set_name_text(w->set, name, names);
	set_source_text(w->set, name, source);
	if (w->left == 0 || !w->fn(w->arg, &row))
		w->stopped = true;
	else
		w->left--;
}

static bool
wanted(const struct walk *w, const struct set_name *name)
{
	char names[SCAN_NAME_MAX];

	if (w->text.len == 0)
		return true;
	set_name_text(w->set, name, names);
	return memmem(names, strlen(names), w->text.ptr, w->text.len) != NULL;
}

/* ---- hashes --------------------------------------------------------------------- */

static const enum scan_label hash_labels[HASH_USES] = {
	[HASH_HIT] = SCAN_L_HASH,
	[HASH_ALLOW] = SCAN_L_ALLOWED,
	[HASH_SECTION] = SCAN_L_SECTION,
	[HASH_IMPORT] = SCAN_L_IMPORT,
	[HASH_INDICATOR] = SCAN_L_INDICATOR,
	[HASH_URL] = SCAN_L_LINK,
};

/* A row of a hash table, put together again. */
static bool
read_hash(struct scan_set *set, const struct set_hashes *h, uint32_t i,
    unsigned char digest[HASH_LEN_MAX], struct set_hash *out)
{
	size_t tail = h->digest_len - HASH_PREFIX, n = HASH_ROW(h->digest_len);
	const uint64_t *prefix =
	    set_part(set, h->prefixes, i * sizeof(*prefix), sizeof(*prefix));
	const unsigned char *row = set_part(set, h->rows, (uint64_t)i * n, n);

	if (prefix == NULL || row == NULL)
		return false;
	for (size_t k = 0; k < HASH_PREFIX; k++)
		digest[k] = (unsigned char)(*prefix >> (56 - 8 * k));
	memcpy(digest + HASH_PREFIX, row, tail);
	memcpy(out, row + tail, sizeof(*out));
	return true;
}

static void
walk_hashes(struct walk *w, enum hash_use use, const struct set_hashes *h)
{
	unsigned char digest[HASH_LEN_MAX];
	char text[2 * HASH_LEN_MAX + 32];
	struct set_hash row;

	for (uint32_t i = 0; i < h->count && !w->stopped; i++) {
		if (!read_hash(w->set, h, i, digest, &row))
			return;
		if (!wanted(w, &row.name))
			continue;
		hex_encode(digest, h->digest_len, text);
		if (row.size == SIZE_ANY)
			(void)snprintf(text + strlen(text), 32, ":*");
		else
			(void)snprintf(
			    text + strlen(text), 32, ":%u", row.size);
		tell(w, hash_labels[use], &row.name, text);
	}
}

/* ---- records -------------------------------------------------------------------- */

#define BODY_ID 8u /* hex digits */

/* Stands for what the signature says, its name left out. */
static const char *
body_id(const struct sig *sig, char id[BODY_ID + 1])
{
	const char *from = sig->conditions.ptr;
	const struct span *last = &sig->sub[sig->subs - 1];
	unsigned char digest[SHA256_LEN];

	sha256((struct span){ from, (size_t)(last->ptr + last->len - from) },
	    digest);
	hex_encode(digest, BODY_ID / 2, id);
	return id;
}

static enum scan_label
label_of(const struct sig *sig)
{
	if ((sig->flags & SIG_IS_LINK) != 0)
		return SCAN_L_LINK;
	if ((sig->flags & SIG_IS_ICON) != 0)
		return SCAN_L_ICON;
	if ((sig->flags & SIG_IS_TRUSTED) != 0)
		return SCAN_L_TRUSTED;
	return (sig->flags & SIG_IS_BLOCKED) != 0 ? SCAN_L_BLOCKED
						  : SCAN_L_BODY;
}

static void
walk_records(struct walk *w)
{
	struct sig sig;
	char id[BODY_ID + 1];

	for (uint32_t at = 1; at != 0 && !w->stopped;
	     at = set_next_record(w->set, at)) {
		if (!sig_read(set_record(w->set, at), at, &sig) ||
		    (sig.flags & SIG_IS_FORMAT) != 0 || !wanted(w, &sig.name))
			continue;
		tell(w, label_of(&sig), &sig.name, body_id(&sig, id));
		if (w->explain && !w->stopped &&
		    !explain_sig(w->set, at, w->fn, w->arg))
			w->stopped = true;
	}
}

static void
walk_all(struct walk *w)
{
	for (unsigned use = 0; use < HASH_USES && !w->stopped; use++)
		for (unsigned kind = 0; kind < HASH_KINDS; kind++)
			walk_hashes(w, (enum hash_use)use,
			    &w->set->dir->hash[use][kind]);
	walk_records(w);
}

/* ---- what only one of two sets has --------------------------------------------------
 * Each row is told apart by a digest of all that it says. */

struct rows {
	struct buf keys; /* uint64_t, sorted */
	const struct rows *other;
	struct walk *out; /* the rows that the other does not have */
	enum scan_label label;
};

static uint64_t
key_of(const struct scan_row *row)
{
	unsigned char digest[SHA256_LEN];
	struct buf b = buf_make(2 * SCAN_NAME_MAX + SCAN_INNER_MAX);
	uint64_t key;

	buf_fmt(&b, "%d\n%s\n%s", (int)row->label, row->name, row->text);
	sha256(buf_view(&b), digest);
	memcpy(&key, digest, sizeof(key));
	buf_free(&b);
	return key;
}

static bool
add_key(void *arg, const struct scan_row *row)
{
	struct rows *r = arg;
	uint64_t key = key_of(row);

	buf_add(&r->keys, &key, sizeof(key));
	return !r->keys.full;
}

static int
cmp_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool
tell_missing(void *arg, const struct scan_row *row)
{
	struct rows *r = arg;
	const struct buf *k = &r->other->keys;
	uint64_t key = key_of(row);
	struct scan_row out = { r->label, row->name, row->source, row->text };

	if (k->len > 0 &&
	    bsearch(&key, k->ptr, k->len / sizeof(key), sizeof(key), cmp_key) !=
		NULL)
		return true;
	if (r->out->left == 0)
		return false;
	r->out->left--;
	return r->out->fn(r->out->arg, &out);
}

static void
walk_with(struct scan_set *set, inspect_fn *fn, struct rows *r)
{
	struct walk w = { .set = set, .fn = fn, .arg = r, .left = UINT64_MAX };

	walk_all(&w);
}

static enum err
diff(struct scan_set *a, struct scan_set *b, struct walk *out,
    struct errinfo *ei)
{
	struct rows ra = { .keys = buf_make(SIZE_MAX / 4), .out = out };
	struct rows rb = ra;
	enum err e = OK;

	ra.label = SCAN_L_REMOVED;
	rb.label = SCAN_L_ADDED;
	ra.other = &rb;
	rb.other = &ra;
	walk_with(a, add_key, &ra);
	walk_with(b, add_key, &rb);
	if (ra.keys.full || rb.keys.full) {
		e = err_set(ei, ERR_NOMEM, "comparing sets");
	} else {
		qsort(ra.keys.ptr, ra.keys.len / 8, 8, cmp_key);
		qsort(rb.keys.ptr, rb.keys.len / 8, 8, cmp_key);
		walk_with(a, tell_missing, &ra);
		walk_with(b, tell_missing, &rb);
	}
	buf_free(&ra.keys);
	buf_free(&rb.keys);
	return e;
}

enum err
inspect_run(struct scan_set *set, struct scan_set *other,
    const struct scan_query *query, inspect_fn *fn, void *arg,
    struct errinfo *ei)
{
	struct walk w = { .set = set,
		.fn = fn,
		.arg = arg,
		.text = query->text,
		.left = query->rows,
		.explain = query->ask == SCAN_ASK_EXPLAIN };

	if (query->ask == SCAN_ASK_VERIFY)
		return scan_set_verify(set, ei);
	if (query->ask == SCAN_ASK_DIFF)
		return other == NULL
		    ? err_set(ei, ERR_SYNTAX, "a second set is missing")
		    : diff(set, other, &w, ei);
	walk_all(&w);
	return OK;
}
