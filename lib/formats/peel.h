#ifndef FORMATS_PEEL_H
#define FORMATS_PEEL_H

#include "base/span.h"
#include "formats/format.h"

/* TAKING A CONTAINER APART.  An opener is handed the bytes of one object and
 * a sink, and gives the sink each thing that is packed, embedded or encoded
 * within.  The sink scans it, may go deeper with other openers, and decides
 * when it is enough: whenever a function returns false the opener returns at
 * once.  Limits (sizes, counts, depth, growth) are the sink's; an opener
 * bounds only its own work and memory: O(bytes), no recursion over hostile
 * depth without a limit, never more than it was given unless it asks the
 * sink.
 *
 * Openers never fail: what could be read is given out, what could not is
 * named with peel_note().  They keep no state and may run in any thread. */

enum peel_problem {
	PEEL_DAMAGED,     /* broken off, or contradicts itself */
	PEEL_ENCRYPTED,   /* needs a password */
	PEEL_UNSUPPORTED, /* a method that is not read here */
	PEEL_MEMORY,
	PEEL_PROBLEMS
};

/* One thing that was packed.  Sizes and crc as the container claims them,
 * PEEL_UNKNOWN where it says nothing. */
#define PEEL_UNKNOWN UINT64_MAX
struct peel_member {
	struct span name;   /* any bytes, borrowed until peel_end(); or empty */
	enum format format; /* FORMAT_ANY: found out by its content */
	bool encrypted;
	uint64_t packed, size;
	uint64_t crc; /* 32 bits, or PEEL_UNKNOWN */
};

struct peel; /* the sink: first member of whatever the caller has */
struct peel_ops {
	bool (*begin)(struct peel *p, const struct peel_member *m);
	bool (*add)(struct peel *p, struct span bytes);
	bool (*end)(struct peel *p);
	bool (*slice)(
	    struct peel *p, const struct peel_member *m, struct span bytes);
	void (*note)(struct peel *p, enum peel_problem why);
	void (*suspect)(struct peel *p, const char *heuristic);
	bool (*tick)(struct peel *p);
};
struct peel {
	const struct peel_ops *ops;
};

/* The name and what is known of the next member; then its bytes, in pieces;
 * then its end, at which it is scanned.  No nesting: one at a time.  A member
 * that is encrypted is begun and ended without bytes. */
static inline bool
peel_begin(struct peel *p, const struct peel_member *m)
{
	return p->ops->begin(p, m);
}
static inline bool
peel_add(struct peel *p, struct span bytes)
{
	return p->ops->add(p, bytes);
}
static inline bool
peel_end(struct peel *p)
{
	return p->ops->end(p);
}
/* A member whose bytes stand in memory as they are, usually within the
 * object: it is not copied.  They live until the call returns. */
static inline bool
peel_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	return p->ops->slice(p, m, bytes);
}
/* Something of this object could not be read.  Once for each is enough. */
static inline void
peel_note(struct peel *p, enum peel_problem why)
{
	p->ops->note(p, why);
}
/* The object has a property that is not an infection but worth telling when
 * policy asks: "Macro.VBA", "Encrypted.Zip".  Static text. */
static inline void
peel_suspect(struct peel *p, const char *heuristic)
{
	p->ops->suspect(p, heuristic);
}
/* To be called in any loop that may run for more than some 100 kB between
 * members.  False: no time is left. */
static inline bool
peel_tick(struct peel *p)
{
	return p->ops->tick(p);
}

/* A member about which the container says only its name. */
static inline struct peel_member
peel_named(struct span name, enum format format)
{
	return (struct peel_member){ .name = name,
		.format = format,
		.packed = PEEL_UNKNOWN,
		.size = PEEL_UNKNOWN,
		.crc = PEEL_UNKNOWN };
}

typedef void opener_fn(struct span object, struct peel *out);

#endif
