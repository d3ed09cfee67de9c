#include "scan/object/type.h"

#include "scan/build/body.h"

#include <string.h>

#define ZIP_RECORD 22u /* the end record, without its comment */
#define CPIO_HEAD  26u
#define LZMA_HEAD  14u /* and the first byte, which is 0 */
#define ZIP_LOCAL  30u /* what stands before a member */
#define ZIP_ENTRY  46u /* one of the directory, without its texts */

struct magic {
	uint32_t at;
	struct span bytes;
	uint8_t means; /* enum pack */
};

static const struct magic packs[] = {
	{ 0, SPAN("PK\3\4"), PACK_ARCHIVE },
	{ 0, SPAN("PK\5\6"), PACK_ARCHIVE },
	{ 0, SPAN("7z\xbc\xaf\x27\x1c"), PACK_ARCHIVE },
	{ 0, SPAN("Rar!\x1a\7\0"), PACK_ARCHIVE },
	{ 0, SPAN("Rar!\x1a\7\1\0"), PACK_ARCHIVE },
	{ 0, SPAN("MSCF\0\0\0\0"), PACK_ARCHIVE },
	{ 0, SPAN("070701"), PACK_ARCHIVE }, /* cpio */
	{ 0, SPAN("070702"), PACK_ARCHIVE },
	{ 0, SPAN("070707"), PACK_ARCHIVE },
	{ 0, SPAN("\x71\xc7"), PACK_ARCHIVE }, /* binary */
	{ 0, SPAN("\xc7\x71"), PACK_ARCHIVE },
	{ 0, SPAN("!<arch>\n"), PACK_ARCHIVE }, /* ar, deb */
	{ 2, SPAN("-lh"), PACK_ARCHIVE }, { 2, SPAN("-lz"), PACK_ARCHIVE },
	{ 257, SPAN("ustar"), PACK_ARCHIVE },
	{ 0x8001, SPAN("CD001"), PACK_ARCHIVE },
	{ 0, SPAN("\x1f\x8b\x08"), PACK_STREAM },
	{ 0, SPAN("BZh"), PACK_STREAM },
	{ 0,
	    SPAN("\xfd"
		 "7zXZ\0"),
	    PACK_STREAM },
	{ 0, SPAN("\x28\xb5\x2f\xfd"), PACK_STREAM }, /* zstd */
	{ 0, SPAN("\x04\x22\x4d\x18"), PACK_STREAM }, /* lz4 */
	{ 0, SPAN("LZIP\1"), PACK_STREAM },
	{ 0, SPAN("\x1f\x9d\x90"), PACK_STREAM }, /* compress, 16 bits */
	{ 0, SPAN("\x5d\0\0"), PACK_STREAM },     /* .lzma */
};

static uint8_t
find_magic(struct span object, const struct magic *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span want = table[i].bytes;

		if (object.len < table[i].at + want.len)
			continue;
		if (memcmp(object.ptr + table[i].at, want.ptr, want.len) == 0)
			return table[i].means;
	}
	return 0;
}

