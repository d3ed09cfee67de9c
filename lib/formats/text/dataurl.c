/* Files within the text of a page or script: "data:type;base64,..." (RFC
 * 2397). */

#include <stdio.h>
#include <string.h>

#include "formats/base64.h"
#include "formats/bytes.h"
#include "formats/text/lines.h"
#include "formats/text/text.h"

#define MARK      ";base64,"
#define MARK_RARE 5u /* its digits are met less often than the rest */
#define TYPE_MAX  256u

static bool
is_base64(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("+/=\r\n\t ", c) != NULL);
}

/* "data:" within reach in front of `at`, and nothing that ends a URL since. */
static bool
is_url(struct span s, size_t at)
{
	size_t least = at > TYPE_MAX ? at - TYPE_MAX : 0;

	for (; at > least; at--) {
		if (lines_starts(span_from(s, at - 1), SPAN("data:")))
			return true;
		if (strchr("\"'<>() ", s.ptr[at - 1]) != NULL)
			return false;
	}
	return false;
}

void
open_data_urls(struct span object, struct peel *out)
{
	size_t at = 0;

	for (unsigned n = 1; at < object.len; n++) {
		const char *p =
		    span_find(span_from(object, at), SPAN(MARK), MARK_RARE);
		struct peel_member m;
		struct span text;
		char name[32];
		int len;

		if (p == NULL)
			return;
		at = (size_t)(p - object.ptr);
		text = span_from(object, at + sizeof(MARK) - 1);
		for (size_t i = 0; i < text.len; i++)
			if (!is_base64(text.ptr[i]))
				text.len = i;
		at += sizeof(MARK) - 1;
		if (!is_url(object, (size_t)(p - object.ptr)))
			continue;
		len = snprintf(name, sizeof(name), "data %u", n);
		m = peel_named((struct span){ name, (size_t)len }, FORMAT_ANY);
		m.packed = text.len;
		if (!peel_begin(out, &m) || !base64_give(text, out) ||
		    !peel_end(out))
			return;
		at += text.len;
	}
}
