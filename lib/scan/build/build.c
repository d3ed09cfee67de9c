#include "scan/build/build_int.h"
#include "scan/set/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint32_t filter_widths[FILTERS] = { 8, 4, 3, 2 };

#define INDEX_MIN  1024u
#define NUMBER_MAX 9u /* digits that fit 32 bits */

void
build_problem(struct scan_builder *b, size_t line, const char *reason)
{
	struct scan_problem p = { b->file, line, reason };

	b->counts.skipped++;
	if (b->problem != NULL)
		b->problem(b->arg, &p);
}

/* ---- texts ----------------------------------------------------------------------- */

static uint32_t
hash_text(struct span s)
{
	uint64_t h = 0;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t *
index_slot(struct scan_builder *b, const struct text_index *x, struct span s)
{
	for (uint32_t i = hash_text(s);; i++) {
		uint32_t *slot = &x->slot[i & (x->size - 1)];

		if (*slot == 0 || span_is(s, b->texts.ptr + *slot))
			return slot;
	}
}

static bool
index_grow(struct scan_builder *b)
{
	struct text_index old = b->index, x = old;

	x.size = old.size == 0 ? INDEX_MIN : old.size * 2;
	x.slot = calloc(x.size, sizeof(*x.slot));
	if (x.slot == NULL)
		return false;
	for (size_t i = 0; i < old.size; i++)
		if (old.slot[i] != 0)
			*index_slot(b, &x,
			    span_of(b->texts.ptr + old.slot[i])) = old.slot[i];
	free(old.slot);
	b->index = x;
	return true;
}

uint32_t
build_text(struct scan_builder *b, struct span s)
{
	uint32_t *slot;

	if (b->index.used >= b->index.size / 2 && !index_grow(b)) {
		b->texts.full = true;
		return 0;
	}
	slot = index_slot(b, &b->index, s);
	if (*slot != 0)
		return *slot;
	*slot = (uint32_t)b->texts.len;
	b->index.used++;
	buf_span(&b->texts, s);
	buf_add(&b->texts, "", 1);
	return b->texts.full ? 0 : *slot;
}

/* ---- names ------------------------------------------------------------------------ */

/* Names are shown to people and sent on: text, in one line. */
static enum err
check_name(struct span name, struct errinfo *ei)
{
	bool ascii = true;

	if (name.len == 0)
		return err_set(ei, ERR_SYNTAX, "signature has no name");
	if (name.len >= SCAN_NAME_MAX)
		return err_set(ei, ERR_LIMIT, "name longer than %d bytes",
		    SCAN_NAME_MAX - 1);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c < ' ' || c == 0x7f)
			return err_set(
			    ei, ERR_SYNTAX, "control character in the name");
		ascii = ascii && c < 0x80;
	}
	if (!ascii && !span_utf8(name))
		return err_set(ei, ERR_SYNTAX, "name is not UTF-8");
	return OK;
}

/* The longest run of digits that a number stands for exactly. */
static struct span
number_in(struct span name)
{
	struct span best = { name.ptr, 0 };

	for (size_t i = 0; i < name.len; i++) {
		size_t n = 0;

		while (i + n < name.len && name.ptr[i + n] >= '0' &&
		    name.ptr[i + n] <= '9')
			n++;
		if (n > best.len && n <= NUMBER_MAX &&
		    (name.ptr[i] != '0' || n == 1))
			best = (struct span){ name.ptr + i, n };
		i += n;
	}
	return best;
}

/* The text of a name from the file being added. */
static uint32_t
name_text(struct scan_builder *b, struct span head, struct span tail)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%.*s%.*s%c%s", (int)head.len,
	    head.ptr, (int)tail.len, tail.ptr, NAME_SOURCE, b->source);

	return build_text(b, (struct span){ text, (size_t)n });
}

enum err
build_name(struct scan_builder *b, struct span name, struct set_name *out,
    struct errinfo *ei)
{
	struct span number = number_in(name);
	size_t head = (size_t)(number.ptr - name.ptr);
	char template[SCAN_NAME_MAX];
	uint64_t n = 0;
	enum err e = check_name(name, ei);

