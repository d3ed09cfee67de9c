/* What stands behind a program, a picture or a script: archives that begin
 * somewhere within an object.  A mark alone is found by chance in large
 * files, so whatever the format lets check at its head is checked.  Every
 * archive is a slice to the end of the object: readers stop where theirs
 * ends, and liars about their length gain nothing. */

#include <string.h>
#include <zlib.h>

#include "formats/bytes.h"
#include "formats/pack/pack.h"

#define EMBEDDED_MAX 16u /* slices of one object */
#define TICK         65536u
/* Marks that may be looked at closer: of two bytes one in 65,536 is by
 * chance.  More are made to keep us busy. */
#define CHECKED_MAX(size) (4096u + (size) / 8192u)

/* `s` begins with the mark.  0: it is none; else how many bytes surely
 * belong to it, in which its kind is not looked for again. */
typedef uint64_t is_fn(struct span s);

static uint32_t
crc_of(struct span s)
{
	return (uint32_t)crc32(0, (const Bytef *)s.ptr, (uInt)s.len);
}

/* Up to its end record, if that points back to a directory: a zip that was
 * written as a stream has no lengths in its members' heads. */
static uint64_t
is_zip(struct span s)
{
	static const struct span entry = { "PK\1\2", 4 };
	uint16_t version, method, name;
	const char *end;
	uint32_t size;
	uint64_t at;

	(void)bytes_le16(s, 4, &version);
	(void)bytes_le16(s, 8, &method);
	if (!bytes_le16(s, 26, &name) || (version & 0xff) > 100 ||
	    (method > 20 && (method < 93 || method > 99)) || name == 0 ||
	    name > 4096)
		return 0;
	end = span_find(s, SPAN("PK\5\6"), 2);
	if (end == NULL)
		return 4;
	at = (uint64_t)(end - s.ptr);
	if (!bytes_le32(s, at + 12, &size) || size > at ||
	    !bytes_are(s, at - size, entry))
		return 4;
	return at + 22;
}

/* The head of version 5: a checksum, a size of 7 bits a byte, and so many
 * bytes.  Heads that RAR writes fit into two. */
static bool
is_rar5(struct span s)
{
	uint8_t low, high;
	unsigned size, bytes;
	uint32_t crc;

	(void)bytes_le32(s, 8, &crc);
	(void)bytes_u8(s, 12, &low);
	if (!bytes_u8(s, 13, &high))
		return false;
	bytes = (low & 0x80) != 0 ? 2 : 1;
	size = (low & 0x7fu) | (bytes == 2 ? (high & 0x7fu) << 7 : 0);
	return bytes_have(s, 12, bytes + size) &&
	    crc_of(bytes_sub(s, 12, bytes + size)) == crc;
}

static bool
is_rar4(struct span s)
{
	uint16_t crc, size;
	uint8_t type;

	(void)bytes_le16(s, 7, &crc);
	(void)bytes_u8(s, 9, &type);
	return bytes_le16(s, 12, &size) && type == 0x73 && size >= 13 &&
	    bytes_have(s, 7, size) &&
	    (crc_of(bytes_sub(s, 9, size - 2u)) & 0xffff) == crc;
}

/* Its first block is checked: the archive's head, of version 1.5 or 5. */
static uint64_t
is_rar(struct span s)
{
	static const struct span old = { "\x1a\x07\x00", 3 };
	static const struct span new = { "\x1a\x07\x01\x00", 4 };

	if (bytes_are(s, 4, new))
		return is_rar5(s) ? 8 : 0;
	return bytes_are(s, 4, old) && is_rar4(s) ? 7 : 0;
}

static uint64_t
is_7z(struct span s)
{
	uint64_t at, size;
	uint32_t crc;

	(void)bytes_le32(s, 8, &crc);
	(void)bytes_le64(s, 12, &at);
	if (!bytes_le64(s, 20, &size) || !bytes_have(s, 12, 20) ||
	    crc_of(bytes_sub(s, 12, 20)) != crc)
		return 0;
	/* Claimed sizes are not believed past the object. */
	if (!bytes_have(s, 32, at) || !bytes_have(s, 32 + at, size))
		return 6;
	return 32 + at + size;
}

static uint64_t
is_cab(struct span s)
{
	uint32_t size, files;
	uint16_t version;

	(void)bytes_le32(s, 8, &size);
	(void)bytes_le32(s, 16, &files);
	if (!bytes_le16(s, 24, &version) || version != 0x103 || files < 36 ||
	    files >= size)
		return 0;
	return size;
}

