#include "aplib_pack.h"
#include "pe_build.h"
#include "sink.h"

/* A program as PESpin leaves it: sections under steps and keys, and a stub of
 * layers.  Places in the stub count from its entry point. */

#define OWN      0x1000u /* file offset of the stub's section, RVA 0x4000 */
#define STUB     0xb00u
#define FIRST    0x400u
#define FIRST_N  0x400u
#define SECOND   0x80u
#define SECOND_N 0x280u
#define FOURTH   0x200u /* in the second */
#define FOURTH_N 0x80u
#define THIRD    0x880u
#define THIRD_N  0x80u
#define DATA     0xa00u /* bitmaps and the key, which no checksum covers */
#define LESS     0x180u
#define DELTA    0x402c95u
#define TERM     0x7801a108u

#define PLAIN    0x400u /* bytes of a section in the file */
#define UNPACKED 0x800u

static void
operand(unsigned char *stub, size_t at, size_t place)
{
	pe_put(stub + at, place - 9 + DELTA, 4);
}
#define CODE(at, bytes) memcpy(at, bytes, sizeof(bytes) - 1)

/* ---- the ways of encrypting ------------------------------------------------------ */

static void
shift(unsigned char *p, size_t n, uint32_t key, uint32_t feedback, bool when)
{
	for (size_t i = 0; i < n; i++) {
		bool carry = key & 1;

		key >>= 1;
		if (carry == when)
			key ^= feedback;
		p[i] ^= (unsigned char)key;
	}
}

static uint8_t
right(uint8_t v, unsigned n)
{
	return (uint8_t)(v >> n | v << (8 - n));
}

static const char steps[] =
    "\x8a\x07\x0a\xc0\x04\x11\xeb\x01\xe9\x2a\xc1\xf9\x34\x5a\xc0\xc0\x43"
    "\xaa\x49";

/* Their inverse. */
static void
step_back(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t v = right(p[i], 3) ^ 0x5a;

		p[i] = (uint8_t)(v + (n - i) - 0x11);
	}
}

static uint32_t
checksum(const char *file, size_t n)
{
	uint32_t a = UINT32_MAX, b = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		a ^= (uint32_t)(unsigned char)file[i] << 8;
		a >>= 3;
		for (unsigned turn = 0; turn < 4; turn++) {
			uint32_t c;

			a ^= b >> 8 & 0xff;
			a = (a + TERM) ^ b;
			for (unsigned k = b % 32; k > 0; k--)
				a = a >> 1 | a << 31;
			c = a;
			a = b;
			b = c;
		}
	}
	return b;
}

/* ---- the stub ----------------------------------------------------------------------- */

static void
head_make(unsigned char *s)
{
	CODE(s, "\xeb\x01\x68\x60\xe8\0\0\0\0\x8b\x1c\x24\x83\xc3\x12\x81\x2b");
	pe_put(s + 17, 0x6b1e8, 4);
	CODE(s + 21, "\xfe\x4b\xfd\x82\x2c\x24");
	pe_put(s + 27, DELTA + 0x6b1e8, 4);
	CODE(s + 0x40, "\xbb\x91\0\0\0\xb9....\x8d\xbd....\x4f");
	pe_put(s + 0x46, FIRST_N, 4);
	operand(s, 0x4c, FIRST);
}

static void
first_make(unsigned char *s)
{
	unsigned char *at = s + FIRST + 0x20;

	CODE(at,
	    "\xbb\x60\xf0\xb3\x47\x68....\x59\x8d\xbd....\x81\xef....\xd1\xeb"
	    "\x73\x06\x81\xf3\x34\x88\x32\x8c\x30\x1f");
	pe_put(at + 6, SECOND_N, 4);
	operand(s, FIRST + 0x2d, SECOND + 0x12a);
	pe_put(at + 19, 0x12a, 4);
	CODE(s + FIRST + 0x80, "\x32\xc7\x05....\x33\xc3");
	pe_put(s + FIRST + 0x83, TERM, 4);
	CODE(s + FIRST + 0xa0, "\xbb\x02\0\0\0\x2b\xc0\x51");
}

static void
second_make(unsigned char *s)
{
	CODE(s + 0x90, "\x59\x81\xe9....\x8d\xbd....");
	pe_put(s + 0x93, LESS, 4);
	CODE(s + 0xa0, "\x8b\x9d....\x33\xc0");
	operand(s, 0xa2, DATA);
	CODE(s + 0xc0,
	    "\x8b\x95....\xd1\xea\x72\x06\x81\xf2\x31\xaf\x43\xed\x30\x17");
	operand(s, 0xc2, DATA + 8);
	CODE(s + 0x100, "\x68....\x59\x8d\xbd....\xba\xdb\x06\xa8\x43");
	pe_put(s + 0x101, THIRD_N, 4);
	operand(s, 0x108, THIRD);
	CODE(s + 0x140, "\xd1\xea\x72\x06\x81\xf2\x32\xaf\x43\xed\x30\x17");
}

