#ifndef SCAN_RULES_BUILD_CONDITION_H
#define SCAN_RULES_BUILD_CONDITION_H

#include "base/arena.h"
#include "base/buf.h"
#include "scan/rules/build/text.h"
#include "scan/rules/gate.h"

/* From the condition of a rule to its gate (gate.h), at build time.
 * Nodes live in the arena they were made in, are not changed afterwards and
 * may be shared. */
struct gate_node;

#define STRING_ANY UINT32_MAX /* a string that is not searched for by us */

struct gate_scope {
	struct arena *arena;
	const struct rule_string *strings; /* of the rule */
	const uint32_t *ids;               /* their numbers, or STRING_ANY */
	uint32_t count;
	bool pe, elf, dotnet, macho; /* the file imports that module */
	/* The gate of a rule that was declared before; NULL: no such. */
	const struct gate_node *(*rule)(void *arg, struct span name);
	void *arg;
};

/* NULL when memory is out.  A condition that is not understood has the gate
 * that is always open, and *understood false. */
const struct gate_node *gate_bound(
    const struct gate_scope *scope, struct span condition, bool *understood);
/* NULL when memory is out, or one of them is NULL. */
const struct gate_node *gate_both(struct arena *a, const struct gate_node *left,
    const struct gate_node *right);
const struct gate_node *gate_always(void);

/* It is closed for an object in which no string was found. */
bool gate_needs_string(const struct gate_node *n);
/* It is closed for an object in which no string was found and of whose first
 * bytes no comparison is true. */
bool gate_needs_bytes(const struct gate_node *n);
/* It is closed for every object. */
bool gate_never(const struct gate_node *n);
/* The part about the first bytes that must hold whatever else does; NULL:
 * none. */
const struct gate_node *gate_magic(const struct gate_node *n);
/* The strings that it asks for, as uint32_t; some perhaps twice. */
void gate_strings(const struct gate_node *n, struct buf *out);
void gate_write(const struct gate_node *n, struct buf *out);

#endif
