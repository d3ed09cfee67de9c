#include <stdlib.h>
#include <string.h>

#include <yara.h>

#include "scan/build_int.h"

/* The variables that public rule sets expect; a pool scans open files and
 * knows no names, so they are empty. */
static const char *const externals[] = { "filename", "filepath", "extension",
	"filetype", "owner" };

struct complaint {
	int line; /* of the first error */
	char reason[ERRMSG_MAX];
};

static void
on_complaint(int level, const char *file, int line, const YR_RULE *rule,
    const char *message, void *arg)
{
	struct complaint *c = arg;

	(void)file;
	(void)rule;
	if (level != YARA_ERROR_LEVEL_ERROR || c->reason[0] != '\0')
		return;
	c->line = line;
	(void)snprintf(c->reason, sizeof(c->reason), "%s", message);
}

static YR_COMPILER *
compiler_new(struct complaint *c)
{
	YR_COMPILER *yc = NULL;

	if (yr_compiler_create(&yc) != ERROR_SUCCESS)
		return NULL;
	yr_compiler_set_callback(yc, on_complaint, c);
	yr_compiler_set_include_callback(yc, NULL, NULL, NULL);
	for (size_t i = 0; i < COUNT(externals); i++)
		if (yr_compiler_define_string_variable(yc, externals[i], "") !=
		    ERROR_SUCCESS) {
			yr_compiler_destroy(yc);
			return NULL;
		}
	return yc;
}

/* Compile one file alone: libyara cannot go on after an error. */
static enum err
try_compile(
    const char *text, struct complaint *c, uint64_t *count, struct errinfo *ei)
{
	YR_COMPILER *yc = compiler_new(c);
	YR_RULES *rules = NULL;
	const YR_RULE *rule;
	enum err e = OK;

	if (yc == NULL)
		return err_set(ei, ERR_NOMEM, "YARA compiler");
	if (yr_compiler_add_string(yc, text, NULL) == 0 &&
	    yr_compiler_get_rules(yc, &rules) != ERROR_SUCCESS)
		e = err_set(ei, ERR_NOMEM, "YARA rules");
	if (rules != NULL) {
		yr_rules_foreach(rules, rule)++ *count;
		(void)yr_rules_destroy(rules);
	} else if (e == OK && c->reason[0] == '\0') {
		(void)snprintf(c->reason, sizeof(c->reason),
		    "libyara refuses it without a reason");
	}
	yr_compiler_destroy(yc);
	return e;
}

static enum err
/* NOLINTNEXTLINE(readability-non-const-parameter): b->rules owns it now */
keep(struct scan_builder *b, char *text, size_t len, struct errinfo *ei)
{
	struct rule_file r = { strdup(build_source_text(b)), text };

	if (r.name == NULL || len > RULES_TEXT_MAX - b->rules_size) {
		free(r.name);
		return err_set(ei, r.name == NULL ? ERR_NOMEM : ERR_LIMIT,
		    "%s: YARA rules of more than %u bytes", b->file,
		    RULES_TEXT_MAX);
	}
	b->rules_size += len;
	buf_add(&b->rules, &r, sizeof(r));
	if (!b->rules.full)
		return OK;
	free(r.name);
	return err_set(ei, ERR_NOMEM, "YARA rules");
}

enum err
build_rules_add(struct scan_builder *b, struct span text, struct errinfo *ei)
{
	struct complaint c = { 0 };
	uint64_t count = 0;
	char *copy;
	enum err e;

	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
		build_problem(b, 1, "not text: holds a zero byte");
		return OK;
	}
	copy = strndup(text.len == 0 ? "" : text.ptr, text.len);
	if (copy == NULL || yr_initialize() != ERROR_SUCCESS) {
		free(copy);
		return err_set(ei, ERR_NOMEM, "%s: YARA rules", b->file);
	}
	e = try_compile(copy, &c, &count, ei);
	(void)yr_finalize();
	if (e == OK && c.reason[0] != '\0')
		build_problem(b, c.line < 1 ? 1 : (size_t)c.line, c.reason);
	else if (e == OK)
		e = keep(b, copy, text.len, ei);
	if (e != OK || c.reason[0] != '\0') {
		free(copy);
		return e;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): keep() has taken it */
	b->counts.yara += count;
	return OK;
}

static size_t
write_stream(const void *ptr, size_t size, size_t count, void *arg)
{
	struct buf *out = arg;

	buf_add(out, ptr, size * count);
	return out->full ? 0 : count;
}

static enum err
compile_all(struct scan_builder *b, YR_COMPILER *yc, struct complaint *c,
    struct buf *out, struct errinfo *ei)
{
	const struct rule_file *r =
	    (const struct rule_file *)(void *)b->rules.ptr;
	YR_STREAM stream = { .user_data = out, .write = write_stream };
	YR_RULES *rules = NULL;
	int failed;

	for (size_t i = 0; i < b->rules.len / sizeof(*r); i++)
		if (yr_compiler_add_string(yc, r[i].text, r[i].name) != 0)
			return err_set(ei, ERR_SYNTAX, "%s:%d: %s", r[i].name,
			    c->line, c->reason);
	if (yr_compiler_get_rules(yc, &rules) != ERROR_SUCCESS)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	failed = yr_rules_save_stream(rules, &stream);
	(void)yr_rules_destroy(rules);
	return failed == ERROR_SUCCESS
	    ? OK
	    : err_set(
		  ei, ERR_LIMIT, "YARA rules of more than %zu bytes", out->max);
}

enum err
build_rules_save(struct scan_builder *b, struct buf *out, struct errinfo *ei)
{
	struct complaint c = { 0 };
	YR_COMPILER *yc;
	enum err e;

	if (b->rules.len == 0)
		return OK;
	if (yr_initialize() != ERROR_SUCCESS)
		return err_set(ei, ERR_NOMEM, "YARA");
	yc = compiler_new(&c);
	e = yc == NULL ? err_set(ei, ERR_NOMEM, "YARA compiler")
		       : compile_all(b, yc, &c, out, ei);
	if (yc != NULL)
		yr_compiler_destroy(yc);
	(void)yr_finalize();
	return e;
}
