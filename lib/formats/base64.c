#include "formats/base64.h"

#define PIECE 12288u

struct base64 {
	uint32_t bits, held;
};

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Decodes from *at until `out` is full or the text ends; bytes written. */
static size_t
decode(struct base64 *b, struct span text, size_t *at, char *out, size_t max)
{
	size_t n = 0;

	for (; *at < text.len && n < max; (*at)++) {
		int v = value_of(text.ptr[*at]);

		if (text.ptr[*at] == '=')
			b->held = 0; /* another may follow */
		if (v < 0)
			continue;
		b->bits = b->bits << 6 | (uint32_t)v;
		b->held += 6;
		if (b->held < 8)
			continue;
		b->held -= 8;
		out[n++] = (char)(b->bits >> b->held & 0xff);
	}
	return n;
}

bool
base64_give(struct span text, struct peel *out)
{
	struct base64 b = { 0, 0 };
	size_t at = 0;
	char piece[PIECE];

	while (at < text.len) {
		size_t n = decode(&b, text, &at, piece, sizeof(piece));

		if (n > 0 && !peel_add(out, (struct span){ piece, n }))
			return false;
	}
	return true;
}

void
base64_add(struct span text, struct buf *out)
{
	struct base64 b = { 0, 0 };
	size_t at = 0;
	char piece[PIECE];

	while (at < text.len && !out->full)
		buf_add(
		    out, piece, decode(&b, text, &at, piece, sizeof(piece)));
}
