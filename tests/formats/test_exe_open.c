#include <lzma.h>

#include "pe_build.h"
#include "sink.h"

static void
a_program_gives_what_stands_behind_its_sections(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		struct exe_dir certificates;
		const char *member; /* NULL: none */
		size_t at, len;
	} rows[] = {
		{ "nothing", 0xe00, { 0, 0 }, NULL, 0, 0 },
		{ "an overlay", 0xe0a, { 0, 0 }, "overlay", 0xe00, 10 },
		{ "only certificates", 0xf00, { 0xe00, 0x100 }, NULL, 0, 0 },
		{ "certificates behind it", 0xf00, { 0xe80, 0x80 }, "overlay",
		    0xe00, 0x80 },
		{ "certificates in front of it", 0xf00, { 0xe00, 0x80 },
		    "overlay", 0xe80, 0x80 },
		{ "certificates that are not there", 0xf00, { 0xe00, 0x1000 },
		    "overlay", 0xe00, 0x100 },
	};
	static struct sink s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pe_build pe = pe_build_plain;
		struct span f;

		TEST_CASE(rows[i].name);
		pe.size = rows[i].size;
		pe.dir[4] = rows[i].certificates;
		f = pe_build_make(&pe);
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_int_equal(s.members, rows[i].member != NULL);
		if (rows[i].member != NULL)
			assert_true(span_eq(sink_bytes(&s, rows[i].member),
			    bytes_sub(f, rows[i].at, rows[i].len)));
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

/* A program of one section at 0x400, of 0x200 bytes. */
static struct span
small_make(uint32_t entry)
{
	struct pe_build pe = pe_build_plain;

	pe.size = 0x600;
	pe.entry = entry;
	pe.section[0].raw_size = 0x200;
	pe.section[1].va = 0;
	return pe_build_make(&pe);
}

static void
programs_within_are_given_each_up_to_the_next(void **state)
{
	static const struct {
		const char *name;
		size_t at[3]; /* of programs in the outer one; 0: no more */
		uint32_t entry;
		size_t members;
		size_t len[3];
	} rows[] = {
		{ "behind the sections", { 0xe00 }, 0x1000, 1, { 0x1200 } },
		{ "in a section", { 0x700 }, 0x1000, 2, { 0, 0x1900 } },
		{ "in a row", { 0xe00, 0x1400, 0x1b00 }, 0x1000, 3,
		    { 0x600, 0x700, 0x500 } },
		{ "with an entry point that is nowhere", { 0xe00 }, 0x9000, 1,
		    { 0x1200 } },
	};
	static struct sink s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pe_build pe = pe_build_plain;
		struct span f, small = small_make(rows[i].entry);

		TEST_CASE(rows[i].name);
		pe.size = 0x2000;
		f = pe_build_make(&pe);
		for (size_t k = 0; k < 3 && rows[i].at[k] != 0; k++)
			memcpy((char *)f.ptr + rows[i].at[k], small.ptr,
			    small.len > f.len - rows[i].at[k]
				? f.len - rows[i].at[k]
				: small.len);
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_int_equal(s.members, rows[i].members);
		assert_string_equal(s.member[s.members - 1].name,
		    rows[i].entry == 0x1000 ? "embedded" : "overlay");
		for (size_t k = 0; k < s.members; k++)
			if (rows[i].len[k] != 0)
				assert_int_equal(
				    s.member[k].bytes.len, rows[i].len[k]);
		sink_clear(&s);
		free((char *)f.ptr);
		free((char *)small.ptr);
	}
}

