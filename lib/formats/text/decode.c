#include "formats/text/decode.h"

#include "formats/bytes.h"
#include "formats/text/lines.h"

#define PIECE      4096u
#define UU_LINE    63u /* bytes of a line, at most */
#define UU_PADDING 3u

struct piece {
	struct peel *out;
	char bytes[PIECE];
	size_t len;
	bool wanted;
};

static void
flush(struct piece *p)
{
	if (p->len > 0 && p->wanted)
		p->wanted = peel_add(p->out, (struct span){ p->bytes, p->len });
	p->len = 0;
}

static void
put(struct piece *p, char c)
{
	if (p->len == PIECE)
		flush(p);
	p->bytes[p->len++] = c;
}

/* The byte that an escape at s[at] stands for, or -1. */
static int
escape_at(struct span s, size_t at, char mark)
{
	int hi, lo;

	if (s.ptr[at] != mark || s.len - at < 3)
		return -1;
	hi = bytes_hex(s.ptr[at + 1]);
	lo = bytes_hex(s.ptr[at + 2]);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

void
decode_escapes(struct span s, char mark, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		int c = escape_at(s, i, mark);

		buf_char(out, (char)(c < 0 ? s.ptr[i] : c));
		i += c < 0 ? 0 : 2;
	}
}

/* ---- quoted-printable ------------------------------------------------------------------ */

/* The end of a line that "=" continues: how many bytes, or 0. */
static size_t
soft_break(struct span s, size_t at)
{
	size_t n = 1;

	if (s.ptr[at] != '=')
		return 0;
	while (
	    at + n < s.len && (s.ptr[at + n] == ' ' || s.ptr[at + n] == '\t'))
		n++;
	if (at + n == s.len)
		return n;
	if (s.ptr[at + n] == '\r')
		n++;
	if (at + n < s.len && s.ptr[at + n] == '\n')
		return n + 1;
	return s.ptr[at + n - 1] == '\r' ? n : 0;
}

bool
decode_quoted(struct span text, struct peel *out)
{
	struct piece p = { .out = out, .wanted = true };

	for (size_t i = 0; i < text.len && p.wanted;) {
		size_t n = soft_break(text, i);
		int c = escape_at(text, i, '=');

		if (n == 0) {
			put(&p, (char)(c < 0 ? text.ptr[i] : c));
			n = c < 0 ? 1 : 3;
		}
		i += n;
	}
	flush(&p);
	return p.wanted;
}

/* ---- uuencode --------------------------------------------------------------------------- */

/* Six bits; a blank is often a grave accent instead. */
static uint32_t
uu_bits(struct span line, size_t at)
{
	return at < line.len
	    ? ((uint32_t)(unsigned char)line.ptr[at] - ' ') & 63
	    : 0;
}

static void
put_uu_line(struct piece *p, struct span line, size_t bytes)
{
	for (size_t i = 0, at = 1; i < bytes; i += 3, at += 4) {
		uint32_t v = uu_bits(line, at) << 18 |
		    uu_bits(line, at + 1) << 12 | uu_bits(line, at + 2) << 6 |
		    uu_bits(line, at + 3);

		for (size_t k = 0; k < 3 && i + k < bytes; k++)
			put(p, (char)(v >> (16 - 8 * k) & 0xff));
	}
}

/* A line of so many bytes: its first character says how many. */
static bool
is_uu_line(struct span line, size_t *bytes)
{
	if (line.len == 0 || line.ptr[0] < ' ' || line.ptr[0] > '`')
		return false;
	*bytes = uu_bits(line, 0);
	/* Blanks at the end of a line get lost. */
	return *bytes > 0 && *bytes <= UU_LINE &&
	    line.len + 2 * UU_PADDING > (*bytes + 2) / 3 * 4;
}

bool
decode_uu(struct span text, size_t *at, struct peel *out)
{
	struct piece p = { .out = out, .wanted = true };
	struct span line;
	size_t next = *at, bytes = 0;

	while (p.wanted && lines_next(text, &next, &line)) {
		if (line.len > 0 && !is_uu_line(line, &bytes))
			break;
		if (line.len > 0)
			put_uu_line(&p, line, bytes);
		*at = next;
	}
	flush(&p);
	return p.wanted;
}
