#ifndef FUZZ_SCAN_H
#define FUZZ_SCAN_H

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "scan/set/set.h"

/* What the targets share. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small enough to end soon, large enough to be crossed. */
static const struct scan_limits fuzz_limits = {
	.depth = 3,
	.size = 4u << 20,
	.member_size = 1u << 20,
	.ratio = 20,
	.count = 50,
	.seconds = 5,
};

static inline size_t
fuzz_lines(struct span text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	return lines;
}

struct fuzz_problems {
	size_t count, lines, last;
};

/* Named in order, each once, by a line that exists and a reason. */
static inline void
fuzz_problem(void *arg, const struct scan_problem *p)
{
	struct fuzz_problems *all = arg;

	assert(p->line > all->last && p->line <= all->lines);
	assert(p->reason[0] != '\0');
	all->last = p->line;
	all->count++;
}

/* The set that signature text makes; what our own builder writes opens. */
static inline struct scan_set *
fuzz_build(const char *name, struct span text, scan_problem_fn *problem,
    void *arg, struct scan_counts *counts)
{
	struct scan_builder *b = NULL;
	struct scan_set *set = NULL;
	enum err e = scan_builder_new(problem, arg, &b, NULL);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(e == OK && fd >= 0);
	e = scan_builder_add(b, name, text, NULL);
	assert(e == OK);
	e = scan_builder_write(b, 7, 1000, fd, NULL);
	assert(e == OK);
	scan_builder_counts(b, counts);
	scan_builder_free(b);
	e = scan_set_open(fd, &set, NULL);
	assert(e == OK);
	(void)close(fd);
	return set;
}

/* A verdict is one that the pool would believe. */
static inline void
fuzz_check_verdict(const struct scan_verdict *v)
{
	struct scan_verdict again;
	struct buf b = buf_make(1u << 16);
	enum err e;

	scan_verdict_encode(v, &b);
	e = scan_verdict_decode(buf_view(&b), &again, NULL);
	assert(e == OK);
	assert(again.outcome == v->outcome && again.reason == v->reason);
	assert(strcmp(again.name, v->name) == 0);
	assert(strcmp(again.inner, v->inner) == 0);
	buf_free(&b);
}

static inline void
fuzz_scan(struct scanner *s, struct span bytes, struct scan_verdict *out)
{
	scanner_bytes(s, bytes, false, out);
	fuzz_check_verdict(out);
}

#endif