static uint64_t
is_arj(struct span s)
{
	uint16_t size;
	uint32_t crc;

	if (!bytes_le16(s, 2, &size) || size < 30 || size > 2600 ||
	    !bytes_le32(s, 4u + size, &crc) ||
	    crc_of(bytes_sub(s, 4, size)) != crc)
		return 0;
	return size;
}

/* Three bytes are a weak mark: some of it has to unpack. */
static uint64_t
is_gzip(struct span s)
{
	unsigned char some[512];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)s.ptr,
		.avail_in = (uInt)(s.len < 65536 ? s.len : 65536),
		.next_out = some,
		.avail_out = sizeof(some) };
	int e;

	if (s.len < 18 || ((uint8_t)s.ptr[3] & 0xe0) != 0 ||
	    inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
		return 0;
	e = inflate(&z, Z_SYNC_FLUSH);
	(void)inflateEnd(&z);
	/* Made by hand and empty, or broken off: of no interest. */
	return (e == Z_OK || e == Z_STREAM_END) && z.total_out > 0 ? 18 : 0;
}

static uint64_t
is_bzip2(struct span s)
{
	static const struct span block = { "1AY&SY", 6 };

	return s.len > 3 && s.ptr[3] >= '1' && s.ptr[3] <= '9' &&
		bytes_are(s, 4, block)
	    ? 10
	    : 0;
}

static uint64_t
is_xz(struct span s)
{
	uint32_t crc;

	return bytes_le32(s, 8, &crc) && crc_of(bytes_sub(s, 6, 2)) == crc ? 12
									   : 0;
}

static uint64_t
is_marked(struct span s)
{
	return s.len > 16 ? 4 : 0;
}

static const struct kind {
	struct span mark; /* no two with the same first byte */
	is_fn *is;
	unsigned max; /* programs are full of streams, as resources */
} kinds[] = {
	{ { "PK\3\4", 4 }, is_zip, 8 },
	{ { "Rar!", 4 }, is_rar, 8 },
	{ { "7z\xbc\xaf\x27\x1c", 6 }, is_7z, 8 },
	{ { "MSCF\0\0\0\0", 8 }, is_cab, 8 },
	{ { "\x60\xea", 2 }, is_arj, 8 },
	{ { "\x1f\x8b\x08", 3 }, is_gzip, 2 },
	{ { "BZh", 3 }, is_bzip2, 2 },
	{ { "\xfd"
	    "7zXZ\0",
	      6 },
	    is_xz, 2 },
	{ { "EGGA\0\1", 6 }, is_marked, 2 },
	{ { "ALZ\1\x0a\0\0\0", 8 }, is_marked, 2 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct search {
	struct span object;
	struct peel *out;
	unsigned given;
	size_t checked;
	uint64_t resume[KINDS];
	unsigned of_kind[KINDS];
	uint8_t kind[256]; /* by first byte, counted from 1 */
};

/* False: stop. */
static bool
found(struct search *f, unsigned kind, uint64_t at)
{
	struct peel_member m = peel_named((struct span){ 0 }, FORMAT_ANY);
	struct span s = bytes_sub(f->object, at, UINT64_MAX);
	uint64_t len;

	if (at < f->resume[kind] || !bytes_are(s, 0, kinds[kind].mark))
		return true;
	if (f->checked++ > CHECKED_MAX(f->object.len)) {
		peel_note(f->out, PEEL_UNSUPPORTED);
		return false;
	}
	len = kinds[kind].is(s);
	if (len == 0)
		return true;
	if (f->of_kind[kind]++ == kinds[kind].max) {
		f->resume[kind] = UINT64_MAX;
		return true;
	}
	f->resume[kind] = at + len;
	m.packed = s.len;
	return peel_slice(f->out, &m, s) && ++f->given < EMBEDDED_MAX;
}

void
open_embedded(struct span object, struct peel *out)
{
	struct search f = { .object = object, .out = out };

	for (unsigned k = 0; k < KINDS; k++)
		f.kind[(uint8_t)kinds[k].mark.ptr[0]] = (uint8_t)(k + 1);
	for (size_t at = 1; at < object.len; at++) {
		unsigned k = f.kind[(uint8_t)object.ptr[at]];

		if (at % TICK == 0 && !peel_tick(out))
			return;
		if (k != 0 && !found(&f, k - 1, at))
			return;
	}
}
