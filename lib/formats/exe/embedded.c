#include "formats/exe/pe_pack.h"

/* Programs within other files: droppers, installers, documents.  ClamAV looks
 * for them in programs, texts and some containers, and takes each one up to
 * the end of the file.  Here each one ends where the next begins that is not
 * part of it: then no byte is given twice at one level, and many programs in
 * a row are no deep nest. */

#define SECTIONS_MAX 96u /* with more Windows XP loads none */

/* The header tells a program from two letters quickly. */
static bool
is_program(struct span s, struct exe *x)
{
	uint32_t header;
	uint16_t sections;

	return bytes_are(s, 0, SPAN("MZ")) && bytes_le32(s, 60, &header) &&
	    bytes_are(s, header, SPAN("PE\0\0")) &&
	    bytes_le16(s, header + 6ull, &sections) &&
	    sections <= SECTIONS_MAX && exe_parse(s, x);
}

bool
pe_is_embedded(struct span s)
{
	struct exe x;

	return is_program(s, &x);
}

/* The first program at `at` or behind; its own bytes end at *end.  False when
 * there is none, or no time. */
static bool
next_program(
    struct span object, size_t at, size_t *begin, size_t *end, struct peel *out)
{
	struct exe x;
	const char *p;
	unsigned turn = 0;

	while (
	    (p = memmem(object.ptr + at, object.len - at, "MZ", 2)) != NULL) {
		at = (size_t)(p - object.ptr);
		if (is_program(span_from(object, at), &x)) {
			*begin = at;
			*end = at + (size_t)x.overlay;
			if (*end <= at + 2)
				*end = at + 2;
			return true;
		}
		at += 2;
		if (++turn % 256 == 0 && !peel_tick(out))
			return false;
	}
	return false;
}

bool
pe_embedded_give(struct span object, size_t from, struct peel *out)
{
	struct peel_member m = peel_named(SPAN("embedded"), FORMAT_MSEXE);
	size_t begin, end, next, next_end = 0;
	bool more =
	    from < object.len && next_program(object, from, &begin, &end, out);

	while (more) {
		more = peel_tick(out) && end < object.len &&
		    next_program(object, end, &next, &next_end, out);
		if (!more)
			next = object.len;
		m.packed = m.size = next - begin;
		if (!peel_slice(out, &m, bytes_sub(object, begin, m.size)))
			return false;
		begin = next;
		end = next_end;
	}
	return peel_tick(out);
}

void
open_embedded_pe(struct span object, struct peel *out)
{
	(void)pe_embedded_give(object, 0, out);
}