static void
stub_make(unsigned char *s)
{
	memset(s, 0, STUB);
	head_make(s);
	first_make(s);
	second_make(s);
	CODE(s + THIRD + 3, "\x8d\xbd....\xb9....");
	operand(s, THIRD + 5, FOURTH);
	pe_put(s + THIRD + 10, FOURTH_N, 4);
	CODE(s + THIRD + 20, steps);
	CODE(s + FOURTH + 4, "\x68\x03\0\0\0\x5b");
	CODE(s + FOURTH + 0x20, "\x8b\x4a\x10\x50");
	CODE(s + FOURTH + 0x24, steps);

	step_back(s + FOURTH, FOURTH_N);
	shift(s + THIRD, THIRD_N, 0x43a806db, 0xed43af32, false);
	shift(s + SECOND, SECOND_N, 0x47b3f060, 0x8c328834, true);
	for (unsigned i = 0; i < FIRST_N; i++)
		s[FIRST + FIRST_N - 1 - i] ^= (unsigned char)(0x91 - i);
	pe_put(s + DATA, 3, 4);
}

/* ---- the program -------------------------------------------------------------------- */

/* Two sections that are encrypted, of which the second is packed as well, and
 * one that is neither. */
static struct span
program_make(unsigned char plain[PLAIN], char text[UNPACKED])
{
	struct pe_build pe = pe_build_plain;
	static struct packer p;
	unsigned char *f;
	struct span s;

	for (uint32_t i = 0; i < 3; i++)
		pe.section[i] = (struct pe_build_section){ 0x1000,
			0x1000 * (i + 1), PLAIN, PLAIN * (i + 1) };
	pe.section[1].va_size = UNPACKED;
	pe.section[3] = (struct pe_build_section){ 0x1000, 0x4000, STUB, OWN };
	pe.size = OWN + STUB;
	pe.entry = 0x4000;
	s = pe_build_make(&pe);
	f = (unsigned char *)s.ptr;
	memcpy(plain, f + PLAIN, PLAIN);
	text_make(text, UNPACKED);
	memset(text + 0x200, 'x', UNPACKED - 0x200);
	memset(&p, 0, sizeof(p));
	pack((struct span){ text, UNPACKED }, &p);
	assert_true(p.len <= PLAIN);
	memcpy(f + 2 * PLAIN, p.bytes, p.len);
	stub_make(f + OWN);
	for (unsigned i = 1; i <= 2; i++) {
		step_back(f + PLAIN * i, PLAIN);
		shift(f + PLAIN * i, PLAIN, 0x3523a0f5, 0xed43af31, false);
	}
	pe_put(
	    f + OWN + DATA + 8, 0x3523a0f5 + checksum(s.ptr, s.len - LESS), 4);
	return s;
}

static void
what_pespin_encrypted_is_decrypted_and_unpacked(void **state)
{
	unsigned char plain[PLAIN];
	char text[UNPACKED];
	static struct sink s;
	struct span f = program_make(plain, text), got;
	struct exe x;

	(void)state;
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "pespin");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, 0x4000);
	assert_memory_equal(got.ptr + 0x1000, plain, PLAIN);
	assert_memory_equal(got.ptr + 0x2000, text, UNPACKED);
	assert_memory_equal(got.ptr + 0x3000, f.ptr + 3 * PLAIN, PLAIN);
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.sections, 3);
	assert_int_equal(x.entry, 0x1000);
	sink_clear(&s);
	free((char *)f.ptr);
}

/* What is in the file beyond what the checksum covers changes nothing; one
 * byte before changes the key, and so all. */
static void
the_key_is_made_of_the_file(void **state)
{
	static const struct {
		size_t at;
		bool same;
	} cases[] = { { 0x80 + 8, false }, { OWN + STUB - 1, true } };
	unsigned char plain[PLAIN];
	char text[UNPACKED];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span f = program_make(plain, text);
		static struct sink s;

		((char *)f.ptr)[cases[i].at] ^= 1;
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_int_equal(s.members, cases[i].same);
		assert_int_equal(
		    s.notes, cases[i].same ? 0 : 1u << PEEL_DAMAGED);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

/* Operands that are not encrypted, and any byte of what is. */
static void
absurd_stubs_give_nothing(void **state)
{
	static const uint32_t at[] = { 17, 27, 0x46, 0x4c };
	static const uint32_t to[] = { 0, UINT32_MAX, 0x80000000 };
	unsigned char plain[PLAIN];
	char text[UNPACKED];

	(void)state;
	for (size_t i = 0; i < COUNT(at) * COUNT(to); i++) {
		struct span f = program_make(plain, text);

		pe_put((unsigned char *)f.ptr + OWN + at[i / COUNT(to)],
		    to[i % COUNT(to)], 4);
		sink_damaged(open_pe, f);
	}
}

static void
a_stub_with_any_byte_changed_gives_at_most_one(void **state)
{
	unsigned char plain[PLAIN];
	char text[UNPACKED];
	struct span f = program_make(plain, text);

	(void)state;
	for (size_t i = OWN; i < f.len; i++) {
		static struct sink s;
		char *byte = (char *)f.ptr + i;

		*byte ^= '\x81';
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_true(s.members <= 1);
		sink_clear(&s);
		*byte ^= '\x81';
	}
	free((char *)f.ptr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_pespin_encrypted_is_decrypted_and_unpacked),
		cmocka_unit_test(the_key_is_made_of_the_file),
		cmocka_unit_test(absurd_stubs_give_nothing),
		cmocka_unit_test(
		    a_stub_with_any_byte_changed_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
