#ifndef SCAN_RULES_BUILD_PACK_H
#define SCAN_RULES_BUILD_PACK_H

#include "scan/rules/build/needle.h"
#include "scan/rules/build/node.h"
#include "scan/rules/rules_format.h"

/* The filter of rules_format.h while it is collected.  Whatever does not fit
 * is told by rules_pack_write(). */

struct string_key;
/* Two numbers: of a link a string and a gate, of an anchor as rules_anchor. */
struct pack_row {
	uint32_t key, value;
};

struct rules_pack {
	struct needles needles;
	struct buf owners; /* uint32_t: the string of each needle */
	uint32_t strings;
	struct string_key *keys; /* open addressing */
	size_t key_slots, key_count;
	struct buf gates;    /* struct rules_gate */
	struct buf words;    /* uint32_t */
	struct buf standing; /* uint32_t */
	struct buf links;    /* struct pack_row */
	struct buf leaves;   /* struct rules_leaf */
	struct buf sources;  /* uint32_t */
	struct buf texts;
	struct buf streams;
	uint32_t leaf_gates; /* the first gate of the leaf under way */
	size_t leaf_stream;  /* where its stream begins */
	bool nomem;
};

void rules_pack_init(struct rules_pack *p, size_t streams_max);
void rules_pack_free(struct rules_pack *p);

/* The number of a string that is searched for from now on, the same for the
 * same string; STRING_ANY if it cannot be.  Its text is borrowed. */
uint32_t rules_pack_string(struct rules_pack *p, const struct rule_string *s);
void rules_pack_source(struct rules_pack *p, const char *name);
/* A gate of the leaf that rules_pack_leaf() will end. */
void rules_pack_gate(struct rules_pack *p, const struct gate_node *n);
/* What was appended to `streams` since the last call is a leaf. */
void rules_pack_leaf(struct rules_pack *p);
/* tables.c: makes the tables of all that, and writes them. */
enum err rules_pack_write(
    struct rules_pack *p, struct buf *out, struct errinfo *ei) MUST_USE;

#endif
