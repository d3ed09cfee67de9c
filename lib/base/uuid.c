#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void
random_bytes(void *out, size_t n)
{
	unsigned char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

uint64_t
random_below(uint64_t below)
{
	uint64_t v, limit = UINT64_MAX - UINT64_MAX % below;

	do
		random_bytes(&v, sizeof(v));
	while (v >= limit);
	return v % below;
}

struct uuid
uuid_make(const struct clock *c)
{
	uint64_t ms = (uint64_t)clock_utc_ms(c);
	struct uuid u;

	random_bytes(u.b, sizeof(u.b));
	for (int i = 0; i < 6; i++)
		u.b[i] = (unsigned char)(ms >> (40 - 8 * i));
	u.b[6] = (unsigned char)(0x70 | (u.b[6] & 0x0f));
	u.b[8] = (unsigned char)(0x80 | (u.b[8] & 0x3f));
	return u;
}

bool
uuid_eq(struct uuid a, struct uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool
uuid_none(struct uuid u)
{
	return uuid_eq(u, (struct uuid){ 0 });
}

void
uuid_text(struct uuid u, char out[UUID_TEXT_MAX])
{
	static const unsigned char cuts[] = { 4, 2, 2, 2, 6 };
	size_t from = 0, to = 0;

	for (size_t i = 0; i < COUNT(cuts); i++) {
		if (i > 0)
			out[to++] = '-';
		hex_encode(u.b + from, cuts[i], out + to);
		from += cuts[i];
		to += (size_t)cuts[i] * 2;
	}
}

enum err
uuid_parse(struct span s, struct uuid *out)
{
	char hex[32];
	size_t n = 0;

	if (s.len != 36)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.len; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s.ptr[i] != '-')
				return ERR_SYNTAX;
			continue;
		}
		hex[n++] = s.ptr[i];
	}
	return hex_decode((struct span){ hex, n }, out->b, sizeof(out->b));
}
