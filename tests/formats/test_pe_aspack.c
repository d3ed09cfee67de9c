#include "pe_build.h"
#include "sink.h"

/* A packer that makes what ASPack's stub unpacks, with codes that do not
 * depend on what is packed: 303 symbols of 9 bits and 418 of 10, and so on. */

#define MAIN    721u
#define LENGTHS 28u
#define LOWS    8u

struct bits {
	unsigned char bytes[0x4000];
	size_t at;
};

static void
put(struct bits *b, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		b->bytes[b->at / 8] |=
		    (unsigned char)(((v >> n) & 1) << (7 - b->at % 8));
		b->at++;
	}
}

/* A full code of which the first `few` symbols have `len` bits, the others
 * one more. */
static void
put_symbol(struct bits *b, uint32_t s, uint32_t few, unsigned len)
{
	if (s < few)
		put(b, s, len);
	else
		put(b, 2 * few + (s - few), len + 1);
}

/* The same for all 757 lengths: each a symbol of the code for lengths, whose
 * first 13 symbols have 4 bits and whose other 6 have 5. */
static void
put_codes(struct bits *b, bool lows)
{
	put(b, 0, 1);
	for (unsigned i = 0; i < 19; i++)
		put(b, i < 13 ? 4 : 5, 4);
	for (unsigned i = 0; i < MAIN; i++)
		put_symbol(b, i < 303 ? 9 : 10, 13, 4);
	for (unsigned i = 0; i < LENGTHS; i++)
		put_symbol(b, i < 4 ? 4 : 5, 13, 4);
	for (unsigned i = 0; i < LOWS; i++)
		put_symbol(b, !lows ? 3 : i == 0 ? 2 : i < 6 ? 3 : 4, 13, 4);
}

static void
put_low(struct bits *b, uint32_t v, bool lows)
{
	static const struct {
		uint8_t code, len;
	} low[LOWS] = { { 0, 2 }, { 2, 3 }, { 3, 3 }, { 4, 3 }, { 5, 3 },
		{ 6, 3 }, { 14, 4 }, { 15, 4 } };

	if (lows)
		put(b, low[v].code, low[v].len);
	else
		put(b, v, 3);
}

static unsigned
slot_bits(uint32_t slot)
{
	if (slot >= 36)
		return slot >= 52 ? 18 : 17;
	return slot < 4 ? 0 : slot / 2 - 1;
}

/* A match of `len` bytes (2 to 8, or 9 to 16), `v` as the distance is
 * written: 0 to 2 for one of the last three, else the distance and 2. */
static void
put_match(struct bits *b, uint32_t len, uint32_t v, bool lows)
{
	uint32_t slot = 0, base = 0, low = len < 9 ? len - 2 : 7;
	unsigned n;

	while (v - base >= 1u << slot_bits(slot))
		base += 1u << slot_bits(slot++);
	n = slot_bits(slot);
	put_symbol(b, 256 + slot * 8 + low, 303, 9);
	if (low == 7) /* 8 lengths without extra bits */
		put_symbol(b, len - 9, 4, 4);
	if (n >= 3) {
		put(b, (v - base) >> 3, n - 3);
		put_low(b, (v - base) & 7, lows);
	} else {
		put(b, v - base, n);
	}
}

/* Greedy, over the last 0x800 bytes. */
static void
pack(struct span in, bool lows, bool renew, struct bits *b)
{
	uint32_t last = 0;

	memset(b, 0, sizeof(*b));
	put_codes(b, lows);
	for (size_t at = 0; at < in.len;) {
		size_t best = 0, distance = 0;

		if (renew && at > in.len / 2) {
			renew = false;
			put_symbol(b, 720, 303, 9);
			put_codes(b, lows);
		}
		for (size_t d = 1; d <= at && d <= 0x800; d++) {
			size_t n = 0;

			while (at + n < in.len && n < 16 &&
			    in.ptr[at + n] == in.ptr[at + n - d])
				n++;
			if (n > best) {
				best = n;
				distance = d;
			}
		}
		if (best < 3) {
			put_symbol(b, (unsigned char)in.ptr[at++], 303, 9);
			continue;
		}
		put_match(b, (uint32_t)best,
		    distance == last ? 0 : (uint32_t)distance + 2, lows);
		last = (uint32_t)distance;
		at += best;
	}
}

#define TEXT_AT 0x400u  /* of the first section, in the file */
#define STUB_AT 0x2000u /* of the stub's section */
#define LIST    0x569u  /* of the blocks, from 0x12 behind the entry */

