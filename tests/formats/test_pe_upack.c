#include "aplib_pack.h"
#include "pe_build.h"
#include "sink.h"

/* A packer for Upack's kind of LZMA, and the scattered stub. */

#define BASE    0x400000u
#define TO      (BASE + 0x1000)
#define STUB    0x400u /* file offset of the second section, RVA 0x4000 */
#define NEXT    0x20u  /* in it */
#define DECODER 0x80u
#define TAIL    0x100u
#define WORDS   0x27u
#define TABLE_2 (TAIL + 4 * WORDS)
#define TABLE   0x300u
#define PACKED  0x400u
#define SIZE    0xc00u /* of what is packed */
#define MARK    0x77u

/* ---- the method ------------------------------------------------------------------ */

struct lengths {
	uint16_t choice[2], low[8], middle[8], high[256];
};
struct model {
	uint16_t match[12], rep[12], older[12], same[12], second[12], third[12];
	uint16_t slot[4][64], distance[128], align[16];
	struct lengths len, rep_len;
	uint16_t literal[8][0x300];
};
struct encoder {
	unsigned char bytes[0x2000];
	size_t n;
	uint64_t low, pending;
	uint32_t range;
	uint8_t cache;
	unsigned state;
	uint32_t recent[4];
	struct model m;
};

/* The first byte that comes out is always 0, and is not kept. */
static void
shift(struct encoder *e)
{
	if (e->low < 0xff000000 || e->low >> 32 != 0) {
		do {
			e->bytes[e->n++] = (uint8_t)(e->cache + (e->low >> 32));
			e->cache = 0xff;
		} while (--e->pending > 0);
		e->cache = (uint8_t)(e->low >> 24);
	}
	e->pending++;
	e->low = (e->low << 8) & 0xffffffff;
}

static void
grow(struct encoder *e)
{
	while (e->range < 1u << 24) {
		e->range <<= 8;
		shift(e);
	}
}

static void
put(struct encoder *e, uint16_t *fair, unsigned bit)
{
	uint32_t bound = (e->range >> 11) * *fair;

	if (bit == 0) {
		e->range = bound;
		*fair = (uint16_t)(*fair + ((2048 - *fair) >> 5));
	} else {
		e->low += bound;
		e->range -= bound;
		*fair = (uint16_t)(*fair - (*fair >> 5));
	}
	grow(e);
}

static void
put_tree(struct encoder *e, uint16_t *fair, uint32_t v, unsigned n)
{
	uint32_t m = 1;

	while (n-- > 0) {
		put(e, &fair[m], v >> n & 1);
		m = m << 1 | (v >> n & 1);
	}
}

static void
put_reverse(struct encoder *e, uint16_t *fair, uint32_t v, unsigned n)
{
	uint32_t m = 1;

	for (unsigned i = 0; i < n; i++) {
		put(e, &fair[m], v >> i & 1);
		m = m << 1 | (v >> i & 1);
	}
}

static void
put_length(struct encoder *e, struct lengths *l, uint32_t len)
{
	put(e, &l->choice[0], len >= 8);
	if (len < 8) {
		put_tree(e, l->low, len, 3);
		return;
	}
	put(e, &l->choice[1], len >= 16);
	if (len < 16)
		put_tree(e, l->middle, len - 8, 3);
	else
		put_tree(e, l->high, len - 16, 8);
}

static void
put_distance(struct encoder *e, uint32_t len, uint32_t v)
{
	unsigned bits = v < 4 ? 0 : 30u - (unsigned)__builtin_clz(v);
	uint32_t slot = v < 4 ? v : 2 * bits + 2 + (v >> bits & 1);
	uint32_t base = v >> bits << bits;

	put_tree(e, e->m.slot[len < 3 ? len : 3], slot, 6);
	if (v < 4)
		return;
	if (bits <= 5) {
		put_reverse(e, e->m.distance + base, v - base, bits);
		return;
	}
	for (unsigned i = bits; i-- > 4;) {
		e->range >>= 1;
		if ((v >> i & 1) != 0)
			e->low += e->range;
		grow(e);
	}
	put_reverse(e, e->m.align, v & 15, 4);
}

