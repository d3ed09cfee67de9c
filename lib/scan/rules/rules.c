#include "scan/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include <yara.h>

#include "base/clock.h"
#include "scan/rules/filter.h"
#include "scan/set/mask.h"

/* Rules that are compiled together. */
struct leaf {
	YR_RULES *rules; /* NULL: not needed so far */
	YR_SCANNER *scanner;
};

struct rules {
	bool ready; /* libyara is initialised */
	struct span masked;
	struct rules_filter *filter;
	struct leaf *leaves;
	/* the object */
	rules_match_fn *fn; /* NULL: the first match is enough */
	void *arg;
	bool found;
	struct rules_match match; /* the last */
	const YR_RULE **told;     /* this object's matches */
	size_t told_count, told_size;
	bool nomem;
};

struct stream {
	struct span masked; /* the whole, as its masks count from there */
	size_t at, end;
};

static size_t
read_stream(void *ptr, size_t size, size_t count, void *arg)
{
	struct stream *s = arg;
	size_t n = size == 0 ? 0 : (s->end - s->at) / size;

	if (n > count)
		n = count;
	mask_copy(ptr, s->masked.ptr + s->at, n * size, s->at);
	s->at += n * size;
	return n;
}

/* ---- matches ----------------------------------------------------------------- */

static const char *
author_of(const YR_RULE *rule)
{
	YR_META *m;

	yr_rule_metas_foreach(rule, m) if (m->type == META_TYPE_STRING &&
	    strcmp(m->identifier, "author") == 0) return m->string;
	return "";
}

/* Rules that others ask for stand in several leaves. */
static bool
was_told(struct rules *r, const YR_RULE *rule)
{
	for (size_t i = 0; i < r->told_count; i++)
		if (strcmp(r->told[i]->identifier, rule->identifier) == 0 &&
		    strcmp(r->told[i]->ns->name, rule->ns->name) == 0)
			return true;
	return false;
}

static bool
remember(struct rules *r, const YR_RULE *rule)
{
	if (r->told_count == r->told_size) {
		size_t size = r->told_size == 0 ? 16 : r->told_size * 2;
		const YR_RULE **told =
		    reallocarray((void *)r->told, size, sizeof(void *));

		if (told == NULL)
			return false;
		r->told = told;
		r->told_size = size;
	}
	r->told[r->told_count++] = rule;
	return true;
}

static int
on_message(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
	struct rules *r = arg;
	const YR_RULE *rule = data;

	(void)context;
	if (message != CALLBACK_MSG_RULE_MATCHING || was_told(r, rule))
		return CALLBACK_CONTINUE;
	r->found = true;
	r->match.name = rule->identifier;
	r->match.source = rules_filter_source(r->filter, rule->ns->name);
	r->match.author = author_of(rule);
	if (r->fn == NULL)
		return CALLBACK_ABORT;
	if (!remember(r, rule)) {
		r->nomem = true;
		return CALLBACK_ERROR;
	}
	r->fn(r->arg, &r->match);
	return CALLBACK_CONTINUE;
}

/* ---- opening ------------------------------------------------------------------- */

enum err
rules_open(struct span masked, struct rules **out, struct errinfo *ei)
{
	struct rules *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	r->masked = masked;
	r->ready = yr_initialize() == ERROR_SUCCESS;
	e = rules_filter_open(masked, &r->filter, ei);
	if (e == OK) {
		r->leaves = calloc(
		    rules_filter_leaves(r->filter) + 1, sizeof(*r->leaves));
		if (r->leaves == NULL || !r->ready)
			e = err_set(ei, ERR_NOMEM, "YARA rules");
	}
	if (e != OK) {
		rules_close(r);
		return e;
	}
	*out = r;
	return OK;
}

static void
leaf_close(struct leaf *l)
{
	if (l->scanner != NULL)
		yr_scanner_destroy(l->scanner);
	if (l->rules != NULL)
		(void)yr_rules_destroy(l->rules);
	*l = (struct leaf){ NULL, NULL };
}

