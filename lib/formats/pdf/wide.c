#include "formats/pdf/wide.h"

/* 0 behind the end. */
static uint32_t
unit(struct span s, size_t at, bool big_endian)
{
	const unsigned char *p = (const unsigned char *)s.ptr + at;

	if (s.len < 2 || at > s.len - 2)
		return 0;
	return big_endian ? (uint32_t)p[0] << 8 | p[1]
			  : (uint32_t)p[1] << 8 | p[0];
}

void
wide_add_utf16(struct buf *out, struct span s, bool big_endian)
{
	for (size_t i = 0; i + 1 < s.len; i += 2) {
		uint32_t c = unit(s, i, big_endian);
		uint32_t low = unit(s, i + 2, big_endian);

		if ((c & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
			i += 2;
		} else if ((c & 0xf800) == 0xd800) {
			c = 0xfffd;
		}
		buf_utf8(out, c);
	}
}

void
wide_add_latin1(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_utf8(out, (unsigned char)s.ptr[i]);
}
