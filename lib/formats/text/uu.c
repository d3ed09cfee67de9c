/* Files in text as uuencode(1) writes them: "begin 644 name", lines, "end".
 * Each is a member with its name; the text around them is the object's. */

#include "formats/text/decode.h"
#include "formats/text/text.h"

#include "formats/text/lines.h"

#define MODE_MAX 5u /* digits */

/* "begin 644 name": the name. */
static bool
begins_file(struct span line, struct span *name)
{
	struct span rest = span_from(line, 6), mode;

	if (!span_starts(line, "begin "))
		return false;
	mode = span_cut(rest, ' ', name);
	if (mode.len < 3 || mode.len > MODE_MAX)
		return false;
	for (size_t i = 0; i < mode.len; i++)
		if (mode.ptr[i] < '0' || mode.ptr[i] > '7')
			return false;
	return true;
}

bool
uu_give(struct span text, struct peel *out)
{
	struct span line, name;
	size_t at = 0;

	while (lines_next(text, &at, &line)) {
		struct peel_member m;

		if (!begins_file(line, &name))
			continue;
		m = peel_named(span_trim(name), FORMAT_ANY);
		if (!peel_begin(out, &m) || !decode_uu(text, &at, out) ||
		    !peel_end(out))
			return false;
	}
	return peel_tick(out);
}

void
open_uu(struct span object, struct peel *out)
{
	(void)uu_give(object, out);
}
