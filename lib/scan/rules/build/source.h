#ifndef SCAN_RULES_BUILD_SOURCE_H
#define SCAN_RULES_BUILD_SOURCE_H

#include "base/buf.h"

/* YARA rule text taken apart as far as the build needs it: where each rule
 * begins and ends, its name, its strings and its condition.  The language is
 * that of libyara 4.2; libyara itself stays the judge of what is valid, this
 * reader only has to agree with it on what both accept.  Spans point into
 * the text.  Takes one pass, and memory in proportion to the text. */

#define RULE_NOCASE   0x01u
#define RULE_WIDE     0x02u
#define RULE_ASCII    0x04u
#define RULE_FULLWORD 0x08u
#define RULE_XOR      0x10u
#define RULE_BASE64   0x20u
#define RULE_BASE64W  0x40u
#define RULE_PRIVATE  0x80u
#define RULE_ALPHABET 0x100u /* base64 with one of its own */

enum rule_string_kind { RULE_S_TEXT, RULE_S_REGEX, RULE_S_HEX };

struct rule_string {
	enum rule_string_kind kind;
	unsigned flags;
	unsigned xor_min, xor_max;
	struct span name;  /* "$a"; "$" when it has none */
	struct span value; /* with its quotes, slashes or braces */
};

enum rule_item_kind {
	RULE_I_RULE,
	RULE_I_IMPORT,  /* `name` is the module */
	RULE_I_INCLUDE, /* `name` is the file */
	RULE_I_BROKEN,  /* what cannot be read, up to where it can again */
};

struct rule_item {
	enum rule_item_kind kind;
	bool global, private;
	struct span text; /* the whole item */
	size_t line, last_line;
	struct span name;
	struct span condition;    /* behind the colon, before the brace */
	uint32_t string, strings; /* in rule_source.strings */
};

struct rule_source {
	struct span text;
	struct buf items;   /* struct rule_item */
	struct buf strings; /* struct rule_string */
};

/* ERR_NOMEM only; what cannot be read is an item.  To be freed either way. */
enum err rule_source_parse(
    struct span text, struct rule_source *out, struct errinfo *ei) MUST_USE;
void rule_source_free(struct rule_source *s);

static inline struct rule_item *
rule_items(const struct rule_source *s)
{
	return BUF_ROWS(&s->items, struct rule_item);
}

static inline size_t
rule_items_count(const struct rule_source *s)
{
	return BUF_COUNT(&s->items, struct rule_item);
}

static inline const struct rule_string *
rule_strings(const struct rule_source *s)
{
	return BUF_ROWS(&s->strings, struct rule_string);
}

#endif