static void
a_universal_binary_gives_its_programs(void **state)
{
	static const struct {
		const char *name;
		uint32_t magic, n;
		uint32_t offset[2], size[2];
		size_t members;
		unsigned notes;
	} rows[] = {
		{ "two", 0xcafebabe, 2, { 0x60, 0x80 }, { 0x20, 0x40 }, 2, 0 },
		{ "cut", 0xcafebabe, 2, { 0x60, 0xe0 }, { 0x20, 0x40 }, 2,
		    1u << PEEL_DAMAGED },
		{ "one behind the end", 0xcafebabe, 2, { 0x100, 0x80 },
		    { 1, 0x40 }, 1, 1u << PEEL_DAMAGED },
		{ "one is the file itself", 0xcafebabe, 2, { 0, 0x80 },
		    { 0x100, 0x40 }, 1, 1u << PEEL_DAMAGED },
		{ "64 bits", 0xcafebabf, 2, { 0x60, 0x80 }, { 0x20, 0x40 }, 2,
		    0 },
		{ "a Java class", 0xcafebabe, 0x34, { 0x60, 0x80 },
		    { 0x20, 0x40 }, 0, 0 },
	};
	static struct sink s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char f[0x100] = { 0 };
		struct span object = { (char *)f, sizeof(f) };
		uint32_t head[2] = { htobe32(rows[i].magic),
			htobe32(rows[i].n) };

		TEST_CASE(rows[i].name);
		memcpy(f, head, 8);
		for (unsigned k = 0; k < 2; k++) {
			bool wide = rows[i].magic == 0xcafebabf;
			unsigned char *row = f + 8 + k * (wide ? 32 : 20);
			uint32_t o = htobe32(rows[i].offset[k]);
			uint32_t n = htobe32(rows[i].size[k]);

			memcpy(row + (wide ? 12 : 8), &o, 4);
			memcpy(row + (wide ? 20 : 12), &n, 4);
		}
		sink_init(&s);
		open_macho_fat(object, &s.peel);
		assert_int_equal(s.members, rows[i].members);
		assert_int_equal(s.notes, rows[i].notes);
		sink_clear(&s);
	}
}

/* ---- UPX --------------------------------------------------------------------- */

#define IMAGE_LEN 0x1800u
#define HEADER_AT 0x1600u /* where the image keeps its original header */

/* A compressor for the three NRV methods: bits go to the 32-bit word that was
 * begun last, bytes to the end. */
struct packer {
	unsigned char out[2 * IMAGE_LEN];
	size_t len, word;
	unsigned left;
};

static void
put_bit(struct packer *p, unsigned bit)
{
	if (p->left == 0) {
		p->word = p->len;
		memset(p->out + p->len, 0, 4);
		p->len += 4;
		p->left = 32;
	}
	p->left--;
	p->out[p->word + p->left / 8] |= (unsigned char)(bit << p->left % 8);
}

static unsigned
bits_of(uint32_t n)
{
	return 31u - (unsigned)__builtin_clz(n);
}

static void
put_number(struct packer *p, uint32_t n)
{
	for (unsigned i = bits_of(n); i-- > 0;) {
		put_bit(p, (n >> i) & 1);
		put_bit(p, i == 0);
	}
}

/* That of NRV2D and NRV2E: its parts come out last first. */
static void
put_stepped(struct packer *p, uint32_t n)
{
	unsigned char stack[128];
	size_t depth = 0;

	stack[depth++] = 1;
	stack[depth++] = n & 1;
	while ((n >>= 1) != 1) {
		stack[depth++] = n & 1;
		n = (n >> 1) + 1;
		stack[depth++] = 0;
		stack[depth++] = n & 1;
	}
	while (depth > 0)
		put_bit(p, stack[--depth]);
}

static void
put_offset(struct packer *p, char method, uint32_t v)
{
	if (method == 'b')
		put_number(p, (v >> 8) + 3);
	else
		put_stepped(p, (v >> 8) + 3);
	p->out[p->len++] = (unsigned char)v;
}

/* What the length is after the bit that goes with the offset. */
static void
put_length(struct packer *p, char method, unsigned n, bool high)
{
	unsigned most = method == 'e' ? 5 : 4;

	if (method == 'b' && n < 4)
		put_bit(p, n >> 1);
	if (method != 'e' && n < 4) {
		put_bit(p, n & 1);
	} else if (high) {
		put_bit(p, n - 1);
	} else if (n < most) {
		put_bit(p, 1);
		put_bit(p, n - 3);
	} else {
		put_bit(p, 0);
		if (method == 'b')
			put_bit(p, 0);
		put_number(p, n - (method == 'e' ? 3 : 2));
	}
}

static void
put_match(
    struct packer *p, char method, uint32_t offset, size_t len, uint32_t *last)
{
	unsigned n =
	    (unsigned)len - 1 - (offset > (method == 'b' ? 0xd00 : 0x500));
	bool high = method == 'd' ? n == 2 || n == 3 : n == 1 || n == 2;

