#ifndef SCAN_RULES_BUILD_GROUP_H
#define SCAN_RULES_BUILD_GROUP_H

#include "scan/build/build_int.h"
#include "scan/rules/build/pack.h"
#include "scan/rules/marks.h"

/* All rules of all files while they are divided into leaves: group.c finds
 * what they need and which belong together, leaf.c compiles those. */

#define IMPORTS_MAX 64u /* of a file that are told apart */

struct group_file {
	const struct rule_file *file;
	struct rule_source source;
	uint32_t first, count; /* rules */
	uint32_t *by_name;     /* their numbers, sorted by name */
	struct buf globals;    /* uint32_t: rules */
	struct buf imports;    /* struct rule_item, copied */
	uint32_t modules;      /* bits of module.h */
};

struct group_rule {
	uint32_t file;
	const struct rule_item *item;
	const struct gate_node *own, *gate; /* without and with globals */
	uint32_t need, needs;               /* in group.needs */
	uint64_t imports;                   /* bits: of the file's */
	uint32_t modules; /* bits: that it or what it needs uses */
	uint64_t order;
};

struct group {
	struct scan_builder *b;
	struct gate_maker maker;
	struct rules_pack pack;
	struct group_file *files;
	size_t file_count;
	struct group_rule *rules;
	uint32_t rule_count;
	struct buf needs;   /* uint32_t: rules that one refers to */
	struct marks taken; /* rules of the leaf under way */
};

static inline const struct rule_item *
group_imports(const struct group_file *f, size_t *n)
{
	*n = BUF_COUNT(&f->imports, struct rule_item);
	return BUF_ROWS(&f->imports, const struct rule_item);
}

/* ---- leaf.c ---- */

/* Compiles the rules and all that they need into a leaf, or into several if
 * libyara refuses them together. */
enum err leaf_add(struct group *g, const uint32_t *roots, size_t n,
    struct errinfo *ei) MUST_USE;
/* A file that is not divided is one leaf, always looked at. */
enum err
leaf_add_whole(struct group *g, uint32_t file, struct errinfo *ei) MUST_USE;

#endif
