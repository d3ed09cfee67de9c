#ifndef FORMATS_OFFICE_UTF16_H
#define FORMATS_OFFICE_UTF16_H

#include "base/buf.h"

/* The first character of n > 0 units, appended as UTF-8 (half a pair as
 * U+FFFD); how many units it was, at least 1. */
static inline unsigned
utf16_add(const uint16_t *u, size_t n, struct buf *out)
{
	uint32_t c = u[0];
	unsigned used = 1;

	if (c >= 0xd800 && c < 0xdc00 && n > 1 && u[1] >= 0xdc00 &&
	    u[1] < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10) + (u[1] - 0xdc00u);
		used = 2;
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	if (c < 0x80) {
		buf_char(out, (char)c);
		return used;
	}
	if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_char(out, (char)(0xe0 | c >> 12));
		} else {
			buf_char(out, (char)(0xf0 | c >> 18));
			buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_char(out, (char)(0x80 | (c & 0x3f)));
	return used;
}

/* Small letters of ASCII only: enough for the names that programs look for. */
static inline uint16_t
utf16_lower(uint16_t u)
{
	return u >= 'A' && u <= 'Z' ? (uint16_t)(u + 32) : u;
}

#endif
