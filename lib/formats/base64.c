#include "formats/base64.h"

#define PIECE 12288u

struct base64 {
	uint32_t bits, held;
	uint8_t digit[256]; /* one more than its value, or 0 */
};

static struct base64
begin(void)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	struct base64 b = { .held = 0 };

	for (size_t i = 0; i < sizeof(alphabet) - 1; i++)
		b.digit[(unsigned char)alphabet[i]] = (uint8_t)(i + 1);
	return b;
}

/* Four digits in a row become three bytes; false if they are not four. */
static bool
decode_four(const struct base64 *b, const char *in, char *out)
{
	const unsigned char *c = (const unsigned char *)in;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		if (b->digit[c[i]] == 0)
			return false;
		bits = bits << 6 | (b->digit[c[i]] - 1u);
	}
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return true;
}

/* Decodes from *at until `out` is full or the text ends; bytes written. */
static size_t
decode(struct base64 *b, struct span text, size_t *at, char *out, size_t max)
{
	size_t n = 0;

	while (*at < text.len && n < max) {
		unsigned char c;
		uint8_t digit;

		if (b->held == 0 && text.len - *at >= 4 && max - n >= 3 &&
		    decode_four(b, text.ptr + *at, out + n)) {
			*at += 4;
			n += 3;
			continue;
		}
		c = (unsigned char)text.ptr[(*at)++];
		digit = b->digit[c];
		if (c == '=')
			b->held = 0; /* another may follow */
		if (digit == 0)
			continue;
		b->bits = b->bits << 6 | (digit - 1u);
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
	struct base64 b = begin();
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
	struct base64 b = begin();
	size_t at = 0;
	char piece[PIECE];

	while (at < text.len && !out->full)
		buf_add(
		    out, piece, decode(&b, text, &at, piece, sizeof(piece)));
}
