#include <stdlib.h>

#include "formats/exe/exe_int.h"

/* Version resources ("VERSIONINFO resource", Win32).  What follows is which
 * of them ClamAV 1.4 looks at, since a signature with offset VI matches only
 * there: the first 16 resources of type 16; in each, one VS_VERSION_INFO; in
 * that, one StringFileInfo before which one VarFileInfo may stand. */

#define RT_VERSION    16u
#define RESOURCES_MAX 16u

#define STRING_MIN    16u
#define HEAD          6u    /* length, value length, type: each 16 bits */
#define FIXED         0x34u /* VS_FIXEDFILEINFO */
#define FIXED_AT      0x28u
#define INFO_HEAD     0x5cu /* up to and with VS_FIXEDFILEINFO */
#define VAR_KEY       0x18u
#define FILE_HEAD     0x24u /* of StringFileInfo */
#define TABLE_MIN     24u   /* head and a key of 8 digits */

struct found {
	uint64_t *offsets;
	size_t n, max;
	struct span object;
	unsigned resources;
};

/* Lengths of strings are rounded up to find the next one, those of other
 * blocks are not. */
static uint32_t
aligned(uint32_t n)
{
	return (n + 3) & ~3u;
}

/* Bytes of the key with its end, and the padding behind it. */
static uint32_t
key_len(struct span block)
{
	uint32_t at = HEAD;
	uint16_t c;

	while (bytes_le16(block, at, &c)) {
		at += 2;
		if (c == 0)
			break;
	}
	return aligned(at);
}

/* False if there is a malformed one: then no table behind is read either. */
static bool
strings_add(struct span table, struct found *f)
{
	uint16_t claimed;
	uint32_t len;

	while (table.len > HEAD && bytes_le16(table, 0, &claimed)) {
		len = aligned(claimed);
		if (len > table.len || len <= STRING_MIN)
			return false;
		if (key_len(bytes_sub(table, 0, len)) < len && f->n < f->max)
			f->offsets[f->n++] =
			    (uint64_t)(table.ptr - f->object.ptr) + HEAD;
		table = span_from(table, len);
	}
	return true;
}

static void
tables_add(struct span file_info, struct found *f)
{
	uint16_t len;

	while (file_info.len > HEAD && bytes_le16(file_info, 0, &len)) {
		if (len > file_info.len || len <= TABLE_MIN ||
		    !strings_add(
			bytes_sub(file_info, TABLE_MIN, len - TABLE_MIN), f))
			return;
		file_info = span_from(file_info, len);
	}
}

/* `info`: what follows VS_FIXEDFILEINFO. */
static void
file_info_add(struct span info, struct found *f)
{
	static const char var[] = "V\0a\0r\0F\0i\0l\0e\0I\0n\0f\0o\0\0";
	static const char text[] =
	    "S\0t\0r\0i\0n\0g\0F\0i\0l\0e\0I\0n\0f\0o\0\0";
	uint16_t len;

	if (info.len <= HEAD || !bytes_le16(info, 0, &len) || len > info.len)
		return;
	if (len > HEAD + VAR_KEY &&
	    bytes_are(info, HEAD, (struct span){ var, VAR_KEY })) {
		info = span_from(info, len);
		if (info.len <= HEAD || !bytes_le16(info, 0, &len) ||
		    len > info.len)
			return;
	}
	if (len > FILE_HEAD &&
	    bytes_are(info, HEAD, (struct span){ text, sizeof(text) }))
		tables_add(bytes_sub(info, FILE_HEAD, len - FILE_HEAD), f);
}

static bool
resource_add(void *arg, const struct pe_resource *resource)
{
	static const char key[] =
	    "V\0S\0_\0V\0E\0R\0S\0I\0O\0N\0_\0I\0N\0F\0O\0\0";
	struct span r = resource->data;
	struct found *f = arg;
	uint16_t len, value;

	(void)bytes_le16(r, 0, &len);
	(void)bytes_le16(r, 2, &value);
	if (len <= r.len && len > INFO_HEAD && value == FIXED &&
	    bytes_are(r, HEAD, (struct span){ key, sizeof(key) }) &&
	    bytes_are(r, FIXED_AT, SPAN("\xbd\x04\xef\xfe")))
		file_info_add(bytes_sub(r, INFO_HEAD, len - INFO_HEAD), f);
	return ++f->resources < RESOURCES_MAX;
}

static int
offset_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static size_t
unique(uint64_t *offsets, size_t n)
{
	size_t kept = 0;

	qsort(offsets, n, sizeof(*offsets), offset_cmp);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || offsets[i] != offsets[i - 1])
			offsets[kept++] = offsets[i];
	return kept;
}

size_t
pe_version_info(
    struct span object, const struct exe *x, uint64_t *offsets, size_t max)
{
	struct found f = { offsets, 0, max, object, 0 };
	uint32_t left = pe_lookups_max(x);

	pe_resources_walk(
	    object, x, RT_VERSION, PE_RESOURCE_ANY, &left, resource_add, &f);
	return unique(offsets, f.n);
}
