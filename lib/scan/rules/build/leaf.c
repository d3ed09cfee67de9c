#include <stdio.h>
#include <stdlib.h>

#include "scan/rules/build/compile.h"
#include "scan/rules/build/group.h"

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
	const uint32_t *needs = BUF_ROWS(&g->needs, const uint32_t);
	struct marks *taken = &g->taken;

	marks_clear(taken);
	for (size_t i = 0; i < n; i++)
		mark(taken, roots[i]);
	for (size_t i = 0; i < taken->count; i++) {
		const struct group_rule *r = &g->rules[taken->list[i]];
		const struct buf *globals = &g->files[r->file].globals;

		for (uint32_t k = 0; k < r->needs; k++)
			mark(taken, needs[r->need + k]);
		for (size_t k = 0; k < BUF_COUNT(globals, uint32_t); k++)
			mark(taken, BUF_ROWS(globals, const uint32_t)[k]);
	}
	qsort(taken->list, taken->count, sizeof(*taken->list), cmp_number);
}

/* The modules that some of the rules use: each costs time in every scan. */
static void
write_imports(const struct group_file *f, uint64_t bits, struct buf *out)
{
	size_t n;
	const struct rule_item *imports = group_imports(f, &n);

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

/* The rules taken from *at on that are of one file. */
static bool
compile_file(struct group *g, YR_COMPILER *yc, size_t *at)
{
	const struct marks *t = &g->taken;
	uint32_t file = g->rules[t->list[*at]].file;
	struct buf text = buf_make(2 * (size_t)RULES_TEXT_MAX);
	uint64_t imports = 0;
	size_t end = *at;
	bool ok;

	for (; end < t->count && g->rules[t->list[end]].file == file; end++)
		imports |= g->rules[t->list[end]].imports;
	write_imports(&g->files[file], imports, &text);
	for (; *at < end; ++*at) {
		buf_span(&text, g->rules[t->list[*at]].item->text);
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
	*ok = true;
	while (*ok && at < g->taken.count)
		*ok = compile_file(g, yc, &at);
	if (*ok)
		return rules_compiler_end(yc, &g->pack.streams, ei);
	yr_compiler_destroy(yc);
	return OK;
}

static void
refused(struct group *g, uint32_t rule, const struct complaints *c)
{
	const struct group_rule *r = &g->rules[rule];
	const struct complaint *first = BUF_ROWS(&c->list, struct complaint);

	g->b->file = g->files[r->file].file->name;
	build_problem(g->b, r->item->line,
	    c->list.len > 0 ? first->reason : "libyara refuses it alone");
}

/* What libyara took in its file it takes in a leaf, but for limits of a
 * whole set: then halves are tried, down to the rule that is too much. */
enum err
leaf_add(struct group *g, const uint32_t *roots, size_t n, struct errinfo *ei)
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
	e = leaf_add(g, roots, n / 2, ei);
	return e == OK ? leaf_add(g, roots + n / 2, n - n / 2, ei) : e;
}

enum err
leaf_add_whole(struct group *g, uint32_t file, struct errinfo *ei)
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
