#include "scan/fixture.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

void
fixture_on_problem(void *arg, const struct scan_problem *p)
{
	struct fixture *f = arg;

	f->problems++;
	f->problem_line = p->line;
	(void)snprintf(f->problem, sizeof(f->problem), "%s", p->reason);
}

int
memory_file(struct span bytes)
{
	struct errinfo ei = { 0 };
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fd_write_all(fd, bytes, &ei));
	return fd;
}

void
fixture_open(
    struct fixture *f, struct scan_builder *b, const struct scan_limits *limits)
{
	struct errinfo ei = { 0 };
	int fd = memory_file(SPAN(""));

	scan_builder_counts(b, &f->counts);
	assert_ok(scan_builder_write(b, 7, 1000, fd, &ei));
	scan_builder_free(b);
	assert_ok(scan_set_open(fd, &f->set, &ei));
	(void)close(fd);
	assert_ok(scanner_new(f->set, limits, &f->scanner, &ei));
}

void
fixture_make_bytes(struct fixture *f, const char *name, struct span text,
    const struct scan_limits *limits)
{
	struct errinfo ei = { 0 };
	struct scan_builder *b = NULL;

	*f = (struct fixture){ .problems = 0 };
	assert_ok(scan_builder_new(fixture_on_problem, f, &b, &ei));
	assert_ok(scan_builder_add(b, name, text, &ei));
	fixture_open(f, b, limits);
}

void
fixture_make(struct fixture *f, const char *name, const char *text)
{
	fixture_make_bytes(f, name, span_of(text), &scan_limits_default);
}

void
fixture_clear(struct fixture *f)
{
	scanner_free(f->scanner);
	scan_set_close(f->set);
	*f = (struct fixture){ .problems = 0 };
}

const char *
fixture_scan(struct fixture *f, struct span bytes)
{
	scanner_bytes(f->scanner, bytes, false, &f->verdict);
	return f->verdict.outcome == SCAN_UNSCANNABLE ? "unscannable"
						      : f->verdict.name;
}

struct span
eicar(void)
{
	static char text[69];

	(void)snprintf(text, sizeof(text), "%s%s%s%s", "X5O!P%@AP[4\\PZX54(P^)",
	    "7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-", "FILE!$H+H*");
	return span_of(text);
}
