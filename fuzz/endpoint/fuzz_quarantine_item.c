#include <assert.h>
#include <string.h>

#include "endpoint/quarantine_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Facts that are accepted are, written and read again, the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(16u << 20);
	struct buf once = buf_make(4u << 20), twice = buf_make(4u << 20);
	struct facts f = { 0 }, again = { 0 };
	struct errinfo ei = { 0 };

	assert(a != NULL);
	if (facts_decode(
		(struct span){ (const char *)data, size }, a, &f, &ei) == OK) {
		assert(f.item.path.len > 0 &&
		    strlen(f.item.path.ptr) == f.item.path.len);
		assert(f.xattr_count <= XATTRS_MAX);
		assert(facts_encode(&f, &once, &ei) == OK);
		assert(facts_decode(buf_view(&once), a, &again, &ei) == OK);
		assert(facts_encode(&again, &twice, &ei) == OK);
		assert(span_eq(buf_view(&once), buf_view(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
	arena_free(a);
	return 0;
}
