#include "scan/object/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

struct unpack {
	struct archive *a;
	bool stream;
	bool broken; /* libarchive cannot go on */
};

typedef int support_fn(struct archive *a);

static support_fn *const formats[] = {
	archive_read_support_format_zip,
	archive_read_support_format_7zip,
	archive_read_support_format_rar,
	archive_read_support_format_rar5,
	archive_read_support_format_cab,
	archive_read_support_format_cpio,
	archive_read_support_format_ar,
	archive_read_support_format_lha,
	archive_read_support_format_iso9660,
	archive_read_support_format_tar,
};
static const struct {
	struct span magic;
	int filter;
} filters[] = {
	{ SPAN("\x1f\x8b"), ARCHIVE_FILTER_GZIP },
	{ SPAN("BZh"), ARCHIVE_FILTER_BZIP2 },
	{ SPAN("\xfd"
	       "7zXZ"),
	    ARCHIVE_FILTER_XZ },
	{ SPAN("\x28\xb5\x2f\xfd"), ARCHIVE_FILTER_ZSTD },
	{ SPAN("\x04\x22\x4d\x18"), ARCHIVE_FILTER_LZ4 },
	{ SPAN("LZIP"), ARCHIVE_FILTER_LZIP },
	{ SPAN("\x5d"), ARCHIVE_FILTER_LZMA },
};

/* libarchive tells most of its reasons in words only. */
static enum scan_reason
reason_of(struct archive *a)
{
	static const struct {
		const char *word;
		enum scan_reason reason;
	} words[] = {
		{ "ncrypt", SCAN_R_ENCRYPTED },
		{ "assphrase", SCAN_R_ENCRYPTED },
		{ "assword", SCAN_R_ENCRYPTED },
		{ "nsupported", SCAN_R_UNSUPPORTED },
		{ "not supported", SCAN_R_UNSUPPORTED },
		{ "emory", SCAN_R_MEMORY },
	};
	const char *text = archive_error_string(a);

	if (archive_errno(a) == ENOMEM)
		return SCAN_R_MEMORY;
	for (size_t i = 0; i < COUNT(words); i++)
		if (text != NULL && strstr(text, words[i].word) != NULL)
			return words[i].reason;
	return SCAN_R_DAMAGED;
}

/* One layer alone: left to itself libarchive takes all layers off at once,
 * and what lies between would never be looked at. */
static bool
add_filter(struct archive *a, struct span packed)
{
	for (size_t i = 0; i < COUNT(filters); i++)
		if (packed.len >= filters[i].magic.len &&
		    memcmp(packed.ptr, filters[i].magic.ptr,
			filters[i].magic.len) == 0)
			return archive_read_append_filter(
				   a, filters[i].filter) >= ARCHIVE_WARN;
	/* compress(1) cannot be named: libarchive forgot it there.  If it is
	 * none either, that is noticed at the first member. */
	return archive_read_support_filter_compress(a) >= ARCHIVE_WARN;
}

static bool
support(struct archive *a, struct span packed, enum pack how, bool with_tar)
{
	bool ok = true;

	if (how == PACK_LOCAL)
		return archive_read_support_format_zip_streamable(a) >=
		    ARCHIVE_WARN;
	if (how == PACK_ARCHIVE) {
		for (size_t i = 0; i < COUNT(formats); i++)
			ok = formats[i](a) >= ARCHIVE_WARN && ok;
		return ok;
	}
	ok = add_filter(a, packed);
	ok = (with_tar ? archive_read_support_format_tar(a)
		       : archive_read_support_format_raw(a)) >= ARCHIVE_WARN &&
	    ok;
	return ok;
}

enum scan_reason
unpack_open(
    struct span packed, enum pack how, bool with_tar, struct unpack **out)
{
	struct unpack *u = calloc(1, sizeof(*u));
	enum scan_reason why = SCAN_R_MEMORY;

	if (u == NULL)
		return why;
	u->a = archive_read_new();
	if (u->a == NULL || !support(u->a, packed, how, with_tar))
		goto out;
	if (archive_read_open_memory(u->a, packed.ptr, packed.len) !=
	    ARCHIVE_OK) {
		why = reason_of(u->a);
		goto out;
	}
	u->stream = how == PACK_STREAM;
	*out = u;
	return SCAN_R_NONE;
out:
	unpack_close(u);
	return why;
}

void
unpack_close(struct unpack *u)
{
	if (u == NULL)
		return;
	if (u->a != NULL)
		(void)archive_read_free(u->a);
	free(u);
}

/* libarchive tells the method in words only. */
static bool
is_old(struct archive *a)
{
	static const char *const methods[] = { "shrinking", "reduced",
		"imploded", "deflation-64" };
	const char *text = archive_format_name(a);

	for (size_t i = 0; i < COUNT(methods); i++)
		if (text != NULL && strstr(text, methods[i]) != NULL)
			return true;
	return false;
}

/* The directory of a zip may call a member a device, a link or a folder;
 * many unpackers do not care and write a file. */
static bool
withholds(struct archive *a, struct archive_entry *entry)
{
	unsigned type = archive_entry_filetype(entry);

	return (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) ==
	    ARCHIVE_FORMAT_ZIP &&
	    (type == AE_IFLNK ||
		(type != AE_IFREG && archive_entry_size(entry) > 0));
}

bool
unpack_next(struct unpack *u, struct unpack_member *out, enum scan_reason *why)
{
	struct archive_entry *entry = NULL;
	const char *name;
	int e;

	*why = SCAN_R_NONE;
	if (u->broken)
		return false;
	e = archive_read_next_header(u->a, &entry);
	if (e == ARCHIVE_EOF)
		return false;
	if (e < ARCHIVE_WARN) {
		*why = reason_of(u->a);
		/* A bad header is no way to the next one. */
		u->broken = true;
		return false;
	}
	/* No filter but "none" knew the bytes: they would come out as they
	 * went in. */
	if (u->stream && archive_filter_count(u->a) < 2) {
		*why = SCAN_R_DAMAGED;
		u->broken = true;
		return false;
	}
	name = archive_entry_pathname(entry);
	*out = (struct unpack_member){
		.name = name == NULL ? "" : name,
		.size = archive_entry_size_is_set(entry) != 0
		    ? (uint64_t)archive_entry_size(entry)
		    : UINT64_MAX,
		.encrypted = archive_entry_is_encrypted(entry) != 0,
		.withheld = withholds(u->a, entry),
		.old = is_old(u->a),
	};
	return true;
}

bool
unpack_piece(
    struct unpack *u, struct span *piece, uint64_t *at, enum scan_reason *why)
{
	const void *bytes = NULL;
	la_int64_t offset = 0;
	size_t n = 0;
	int e = ARCHIVE_RETRY;

	while (e == ARCHIVE_RETRY)
		e = archive_read_data_block(u->a, &bytes, &n, &offset);
	if (e == ARCHIVE_EOF)
		return false;
	if (e != ARCHIVE_OK || offset < 0) {
		*why = reason_of(u->a);
		u->broken = e == ARCHIVE_FATAL;
		return false;
	}
	*piece = (struct span){ bytes, n };
	*at = (uint64_t)offset;
	return true;
}
