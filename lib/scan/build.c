#include "scan/build_int.h"

#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/mask.h"

const uint32_t filter_widths[FILTERS] = { 8, 4, 2 };

#define FIELDS_MAX 8u

void
build_problem(struct scan_builder *b, size_t line, const char *reason)
{
	struct scan_problem p = { b->file, line, reason };

	b->counts.skipped++;
	if (b->problem != NULL)
		b->problem(b->arg, &p);
}

uint32_t
build_text(struct scan_builder *b, struct span s)
{
	uint32_t at = (uint32_t)b->texts.len;

	buf_span(&b->texts, s);
	buf_add(&b->texts, "", 1);
	return b->texts.full ? 0 : at;
}

/* ---- fields of a line ---------------------------------------------------- */

static size_t
split(struct span line, struct span fields[FIELDS_MAX + 1])
{
	size_t n = 0;
	bool more = true;

	while (more && n <= FIELDS_MAX) {
		struct span rest;

		fields[n] = span_cut(line, ':', &rest);
		more = fields[n].len != line.len;
		line = rest;
		n++;
	}
	return n;
}

/* "minFL[:maxFL]" from field `at` on.  An empty field says nothing. */
static enum err
level_fits(
    const struct span *f, size_t n, size_t at, bool *fits, struct errinfo *ei)
{
	uint64_t min = 0, max = UINT32_MAX;

	if ((n > at && f[at].len > 0 &&
		span_u64(f[at], UINT32_MAX, &min) != OK) ||
	    (n > at + 1 && f[at + 1].len > 0 &&
		span_u64(f[at + 1], UINT32_MAX, &max) != OK))
		return err_set(
		    ei, ERR_SYNTAX, "functionality level is not a number");
	*fits = min <= ENGINE_LEVEL && ENGINE_LEVEL <= max;
	return OK;
}

/* Names are shown to people and sent on: text, in one line. */
static enum err
check_name(struct span name, struct errinfo *ei)
{
	if (name.len == 0)
		return err_set(ei, ERR_SYNTAX, "signature has no name");
	if (name.len >= SCAN_NAME_MAX)
		return err_set(ei, ERR_LIMIT, "name longer than %d bytes",
		    SCAN_NAME_MAX - 1);
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
			return err_set(
			    ei, ERR_SYNTAX, "control character in the name");
	if (!span_utf8(name))
		return err_set(ei, ERR_SYNTAX, "name is not UTF-8");
	return OK;
}

/* ---- hash signatures: hash:size:name[:minFL[:maxFL]] --------------------- */

static enum err
parse_hash(const struct span *f, struct hash_row *row, size_t *kind,
    struct errinfo *ei)
{
	uint64_t size;

	for (*kind = 0; *kind < HASH_KINDS; ++*kind)
		if (f[0].len == 2 * digest_len((enum digest_kind) * kind))
			break;
	if (*kind == HASH_KINDS)
		return err_set(ei, ERR_SYNTAX,
		    "hash of %zu digits: not MD5, SHA-1 or SHA-256", f[0].len);
	if (hex_decode(f[0], row->digest, f[0].len / 2) != OK)
		return err_set(ei, ERR_SYNTAX, "hash is not hex digits");
	row->size = SIZE_ANY;
	if (span_is(f[1], "*"))
		return OK;
	if (span_u64(f[1], UINT32_MAX - 1, &size) != OK || size == 0)
		return err_set(
		    ei, ERR_SYNTAX, "size is not a number above 0 or *");
	row->size = size;
	return OK;
}

static enum err
add_hash(struct scan_builder *b, struct span line, enum hash_use use,
    struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	struct hash_row row = { .source = b->source };
	size_t kind, n = split(line, f);
	bool fits;
	enum err e;

	if (n < 3 || n > 5)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, hash:size:name[:min[:max]] expected", n);
	e = parse_hash(f, &row, &kind, ei);
	if (e == OK)
		e = check_name(f[2], ei);
	if (e == OK)
		e = level_fits(f, n, 3, &fits, ei);
	if (e != OK)
		return e;
	if (!fits) {
		b->counts.skipped++;
		return OK;
	}
	row.name = build_text(b, f[2]);
	buf_add(&b->hash[use][kind], &row, sizeof(row));
	if (use == HASH_HIT)
		b->counts.hashes++;
	else
		b->counts.allowed++;
	return OK;
}

