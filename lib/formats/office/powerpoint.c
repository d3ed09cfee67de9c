/* The stream "PowerPoint Document" ([MS-PPT]): records, some of which hold
 * records.  Embedded objects are compound files, most of them deflated. */

#include "formats/office/part.h"

#define RECORD_HEAD  8u
#define CONTAINER    0xfu
#define OLE_STORAGE  0x1011u
#define TICK_RECORDS 4096u

static bool
storage_open(struct office *o, uint16_t version, struct span data)
{
	char text[OFFICE_NAME];
	struct span name = office_name_next(o, "object", text);
	struct office_packed packed = { .name = name,
		.bytes = span_from(data, 4) };
	struct peel_member m = peel_named(name, FORMAT_ANY);

	/* The instance says whether it is deflated, behind its size. */
	if (version >> 4 == 1)
		return office_inflate(o, &packed);
	return data.len == 0 || peel_slice(o->out, &m, data);
}

bool
powerpoint_open(struct office *o, struct span s)
{
	size_t at = 0;

	for (unsigned n = 1; bytes_have(s, at, RECORD_HEAD); n++) {
		uint16_t version, type;
		uint32_t len;

		(void)bytes_le16(s, at, &version);
		(void)bytes_le16(s, at + 2, &type);
		(void)bytes_le32(s, at + 4, &len);
		at += RECORD_HEAD;
		if (n % TICK_RECORDS == 0 && !peel_tick(o->out))
			return false;
		if ((version & 0xf) == CONTAINER)
			continue;
		if (type == OLE_STORAGE &&
		    !storage_open(o, version, bytes_sub(s, at, len)))
			return false;
		at = len > s.len - at ? s.len : at + len;
	}
	return true;
}