	if (e != OK)
		return e;
	if (number.len == 0 || span_u64(number, UINT32_MAX, &n) != OK)
		return build_plain_name(b, name, out, ei);
	memcpy(template, name.ptr, head);
	template[head] = NAME_NUMBER;
	out->number = (uint32_t)n;
	out->text = name_text(b, (struct span){ template, head + 1 },
	    span_from(name, head + number.len));
	return OK;
}

enum err
build_plain_name(struct scan_builder *b, struct span name, struct set_name *out,
    struct errinfo *ei)
{
	enum err e = check_name(name, ei);

	*out = (struct set_name){ 0, 0 };
	if (e == OK)
		out->text = name_text(b, name, SPAN(""));
	return e;
}

/* ---- fields of a line ---------------------------------------------------- */

size_t
build_split(struct span line, char sep, struct span fields[FIELDS_MAX + 1])
{
	size_t n = 0;
	bool more = true;

	while (more && n <= FIELDS_MAX) {
		struct span rest;

		fields[n] = span_cut(line, sep, &rest);
		more = fields[n].len != line.len;
		line = rest;
		n++;
	}
	return n;
}

enum err
build_level(
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

/* The test file of eicar.org, as a body at offset 0.  Its bytes are put
 * together here, so that no file of ours holds them in a row. */
static enum err
add_eicar(struct scan_builder *b, struct errinfo *ei)
{
	static const char *const pieces[] = { "X5O!P%@AP[4\\PZX54(P^)",
		"7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-", "FILE!$H+H*" };
	struct buf text = buf_make(256), line = buf_make(512);
	enum err e;

	for (size_t i = 0; i < COUNT(pieces); i++)
		buf_text(&text, pieces[i]);
	buf_text(&line, "Eicar-Test-Signature:0:0:");
	for (size_t i = 0; i < text.len; i++)
		buf_fmt(&line, "%02x", (unsigned)(unsigned char)text.ptr[i]);
	e = add_body(b, buf_view(&line), ei);
	buf_free(&text);
	buf_free(&line);
	return e;
}

/* ---- the builder --------------------------------------------------------- */

static void
set_source(struct scan_builder *b, const char *file, struct span name)
{
	b->file = file;
	(void)snprintf(
	    b->source, sizeof(b->source), "%.*s", (int)name.len, name.ptr);
}

static enum err
builder_new(scan_problem_fn *problem, void *arg, struct scan_builder **out,
    struct errinfo *ei)
{
	struct scan_builder *b = calloc(1, sizeof(*b));
	enum err e;

	if (b == NULL)
		return err_set(ei, ERR_NOMEM, "signature builder");
	b->problem = problem;
	b->arg = arg;
	b->texts = b->records = buf_make(BUILD_BYTES);
	b->carry = buf_make(RULES_TEXT_MAX);
	b->anchors = b->always = b->ignored = b->rules = b->members =
	    b->groups = b->certs = b->types = b->links = b->icons =
		buf_make(BUILD_ROWS);
	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		b->hash[i / HASH_KINDS][i % HASH_KINDS] = buf_make(BUILD_ROWS);
	b->draft = draft_new();
	buf_add(&b->texts, "", 1);
	/* No record is at 0: it reads as none. */
	buf_add(&b->records, "", 1);
	e = b->draft == NULL ? err_set(ei, ERR_NOMEM, "signature builder") : OK;
	if (e != OK) {
		scan_builder_free(b);
		return e;
	}
	*out = b;
	return OK;
}

static enum err
add_built_in(struct scan_builder *b, struct errinfo *ei)
{
	enum err e;

	set_source(b, "built-in", SPAN("built-in"));
	e = add_eicar(b, ei);
	return e == OK ? build_formats(b, ei) : e;
}

enum err
scan_builder_new(scan_problem_fn *problem, void *arg, struct scan_builder **out,
    struct errinfo *ei)
{
	struct scan_builder *b = NULL;
	enum err e = builder_new(problem, arg, &b, ei);

	if (e == OK)
		e = add_built_in(b, ei);
	if (e == OK)
		*out = b;
	else
		scan_builder_free(b);
	return e;
}

/* Every text of the base, where it stands there. */
static bool
take_texts(struct scan_builder *b, struct scan_set *base)
{
	struct set_region r = base->dir->texts;
	const char *p = set_region(base, r);
	size_t at = 1;

	while (p != NULL && at < r.size) {
		size_t n = strnlen(p + at, r.size - at);

		if (build_text(b, (struct span){ p + at, n }) != at)
			return false;
		at += n + 1;
	}
	return at == r.size;
}

enum err
scan_builder_onto(struct scan_set *base, scan_problem_fn *problem, void *arg,
    struct scan_builder **out, struct errinfo *ei)
{
	struct scan_builder *b = NULL;
	enum err e = builder_new(problem, arg, &b, ei);

	if (e != OK)
		return e;
	b->base = base;
	if (!take_texts(b, base)) {
		scan_builder_free(b);
		return err_set(
		    ei, ERR_CORRUPT, "the set that is added to is damaged");
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
	buf_free(&b->records);
	buf_free(&b->anchors);
	buf_free(&b->always);
	buf_free(&b->members);
	buf_free(&b->groups);
	buf_free(&b->certs);
	buf_free(&b->types);
	buf_free(&b->links);
	buf_free(&b->icons);
	buf_free(&b->ignored);
	buf_free(&b->rules);
	buf_free(&b->carry);
	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		buf_free(&b->hash[i / HASH_KINDS][i % HASH_KINDS]);
	free(b->index.slot);
	draft_free(b->draft);
	free(b);
}

static enum err
tables_check(const struct scan_builder *b, struct errinfo *ei)
{
	bool full = b->texts.full || b->records.full || b->anchors.full ||
	    b->always.full || b->ignored.full || b->rules.full ||
	    b->members.full || b->groups.full || b->certs.full ||
	    b->types.full || b->links.full || b->icons.full;

	for (size_t i = 0; i < HASH_USES * HASH_KINDS; i++)
		full = full || b->hash[i / HASH_KINDS][i % HASH_KINDS].full;
	if (full)
		return err_set(ei, ERR_LIMIT,
		    "%s: the set is larger than memory or its limit", b->file);
	return OK;
}

static void
add_line(struct scan_builder *b, struct span line)
{
	struct errinfo why = { 0 };

	b->line++;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 || line.ptr[0] == '#' || span_trim(line).len == 0)
		return;
	b->text = line;
	if (b->format->fn(b, line, &why) != OK)
		build_problem(b, b->line, why.msg);
}

/* The lines that end in this piece; the rest waits in `carry`. */
static void
add_lines(struct scan_builder *b, struct span piece)
{
	while (piece.len > 0) {
		struct span rest, line = span_cut(piece, '\n', &rest);

		if (line.len == piece.len) {
			buf_span(&b->carry, line);
			return;
		}
		piece = rest;
		if (b->carry.len == 0) {
			add_line(b, line);
			continue;
		}
		buf_span(&b->carry, line);
		add_line(b, buf_view(&b->carry));
		buf_clear(&b->carry);
	}
}

/* Bytecode is not run: counted, and said once. */
static enum err
add_bytecode(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	(void)line;
	if (b->line == 1)
		return err_set(
		    ei, ERR_UNSUPPORTED, "bytecode signatures are not run");
	return OK;
}

static const struct signature_format formats[] = {
	{ ".hdb", add_hit, SCAN_TURN_LATER },
	{ ".hsb", add_hit, SCAN_TURN_LATER },
	{ ".hdu", add_hit, SCAN_TURN_LATER },
	{ ".hsu", add_hit, SCAN_TURN_LATER },
	{ ".mdb", add_section, SCAN_TURN_LATER },
	{ ".msb", add_section, SCAN_TURN_LATER },
	{ ".mdu", add_section, SCAN_TURN_LATER },
	{ ".msu", add_section, SCAN_TURN_LATER },
	{ ".imp", add_import, SCAN_TURN_LATER },
	{ ".ndb", add_body, SCAN_TURN_LATER },
	{ ".ndu", add_body, SCAN_TURN_LATER },
	{ ".db", add_old_body, SCAN_TURN_LATER },
	{ ".ldb", add_logical, SCAN_TURN_LATER },
	{ ".ldu", add_logical, SCAN_TURN_LATER },
	{ ".fp", add_allowed, SCAN_TURN_LATER },
	{ ".sfp", add_allowed, SCAN_TURN_LATER },
	{ ".ign", add_ignored, SCAN_TURN_FIRST },
	{ ".ign2", add_ignored, SCAN_TURN_FIRST },
	{ ".cdb", add_member, SCAN_TURN_LATER },
	{ ".crb", add_certificate, SCAN_TURN_LATER },
	{ ".ftm", add_type, SCAN_TURN_LATER },
	{ ".pdb", add_shown_link, SCAN_TURN_LATER },
	{ ".wdb", add_allowed_link, SCAN_TURN_LATER },
	{ ".gdb", add_url_hash, SCAN_TURN_LATER },
	{ ".idb", add_icon, SCAN_TURN_LATER },
	{ ".md5sums", add_manifest, SCAN_TURN_LATER },
	{ ".sha1sums", add_manifest, SCAN_TURN_LATER },
	{ ".sha256sums", add_manifest, SCAN_TURN_LATER },
	{ ".indicators", add_indicator, SCAN_TURN_LATER },
	{ ".cbc", add_bytecode, SCAN_TURN_LATER },
	{ ".yar", NULL, SCAN_TURN_LATER },
	{ ".yara", NULL, SCAN_TURN_LATER },
	{ ".cvd", NULL, SCAN_TURN_BOTH },
	{ ".cld", NULL, SCAN_TURN_BOTH },
	{ ".cud", NULL, SCAN_TURN_BOTH },
};

static struct span
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_of(slash == NULL ? path : slash + 1);
}