void
rules_close(struct rules *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0;
	     r->leaves != NULL && i < rules_filter_leaves(r->filter); i++)
		leaf_close(&r->leaves[i]);
	free(r->leaves);
	free((void *)r->told);
	rules_filter_close(r->filter);
	if (r->ready)
		(void)yr_finalize();
	free(r);
}

static int
leaf_load(struct rules *r, size_t number)
{
	struct rules_region at = rules_filter_leaf(r->filter, number);
	struct stream stream = { r->masked, at.at, at.at + at.size };
	YR_STREAM s = { .user_data = &stream, .read = read_stream };
	struct leaf *l = &r->leaves[number];
	int e;

	if (l->scanner != NULL)
		return ERROR_SUCCESS;
	e = yr_rules_load_stream(&s, &l->rules);
	if (e == ERROR_SUCCESS)
		e = yr_scanner_create(l->rules, &l->scanner);
	if (e != ERROR_SUCCESS) {
		leaf_close(l);
		return e;
	}
	yr_scanner_set_callback(l->scanner, on_message, r);
	/* Without its signal handlers: a worker that faults shall die. */
	yr_scanner_set_flags(l->scanner,
	    SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH |
		SCAN_FLAGS_REPORT_RULES_MATCHING);
	return ERROR_SUCCESS;
}

/* ---- scanning ------------------------------------------------------------------- */

static enum rules_result
result_of(int e)
{
	if (e == ERROR_SUCCESS)
		return RULES_NONE;
	if (e == ERROR_SCAN_TIMEOUT)
		return RULES_TIME;
	return e == ERROR_INSUFFICIENT_MEMORY ? RULES_MEMORY : RULES_FAILED;
}

static enum rules_result
leaf_scan(struct rules *r, size_t number, struct span bytes, int64_t end_ns)
{
	int64_t left = end_ns - clock_mono_ns(&clock_system);
	YR_SCANNER *scanner;
	int e = leaf_load(r, number);

	if (e != ERROR_SUCCESS)
		return result_of(e);
	if (left <= 0)
		return RULES_TIME;
	scanner = r->leaves[number].scanner;
	/* libyara 4.2 keeps that of the last object that had one. */
	scanner->entry_point = YR_UNDEFINED;
	yr_scanner_set_timeout(scanner, (int)(left / 1000000000) + 1);
	e = yr_scanner_scan_mem(scanner, (const uint8_t *)bytes.ptr, bytes.len);
	if (r->nomem)
		return RULES_MEMORY;
	return r->fn == NULL && r->found ? RULES_FOUND : result_of(e);
}

/* One leaf that fails does not keep the others from being looked at. */
static enum rules_result
scan(struct rules *r, struct span bytes, int seconds)
{
	int64_t end_ns = clock_mono_ns(&clock_system) +
	    (int64_t)(seconds > 0 ? seconds : 1) * 1000000000;
	enum rules_result worst = RULES_NONE, one;
	const uint32_t *leaves;
	size_t count;

	r->found = r->nomem = false;
	r->told_count = 0;
	leaves = rules_filter_scan(r->filter, bytes, &count);
	for (size_t i = 0; i < count; i++) {
		one = leaf_scan(r, leaves[i], bytes, end_ns);
		if (one == RULES_FOUND)
			return one;
		if (worst == RULES_NONE)
			worst = one;
	}
	return worst == RULES_NONE && r->found ? RULES_FOUND : worst;
}

enum rules_result
rules_scan(
    struct rules *r, struct span bytes, int seconds, struct rules_match *m)
{
	enum rules_result e;

	r->fn = NULL;
	e = scan(r, bytes, seconds);
	if (e == RULES_FOUND)
		*m = r->match;
	return e;
}

enum rules_result
rules_scan_all(struct rules *r, struct span bytes, int seconds,
    rules_match_fn *fn, void *arg)
{
	r->fn = fn;
	r->arg = arg;
	return scan(r, bytes, seconds);
}
