#include <string.h>

#include "crypt/crypt.h"
#include "scan/build_int.h"

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
	buf_add(
	    &b->hash[h->use][kind], digest, digest_len((enum digest_kind)kind));
	buf_add(&b->hash[h->use][kind], &row, sizeof(row));
	if (h->use == HASH_ALLOW)
		b->counts.allowed++;
	else
		b->counts.hashes++;
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
