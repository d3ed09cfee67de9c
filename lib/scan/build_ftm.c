#include "scan/build_int.h"

/* What begins in the middle of other things: archives behind a program,
 * programs in data.  As .ftm lines have it, but for the fields that are the
 * same in all. */
static const struct {
	const char *body;
	enum format format;
} embedded[] = {
	{ "4d5a{58-1020}50450000", FORMAT_MSEXE },
	{ "504b0304", FORMAT_ZIPSFX },
	{ "526172211a07", FORMAT_RARSFX },
	{ "377abcaf271c", FORMAT_7ZSFX },
	{ "4d53434600000000{4}00000000", FORMAT_CABSFX },
	{ "efbeadde4e756c6c736f6674496e7374", FORMAT_NULSFT },
	{ "a3484bbe986c4aa9994c530a86d6487d4155332145413035", FORMAT_AUTOIT },
	{ "a3484bbe986c4aa9994c530a86d6487d4155332145413036", FORMAT_AUTOIT },
	{ "496e6e6f20536574757020536574757020446174612028", FORMAT_INNO },
};

enum err
build_formats(struct scan_builder *b, struct errinfo *ei)
{
	static const struct sig_place anywhere = { FROM_ANY, 0, 0, 0 };
	enum err e = OK;

	for (size_t i = 0; i < COUNT(embedded) && e == OK; i++) {
		const char *name = format_name(embedded[i].format);
		struct set_name ref = { build_text(b, span_of(name)), 0,
			b->source };

		draft_begin(b->draft, &ref, TARGET_ANY);
		draft_format(b->draft, embedded[i].format);
		e = draft_body(
		    b->draft, &anywhere, span_of(embedded[i].body), 0, ei);
		if (e == OK)
			e = draft_end(b, b->draft, SPAN(""), 1, ei);
		b->counts.bodies--;
	}
	return e;
}
