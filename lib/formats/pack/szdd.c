/* What MS-DOS's COMPRESS.EXE and early Windows set-ups made: one file, under
 * one of three heads.  "SZDD" and "SZ " (QBasic) are LZSS over a window of
 * 4 kB of blanks; "KWAJ" may as well be stored, turned over, LZH or MSZIP.
 * The SZDD size is not believed: readers differ on whether they do. */

#include <stdlib.h>
#include <zlib.h>

#include "formats/bytes.h"
#include "formats/pack/flow.h"
#include "formats/pack/huff.h"
#include "formats/pack/pack.h"

#define WINDOW 4096u

/* Groups of eight: a set bit is a byte, else 12 bits of place in the window
 * and 4 of length.  `start`: where in the window the first byte goes. */
static bool
lzss(struct span in, unsigned start, struct flow *f)
{
	unsigned bits = 1;
	size_t at = 0;

	while (at < in.len && flow_wants(f)) {
		if (bits == 1) {
			bits = 0x100u | (uint8_t)in.ptr[at++];
			continue;
		}
		if ((bits & 1) != 0) {
			flow_put(f, (uint8_t)in.ptr[at++]);
		} else {
			uint16_t pair;
			unsigned place;

			if (!bytes_le16(in, at, &pair))
				return false;
			at += 2;
			place = (pair & 0xffu) | (pair >> 4 & 0xf00u);
			flow_copy(f,
			    (size_t)((f->total + start - place) & (WINDOW - 1)),
			    (pair >> 8 & 15u) + 3);
		}
		bits >>= 1;
	}
	return true;
}

/* ---- KWAJ: LZH ------------------------------------------------------------ */

enum { MATCH, MATCH_AFTER_RUN, RUN, PLACE, LITERAL, TREES };
static const uint16_t tree_symbols[TREES] = { 16, 16, 32, 64, 256 };

/* Four ways to tell a length: as the one before, or in small steps from it
 * with an escape, or as it is. */
static unsigned
lzh_len(struct bits *b, unsigned way, unsigned before)
{
	unsigned step;

	if (way == 0)
		return before;
	if (way == 1) {
		if (msb_get(b, 1) == 0)
			return before;
		if (msb_get(b, 1) == 0)
			return before + 1;
	}
	if (way == 2) {
		step = msb_get(b, 2);
		if (step < 3)
			return before + step - 1;
	}
	return msb_get(b, 4);
}

static void
lzh_lens(struct bits *b, unsigned way, uint8_t *lens, unsigned n)
{
	unsigned len = 0;

	for (unsigned i = n; i > 1; i >>= 1)
		len++;
	if (way != 0)
		len = msb_get(b, 4);
	for (unsigned i = 0; i < n; i++) {
		lens[i] = (uint8_t)(len & 15);
		if (i + 1 < n)
			len = lzh_len(b, way, len);
	}
}

static bool
lzh_trees(struct bits *b, struct huff *h)
{
	unsigned way[TREES];
	uint8_t lens[256];

	for (unsigned i = 0; i < TREES; i++)
		way[i] = msb_get(b, 4);
	(void)msb_get(b, 4);
	for (unsigned i = 0; i < TREES; i++) {
		if (way[i] > 3)
			return false;
		lzh_lens(b, way[i], lens, tree_symbols[i]);
		if (!huff_build(&h[i], lens, tree_symbols[i], HUFF_MSB))
			return false;
	}
	return !bits_over(b);
}

static bool
lzh_match(struct bits *b, const struct huff *places, int len, struct flow *f)
{
	int place = huff_msb(places, b);
	unsigned low = msb_get(b, 6);

	if (place < 0)
		return false;
	if (!bits_over(b))
		flow_copy(f, (size_t)place << 6 | low, (unsigned)len + 2);
	return true;
}

static bool
lzh_run(struct bits *b, const struct huff *literals, int len, struct flow *f)
{
	for (int i = 0; i < len; i++) {
		int c = huff_msb(literals, b);

		if (bits_over(b))
			break;
		if (c < 0)
			return false;
		flow_put(f, (uint8_t)c);
	}
	return true;
}

/* Matches and runs of literals by turns.  It ends with its input; what would
 * need bits behind that is not there. */
static bool
lzh_codes(struct bits *b, const struct huff *h, struct flow *f)
{
	bool after_run = false, ok = true;

	while (ok && flow_wants(f)) {
		int len = huff_msb(&h[after_run ? MATCH_AFTER_RUN : MATCH], b);

		if (bits_over(b))
			break;
		if (len > 0) {
			after_run = false;
			ok = lzh_match(b, &h[PLACE], len, f);
		} else if (len == 0) {
			len = huff_msb(&h[RUN], b) + 1;
			after_run = len != 32;
			ok = len > 0 && lzh_run(b, &h[LITERAL], len, f);
		} else {
			ok = false;
		}
	}
	return ok;
}

static bool
lzh(struct span in, struct flow *f)
{
	struct huff *h = calloc(TREES, sizeof(*h));
	struct bits b = bits_of(in);
	bool ok;

	if (h == NULL) {
		peel_note(f->out, PEEL_MEMORY);
		return true;
	}
	ok = lzh_trees(&b, h) && lzh_codes(&b, h, f);
	free(h);
	return ok;
}

/* ---- KWAJ: MSZIP ----------------------------------------------------------- */

#define BLOCK_MAX 32768u

