#include "scan/rules.h"

#include <stdlib.h>
#include <string.h>

#include <yara.h>

#include "scan/mask.h"

struct rules {
	bool ready; /* libyara is initialised */
	YR_RULES *rules;
	YR_SCANNER *scanner;
	const YR_RULE *found;
};

struct stream {
	struct span masked;
	size_t at;
};

static size_t
read_stream(void *ptr, size_t size, size_t count, void *arg)
{
	struct stream *s = arg;
	size_t n = size == 0 ? 0 : (s->masked.len - s->at) / size;

	if (n > count)
		n = count;
	mask_copy(ptr, s->masked.ptr + s->at, n * size, s->at);
	s->at += n * size;
	return n;
}

static int
on_message(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
	struct rules *r = arg;

	(void)context;
	if (message != CALLBACK_MSG_RULE_MATCHING)
		return CALLBACK_CONTINUE;
	r->found = data;
	return CALLBACK_ABORT;
}

enum err
rules_open(struct span masked, struct rules **out, struct errinfo *ei)
{
	struct stream stream = { masked, 0 };
	YR_STREAM s = { .user_data = &stream, .read = read_stream };
	struct rules *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(ei, ERR_NOMEM, "YARA rules");
	r->ready = yr_initialize() == ERROR_SUCCESS;
	if (!r->ready || yr_rules_load_stream(&s, &r->rules) != ERROR_SUCCESS ||
	    yr_scanner_create(r->rules, &r->scanner) != ERROR_SUCCESS) {
		rules_close(r);
		return err_set(
		    ei, ERR_CORRUPT, "YARA rules of the set do not load");
	}
	yr_scanner_set_callback(r->scanner, on_message, r);
	/* Without its signal handlers: a worker that faults shall die. */
	yr_scanner_set_flags(r->scanner,
	    SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH |
		SCAN_FLAGS_REPORT_RULES_MATCHING);
	*out = r;
	return OK;
}

void
rules_close(struct rules *r)
{
	if (r == NULL)
		return;
	if (r->scanner != NULL)
		yr_scanner_destroy(r->scanner);
	if (r->rules != NULL)
		(void)yr_rules_destroy(r->rules);
	if (r->ready)
		(void)yr_finalize();
	free(r);
}

enum rules_result
rules_scan(struct rules *r, struct span bytes, int seconds, const char **name,
    const char **source)
{
	int e;

	r->found = NULL;
	yr_scanner_set_timeout(r->scanner, seconds > 0 ? seconds : 1);
	e = yr_scanner_scan_mem(
	    r->scanner, (const uint8_t *)bytes.ptr, bytes.len);
	if (r->found != NULL) {
		*name = r->found->identifier;
		*source = r->found->ns->name;
		return RULES_FOUND;
	}
	if (e == ERROR_SUCCESS)
		return RULES_NONE;
	if (e == ERROR_SCAN_TIMEOUT)
		return RULES_TIME;
	return e == ERROR_INSUFFICIENT_MEMORY ? RULES_MEMORY : RULES_FAILED;
}
