#include "formats/format.h"

static const char *const names[FORMATS] = {
#define X(name) [FORMAT_##name] = #name,
	FORMAT_LIST(X)
#undef X
};

const char *
format_name(enum format f)
{
	return (unsigned)f < FORMATS ? names[f] : "?";
}

enum format
format_of_name(struct span name)
{
	static const char prefix[] = "CL_TYPE_";

	if (span_starts(name, prefix))
		name = span_from(name, sizeof(prefix) - 1);
	for (unsigned f = 0; f < FORMATS; f++)
		if (span_is(name, names[f]))
			return (enum format)f;
	return FORMATS;
}
