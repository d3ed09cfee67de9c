#include <assert.h>
#include <string.h>

#include "store/store_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is translated holds no parameter of ours any more: translating it
 * again changes nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf once = buf_make(SQL_TEXT_MAX),
		   twice = buf_make(SQL_TEXT_MAX);
	int highest = 0, again = 0;

	if (words_translate(text, &once, &highest, NULL) == OK) {
		enum err e =
		    words_translate(buf_view(&once), &twice, &again, NULL);

		assert(e == OK && again == 0);
		assert(span_eq(buf_view(&once), buf_view(&twice)));
		assert(highest >= 0 && highest <= 999);
		assert(once.len <= size);
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
