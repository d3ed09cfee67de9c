/* Compiled AutoIt scripts, in a program or alone (.a3x), of the versions that
 * mark themselves EA05 and EA06.  Behind the mark stand files, each with two
 * names, sizes and bytes: enciphered by a generator of pseudo-random bytes
 * with a seed that is known or in the file (EA05: the Mersenne twister, EA06:
 * a RanRot), and packed by LZSS over 32 kB.  In EA06 the script is a list of
 * tokens, which comes out as text, a blank behind each token. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/pack/bits.h"
#include "formats/pack/codec.h"
#include "formats/pack/pack.h"

#define WINDOW     32768u
#define NAME_MAX   4096u       /* bytes; the head of a file with more is bad */
#define SCRIPT_MAX (64u << 20) /* of tokens */

/* ---- ciphers ------------------------------------------------------------------ */

#define TWISTER 624u

static void
twist(uint32_t *mt)
{
	for (unsigned i = 0; i < TWISTER; i++) {
		uint32_t y = (mt[i] & 0x80000000u) |
		    (mt[(i + 1) % TWISTER] & 0x7fffffffu);

		mt[i] = mt[(i + 397) % TWISTER] ^ y >> 1 ^
		    ((y & 1) != 0 ? 0x9908b0dfu : 0);
	}
}

/* MT19937; of each number the bits 1 to 8. */
static void
twister(uint8_t *p, size_t n, uint32_t seed)
{
	uint32_t mt[TWISTER];

	mt[0] = seed;
	for (unsigned i = 1; i < TWISTER; i++)
		mt[i] = 1812433253u * (mt[i - 1] ^ mt[i - 1] >> 30) + i;
	for (size_t i = 0; i < n; i++) {
		uint32_t y;

		if (i % TWISTER == 0)
			twist(mt);
		y = mt[i % TWISTER];
		y ^= y >> 11;
		y ^= y << 7 & 0x9d2c5680u;
		y ^= y << 15 & 0xefc60000u;
		y ^= y >> 18;
		p[i] ^= (uint8_t)(y >> 1);
	}
}

#define RANROT 17u

struct ranrot {
	uint32_t r[RANROT];
	unsigned one, two;
};

static uint32_t
ranrot_next(struct ranrot *g)
{
	uint32_t a = g->r[g->one], b = g->r[g->two];
	uint32_t next = (a << 9 | a >> 23) + (b << 13 | b >> 19);

	g->r[g->one] = next;
	g->one = g->one == 0 ? RANROT - 1 : g->one - 1;
	g->two = g->two == 0 ? RANROT - 1 : g->two - 1;
	return next;
}

/* Of every second number the highest byte. */
static void
ranrot(uint8_t *p, size_t n, uint32_t seed)
{
	struct ranrot g = { .one = 0, .two = 10 };

	for (unsigned i = 0; i < RANROT; i++) {
		seed = 1 - seed * 0x53a9b4fbu;
		g.r[i] = seed;
	}
	for (unsigned i = 0; i < 9; i++)
		(void)ranrot_next(&g);
	for (size_t i = 0; i < n; i++) {
		(void)ranrot_next(&g);
		p[i] ^= (uint8_t)(ranrot_next(&g) >> 24);
	}
}

/* ---- versions ------------------------------------------------------------------ */

/* What differs between the two. */
struct version {
	char mark[5];
	void (*cipher)(uint8_t *p, size_t n, uint32_t seed);
	unsigned char_size;  /* of the names: bytes, or UTF-16 */
	uint32_t file;       /* what "FILE" is, enciphered */
	uint32_t name, path; /* their lengths are turned by that */
	uint32_t name_seed, path_seed, size, data_seed;
	bool seed_adds_head; /* to data_seed: the sum of the 16 bytes */
	unsigned literal;    /* the bit before one */
	const char *script;  /* the name of the script, if of tokens */
};

static const struct version versions[] = {
	{ "EA05", twister, 1, 0xceb06dff, 0x29bc, 0x29ac, 0xa25e, 0xf25e,
	    0x45aa, 0x22af, true, 0, NULL },
	{ "EA06", ranrot, 2, 0x52ca436b, 0xadbc, 0xf820, 0xb33f, 0xf479, 0x87bc,
	    0x2477, false, 1, ">>>AUTOIT SCRIPT<<<" },
};

