/* Flash (SWF file format, version 19).  A packed file is the same file with
 * its body packed: it is given as "FWS", whose header says so.  Of a file that
 * is not packed the binary data that its code may use is given. */

#include "formats/bytes.h"
#include "formats/pdf/pdf.h"
#include "formats/pdf/pour.h"

#define HEAD            8u
#define TAG_BINARY_DATA 87u

/* The end tag and the sizes before the first one are not worth a note: many
 * files break off. */
static void
give_body(struct span s, struct peel *out)
{
	struct peel_member m = peel_named(SPAN("FWS"), FORMAT_SWF);
	struct pour p = { out, UINT64_MAX };
	enum pour_outcome outcome;
	char head[HEAD];

	if (!bytes_load(s, 0, head, HEAD))
		return;
	head[0] = 'F';
	m.packed = s.len;
	if (!peel_begin(out, &m) || !peel_add(out, (struct span){ head, HEAD }))
		return;
	/* ZWS: the packed size, then the properties of LZMA */
	outcome = s.ptr[0] == 'Z'
	    ? pour_lzma(&p, bytes_sub(s, HEAD + 4, 5), span_from(s, HEAD + 9))
	    : pour_zlib(&p, span_from(s, HEAD));
	if (outcome != POUR_STOPPED && peel_end(out))
		pour_note(out, outcome);
}

/* Behind the size of the stage: a rectangle of four numbers of n bits, after
 * the five bits of n; then rate and count of frames. */
static uint64_t
first_tag(struct span s)
{
	uint8_t bits;

	if (!bytes_u8(s, HEAD, &bits))
		return s.len;
	return HEAD + (5u + 4u * (bits >> 3) + 7u) / 8u + 4u;
}

static bool
give_binary(struct span tag, struct peel *out)
{
	char name[] = "binary 00000";
	struct peel_member m =
	    peel_named((struct span){ name, sizeof(name) - 1 }, FORMAT_ANY);
	uint16_t id;

	if (!bytes_le16(tag, 0, &id) || tag.len <= 6)
		return true;
	for (size_t i = sizeof(name) - 2; id > 0; i--, id = (uint16_t)(id / 10))
		name[i] = (char)('0' + id % 10);
	m.size = m.packed = tag.len - 6;
	return peel_slice(out, &m, span_from(tag, 6));
}

static void
give_tags(struct span s, struct peel *out)
{
	uint64_t at = first_tag(s);
	uint16_t head;

	for (unsigned n = 1; bytes_le16(s, at, &head); n++) {
		uint32_t size = head & 0x3f;
		unsigned code = head >> 6;

		at += 2;
		if (size == 0x3f) {
			if (!bytes_le32(s, at, &size))
				break;
			at += 4;
		}
		if (!bytes_have(s, at, size))
			peel_note(out, PEEL_DAMAGED);
		if (code == TAG_BINARY_DATA &&
		    !give_binary(bytes_sub(s, at, size), out))
			return;
		if (n % 65536 == 0 && !peel_tick(out))
			return;
		at += size;
	}
}

void
open_swf(struct span object, struct peel *out)
{
	if (bytes_are(object, 0, SPAN("CWS")) ||
	    bytes_are(object, 0, SPAN("ZWS")))
		give_body(object, out);
	else if (bytes_are(object, 0, SPAN("FWS")))
		give_tags(object, out);
}
