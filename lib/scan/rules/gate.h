#ifndef SCAN_RULES_GATE_H
#define SCAN_RULES_GATE_H

#include "base/span.h"

/* THE GATE of a YARA rule: what must hold of an object for the rule's
 * condition to be true at all.  It is made from the condition by replacing
 * all that is not understood with "true" and all that is negated as well, so
 * it may be true too often but never false where the rule matches.
 *
 * A program is a tree of 32-bit words: an operator, the number of words of
 * the whole node, then its operands. */

enum gate_op {
	GATE_TRUE,
	GATE_AND,    /* nodes */
	GATE_OR,     /* nodes */
	GATE_STRING, /* number of a string */
	GATE_OF,     /* how many, then numbers of strings */
	GATE_CMP,    /* enum gate_cmp, two number nodes */
	/* numbers; reading outside of the object gives "undefined", and a
	 * comparison with that is false, as libyara has it */
	GATE_CONST, /* low half, high half */
	GATE_SIZE,  /* bytes of the object */
	GATE_READ,  /* enum gate_read bits, number node: where */
	GATE_ADD,   /* two number nodes; so are the next */
	GATE_SUB,
	GATE_BITS, /* bitwise and */
	GATE_OPS
};

enum gate_cmp { GATE_EQ, GATE_NE, GATE_LT, GATE_LE, GATE_GT, GATE_GE };

#define GATE_WIDTH  0x07u /* of a read: 1, 2 or 4 bytes */
#define GATE_SIGNED 0x08u
#define GATE_BIG    0x10u /* big endian */

#define GATE_DEPTH  40u    /* of nodes within nodes */
#define GATE_WORDS  65536u /* of a program */

struct gate_object {
	struct span bytes;
	const unsigned char *hits; /* for each string: it may be in there */
};

/* `program` was accepted by gate_check(). */
bool gate_open(const uint32_t *program, const struct gate_object *o);
/* One well-formed tree of exactly n words whose strings are below `strings`
 * in number. */
bool gate_check(const uint32_t *program, size_t n, uint32_t strings);

#endif