	put_bit(p, 0);
	if (method == 'b') {
		if (offset == *last)
			put_number(p, 2);
		else
			put_offset(p, method, offset - 1);
	} else if (offset == *last) {
		put_stepped(p, 2);
		put_bit(p, high);
	} else {
		put_offset(p, method, ((offset - 1) << 1) | !high);
	}
	put_length(p, method, n, method != 'b' && high);
	*last = offset;
}

/* The longest match before `at`, within `reach`. */
static size_t
match_find(struct span in, size_t at, uint32_t *offset)
{
	size_t best = 0;

	for (size_t o = 1; o <= at && o <= 0x1000; o++) {
		size_t n = 0;

		while (at + n < in.len && n < 300 &&
		    in.ptr[at + n] == in.ptr[at + n - o])
			n++;
		if (n > best) {
			best = n;
			*offset = (uint32_t)o;
		}
	}
	return best;
}

static void
nrv_pack(struct span in, char method, struct packer *p)
{
	uint32_t last = 1, offset = 0;

	memset(p, 0, sizeof(*p));
	for (size_t at = 0; at < in.len;) {
		size_t n = match_find(in, at, &offset);

		if (n < 4) {
			put_bit(p, 1);
			p->out[p->len++] = (unsigned char)in.ptr[at++];
			continue;
		}
		put_match(p, method, offset, n, &last);
		at += n;
	}
	put_bit(p, 0);
	put_offset(p, method, UINT32_MAX);
}

static void
lzma_pack(struct span in, struct packer *p)
{
	lzma_options_lzma opt;
	lzma_filter f[] = { { LZMA_FILTER_LZMA1, &opt },
		{ LZMA_VLI_UNKNOWN, NULL } };

	memset(p, 0, sizeof(*p));
	assert_false(lzma_lzma_preset(&opt, 1));
	p->out[0] = (unsigned char)(((opt.lc + opt.lp) << 3) | opt.pb);
	p->out[1] = (unsigned char)((opt.lp << 4) | opt.lc);
	p->len = 2;
	assert_int_equal(
	    lzma_raw_buffer_encode(f, NULL, (const uint8_t *)in.ptr, in.len,
		p->out, &p->len, sizeof(p->out)),
	    LZMA_OK);
}

/* What is to come out: text that repeats near and far, noise, the original
 * header (of a program with one section at 0x1000) and its place. */
static void
image_make(unsigned char image[IMAGE_LEN])
{
	struct pe_build pe = pe_build_plain;
	uint32_t noise = 1;
	struct span f;

	pe.section[0] =
	    (struct pe_build_section){ 0x1500, 0x1000, 0x1600, 0x400 };
	pe.section[1].va = 0;
	pe.entry = 0x1020;
	f = pe_build_make(&pe);
	for (size_t i = 0; i < IMAGE_LEN; i++) {
		noise = noise * 1664525 + 1013904223;
		image[i] = i % 512 < 400 ? (unsigned char)("khien "[i % 6])
					 : (unsigned char)(noise >> 24);
	}
	memcpy(image + 0x1200, image + 0x100, 0x100);
	memcpy(image + HEADER_AT, f.ptr + PE_AT, 24 + 224 + 40);
	pe_put(image + IMAGE_LEN - 4, HEADER_AT, 4);
	free((char *)f.ptr);
}

/* UPX0 in memory only, UPX1 with the packed bytes at `skip`, then a stub. */
static struct span
upx_make(const struct packer *p, size_t skip, bool stub, bool plus)
{
	struct pe_build pe = pe_build_plain;
	unsigned char *s;
	struct span f;

	pe.section[0] = (struct pe_build_section){ 0x2000, 0x1000, 0, 0x400 };
	pe.section[1] =
	    (struct pe_build_section){ 0x4000, 0x3000, 0x3000, 0x400 };
	pe.size = 0x3400;
	pe.entry = 0x3000 + 0x2f00;
	pe.plus = plus;
	f = pe_build_make(&pe);
	s = (unsigned char *)f.ptr + 0x400;
	memcpy(s + skip, p->out, p->len);
	if (!stub)
		return f;
	s += 0x2f00;
	if (plus) { /* lea rsi, [rip + ...]; lea rdi, [rsi + ...] */
		memcpy(s, "\x53\x48\x8d\x35", 4);
		pe_put(s + 4, (uint32_t)(skip - 0x2f08), 4);
		memcpy(s + 8, "\x48\x8d\xbe", 3);
		pe_put(s + 11, (uint32_t)(0x1000 - (0x3000 + skip)), 4);
		return f;
	}
	memcpy(s, "\x60\xbe", 2);
	pe_put(s + 2, 0x400000 + 0x3000 + skip, 4);
	memcpy(s + 6, "\x8d\xbe", 2);
	pe_put(s + 8, (uint32_t)(0x1000 - (0x3000 + skip)), 4);
	return f;
}

