#include <stdlib.h>

#include "formats/exe/pe_pack.h"

/* ASPack 2.12 and its neighbours (aspack.com), which still pack programs that
 * offices use.  Its stub, found by its first bytes, unpacks a list of blocks
 * (RVA, size) over themselves; each is LZ77 with canonical Huffman codes in
 * the manner of LZX: literals and matches share a code of 721 symbols, and
 * the lengths of all codes are themselves packed at the begin and whenever
 * symbol 720 says so. */

#define STUB_MAX   0x600u
#define STUB_BASE  0x12u /* what the stub's addresses count from */
#define BLOCKS_MAX 256u

#define MAIN       721u
#define LENGTHS    28u
#define LOWS       8u
#define ALL        (MAIN + LENGTHS + LOWS)
#define META       19u
#define RENEW      720u /* symbol: new codes follow */
#define CODE_MAX   15u  /* bits */
#define UNIT       24u  /* bits that are looked at at once */
#define DISTANCES  58u

struct bits {
	struct span in;
	uint64_t at; /* bits read */
};

struct code {
	uint32_t limit[CODE_MAX + 1]; /* first UNIT bits beyond this length */
	uint16_t first[CODE_MAX + 1];
	uint16_t symbol[MAIN];
};

struct unpacker {
	struct bits bits;
	struct code main, length, low, meta;
	uint8_t len[ALL]; /* of the codes in force, which new ones build on */
	bool lows;        /* whether the low bits of distances have a code */
	uint32_t recent[3];
	uint32_t base[DISTANCES + 1]; /* first distance of each slot */
};

/* The next UNIT bits, of which `n` are taken; zeros behind the end. */
static uint32_t
peek(const struct bits *b)
{
	uint32_t v = 0;
	uint64_t at = b->at / 8;
	uint8_t c;

	for (unsigned i = 0; i < 4; i++) {
		(void)bytes_u8(b->in, at + i, &c);
		v = v << 8 | c;
	}
	return v << b->at % 8 >> (32 - UNIT);
}

static uint32_t
take(struct bits *b, unsigned n)
{
	uint32_t v = n == 0 ? 0 : peek(b) >> (UNIT - n);

	b->at += n;
	return v;
}

/* A code that is not full is malformed. */
static bool
code_make(struct code *c, const uint8_t *len, unsigned n)
{
	uint32_t count[CODE_MAX + 1] = { 0 }, limit = 0;
	uint16_t next[CODE_MAX + 1], index = 0;

	for (unsigned i = 0; i < n; i++)
		count[len[i]]++;
	c->limit[0] = 0;
	for (unsigned l = 1; l <= CODE_MAX; l++) {
		limit += count[l] << (UNIT - l);
		if (limit > 1u << UNIT)
			return false;
		c->limit[l] = limit;
		c->first[l] = next[l] = index;
		index = (uint16_t)(index + count[l]);
	}
	for (unsigned i = 0; i < n; i++)
		if (len[i] != 0)
			c->symbol[next[len[i]]++] = (uint16_t)i;
	return limit == 1u << UNIT;
}

static uint32_t
symbol(struct bits *b, const struct code *c)
{
	uint32_t v = peek(b);
	unsigned l = 1;

	while (l < CODE_MAX && v >= c->limit[l])
		l++;
	b->at += l;
	return c->symbol[c->first[l] + ((v - c->limit[l - 1]) >> (UNIT - l))];
}

/* The lengths of the three codes: differences to those before, and runs. */
static bool
lengths_read(struct unpacker *u, uint8_t len[ALL])
{
	static const struct {
		uint8_t bits, least;
	} runs[] = { { 2, 3 }, { 3, 3 }, { 7, 11 } };

	for (unsigned i = 0; i < ALL;) {
		uint32_t s = symbol(&u->bits, &u->meta), n;
		uint8_t value = 0;

		if (s < 16) {
			len[i] = (uint8_t)((u->len[i] + s) & 15);
			i++;
			continue;
		}
		n = runs[s - 16].least + take(&u->bits, runs[s - 16].bits);
		if (s == 16) {
			if (i == 0)
				return false;
			value = len[i - 1];
		}
		while (n-- > 0 && i < ALL)
			len[i++] = value;
	}
	return true;
}

