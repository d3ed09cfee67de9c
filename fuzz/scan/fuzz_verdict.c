#include "fuzz/scan/fuzz_scan.h"

#include "scan/pool/wire.h"

/* What a worker says is refused, or means one thing: encoded again and
 * decoded it is the same.  A failure stays a failure with a line of text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = { (const char *)data, size };
	struct scan_verdict v, again;
	struct errinfo ei = { 0 };
	struct buf once = buf_make(1u << 16), twice = buf_make(1u << 16);
	enum err e = scan_verdict_decode(s, &v, &ei);

	assert(e == OK || e == ERR_CORRUPT);
	if (e == OK) {
		scan_verdict_encode(&v, &once);
		assert(once.len == size);
		e = scan_verdict_decode(buf_view(&once), &again, NULL);
		assert(e == OK);
		scan_verdict_encode(&again, &twice);
		assert(span_eq(buf_view(&once), buf_view(&twice)));
	}
	e = wire_failure(s, &ei);
	assert(e != OK && e < ERR_MAX);
	assert(memchr(ei.msg, '\0', sizeof(ei.msg)) != NULL);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
