#ifndef PACK_FLOW_H
#define PACK_FLOW_H

#include "formats/peel.h"

/* What a decompressor writes.  The last `size` bytes stay at hand for its
 * matches; whenever the ring is full, its bytes go to the sink, or to a
 * function that knows more about them.  `left` bounds the output: a
 * decompressor never writes more than the container claims. */
typedef bool flow_fn(void *arg, struct span bytes);
struct flow {
	struct peel *out;
	flow_fn *to; /* NULL: peel_add() */
	void *arg;
	uint8_t *ring;
	size_t size, at, sent; /* size: a power of two */
	uint64_t left;         /* bytes that may still come */
	uint64_t total;        /* bytes that came */
	bool stopped;          /* the sink said so: return at once */
};

#define FLOW_SIZE_MIN 4096u
#define FLOW_SIZE_MAX (128u << 20)

/* `size` is rounded up; `fill` is what stands in front of the first byte.
 * False: no memory, which is noted; or larger than FLOW_SIZE_MAX, noted as
 * unsupported.  flow_free() is fine in either case. */
bool flow_init(
    struct flow *f, struct peel *out, uint64_t size, int fill, uint64_t left);
void flow_free(struct flow *f);
/* Gives out what is kept back.  False: the sink said stop. */
bool flow_flush(struct flow *f);

/* True while bytes are wanted. */
static inline bool
flow_wants(const struct flow *f)
{
	return f->left > 0 && !f->stopped;
}

static inline void
flow_put(struct flow *f, uint8_t byte)
{
	if (!flow_wants(f))
		return;
	f->ring[f->at++] = byte;
	f->left--;
	f->total++;
	if (f->at == f->size)
		(void)flow_flush(f);
}

/* `len` bytes from `distance` back, at least 1.  A distance beyond the ring
 * is taken around it. */
void flow_copy(struct flow *f, size_t distance, uint64_t len);
void flow_span(struct flow *f, struct span bytes);
/* Room for at least one byte, if any is wanted, in which a decoder writes by
 * itself; and how many it wrote. */
uint8_t *flow_room(struct flow *f, size_t *n);
void flow_wrote(struct flow *f, size_t n);

/* A member of its own: begins it; false: stop. */
bool flow_begin(struct flow *f, struct peel *out, const struct peel_member *m,
    uint64_t size, int fill, uint64_t left);
/* Ends it and frees the ring.  `ok`: what came is what was packed.  False:
 * stop. */
bool flow_end(struct flow *f, bool ok);

#endif
