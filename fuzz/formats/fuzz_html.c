#include <assert.h>
#include <stdint.h>

#include "formats/text/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No text of a page is more than a few times as long as the page. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct html h = { buf_make(1u << 24), buf_make(1u << 24),
		buf_make(1u << 24) };
	struct span page = { (const char *)data, size };

	(void)html_is_page(page);
	html_normalise(page, &h);
	assert(h.plain.len <= 4 * size + 16);
	assert(h.text.len <= 4 * size + 16);
	assert(h.scripts.len <= 20 * size + 32);
	buf_free(&h.plain);
	buf_free(&h.text);
	buf_free(&h.scripts);
	return 0;
}
