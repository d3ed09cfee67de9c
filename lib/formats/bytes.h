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

/* The value of a hex digit, or -1. */
static inline int
bytes_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A text of up to `max` bytes and its NUL; *at is then behind that. */
static inline bool
bytes_text(struct span s, size_t *at, size_t max, struct span *text)
{
	struct span rest = bytes_sub(s, *at, max);
	const char *end = (const char *)memchr(rest.ptr, '\0', rest.len);

	if (end == NULL)
		return false;
	*text = (struct span){ rest.ptr, (size_t)(end - rest.ptr) };
	*at += text->len + 1;
	return true;
}

/* Whether these exact bytes stand at `at`. */
static inline bool
bytes_are(struct span s, uint64_t at, struct span want)
{
	return bytes_have(s, at, want.len) &&
	    memcmp(s.ptr + at, want.ptr, want.len) == 0;
}

#endif
