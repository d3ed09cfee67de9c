#include "packers.h"
#include "pe_build.h"
#include "sink.h"

#define AT     0x400u /* file offset of the second section, RVA 0x5000 */
#define STUB   0x400u /* in it */
#define DATA   0x200u /* what stands in front of the stub */
#define STREAM 0x800u
#define PLACE  (STUB - DATA - 0x54)
#define SIZE   0x4000u
#define PROPS  5u  /* bytes, of what the library writes */
#define SLACK  16u /* which clamscan wants */

static void
text_fill(char text[SIZE])
{
	memset(text, 0, SIZE);
	for (unsigned i = 0; i < 0x1800; i++) {
		unsigned noise = i * i >> 5;

		text[i] = (char)noise;
		if (i % 700 < 300)
			text[i] = "call [esi]; "[i % 12];
	}
}

/* A jump to the stub, and the stub; what is packed becomes section 0. */
static struct span
program_make(bool jump)
{
	static const char code[] =
	    "\x9c\x60\xe8\0\0\0\0\x5d\xb8\x07\0\0\0\x2b\xe8\x8d\xb5";
	struct pe_build pe = pe_build_plain;
	struct buf packed = buf_make(1u << 20);
	char text[SIZE];
	unsigned char *s;
	struct span f;

	text_fill(text);
	pack_lzma(&packed, (struct span){ text, SIZE });
	assert_true(packed.len < 0x2000 - STREAM - 16);
	pe.section[0] = (struct pe_build_section){ SIZE, 0x1000, 0, 0 };
	pe.section[1] = (struct pe_build_section){ 0x2000, 0x5000, 0x2000, AT };
	pe.size = AT + 0x2000;
	pe.entry = jump ? 0x5000 : 0x5000 + STUB;
	f = pe_build_make(&pe);
	s = (unsigned char *)f.ptr + AT;
	memset(s, 0, 0x2000);
	s[0] = 0xe9;
	pe_put(s + 1, STUB - 5, 4);
	memcpy(s + STUB, code, sizeof(code) - 1);
	pe_put(s + STUB + 17, (uint32_t)-DATA, 4);
	s[STUB + 0x27a] = 0xe9;
	pe_put(s + STUB + 0x27b, 0x1234u - (0x5000 + STUB + 0x27f), 4);
	pe_put(s + PLACE, STREAM - STUB, 4);
	memcpy(s + STREAM, packed.ptr, PROPS);
	pe_put(s + STREAM + 5, packed.len - PROPS + SLACK, 4);
	pe_put(s + STREAM + 9, SIZE, 4);
	memcpy(s + STREAM + 13, packed.ptr + PROPS, packed.len - PROPS);
	buf_free(&packed);
	return f;
}

static void
what_nspack_packed_is_unpacked(void **state)
{
	char text[SIZE];

	(void)state;
	text_fill(text);
	for (unsigned i = 0; i < 2; i++) {
		static struct sink s;
		struct span f = program_make(i == 1), got;
		struct exe x;

		sink_init(&s);
		open_pe(f, &s.peel);
		got = sink_bytes(&s, "nspack");
		assert_int_equal(s.members, 1);
		assert_int_equal(s.notes, 0);
		assert_int_equal(got.len, 0x1000 + SIZE);
		assert_memory_equal(got.ptr + 0x1000, text, SIZE);
		assert_true(exe_parse(got, &x));
		assert_int_equal(x.entry, 0x1234);
		assert_int_equal(x.sections, 1);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

static void
a_stub_without_its_jump_is_entered_at_the_begin(void **state)
{
	static struct sink s;
	struct span f = program_make(false);
	struct exe x;

	(void)state;
	((char *)f.ptr)[AT + STUB + 0x27a] = '\xc3';
	sink_init(&s);
	open_pe(f, &s.peel);
	assert_true(exe_parse(sink_bytes(&s, "nspack"), &x));
	assert_int_equal(x.entry, 0x1000);
	sink_clear(&s);
	free((char *)f.ptr);
}

/* Of another size than the section, of properties that there are not, broken,
 * and places that lie nowhere. */
static void
streams_that_are_not_the_section_are_damage(void **state)
{
	static const struct {
		uint32_t at, value;
	} bad[] = { { STREAM + 9, SIZE - 1 }, { STREAM + 9, SIZE + 1 },
		{ STREAM + 9, 0 }, { STREAM + 9, UINT32_MAX }, { STREAM, 0xe1 },
		{ STREAM, 0x2c }, { STREAM + 13, UINT32_MAX },
		{ PLACE, UINT32_MAX }, { PLACE, 0x80000000 }, { PLACE, 0x1bf3 },
		{ STUB + 17, 0 }, { STUB + 17, 0x80000000 } };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct span f = program_make(false);

		pe_put(
		    (unsigned char *)f.ptr + AT + bad[i].at, bad[i].value, 4);
		sink_damaged(open_pe, f);
	}
}

static void
a_program_torn_anywhere_gives_at_most_one(void **state)
{
	(void)state;
	sink_torn(open_pe, program_make(true), 0, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nspack_packed_is_unpacked),
		cmocka_unit_test(
		    a_stub_without_its_jump_is_entered_at_the_begin),
		cmocka_unit_test(streams_that_are_not_the_section_are_damage),
		cmocka_unit_test(a_program_torn_anywhere_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
