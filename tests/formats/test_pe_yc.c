#include "pe_build.h"
#include "sink.h"

#define OWN   0xc00u /* file offset of the crypter's section, RVA 0x3000 */
#define SIZE  0x1400u
#define HERE  0x402000u /* what the stub's addresses have at its begin */
#define BEGIN 0x90u     /* of what its first loop decrypts */
#define END   0x300u
#define LOOP  0x20u /* of the second loop, behind BEGIN */

static uint8_t
left(uint8_t v, unsigned n)
{
	return (uint8_t)(v << n | v >> (8 - n));
}

/* The inverse of the steps that stub_make() writes. */
static void
encrypt_stub(unsigned char *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t v = (uint8_t)(p[i] ^ 0xff);

		v = (uint8_t)(v + 18);
		v = left(v, 3);
		p[i] = (uint8_t)(v + (uint8_t)(n - i));
	}
}

static void
encrypt_section(unsigned char *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t v = (uint8_t)(p[i] ^ 0x68);

		v = left(v, 6);
		v = (uint8_t)(v + 2 - 0x21);
		p[i] = (uint8_t)(v ^ (uint8_t)(n - i));
	}
}

static const char loop_stub[] =
    "\xeb\x04\x90\xeb\x01\xc2\xac\x2a\xc1\xc0\xc8\x03\xf5\x2c\x12"
    "\xf6\xd0\x90\xaa\xe2\xcc";
static const char loop_section[] =
    "\x8b\xfe\xeb\x04\x90\xeb\x01\xe9\xac\x32\xc1\xfe\xc8\xfe\xc8\x04\x21"
    "\xc0\xc0\x02\xf8\xf9\x34\x68\xeb\x01\xe9\xaa\xe2\xcc\xc3";

static void
stub_make(unsigned char *at, bool broken)
{
	unsigned char *in = at + BEGIN;

	memset(at, 0, SIZE - OWN);
	memcpy(at, "\x55\x8b\xec\x53\x56\x57\x60\xe8\0\0\0\0\x5d\x81\xed", 15);
	pe_put(at + 15, HERE + 12, 4);
	at[19] = 0xb9;
	pe_put(at + 20, HERE + END, 4);
	memcpy(at + 24, "\x81\xe9", 2);
	pe_put(at + 26, HERE + BEGIN, 4);
	memcpy(at + 0x30, loop_stub, sizeof(loop_stub) - 1);
	memcpy(in + LOOP, loop_section, sizeof(loop_section) - 1);
	if (broken)
		in[LOOP + 9] = 0xcc;
	memcpy(in + 0x80, "\x81\xc2", 2);
	pe_put(in + 0x82, HERE + BEGIN + 0x100, 4);
	memcpy(in + 0x86, "\x03\x1a\xc1\xcb\x07", 5);
	pe_put(in + 0x100, 0x1234, 4);
	encrypt_stub(in, END - BEGIN);
}

/* Two sections of which the second is not encrypted, and the crypter's. */
static struct span
program_make(unsigned char plain[0x400], bool broken)
{
	struct pe_build pe = pe_build_plain;
	struct span f;

	pe.section[1] =
	    (struct pe_build_section){ 0x1000, 0x2000, 0x400, 0x800 };
	pe.section[2] =
	    (struct pe_build_section){ 0x1000, 0x3000, SIZE - OWN, OWN };
	pe.size = SIZE;
	pe.entry = 0x3000;
	f = pe_build_make(&pe);
	memcpy((char *)f.ptr + PE_AT + 24 + 224 + 40, ".rsrc\0\0", 8);
	memcpy(plain, f.ptr + 0x400, 0x400);
	encrypt_section((unsigned char *)f.ptr + 0x400, 0x400);
	stub_make((unsigned char *)f.ptr + OWN, broken);
	return f;
}

static void
what_yc_encrypted_is_decrypted_without_its_section(void **state)
{
	unsigned char plain[0x400];
	static struct sink s;
	struct span f = program_make(plain, false), got;
	struct exe x;

	(void)state;
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "yc");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, OWN);
	assert_memory_equal(got.ptr + 0x400, plain, 0x400);
	assert_memory_equal(got.ptr + 0x800, f.ptr + 0x800, 0x400);
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.sections, 2);
	assert_int_equal(x.entry, 0x634);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
steps_that_are_not_known_are_damage(void **state)
{
	unsigned char plain[0x400];

	(void)state;
	sink_damaged(open_pe, program_make(plain, true));
}

/* A stub that jumps for ever, and addresses from everywhere. */
static void
absurd_stubs_give_nothing(void **state)
{
	static const struct {
		uint32_t at, value;
	} bad[] = { { 0x36, 0x01eb01eb }, { 15, 0 }, { 15, UINT32_MAX },
		{ 20, UINT32_MAX }, { 20, HERE }, { 26, 0 },
		{ 26, UINT32_MAX } };
	unsigned char plain[0x400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct span f = program_make(plain, false);
		static struct sink s;

		pe_put(
		    (unsigned char *)f.ptr + OWN + bad[i].at, bad[i].value, 4);
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_int_equal(s.members, 0);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

static void
a_program_torn_anywhere_gives_at_most_one(void **state)
{
	unsigned char plain[0x400];

	(void)state;
	sink_torn(open_pe, program_make(plain, false), 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_yc_encrypted_is_decrypted_without_its_section),
		cmocka_unit_test(steps_that_are_not_known_are_damage),
		cmocka_unit_test(absurd_stubs_give_nothing),
		cmocka_unit_test(a_program_torn_anywhere_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
