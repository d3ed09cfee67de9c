#include <string.h>
#include <strings.h>

#include "formats/office/office.h"
#include "scan/object/scanner_int.h"

/* Parts of documents that are zips: what they are is said by where they are. */

static const struct {
	const char *beginning; /* of the name, whatever its case */
	opener_fn *open;
} parts[] = {
	{ "xl/macrosheets/", open_macro_sheet },
	{ "xl/workbook.bin", open_macro_names },
};

void
part_look(struct scanner *s, const struct object *member, struct span name)
{
	if (member->parent->format != FORMAT_ZIP)
		return;
	for (size_t i = 0; i < COUNT(parts); i++) {
		size_t n = strlen(parts[i].beginning);

		if (name.len >= n &&
		    strncasecmp(name.ptr, parts[i].beginning, n) == 0)
			members_open(s, member, member->bytes, parts[i].open);
	}
}
