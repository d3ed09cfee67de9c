#ifndef SCAN_REGEX_H
#define SCAN_REGEX_H

#include "base/span.h"

/* Regular expressions of signatures, by PCRE2.  Compiled when first needed
 * and kept for the next objects, a bounded number of them.  Without its JIT:
 * a worker may not make memory executable (ADR 4), and expressions run only
 * where the rest of their signature has matched. */
struct regex_cache; /* one thread at a time */

struct regex_cache *regex_cache_new(void); /* NULL: memory */
/* The same with room for 2^bits of them, at most 16. */
struct regex_cache *regex_cache_sized(unsigned bits);
void regex_cache_free(struct regex_cache *c);

#define REGEX_GLOBAL    1u /* g: count all matches, not just one */
#define REGEX_ROLLING   2u /* r: from the offset on */
#define REGEX_ENCOMPASS 4u /* e: all of it within offset and shift */
/* ClamAV's letters: g r e i s m x A E U. */
enum err
regex_check(struct span text, struct span flags, struct errinfo *ei) MUST_USE;
unsigned regex_flags(struct span flags); /* REGEX_* of them */

struct regex; /* lives until the cache takes another in its place */
/* `key` names it: the same key, the same expression.  `masked` as mask.h
 * says.  NULL: memory, or it does not compile. */
const struct regex *regex_get(
    struct regex_cache *c, uint64_t key, struct span masked, struct span flags);

enum regex_result { REGEX_NONE, REGEX_FOUND, REGEX_LIMIT };
/* The first match in `subject` from `from` on; `anchored`: only there. */
enum regex_result
regex_find(struct regex_cache *c, const struct regex *r, struct span subject,
    size_t from, bool anchored, size_t *start, size_t *end);

#endif
