/* Members of a zip by the methods that libarchive does not read: 1 (shrunk), 6
 * (imploded) and 9 (Deflate64).  Found by the directory; all others are passed
 * over.  2 to 5 (reduced) are noted as unsupported. */

#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/pack/codec.h"
#include "formats/pack/huff.h"
#include "formats/pack/pack.h"

typedef bool method_fn(struct span in, struct flow *f, unsigned flags);

/* ---- imploded -------------------------------------------------------------------------- */

#define LITERALS 256u
#define CODES    64u
#define FLAG_8K  2u
#define FLAG_3   4u /* trees */
#define LONGEST  63u

/* How many, then for each run a byte: its length of code and how many. */
static bool
read_tree(struct bits *b, struct huff *h, size_t n)
{
	uint8_t lens[LITERALS];
	size_t i = 0;

	for (unsigned runs = lsb_get(b, 8) + 1; runs > 0; runs--) {
		unsigned len = lsb_get(b, 4) + 1, count = lsb_get(b, 4) + 1;

		while (count-- > 0 && i < n)
			lens[i++] = (uint8_t)len;
	}
	return i == n && !bits_over(b) &&
	    huff_build(h, lens, n, HUFF_LSB_INVERTED);
}

struct implode {
	struct bits b;
	struct huff literals, lengths, places;
	bool has_literals;
	unsigned low_bits;
};

static bool
explode_match(struct implode *x, struct flow *f)
{
	uint32_t low = lsb_get(&x->b, x->low_bits);
	int place = huff_lsb(&x->places, &x->b, UINT32_MAX);
	int len = huff_lsb(&x->lengths, &x->b, UINT32_MAX);
	unsigned n = (unsigned)len + (x->has_literals ? 3 : 2);

	if (place == HUFF_NONE || len == HUFF_NONE)
		return false;
	if (len == (int)LONGEST)
		n += lsb_get(&x->b, 8);
	flow_copy(f, ((size_t)place << x->low_bits | low) + 1, n);
	return true;
}

static bool
explode(struct span in, struct flow *f, unsigned flags)
{
	struct implode *x = calloc(1, sizeof(*x));
	bool ok;

	if (x == NULL)
		return false;
	x->b = bits_of(in);
	x->has_literals = (flags & FLAG_3) != 0;
	x->low_bits = (flags & FLAG_8K) != 0 ? 7 : 6;
	ok = (!x->has_literals || read_tree(&x->b, &x->literals, LITERALS)) &&
	    read_tree(&x->b, &x->lengths, CODES) &&
	    read_tree(&x->b, &x->places, CODES);
	while (ok && flow_wants(f) && !bits_over(&x->b)) {
		int c;

		if (lsb_get(&x->b, 1) == 0) {
			ok = explode_match(x, f);
			continue;
		}
		c = x->has_literals ? huff_lsb(&x->literals, &x->b, UINT32_MAX)
				    : (int)lsb_get(&x->b, 8);
		ok = c != HUFF_NONE;
		if (ok)
			flow_put(f, (uint8_t)c);
	}
	ok = ok && !bits_over(&x->b);
	free(x);
	return ok;
}

/* ---- Deflate64 --------------------------------------------------------------------------- */

#define SYMBOLS   288u
#define PLACES    32u
#define CODE_LENS 19u
#define END       256

struct inflate {
	struct bits b;
	struct huff symbols, places;
	struct flow *f;
};

static bool
fixed_trees(struct inflate *x)
{
	uint8_t lens[SYMBOLS];

	memset(lens, 8, 144);
	memset(lens + 144, 9, 112);
	memset(lens + 256, 7, 24);
	memset(lens + 280, 8, 8);
	if (!huff_build(&x->symbols, lens, SYMBOLS, HUFF_LSB))
		return false;
	memset(lens, 5, PLACES);
	return huff_build(&x->places, lens, PLACES, HUFF_LSB);
}

/* Lengths in runs: 16 repeats the last, 17 and 18 are zeros. */
static bool
read_lens(struct inflate *x, const struct huff *codes, uint8_t *lens, size_t n)
{
	size_t i = 0;

	while (i < n && !bits_over(&x->b)) {
		int c = huff_lsb(codes, &x->b, 0);
		unsigned count = 1;
		uint8_t len = (uint8_t)c;

		if (c == HUFF_NONE || (c == 16 && i == 0))
			return false;
		if (c >= 16) {
			len = c == 16 ? lens[i - 1] : 0;
			count = c == 16 ? 3 + lsb_get(&x->b, 2)
			    : c == 17   ? 3 + lsb_get(&x->b, 3)
					: 11 + lsb_get(&x->b, 7);
		}
		while (count-- > 0 && i < n)
			lens[i++] = len;
	}
	return i == n;
}

