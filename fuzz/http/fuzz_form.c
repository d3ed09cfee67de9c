#include <assert.h>

#include "http/http_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is the header, the rest the body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span body = { (const char *)data, size }, header;
	struct arena *a = arena_new(8u << 20);
	struct pairs form = { 0 }, parts = { 0 };
	struct errinfo ei = { 0 };

	assert(a != NULL);
	header = span_cut(body, '\n', &body);
	if (urlencoded_parse(body, a, &form, &ei) == OK)
		(void)pairs_find(&form, "csrf");
	if (multipart_parse(body, header, a, &parts, &ei) == OK)
		assert(pairs_find(&parts, "file").len <= size);
	(void)header_parameter(header, "boundary");
	(void)cookie_find(header, "__Host-khien");
	(void)accepts_gzip(header);
	arena_free(a);
	return 0;
}
