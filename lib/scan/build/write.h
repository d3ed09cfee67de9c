#ifndef SCAN_BUILD_WRITE_H
#define SCAN_BUILD_WRITE_H

#include "scan/build/build_int.h"
#include "scan/set/writer.h"

/* What write.c, which writes a set, and extend.c, which writes
 * one that begins with another, share. */

/* So many bits that a table of 1 << bits has room for `count`. */
uint32_t table_bits(uint64_t count, uint32_t least, uint32_t most);

/* The rows of a table: a digest, then struct set_hash. */
struct table {
	unsigned char *rows;
	size_t count, digest_len, row_len;
};
const unsigned char *row_at(const struct table *t, size_t i);
struct set_hash row_hash(const struct table *t, size_t i);
/* In order, without those that say the same of the same digest and size. */
struct table table_sorted(struct buf *rows, size_t digest_size);
void
put_hashes(struct set_writer *w, const struct table *t, struct set_hashes *out);

/* Adds the builder's windows to a gate's bitmap. */
void mark_gate(
    uint64_t *map, uint32_t bits, const struct scan_builder *b, size_t target);
void put_gate(struct set_writer *w, const struct scan_builder *b, size_t target,
    struct set_gate *g);
/* Whether an anchor belongs into this filter. */
bool belongs(const struct anchor_row *row, size_t target, size_t filter);
void put_filter(struct set_writer *w, const struct scan_builder *b,
    size_t target, size_t filter, uint32_t shift, struct set_filter *f);
/* The signatures without an anchor, their records `shift` bytes further. */
void put_always(struct set_writer *w, const struct scan_builder *b,
    size_t target, uint32_t shift);

static inline void
set_bit(uint64_t *map, uint64_t bit)
{
	map[bit >> 6] |= UINT64_C(1) << (bit & 63);
}

/* The builder's base with what the builder has, which also stands in `own` as
 * a set of its own. */
enum err build_extend(struct scan_builder *b, struct span own, uint64_t version,
    int64_t built_ms, int fd, struct errinfo *ei) MUST_USE;

#endif