/* ---- LZSS ---------------------------------------------------------------------- */

/* Lengths from 3 on, in steps that widen when a step is all ones. */
static uint64_t
match_length(struct bits *b)
{
	static const struct {
		unsigned bits, base;
	} steps[] = { { 2, 0 }, { 3, 3 }, { 5, 10 }, { 8, 41 } };
	uint64_t more = 296;
	uint32_t v;

	for (unsigned i = 0; i < COUNT(steps); i++) {
		v = msb_get(b, steps[i].bits);
		if (v != (1u << steps[i].bits) - 1)
			return v + steps[i].base + UINT64_C(3);
	}
	while ((v = msb_get(b, 8)) == 255 && !bits_over(b))
		more += 255;
	return v + more + 3;
}

/* The mark again, the size in four bytes, then the codes. */
static bool
unpack(struct span in, const struct version *v, struct flow *f)
{
	struct bits b = bits_of(span_from(in, 8));
	uint32_t size;

	if (!span_starts(in, v->mark) || !bytes_be32(in, 4, &size))
		return false;
	if (f->left > size)
		f->left = size;
	while (flow_wants(f) && !bits_over(&b)) {
		if (msb_get(&b, 1) == v->literal) {
			flow_put(f, (uint8_t)msb_get(&b, 8));
		} else {
			size_t back = msb_get(&b, 15);

			if (back > f->total || back == 0)
				return false;
			flow_copy(f, back, match_length(&b));
		}
	}
	return !bits_over(&b);
}

/* ---- tokens -------------------------------------------------------------------- */

/* UTF-16 as UTF-8, each unit turned by `key`; halves of pairs as they are
 * found become U+FFFD, or what they make together. */
static void
utf8_add(struct buf *b, struct span units, uint16_t key)
{
	for (size_t i = 0; i + 2 <= units.len; i += 2) {
		uint16_t u = 0, low = 0;
		uint32_t c;

		(void)bytes_le16(units, i, &u);
		c = u ^ key;
		if (c >> 10 == 0x36 && bytes_le16(units, i + 2, &low) &&
		    (low ^ key) >> 10 == 0x37) {
			c = 0x10000 +
			    ((c & 0x3ff) << 10 | ((low ^ key) & 0x3ff));
			i += 2;
		} else if (c >> 11 == 0x1b) {
			c = 0xfffd;
		}
		buf_utf8(b, c);
	}
}

static const char *const operators[] = { ",", "=", ">", "<", "<>",
	">=", "<=", "(", ")", "+", "-", "/", "*", "&", "[", "]", "==", "^",
	"+=", "-=", "/=", "*=", "&=", "?", ":" };

/* Tokens that are text, from 0x30 on: what stands around it. */
static const struct {
	const char *before, *behind;
} texts[] = {
	{ "", " " },     /* a keyword */
	{ "", " " },     /* a function of the language */
	{ "@", " " },    /* a macro */
	{ "$", " " },    /* a variable */
	{ "", "" },      /* a function of the script */
	{ ".", " " },    /* a property */
	{ "\"", "\" " }, /* a string */
	{ "", " " },     /* a directive */
};

enum {
	TOKEN_KEYWORD = 0x00,
	TOKEN_FUNCTION = 0x01,
	TOKEN_INT32 = 0x05,
	TOKEN_INT64 = 0x10,
	TOKEN_DOUBLE = 0x20,
	TOKEN_TEXT = 0x30,
	TOKEN_OPERATOR = 0x40,
	TOKEN_LINE = 0x7f
};

/* A count of characters and these, turned by the count. */
static bool
text_token(struct span s, uint64_t *at, unsigned kind, struct buf *out)
{
	uint32_t n;

	if (!bytes_le32(s, *at, &n) || !bytes_have(s, *at + 4, UINT64_C(2) * n))
		return false;
	buf_text(out, texts[kind].before);
	utf8_add(out, bytes_sub(s, *at + 4, UINT64_C(2) * n), (uint16_t)n);
	buf_text(out, texts[kind].behind);
	*at += 4 + UINT64_C(2) * n;
	return true;
}