/* What of the stub tells it apart, where ASPack 2.12 has it. */
static void
stub_make(unsigned char *p, bool filtered)
{
	static const struct {
		unsigned at, len;
		const char *code;
	} parts[] = {
		{ 0, 19,
		    "\x60\xe8\x03\0\0\0\xe9\xeb\x04\x5d\x45\x55\xc3\xe8\x01\0"
		    "\0\0\xeb" },
		{ 0x99, 11, "\x8d\xb5\x69\x05\0\0\x83\x3e\0\x0f\x84" },
		{ 0xfd, 6, "\xb3\x01\x80\xfb\0\x75" },
		{ 0x141, 8, "\x8b\x06\xeb\0\x80\x3e\x77\x75" },
		{ 0x399, 13, "\xb8\x20\x10\0\0\x50\x03\x85\x22\x04\0\0\x59" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		memcpy(p + parts[i].at, parts[i].code, parts[i].len);
	p[0xfe] = filtered ? 0 : 1;
}

static struct span
program_make(const struct bits *b, uint32_t size, bool filtered)
{
	struct pe_build pe = pe_build_plain;
	unsigned char *stub;
	struct span f;

	pe.size = 0x3000;
	pe.section[0] =
	    (struct pe_build_section){ 0x2000, 0x1000, 0x1c00, TEXT_AT };
	pe.section[1] =
	    (struct pe_build_section){ 0x1000, 0x3000, 0x1000, STUB_AT };
	pe.entry = 0x3001;
	f = pe_build_make(&pe);
	stub = (unsigned char *)f.ptr + STUB_AT + 1;
	memcpy((char *)f.ptr + TEXT_AT, b->bytes, (b->at + 7) / 8);
	stub_make(stub, filtered);
	pe_put(stub + 0x12 + LIST, 0x1000, 4);
	pe_put(stub + 0x12 + LIST + 4, size, 4);
	pe_put(stub + 0x12 + LIST + 8, 0, 8);
	return f;
}

static size_t
text_make(char *out, size_t n)
{
	uint32_t noise = 7;

	for (size_t i = 0; i < n; i++) {
		noise = noise * 1664525 + 1013904223;
		out[i] = (char)(noise >> 24);
		if (i % 300 < 200)
			out[i] = "mov eax, [esp + 8]; "[i % 20];
	}
	return n;
}

static void
what_aspack_packed_is_unpacked_and_rebuilt(void **state)
{
	static const struct {
		const char *name;
		bool lows, renew;
	} rows[] = { { "plain", false, false },
		{ "low bits of distances with a code", true, false },
		{ "codes renewed within", true, true } };
	static char text[0x1000];
	static struct bits b;
	static struct sink s;

	(void)state;
	(void)text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span f, got;
		struct exe x;

		TEST_CASE(rows[i].name);
		pack((struct span){ text, sizeof(text) }, rows[i].lows,
		    rows[i].renew, &b);
		f = program_make(&b, sizeof(text), false);
		sink_init(&s);
		open_pe(f, &s.peel);
		got = sink_bytes(&s, "aspack");
		assert_int_equal(s.members, 1);
		/* Without the stub's section. */
		assert_int_equal(got.len, 0x3000);
		assert_memory_equal(got.ptr + 0x1000, text, sizeof(text));
		assert_true(exe_parse(got, &x));
		assert_int_equal(x.sections, 1);
		assert_int_equal(x.entry, 0x1020);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

static void
marked_calls_of_the_first_block_become_relative_again(void **state)
{
	/* A call at 5 to 0x20 is E8, relative 0x16; packed, the target is
	 * absolute (counted from the E8), shifted, with the mark in front. */
	static const char packed[] =
	    "01234\xe8\x77\x1b\0\0jump \xe9\x78\0\0\0 the end";
	static const char want[] =
	    "01234\xe8\x16\0\0\0jump \xe9\x78\0\0\0 the end";
	static struct bits b;
	static struct sink s;
	struct span f;

	(void)state;
	pack((struct span){ packed, sizeof(packed) - 1 }, false, false, &b);
	f = program_make(&b, sizeof(packed) - 1, true);
	sink_init(&s);
	open_pe(f, &s.peel);
	assert_memory_equal(
	    sink_bytes(&s, "aspack").ptr + 0x1000, want, sizeof(want) - 1);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
a_damaged_aspack_is_named_or_gives_a_program(void **state)
{
	static char text[0x400];
	static struct bits b;
	static struct sink s;
	size_t notes = 0;

	(void)state;
	pack((struct span){ text, text_make(text, sizeof(text)) }, true, true,
	    &b);
	for (size_t at = 0; at < b.at / 8; at += 5) {
		struct span f;

		b.bytes[at] ^= 0x10;
		f = program_make(&b, sizeof(text), false);
		b.bytes[at] ^= 0x10;
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_int_equal(s.members + (s.notes != 0), 1);
		notes += s.notes == 1u << PEEL_DAMAGED;
		sink_clear(&s);
		free((char *)f.ptr);
	}
	assert_true(notes > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_aspack_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(
		    marked_calls_of_the_first_block_become_relative_again),
		cmocka_unit_test(a_damaged_aspack_is_named_or_gives_a_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
