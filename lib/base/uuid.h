#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/clock.h"

/* Random numbers and the keys made of them.  Any thread. */

/* Fill with getrandom(2); cannot fail once the kernel is up, aborts if it
 * does (nothing is safe without it). */
void random_bytes(void *out, size_t n);
/* Uniform in 0..below-1; below > 0. */
uint64_t random_below(uint64_t below);

/* RFC 9562.  All-zero means "none". */
struct uuid {
	unsigned char b[16];
};
#define UUID_TEXT_MAX 37

struct uuid uuid_make(const struct clock *c); /* version 7: sorts by time */
bool uuid_eq(struct uuid a, struct uuid b);
bool uuid_none(struct uuid u);
void uuid_text(struct uuid u, char out[UUID_TEXT_MAX]); /* lower case */
enum err uuid_parse(struct span s, struct uuid *out) MUST_USE;

#endif
