#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrowed bytes that came from outside.  Not NUL-terminated, may hold any
 * byte.  Passed by value; whoever made it keeps the bytes alive. */
struct span {
	const char *ptr;
	size_t len;
};

#define SPAN(lit)   ((struct span){ (lit), sizeof(lit) - 1 })
#define SPAN_FMT    "%.*s" /* printf of a short span: SPAN_ARG(s) */
#define SPAN_ARG(s) (int)((s).len > 200 ? 200 : (s).len), (s).ptr

struct span span_of(const char *text); /* of a C string; NULL gives empty */
bool span_eq(struct span a, struct span b);
bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *prefix);
bool span_ends(struct span s, const char *suffix);
int span_cmp(struct span a, struct span b); /* bytewise, like memcmp */

/* The part before the first `sep` (all if there is none); *rest is what
 * follows it, empty at the end.  `rest` may be the address of the input. */
struct span span_cut(struct span s, char sep, struct span *rest);
/* Blanks, tabs, CR and LF removed at both ends. */
struct span span_trim(struct span s);
struct span span_from(struct span s, size_t at); /* s[at..], or empty */

/* The first place of `what`, or NULL.  Its byte at `rare` is one that is not
 * met often: that alone is looked for, many bytes at once. */
const char *span_find(struct span s, struct span what, size_t rare);

/* Decimal digits only; ERR_SYNTAX for anything else, ERR_LIMIT above max. */
enum err span_u64(struct span s, uint64_t max, uint64_t *out) MUST_USE;
enum err span_i64(struct span s, int64_t *out) MUST_USE; /* may have '-' */

/* Bytes of the character that s begins with; 0 if that is not well-formed
 * UTF-8 (RFC 3629), or NUL, or s is empty. */
size_t span_utf8_step(struct span s);
/* The character as UTF-8; how many bytes it is.  Above 10ffff the bytes are
 * four, and no character. */
size_t utf8_encode(uint32_t code, char out[4]);
/* True for well-formed UTF-8 without NUL. */
bool span_utf8(struct span s);

/* Lower-case hex of n bytes into out[2n + 1]. */
void hex_encode(const void *bytes, size_t n, char *out);
/* Exactly 2n hex digits of either case into n bytes. */
enum err hex_decode(struct span s, void *bytes, size_t n) MUST_USE;

#endif