static void
put_one(struct encoder *e, const unsigned char *text, size_t at)
{
	uint16_t *fair = e->m.literal[at == 0 ? 0 : text[at - 1] >> 5];
	unsigned c = text[at], m = 1, i = 8;

	put(e, &e->m.match[e->state], 0);
	if (e->state >= 7) {
		unsigned like = text[at - e->recent[0]];

		while (i-- > 0) {
			put(e, &fair[((like >> i & 1) + 1) << 8 | m],
			    c >> i & 1);
			m = m << 1 | (c >> i & 1);
			if ((like ^ c) >> i & 1)
				break;
		}
	}
	while (m < 0x100) {
		i = (unsigned)__builtin_clz(m) - 24;
		put(e, &fair[m], c >> i & 1);
		m = m << 1 | (c >> i & 1);
	}
	e->state = e->state < 4 ? 0 : e->state - (e->state < 10 ? 3 : 6);
}

/* `which`: of the distances before; 4: a new one. */
static void
put_copy(struct encoder *e, unsigned which, uint32_t distance, uint32_t len)
{
	unsigned s = e->state;

	put(e, &e->m.match[s], 1);
	put(e, &e->m.rep[s], which < 4);
	if (which == 4) {
		put_length(e, &e->m.len, len - 2);
		put_distance(e, len - 2, distance - 1);
		e->state = s < 7 ? 7 : 10;
	} else {
		put(e, &e->m.older[s], which > 0);
		if (which == 0)
			put(e, &e->m.same[s], len > 1);
		if (which > 0)
			put(e, &e->m.second[s], which > 1);
		if (which > 1)
			put(e, &e->m.third[s], which > 2);
		if (len > 1)
			put_length(e, &e->m.rep_len, len - 2);
		e->state = len > 1 ? (s < 7 ? 8 : 11) : (s < 7 ? 9 : 11);
	}
	for (unsigned i = which < 3 ? which : 3; i > 0; i--)
		e->recent[i] = e->recent[i - 1];
	e->recent[0] = distance;
}

static void
encode(struct encoder *e, const unsigned char *text, size_t size)
{
	static const uint16_t fair = 1024;

	memset(e, 0, sizeof(*e));
	for (size_t i = 0; i < sizeof(e->m) / sizeof(fair); i++)
		memcpy((char *)&e->m + i * sizeof(fair), &fair, sizeof(fair));
	e->range = UINT32_MAX;
	e->pending = 1;
	for (unsigned i = 0; i < 4; i++)
		e->recent[i] = 1;
	for (size_t at = 0; at < size;) {
		size_t best = 0, distance = 0;
		unsigned which = 0;

		for (size_t o = 1; o <= at; o++) {
			size_t n = 0;

			while (at + n < size && n < 200 &&
			    text[at + n] == text[at + n - o])
				n++;
			if (n > best) {
				best = n;
				distance = o;
			}
		}
		while (which < 4 && e->recent[which] != distance)
			which++;
		if (best < 2 && at > e->recent[0] &&
		    text[at] == text[at - e->recent[0]]) {
			put_copy(e, 0, e->recent[0], 1);
			at++;
		} else if (best < 2 || (best < 3 && distance > 200)) {
			put_one(e, text, at++);
		} else {
			put_copy(e, which, (uint32_t)distance, (uint32_t)best);
			at += best;
		}
	}
	for (unsigned i = 0; i < 5; i++)
		shift(e);
}

/* ---- the program ------------------------------------------------------------------- */

static void
code(unsigned char *at, const char *bytes, size_t n)
{
	memcpy(at, bytes, n);
}
#define CODE(at, bytes) code(at, bytes, sizeof(bytes) - 1)

static void
tables_make(unsigned char *s)
{
	pe_put(s + TABLE, TO + 0x20, 4);
	pe_put(s + TABLE_2, BASE + 0x4000 + DECODER, 4);
	pe_put(s + TABLE_2 + 4, 2, 4);
	pe_put(s + TABLE_2 + 0xc, TO, 4);
	pe_put(s + TABLE_2 + 0x34, TO + SIZE, 4);
	pe_put(s + TABLE_2 + 0x38, TO - 4, 4);
	pe_put(s + TABLE_2 - 4, BASE + 0x4000 + PACKED, 4);
}

