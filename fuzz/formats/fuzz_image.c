#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes: a picture has a hash or none, the same each time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span object = { (const char *)data, size };
	uint64_t a = 0, b = 0;
	bool good = image_hash(object, &a);

	assert(image_hash(object, &b) == good);
	assert(a == b);
	assert(good || a == 0);
	return 0;
}
