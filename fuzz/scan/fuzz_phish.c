#include "fuzz/scan/fuzz_scan.h"

static const char *const names[] = { "a.pdb", "a.wdb", "a.gdb" };

/* Up to a zero byte it is a list, behind it a mail: each line is taken, or
 * named and skipped, and whoever is suspected, it is because of a line. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "From: a@b.example\nTo: c@d.example\n"
				   "Content-Type: text/html\n\n";
	struct span list, body;
	struct buf mail = buf_make(1u << 22);
	struct scan_counts c;
	struct scan_set *set;
	struct scanner *s = NULL;
	struct scan_verdict v;
	struct fuzz_problems problems = { 0 };
	enum err e;

	if (size == 0)
		return 0;
	list = span_cut(
	    (struct span){ (const char *)data + 1, size - 1 }, '\0', &body);
	problems.lines = fuzz_lines(list);
	set = fuzz_build(
	    names[data[0] % COUNT(names)], list, fuzz_problem, &problems, &c);
	assert(c.bodies == 1 && c.allowed == 0);
	assert(c.hashes + c.links + c.skipped <= problems.lines);
	buf_text(&mail, head);
	buf_span(&mail, body);
	e = scanner_new(set, &fuzz_limits, &s, NULL);
	assert(e == OK);
	fuzz_scan(s, buf_view(&mail), &v);
	if (v.outcome == SCAN_SUSPICIOUS) {
		assert(c.hashes + c.links > 0);
		assert(strcmp(v.source, names[data[0] % COUNT(names)]) == 0);
	}
	scanner_free(s);
	scan_set_close(set);
	buf_free(&mail);
	return 0;
}
