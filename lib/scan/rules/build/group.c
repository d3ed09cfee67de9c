#include "scan/rules/build/group.h"

#include <stdlib.h>

#include "scan/rules/build/compile.h"
#include "scan/rules/build/condition.h"
#include "scan/rules/build/lexer.h"
#include "scan/rules/build/module.h"

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
#define ARENA_MIN      (64u << 20)
#define ARENA_FACTOR   96u /* bytes of gates for a byte of text */

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
	    BUF_ROWS(&g->b->rules, const struct rule_file);
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
	if (!marks_make(&g->taken, total) || g->rules == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	return OK;
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
			f->modules |= module_bit(items[i].name);
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

static uint64_t
imports_named(const struct group_file *f, struct span word)
{
	size_t n;
	const struct rule_item *imports = group_imports(f, &n);
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
	struct rule_lexer l = rule_lexer_of(r->item->condition);
	struct span word;

	r->need = (uint32_t)BUF_COUNT(&g->needs, uint32_t);
	while (rule_next_word(&l, &word)) {
		need_named(g, rule, word, rule_is(&l, "*"));
		if (rule_is(&l, "."))
			r->imports |= imports_named(&g->files[r->file], word);
	}
	r->needs = (uint32_t)BUF_COUNT(&g->needs, uint32_t) - r->need;
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
	struct condition_scope scope = { .maker = &g->maker,
		.strings = rule_strings(&f->source) + r->item->string,
		.count = r->item->strings,
		.modules = f->modules,
		.rule = rule_gate,
		.arg = &place };
	uint32_t *ids = calloc(scope.count + 1u, sizeof(*ids));

	if (ids == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	for (uint32_t i = 0; i < scope.count; i++)
		ids[i] = rules_pack_string(&g->pack, &scope.strings[i]);
	scope.ids = ids;
	r->own = condition_gate(&scope, r->item->condition);
	free(ids);
	return OK;
}

/* With what the global rules of its file ask for. */
static void
find_whole_gate(struct group *g, uint32_t rule)
{
	struct group_rule *r = &g->rules[rule];
	const struct buf *b = &g->files[r->file].globals;
	const uint32_t *globals = BUF_ROWS(b, const uint32_t);

	r->gate = r->own;
	for (size_t i = 0; i < BUF_COUNT(b, uint32_t); i++)
		if (globals[i] != rule)
			r->gate = gate_both(
			    &g->maker, r->gate, g->rules[globals[i]].own);
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
		find_whole_gate(g, i);
	if (e == OK && g->maker.nomem)
		e = err_set(ei, ERR_LIMIT, "YARA rules: too many conditions");
	if (e == OK && g->needs.full)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	return e;
}

/* ---- dividing ---------------------------------------------------------------------------- */

#define MODULE_SHIFT 56u

/* Its own, and those of what it needs, which stands before it and was
 * asked. */
static uint32_t
all_modules(const struct group *g, const struct group_rule *r)
{
	const uint32_t *needs = BUF_ROWS(&g->needs, const uint32_t);
	size_t n;
	const struct rule_item *imports = group_imports(&g->files[r->file], &n);
	uint32_t bits = 0;

	for (size_t i = 0; i < n && i < IMPORTS_MAX; i++)
		if ((r->imports >> i & 1) != 0)
			bits |= module_bit(imports[i].name);
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
	if (!gate_possible(r->gate, WITHOUT_STRINGS))
		r->order |= ORDER_STRINGS;
	if (!gate_possible(r->gate, WITHOUT_STRINGS | WITHOUT_READS))
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
		g->rules[i].modules = all_modules(g, &g->rules[i]);
	for (uint32_t i = 0; i < g->rule_count && e == OK; i++) {
		if (g->rules[i].item->private ||
		    g->rules[i].gate == gate_never())
			continue;
		e = set_order(&g->rules[i], ei);
		buf_add(out, &i, sizeof(i));
	}
	if (e == OK && out->full)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	if (out->len > 0)
		qsort_r(out->ptr, BUF_COUNT(out, uint32_t), sizeof(uint32_t),
		    cmp_order, g);
	return e;
}

static enum err
divide(struct group *g, struct errinfo *ei)
{
	struct buf list = buf_make(BUILD_ROWS);
	enum err e = list_roots(g, &list, ei);
	const uint32_t *roots = BUF_ROWS(&list, const uint32_t);
	size_t n = BUF_COUNT(&list, uint32_t), end;

	for (size_t at = 0; at < n && e == OK; at = end) {
		end = leaf_end(g, roots, at, n);
		e = leaf_add(g, roots + at, end - at, ei);
	}
	buf_free(&list);
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
	marks_free(&g->taken);
	buf_free(&g->needs);
	rules_pack_free(&g->pack);
	arena_free(g->maker.arena);
}

enum err
build_rules_save(struct scan_builder *b, struct buf *out, struct errinfo *ei)
{
	struct group g = { .b = b,
		.file_count = BUF_COUNT(&b->rules, struct rule_file),
		.needs = buf_make(BUILD_ROWS) };
	enum err e = OK;

	if (b->rules.len == 0)
		return OK;
	if (yr_initialize() != ERROR_SUCCESS)
		return err_set(ei, ERR_NOMEM, "YARA");
	rules_pack_init(&g.pack, out->max);
	g.maker.arena = arena_new(ARENA_MIN + b->rules_size * ARENA_FACTOR);
	g.files = calloc(g.file_count, sizeof(*g.files));
	if (g.maker.arena == NULL || g.files == NULL)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	if (e == OK)
		e = analyse(&g, ei);
	if (e == OK)
		e = divide(&g, ei);
	for (uint32_t i = 0; i < g.file_count && e == OK; i++)
		if (g.files[i].file->whole)
			e = leaf_add_whole(&g, i, ei);
	if (e == OK)
		e = rules_pack_write(&g.pack, out, ei);
	group_free(&g);
	(void)yr_finalize();
	return e;
}
