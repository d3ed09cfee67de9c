#include "aplib_pack.h"
#include "pe_build.h"
#include "sink.h"

#define BASE    0x400000u
#define DATA_AT 0x400u /* of the second section, at RVA 0x4000 */
#define TABLE   0x20u

/* Two streams: to RVA 0x1000 and to `second`. */
static struct span
program_make(struct span in, uint32_t second)
{
	static const char stub[] =
	    "\x8b\xde\xad\xad\x50\xad\x97\xb2\x80\xa4\xb6\x80\xff";
	struct pe_build pe = pe_build_plain;
	static struct packer p;
	unsigned char *at;
	struct span f;

	memset(&p, 0, sizeof(p));
	p.len = TABLE;
	pe_put(p.bytes + p.len + 4, BASE + 0x1020, 4);
	pe_put(p.bytes + p.len + 8, BASE + 0x1000, 4);
	p.len += 12;
	pack(in, &p);
	pe_put(p.bytes + p.len, BASE + second, 4);
	p.len += 4;
	pack(in, &p);
	p.len += 4; /* a 0 */

	pe.section[0] = (struct pe_build_section){ 0x3000, 0x1000, 0, 0 };
	pe.section[1] =
	    (struct pe_build_section){ 0x2000, 0x4000, 0x2000, DATA_AT };
	pe.size = 0x2400;
	pe.entry = 0x4010;
	f = pe_build_make(&pe);
	memcpy((char *)f.ptr + DATA_AT, p.bytes, sizeof(p.bytes));
	at = (unsigned char *)f.ptr + DATA_AT + 0x10;
	at[0] = 0xe9;
	pe_put(at + 1, 0x1c8 - 0x4015u, 4);
	at = (unsigned char *)f.ptr + 0x1c8;
	at[0] = 0xbe;
	pe_put(at + 1, BASE + 0x4000 + TABLE, 4);
	memcpy(at + 5, stub, sizeof(stub) - 1);
	return f;
}

static void
what_mew_packed_is_unpacked_and_rebuilt(void **state)
{
	static char text[0xc00];
	struct span f, got;
	static struct sink s;
	struct exe x;

	(void)state;
	text_make(text, sizeof(text));
	f = program_make((struct span){ text, sizeof(text) }, 0x2000);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "mew");
	assert_int_equal(s.members, 1);
	assert_int_equal(got.len, 0x4000);
	assert_memory_equal(got.ptr + 0x1000, text, sizeof(text));
	assert_memory_equal(got.ptr + 0x2000, text, sizeof(text));
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.entry, 0x1020);
	assert_int_equal(x.sections, 2);
	assert_int_equal(x.section[0].raw, 0x1000);
	assert_int_equal(x.section[0].raw_size, 0x1000);
	assert_int_equal(x.section[1].raw, 0x2000);
	assert_int_equal(x.section[1].raw_size, 0x2000);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
streams_that_lead_out_of_the_image_are_damage(void **state)
{
	static const uint32_t to[] = { 0x6000, 0x5fff, 0, 0xff000000,
		0x80000000 };
	static char text[0x100];

	(void)state;
	text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		sink_damaged(open_pe,
		    program_make((struct span){ text, sizeof(text) }, to[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_mew_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(streams_that_lead_out_of_the_image_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
