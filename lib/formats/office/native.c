/* What is embedded in documents by OLE 1: an object's head and its data, which
 * for a "Package" is any file with its name ([MS-OLEDS] 2.2). */

#include <string.h>

#include "formats/bytes.h"
#include "formats/office/part.h"

#define EMBEDDED 2u
#define TEXT_MAX 4096u

/* A text behind its length, which counts its NUL. */
static bool
take_counted(struct span s, size_t *at, struct span *text)
{
	uint32_t n;

	if (!bytes_le32(s, *at, &n) || n > TEXT_MAX ||
	    !bytes_have(s, *at + 4, n))
		return false;
	*text = bytes_sub(s, *at + 4, n > 0 ? n - 1 : 0);
	*at += 4 + (size_t)n;
	return true;
}

static bool
give(struct office *o, struct span name, struct span bytes)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);

	m.size = bytes.len;
	return bytes.len == 0 || peel_slice(o->out, &m, bytes);
}

/* The file's label, path, a temporary path, then its bytes. */
static bool
package_open(struct office *o, struct span s, bool *fits)
{
	struct span label, path, temporary;
	size_t at = 2;
	uint16_t kind;
	uint32_t len;

	*fits = bytes_le16(s, 0, &kind) && kind == 2 &&
	    bytes_text(s, &at, TEXT_MAX, &label) &&
	    bytes_text(s, &at, TEXT_MAX, &path);
	at += 4;
	*fits = *fits && take_counted(s, &at, &temporary) &&
	    bytes_le32(s, at, &len);
	if (!*fits)
		return true;
	return give(o, label.len > 0 ? label : SPAN("package"),
	    bytes_sub(s, at + 4, len));
}

/* \1Ole10Native: the size, then a package, or just bytes. */
bool
native_open(struct office *o, struct span stream)
{
	struct span s = span_from(stream, 4);
	bool fits, more = package_open(o, s, &fits);

	if (!more || fits)
		return more;
	return give(o, SPAN("native"), s);
}

/* Version, kind, class, topic, item, size, data. */
bool
ole1_open(struct office *o, struct span s)
{
	struct span class, topic, item, data;
	size_t at = 8;
	uint32_t version, kind, len;
	bool fits = false, more = true;

	if (!bytes_le32(s, 0, &version) || !bytes_le32(s, 4, &kind) ||
	    kind != EMBEDDED || !take_counted(s, &at, &class) ||
	    !take_counted(s, &at, &topic) || !take_counted(s, &at, &item) ||
	    !bytes_le32(s, at, &len))
		return give(o, SPAN("object"), s);
	data = bytes_sub(s, at + 4, len);
	/* Readers take the package whatever its class is called. */
	more = package_open(o, data, &fits);
	if (!more || fits)
		return more;
	return give(o, class.len > 0 ? class : SPAN("object"), data);
}
