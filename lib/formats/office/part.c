#include "formats/office/part.h"

#include <stdio.h>
#include <zlib.h>

struct office
office_begin(struct span object, struct peel *out)
{
	return (struct office){ .out = out, .object = object.len };
}

void
office_note(struct office *o, enum peel_problem why)
{
	if ((o->noted & 1u << why) == 0)
		peel_note(o->out, why);
	o->noted |= 1u << why;
}

void
office_suspect(struct office *o, enum office_suspicion what)
{
	static const char *const names[OFFICE_SUSPICIONS] = {
		[OFFICE_MACRO_VBA] = "Macro.VBA",
		[OFFICE_MACRO_XLM] = "Macro.XLM",
		[OFFICE_ENCRYPTED] = "Encrypted.Office",
		[OFFICE_RTF_OBJECT] = "Rtf.Object",
	};

	if ((o->told & 1u << what) == 0)
		peel_suspect(o->out, names[what]);
	o->told |= 1u << what;
}

struct span
office_name_next(struct office *o, const char *name, char text[OFFICE_NAME])
{
	(void)snprintf(text, OFFICE_NAME, "%s/%u", name, o->members++);
	return span_of(text);
}

static bool
inflate_pieces(struct office *o, z_stream *z)
{
	unsigned char piece[16384];
	int rc = Z_OK;

	while (rc == Z_OK) {
		size_t n;

		z->next_out = piece;
		z->avail_out = sizeof(piece);
		rc = inflate(z, Z_NO_FLUSH);
		n = sizeof(piece) - z->avail_out;
		if (n > 0 &&
		    !peel_add(o->out, (struct span){ (char *)piece, n }))
			return false;
	}
	if (rc != Z_STREAM_END)
		office_note(o, rc == Z_MEM_ERROR ? PEEL_MEMORY : PEEL_DAMAGED);
	return true;
}

bool
office_inflate(struct office *o, struct span name, struct span packed, bool raw)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);
	z_stream z = { 0 };
	bool more;

	if (packed.len > UINT32_MAX)
		packed.len = UINT32_MAX;
	if (inflateInit2(&z, raw ? -MAX_WBITS : MAX_WBITS) != Z_OK) {
		office_note(o, PEEL_MEMORY);
		return true;
	}
	/* zlib's interface is not const, but it does not write there. */
	z.next_in = (unsigned char *)(uintptr_t)packed.ptr;
	z.avail_in = (uInt)packed.len;
	m.packed = packed.len;
	more =
	    peel_begin(o->out, &m) && inflate_pieces(o, &z) && peel_end(o->out);
	(void)inflateEnd(&z);
	return more;
}
