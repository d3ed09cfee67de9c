#include "scan/rules/build/compile.h"

#include <stdio.h>

#define LIST_MAX (256u * sizeof(struct complaint))

/* The variables that public rule sets expect; a pool scans open files and
 * knows no names, so they are empty. */
static const char *const externals[] = { "filename", "filepath", "extension",
	"filetype", "owner" };

void
complaints_init(struct complaints *c)
{
	*c = (struct complaints){ buf_make(LIST_MAX) };
}

void
complaints_free(struct complaints *c)
{
	buf_free(&c->list);
}

static void
on_complaint(int level, const char *file, int line, const YR_RULE *rule,
    const char *message, void *arg)
{
	struct complaints *c = arg;
	struct complaint one = { .line = line < 0 ? 0 : (size_t)line,
		.error = level == YARA_ERROR_LEVEL_ERROR };

	(void)file;
	(void)snprintf(one.reason, sizeof(one.reason), "%s", message);
	if (rule != NULL && rule->identifier != NULL)
		(void)snprintf(
		    one.rule, sizeof(one.rule), "%s", rule->identifier);
	buf_add(&c->list, &one, sizeof(one));
}

YR_COMPILER *
rules_compiler_new(struct complaints *c)
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

static size_t
write_stream(const void *ptr, size_t size, size_t count, void *arg)
{
	struct buf *out = arg;

	buf_add(out, ptr, size * count);
	return out->full ? 0 : count;
}

enum err
rules_compiler_end(YR_COMPILER *yc, struct buf *out, struct errinfo *ei)
{
	YR_STREAM stream = { .user_data = out, .write = write_stream };
	YR_RULES *rules = NULL;
	int failed = yr_compiler_get_rules(yc, &rules);

	if (failed == ERROR_SUCCESS) {
		failed = yr_rules_save_stream(rules, &stream);
		(void)yr_rules_destroy(rules);
	}
	yr_compiler_destroy(yc);
	if (out->full)
		return err_set(ei, ERR_LIMIT,
		    "YARA rules of more than %zu bytes", out->max);
	return failed == ERROR_SUCCESS ? OK
				       : err_set(ei, ERR_NOMEM, "YARA rules");
}