static enum err
add_hit(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	return add_hash(b, line, HASH_HIT, ei);
}

static enum err
add_allowed(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	return add_hash(b, line, HASH_ALLOW, ei);
}

/* ---- body signatures: name:target:offset:body[:minFL[:maxFL]] ------------- */

static const char *const unsupported_targets[] = {
	[TARGET_HTML] = "target 3 (normalised HTML) is not done yet",
	[8] = "target 8 is not used",
	[13] = "target 13 is internal",
	[14] = "target 14 (other) is not done yet",
};

static enum err
parse_target(struct span s, uint8_t *out, struct errinfo *ei)
{
	uint64_t t;

	if (span_u64(s, COUNT(unsupported_targets) - 1, &t) != OK)
		return err_set(ei, ERR_SYNTAX, "target is not 0 to 14");
	if (unsupported_targets[t] != NULL)
		return err_set(
		    ei, ERR_UNSUPPORTED, "%s", unsupported_targets[t]);
	*out = (uint8_t)t;
	return OK;
}

/* "*", "n", "EOF-n", each but the first with ",maxshift". */
static enum err
parse_offset(struct span s, struct set_pattern *p, struct errinfo *ei)
{
	static const char *const later[] = { "EP", "S", "VI", "$" };
	struct span shift, at = span_cut(s, ',', &shift);
	bool shifts = at.len != s.len;

	p->from = FROM_ANY;
	p->offset = p->shift = 0;
	if (span_is(s, "*"))
		return OK;
	p->from = FROM_START;
	if (span_starts(at, "EOF-")) {
		p->from = FROM_END;
		at = span_from(at, 4);
	}
	for (size_t i = 0; i < COUNT(later); i++)
		if (span_starts(at, later[i]))
			return err_set(ei, ERR_UNSUPPORTED,
			    "offset " SPAN_FMT " is not done yet",
			    SPAN_ARG(at));
	if (span_u64(at, UINT32_MAX, &p->offset) != OK ||
	    (shifts && span_u64(shift, UINT32_MAX, &p->shift) != OK))
		return err_set(ei, ERR_SYNTAX, "malformed offset");
	return OK;
}

/* A marker at the front is a byte of its own that the offset does not
 * count.  False: it cannot be there. */
static bool
offset_with_lead(struct set_pattern *p)
{
	if (p->from == FROM_END)
		p->offset++;
	if (p->from != FROM_START)
		return true;
	if (p->offset > 0)
		p->offset--;
	else if (p->shift > 0)
		p->shift--;
	else
		return false;
	return true;
}

/* A copy of `s`, a row of literals of `len` bytes each, masked. */
static void
add_masked(struct buf *out, struct span s, size_t len)
{
	for (size_t i = 0; i < s.len; i++)
		buf_char(
		    out, (char)mask_byte((unsigned char)s.ptr[i], i % len));
}

static void
add_part(struct scan_builder *b, const struct body *body, struct set_part part,
    uint32_t specials)
{
	const char *bytes = body->bytes.ptr + part.bytes;
	const char *masks = body->masks.ptr;

	part.bytes = (uint32_t)b->bytes.len;
	add_masked(&b->bytes, (struct span){ bytes, part.len }, part.len);
	if (part.masks != NO_MASK) {
		masks += part.masks;
		part.masks = (uint32_t)b->bytes.len;
		buf_add(&b->bytes, masks, part.len);
	}
	part.special += specials;
	buf_add(&b->parts, &part, sizeof(part));
}

static void
add_special(
    struct scan_builder *b, const struct body *body, struct set_special sp)
{
	struct span options = { body->options.ptr + sp.bytes,
		(size_t)sp.len * sp.count };

	sp.bytes = (uint32_t)b->bytes.len;
	add_masked(&b->bytes, options, sp.len);
	buf_add(&b->specials, &sp, sizeof(sp));
}

