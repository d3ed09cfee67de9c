#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "scan/build/build_int.h"
#include "scan/rules/build/compile.h"
#include "scan/rules/build/lexer.h"
#include "scan/rules/build/source.h"

/* A file of YARA rules, without those that are bad.  libyara cannot go on
 * behind an error, but it names several at once: what they stand in is
 * blanked out, and the rest is tried again. */

#define ROUNDS_MAX  256u
#define SECONDS_MAX 60 /* of all rounds of a file */

struct attempt {
	struct scan_builder *b;
	char *text;
	struct rule_source source;
	bool *dropped;  /* for each item of this round */
	bool hopeless;  /* nothing of the file can be used */
	bool whole;     /* libyara and we read it otherwise */
	uint64_t rules; /* that are left */
};

static void
problem(struct attempt *a, const struct rule_item *item, size_t line,
    const char *what, const char *which)
{
	char reason[ERRMSG_MAX];

	if (item->kind == RULE_I_RULE)
		(void)snprintf(reason, sizeof(reason),
		    "rule " SPAN_FMT ": %s%s", SPAN_ARG(item->name), what,
		    which);
	else
		(void)snprintf(reason, sizeof(reason), "%s%s", what, which);
	build_problem(a->b, line == 0 ? item->line : line, reason);
}

/* ---- dropping ------------------------------------------------------------------- */

static void
blank(struct attempt *a, const struct rule_item *item)
{
	char *from = a->text + (item->text.ptr - a->source.text.ptr);

	for (size_t i = 0; i < item->text.len; i++)
		if (from[i] != '\n')
			from[i] = ' ';
}

static bool
lives(const struct attempt *a, size_t i)
{
	return rule_items(&a->source)[i].kind == RULE_I_RULE && !a->dropped[i];
}

static bool
another_has_the_name(const struct attempt *a, size_t dropped)
{
	const struct rule_item *items = rule_items(&a->source);

	for (size_t i = 0; i < rule_items_count(&a->source); i++)
		if (i != dropped && lives(a, i) &&
		    span_eq(items[i].name, items[dropped].name))
			return true;
	return false;
}

/* The names of rules that are gone, by open addressing. */
struct gone {
	struct span *names;
	size_t slots; /* a power of two, at least twice the names */
};

static struct span *
gone_find(const struct gone *g, struct span name)
{
	size_t h = 5381;

	for (size_t i = 0; i < name.len; i++)
		h = h * 33 + (unsigned char)name.ptr[i];
	for (;; h++) {
		struct span *at = &g->names[h & (g->slots - 1)];

		if (at->ptr == NULL || span_eq(*at, name))
			return at;
	}
}

/* One that is gone of those that "prefix*" means, or NULL. */
static const struct span *
gone_prefix(const struct gone *g, struct span prefix)
{
	for (size_t i = 0; i < g->slots; i++)
		if (g->names[i].ptr != NULL && prefix.len <= g->names[i].len &&
		    memcmp(g->names[i].ptr, prefix.ptr, prefix.len) == 0)
			return &g->names[i];
	return NULL;
}

/* The rule that is gone and that the condition asks for, or NULL. */
static const struct span *
asks_for(const struct gone *g, const struct rule_item *item)
{
	struct rule_lexer l = rule_lexer_of(item->condition);
	const struct span *at;
	struct span word;

	while (rule_next_word(&l, &word)) {
		at = rule_is(&l, "*") ? gone_prefix(g, word)
				      : gone_find(g, word);
		if (at != NULL && at->ptr != NULL)
			return at;
	}
	return NULL;
}

static void
drop_dependent(
    struct attempt *a, const struct rule_item *item, struct span needed)
{
	char which[SCAN_NAME_MAX];

	(void)snprintf(which, sizeof(which), SPAN_FMT, SPAN_ARG(needed));
	problem(a, item, 0, "needs a rule that is left out: ", which);
}

/* What asks for a rule that is not there any more must go as well: without
 * it, it would mean something else.  Rules ask for earlier ones only, so one
 * pass finds all. */
static void
drop_dependents(struct attempt *a, struct gone *g)
{
	const struct rule_item *items = rule_items(&a->source);
	const struct span *needed;

	for (size_t i = 0; i < rule_items_count(&a->source); i++) {
		needed = lives(a, i) ? asks_for(g, &items[i]) : NULL;
		if (needed != NULL) {
			a->dropped[i] = true;
			drop_dependent(a, &items[i], *needed);
		}
		if (a->dropped[i] && items[i].kind == RULE_I_RULE &&
		    !another_has_the_name(a, i))
			*gone_find(g, items[i].name) = items[i].name;
	}
}

