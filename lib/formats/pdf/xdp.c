/* XDP (XML Data Package): documents in base64 within <chunk> elements, of any
 * name space. */

#include <stdio.h>
#include <string.h>

#include "formats/base64.h"
#include "formats/bytes.h"
#include "formats/pdf/pdf.h"

#define PREFIX_MAX 64u

/* Whether a tag opens with the name at `at`, its name space before it. */
static bool
opens_tag(struct span s, size_t at)
{
	if (at > 0 && s.ptr[at - 1] == ':') {
		size_t least = at > PREFIX_MAX ? at - PREFIX_MAX : 0;

		for (at--; at > least && s.ptr[at - 1] != '<'; at--)
			if (memchr("/> :", s.ptr[at - 1], 4) != NULL)
				return false;
	}
	return at > 0 && s.ptr[at - 1] == '<';
}

/* Behind the next "<chunk ...>" or "<x:chunk ...>"; false: none left. */
static bool
next_chunk(struct span s, size_t *at)
{
	while (*at < s.len) {
		const char *hit = memmem(s.ptr + *at, s.len - *at, "chunk", 5);
		size_t p;

		if (hit == NULL)
			break;
		p = (size_t)(hit - s.ptr);
		*at = p + 5;
		if (!opens_tag(s, p) || *at >= s.len)
			continue;
		if (memchr("> \t\r\n", s.ptr[*at], 5) == NULL)
			continue;
		hit = memchr(s.ptr + *at, '>', s.len - *at);
		if (hit == NULL)
			break;
		*at = (size_t)(hit - s.ptr) + 1;
		return true;
	}
	*at = s.len;
	return false;
}

void
open_xdp(struct span object, struct peel *out)
{
	size_t at = 0;

	for (unsigned n = 1; next_chunk(object, &at); n++) {
		struct span text = span_from(object, at);
		const char *end = memchr(text.ptr, '<', text.len);
		struct peel_member m;
		char name[32];
		int len = snprintf(name, sizeof(name), "chunk %u", n);

		if (end != NULL)
			text.len = (size_t)(end - text.ptr);
		at += text.len;
		m = peel_named((struct span){ name, (size_t)len }, FORMAT_ANY);
		m.packed = text.len;
		if (!peel_begin(out, &m) || !base64_give(text, out) ||
		    !peel_end(out) || !peel_tick(out))
			return;
	}
}