static void
add_parts(struct scan_builder *b, struct set_pattern *p)
{
	const struct body *body = &b->body;
	const struct set_special *sp =
	    (const struct set_special *)(const void *)body->specials.ptr;
	uint32_t specials =
	    (uint32_t)(b->specials.len / sizeof(struct set_special));

	p->part = (uint32_t)(b->parts.len / sizeof(struct set_part));
	p->parts = body->parts;
	for (uint32_t i = 0; i < body->parts; i++)
		add_part(b, body, body->part[i], specials);
	for (size_t i = 0; i < body->specials.len / sizeof(*sp); i++)
		add_special(b, body, sp[i]);
}

struct body_line {
	struct scan_builder *builder;
	struct set_pattern pattern;
};

static enum err
add_variant(void *arg, const struct body_variant *v, struct errinfo *ei)
{
	struct body_line *line = arg;
	struct scan_builder *b = line->builder;
	struct set_pattern p = line->pattern;
	struct body_anchor at;
	enum err e = body_parse(v->text, &b->body, ei);
	size_t filter = 0;

	if (e != OK)
		return e;
	if (!body_anchor(&b->body, &at))
		return err_set(ei, ERR_SYNTAX, "no two fixed bytes in a row");
	if (v->lead && !offset_with_lead(&p))
		return OK;
	p.edges = v->edges;
	add_parts(b, &p);
	while (filter < FILTERS - 1 && filter_widths[filter] != at.width)
		filter++;
	buf_add(&b->anchors[filter],
	    &(struct set_anchor){
		.hash = at.literal * FILTER_MULTIPLIER,
		.pattern =
		    (uint32_t)(b->patterns.len / sizeof(struct set_pattern)),
		.part = (uint16_t)at.part,
		.at = (uint16_t)at.at,
	    },
	    sizeof(struct set_anchor));
	buf_add(&b->patterns, &p, sizeof(p));
	return OK;
}

/* A signature is added with all its variants or not at all. */
static enum err
add_pattern(struct scan_builder *b, struct span name, struct span body,
    struct set_pattern p, struct errinfo *ei)
{
	struct buf *tables[] = { &b->texts, &b->patterns, &b->parts,
		&b->specials, &b->bytes, &b->anchors[0], &b->anchors[1],
		&b->anchors[2] };
	size_t before[COUNT(tables)];
	struct body_line line = { b, p };
	enum err e;

	for (size_t i = 0; i < COUNT(tables); i++)
		before[i] = tables[i]->len;
	line.pattern.name = build_text(b, name);
	line.pattern.source = b->source;
	e = body_expand(body, add_variant, &line, ei);
	if (e != OK)
		for (size_t i = 0; i < COUNT(tables); i++)
			tables[i]->len = before[i];
	else
		b->counts.bodies++;
	return e;
}

static enum err
add_body(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	struct set_pattern p = { 0 };
	size_t n = split(line, f);
	bool fits;
	enum err e;

	if (n < 4 || n > 6)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, name:target:offset:body[:min[:max]] expected",
		    n);
	e = check_name(f[0], ei);
	if (e == OK)
		e = level_fits(f, n, 4, &fits, ei);
	if (e == OK && !fits) {
		b->counts.skipped++;
		return OK;
	}
	if (e == OK)
		e = parse_target(f[1], &p.target, ei);
	if (e == OK)
		e = parse_offset(f[2], &p, ei);
	if (e == OK)
		e = add_pattern(b, f[0], f[3], p, ei);
	return e;
}

/* The test file of eicar.org, as a body at offset 0.  Its bytes are put
 * together here, so that no file of ours holds them in a row. */
static enum err
add_eicar(struct scan_builder *b, struct errinfo *ei)
{
	static const char *const pieces[] = { "X5O!P%@AP[4\\PZX54(P^)",
		"7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-", "FILE!$H+H*" };
	struct set_pattern p = { .from = FROM_START };
	struct buf text = buf_make(256), hex = buf_make(256);
	enum err e;

	for (size_t i = 0; i < COUNT(pieces); i++)
		buf_text(&text, pieces[i]);
	for (size_t i = 0; i < text.len; i++)
		buf_fmt(&hex, "%02x", (unsigned)(unsigned char)text.ptr[i]);
	b->file = "built-in";
	b->source = build_text(b, SPAN("built-in"));
	e = add_pattern(b, SPAN("Eicar-Test-Signature"), buf_view(&hex), p, ei);
	buf_free(&text);
	buf_free(&hex);
	return e;
}

/* ---- the builder --------------------------------------------------------- */

