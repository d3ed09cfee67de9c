/* Documents of 97 to 2003 that need a password: what the first records of
 * their main streams say. */

#include "formats/office/part.h"

bool
office_secret(struct office *o)
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
		return office_secret(o);
	return true;
}

/* [MS-PPT] 2.3.2: headerToken. */
bool
presenter_open(struct office *o, struct span stream)
{
	uint32_t token;

	if (bytes_le32(stream, 12, &token) && token == 0xf3d1c4df)
		return office_secret(o);
	return true;
}
