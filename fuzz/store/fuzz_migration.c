#include <assert.h>
#include <string.h>

#include "store/store_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sql_word words[] = {
	{ "UUID", "bytea" },
	{ "INT", "bigint" },
	{ "TEXT", "text" },
	{ "TENANT", "PARTITION BY HASH (agency_id)" },
	{ NULL, NULL },
};

static bool
within(struct span inner, struct span outer)
{
	return inner.ptr >= outer.ptr &&
	    inner.ptr + inner.len <= outer.ptr + outer.len;
}

/* Statements lie in the text, in order, and are not empty; the table that a
 * {TENANT} ends is named in its statement. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, s, all = rest;
	struct buf b = buf_make(SQL_TEXT_MAX);

	while (words_statement(&rest, &s)) {
		struct span tenant = { "", 0 };

		assert(s.len > 0 && within(s, all));
		assert(rest.len == 0 || rest.ptr >= s.ptr + s.len);
		buf_clear(&b);
		if (words_expand(s, words, &b, &tenant, NULL) == OK)
			assert(tenant.len == 0 || within(tenant, s));
	}
	buf_free(&b);
	return 0;
}
