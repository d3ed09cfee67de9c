#ifndef TESTS_FORMATS_SINK_H
#define TESTS_FORMATS_SINK_H

#include "testing.h"

#include "base/buf.h"
#include "formats/peel.h"

/* A sink that remembers what an opener gave it. */
#define SINK_MEMBERS_MAX 256u
struct sink {
	struct peel peel; /* first: what openers see */
	struct sink_member {
		char name[256];
		enum format format;
		bool encrypted;
		struct buf bytes;
	} member[SINK_MEMBERS_MAX];
	size_t members;
	unsigned notes;      /* bits (1 << enum peel_problem) */
	struct buf suspects; /* one name a line */
	uint64_t bytes;
	uint64_t bytes_max; /* after which it says stop */
	bool stopped, within;
};
void sink_init(struct sink *s);
void sink_clear(struct sink *s);
/* The opener gives nothing of `f`, which is freed, and calls it damaged. */
void sink_damaged(opener_fn *open, struct span f);
/* The opener gives at most one member of `f`, which is freed, when it is torn:
 * at each of the first `all` bytes, then at each step-th. */
void sink_torn(opener_fn *open, struct span f, size_t all, size_t step);
/* The bytes of the member of this name; fails the test if there is none. */
struct span sink_bytes(const struct sink *s, const char *name);

#endif
