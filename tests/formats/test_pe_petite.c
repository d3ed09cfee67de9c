#include "pe_build.h"
#include "sink.h"

#define BASE    0x400000u
#define DATA_AT 0x800u /* of the second section, at RVA 0x4000 */
#define TABLE   0x100u /* of the records */
#define PACKED  0x200u
#define TEXT    0xc00u

/* Bits in bytes that are begun where the first of their bits is needed. */
struct packer {
	unsigned char bytes[0x1800];
	size_t len, tag;
	unsigned left;
	uint32_t last;
};

static void
put_byte(struct packer *p, uint32_t v)
{
	p->bytes[p->len++] = (unsigned char)v;
}

static void
put_bits(struct packer *p, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		if (p->left == 0) {
			p->tag = p->len;
			put_byte(p, 0);
			p->left = 8;
		}
		p->left--;
		p->bytes[p->tag] |= (unsigned char)(((v >> n) & 1) << p->left);
	}
}

static void
put_gamma(struct packer *p, uint32_t n)
{
	unsigned bits = 31u - (unsigned)__builtin_clz(n);

	while (bits-- > 0) {
		put_bits(p, (n >> bits) & 1, 1);
		put_bits(p, bits > 0, 1);
	}
}

/* Of a section below 64 KB. */
static void
put_match(struct packer *p, uint32_t distance, uint32_t len)
{
	uint32_t v = distance - 1;

	put_bits(p, 1, 1);
	if (distance == p->last) {
		put_gamma(p, 2);
	} else {
		put_gamma(p, (v >> 5) + 3);
		put_bits(p, v & 31, 5);
		len -= 1u + (distance > 0x3a0) + (distance > 0x3fa0);
	}
	p->last = distance;
	put_bits(p, len < 4 ? len : 0, 2);
	if (len >= 4)
		put_gamma(p, len - 2);
}

static void
pack(const char *in, size_t n, struct packer *p)
{
	p->left = 0;
	p->last = 0;
	put_byte(p, (unsigned char)in[0]);
	for (size_t at = 1; at < n;) {
		size_t best = 0, distance = 0;

		for (size_t d = 1; d <= at; d++) {
			size_t len = 0;

			while (at + len < n && in[at + len] == in[at + len - d])
				len++;
			if (len > best) {
				best = len;
				distance = d;
			}
		}
		if (best >= 5) {
			put_match(p, (uint32_t)distance, (uint32_t)best);
			at += best;
			continue;
		}
		put_bits(p, 0, 1);
		put_byte(p, (unsigned char)in[at] ^ (uint32_t)(n - at));
		at++;
	}
}

static void
text_make(char *out, size_t n)
{
	uint32_t noise = 3;

	for (size_t i = 0; i < n; i++) {
		noise = noise * 1664525 + 1013904223;
		out[i] = (char)(noise >> 24);
		if (i % 50 < 20)
			out[i] = 0;
		if (i % 700 < 300)
			out[i] = "push ebx; call [esi]; "[i % 22];
	}
}

/* Each record has three numbers, and a fourth when it unpacks. */
static struct span
program_make(const char *text, const uint32_t *record, size_t records)
{
	static const char walk[] = "\x8b\x0a\x0f\xba\xf1\x1f\x73\x16";
	struct pe_build pe = pe_build_plain;
	static struct packer p;
	unsigned char *at;
	struct span f;

	memset(&p, 0, sizeof(p));
	pack(text, TEXT, &p);
	assert_true(p.len < 0x1000);
	pe.section[0] =
	    (struct pe_build_section){ 0x3000, 0x1000, 0x200, 0x400 };
	pe.section[1] =
	    (struct pe_build_section){ 0x2000, 0x4000, 0x1400, DATA_AT };
	pe.size = 0x1c00;
	pe.entry = 0x4010;
	f = pe_build_make(&pe);
	at = (unsigned char *)f.ptr + DATA_AT;
	memset(at, 0, 0x1400);
	at[0x10] = 0xb8;
	pe_put(at + 0x11, BASE + 0x4000, 4);
	at[0x15] = 0x68;
	memcpy(at + 0x60, "\x8d\x90", 2);
	pe_put(at + 0x62, TABLE, 4);
	memcpy(at + 0x66, walk, sizeof(walk) - 1);
	for (size_t i = 0; i < records; i++)
		pe_put(at + TABLE + 4 * i, record[i], 4);
	memcpy(at + PACKED, p.bytes, p.len);
	return f;
}

static const uint32_t records_good[] = { 0x4000 + PACKED, TEXT, 0x2000,
	0,                                                /* unpacked, */
	0x80000300, 0x2000 + TEXT - 4, 0x1100 + TEXT - 4, /* and copied */
	0, 1, 0, 0 };
#define GOOD (sizeof(records_good) / sizeof(records_good[0]))

static void
what_petite_packed_is_unpacked_and_rebuilt(void **state)
{
	static char text[TEXT];
	struct span f, got;
	static struct sink s;

	(void)state;
	text_make(text, sizeof(text));
	f = program_make(text, records_good, GOOD);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "petite");
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 0);
	assert_int_equal(got.len, 0x4000);
	assert_memory_equal(got.ptr + 0x2000, text, sizeof(text));
	assert_memory_equal(got.ptr + 0x1100, text, sizeof(text));
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
records_that_lead_out_of_the_image_are_damage(void **state)
{
	static const uint32_t bad[][4] = {
		{ 0x4000 + PACKED, TEXT, 0x6000, 0 },
		{ 0x4000 + PACKED, TEXT, 0xfff, 0 },
		{ 0x4000 + PACKED, TEXT, 0, 0 },
		{ 0x4000 + PACKED, UINT32_MAX, 0x1000, 0 },
		{ 0x4000 + PACKED, 0x5000, 0x1001, 0 },
		{ 0x5fff, TEXT, 0x1000, 0 },
		{ 1, TEXT, 0x1000, 0 },
		{ 0x80000003, 0x1004, 0x2000, 0x80000001 },
		{ 0x80000001, 0x5ffd, 0x2000, 0x80000001 },
		{ 0x80000001, 0x2000, 0xff0, 0x80000001 },
		{ 0xffffffff, 0x2000, 0x2000, 0x80000001 },
	};
	static char text[TEXT];

	(void)state;
	text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sink_damaged(open_pe, program_make(text, bad[i], 4));
}

static void
records_without_an_end_are_damage(void **state)
{
	static uint32_t many[0x300];
	static char text[TEXT];
	struct span f;

	(void)state;
	text_make(text, sizeof(text));
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = i % 3 == 0 ? 0x80000001 : 0x2000;
	f = program_make(text, many, 0x300);
	sink_damaged(open_pe, f);
}

static void
a_program_torn_anywhere_gives_at_most_one(void **state)
{
	static char text[TEXT];
	struct span f;

	(void)state;
	text_make(text, sizeof(text));
	f = program_make(text, records_good, GOOD);
	sink_torn(open_pe, f, 0xa00, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_petite_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(records_that_lead_out_of_the_image_are_damage),
		cmocka_unit_test(records_without_an_end_are_damage),
		cmocka_unit_test(a_program_torn_anywhere_gives_at_most_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
