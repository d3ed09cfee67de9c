#ifndef SCAN_RULES_BUILD_NEEDLE_H
#define SCAN_RULES_BUILD_NEEDLE_H

#include "base/buf.h"
#include "scan/rules/build/anchor.h"
#include "scan/rules/build/source.h"

/* From a string of a rule to its needles: bytes of which at least one must
 * stand in an object in which libyara finds the string. */

#define NEEDLE_MAX 64u /* bytes of one */

struct needle {
	uint32_t bytes; /* in `bytes` of the list */
	uint16_t len, flags;
	uint16_t keys; /* as in rules_needle */
};

struct needles {
	struct buf list;  /* struct needle */
	struct buf bytes; /* with nocase in small letters */
};

void needles_init(struct needles *n);
void needles_free(struct needles *n);
/* Appends those of a string.  False, and nothing appended: it has none that
 * can be searched for. */
bool needles_add(struct needles *n, const struct rule_string *s);
/* Valid until the next is added. */
struct run needle_run(const struct needles *n, const struct needle *e);

/* ---- between needle.c, needle_hex.c and needle_regex.c ---- */

#define LITERAL_MAX 4096u /* bytes of a string that are looked at */

struct literal {
	size_t len;
	unsigned char bytes[LITERAL_MAX];
	bool cut; /* it goes on */
};

void literal_add(struct literal *l, unsigned char c);
struct run literal_run(const struct literal *l);
/* A backslash stands at *at: the byte that it means; false: it is \w and the
 * like, or not of the language. */
bool literal_escape(struct span s, size_t *at, bool regex, unsigned char *out);

/* What a run is worth as a needle; 0: nothing can be looked for. */
uint32_t run_worth(struct run r);
/* Not more than NEEDLE_MAX bytes of it, around the best place. */
struct run run_cut(struct run r);

bool needle_add(struct needles *n, struct run r, unsigned flags);
/* Plain, wide, under XOR, as base64: as the modifiers of the string say. */
bool needle_add_forms(
    struct needles *n, const struct rule_string *s, const struct literal *l);
bool needle_add_hex(struct needles *n, const struct rule_string *s);
bool needle_add_regex(struct needles *n, const struct rule_string *s);

#endif