static void
stub_make(unsigned char *s)
{
	CODE(s, "\xbe....\xad\x50\xff\x76\x34\xeb\x14");
	pe_put(s + 1, BASE + 0x4000 + TABLE, 4);
	CODE(s + NEXT,
	    "\xff\x76\x38\xad\x50\x8b\x3e\xbe....\x6a\x27\x59\xf3\xa5\xff\x76"
	    "\x04\x83\xc8\xff\x8b\xdf\xab");
	pe_put(s + NEXT + 8, BASE + 0x4000 + TAIL, 4);
	CODE(s + NEXT + 0x28, "\x8b\x7e\x0c\x57\x51\xe9");
	CODE(s + DECODER + 4, "\x0f\xb6\x6f\xff\xc1\xed\x05");
	CODE(s + TAIL + 4, "\xaa\x3b\x7e\x34\x0f\x82");
	CODE(s + TAIL + 0x20,
	    "\x8b\x07\x3c\x77\x75\xf3\xb0\0\x0f\xc8\x03\x46\x38\x2b\xc7\xab");
	tables_make(s);
}

/* What is packed: noise, text, zeros, and two calls to 0x1234 bytes on. */
static void
make_text(unsigned char text[SIZE], bool absolute)
{
	text_make((char *)text, SIZE);
	for (size_t i = 4; i <= 24; i += 20) {
		uint32_t to = 0x1234 + (uint32_t)i + 5;

		text[i] = i == 4 ? 0xe8 : 0xe9;
		pe_put(text + i + 1, 0x1234, 4);
		if (!absolute)
			continue;
		text[i + 1] = MARK;
		for (unsigned k = 0; k < 3; k++)
			text[i + 2 + k] = (unsigned char)(to >> (16 - 8 * k));
	}
}

static struct span
program_make(void)
{
	struct pe_build pe = pe_build_plain;
	static struct encoder e;
	unsigned char text[SIZE];
	struct span f;

	pe.section[0] = (struct pe_build_section){ 0x3000, 0x1000, 0, 0 };
	pe.section[1] =
	    (struct pe_build_section){ 0x2000, 0x4000, 0x1800, STUB };
	pe.size = STUB + 0x1800;
	pe.entry = 0x4000;
	make_text(text, true);
	encode(&e, text, SIZE);
	assert_true(e.n < 0x1800 - PACKED);
	f = pe_build_make(&pe);
	memset((char *)f.ptr + STUB, 0, 0x1800);
	stub_make((unsigned char *)f.ptr + STUB);
	memcpy((char *)f.ptr + STUB + PACKED, e.bytes + 1, e.n - 1);
	return f;
}

static void
what_upack_packed_is_unpacked_and_calls_are_relative(void **state)
{
	static struct sink s;
	struct span f = program_make(), got;
	unsigned char text[SIZE];
	struct exe x;

	(void)state;
	make_text(text, false);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "upack");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, 0x2000);
	assert_memory_equal(got.ptr + 0x1000, text, SIZE);
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.entry, 0x1020);
	assert_int_equal(x.sections, 1);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
addresses_that_lead_out_of_the_image_are_damage(void **state)
{
	static const size_t at[] = { 1, NEXT + 8, TABLE_2, TABLE_2 + 0xc,
		TABLE_2 + 0x34, TABLE_2 - 4 };
	static const uint32_t to[] = { 0, UINT32_MAX, BASE, BASE + 0x5fff,
		BASE + 0x6000, 0x80000000 };

	(void)state;
	for (size_t i = 0; i < COUNT(at); i++)
		for (size_t k = 0; k < COUNT(to); k++) {
			struct span f = program_make();
			static struct sink s;

			pe_put((unsigned char *)f.ptr + STUB + at[i], to[k], 4);
			sink_init(&s);
			open_pe(f, &s.peel);
			assert_true(
			    s.members == 1 || s.notes == 1u << PEEL_DAMAGED);
			sink_clear(&s);
			free((char *)f.ptr);
		}
}

static void
displacements_behind_the_table_are_damage(void **state)
{
	static const size_t at[] = { NEXT + 0x2a, TAIL + 7, TAIL + 0x2c };

	(void)state;
	for (size_t i = 0; i < COUNT(at); i++) {
		struct span f = program_make();

		((char *)f.ptr)[STUB + at[i]] = '\x80';
		sink_damaged(open_pe, f);
	}
}

static void
a_program_torn_anywhere_gives_at_most_one(void **state)
{
	(void)state;
	sink_torn(open_pe, program_make(), 0, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_upack_packed_is_unpacked_and_calls_are_relative),
		cmocka_unit_test(
		    addresses_that_lead_out_of_the_image_are_damage),
		cmocka_unit_test(displacements_behind_the_table_are_damage),
		cmocka_unit_test(a_program_torn_anywhere_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