static bool
number_token(struct span s, uint64_t *at, unsigned token, struct buf *out)
{
	uint32_t small;
	uint64_t big;
	double d;

	if (token == TOKEN_INT64 || token == TOKEN_DOUBLE) {
		if (!bytes_le64(s, *at, &big))
			return false;
		*at += 8;
		memcpy(&d, &big, sizeof(d));
		if (token == TOKEN_DOUBLE)
			buf_fmt(out, "%g ", d);
		else
			buf_fmt(out, "0x%016" PRIx64 " ", big);
		return true;
	}
	if (!bytes_le32(s, *at, &small))
		return false;
	*at += 4;
	if (token == TOKEN_INT32)
		buf_fmt(out, "0x%08" PRIx32 " ", small);
	else /* newer compilers number them; the names are in the program */
		buf_fmt(out, "%s%" PRIu32 " ",
		    token == TOKEN_KEYWORD ? "KEYWORD" : "FUNCTION", small);
	return true;
}

static bool
token(struct span s, uint64_t *at, struct buf *out)
{
	uint8_t t;

	if (!bytes_u8(s, (*at)++, &t))
		return false;
	if (t == TOKEN_LINE)
		buf_text(out, "\n");
	else if (t >= TOKEN_TEXT && t < TOKEN_TEXT + COUNT(texts))
		return text_token(s, at, t - (unsigned)TOKEN_TEXT, out);
	else if (t >= TOKEN_OPERATOR && t < TOKEN_OPERATOR + COUNT(operators))
		buf_fmt(out, "%s ", operators[t - TOKEN_OPERATOR]);
	else if (t == TOKEN_KEYWORD || t == TOKEN_FUNCTION ||
	    t == TOKEN_INT32 || t == TOKEN_INT64 || t == TOKEN_DOUBLE)
		return number_token(s, at, t, out);
	else
		return false;
	return true;
}

/* The number of lines, then their tokens.  False: the sink said stop. */
static bool
script_give(struct span tokens, struct peel *out)
{
	struct buf text = buf_make(UINT32_MAX);
	uint64_t at = 4;
	uint32_t lines;
	bool ok = bytes_le32(tokens, 0, &lines), go = true;

	for (uint32_t i = 0; ok && go && lines > 0 && at < tokens.len; i++) {
		bool ends = tokens.ptr[at] == TOKEN_LINE;

		ok = token(tokens, &at, &text);
		lines -= ends ? 1 : 0;
		if (text.len < 65536)
			continue;
		go = peel_add(out, buf_view(&text));
		buf_clear(&text);
	}
	if (go && text.len > 0)
		go = peel_add(out, buf_view(&text));
	if (go && (!ok || lines > 0 || text.full))
		peel_note(out, text.full ? PEEL_MEMORY : PEEL_DAMAGED);
	buf_free(&text);
	return go && peel_end(out);
}

/* ---- files --------------------------------------------------------------------- */

struct file {
	char name[NAME_MAX * 2]; /* as UTF-8 */
	size_t name_len;
	bool script;
	uint8_t method;
	uint32_t packed, size;
	uint64_t data, end;
};

/* A length and so many characters; *at goes behind them. */
static bool
text_read(struct span s, uint64_t *at, uint32_t turn, uint32_t seed,
    const struct version *v, struct buf *to)
{
	uint8_t text[NAME_MAX];
	uint32_t n;
	size_t bytes;

	if (!bytes_le32(s, *at, &n))
		return false;
	n ^= turn;
	bytes = (size_t)n * v->char_size;
	if (n > NAME_MAX / v->char_size || !bytes_load(s, *at + 4, text, bytes))
		return false;
	v->cipher(text, bytes, n + seed);
	*at += 4 + bytes;
	buf_clear(to);
	if (v->char_size == 2)
		utf8_add(to, (struct span){ (char *)text, bytes }, 0);
	else
		buf_add(to, text, bytes);
	return true;
}

