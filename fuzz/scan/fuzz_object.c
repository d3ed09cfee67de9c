#include "fuzz/scan/fuzz_scan.h"

static struct scanner *
make_scanner(void)
{
	static struct scan_set *set;
	struct scanner *s = NULL;
	struct scan_counts counts;
	enum err e;

	/* "needle" */
	set = fuzz_build(
	    "n.ndb", SPAN("Needle:0:*:6e6565646c65\n"), NULL, NULL, &counts);
	e = scanner_new(set, &fuzz_limits, &s, NULL);
	assert(e == OK);
	return s;
}

/* Any object, packed as it may be: a verdict that holds together, within the
 * limits, and the same the second time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scanner *s;
	struct span bytes = { (const char *)data, size };
	struct scan_verdict v, again;
	uint64_t most = fuzz_limits.size + fuzz_limits.member_size;

	if (s == NULL)
		s = make_scanner();
	fuzz_scan(s, bytes, &v);
	assert(v.objects >= 1 && v.objects <= fuzz_limits.count + 1);
	assert(v.size == size && v.read >= size && v.read <= size + most);
	assert(v.outcome == SCAN_INFECTED || size < 6 ||
	    memmem(data, size, "needle", 6) == NULL);
	fuzz_scan(s, bytes, &again);
	if (v.reason == SCAN_R_TIME || again.reason == SCAN_R_TIME)
		return 0;
	assert(again.outcome == v.outcome && again.reason == v.reason);
	assert(again.read == v.read && again.objects == v.objects);
	assert(strcmp(again.inner, v.inner) == 0);
	return 0;
}
