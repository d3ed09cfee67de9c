#include <assert.h>
#include <string.h>

#include "crypt/crypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW  INT64_C(1764115200000)
#define YEAR (INT64_C(365) * 86400000)

static struct buf key, ca;

/* What a stranger sends as a certificate or a request: it is nobody's client
 * of an authority made a moment ago, whatever it says. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cert_request rq = { .common_name = "x",
		.not_before_ms = NOW,
		.not_after_ms = NOW + YEAR,
		.client = true };
	struct span s = { (const char *)data, size };
	struct buf out = buf_make(PEM_MAX);
	struct cert_info info;
	struct errinfo ei = { 0 };

	if (key.len == 0) {
		key = buf_make(PEM_MAX);
		ca = buf_make(PEM_MAX);
		assert(key_make(&key, &ei) == OK);
		assert(ca_make(buf_view(&key), "CA", NOW, NOW + YEAR, &ca,
			   &ei) == OK);
	}
	if (cert_read(s, &info, &ei) == OK)
		assert(strlen(info.serial) < SERIAL_HEX);
	if (cert_read_der(s, &info, &ei) == OK)
		assert(strlen(info.common_name) < sizeof(info.common_name));
	assert(cert_check_client(buf_view(&ca), s, NOW + 1, &ei) != OK);
	if (ca_issue(buf_view(&key), buf_view(&ca), s, &rq, &out, &ei) == OK)
		assert(cert_read(buf_view(&out), &info, &ei) == OK &&
		    strcmp(info.common_name, "x") == 0);
	buf_free(&out);
	return 0;
}
