#include <assert.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parsing succeeds or leaves nothing behind; what was read can be written. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, s;
	json_t *tree = NULL;
	struct errinfo ei = { 0 };
	enum err e = json_parse(text, &tree, &ei);

	assert((e == OK) == (tree != NULL));
	if (e == OK) {
		char *again = json_dumps(tree, JSON_ENCODE_ANY);

		assert(again != NULL);
		free(again);
		(void)!json_get_text(tree, "a", 16, &s, &ei);
	}
	json_decref(tree);
	return 0;
}
