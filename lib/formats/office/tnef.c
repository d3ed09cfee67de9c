/* TNEF (MS-OXTNEF), "winmail.dat": what a mail's attachments travel in.
 *
 *	file		signature, key, attributes
 *	attribute	level (1: the mail, 2: an attachment), id, length, data,
 *			checksum
 *
 * An attachment's data follows its name, or is a property within the
 * attribute of its MAPI properties; both are given.  So are the properties of
 * the mail that hold its body, since they may be compressed or HTML. */

#include <string.h>

#include "formats/bytes.h"
#include "formats/office/office.h"
#include "formats/office/part.h"

#define ATTACH_DATA    0x6800fu
#define ATTACH_TITLE   0x18010u
#define ATTACH_MAPI    0x69005u
#define MESSAGE_MAPI   0x69003u
#define BODY           0x2800cu

#define PROPERTIES_MAX 4096u
#define PR_ATTACH_DATA 0x3701u
#define PR_ATTACH_NAME 0x3707u
#define PR_RTF         0x1009u
#define PR_HTML        0x1013u

struct tnef {
	struct office office;
	struct span title; /* of the attachment that is under way */
	bool wanted, damaged;
};

static void
give(struct tnef *t, struct span name, struct span bytes)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);

	m.size = bytes.len;
	if (bytes.len > 0)
		t->wanted = peel_slice(t->office.out, &m, bytes);
}

/* ---- MAPI properties ------------------------------------------------------------------ */

enum {
	MAPI_STRING8 = 0x1e,
	MAPI_UNICODE = 0x1f,
	MAPI_OBJECT = 0xd,
	MAPI_BINARY = 0x102,
	MAPI_MANY = 0x1000
};

static size_t
fixed_size(unsigned type)
{
	static const struct {
		uint8_t type, size;
	} sizes[] = { { 2, 4 }, { 3, 4 }, { 4, 4 }, { 5, 8 }, { 6, 8 },
		{ 7, 8 }, { 0xa, 4 }, { 0xb, 4 }, { 0x14, 8 }, { 0x40, 8 },
		{ 0x48, 16 } };

	for (size_t i = 0; i < COUNT(sizes); i++)
		if (sizes[i].type == type)
			return sizes[i].size;
	return 0;
}

/* The names of properties that have them: a set, a kind, an id or a text. */
static bool
skip_name(struct span s, size_t *at)
{
	uint32_t kind, n;

	if (!bytes_le32(s, *at + 16, &kind) || !bytes_le32(s, *at + 20, &n))
		return false;
	*at += 24;
	if (kind == 1)
		*at += ((size_t)n + 3) & ~(size_t)3;
	return *at <= s.len;
}

static void
give_value(struct tnef *t, unsigned id, unsigned type, struct span value)
{
	/* An object begins with what kind of one it is. */
	if (type == MAPI_OBJECT)
		value = span_from(value, 16);
	if (id == PR_ATTACH_DATA)
		give(t, t->title, value);
	else if (id == PR_HTML)
		give(t, SPAN("body"), value);
	else if (id == PR_RTF)
		t->wanted = message_body_open(&t->office, value);
}

/* One property at *at.  False: no more, or nonsense. */
static bool
take_property(struct tnef *t, struct span s, size_t *at)
{
	uint16_t type, id;
	uint32_t count = 1, len;
	size_t fixed;

	if (!bytes_le16(s, *at, &type) || !bytes_le16(s, *at + 2, &id))
		return false;
	*at += 4;
	if (id >= 0x8000 && !skip_name(s, at))
		return false;
	fixed = fixed_size(type & ~(unsigned)MAPI_MANY);
	if (fixed == 0 || (type & MAPI_MANY) != 0) {
		if (!bytes_le32(s, *at, &count))
			return false;
		*at += 4;
	}
	for (; count > 0 && t->wanted; count--) {
		len = (uint32_t)fixed;
		if (fixed == 0) {
			if (!bytes_le32(s, *at, &len))
				return false;
			*at += 4;
			give_value(t, id, type, bytes_sub(s, *at, len));
		}
		*at += ((size_t)len + 3) & ~(size_t)3;
		if (*at > s.len)
			return false;
	}
	return t->wanted;
}

static void
take_properties(struct tnef *t, struct span s)
{
	uint32_t n;
	size_t at = 4;

	(void)bytes_le32(s, 0, &n);
	if (n > PROPERTIES_MAX)
		n = PROPERTIES_MAX;
	while (n-- > 0 && take_property(t, s, &at))
		;
}

/* ---- attributes ----------------------------------------------------------------------- */

static void
take_attribute(struct tnef *t, uint32_t id, struct span data)
{
	switch (id) {
	case ATTACH_TITLE:
		t->title = data;
		if (data.len > 0 && data.ptr[data.len - 1] == '\0')
			t->title.len--;
		break;
	case ATTACH_DATA:
		give(t, t->title, data);
		break;
	case BODY:
		give(t, SPAN("body"), data);
		break;
	case ATTACH_MAPI:
	case MESSAGE_MAPI:
		take_properties(t, data);
		break;
	default:
		break;
	}
}

void
open_tnef(struct span object, struct peel *out)
{
	struct tnef t = { .office = office_begin(object, out),
		.title = SPAN("attachment"),
		.wanted = true };
	size_t at = 6;

	while (t.wanted && !t.damaged && at < object.len) {
		uint32_t id, len;
		struct span data;

		t.damaged = object.ptr[at] < 1 || object.ptr[at] > 2 ||
		    !bytes_le32(object, at + 1, &id) ||
		    !bytes_le32(object, at + 5, &len);
		if (t.damaged)
			break;
		data = bytes_sub(object, at + 9, len);
		t.damaged = data.len < len;
		take_attribute(&t, id, data);
		at += 9 + (size_t)len + 2;
	}
	if (t.damaged && t.wanted)
		office_note(&t.office, PEEL_DAMAGED);
}
