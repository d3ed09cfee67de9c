#include "aplib_pack.h"
#include "pe_build.h"
#include "sink.h"

#define BASE    0x400000u
#define DATA_AT 0x400u /* of the second section, at RVA 0x4000 */
#define PLACE   0x18u
#define FRAME   0x20u
#define TABLE   0x60u
#define PACKED  0x100u
#define TEXT    0xc00u

struct numbers {
	uint32_t edi, esi, ebx, entry;
};
static const struct numbers good = { BASE + 0x1000, BASE + 0x4000 + PACKED,
	BASE + 0x4000 + TABLE, BASE + 0x1020 };

static struct span
program_make(const char *text, const struct numbers *n)
{
	struct pe_build pe = pe_build_plain;
	static struct packer p;
	unsigned char *at;
	struct span f;

	memset(&p, 0, sizeof(p));
	pack((struct span){ text, TEXT }, &p);
	pe.section[0] = (struct pe_build_section){ 0x3000, 0x1000, 0, 0 };
	pe.section[1] =
	    (struct pe_build_section){ 0x2000, 0x4000, 0x2000, DATA_AT };
	pe.size = 0x2400;
	pe.entry = 0x4000;
	f = pe_build_make(&pe);
	at = (unsigned char *)f.ptr + DATA_AT;
	memset(at, 0, 0x2000);
	memcpy(at, "\x87\x25", 2);
	pe_put(at + 2, BASE + 0x4000 + PLACE, 4);
	pe_put(at + PLACE, BASE + 0x4000 + FRAME, 4);
	memcpy(at + 6, "\x61\x94\x55\xa4\xb6\x80\xff\x13", 8);
	pe_put(at + FRAME, n->edi, 4);
	pe_put(at + FRAME + 4, n->esi, 4);
	pe_put(at + FRAME + 16, n->ebx, 4);
	pe_put(at + TABLE + 12, n->entry, 4);
	memcpy(at + PACKED, p.bytes, p.len);
	return f;
}

#define HEADER_AT 0x200u /* of the table of 1.33 */

/* Version 1.33: two streams, of which the second goes to `second`; after them
 * 0, or more of the same if there is no `end`. */
static struct span
older_make(const char *text, uint32_t second, bool end)
{
	struct span f = program_make(text, &good);
	unsigned char *all = (unsigned char *)f.ptr, *at = all + DATA_AT;
	static struct packer p;

	memset(&p, 0, sizeof(p));
	pack((struct span){ text, TEXT }, &p);
	pack((struct span){ text, TEXT }, &p);
	memset(at, 0, PACKED);
	at[0] = 0xbe;
	pe_put(at + 1, BASE + HEADER_AT, 4);
	memcpy(at + 5, "\xad\x93\xad\x97\xad\x56\x96\xb2\x80\xa4\xb6\x80", 12);
	memcpy(at + 161, "\x0f\x84", 2);
	pe_put(at + 163, 0x1020 - (0x4000 + 167u), 4);
	pe_put(all + HEADER_AT + 4, BASE + 0x1000, 4);
	pe_put(all + HEADER_AT + 8, BASE + 0x4000 + PACKED, 4);
	for (size_t i = 0; i < (end ? 1 : 100); i++)
		pe_put(all + HEADER_AT + 12 + 4 * i, BASE + second + 1, 4);
	memcpy(at + PACKED, p.bytes, p.len);
	return f;
}

static void
what_fsg_packed_is_unpacked_and_rebuilt(void **state)
{
	static char text[TEXT];
	static struct sink s;
	struct span f, got;
	struct exe x;

	(void)state;
	text_make(text, sizeof(text));
	f = program_make(text, &good);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "fsg");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, 0x4000);
	assert_memory_equal(got.ptr + 0x1000, text, sizeof(text));
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.entry, 0x1020);
	assert_int_equal(x.sections, 1);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
addresses_from_elsewhere_are_damage(void **state)
{
	static const struct numbers bad[] = {
		{ BASE + 0x4000, BASE + 0x4000 + PACKED, BASE + 0x4060, BASE },
		{ BASE + 0x3f00, BASE + 0x4000 + PACKED, BASE + 0x4060, BASE },
		{ 0, BASE + 0x4000 + PACKED, BASE + 0x4060, BASE },
		{ BASE + 0x1000, BASE + 0x6000, BASE + 0x4060, BASE },
		{ BASE + 0x1000, BASE + 0x5fff, BASE + 0x4060, BASE },
		{ BASE + 0x1000, 0, BASE + 0x4060, BASE },
		{ BASE + 0x1000, BASE + 0x1000, BASE + 0x4060, BASE },
		{ BASE + 0x1000, BASE + 0x4000 + PACKED, 0x10, BASE },
		{ BASE + 0x1000, BASE + 0x4000 + PACKED, UINT32_MAX, BASE },
	};
	static char text[TEXT];

	(void)state;
	text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sink_damaged(open_pe, program_make(text, &bad[i]));
}

static void
what_fsg_133_packed_is_unpacked_and_rebuilt(void **state)
{
	static char text[TEXT];
	static struct sink s;
	struct span f, got;
	struct exe x;

	(void)state;
	text_make(text, sizeof(text));
	f = older_make(text, 0x2000, true);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "fsg");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, 0x4000);
	assert_memory_equal(got.ptr + 0x1000, text, sizeof(text));
	assert_memory_equal(got.ptr + 0x2000, text, sizeof(text));
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.entry, 0x1020);
	assert_int_equal(x.sections, 2);
	assert_int_equal(x.section[1].raw_size, 0x2000);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
further_streams_that_lead_elsewhere_are_damage(void **state)
{
	static const struct {
		uint32_t second;
		bool end;
	} bad[] = { { 0x4000, true }, { 0x3fff, true }, { 0, true },
		{ 0xff000000, true }, { 0x2000, false } };
	static char text[TEXT];

	(void)state;
	text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sink_damaged(
		    open_pe, older_make(text, bad[i].second, bad[i].end));
}

static void
a_program_torn_anywhere_gives_at_most_one(void **state)
{
	static char text[TEXT];
	struct span f;

	(void)state;
	text_make(text, sizeof(text));
	f = program_make(text, &good);
	sink_torn(open_pe, f, 0x600, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fsg_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(addresses_from_elsewhere_are_damage),
		cmocka_unit_test(what_fsg_133_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(
		    further_streams_that_lead_elsewhere_are_damage),
		cmocka_unit_test(a_program_torn_anywhere_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
