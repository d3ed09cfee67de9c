#include <string.h>

#include "prog/khien/khien.h"

/* How long the character at the start of s is, 0 if there is none that may
 * be shown. */
static size_t
shown_length(struct span s)
{
	/* NOLINTBEGIN(misc-misleading-bidirectional): what is kept out */
	static const char *const turning[] = { "\xe2\x80\xaa", "\xe2\x80\xab",
		"\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
		"\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", "\xe2\x80\xa8",
		"\xe2\x80\xa9" };
	/* NOLINTEND(misc-misleading-bidirectional) */
	unsigned char c = (unsigned char)s.ptr[0];
	size_t n = span_utf8_step(s);

	if (c < ' ' || c == 0x7f || n == 0)
		return 0;
	s.len = n;
	if (c == 0xc2 && (unsigned char)s.ptr[1] < 0xa0) /* C1 controls */
		return 0;
	for (size_t i = 0; i < COUNT(turning); i++)
		if (span_is(s, turning[i]))
			return 0;
	return n;
}

void
put_escaped(FILE *out, struct span s)
{
	static const struct {
		char c;
		const char *text;
	} named[] = { { '\n', "\\n" }, { '\r', "\\r" }, { '\t', "\\t" },
		{ '\\', "\\\\" } };

	while (s.len > 0) {
		size_t n = shown_length(s), i = 0;

		while (i < COUNT(named) && named[i].c != s.ptr[0])
			i++;
		if (i < COUNT(named)) {
			(void)fputs(named[i].text, out);
		} else if (n > 0) {
			(void)fwrite(s.ptr, 1, n, out);
			s = span_from(s, n - 1);
		} else {
			(void)fprintf(
			    out, "\\x%02x", (unsigned)(unsigned char)s.ptr[0]);
		}
		s = span_from(s, 1);
	}
}

static void
complain(const struct khien *k, const char *message, const char *thing)
{
	(void)fprintf(
	    stderr, "khien%s%s: ", k->verb[0] == '\0' ? "" : " ", k->verb);
	put_escaped(stderr, span_of(message));
	if (thing != NULL) {
		(void)fputs(": ", stderr);
		put_escaped(stderr, span_of(thing));
	}
	(void)fputc('\n', stderr);
}

int
wrong_use(const struct khien *k, const char *message, const char *thing)
{
	complain(k, tr(k, message), thing);
	return STATUS_USAGE;
}

int
failed(const struct khien *k, const char *message)
{
	complain(k, message, NULL);
	return STATUS_FAILED;
}