/* False: no file begins there. */
static bool
file_read(struct span s, uint64_t at, const struct version *v, struct file *f)
{
	struct buf text = buf_make(sizeof(f->name));
	uint32_t mark;
	bool ok;

	ok = bytes_le32(s, at, &mark) && mark == v->file;
	at += 4;
	ok = ok && text_read(s, &at, v->name, v->name_seed, v, &text);
	f->script =
	    ok && v->script != NULL && span_is(buf_view(&text), v->script);
	ok = ok && text_read(s, &at, v->path, v->path_seed, v, &text);
	if (ok) {
		f->name_len = text.len;
		memcpy(f->name, text.len > 0 ? text.ptr : "", text.len);
	}
	buf_free(&text);
	/* Method, sizes, a checksum, two times. */
	(void)bytes_u8(s, at, &f->method);
	(void)bytes_le32(s, at + 1, &f->packed);
	(void)bytes_le32(s, at + 5, &f->size);
	f->packed ^= v->size;
	f->size ^= v->size;
	f->data = at + 29;
	f->end = f->data + f->packed;
	return ok && bytes_have(s, at, 29);
}

static bool
on_tokens(void *arg, struct span s)
{
	buf_span(arg, s);
	return true;
}

static bool
file_unpack(struct span data, const struct file *f, const struct version *v,
    struct peel *out)
{
	struct flow flow;
	struct buf tokens = buf_make(SCRIPT_MAX);
	bool ok, go;

	if (!flow_init(&flow, out, WINDOW, 0, f->size)) {
		flow_free(&flow);
		return peel_end(out);
	}
	if (f->script) {
		flow.to = on_tokens;
		flow.arg = &tokens;
	}
	ok = f->method == 1 ? unpack(data, v, &flow)
			    : codec_stored(data, &flow, NULL);
	if (!f->script)
		return flow_end(&flow, ok);
	(void)flow_flush(&flow);
	flow_free(&flow);
	if (!ok || tokens.full)
		peel_note(out, tokens.full ? PEEL_MEMORY : PEEL_DAMAGED);
	go = script_give(buf_view(&tokens), out);
	buf_free(&tokens);
	return go;
}

static bool
file_give(struct span s, const struct file *f, const struct version *v,
    uint32_t head, struct peel *out)
{
	struct peel_member m =
	    peel_named((struct span){ f->name, f->name_len }, FORMAT_ANY);
	struct span in = bytes_sub(s, f->data, f->packed);
	uint8_t *plain;
	bool go;

	m.packed = f->packed;
	if (!f->script) /* which comes out as text */
		m.size = f->size;
	if (in.len < f->packed)
		peel_note(out, PEEL_DAMAGED);
	if (in.len == 0)
		return true;
	plain = malloc(in.len);
	if (plain == NULL) {
		peel_note(out, PEEL_MEMORY);
		return true;
	}
	memcpy(plain, in.ptr, in.len);
	v->cipher(plain, in.len, v->data_seed + (v->seed_adds_head ? head : 0));
	go = peel_begin(out, &m) &&
	    file_unpack((struct span){ (char *)plain, in.len }, f, v, out);
	free(plain);
	return go;
}

/* All the files behind the mark at `at`; where they end, 0: stop. */
static uint64_t
files_give(
    struct span s, uint64_t at, const struct version *v, struct peel *out)
{
	struct file *f = malloc(sizeof(*f));
	uint32_t head = 0;

	if (f == NULL) {
		peel_note(out, PEEL_MEMORY);
		return 0;
	}
	for (unsigned i = 0; i < 16; i++) {
		uint8_t byte;

		(void)bytes_u8(s, at + i, &byte);
		head += byte;
	}
	at += 16;
	while (at != 0 && file_read(s, at, v, f))
		at = file_give(s, f, v, head, out) ? f->end : 0;
	free(f);
	return at;
}

void
open_autoit(struct span object, struct peel *out)
{
	static const char mark[] = "\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c"
				   "\x53\x0a\x86\xd6\x48\x7d"
				   "AU3!";
	uint64_t at = 0;

	while (at < object.len) {
		struct span rest = span_from(object, (size_t)at);
		const char *p =
		    memmem(rest.ptr, rest.len, mark, sizeof(mark) - 1);

		if (p == NULL || !peel_tick(out))
			return;
		at = (uint64_t)(p - object.ptr) + sizeof(mark) - 1;
		for (size_t i = 0; i < COUNT(versions); i++) {
			const struct version *v = &versions[i];

			if (!bytes_are(object, at, span_of(v->mark)))
				continue;
			at = files_give(object, at + 4, v, out);
			if (at == 0)
				return;
			break;
		}
	}
}
