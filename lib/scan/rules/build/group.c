#include <stdlib.h>
#include <string.h>

#include "scan/build/build_int.h"
#include "scan/rules/build/compile.h"
#include "scan/rules/build/pack.h"

/* Divides the rules of all files into leaves, each compiled alone: by the
 * modules that they use, by whether a string must be found, and else by what
 * they want of the first bytes.  A rule brings along what it refers to and
 * the global rules of its file, so that it means what it did.
 *
 * A leaf is large because libyara walks over the whole object once for each:
 * many small leaves would cost most where an object opens many, and a leaf is
 * opened so rarely that its size costs little elsewhere. */

#define LEAF_RULES     2048u
#define STANDING_RULES 1024u
#define IMPORTS_MAX    64u
#define ARENA_MIN      (64u << 20)
#define ARENA_FACTOR   96u /* bytes of gates for a byte of text */

struct group_file {
	const struct rule_file *file;
	struct rule_source source;
	uint32_t first, count; /* rules */
	uint32_t *by_name;     /* their numbers, sorted by name */
	struct buf globals;    /* uint32_t: rules */
	struct buf imports;    /* struct rule_item, copied */
	bool pe, elf, dotnet, macho;
};

struct group_rule {
	uint32_t file;
	const struct rule_item *item;
	const struct gate_node *own, *gate; /* without and with globals */
	uint32_t need, needs;               /* in group.needs */
	uint64_t imports;                   /* bits: of the file's */
	uint32_t modules;                   /* bits of module_bits */
	uint64_t order;
};

struct group {
	struct scan_builder *b;
	struct arena *arena;
	struct rules_pack pack;
	struct group_file *files;
	size_t file_count;
	struct group_rule *rules;
	uint32_t rule_count;
	struct buf needs; /* uint32_t: rules that one refers to */
	/* of the leaf under way */
	unsigned char *taken; /* for each rule */
	struct buf list;      /* uint32_t: the rules taken */
};

/* ---- reading -------------------------------------------------------------------- */

static struct span
name_of(const struct group *g, uint32_t rule)
{
	return g->rules[rule].item->name;
}

static int
cmp_name(const void *a, const void *b, void *arg)
{
	const uint32_t *x = a, *y = b;
	int c = span_cmp(name_of(arg, *x), name_of(arg, *y));

	return c != 0 ? c : (*x > *y) - (*x < *y);
}

