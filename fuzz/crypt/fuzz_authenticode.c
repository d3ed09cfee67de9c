#include <assert.h>
#include <string.h>

#include "crypt/authenticode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a program carries as its signature: it signs nothing that was not
 * there when it was made, and no key of others has signed its certificates. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span der = { (const char *)data, size };
	struct span nothing[2] = { SPAN("not signed"), der };
	struct authenticode *a = NULL;
	struct signed_by by;
	char modulus[128];
	unsigned issued = 0;

	if (authenticode_parse(der, &a, NULL) != OK)
		return 0;
	assert(authenticode_certs(a) <= AUTHENTICODE_CERTS);
	memset(modulus, 0xc5, sizeof(modulus));
	for (size_t i = 0; i < authenticode_certs(a); i++) {
		const struct signed_cert *c = authenticode_cert(a, i);

		if (c == NULL)
			continue;
		assert(c->modulus.len <= AUTHENTICODE_KEY_MAX);
		assert(c->modulus.len == 0 || c->modulus.ptr[0] != '\0');
		assert((c->uses & ~7u) == 0);
		if (i < 4)
			assert(!authenticode_by_key(
			    a, i, (struct span){ modulus, sizeof(modulus) }));
		if (i > 0 && authenticode_by_cert(a, i - 1, i))
			issued++;
	}
	assert(issued < AUTHENTICODE_CERTS);
	for (int twice = 0; twice < 2; twice++)
		assert(
		    authenticode_check(a, nothing, 2, &by, NULL) == ERR_DENIED);
	authenticode_free(a);
	return 0;
}
