#include "fuzz/scan/fuzz_scan.h"

static const char *const names[] = { "a.hdb", "a.ndb", "a.sfp" };

/* Signature text of any kind: each line is taken, or named and skipped, and
 * what was taken makes a set that opens and scans. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data + 1, size - 1 };
	struct fuzz_problems problems = { 0 };
	struct scan_counts c;
	struct scan_set *set;
	struct scanner *s = NULL;
	struct scan_verdict v;
	enum err e;

	if (size == 0)
		return 0;
	problems.lines = fuzz_lines(text);
	set = fuzz_build(
	    names[data[0] % COUNT(names)], text, fuzz_problem, &problems, &c);
	assert(problems.count <= c.skipped);
	assert(
	    c.hashes + c.bodies - 1 + c.allowed + c.skipped <= problems.lines);
	e = scanner_new(set, &fuzz_limits, &s, NULL);
	assert(e == OK);
	fuzz_scan(s, text, &v);
	scanner_free(s);
	scan_set_close(set);
	return 0;
}
