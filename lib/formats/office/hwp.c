/* Documents of Hangul 5 (HWP): compound files whose streams are deflated
 * without a frame, when the stream FileHeader says so. */

#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "formats/office/cfb.h"
#include "formats/office/part.h"

#define SIGNATURE    SPAN("HWP Document File")
#define FLAGS_AT     36u
#define COMPRESSED   1u
#define PASSWORD     2u
#define DISTRIBUTION 4u /* what can be read is in ViewText, and encrypted */
#define SIZE         4u /* bytes of it, in front of an embedded file */

void
hwp_begin(struct office *o, struct span header)
{
	uint32_t flags;

	if (!bytes_are(header, 0, SIGNATURE) ||
	    !bytes_le32(header, FLAGS_AT, &flags))
		return;
	if ((flags & PASSWORD) != 0) {
		(void)office_secret(o);
		return;
	}
	o->hwp_deflated = (flags & COMPRESSED) != 0;
	o->hwp_distributed = (flags & DISTRIBUTION) != 0;
}

/* The first bytes of what is deflated; how many there are. */
static size_t
peek(struct span packed, unsigned char *out, size_t n)
{
	z_stream z = { 0 };

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return 0;
	/* zlib's interface is not const, but it does not write there. */
	z.next_in = (unsigned char *)(uintptr_t)packed.ptr;
	z.avail_in = packed.len > UINT32_MAX ? UINT32_MAX : (uInt)packed.len;
	z.next_out = out;
	z.avail_out = (uInt)n;
	(void)inflate(&z, Z_SYNC_FLUSH);
	n -= z.avail_out;
	(void)inflateEnd(&z);
	return n;
}

/* Names of streams that are deflated begin so, as clamscan has it. */
static const struct {
	const char *name;
	bool each; /* each of these may be so or as it is */
} deflated[] = {
	{ "DocInfo", false },
	{ "Section", false },
	{ "DefaultJScript", false },
	{ "JScriptVersion", false },
	{ "BIN", true },
};

static bool
is_deflated(struct span path, bool *each)
{
	struct span name = path, rest;

	while (memchr(name.ptr, '/', name.len) != NULL) {
		(void)span_cut(name, '/', &rest);
		name = rest;
	}
	for (size_t i = 0; i < COUNT(deflated); i++) {
		size_t n = strlen(deflated[i].name);

		*each = deflated[i].each;
		if (name.len >= n &&
		    strncasecmp(name.ptr, deflated[i].name, n) == 0)
			return true;
	}
	return false;
}

bool
hwp_stream_open(struct office *o, struct span path, struct span stream)
{
	unsigned char head[SIZE + 8];
	struct office_packed p = { .name = path, .bytes = stream, .raw = true };
	struct span begins = { (const char *)head, 0 };

	if (!o->hwp_deflated || !is_deflated(path, &p.loose))
		return true;
	if (o->hwp_distributed && span_starts(path, "ViewText/")) {
		office_note(o, PEEL_UNSUPPORTED);
		return true;
	}
	begins.len = peek(stream, head, sizeof(head));
	if (begins.len == 0)
		return true;
	p.skip = bytes_are(begins, SIZE, CFB_MAGIC) ? SIZE : 0;
	return office_inflate(o, &p);
}
