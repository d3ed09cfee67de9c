#ifndef SCAN_RULES_BUILD_CONDITION_H
#define SCAN_RULES_BUILD_CONDITION_H

#include "scan/rules/build/node.h"
#include "scan/rules/build/source.h"

/* What a condition may speak of. */
struct condition_scope {
	struct gate_maker *maker;
	const struct rule_string *strings; /* of the rule */
	const uint32_t *ids;               /* their numbers, or STRING_ANY */
	uint32_t count;
	uint32_t modules; /* bits of module.h: those that the file imports */
	/* The gate of a rule that was declared before; NULL: no such. */
	const struct gate_node *(*rule)(void *arg, struct span name);
	void *arg;
};

/* From the condition of a rule to its gate; one that is not understood has
 * the gate that is always open. */
const struct gate_node *
condition_gate(const struct condition_scope *scope, struct span condition);

#endif