/* A global rule restricts all of its file, which without it would find too
 * much. */
static void
drop_governed(struct attempt *a)
{
	const struct rule_item *items = rule_items(&a->source), *global = NULL;
	size_t n = rule_items_count(&a->source);

	for (size_t i = 0; i < n; i++)
		if (a->dropped[i] && items[i].kind == RULE_I_RULE &&
		    items[i].global)
			global = &items[i];
	for (size_t i = 0; i < n && global != NULL; i++)
		if (lives(a, i)) {
			a->dropped[i] = true;
			drop_dependent(a, &items[i], global->name);
		}
}

/* Blanks out what was dropped, and what depends on it. */
static void
drop(struct attempt *a)
{
	size_t n = rule_items_count(&a->source);
	struct gone g = { .slots = 4 };

	while (g.slots < 2 * n + 2)
		g.slots *= 2;
	g.names = calloc(g.slots, sizeof(*g.names));
	if (g.names == NULL) {
		a->hopeless = true;
		return;
	}
	drop_dependents(a, &g);
	drop_governed(a);
	for (size_t i = 0; i < n; i++)
		if (a->dropped[i])
			blank(a, &rule_items(&a->source)[i]);
	free(g.names);
}

/* ---- blame ----------------------------------------------------------------------- */

/* What cannot be read, and includes, which a set has not. */
static bool
drop_unreadable(struct attempt *a)
{
	const struct rule_item *items = rule_items(&a->source);
	bool any = false;

	for (size_t i = 0; i < rule_items_count(&a->source); i++) {
		if (items[i].kind == RULE_I_BROKEN)
			problem(a, &items[i], 0, "syntax error", "");
		else if (items[i].kind == RULE_I_INCLUDE)
			problem(
			    a, &items[i], 0, "include is not supported", "");
		else
			continue;
		a->dropped[i] = any = true;
	}
	return any;
}

/* The item that a complaint is about: on its line, and of the name that
 * libyara gives if several are; or the number of items. */
static size_t
culprit(const struct attempt *a, const struct complaint *c)
{
	const struct rule_item *items = rule_items(&a->source);
	size_t n = rule_items_count(&a->source), found = n;

	for (size_t i = 0; i < n; i++) {
		if (c->line < items[i].line || c->line > items[i].last_line)
			continue;
		found = i;
		if (span_is(items[i].name, c->rule))
			break;
	}
	return found;
}

/* False: an error that is about nothing in particular. */
static bool
drop_blamed(struct attempt *a, const struct complaints *c)
{
	const struct complaint *list =
	    BUF_ROWS(&c->list, const struct complaint);
	bool any = false;

	for (size_t i = 0; i < BUF_COUNT(&c->list, struct complaint); i++) {
		size_t at;

		if (!list[i].error)
			continue;
		at = culprit(a, &list[i]);
		if (at == rule_items_count(&a->source))
			continue;
		any = true;
		if (a->dropped[at])
			continue;
		a->dropped[at] = true;
		problem(a, &rule_items(&a->source)[at], list[i].line,
		    list[i].reason, "");
	}
	return any;
}

/* ---- rounds ------------------------------------------------------------------------ */

static void
give_up(struct attempt *a, const struct complaints *c)
{
	const struct complaint *list =
	    BUF_ROWS(&c->list, const struct complaint);
	size_t i = 0, n = BUF_COUNT(&c->list, struct complaint);

	while (i < n && !list[i].error)
		i++;
	a->hopeless = true;
	build_problem(a->b, i < n && list[i].line > 0 ? list[i].line : 1,
	    i < n ? list[i].reason : "libyara refuses it without a reason");
}

/* The rules that libyara has compiled are those that we see. */
static bool
same_rules(const struct attempt *a, YR_RULES *rules)
{
	const struct rule_item *items = rule_items(&a->source);
	size_t at = 0, n = rule_items_count(&a->source);
	const YR_RULE *rule;

	yr_rules_foreach(rules, rule)
	{
		while (at < n && items[at].kind != RULE_I_RULE)
			at++;
		if (at == n || !span_is(items[at].name, rule->identifier))
			return false;
		at++;
	}
	while (at < n && items[at].kind != RULE_I_RULE)
		at++;
	return at == n;
}

