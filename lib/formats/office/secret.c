/* Documents of 97 to 2003 that need a password, and sheets that are macros:
 * what the first records of their main streams say. */

#include "formats/office/part.h"

static bool
is_secret(struct office *o)
{
	office_note(o, PEEL_ENCRYPTED);
	office_suspect(o, OFFICE_ENCRYPTED);
	return true;
}

/* [MS-DOC] 2.5.2: fEncrypted. */
bool
word_open(struct office *o, struct span stream)
{
	uint16_t magic, flags;

	if (bytes_le16(stream, 0, &magic) && magic == 0xa5ec &&
	    bytes_le16(stream, 10, &flags) && (flags & 0x100) != 0)
		return is_secret(o);
	return true;
}

/* [MS-PPT] 2.3.2: headerToken. */
bool
presenter_open(struct office *o, struct span stream)
{
	uint32_t token;

	if (bytes_le32(stream, 12, &token) && token == 0xf3d1c4df)
		return is_secret(o);
	return true;
}

#define FILE_PASS   0x2fu
#define BOUND_SHEET 0x85u
#define END_OF_PART 0x0au
#define MACRO_SHEET 1u

/* [MS-XLS]: the records of the workbook itself, up to its end. */
bool
excel_open(struct office *o, struct span stream)
{
	uint16_t type, len;
	uint8_t kind;
	size_t at = 0;

	while (bytes_le16(stream, at, &type) &&
	    bytes_le16(stream, at + 2, &len) && type != END_OF_PART) {
		if (type == FILE_PASS)
			return is_secret(o);
		if (type == BOUND_SHEET && bytes_u8(stream, at + 9, &kind) &&
		    kind == MACRO_SHEET)
			office_suspect(o, OFFICE_MACRO_XLM);
		at += 4 + (size_t)len;
	}
	return true;
}
