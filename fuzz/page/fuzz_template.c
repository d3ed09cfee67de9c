#include <assert.h>
#include <string.h>

#include "page/page_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A template that parses can be walked, even into itself, and what comes out
 * holds no '<' that the template itself does not hold: data is escaped. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char json[] =
	    "{\"a\":\"<x>\",\"l\":[\"<\",{\"a\":\"<\",\"b\":[1,2]},[]],"
	    "\"o\":{\"a\":\"'<\",\"n\":null},\"t\":true,\"z\":0}";
	struct span text = { (const char *)data, size };
	struct page_set *ps = page_set_new();
	struct buf out = buf_make(64u << 10);
	struct errinfo ei = { 0 };
	json_t *tree = json_loads(json, 0, NULL);

	assert(ps != NULL && tree != NULL);
	if (page_add(ps, "a", text, &ei) == OK && page_link(ps, &ei) == OK)
		(void)!page_render(ps, "a", NULL, tree, &out, &ei);
	if (out.len > 0 && memchr(text.ptr, '<', text.len) == NULL)
		assert(memchr(out.ptr, '<', out.len) == NULL);
	json_decref(tree);
	buf_free(&out);
	page_free(ps);
	return 0;
}
