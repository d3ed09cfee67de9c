#include "base/log.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* The only global state of the libraries: set once, before threads. */
static struct {
	const char *program;
	enum log_level lowest;
	bool terminal;
} config = { "khien", LOG_INFO_L, false };

void
log_setup(const char *program, enum log_level lowest)
{
	config.program = program;
	config.lowest = lowest;
	config.terminal = isatty(STDERR_FILENO) == 1;
}

/* Room kept for the end of a cut text and of the line. */
#define LINE_TAIL 16

/* One character that is not ASCII; returns how many bytes it took. */
static size_t
character(struct buf *b, struct span s)
{
	unsigned char c = (unsigned char)s.ptr[0];
	size_t n = span_utf8_step(s);

	if (n == 2 && c == 0xc2 && (unsigned char)s.ptr[1] < 0xa0)
		buf_fmt(b, "\\u%04x", (unsigned char)s.ptr[1]); /* C1 */
	else if (n > 0)
		buf_add(b, s.ptr, n);
	else
		buf_fmt(b, "\\u%04x", c);
	return n == 0 ? 1 : n;
}

static void
quoted(struct buf *b, struct span s)
{
	size_t i = 0;

	buf_char(b, '"');
	while (i < s.len && b->len < LOG_LINE_MAX - LINE_TAIL) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= 0x80) {
			i += character(b, span_from(s, i));
			continue;
		}
		if (c == '"' || c == '\\')
			buf_fmt(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_fmt(b, "\\u%04x", c);
		else
			buf_char(b, (char)c);
		i++;
	}
	buf_text(b, i < s.len ? "...\"" : "\"");
}

/* A field that no longer fits is left out. */
static void
pair(struct buf *b, const struct log_field *f)
{
	size_t before = b->len;

	buf_fmt(b, config.terminal ? " %s=" : ",\"%s\":", f->key);
	if (f->is_number)
		buf_fmt(b, "%lld", (long long)f->number);
	else
		quoted(b, f->text);
	if (b->full || b->len > LOG_LINE_MAX - 2)
		buf_cut(b, before);
}

void
log_event(
    enum log_level level, const char *event, const struct log_field *fields)
{
	static const char *const levels[] = { "debug", "info", "warn",
		"error" };
	struct buf b = buf_make(LOG_LINE_MAX);
	char when[TIME_TEXT_MAX];

	if (level < config.lowest)
		return;
	time_rfc3339(clock_utc_ms(&clock_system), when);
	buf_fmt(&b, config.terminal ? "%s" : "{\"time\":\"%s\"", when);
	pair(&b, &LOG_S("level", levels[level]));
	pair(&b, &LOG_S("program", config.program));
	pair(&b, &LOG_S("event", event));
	for (const struct log_field *f = fields; f->key != NULL; f++)
		pair(&b, f);
	buf_text(&b, config.terminal ? "\n" : "}\n");
	if (b.ptr != NULL)
		(void)!write(STDERR_FILENO, b.ptr, b.len);
	buf_free(&b);
}
