#include <string.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "scan/build/build_int.h"

/* Where the fields of a line stand. */
struct hash_line {
	enum hash_use use;
	size_t digest, size; /* the name is field 2, levels follow */
	const char *expected;
};

static enum err
parse_digest(
    struct span s, unsigned char *digest, size_t *kind, struct errinfo *ei)
{
	for (*kind = 0; *kind < HASH_KINDS; ++*kind)
		if (s.len == 2 * digest_len((enum digest_kind) * kind))
			break;
	if (*kind == HASH_KINDS)
		return err_set(ei, ERR_SYNTAX,
		    "hash of %zu digits: not MD5, SHA-1 or SHA-256", s.len);
	if (hex_decode(s, digest, s.len / 2) != OK)
		return err_set(ei, ERR_SYNTAX, "hash is not hex digits");
	return OK;
}

static enum err
parse_size(struct span s, uint32_t *out, struct errinfo *ei)
{
	uint64_t size;

	*out = SIZE_ANY;
	if (span_is(s, "*"))
		return OK;
	if (span_u64(s, SIZE_ANY - 1, &size) != OK || size == 0)
		return err_set(
		    ei, ERR_SYNTAX, "size is not a number above 0 or *");
	*out = (uint32_t)size;
	return OK;
}

static void
put_row(struct scan_builder *b, enum hash_use use, size_t kind,
    const unsigned char *digest, const struct set_hash *row)
{
	buf_add(
	    &b->hash[use][kind], digest, digest_len((enum digest_kind)kind));
	buf_add(&b->hash[use][kind], row, sizeof(*row));
	if (use == HASH_ALLOW)
		b->counts.allowed++;
	else
		b->counts.hashes++;
}

static enum err
add_hash(struct scan_builder *b, struct span line, const struct hash_line *h,
    struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	unsigned char digest[HASH_LEN_MAX];
	struct set_hash row;
	size_t kind, n = build_split(line, ':', f);
	bool fits;
	enum err e;

	if (n < 3 || n > 5)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, %s:name[:min[:max]] expected", n, h->expected);
	e = parse_digest(f[h->digest], digest, &kind, ei);
	if (e == OK)
		e = parse_size(f[h->size], &row.size, ei);
	if (e == OK)
		e = build_level(f, n, 3, &fits, ei);
	if (e == OK)
		e = build_name(b, f[2], &row.name, ei);
	if (e != OK)
		return e;
	if (!fits || build_is_ignored(b, f[2])) {
		b->counts.skipped++;
		return OK;
	}
	put_row(b, h->use, kind, digest, &row);
	return OK;
}

enum err
add_hit(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	static const struct hash_line h = { HASH_HIT, 0, 1, "hash:size" };

	return add_hash(b, line, &h, ei);
}

enum err
add_allowed(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	static const struct hash_line h = { HASH_ALLOW, 0, 1, "hash:size" };

	return add_hash(b, line, &h, ei);
}

/* hash:size|*:last day:name, by the province: what was seen lately */
enum err
add_indicator(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	unsigned char digest[HASH_LEN_MAX];
	struct set_hash row;
	size_t kind, n = build_split(line, ':', f);
	int64_t ms = 0;
	enum err e;

	if (n != 4)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, hash:size:last day:name expected", n);
	e = parse_digest(f[0], digest, &kind, ei);
	if (e == OK)
		e = parse_size(f[1], &row.size, ei);
	if (e == OK && time_parse_day(f[2], &ms) != OK)
		e = err_set(ei, ERR_SYNTAX,
		    "last day \"" SPAN_FMT "\" is not YYYY-MM-DD",
		    SPAN_ARG(f[2]));
	if (e == OK)
		e = build_plain_name(b, f[3], &row.name, ei);
	if (e != OK)
		return e;
	if (build_is_ignored(b, f[3])) {
		b->counts.skipped++;
		return OK;
	}
	row.name.number = (uint32_t)((ms + VN_OFFSET_MS) / DAY_MS);
	put_row(b, HASH_INDICATOR, kind, digest, &row);
	return OK;
}

/* What md5sum, sha1sum and sha256sum write, and packages carry: a hash, blanks
 * and the name of a good file. */
enum err
add_manifest(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span path, hash = span_cut(line, ' ', &path);
	unsigned char digest[HASH_LEN_MAX];
	struct set_hash row = { .size = SIZE_ANY };
	size_t kind;
	enum err e = parse_digest(hash, digest, &kind, ei);

	if (e == OK && span_trim(path).len == 0)
		e = err_set(ei, ERR_SYNTAX, "hash and file name expected");
	if (e == OK)
		e = build_plain_name(b, span_of(b->source), &row.name, ei);
	if (e == OK)
		put_row(b, HASH_ALLOW, kind, digest, &row);
	return e;
}

enum err
add_section(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	static const struct hash_line h = { HASH_SECTION, 1, 0, "size:hash" };

	return add_hash(b, line, &h, ei);
}

enum err
add_import(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	static const struct hash_line h = { HASH_IMPORT, 0, 1, "hash:size" };

	return add_hash(b, line, &h, ei);
}
