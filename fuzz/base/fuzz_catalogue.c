#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A catalogue that was taken answers every question. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const asked[] = { "", "Sign in", "zzz", "\xff" };
	void *copy = malloc(size + 1); /* aligned, and its end is guarded */
	struct i18n *t = NULL;
	struct errinfo ei = { 0 };

	assert(copy != NULL);
	memcpy(copy, data, size);
	if (i18n_parse(copy, size, "vi", &t, &ei) == OK)
		for (size_t i = 0; i < COUNT(asked); i++)
			assert(strlen(i18n_text(t, asked[i])) <= size + 8);
	i18n_free(t);
	free(copy);
	return 0;
}
