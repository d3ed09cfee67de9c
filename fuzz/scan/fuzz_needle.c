#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "scan/links/needle.h"
#include "scan/match/regex.h"
#include "scan/set/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT 256u

/* Up to the first zero byte an expression, behind it a subject: what the one
 * finds in the other has the needle. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span subject,
	    regex = span_cut(
		(struct span){ (const char *)data, size }, '\0', &subject);
	struct regex_cache *c;
	const struct regex *r;
	char masked[TEXT];
	struct needle needle;
	size_t start, end;

	if (regex.len > TEXT || regex_check(regex, SPAN("s"), NULL) != OK)
		return 0;
	needle_of(regex, &needle);
	assert(needle.len <= NEEDLE_MAX);
	c = regex_cache_sized(1);
	assert(c != NULL);
	mask_copy(masked, regex.ptr, regex.len, 0);
	r = regex_get(c, 1, (struct span){ masked, regex.len }, SPAN("s"));
	assert(r != NULL);
	if (regex_find(c, r, subject, 0, false, &start, &end) == REGEX_FOUND)
		assert(needle_in(&needle, subject));
	regex_cache_free(c);
	return 0;
}
