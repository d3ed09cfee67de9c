/* BinHex 4.0: a file of the old Macintosh in text.  Six bits a character,
 * then runs, then a head with the name, the data fork and the resource fork:
 * both are members if they are not empty. */

#include <string.h>

#include "formats/bytes.h"
#include "formats/text/decode.h"
#include "formats/text/text.h"

#define MARK     "(This file must be converted with BinHex"
#define RUN      0x90u /* a byte that is repeated follows as a number */
#define PIECE    4096u
#define HEAD_MAX 128u

struct binhex {
	struct span text;
	size_t at;
	uint32_t bits, held;
	int last;        /* what a run repeats; -1: nothing yet */
	unsigned repeat; /* times that it still comes */
	bool ended;
};

static int
value_of(char c)
{
	static const char letters[] =
	    "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklm"
	    "pqr";
	const char *p = c == '\0' ? NULL : strchr(letters, c);

	return p == NULL ? -1 : (int)(p - letters);
}

/* The next byte before runs; -1 at the end. */
static int
next_raw(struct binhex *b)
{
	while (b->held < 8) {
		int v;

		if (b->at >= b->text.len || b->text.ptr[b->at] == ':')
			return -1;
		v = value_of(b->text.ptr[b->at++]);
		if (v < 0)
			continue;
		b->bits = b->bits << 6 | (uint32_t)v;
		b->held += 6;
	}
	b->held -= 8;
	return (int)(b->bits >> b->held & 0xff);
}

static int
next_byte(struct binhex *b)
{
	int c, n;

	if (b->repeat > 0) {
		b->repeat--;
		return b->last;
	}
	c = next_raw(b);
	if (c != (int)RUN)
		return c < 0 ? -1 : (b->last = c);
	n = next_raw(b);
	if (n < 0)
		return -1;
	if (n == 0)
		return b->last = (int)RUN;
	if (b->last < 0)
		return -1;
	/* That the byte stands there once is nothing to say of it. */
	b->repeat = n < 2 ? 0 : (unsigned)n - 2;
	return b->last;
}

/* `n` bytes into the member that is begun; false: enough. */
static bool
give(struct binhex *b, uint32_t n, struct peel *out)
{
	char piece[PIECE];
	size_t len = 0;

	for (; n > 0; n--) {
		int c = next_byte(b);

		if (c < 0) {
			b->ended = true;
			break;
		}
		piece[len++] = (char)c;
		if (len == PIECE || n == 1) {
			if (!peel_add(out, (struct span){ piece, len }))
				return false;
			len = 0;
		}
	}
	return len == 0 || peel_add(out, (struct span){ piece, len });
}

/* False: the sink wants no more. */
static bool
give_fork(struct binhex *b, struct span name, uint32_t size, struct peel *out)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);

	m.size = size;
	if (size == 0 || b->ended)
		return true;
	if (!peel_begin(out, &m) || !give(b, size, out) || !peel_end(out))
		return false;
	(void)next_byte(b); /* a checksum */
	(void)next_byte(b);
	return true;
}

/* Length and name, version, type, creator, flags, the lengths of both forks,
 * a checksum. */
static bool
give_file(struct binhex *b, struct peel *out)
{
	char head[HEAD_MAX];
	int len = next_byte(b);
	struct span s = { head, 0 };
	uint32_t data, resource;

	if (len < 1 || len > 63)
		return true;
	for (; s.len < (size_t)len + 21; s.len++) {
		int c = next_byte(b);

		if (c < 0)
			return true;
		head[s.len] = (char)c;
	}
	return !bytes_be32(s, (size_t)len + 11, &data) ||
	    !bytes_be32(s, (size_t)len + 15, &resource) ||
	    (give_fork(b, (struct span){ head, (size_t)len }, data, out) &&
		give_fork(b, SPAN("resource fork"), resource, out));
}

bool
binhex_give(struct span text, struct peel *out, bool *damaged)
{
	const char *p = memmem(text.ptr, text.len, MARK, strlen(MARK));
	struct binhex b = { .text = text, .last = -1 };
	bool more;

	if (p != NULL)
		p = memchr(p, '\n', (size_t)(text.ptr + text.len - p));
	if (p != NULL)
		p = memchr(p, ':', (size_t)(text.ptr + text.len - p));
	if (p == NULL)
		return true;
	b.at = (size_t)(p - text.ptr) + 1;
	more = give_file(&b, out);
	*damaged = *damaged || b.ended;
	return more;
}

void
open_binhex(struct span object, struct peel *out)
{
	bool damaged = false;

	if (binhex_give(object, out, &damaged) && damaged)
		peel_note(out, PEEL_DAMAGED);
}
