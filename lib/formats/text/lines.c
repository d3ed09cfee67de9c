#include "formats/text/lines.h"

#include <string.h>
#include <strings.h>

bool
lines_next(struct span s, size_t *at, struct span *line)
{
	struct span rest = span_from(s, *at);
	size_t n = 0;

	if (rest.len == 0)
		return false;
	while (n < rest.len && rest.ptr[n] != '\n' && rest.ptr[n] != '\r')
		n++;
	*line = (struct span){ rest.ptr, n };
	*at += n;
	if (*at < s.len && s.ptr[*at] == '\r')
		++*at;
	if (*at < s.len && s.ptr[*at] == '\n')
		++*at;
	return true;
}

bool
lines_starts(struct span s, struct span prefix)
{
	return s.len >= prefix.len &&
	    strncasecmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

bool
lines_same(struct span a, struct span b)
{
	return a.len == b.len && lines_starts(a, b);
}
