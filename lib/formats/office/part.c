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
inflate_pieces(struct office *o, z_stream *z, const struct office_packed *p)
{
	unsigned char piece[16384];
	size_t skip = p->skip;
	int rc = Z_OK;

	while (rc == Z_OK) {
		struct span s = { (const char *)piece, 0 };
		size_t n;

		z->next_out = piece;
		z->avail_out = sizeof(piece);
		rc = inflate(z, Z_NO_FLUSH);
		s.len = sizeof(piece) - z->avail_out;
		n = s.len < skip ? s.len : skip;
		skip -= n;
		s = span_from(s, n);
		if (s.len > 0 && !peel_add(o->out, s))
			return false;
	}
	if (rc == Z_MEM_ERROR)
		office_note(o, PEEL_MEMORY);
	else if (rc != Z_STREAM_END && !(p->loose && rc == Z_DATA_ERROR))
		office_note(o, PEEL_DAMAGED);
	return true;
}

bool
office_inflate(struct office *o, const struct office_packed *p)
{
	struct peel_member m = peel_named(p->name, FORMAT_ANY);
	z_stream z = { 0 };
	bool more;

	m.packed = p->bytes.len > UINT32_MAX ? UINT32_MAX : p->bytes.len;
	if (inflateInit2(&z, p->raw ? -MAX_WBITS : MAX_WBITS) != Z_OK) {
		office_note(o, PEEL_MEMORY);
		return true;
	}
	/* zlib's interface is not const, but it does not write there. */
	z.next_in = (unsigned char *)(uintptr_t)p->bytes.ptr;
	z.avail_in = (uInt)m.packed;
	more = peel_begin(o->out, &m) && inflate_pieces(o, &z, p) &&
	    peel_end(o->out);
	(void)inflateEnd(&z);
	return more;
}
