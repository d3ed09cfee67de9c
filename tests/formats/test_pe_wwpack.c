#include "pe_build.h"
#include "sink.h"

/* A packer for WWPack32's blocks: words of 32 bits, each begun as soon as the
 * one before is full. */
struct packer {
	unsigned char bytes[0x2000];
	size_t len, word;
	unsigned left;
};

static void
word_begin(struct packer *p)
{
	p->word = p->len;
	p->len += 4;
	p->left = 32;
}

static void
put(struct packer *p, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		p->left--;
		p->bytes[p->word + p->left / 8] |=
		    (unsigned char)(((v >> n) & 1) << p->left % 8);
		if (p->left == 0)
			word_begin(p);
	}
}

/* One of `n` ranges; `prefix` bits say which, then come those of the place
 * in it. */
struct range {
	uint32_t prefix, first;
	unsigned prefix_bits, bits;
};

static void
put_range(struct packer *p, const struct range *r, size_t n, uint32_t v)
{
	while (n > 1 && v < r[n - 1].first)
		n--;
	put(p, r[n - 1].prefix, r[n - 1].prefix_bits);
	put(p, v - r[n - 1].first, r[n - 1].bits);
}

static const struct range nears[] = { { 0, 1, 2, 5 }, { 1, 33, 2, 6 },
	{ 2, 97, 2, 8 }, { 3, 353, 2, 9 } };
static const struct range fars[] = { { 0, 1, 3, 5 }, { 1, 33, 3, 6 },
	{ 2, 97, 3, 7 }, { 6, 225, 4, 8 }, { 7, 481, 4, 9 }, { 8, 993, 4, 10 },
	{ 9, 2017, 4, 11 }, { 5, 4065, 3, 12 }, { 6, 8161, 3, 14 } };
static const struct range lengths[] = { { 0, 5, 1, 1 }, { 9, 7, 4, 0 },
	{ 10, 8, 4, 0 }, { 11, 9, 4, 0 }, { 12, 10, 4, 0 }, { 13, 11, 4, 0 },
	{ 14, 12, 4, 0 }, { 15, 13, 4, 0 }, { 0x81, 14, 8, 0 },
	{ 0x82, 15, 8, 0 }, { 0x83, 16, 8, 0 }, { 0x84, 17, 8, 0 },
	{ 0x85, 18, 8, 0 }, { 0x86, 19, 8, 0 }, { 0x87, 20, 8, 0 },
	{ 0x88, 21, 8, 0 }, { 0x89, 22, 8, 0 }, { 0x8a, 23, 8, 0 },
	{ 0x8b, 24, 8, 0 }, { 0x8c, 25, 8, 0 }, { 0x8d, 26, 8, 0 },
	{ 0x8e, 27, 8, 0 }, { 0x8f, 28, 8, 0 }, { 0x101, 29, 9, 5 },
	{ 0x201, 61, 10, 6 }, { 0x401, 125, 11, 7 }, { 0x400, 253, 11, 14 } };
#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
put_match(struct packer *p, uint32_t offset, uint32_t len)
{
	put(p, 1, 1);
	if (len == 2) {
		put(p, 3, 2);
		put_range(p, nears, N(nears), offset);
		return;
	}
	put(p, len < 5 ? len - 2 : 0, 2);
	put_range(p, fars, N(fars), offset);
	if (len < 5)
		return;
	if (len >= 253) { /* a length as it is */
		put(p, 0x400, 11);
		put(p, len, 14);
	} else {
		put_range(p, lengths, N(lengths), len);
	}
}

static void
pack(struct span in, struct packer *p)
{
	memset(p, 0, sizeof(*p));
	word_begin(p);
	for (size_t at = 0; at < in.len;) {
		size_t best = 0, offset = 0;

		for (size_t o = 1; o <= at; o++) {
			size_t n = 0;

			while (at + n < in.len &&
			    in.ptr[at + n] == in.ptr[at + n - o])
				n++;
			if (n > best) {
				best = n;
				offset = o;
			}
		}
		if (best < 2 || (best == 2 && offset > 800)) {
			put(p, 0, 1);
			p->bytes[p->len++] = (unsigned char)in.ptr[at++];
			continue;
		}
		put_match(p, (uint32_t)offset, (uint32_t)best);
		at += best;
	}
	put(p, 0x1f, 5);
	put(p, 0x1ff, 9);
	p->len = (p->len + 3) / 4 * 4;
}