static uint32_t
le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint32_t
le16(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Where the first of the files begins that a zip's directory names, counted
 * as the zip counts; UINT32_MAX when the directory is malformed. */
static uint32_t
first_local(const unsigned char *dir, size_t size)
{
	uint32_t first = UINT32_MAX;

	while (size >= ZIP_ENTRY && memcmp(dir, "PK\1\2", 4) == 0) {
		size_t len = ZIP_ENTRY + le16(dir + 28) + le16(dir + 30) +
		    le16(dir + 32);

		if (le32(dir + 42) < first)
			first = le32(dir + 42);
		if (len > size)
			break;
		dir += len;
		size -= len;
	}
	return first;
}

/* What the end record at `at` says. */
static bool
zip_of_record(struct span s, size_t at, bool loose, struct zip_place *out)
{
	const unsigned char *r = (const unsigned char *)s.ptr + at;
	uint64_t size = le32(r + 12), offset = le32(r + 16);
	uint32_t first;

	if ((!loose && at + ZIP_RECORD + le16(r + 20) != s.len) ||
	    size < ZIP_ENTRY || size > at || memcmp(r - size, "PK\1\2", 4) != 0)
		return false;
	*out = (struct zip_place){ 0, 0 };
	first = first_local(r - size, (size_t)size);
	if (offset > at - size || first > offset)
		return true;
	out->base = (size_t)(at - size - offset);
	out->front = out->base + first;
	return true;
}

/* Found by its end record: a comment that reaches to the end of the object
 * and a directory right before the record that begins as one. */
bool
type_zip_at_end(struct span s, bool loose, struct zip_place *out)
{
	size_t at = s.len > 65535 + ZIP_RECORD ? s.len - 65535 - ZIP_RECORD : 0;

	while (s.len >= ZIP_RECORD && at <= s.len - ZIP_RECORD) {
		struct span rest = { s.ptr + at, s.len - at - ZIP_RECORD + 4 };
		const char *r = span_find(rest, SPAN("PK\5\6"), 2);

		if (r == NULL)
			return false;
		at = (size_t)(r - s.ptr);
		if (zip_of_record(s, at, loose, out))
			return true;
		at++;
	}
	return false;
}

/* The oldest tars have no magic: a name and a sum of the header that fits. */
static bool
old_tar(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	uint32_t sum = 8 * ' ', want = 0;
	size_t digits = 0;

	if (s.len < 512 || p[0] == 0)
		return false;
	for (size_t i = 148; i < 156; i++) {
		if (p[i] >= '0' && p[i] <= '7') {
			want = want << 3 | (uint32_t)(p[i] - '0');
			digits++;
		} else if (digits > 0) {
			break;
		}
	}
	if (digits < 4)
		return false;
	for (size_t i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? 0 : p[i];
	return sum == want;
}

/* Whether `n` digits of base 8 or 16 stand at `at`. */
static bool
digits_at(struct span s, size_t at, size_t n, int base)
{
	for (size_t i = at; i < at + n; i++) {
		int d = i < s.len ? body_digit(s.ptr[i]) : -1;

		if (d < 0 || d >= base)
			return false;
	}
	return true;
}

/* The name ends where the header says. */
static bool
binary_cpio(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t n;

	if (s.len < CPIO_HEAD)
		return false;
	n = p[0] == 0xc7 ? le16(p + 20) : (uint32_t)p[20] << 8 | p[21];
	return n > 1 && n <= s.len - CPIO_HEAD &&
	    s.ptr[CPIO_HEAD + n - 1] == '\0';
}

/* A dictionary of a power of two, or half as much more; a size that is
 * unknown, or one that a file may have. */
static bool
lzma_alone(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	uint32_t dictionary, high;

	if (s.len < LZMA_HEAD)
		return false;
	dictionary = le32(p + 1);
	high = le32(p + 9);
	while (dictionary > 1 && dictionary % 2 == 0)
		dictionary /= 2;
	return (dictionary == 1 || dictionary == 3) && p[13] == 0 &&
	    (high < 256 || (high == UINT32_MAX && le32(p + 5) == high));
}

/* The last part of a weak magic. */
static bool
pack_plausible(struct span s)
{
	if (span_starts(s, "BZh"))
		return s.len > 10 && s.ptr[3] >= '1' && s.ptr[3] <= '9' &&
		    (memcmp(s.ptr + 4, "1AY&SY", 6) == 0 ||
			memcmp(s.ptr + 4, "\x17rE8P\x90", 6) == 0);
	if (s.len > 6 && memcmp(s.ptr + 2, "-l", 2) == 0)
		return s.ptr[6] == '-';
	if (span_starts(s, "\x5d"))
		return lzma_alone(s);
	/* A cpio header is digits, and not some number in a text. */
	if (span_starts(s, "070707"))
		return digits_at(s, 6, 70, 8);
	if (span_starts(s, "07070"))
		return digits_at(s, 6, 104, 16);
	if (span_starts(s, "\x71\xc7") || span_starts(s, "\xc7\x71"))
		return binary_cpio(s);
	return true;
}

enum pack
type_pack(struct span object)
{
	uint8_t pack = find_magic(object, packs, COUNT(packs));

	if (pack != PACK_NONE && pack_plausible(object))
		return (enum pack)pack;
	return old_tar(object) ? PACK_ARCHIVE : PACK_NONE;
}

/* As ClamAV does it: by how one of the first three members is called, or of
 * all when one of these looks like a document's (ANY). */
enum format
type_document(struct span zip)
{
	static const struct {
		const char *folder;
		enum format format;
	} folders[] = { { "word/", FORMAT_OOXML_WORD },
		{ "xl/", FORMAT_OOXML_XL }, { "ppt/", FORMAT_OOXML_PPT },
		{ "Contents/content.hpf", FORMAT_OOXML_HWP },
		{ "mimetype", FORMAT_ANY }, { "version.xml", FORMAT_ANY },
		{ "[Content_Types].xml", FORMAT_ANY },
		{ "docProps/", FORMAT_ANY }, { "customXml/", FORMAT_ANY } };
	bool all = false;

	for (int n = 0; (n < 3 || all) && zip.len > ZIP_LOCAL; n += !all) {
		struct span name = span_from(zip, ZIP_LOCAL);
		const char *next;

		if (!span_starts(zip, "PK\3\4"))
			break;
		for (size_t i = 0; i < COUNT(folders); i++) {
			if (!span_starts(name, folders[i].folder))
				continue;
			if (folders[i].format != FORMAT_ANY)
				return folders[i].format;
			all = true;
		}
		next = span_find(name, SPAN("PK\3\4"), 2);
		if (next == NULL)
			break;
		zip = span_from(zip, (size_t)(next - zip.ptr));
	}
	return FORMAT_ANY;
}