static void
what_upx_packed_is_unpacked_and_rebuilt(void **state)
{
	static const struct {
		const char *name;
		char method;
		size_t skip;
		bool stub, plus;
	} rows[] = {
		{ "NRV2B", 'b', 0, true },
		{ "NRV2D", 'd', 0, true },
		{ "NRV2E", 'e', 0, true },
		{ "LZMA", 'l', 0, true },
		{ "LZMA without an end mark", 'm', 0, true },
		{ "not at the begin of the section", 'e', 0x10, true },
		{ "with a stub that says nothing", 'b', 0, false },
		{ "of 64 bits", 'e', 0x10, true, true },
	};
	static unsigned char image[IMAGE_LEN];
	struct span in = { (char *)image, sizeof(image) };
	static struct packer p;
	static struct sink s;

	(void)state;
	image_make(image);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span f, got;
		struct exe x;

		TEST_CASE(rows[i].name);
		if (rows[i].method == 'l' || rows[i].method == 'm')
			lzma_pack(in, &p);
		else
			nrv_pack(in, rows[i].method, &p);
		if (rows[i].method == 'm')
			p.len -= 6;
		f = upx_make(&p, rows[i].skip, rows[i].stub, rows[i].plus);
		sink_init(&s);
		open_pe(f, &s.peel);
		got = sink_bytes(&s, "upx");
		assert_int_equal(s.members, 1);
		assert_int_equal(s.member[0].format, FORMAT_MSEXE);
		/* The section, of a page more than it needs. */
		assert_int_equal(got.len, 0x3000);
		assert_memory_equal(got.ptr + 0x1000, image, IMAGE_LEN);
		assert_true(exe_parse(got, &x));
		assert_int_equal(x.sections, 1);
		assert_int_equal(x.entry, 0x1020);
		assert_int_equal(x.section[0].raw, 0x1000);
		assert_int_equal(x.section[0].raw_size, 0x2000);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

static void
a_damaged_upx_gives_at_most_a_program(void **state)
{
	static unsigned char image[IMAGE_LEN];
	static struct packer p;
	static struct sink s;

	(void)state;
	image_make(image);
	nrv_pack((struct span){ (char *)image, sizeof(image) }, 'e', &p);
	for (size_t at = 0; at < p.len; at += 7) {
		struct span f;

		p.out[at] ^= 0x41;
		f = upx_make(&p, 0, true, false);
		p.out[at] ^= 0x41;
		sink_init(&s);
		open_pe(f, &s.peel);
		assert_true(s.members <= 1);
		assert_true(s.bytes <= 0x10000);
		sink_clear(&s);
		free((char *)f.ptr);
	}
}

static void
a_sink_that_has_enough_is_given_no_more(void **state)
{
	static unsigned char image[IMAGE_LEN];
	static struct packer p;
	static struct sink s;
	struct span f;

	(void)state;
	image_make(image);
	nrv_pack((struct span){ (char *)image, sizeof(image) }, 'b', &p);
	f = upx_make(&p, 0, true, false);
	sink_init(&s);
	s.bytes_max = 10;
	open_pe(f, &s.peel);
	assert_true(s.stopped);
	assert_int_equal(s.members, 0);
	s.members = 1; /* what was begun is to be freed too */
	sink_clear(&s);
	free((char *)f.ptr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_program_gives_what_stands_behind_its_sections),
		cmocka_unit_test(programs_within_are_given_each_up_to_the_next),
		cmocka_unit_test(a_universal_binary_gives_its_programs),
		cmocka_unit_test(what_upx_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(a_damaged_upx_gives_at_most_a_program),
		cmocka_unit_test(a_sink_that_has_enough_is_given_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
