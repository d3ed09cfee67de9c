#include <assert.h>

#include "crypt/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nobody without the key makes something that opens; what base64url and
 * password hashes read, they read in bounds. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[SEAL_KEY_LEN] = { 7 };
	struct span s = { (const char *)data, size };
	struct buf out = buf_make(65536), again = buf_make(65536);
	struct errinfo ei = { 0 };

	assert(seal_open(key, SPAN("x"), s, &out, &ei) != OK && out.len == 0);
	if (base64url_decode(s, &out) == OK) {
		base64url_encode(buf_view(&out), &again);
		assert(again.full || span_eq(buf_view(&again), s));
	} else {
		assert(out.len == 0);
	}
	buf_free(&out);
	buf_free(&again);
	return 0;
}
