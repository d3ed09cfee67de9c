#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/build/build_int.h"

/* "$n" as its place puts a signature into group n: never a hit by itself. */
static enum err
add_signature(struct scan_builder *b, struct span name, enum set_target target,
    const struct sig_place *place, struct span body, struct errinfo *ei)
{
	bool group = place->from == FROM_MACRO;
	struct set_name ref;
	enum err e = build_name(b, name, &ref, ei);

	if (e != OK)
		return e;
	draft_begin(b->draft, &ref, target);
	if (group)
		draft_group(b->draft, place->index);
	e = draft_body(b->draft, place, body, 0, ei);
	return e == OK ? draft_end(b, b->draft, SPAN(""), 1, ei) : e;
}

/* name:target:offset:body[:minFL[:maxFL]] */
enum err
add_body(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	struct sig_place place;
	enum set_target target;
	size_t n = build_split(line, ':', f);
	bool fits;
	enum err e;

	if (n < 4 || n > 6)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, name:target:offset:body[:min[:max]] expected",
		    n);
	e = build_level(f, n, 4, &fits, ei);
	if (e == OK && (!fits || build_is_ignored(b, f[0]))) {
		b->counts.skipped++;
		return OK;
	}
	if (e == OK)
		e = target_parse(f[1], &target, ei);
	if (e == OK)
		e = place_parse(f[2], &place, ei);
	return e == OK ? add_signature(b, f[0], target, &place, f[3], ei) : e;
}

/* name=body, of the oldest sets */
enum err
add_old_body(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	static const struct sig_place anywhere = { FROM_ANY, 0, 0, 0 };
	struct span body, name = span_cut(line, '=', &body);

	if (name.len == line.len)
		return err_set(ei, ERR_SYNTAX, "name=body expected");
	if (build_is_ignored(b, name)) {
		b->counts.skipped++;
		return OK;
	}
	return add_signature(b, name, TARGET_ANY, &anywhere, body, ei);
}

/* ---- ignored names ------------------------------------------------------------------ */

static void
md5(struct span s, unsigned char out[DIGEST_MAX])
{
	struct digest *d = digest_new();

	memset(out, 0, DIGEST_MAX);
	if (d != NULL && digest_begin(d, 1u << DIGEST_MD5) == OK) {
		digest_add(d, s.ptr, s.len);
		digest_end(d, DIGEST_MD5, out);
	}
	digest_free(d);
}

/* name, name:MD5 of the signature's line, or database:line:name */
enum err
add_ignored(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ':', f);
	struct ignored_name row = { .has_line = n == 2 };
	struct span name;

	if (n > 3)
		return err_set(ei, ERR_SYNTAX, "name[:md5] expected");
	name = span_trim(f[n == 3 ? 2 : 0]);
	if (name.len == 0)
		return err_set(ei, ERR_SYNTAX, "signature has no name");
	if (row.has_line && hex_decode(f[1], row.line, 16) != OK)
		return err_set(ei, ERR_SYNTAX, "hash is not an MD5");
	sha256(name, row.name);
	if (b->base != NULL) {
		if (row.has_line != 0)
			return err_set(ei, ERR_UNSUPPORTED,
			    "lines of the set that is added to are not known");
		row.text = build_text(b, name);
	}
	buf_add(&b->ignored, &row, sizeof(row));
	return OK;
}

bool
build_is_ignored(const struct scan_builder *b, struct span name)
{
	const struct ignored_name *row =
	    (const struct ignored_name *)(const void *)b->ignored.ptr;
	size_t n = b->ignored.len / sizeof(*row);
	unsigned char digest[SHA256_LEN], line[DIGEST_MAX];

	if (n == 0)
		return false;
	sha256(name, digest);
	for (size_t i = 0; i < n; i++) {
		if (memcmp(row[i].name, digest, SHA256_LEN) != 0)
			continue;
		if (row[i].has_line == 0)
			return true;
		md5(b->text, line);
		if (memcmp(row[i].line, line, sizeof(row[i].line)) == 0)
			return true;
	}
	return false;
}
