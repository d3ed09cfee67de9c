/* The source of macros ([MS-OVBA] 2.4.1), compressed somewhere in a stream: it
 * begins with "Attribute VB_", whose first letters are never compressed.  So
 * it is found without the directory of the project, which malware breaks. */

#include <string.h>

#include "formats/office/part.h"

#define CHUNK     4096u /* bytes of a chunk, unpacked */
#define SIGNATURE '\1'
#define BEGINNING SPAN("\0Attribut")

/* How many bits of a copy token say how far back it reaches. */
static unsigned
distance_bits(size_t have)
{
	unsigned bits = 4;

	while (bits < 12 && ((size_t)1 << bits) < have)
		bits++;
	return bits;
}

/* A token that repeats what was unpacked; false: it reaches too far. */
static bool
copy(unsigned char *out, size_t *len, uint16_t token)
{
	unsigned bits = distance_bits(*len);
	size_t back = (size_t)(token >> (16 - bits)) + 1;
	size_t n = (size_t)(token & (0xffffu >> bits)) + 3;

	if (back > *len)
		return false;
	for (; n > 0 && *len < CHUNK; n--, ++*len)
		out[*len] = out[*len - back];
	return true;
}

/* A chunk of tokens, eight of them behind each byte of flags. */
static size_t
unpack_chunk(struct span s, unsigned char out[CHUNK])
{
	size_t at = 0, len = 0;

	while (at < s.len && len < CHUNK) {
		unsigned flags = (unsigned char)s.ptr[at++];

		for (int i = 0; i < 8 && at < s.len && len < CHUNK; i++) {
			uint16_t token;

			if ((flags >> i & 1) == 0) {
				out[len++] = (unsigned char)s.ptr[at++];
				continue;
			}
			if (!bytes_le16(s, at, &token) ||
			    !copy(out, &len, token))
				return len;
			at += 2;
		}
	}
	return len;
}

/* Chunks as long as they look like some, into the member that is begun;
 * *used: the bytes of all. */
static bool
unpack(struct office *o, struct span s, size_t *used)
{
	unsigned char out[CHUNK];
	size_t at = 1;
	uint16_t head;

	while (bytes_le16(s, at, &head) && (head & 0x7000) == 0x3000) {
		struct span packed =
		    bytes_sub(s, at + 2, (uint64_t)(head & 0xfff) + 1);
		struct span text = packed;

		if ((head & 0x8000) != 0)
			text = (struct span){ (const char *)out,
				unpack_chunk(packed, out) };
		at += 2 + packed.len;
		if (text.len > 0 && !peel_add(o->out, text))
			return false;
	}
	*used = at;
	return true;
}

static bool
source_open(struct office *o, struct span s, size_t *used)
{
	char text[OFFICE_NAME];
	struct span name = office_name_next(o, "macro", text);
	struct peel_member m = peel_named(name, FORMAT_ANY);

	office_suspect(o, OFFICE_MACRO_VBA);
	return peel_begin(o->out, &m) && unpack(o, s, used) && peel_end(o->out);
}

bool
vba_open(struct office *o, struct span stream)
{
	const struct span beginning = BEGINNING;
	size_t at = 0;

	while (at < stream.len) {
		const char *p = memmem(stream.ptr + at, stream.len - at,
		    beginning.ptr, beginning.len);
		size_t used = 0;

		if (p == NULL)
			return true;
		at = (size_t)(p - stream.ptr);
		if (at >= 3 && stream.ptr[at - 3] == SIGNATURE &&
		    !source_open(o, span_from(stream, at - 3), &used))
			return false;
		at += used > beginning.len + 3 ? used - 3 : beginning.len;
	}
	return true;
}