#define SIZE 0x2000u /* of the first section, at RVA 0x1000 */
#define STUB 0x3000u

/* Two rows of the list: the first section's halves. */
static struct span
program_make(const struct packer *p, uint32_t before)
{
	struct pe_build pe = pe_build_plain;
	unsigned char *stub;
	struct span f;

	pe.section[0] = (struct pe_build_section){ SIZE, 0x1000, SIZE, 0x400 };
	pe.section[1] =
	    (struct pe_build_section){ 0x1000, STUB, 0x400, 0x400 + SIZE };
	pe.size = 0x800 + SIZE;
	pe.entry = STUB;
	f = pe_build_make(&pe);
	stub = (unsigned char *)f.ptr + 0x400 + SIZE;
	memcpy((char *)f.ptr + 0x400, p->bytes, p->len);
	memcpy((char *)f.ptr + 0x400 + SIZE / 2, p->bytes, p->len);
	memcpy(stub, "\x53\x55\x8b\xe8\x33\xdb\xeb\x60\r\n\r\nWWPack32", 20);
	stub[0x294] = 0xe9;
	pe_put(stub + 0x295, 0x1020u - (STUB + 0x299), 4);
	for (unsigned i = 0; i < 2; i++) {
		unsigned char *row = stub + 0x2a1 + 17 * i;

		pe_put(row, i == 0 ? before : SIZE / 2, 4);
		pe_put(row + 4, SIZE / 2 - 4, 4);
		pe_put(row + 8, p->len / 4, 4);
		pe_put(row + 12, p->len - 4, 4);
		row[16] = i == 0;
	}
	return f;
}

/* Matches of all kinds of lengths and offsets, near and far. */
static void
text_make(char *out, size_t n)
{
	uint32_t noise = 5;

	for (size_t i = 0; i < n; i++) {
		noise = noise * 1664525 + 1013904223;
		out[i] = (char)(noise >> 24);
		if (i % 97 < 40 && i > 60)
			out[i] = out[i - 1 - (i / 97) % 60];
	}
	if (n < 2000)
		return;
	memcpy(out + n / 2, out, 300);
	memcpy(out + n / 2 + 400, out + 500, 100);
}

static void
what_wwpack_packed_is_unpacked_and_rebuilt(void **state)
{
	static char text[SIZE / 2];
	static struct packer p;
	struct span f, got;
	static struct sink s;
	struct exe x;

	(void)state;
	text_make(text, 0xd00); /* then zeros */
	pack((struct span){ text, 0xd00 }, &p);
	assert_true(p.len <= SIZE / 2);
	f = program_make(&p, SIZE);
	sink_init(&s);
	open_pe(f, &s.peel);
	got = sink_bytes(&s, "wwpack");
	assert_int_equal(s.members, 1);
	assert_int_equal(got.len, 0x1000 + SIZE);
	assert_memory_equal(got.ptr + 0x1000, text, sizeof(text));
	assert_memory_equal(got.ptr + 0x1000 + SIZE / 2, text, sizeof(text));
	assert_true(exe_parse(got, &x));
	assert_int_equal(x.entry, 0x1020);
	assert_int_equal(x.sections, 1);
	sink_clear(&s);
	free((char *)f.ptr);
}

static void
blocks_that_lie_outside_are_damage(void **state)
{
	static const uint32_t before[] = { 0x2001, 0, 0x80000000, 0xfffff000,
		0x10 };
	static char text[0x100];
	static struct packer p;

	(void)state;
	text_make(text, sizeof(text));
	pack((struct span){ text, sizeof(text) }, &p);
	for (size_t i = 0; i < N(before); i++)
		sink_damaged(open_pe, program_make(&p, before[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_wwpack_packed_is_unpacked_and_rebuilt),
		cmocka_unit_test(blocks_that_lie_outside_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