/* One block "CK" + deflate, whose matches may reach into the one before. */
static bool
mszip_block(struct span in, uint8_t *block, size_t *len)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.ptr,
		.avail_in = (uInt)in.len };
	int e;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return false;
	if (*len > 0)
		(void)inflateSetDictionary(&z, block, (uInt)*len);
	z.next_out = block;
	z.avail_out = BLOCK_MAX;
	e = inflate(&z, Z_FINISH);
	*len = BLOCK_MAX - z.avail_out;
	(void)inflateEnd(&z);
	return e == Z_STREAM_END;
}

static bool
mszip(struct span in, struct flow *f)
{
	static const struct span mark = { "CK", 2 };
	uint8_t block[BLOCK_MAX];
	uint16_t packed = 0;
	size_t len = 0, at = 0;

	while (flow_wants(f) && bytes_le16(in, at, &packed) && packed > 2) {
		bool ok = bytes_are(in, at + 2, mark) &&
		    mszip_block(
			bytes_sub(in, at + 4, packed - 2u), block, &len);

		flow_span(f, (struct span){ (const char *)block, len });
		if (!ok)
			return false;
		at += 2u + packed;
	}
	return true;
}

/* ---- heads ----------------------------------------------------------------- */

static bool
copied(struct span in, struct flow *f)
{
	flow_span(f, in);
	return true;
}

static bool
turned(struct span in, struct flow *f)
{
	for (size_t i = 0; i < in.len && flow_wants(f); i++)
		flow_put(f, (uint8_t)~in.ptr[i]);
	return true;
}

static bool
lzss_16(struct span in, struct flow *f)
{
	return lzss(in, WINDOW - 16, f);
}

static bool
lzss_18(struct span in, struct flow *f)
{
	return lzss(in, WINDOW - 18, f);
}

typedef bool method_fn(struct span in, struct flow *f);
static method_fn *const kwaj_methods[] = { copied, turned, lzss_18, lzh,
	mszip };

static void
unpack(struct span in, method_fn *method, const struct peel_member *m,
    struct peel *out)
{
	struct flow f;
	/* LZH does not say where it ends within its last byte. */
	uint64_t left = method == lzh ? m->size : UINT64_MAX;

	if (!flow_begin(&f, out, m, WINDOW, ' ', left))
		return;
	(void)flow_end(&f, method(in, &f));
}

/* Text up to a NUL, at most `max` bytes; *at goes behind it. */
static struct span
short_text(struct span s, uint64_t *at, uint64_t max)
{
	struct span field = bytes_sub(s, *at, max), rest;
	struct span text = span_cut(field, '\0', &rest);

	*at += text.len + (text.len < field.len);
	return text;
}

/* Name and extension stand in the head, if at all, behind other fields. */
static struct span
kwaj_name(struct span s, unsigned flags, char name[16])
{
	uint64_t at = 14;
	uint16_t skip = 0;
	struct span stem = { name, 0 }, ending = { name, 0 };
	size_t n = 0;

	at += (flags & 1) != 0 ? 4 : 0;
	at += (flags & 2) != 0 ? 2 : 0;
	if ((flags & 4) != 0 && bytes_le16(s, at, &skip))
		at += 2u + skip;
	if ((flags & 8) != 0)
		stem = short_text(s, &at, 9);
	if ((flags & 16) != 0)
		ending = short_text(s, &at, 4);
	for (size_t i = 0; i < stem.len; i++)
		name[n++] = stem.ptr[i];
	if (ending.len > 0)
		name[n++] = '.';
	for (size_t i = 0; i < ending.len; i++)
		name[n++] = ending.ptr[i];
	return (struct span){ name, n };
}

static void
kwaj(struct span s, struct peel *out)
{
	uint16_t method, data, flags;
	uint32_t size;
	char text[16];
	struct peel_member m = peel_named((struct span){ 0 }, FORMAT_ANY);

	(void)bytes_le16(s, 8, &method);
	(void)bytes_le16(s, 10, &data);
	if (!bytes_le16(s, 12, &flags) || data < 14 || data > s.len) {
		peel_note(out, PEEL_DAMAGED);
		return;
	}
	if (method >= sizeof(kwaj_methods) / sizeof(kwaj_methods[0])) {
		peel_note(out, PEEL_UNSUPPORTED);
		return;
	}
	m.name = kwaj_name(s, flags, text);
	m.packed = s.len - data;
	if ((flags & 1) != 0 && bytes_le32(s, 14, &size))
		m.size = size;
	unpack(span_from(s, data), kwaj_methods[method], &m, out);
}

void
open_szdd(struct span object, struct peel *out)
{
	static const struct span szdd = { "SZDD\x88\xf0\x27\x33"
					  "A",
		9 };
	static const struct span qbasic = { "SZ \x88\xf0\x27\x33\xd1", 8 };
	static const struct span kwaj_mark = { "KWAJ\x88\xf0\x27\xd1", 8 };
	struct peel_member m = peel_named((struct span){ 0 }, FORMAT_ANY);
	bool is_szdd = bytes_are(object, 0, szdd);
	size_t head = is_szdd ? 14 : 12;
	uint32_t size;

	if (bytes_are(object, 0, kwaj_mark)) {
		kwaj(object, out);
		return;
	}
	if (!is_szdd && !bytes_are(object, 0, qbasic))
		return;
	if (!bytes_le32(object, head - 4, &size)) {
		peel_note(out, PEEL_DAMAGED);
		return;
	}
	m.size = size;
	m.packed = object.len - head;
	unpack(span_from(object, head), is_szdd ? lzss_16 : lzss_18, &m, out);
}