static bool
dynamic_trees(struct inflate *x)
{
	static const uint8_t order[CODE_LENS] = { 16, 17, 18, 0, 8, 7, 9, 6, 10,
		5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint8_t lens[SYMBOLS + PLACES] = { 0 };
	unsigned symbols = lsb_get(&x->b, 5) + 257;
	unsigned places = lsb_get(&x->b, 5) + 1;
	unsigned codes = lsb_get(&x->b, 4) + 4;
	struct huff h;

	for (unsigned i = 0; i < codes; i++)
		lens[order[i]] = (uint8_t)lsb_get(&x->b, 3);
	if (symbols > SYMBOLS || !huff_build(&h, lens, CODE_LENS, HUFF_LSB))
		return false;
	memset(lens, 0, sizeof(lens));
	return read_lens(x, &h, lens, symbols + places) &&
	    huff_build(&x->symbols, lens, symbols, HUFF_LSB) &&
	    huff_build(&x->places, lens + symbols, places, HUFF_LSB);
}

/* Four codes share a number of extra bits, but for the first and the last. */
static unsigned
match_length(struct inflate *x, unsigned code)
{
	unsigned bits;

	if (code == 28)
		return 3 + lsb_get(&x->b, 16);
	if (code < 8)
		return 3 + code;
	bits = code / 4 - 1;
	return 3 + ((4 + code % 4) << bits) + lsb_get(&x->b, bits);
}

static size_t
match_place(struct inflate *x, unsigned code)
{
	unsigned bits;

	if (code < 4)
		return 1 + (size_t)code;
	bits = code / 2 - 1;
	return 1 + ((size_t)(2 + code % 2) << bits) + lsb_get(&x->b, bits);
}

static bool
inflate_symbols(struct inflate *x)
{
	while (flow_wants(x->f) && !bits_over(&x->b)) {
		int c = huff_lsb(&x->symbols, &x->b, 0), place;
		unsigned len;

		if (c == END)
			return true;
		if (c == HUFF_NONE || c > END + 29)
			return false;
		if (c < END) {
			flow_put(x->f, (uint8_t)c);
			continue;
		}
		len = match_length(x, (unsigned)c - END - 1);
		place = huff_lsb(&x->places, &x->b, 0);
		if (place == HUFF_NONE)
			return false;
		flow_copy(x->f, match_place(x, (unsigned)place), len);
	}
	return !bits_over(&x->b);
}

static bool
inflate_stored(struct inflate *x)
{
	unsigned len;

	lsb_skip(&x->b, x->b.have % 8);
	len = lsb_get(&x->b, 16);
	(void)lsb_get(&x->b, 16);
	while (len-- > 0 && flow_wants(x->f) && !bits_over(&x->b))
		flow_put(x->f, (uint8_t)lsb_get(&x->b, 8));
	return !bits_over(&x->b);
}

static bool
inflate64(struct span in, struct flow *f, unsigned flags)
{
	struct inflate *x = calloc(1, sizeof(*x));
	bool ok = x != NULL, last = false;

	(void)flags;
	if (x == NULL)
		return false;
	x->b = bits_of(in);
	x->f = f;
	while (ok && !last && flow_wants(f)) {
		unsigned kind;

		last = lsb_get(&x->b, 1) != 0;
		kind = lsb_get(&x->b, 2);
		if (kind == 0)
			ok = inflate_stored(x);
		else
			ok = kind != 3 &&
			    (kind == 1 ? fixed_trees(x) : dynamic_trees(x)) &&
			    inflate_symbols(x);
	}
	free(x);
	return ok;
}

/* ---- shrunk ------------------------------------------------------------------------------ */

#define LZW_CODES 8192u
#define LZW_FIRST 257u
#define LZW_MARK  256u
#define LZW_MIN   9u
#define LZW_MAX   13u

struct shrink {
	struct bits b;
	struct flow *f;
	uint16_t parent[LZW_CODES]; /* LZW_CODES: free */
	uint8_t byte[LZW_CODES];
	uint8_t stack[LZW_CODES];
	unsigned width, next;
	uint8_t first; /* byte of the last string */
};

/* Codes that no other code begins with become free. */
static void
clear_leaves(struct shrink *x)
{
	bool used[LZW_CODES] = { false };

	for (unsigned i = LZW_FIRST; i < LZW_CODES; i++)
		if (x->parent[i] < LZW_CODES)
			used[x->parent[i]] = true;
	for (unsigned i = LZW_FIRST; i < LZW_CODES; i++)
		if (!used[i])
			x->parent[i] = LZW_CODES;
	x->next = LZW_FIRST;
}

/* The string of a code, the last byte first on the stack. */
static bool
put_string(struct shrink *x, unsigned code, unsigned last)
{
	unsigned n = 0;

	/* It is not known yet: the last string and its first byte. */
	if (code >= LZW_FIRST && x->parent[code] == LZW_CODES) {
		x->stack[n++] = x->first;
		code = last;
	}
	while (code >= LZW_FIRST && n < LZW_CODES - 1 &&
	    x->parent[code] < LZW_CODES) {
		x->stack[n++] = x->byte[code];
		code = x->parent[code];
	}
	if (code > UINT8_MAX)
		return false;
	x->first = (uint8_t)code;
	flow_put(x->f, x->first);
	while (n > 0)
		flow_put(x->f, x->stack[--n]);
	return true;
}

static void
add_code(struct shrink *x, unsigned last)
{
	while (x->next < LZW_CODES && x->parent[x->next] < LZW_CODES)
		x->next++;
	if (x->next == LZW_CODES)
		return;
	x->parent[x->next] = (uint16_t)last;
	x->byte[x->next++] = x->first;
}

/* Behind the mark: wider codes, or leaves to be cleared. */
static bool
take_mark(struct shrink *x)
{
	switch (lsb_get(&x->b, x->width)) {
	case 1:
		x->width++;
		return x->width <= LZW_MAX;
	case 2:
		clear_leaves(x);
		return true;
	default:
		return false;
	}
}

static bool
unshrink_all(struct shrink *x)
{
	unsigned last = lsb_get(&x->b, x->width);

	if (last > UINT8_MAX)
		return false;
	x->first = (uint8_t)last;
	flow_put(x->f, x->first);
	while (flow_wants(x->f) && !bits_over(&x->b)) {
		unsigned code = lsb_get(&x->b, x->width);

		if (code == LZW_MARK) {
			if (!take_mark(x))
				return false;
			continue;
		}
		if (!put_string(x, code, last))
			return false;
		add_code(x, last);
		last = code;
	}
	return !bits_over(&x->b);
}

static bool
unshrink(struct span in, struct flow *f, unsigned flags)
{
	struct shrink *x = calloc(1, sizeof(*x));
	bool ok;

	(void)flags;
	if (x == NULL)
		return false;
	x->b = bits_of(in);
	x->f = f;
	x->width = LZW_MIN;
	x->next = LZW_FIRST;
	for (unsigned i = 0; i < LZW_CODES; i++)
		x->parent[i] = LZW_CODES;
	ok = unshrink_all(x);
	free(x);
	return ok;
}

/* ---- the directory ------------------------------------------------------------------------- */

#define ENTRY      46u
#define LOCAL      30u
#define RING       65536u
#define ENCRYPTED  1u
#define REDUCED(m) ((m) >= 2 && (m) <= 5)

static method_fn *const methods[] = {
	[1] = unshrink, [6] = explode, [9] = inflate64
};

struct entry {
	uint16_t flags, method, name, extra, comment;
	uint32_t packed, size, local;
};

static bool
read_entry(struct span s, size_t at, struct entry *e)
{
	return bytes_le16(s, at + 8, &e->flags) &&
	    bytes_le16(s, at + 10, &e->method) &&
	    bytes_le32(s, at + 20, &e->packed) &&
	    bytes_le32(s, at + 24, &e->size) &&
	    bytes_le16(s, at + 28, &e->name) &&
	    bytes_le16(s, at + 30, &e->extra) &&
	    bytes_le16(s, at + 32, &e->comment) &&
	    bytes_le32(s, at + 42, &e->local);
}

/* False: the sink wants no more. */
static bool
give_entry(
    struct span zip, const struct entry *e, struct span name, struct peel *out)
{
	struct peel_member m = peel_named(name, FORMAT_ANY);
	uint16_t local_name, local_extra;
	struct flow f;
	struct span in;

	if (!bytes_are(zip, e->local, SPAN("PK\3\4")) ||
	    !bytes_le16(zip, e->local + 26, &local_name) ||
	    !bytes_le16(zip, e->local + 28, &local_extra)) {
		peel_note(out, PEEL_DAMAGED);
		return true;
	}
	in = bytes_sub(zip,
	    (uint64_t)e->local + LOCAL + local_name + local_extra, e->packed);
	m.packed = e->packed;
	m.size = e->size;
	m.encrypted = (e->flags & ENCRYPTED) != 0;
	if (m.encrypted)
		return peel_begin(out, &m) && peel_end(out);
	if (!flow_begin(&f, out, &m, RING, 0, e->size))
		return false;
	return flow_end(
	    &f, methods[e->method](in, &f, e->flags) && f.left == 0);
}

void
open_zip_old(struct span object, struct peel *out)
{
	size_t at = 0;
	bool reduced = false;

	while (at < object.len) {
		const char *p =
		    memmem(object.ptr + at, object.len - at, "PK\1\2", 4);
		struct entry e;

		if (p == NULL)
			break;
		at = (size_t)(p - object.ptr);
		if (!read_entry(object, at, &e))
			break;
		reduced = reduced || REDUCED(e.method);
		if (e.method < COUNT(methods) && methods[e.method] != NULL &&
		    !give_entry(
			object, &e, bytes_sub(object, at + ENTRY, e.name), out))
			return;
		at += 4;
	}
	if (reduced)
		peel_note(out, PEEL_UNSUPPORTED);
}
