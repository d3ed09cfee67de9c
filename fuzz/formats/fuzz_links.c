#include <assert.h>
#include <stdint.h>

#include "formats/text/links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
count(void *arg, struct span real, struct span shown)
{
	size_t *n = arg;

	assert(real.len <= LINK_TEXT_MAX && shown.len <= LINK_TEXT_MAX);
	++*n;
	return true;
}

/* A tag makes four links at most. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t tags = 0, links = 0;

	for (size_t i = 0; i < size; i++)
		tags += data[i] == '<';
	links_read((struct span){ (const char *)data, size }, count, &links);
	assert(links <= 4 * tags);
	return 0;
}
