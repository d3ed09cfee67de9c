/* The body of a message as compressed RTF ([MS-OXRTFCP]): runs of eight, each
 * a letter or a copy from a ring of 4096 bytes, which begins with the words
 * that such texts begin with. */

#include <string.h>

#include "formats/office/part.h"

#define HEAD         16u
#define SIZE_BEFORE  12u /* bytes of the head that its first number counts */
#define RING         4096u
#define COPY_MIN     2u
#define COMPRESSED   0x75465a4cu /* "LZFu" */
#define UNCOMPRESSED 0x414c454du /* "MELA" */

/* [MS-OXRTFCP] 2.1.2.1 */
static const struct span ring_begins = SPAN(
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman "
    "\\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New "
    "RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    "\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx");

struct lzfu {
	struct office *office;
	char ring[RING];
	/* The next byte's place in the ring; from `from` to there nothing was
	 * given yet. */
	size_t at, from;
	bool wanted, ended;
};

static void
hand_out(struct lzfu *z)
{
	struct span s = { z->ring + z->from, z->at - z->from };

	if (s.len > 0 && z->wanted)
		z->wanted = peel_add(z->office->out, s);
	z->at %= RING;
	z->from = z->at;
}

static void
put(struct lzfu *z, char c)
{
	z->ring[z->at++] = c;
	if (z->at == RING)
		hand_out(z);
}

static void
copy(struct lzfu *z, uint16_t token)
{
	size_t from = token >> 4;
	size_t n = (token & 0xfu) + COPY_MIN;

	z->ended = from == z->at;
	for (; n > 0 && !z->ended && z->wanted; n--) {
		put(z, z->ring[from]);
		from = (from + 1) % RING;
	}
}

static void
unpack(struct lzfu *z, struct span s)
{
	size_t at = 0;

	while (at < s.len && !z->ended && z->wanted) {
		unsigned flags = (unsigned char)s.ptr[at++];

		for (int i = 0; i < 8 && at < s.len && !z->ended; i++) {
			uint16_t token;

			if ((flags >> i & 1) == 0) {
				put(z, s.ptr[at++]);
				continue;
			}
			if (bytes_be16(s, at, &token))
				copy(z, token);
			at += 2;
		}
	}
	hand_out(z);
}

static bool
unpack_as(struct office *o, const struct peel_member *m, struct span packed)
{
	struct lzfu z = {
		.office = o, .at = ring_begins.len, .from = ring_begins.len
	};

	memcpy(z.ring, ring_begins.ptr, ring_begins.len);
	z.wanted = peel_begin(o->out, m);
	if (z.wanted)
		unpack(&z, packed);
	return z.wanted && peel_end(o->out);
}

bool
message_body_open(struct office *o, struct span stream)
{
	uint32_t size, unpacked, kind;
	struct peel_member m;
	struct span packed;
	char text[OFFICE_NAME];

	(void)bytes_le32(stream, 0, &size);
	(void)bytes_le32(stream, 4, &unpacked);
	(void)bytes_le32(stream, 8, &kind);
	if (kind != COMPRESSED && kind != UNCOMPRESSED)
		return true;
	size = size < SIZE_BEFORE ? 0 : size - SIZE_BEFORE;
	packed = bytes_sub(stream, HEAD, size);
	if (packed.len < size)
		office_note(o, PEEL_DAMAGED);
	m = peel_named(office_name_next(o, "body", text), FORMAT_ANY);
	m.packed = packed.len;
	m.size = unpacked;
	if (kind == COMPRESSED)
		return unpack_as(o, &m, packed);
	return packed.len == 0 || peel_slice(o->out, &m, packed);
}