static bool
codes_renew(struct unpacker *u)
{
	uint8_t meta[META], len[ALL];

	if (take(&u->bits, 1) == 0)
		memset(u->len, 0, sizeof(u->len));
	for (unsigned i = 0; i < META; i++)
		meta[i] = (uint8_t)take(&u->bits, 4);
	if (!code_make(&u->meta, meta, META) || !lengths_read(u, len) ||
	    !code_make(&u->main, len, MAIN) ||
	    !code_make(&u->length, len + MAIN, LENGTHS) ||
	    !code_make(&u->low, len + MAIN + LENGTHS, LOWS))
		return false;
	memcpy(u->len, len, sizeof(len));
	u->lows = false;
	for (unsigned i = 0; i < LOWS; i++)
		u->lows = u->lows || len[MAIN + LENGTHS + i] != 3;
	return true;
}

/* Extra bits of a distance, by its slot. */
static unsigned
distance_bits(uint32_t slot)
{
	static const uint8_t large[] = { 17, 18 };

	if (slot < 36)
		return slot < 4 ? 0 : slot / 2 - 1;
	return large[slot >= 52];
}

static uint32_t
distance_read(struct unpacker *u, uint32_t slot)
{
	uint32_t v = u->base[slot], distance;
	unsigned n = distance_bits(slot);

	if (u->lows && n >= 3) {
		v += take(&u->bits, n - 3) << 3;
		v += symbol(&u->bits, &u->low);
	} else {
		v += take(&u->bits, n);
	}
	if (v < 3) {
		distance = u->recent[v];
		u->recent[v] = u->recent[0];
	} else {
		distance = v - 3;
		u->recent[2] = u->recent[1];
		u->recent[1] = u->recent[0];
	}
	u->recent[0] = distance;
	return distance + 1;
}

static uint32_t
length_read(struct unpacker *u, uint32_t low)
{
	static const uint8_t base[LENGTHS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10,
		12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128,
		160, 192, 224 };
	uint32_t s;

	if (low != 7)
		return low + 2;
	s = symbol(&u->bits, &u->length);
	return 9 + base[s] + take(&u->bits, s < 8 ? 0 : s / 4 - 1);
}

/* One block, all `size` bytes of it. */
static bool
block_unpack(struct unpacker *u, struct span in, unsigned char *out,
    size_t size, struct peel *ticker)
{
	size_t n = 0;

	memset(u, 0, sizeof(*u));
	u->bits.in = in;
	for (uint32_t i = 0; i < DISTANCES; i++)
		u->base[i + 1] = u->base[i] + (1u << distance_bits(i));
	if (!codes_renew(u))
		return false;
	for (uint32_t turn = 1; n < size; turn++) {
		uint32_t s = symbol(&u->bits, &u->main), len, distance;

		if (u->bits.at > in.len * 8ull ||
		    (turn % 65536 == 0 && !peel_tick(ticker)))
			return false;
		if (s < 256) {
			out[n++] = (unsigned char)s;
			continue;
		}
		if (s == RENEW) {
			if (!codes_renew(u))
				return false;
			continue;
		}
		len = length_read(u, (s - 256) & 7);
		distance = distance_read(u, (s - 256) >> 3);
		if (distance > n)
			return false;
		for (; len > 0 && n < size; len--, n++)
			out[n] = out[n - distance];
	}
	return true;
}

/* ---- the stub --------------------------------------------------------------- */

struct stub {
	uint32_t list; /* RVA of the blocks */
	bool filtered; /* calls of the first block are absolute */
	unsigned char mark;
};

/* Where `pattern` stands in the stub, behind it; 0 if nowhere. */
static size_t
stub_find(struct span stub, struct span pattern)
{
	const char *p = memmem(stub.ptr, stub.len, pattern.ptr, pattern.len);

	return p == NULL ? 0 : (size_t)(p - stub.ptr) + pattern.len;
}

static bool
stub_read(struct span object, const struct exe *x, uint32_t entry_rva,
    struct stub *s, uint32_t *entry)
{
	struct span code = bytes_sub(object, x->entry, STUB_MAX);
	uint8_t once = 1;
	size_t at;

