#ifndef FORMATS_BYTES_H
#define FORMATS_BYTES_H

#include <string.h>

#include "base/span.h"

/* Numbers out of hostile bytes.  A place that is not within `s` gives false
 * and leaves *out at 0, so that a chain of reads may be checked once. */

static inline bool
bytes_have(struct span s, uint64_t at, uint64_t n)
{
	return at <= s.len && n <= s.len - at;
}

static inline struct span
bytes_sub(struct span s, uint64_t at, uint64_t n)
{
	if (at > s.len)
		at = s.len;
	if (n > s.len - at)
		n = s.len - at;
	return (struct span){ s.ptr + at, (size_t)n };
}

static inline bool
bytes_load(struct span s, uint64_t at, void *out, size_t n)
{
	memset(out, 0, n);
	if (!bytes_have(s, at, n))
		return false;
	memcpy(out, s.ptr + at, n);
	return true;
}

static inline bool
bytes_u8(struct span s, uint64_t at, uint8_t *out)
{
	return bytes_load(s, at, out, 1);
}

static inline bool
bytes_le16(struct span s, uint64_t at, uint16_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	return had;
}
static inline bool
bytes_le32(struct span s, uint64_t at, uint32_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	return had;
}
static inline bool
bytes_le64(struct span s, uint64_t at, uint64_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	return had;
}
static inline bool
bytes_be16(struct span s, uint64_t at, uint16_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	*out = __builtin_bswap16(*out);
	return had;
}
static inline bool
bytes_be32(struct span s, uint64_t at, uint32_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	*out = __builtin_bswap32(*out);
	return had;
}
static inline bool
bytes_be64(struct span s, uint64_t at, uint64_t *out)
{
	bool had = bytes_load(s, at, out, sizeof(*out));

	*out = __builtin_bswap64(*out);
	return had;
}

/* Whether these exact bytes stand at `at`. */
static inline bool
bytes_are(struct span s, uint64_t at, struct span want)
{
	return bytes_have(s, at, want.len) &&
	    memcmp(s.ptr + at, want.ptr, want.len) == 0;
}

#endif