/* The first place in by_name whose name is not below. */
static uint32_t
lower(const struct group *g, const struct group_file *f, struct span name)
{
	uint32_t lo = 0, hi = f->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (span_cmp(name_of(g, f->by_name[mid]), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t
count_rules(const struct group_file *f)
{
	size_t n = 0;

	for (size_t i = 0; i < rule_items_count(&f->source); i++)
		n += rule_items(&f->source)[i].kind == RULE_I_RULE;
	return n;
}

static enum err
parse_files(struct group *g, struct errinfo *ei)
{
	const struct rule_file *files =
	    (const struct rule_file *)(const void *)g->b->rules.ptr;
	size_t total = 0;
	enum err e;

	for (size_t i = 0; i < g->file_count; i++) {
		struct group_file *f = &g->files[i];

		f->file = &files[i];
		f->globals = f->imports = buf_make(BUILD_ROWS);
		rules_pack_source(&g->pack, files[i].name);
		if (files[i].whole)
			continue;
		e = rule_source_parse(span_of(files[i].text), &f->source, ei);
		if (e != OK)
			return e;
		f->first = (uint32_t)total;
		f->count = (uint32_t)count_rules(f);
		total += f->count;
	}
	g->rules = calloc(total + 1, sizeof(*g->rules));
	g->taken = calloc(total + 1, sizeof(*g->taken));
	if (g->rules == NULL || g->taken == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	return OK;
}

static void
see_import(struct group_file *f, struct span name)
{
	f->pe = f->pe || span_is(name, "pe");
	f->elf = f->elf || span_is(name, "elf");
	f->dotnet = f->dotnet || span_is(name, "dotnet");
	f->macho = f->macho || span_is(name, "macho");
}

/* Rules by number and by name, globals, modules. */
static enum err
index_file(struct group *g, uint32_t number, struct errinfo *ei)
{
	struct group_file *f = &g->files[number];
	const struct rule_item *items = rule_items(&f->source);

	f->by_name = calloc(f->count + 1u, sizeof(*f->by_name));
	if (f->by_name == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	for (size_t i = 0; i < rule_items_count(&f->source); i++) {
		uint32_t rule = g->rule_count;

		if (items[i].kind == RULE_I_IMPORT) {
			see_import(f, items[i].name);
			buf_add(&f->imports, &items[i], sizeof(items[i]));
		}
		if (items[i].kind != RULE_I_RULE)
			continue;
		g->rules[rule] =
		    (struct group_rule){ .file = number, .item = &items[i] };
		f->by_name[rule - f->first] = rule;
		if (items[i].global)
			buf_add(&f->globals, &rule, sizeof(rule));
		g->rule_count++;
	}
	if (f->count > 0)
		qsort_r(f->by_name, f->count, sizeof(*f->by_name), cmp_name, g);
	return f->globals.full || f->imports.full
	    ? err_set(ei, ERR_NOMEM, "YARA rules")
	    : OK;
}

/* ---- what a condition refers to ---------------------------------------------------- */

static void
need_named(struct group *g, uint32_t rule, struct span name, bool prefix)
{
	const struct group_file *f = &g->files[g->rules[rule].file];

	for (uint32_t i = lower(g, f, name); i < f->count; i++) {
		uint32_t other = f->by_name[i];
		struct span its = name_of(g, other);

		if (prefix && its.len > name.len)
			its.len = name.len;
		if (!span_eq(its, name))
			break;
		if (other < rule)
			buf_add(&g->needs, &other, sizeof(other));
	}
}

static const struct rule_item *
imports_of(const struct group_file *f, size_t *n)
{
	*n = f->imports.len / sizeof(struct rule_item);
	return (const struct rule_item *)(const void *)f->imports.ptr;
}

static uint64_t
imports_named(const struct group_file *f, struct span word)
{
	size_t n;
	const struct rule_item *imports = imports_of(f, &n);
	uint64_t bits = 0;

	for (size_t i = 0; i < n && i < IMPORTS_MAX; i++)
		if (span_eq(imports[i].name, word))
			bits |= UINT64_C(1) << i;
	return bits;
}

static void
find_needs(struct group *g, uint32_t rule)
{
	struct group_rule *r = &g->rules[rule];
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): parse_files() */
	struct rule_lexer l = { r->item->condition, 0, 1 };
	struct rule_token t = rule_lexer_next(&l), before;

	r->need = (uint32_t)(g->needs.len / sizeof(uint32_t));
	while (t.kind != RULE_END && t.kind != RULE_BAD) {
		before = t;
		t = rule_lexer_next(&l);
		if (before.kind != RULE_WORD)
			continue;
		need_named(g, rule, before.text, span_is(t.text, "*"));
		if (span_is(t.text, "."))
			r->imports |=
			    imports_named(&g->files[r->file], before.text);
	}
	r->needs = (uint32_t)(g->needs.len / sizeof(uint32_t)) - r->need;
}

struct place {
	struct group *group;
	uint32_t rule;
};

/* The gate of the rule of that name before this one. */
static const struct gate_node *
rule_gate(void *arg, struct span name)
{
	const struct place *p = arg;
	const struct group *g = p->group;
	const struct group_file *f = &g->files[g->rules[p->rule].file];
	uint32_t i = lower(g, f, name);

	if (i == f->count || !span_eq(name_of(g, f->by_name[i]), name) ||
	    f->by_name[i] >= p->rule)
		return NULL;
	return g->rules[f->by_name[i]].own;
}

static enum err
find_gate(struct group *g, uint32_t rule, struct errinfo *ei)
{
	struct group_rule *r = &g->rules[rule];
	const struct group_file *f = &g->files[r->file];
	struct place place = { g, rule };
	struct gate_scope scope = { .arena = g->arena,
		.strings = rule_strings(&f->source) + r->item->string,
		.count = r->item->strings,
		.pe = f->pe,
		.elf = f->elf,
		.dotnet = f->dotnet,
		.macho = f->macho,
		.rule = rule_gate,
		.arg = &place };
	uint32_t *ids = calloc(scope.count + 1u, sizeof(*ids));
	bool understood;

	if (ids == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	for (uint32_t i = 0; i < scope.count; i++)
		ids[i] = rules_pack_string(&g->pack, &scope.strings[i]);
	scope.ids = ids;
	r->own = gate_bound(&scope, r->item->condition, &understood);
	free(ids);
	return r->own == NULL
	    ? err_set(ei, ERR_LIMIT, "YARA rules: too many conditions")
	    : OK;
}

/* With what the global rules of its file ask for. */
static enum err
find_whole_gate(struct group *g, uint32_t rule, struct errinfo *ei)
{
	struct group_rule *r = &g->rules[rule];
	const struct buf *b = &g->files[r->file].globals;
	const uint32_t *globals = (const uint32_t *)(const void *)b->ptr;

	r->gate = r->own;
	for (size_t i = 0; i < b->len / sizeof(*globals); i++) {
		if (globals[i] != rule)
			r->gate = gate_both(
			    g->arena, r->gate, g->rules[globals[i]].own);
		if (r->gate == NULL)
			return err_set(
			    ei, ERR_LIMIT, "YARA rules: too many conditions");
	}
	return OK;
}

static enum err
analyse(struct group *g, struct errinfo *ei)
{
	enum err e = parse_files(g, ei);

	for (uint32_t i = 0; i < g->file_count && e == OK; i++)
		if (!g->files[i].file->whole)
			e = index_file(g, i, ei);
	for (uint32_t i = 0; i < g->rule_count && e == OK; i++) {
		find_needs(g, i);
		e = find_gate(g, i, ei);
	}
	for (uint32_t i = 0; i < g->rule_count && e == OK; i++)
		e = find_whole_gate(g, i, ei);
	if (e == OK && g->needs.full)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	return e;
}

/* ---- the text of a leaf --------------------------------------------------------------- */

static void
take_rule(struct group *g, uint32_t rule)
{
	if (g->taken[rule] != 0)
		return;
	g->taken[rule] = 1;
	buf_add(&g->list, &rule, sizeof(rule));
}

static int
cmp_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The rules themselves, all that they need, in the order of their files. */
static void
take_all(struct group *g, const uint32_t *roots, size_t n)
{
	const uint32_t *needs = (const uint32_t *)(const void *)g->needs.ptr;

	buf_clear(&g->list);
	for (size_t i = 0; i < n; i++)
		take_rule(g, roots[i]);
	for (size_t i = 0; i < g->list.len / sizeof(uint32_t); i++) {
		uint32_t rule =
		    ((const uint32_t *)(const void *)g->list.ptr)[i];
		const struct group_rule *r = &g->rules[rule];
		const struct buf *globals = &g->files[r->file].globals;

		for (uint32_t k = 0; k < r->needs; k++)
			take_rule(g, needs[r->need + k]);
		for (size_t k = 0; k < globals->len / sizeof(uint32_t); k++)
			take_rule(g,
			    ((const uint32_t *)(const void *)globals->ptr)[k]);
	}
	if (g->list.len > 0)
		qsort(g->list.ptr, g->list.len / sizeof(uint32_t),
		    sizeof(uint32_t), cmp_number);
}

static void
let_go(struct group *g)
{
	const uint32_t *list = (const uint32_t *)(const void *)g->list.ptr;

	for (size_t i = 0; i < g->list.len / sizeof(*list); i++)
		g->taken[list[i]] = 0;
}

/* The modules that some of the rules use: each costs time in every scan. */
static void
write_imports(const struct group_file *f, uint64_t bits, struct buf *out)
{
	size_t n;
	const struct rule_item *imports = imports_of(f, &n);

	for (size_t i = 0; i < n; i++)
		if (i >= IMPORTS_MAX || (bits >> i & 1) != 0) {
			buf_span(out, imports[i].text);
			buf_char(out, '\n');
		}
}

static bool
compile_text(YR_COMPILER *yc, const char *text, uint32_t file)
{
	char ns[16];

	(void)snprintf(ns, sizeof(ns), "%u", (unsigned)file);
	return yr_compiler_add_string(yc, text, ns) == 0;
}

/* Those of the list from *at on that are of one file. */
static bool
compile_file(struct group *g, YR_COMPILER *yc, size_t *at)
{
	const uint32_t *list = (const uint32_t *)(const void *)g->list.ptr;
	size_t n = g->list.len / sizeof(*list), end = *at;
	uint32_t file = g->rules[list[*at]].file;
	struct buf text = buf_make(2 * (size_t)RULES_TEXT_MAX);
	uint64_t imports = 0;
	bool ok;

	for (; end < n && g->rules[list[end]].file == file; end++)
		imports |= g->rules[list[end]].imports;
	write_imports(&g->files[file], imports, &text);
	for (; *at < end; ++*at) {
		buf_span(&text, g->rules[list[*at]].item->text);
		buf_char(&text, '\n');
	}
	ok = !text.full && compile_text(yc, text.ptr, file);
	buf_free(&text);
	return ok;
}

/* False with OK: libyara refuses it. */
static enum err
compile_leaf(struct group *g, const uint32_t *roots, size_t n, bool *ok,
    struct complaints *c, struct errinfo *ei)
{
	YR_COMPILER *yc = rules_compiler_new(c);
	size_t at = 0;

	if (yc == NULL)
		return err_set(ei, ERR_NOMEM, "YARA compiler");
	take_all(g, roots, n);
	*ok = !g->list.full;
	while (*ok && at < g->list.len / sizeof(uint32_t))
		*ok = compile_file(g, yc, &at);
	let_go(g);
	if (*ok)
		return rules_compiler_end(yc, &g->pack.streams, ei);
	yr_compiler_destroy(yc);
	return OK;
}

static void
refused(struct group *g, uint32_t rule, const struct complaints *c)
{
	const struct group_rule *r = &g->rules[rule];
	const struct complaint *list =
	    (const struct complaint *)(const void *)c->list.ptr;

	g->b->file = g->files[r->file].file->name;
	build_problem(g->b, r->item->line,
	    c->list.len > 0 ? list[0].reason : "libyara refuses it alone");
}

/* What libyara took in its file it takes in a leaf, but for limits of a
 * whole set: then halves are tried, down to the rule that is too much. */
static enum err
add_leaf(struct group *g, const uint32_t *roots, size_t n, struct errinfo *ei)
{
	struct complaints c;
	bool ok = false;
	enum err e;

	complaints_init(&c);
	e = compile_leaf(g, roots, n, &ok, &c, ei);
	if (e == OK && ok) {
		for (size_t i = 0; i < n; i++)
			rules_pack_gate(&g->pack, g->rules[roots[i]].gate);
		rules_pack_leaf(&g->pack);
	} else if (e == OK && n == 1) {
		refused(g, roots[0], &c);
	}
	complaints_free(&c);
	if (e != OK || ok || n == 1)
		return e;
	e = add_leaf(g, roots, n / 2, ei);
	return e == OK ? add_leaf(g, roots + n / 2, n - n / 2, ei) : e;
}

/* ---- dividing ---------------------------------------------------------------------------- */

/* What a module costs in every scan of a leaf that uses it: pe alone as much
 * as a thousand conditions.  Rules that use others are kept apart. */
static const struct {
	const char *name;
	uint32_t bit;
} module_bits[] = {
	{ "hash", 0x01 },
	{ "math", 0x01 },
	{ "time", 0x01 },
	{ "console", 0x01 },
	{ "pe", 0x02 },
	{ "elf", 0x04 },
	{ "dotnet", 0x08 },
	{ "macho", 0x10 },
};
#define MODULE_OTHER 0x20u
#define MODULE_SHIFT 56u

static uint32_t
own_modules(const struct group *g, uint32_t rule)
{
	const struct group_rule *r = &g->rules[rule];
	size_t n, k;
	const struct rule_item *imports = imports_of(&g->files[r->file], &n);
	uint32_t bits = 0;

	for (size_t i = 0; i < n && i < IMPORTS_MAX; i++) {
		if ((r->imports >> i & 1) == 0)
			continue;
		for (k = 0; k < COUNT(module_bits); k++)
			if (span_is(imports[i].name, module_bits[k].name))
				break;
		bits |=
		    k < COUNT(module_bits) ? module_bits[k].bit : MODULE_OTHER;
	}
	return bits;
}

/* With those of what it needs, which stands before it and was asked. */
static uint32_t
all_modules(const struct group *g, uint32_t rule)
{
	const uint32_t *needs = (const uint32_t *)(const void *)g->needs.ptr;
	const struct group_rule *r = &g->rules[rule];
	uint32_t bits = own_modules(g, rule);

	for (uint32_t i = 0; i < r->needs; i++)
		bits |= g->rules[needs[r->need + i]].modules;
	return bits;
}

#define ORDER_STRINGS (UINT64_C(1) << 63) /* needs a string */
#define ORDER_BYTES   (UINT64_C(1) << 62) /* needs that, or first bytes */

/* First those that are always looked at, then those that want something of
 * the first bytes, each by what they want; last those that need a string. */
static enum err
set_order(struct group_rule *r, struct errinfo *ei)
{
	const struct gate_node *magic = gate_magic(r->gate);
	struct buf words = buf_make(GATE_WORDS * sizeof(uint32_t));
	uint64_t h = 0;

	if (magic != NULL)
		gate_write(magic, &words);
	for (size_t i = 0; i < words.len; i++)
		h = (h ^ (unsigned char)words.ptr[i]) *
		    UINT64_C(0x9e3779b97f4a7c15);
	r->order =
	    h >> (64 - MODULE_SHIFT) | (uint64_t)r->modules << MODULE_SHIFT;
	if (gate_needs_string(r->gate))
		r->order |= ORDER_STRINGS;
	if (gate_needs_bytes(r->gate))
		r->order |= ORDER_BYTES;
	buf_free(&words);
	return words.full ? err_set(ei, ERR_NOMEM, "YARA rules") : OK;
}

static int
cmp_order(const void *a, const void *b, void *arg)
{
	const struct group *g = arg;
	const uint32_t *x = a, *y = b;
	const struct group_rule *r = &g->rules[*x], *s = &g->rules[*y];

	if (r->order != s->order)
		return r->order < s->order ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

/* Where the leaf that begins at `at` ends. */
static size_t
leaf_end(const struct group *g, const uint32_t *roots, size_t at, size_t n)
{
	uint64_t order = g->rules[roots[at]].order;
	bool strings = (order & ORDER_STRINGS) != 0;
	size_t end = at, most = strings ? LEAF_RULES : STANDING_RULES;

	while (end < n && end - at < most) {
		uint64_t its = g->rules[roots[end]].order;

		if (strings ? its >> MODULE_SHIFT != order >> MODULE_SHIFT
			    : its != order)
			break;
		end++;
	}
	return end;
}

/* A private rule is only asked for by others; one that cannot be true is
 * not asked at all. */
static enum err
list_roots(struct group *g, struct buf *out, struct errinfo *ei)
{
	enum err e = OK;

	for (uint32_t i = 0; i < g->rule_count; i++)
		g->rules[i].modules = all_modules(g, i);
	for (uint32_t i = 0; i < g->rule_count && e == OK; i++) {
		if (g->rules[i].item->private || gate_never(g->rules[i].gate))
			continue;
		e = set_order(&g->rules[i], ei);
		buf_add(out, &i, sizeof(i));
	}
	if (e == OK && out->full)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	if (out->len > 0)
		qsort_r(out->ptr, out->len / sizeof(uint32_t), sizeof(uint32_t),
		    cmp_order, g);
	return e;
}

static enum err
divide(struct group *g, struct errinfo *ei)
{
	struct buf list = buf_make(BUILD_ROWS);
	enum err e = list_roots(g, &list, ei);
	const uint32_t *roots = (const uint32_t *)(const void *)list.ptr;
	size_t n = list.len / sizeof(*roots), end;

	for (size_t at = 0; at < n && e == OK; at = end) {
		end = leaf_end(g, roots, at, n);
		e = add_leaf(g, roots + at, end - at, ei);
	}
	buf_free(&list);
	return e;
}

/* A file that is not divided is one leaf, always looked at. */
static enum err
add_whole(struct group *g, uint32_t file, struct errinfo *ei)
{
	struct complaints c;
	YR_COMPILER *yc;
	enum err e;

	complaints_init(&c);
	yc = rules_compiler_new(&c);
	if (yc == NULL) {
		e = err_set(ei, ERR_NOMEM, "YARA compiler");
	} else if (!compile_text(yc, g->files[file].file->text, file)) {
		e = err_set(ei, ERR_SYNTAX, "%s: YARA rules",
		    g->files[file].file->name);
		yr_compiler_destroy(yc);
	} else {
		e = rules_compiler_end(yc, &g->pack.streams, ei);
	}
	if (e == OK) {
		rules_pack_gate(&g->pack, gate_always());
		rules_pack_leaf(&g->pack);
	}
	complaints_free(&c);
	return e;
}

static void
group_free(struct group *g)
{
	for (size_t i = 0; g->files != NULL && i < g->file_count; i++) {
		rule_source_free(&g->files[i].source);
		buf_free(&g->files[i].globals);
		buf_free(&g->files[i].imports);
		free(g->files[i].by_name);
	}
	free(g->files);
	free(g->rules);
	free(g->taken);
	buf_free(&g->needs);
	buf_free(&g->list);
	rules_pack_free(&g->pack);
	arena_free(g->arena);
}

enum err
build_rules_save(struct scan_builder *b, struct buf *out, struct errinfo *ei)
{
	struct group g = { .b = b,
		.file_count = b->rules.len / sizeof(struct rule_file),
		.needs = buf_make(BUILD_ROWS),
		.list = buf_make(BUILD_ROWS) };
	enum err e = OK;

	if (b->rules.len == 0)
		return OK;
	if (yr_initialize() != ERROR_SUCCESS)
		return err_set(ei, ERR_NOMEM, "YARA");
	rules_pack_init(&g.pack, out->max);
	g.arena = arena_new(ARENA_MIN + b->rules_size * ARENA_FACTOR);
	g.files = calloc(g.file_count, sizeof(*g.files));
	if (g.arena == NULL || g.files == NULL)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	if (e == OK)
		e = analyse(&g, ei);
	if (e == OK)
		e = divide(&g, ei);
	for (uint32_t i = 0; i < g.file_count && e == OK; i++)
		if (g.files[i].file->whole)
			e = add_whole(&g, i, ei);
	if (e == OK)
		e = rules_pack_write(&g.pack, out, ei);
	group_free(&g);
	(void)yr_finalize();
	return e;
}