static const struct signature_format *
format_find(const char *name)
{
	for (size_t i = 0; i < COUNT(formats); i++)
		if (span_ends(base_name(name), formats[i].ending))
			return &formats[i];
	return NULL;
}

bool
build_knows(const char *name)
{
	return format_find(name) != NULL;
}

enum scan_turn
scan_builder_turn(const char *name)
{
	const struct signature_format *f = format_find(name);

	return f == NULL ? SCAN_TURN_LATER : f->turn;
}

enum err
build_open(struct scan_builder *b, const char *name, struct errinfo *ei)
{
	struct span base = base_name(name);

	b->format = format_find(name);
	if (b->format == NULL)
		return err_set(ei, ERR_UNSUPPORTED,
		    "%s: its ending names no signature format known here",
		    name);
	if (base.len >= SCAN_NAME_MAX)
		return err_set(ei, ERR_LIMIT, "%s: name is too long", name);
	set_source(b, name, base);
	b->line = 0;
	buf_clear(&b->carry);
	return OK;
}

void
build_feed(struct scan_builder *b, struct span piece)
{
	if (b->format->fn == NULL)
		buf_span(&b->carry, piece);
	else
		add_lines(b, piece);
}

enum err
build_close(struct scan_builder *b, struct errinfo *ei)
{
	struct span rest = buf_view(&b->carry);
	enum err e = OK;

	if (b->carry.full)
		return err_set(ei, ERR_LIMIT,
		    "%s: a line, or a file of rules, is too long", b->file);
	if (b->format->fn == NULL)
		e = build_rules_add(b, rest, ei);
	else if (rest.len > 0)
		add_line(b, rest);
	buf_clear(&b->carry);
	return e == OK ? tables_check(b, ei) : e;
}

enum err
scan_builder_add(struct scan_builder *b, const char *name, struct span text,
    struct errinfo *ei)
{
	enum err e = build_open(b, name, ei);

	if (e != OK)
		return e;
	if (b->format->turn == SCAN_TURN_BOTH)
		return build_container(b, name, text, false, ei);
	build_feed(b, text);
	return build_close(b, ei);
}

void
scan_builder_counts(const struct scan_builder *b, struct scan_counts *out)
{
	*out = b->counts;
}