	if (!bytes_are(code, 0,
		SPAN("\x60\xe8\x03\0\0\0\xe9\xeb\x04\x5d\x45\x55\xc3\xe8\x01")))
		return false;
	/* cmp dword [esi], 0; jz: behind lea esi, [ebp + list] */
	at = stub_find(code, SPAN("\x83\x3e\0\x0f\x84"));
	if (at < 11 || !bytes_are(code, at - 11, SPAN("\x8d\xb5")) ||
	    !bytes_le32(code, at - 9, &s->list))
		return false;
	s->list += entry_rva + STUB_BASE;
	/* push eax; add eax, [ebp + base]: behind mov eax, entry */
	at = stub_find(code, SPAN("\x50\x03\x85\x22\x04\0\0\x59"));
	if (at < 13 || !bytes_are(code, at - 13, SPAN("\xb8")) ||
	    !bytes_le32(code, at - 12, entry))
		return false;
	/* cmp bl, 0; jnz: behind mov bl, once */
	at = stub_find(code, SPAN("\x80\xfb\0\x75"));
	if (at >= 6 && bytes_are(code, at - 6, SPAN("\xb3")))
		(void)bytes_u8(code, at - 5, &once);
	/* cmp byte [esi], mark; jnz */
	at = stub_find(code, SPAN("\x8b\x06\xeb\0\x80\x3e"));
	s->filtered = once == 0 && at != 0 && bytes_u8(code, at, &s->mark);
	return true;
}

/* Calls and jumps whose targets were made absolute, and marked. */
static void
unfilter(unsigned char *p, size_t n, unsigned char mark)
{
	for (size_t i = 0; i + 6 < n;) {
		uint32_t v;

		if ((p[i] != 0xe8 && p[i] != 0xe9) || p[i + 1] != mark) {
			i++;
			continue;
		}
		v = (uint32_t)(p[i + 2] | p[i + 3] << 8 | p[i + 4] << 16) -
		    (uint32_t)i;
		for (unsigned k = 0; k < 4; k++)
			p[i + 1 + k] = (unsigned char)(v >> (8 * k));
		i += 5;
	}
}

static enum unpacked
blocks_unpack(const struct stub *s, struct pe_image *im, struct peel *out)
{
	struct span all = buf_view(&im->bytes);
	struct unpacker *u = malloc(sizeof(*u));
	uint32_t rva, size, room = (uint32_t)all.len, list = s->list - im->base;
	unsigned char *done = malloc(all.len);
	enum unpacked result = UNPACKED_DONE;

	if (u == NULL || done == NULL)
		result = UNPACKED_BROKEN;
	for (uint32_t i = 0; result == UNPACKED_DONE && i < BLOCKS_MAX; i++) {
		if (!bytes_le32(all, list + 8ull * i, &rva) || rva == 0)
			break;
		(void)bytes_le32(all, list + 8ull * i + 4, &size);
		rva -= im->base;
		if (size > room || !bytes_have(all, rva, size) ||
		    !block_unpack(u, span_from(all, rva), done, size, out)) {
			result = UNPACKED_BROKEN;
			break;
		}
		room -= size;
		if (i == 0 && s->filtered)
			unfilter(done, size, s->mark);
		memcpy(im->bytes.ptr + rva, done, size);
	}
	free(u);
	free(done);
	return result;
}

enum unpacked
pe_aspack(struct span object, const struct exe *x, struct peel *out,
    struct pe_image *im)
{
	struct exe_section last;
	uint32_t entry_rva;
	struct stub s = { 0 };

	if (x->pe32plus || !pe_entry_rva(object, x, &entry_rva) ||
	    !stub_read(object, x, entry_rva, &s, &im->entry))
		return UNPACKED_NOT;
	if (!pe_image_map(object, x, im))
		return UNPACKED_BROKEN;
	/* The stub's own section, and one for its data, are not kept. */
	while (im->parts > 1 &&
	    exe_section_find(object, x, im->parts - 1, &last) &&
	    last.va >= entry_rva / 0x1000 * 0x1000)
		im->parts--;
	return blocks_unpack(&s, im, out);
}
