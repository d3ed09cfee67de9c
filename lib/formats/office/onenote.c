/* Sections of OneNote ([MS-ONESTORE] 2.6.13): embedded files, found by the
 * GUID that stands before each, as damaged sections open too. */

#include <string.h>

#include "formats/bytes.h"
#include "formats/office/office.h"
#include "formats/office/part.h"

#define FILE_HEAD 36u /* GUID, length, unused */

void
open_onenote(struct span object, struct peel *out)
{
	static const struct span guid = SPAN(
	    "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac");
	struct office o = office_begin(object, out);
	size_t at = 0;

	while (at < object.len) {
		const char *p = memmem(
		    object.ptr + at, object.len - at, guid.ptr, guid.len);
		struct peel_member m;
		struct span file;
		char text[OFFICE_NAME];
		uint64_t len;

		if (p == NULL)
			return;
		at = (size_t)(p - object.ptr);
		(void)bytes_le64(object, at + guid.len, &len);
		file = bytes_sub(object, at + FILE_HEAD, len);
		m = peel_named(office_name_next(&o, "file", text), FORMAT_ANY);
		if (file.len < len)
			office_note(&o, PEEL_DAMAGED);
		if (file.len > 0 && !peel_slice(out, &m, file))
			return;
		at += guid.len;
	}
}