/* Strings that libyara finds slow are named, and stay. */
static void
remarks(struct attempt *a, const struct complaints *c)
{
	const struct complaint *list =
	    BUF_ROWS(&c->list, const struct complaint);
	char reason[2 * COMPLAINT_MAX];

	for (size_t i = 0; i < BUF_COUNT(&c->list, struct complaint); i++) {
		struct scan_problem p = { a->b->file, list[i].line, reason };

		if (list[i].error || a->b->problem == NULL)
			continue;
		if (p.line == 0)
			p.line = 1;
		(void)snprintf(reason, sizeof(reason), "warning: rule %s: %s",
		    list[i].rule, list[i].reason);
		a->b->problem(a->b->arg, &p);
	}
}

/* OK with *again: something was dropped. */
static enum err
compile(struct attempt *a, bool *again, struct errinfo *ei)
{
	struct complaints c;
	YR_COMPILER *yc;
	YR_RULES *rules = NULL;
	const YR_RULE *rule;
	enum err e = OK;

	complaints_init(&c);
	yc = rules_compiler_new(&c);
	if (yc == NULL) {
		e = err_set(ei, ERR_NOMEM, "YARA compiler");
	} else if (yr_compiler_add_string(yc, a->text, NULL) != 0) {
		*again = drop_blamed(a, &c);
		if (!*again)
			give_up(a, &c);
	} else if (yr_compiler_get_rules(yc, &rules) != ERROR_SUCCESS) {
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	} else {
		a->whole = !same_rules(a, rules);
		a->rules = 0;
		yr_rules_foreach(rules, rule) a->rules++;
		remarks(a, &c);
		(void)yr_rules_destroy(rules);
	}
	if (yc != NULL)
		yr_compiler_destroy(yc);
	complaints_free(&c);
	return e;
}

/* Parse, compile, drop what is to blame. */
static enum err
one_round(struct attempt *a, bool *again, struct errinfo *ei)
{
	enum err e = rule_source_parse(span_of(a->text), &a->source, ei);

	*again = false;
	if (e == OK) {
		a->dropped = calloc(
		    rule_items_count(&a->source) + 1, sizeof(*a->dropped));
		if (a->dropped == NULL)
			e = err_set(ei, ERR_NOMEM, "YARA rules");
	}
	if (e == OK) {
		*again = drop_unreadable(a);
		if (!*again)
			e = compile(a, again, ei);
	}
	if (e == OK && *again)
		drop(a);
	free(a->dropped);
	a->dropped = NULL;
	rule_source_free(&a->source);
	return e;
}

static enum err
try_rounds(struct attempt *a, struct errinfo *ei)
{
	int64_t end =
	    clock_mono_ns(&clock_system) + (int64_t)SECONDS_MAX * 1000000000;
	size_t rounds = 0;
	bool again = true;
	enum err e = OK;

	while (e == OK && again && !a->hopeless) {
		if (rounds++ == ROUNDS_MAX ||
		    clock_mono_ns(&clock_system) > end) {
			a->hopeless = true;
			build_problem(a->b, 1, "too many bad rules");
			break;
		}
		e = one_round(a, &again, ei);
	}
	return e;
}

static enum err
keep(struct attempt *a, struct errinfo *ei)
{
	struct scan_builder *b = a->b;
	size_t len = strlen(a->text);
	struct rule_file r = { strdup(b->source), a->text, a->whole };

	if (r.name == NULL || len > RULES_TEXT_MAX - b->rules_size) {
		free(r.name);
		return err_set(ei, r.name == NULL ? ERR_NOMEM : ERR_LIMIT,
		    "%s: YARA rules of more than %u bytes", b->file,
		    RULES_TEXT_MAX);
	}
	buf_add(&b->rules, &r, sizeof(r));
	if (b->rules.full) {
		free(r.name);
		return err_set(ei, ERR_NOMEM, "YARA rules");
	}
	b->rules_size += len;
	b->counts.yara += a->rules;
	a->text = NULL; /* b->rules owns it now */
	return OK;
}

enum err
build_rules_add(struct scan_builder *b, struct span text, struct errinfo *ei)
{
	struct attempt a = { .b = b };
	enum err e;

	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
		build_problem(b, 1, "not text: holds a zero byte");
		return OK;
	}
	a.text = strndup(text.len == 0 ? "" : text.ptr, text.len);
	if (a.text == NULL || yr_initialize() != ERROR_SUCCESS) {
		free(a.text);
		return err_set(ei, ERR_NOMEM, "%s: YARA rules", b->file);
	}
	e = try_rounds(&a, ei);
	(void)yr_finalize();
	if (e == OK && !a.hopeless && a.rules > 0)
		e = keep(&a, ei);
	free(a.text);
	return e;
}
