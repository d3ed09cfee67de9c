#ifndef SCAN_BUILD_INT_H
#define SCAN_BUILD_INT_H

#include "scan/body.h"
#include "scan/scan.h"

/* What a set is made of, while it is collected.  The bufs hold arrays of
 * the named structs. */

#define ENGINE_LEVEL   230u /* ClamAV's functionality level that we claim */
#define BUILD_BYTES    (UINT32_MAX - 4096u) /* offsets are 32 bits */
#define BUILD_ROWS     ((size_t)1 << 36)    /* bytes of a table */
#define RULES_TEXT_MAX (256u << 20)

struct hash_row {
	unsigned char digest[HASH_LEN_MAX];
	uint64_t size;
	uint32_t name, source;
};
struct rule_file {
	char *name;
	char *text; /* NUL-ended; rules that were dropped are blanks */
	bool whole; /* we read it otherwise than libyara: not to be divided */
};

struct scan_builder {
	scan_problem_fn *problem;
	void *arg;
	struct scan_counts counts;
	struct buf texts; /* NUL-ended, from offset 1 on */
	struct buf hash[HASH_USES][HASH_KINDS]; /* struct hash_row */
	struct buf patterns;                    /* struct set_pattern */
	struct buf parts;                       /* struct set_part */
	struct buf specials;                    /* struct set_special */
	struct buf bytes;
	struct buf anchors[FILTERS]; /* struct set_anchor */
	struct buf rules;            /* struct rule_file */
	size_t rules_size;
	struct body body; /* scratch */
	const char *file; /* the one being added */
	uint32_t source;  /* its name in `texts` */
	size_t line;
};

extern const uint32_t filter_widths[FILTERS];

/* Counts the line and tells the caller of the builder. */
void build_problem(struct scan_builder *b, size_t line, const char *reason);
/* Offset of a copy of `s` in the texts, 0 when they are full. */
uint32_t build_text(struct scan_builder *b, struct span s);

/* rules_build.c: take a YARA file without the rules that do not compile, and
 * those that need them, each of which is a problem. */
enum err build_rules_add(
    struct scan_builder *b, struct span text, struct errinfo *ei) MUST_USE;
/* rules_group.c: compile all that were added into what rules_open() reads,
 * appended to `out`. */
enum err build_rules_save(
    struct scan_builder *b, struct buf *out, struct errinfo *ei) MUST_USE;

#endif