enum err
scan_builder_new(scan_problem_fn *problem, void *arg, struct scan_builder **out,
    struct errinfo *ei)
{
	struct scan_builder *b = calloc(1, sizeof(*b));
	enum err e;

	if (b == NULL)
		return err_set(ei, ERR_NOMEM, "signature builder");
	b->problem = problem;
	b->arg = arg;
	b->texts = buf_make(BUILD_BYTES);
	b->bytes = buf_make(BUILD_BYTES);
	b->patterns = b->parts = b->specials = b->rules = buf_make(BUILD_ROWS);
	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		b->hash[i / HASH_KINDS][i % HASH_KINDS] = buf_make(BUILD_ROWS);
	for (size_t i = 0; i < FILTERS; i++)
		b->anchors[i] = buf_make(BUILD_ROWS);
	body_init(&b->body);
	buf_add(&b->texts, "", 1);
	e = add_eicar(b, ei);
	if (e != OK) {
		scan_builder_free(b);
		return e;
	}
	*out = b;
	return OK;
}

void
scan_builder_free(struct scan_builder *b)
{
	struct rule_file *r;

	if (b == NULL)
		return;
	r = (struct rule_file *)(void *)b->rules.ptr;
	for (size_t i = 0; i < b->rules.len / sizeof(*r); i++) {
		free(r[i].name);
		free(r[i].text);
	}
	buf_free(&b->texts);
	buf_free(&b->bytes);
	buf_free(&b->patterns);
	buf_free(&b->parts);
	buf_free(&b->specials);
	buf_free(&b->rules);
	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		buf_free(&b->hash[i / HASH_KINDS][i % HASH_KINDS]);
	for (size_t i = 0; i < FILTERS; i++)
		buf_free(&b->anchors[i]);
	body_clear(&b->body);
	free(b);
}

static enum err
tables_check(const struct scan_builder *b, struct errinfo *ei)
{
	bool full = b->texts.full || b->bytes.full || b->patterns.full ||
	    b->parts.full || b->specials.full || b->rules.full;

	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		full = full || b->hash[i / HASH_KINDS][i % HASH_KINDS].full;
	for (size_t i = 0; i < FILTERS; i++)
		full = full || b->anchors[i].full;
	if (full)
		return err_set(ei, ERR_LIMIT,
		    "%s: the set is larger than memory or its limit", b->file);
	return OK;
}

typedef enum err
line_fn(struct scan_builder *b, struct span line, struct errinfo *ei);

static void
add_lines(struct scan_builder *b, struct span text, line_fn *fn)
{
	for (b->line = 1; text.len > 0; b->line++) {
		struct span line = span_cut(text, '\n', &text);
		struct errinfo why = { 0 };

		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (span_trim(line).len == 0 || line.ptr[0] == '#')
			continue;
		if (fn(b, line, &why) != OK)
			build_problem(b, b->line, why.msg);
	}
}

enum err
scan_builder_add(struct scan_builder *b, const char *name, struct span text,
    struct errinfo *ei)
{
	static const struct {
		const char *ending;
		line_fn *fn; /* NULL: YARA */
	} formats[] = {
		{ ".hdb", add_hit },
		{ ".hsb", add_hit },
		{ ".ndb", add_body },
		{ ".fp", add_allowed },
		{ ".sfp", add_allowed },
		{ ".yar", NULL },
		{ ".yara", NULL },
	};
	const char *slash = strrchr(name, '/');
	struct span base = span_of(slash == NULL ? name : slash + 1);
	enum err e;

	for (size_t i = 0; i < COUNT(formats); i++) {
		if (!span_ends(base, formats[i].ending))
			continue;
		if (base.len >= SCAN_NAME_MAX)
			return err_set(
			    ei, ERR_LIMIT, "%s: name is too long", name);
		b->file = name;
		b->source = build_text(b, base);
		if (formats[i].fn == NULL) {
			e = build_rules_add(b, text, ei);
		} else {
			add_lines(b, text, formats[i].fn);
			e = OK;
		}
		return e == OK ? tables_check(b, ei) : e;
	}
	return err_set(ei, ERR_UNSUPPORTED,
	    "%s: its ending names no signature format known here", name);
}

void
scan_builder_counts(const struct scan_builder *b, struct scan_counts *out)
{
	*out = b->counts;
}
