#ifndef SCAN_RULES_BUILD_NODE_H
#define SCAN_RULES_BUILD_NODE_H

#include "base/arena.h"
#include "base/buf.h"
#include "scan/rules/gate.h"

/* Gates (gate.h) while they are made: trees of nodes that simplify
 * themselves.  Nodes live in the arena of their maker, are not changed once
 * they are made and may be shared.  Nobody gets NULL because memory is out:
 * the maker remembers that, and what it made is not to be used. */

#define GATE_WORDS_MAX 4096u      /* of a gate; a longer one is always open */
#define STRING_ANY     UINT32_MAX /* one that we do not search for */
#define STRING_THIS    (UINT32_MAX - 1) /* "$": that of the loop around */

/* As it is written: op, words, operands, kids. */
struct gate_node {
	enum gate_op op;
	uint32_t words, depth; /* of the program that it makes */
	uint32_t operand_count, kid_count;
	uint32_t *operands; /* what is in it that is no node */
	const struct gate_node *kids[];
};

struct gate_maker {
	struct arena *arena;
	bool nomem;
};

/* ---- what holds ---- */

const struct gate_node *gate_always(void);
const struct gate_node *gate_never(void);
/* GATE_AND or GATE_OR of n nodes. */
const struct gate_node *gate_join(struct gate_maker *m, enum gate_op op,
    const struct gate_node *const *nodes, size_t n);
const struct gate_node *gate_both(struct gate_maker *m,
    const struct gate_node *left, const struct gate_node *right);
const struct gate_node *gate_string(struct gate_maker *m, uint32_t id);
/* At least `need` of the n strings. */
const struct gate_node *
gate_of(struct gate_maker *m, int64_t need, const uint32_t *ids, size_t n);
/* Always open where one of the numbers is not known. */
const struct gate_node *gate_compare(struct gate_maker *m, enum gate_cmp cmp,
    const struct gate_node *a, const struct gate_node *b);

/* ---- numbers, of which NULL is one that is not known ---- */

const struct gate_node *gate_constant(struct gate_maker *m, int64_t value);
const struct gate_node *gate_size(struct gate_maker *m);
/* `how`: enum gate_read bits. */
const struct gate_node *
gate_read(struct gate_maker *m, uint32_t how, const struct gate_node *at);
/* GATE_ADD and the like. */
const struct gate_node *gate_calculate(struct gate_maker *m, enum gate_op op,
    const struct gate_node *a, const struct gate_node *b);
/* Is it known at build time? */
bool gate_value(const struct gate_node *n, int64_t *out);

/* ---- questions ---- */

#define WITHOUT_THIS    0x01u /* the string of the loop around */
#define WITHOUT_STRINGS 0x02u /* any string */
#define WITHOUT_READS   0x04u /* a comparison of the object's bytes */

/* Could it be open without those, were all else as it likes? */
bool gate_possible(const struct gate_node *n, unsigned without);
/* The part about the first bytes that must hold whatever else does; NULL:
 * none. */
const struct gate_node *gate_magic(const struct gate_node *n);
/* The strings that it asks for, as uint32_t; some perhaps twice. */
void gate_strings(const struct gate_node *n, struct buf *out);
void gate_write(const struct gate_node *n, struct buf *out);

#endif
