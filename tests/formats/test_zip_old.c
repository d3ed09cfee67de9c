#include "sink.h"

#include <zlib.h>

#include "formats/pack/pack.h"
#include "formats/writing.h"

static struct sink s;

/* Bits, the lowest of a byte first; codes begin with their highest. */
struct out {
	struct buf b;
	unsigned acc, have;
};

static void
bits(struct out *o, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		o->acc |= (v >> i & 1) << o->have;
		if (++o->have == 8) {
			buf_char(&o->b, (char)o->acc);
			o->acc = o->have = 0;
		}
	}
}

static void
code(struct out *o, uint32_t v, unsigned n)
{
	while (n-- > 0)
		bits(o, v >> n & 1, 1);
}

static void
finish(struct out *o)
{
	bits(o, 0, (8 - o->have) % 8);
}

/* A zip of one member. */
static struct buf
zip_of(unsigned method, unsigned flags, struct span packed, size_t size)
{
	struct buf b = buf_make(1 << 20);
	size_t directory;

	buf_text(&b, "PK\3\4");
	put_until(&b, 26);
	put_le(&b, 1, 2);
	put_le(&b, 3, 2);
	buf_text(&b, "f..x");
	buf_span(&b, packed);
	directory = b.len;
	buf_text(&b, "PK\1\2");
	put_until(&b, directory + 8);
	put_le(&b, flags, 2);
	put_le(&b, method, 2);
	put_until(&b, directory + 20);
	put_le(&b, packed.len, 4);
	put_le(&b, size, 4);
	put_le(&b, 1, 2);
	put_until(&b, directory + 46);
	buf_char(&b, 'f');
	return b;
}

static void
assert_unpacked(
    unsigned method, unsigned flags, struct out *o, struct span want)
{
	struct buf zip;

	finish(o);
	zip = zip_of(method, flags, buf_view(&o->b), want.len);
	sink_init(&s);
	open_zip_old(buf_view(&zip), &s.peel);
	assert_true(span_eq(sink_bytes(&s, "f"), want));
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t n = 0; n < zip.len; n += 1 + n / 100) {
		zip.ptr[n] = (char)(zip.ptr[n] ^ 0x55);
		sink_init(&s);
		open_zip_old(buf_view(&zip), &s.peel);
		sink_clear(&s);
		zip.ptr[n] = (char)(zip.ptr[n] ^ 0x55);
		sink_init(&s);
		open_zip_old((struct span){ zip.ptr, n }, &s.peel);
		sink_clear(&s);
	}
	buf_free(&zip);
	buf_free(&o->b);
}

/* Trees in which every code has six bits, or eight: all bits turned. */
static void
flat_tree(struct out *o, unsigned runs, unsigned len)
{
	bits(o, runs - 1, 8);
	for (unsigned i = 0; i < runs; i++)
		bits(o, 0xf0 | (len - 1), 8);
}

static void
imploded_members_come_out(void **state)
{
	struct out o = { buf_make(4096), 0, 0 };
	struct out p = { buf_make(4096), 0, 0 };

	(void)state;
	flat_tree(&o, 4, 6);
	flat_tree(&o, 4, 6);
	for (const char *c = "ab"; *c != '\0'; c++) {
		bits(&o, 1, 1);
		bits(&o, (unsigned char)*c, 8);
	}
	bits(&o, 0, 1); /* two back, four of them */
	bits(&o, 1, 6);
	code(&o, ~0u, 6);
	code(&o, ~2u, 6);
	assert_unpacked(6, 0, &o, SPAN("ababab"));
	/* literals have a tree, the window is larger, a length is long */
	flat_tree(&p, 16, 8);
	flat_tree(&p, 4, 6);
	flat_tree(&p, 4, 6);
	bits(&p, 1, 1);
	code(&p, ~(unsigned)'z', 8);
	bits(&p, 0, 1);
	bits(&p, 0, 7);
	code(&p, ~0u, 6);
	code(&p, ~63u, 6);
	bits(&p, 4, 8);
	assert_unpacked(6, 6, &p,
	    SPAN("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
		 "zzzzzzzzzz"));
}

static void
literal(struct out *o, unsigned c)
{
	if (c < 144)
		code(o, 0x30 + c, 8);
	else
		code(o, 0x190 + c - 144, 9);
}

/* What Deflate64 has and Deflate has not: a length of 16 bits, the last two
 * distances. */
static void
deflate64_reaches_further(void **state)
{
	static char want[140000];
	struct out o = { buf_make(1 << 20), 0, 0 };
	size_t n = 0;

	(void)state;
	bits(&o, 1, 1);
	bits(&o, 1, 2);
	while (n < 3)
		literal(&o, (unsigned char)(want[n] = (char)('a' + n))), n++;
	code(&o, 0xc0 + 285 - 280, 8); /* 3 + 65000, from three back */
	bits(&o, 65000, 16);
	code(&o, 2, 5);
	for (size_t k = 0; k < 65003; k++, n++)
		want[n] = want[n - 3];
	literal(&o, '!');
	want[n++] = '!';
	code(&o, 257 - 256, 7); /* 3, from 49153 + 7 back */
	code(&o, 31, 5);
	bits(&o, 7, 14);
	for (size_t k = 0; k < 3; k++, n++)
		want[n] = want[n - 49160];
	code(&o, 0, 7);
	assert_unpacked(9, 0, &o, (struct span){ want, n });
}

/* Trees of its own, and no match that the two write otherwise. */
static void
deflate64_reads_what_deflate_wrote(void **state)
{
	static unsigned char out[1 << 16];
	static char text[20000];
	struct out o = { buf_make(1 << 20), 0, 0 };
	uint32_t seed = 1;
	z_stream z = { .next_in = (Bytef *)text,
		.avail_in = sizeof(text),
		.next_out = out,
		.avail_out = sizeof(out) };

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		seed = seed * 1103515245u + 12345u;
		text[i] = "etaoin shrdlu"[(seed >> 16) % 13];
	}
	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(&o.b, out, z.total_out);
	(void)deflateEnd(&z);
	assert_unpacked(9, 0, &o, (struct span){ text, sizeof(text) });
}

static void
shrunk_members_come_out(void **state)
{
	struct out o = { buf_make(4096), 0, 0 };

	(void)state;
	bits(&o, 'a', 9);
	bits(&o, 'b', 9); /* 257: ab */
	bits(&o, 257, 9); /* 258: ba */
	bits(&o, 259, 9); /* 259: aba, not known yet */
	bits(&o, 256, 9); /* wider */
	bits(&o, 1, 9);
	bits(&o, 258, 10); /* 260: abab */
	bits(&o, 256, 10); /* clear */
	bits(&o, 2, 10);
	bits(&o, 'c', 10);
	assert_unpacked(1, 0, &o, SPAN("ababababac"));
}

static void
what_cannot_be_read_is_noted(void **state)
{
	struct buf zip = zip_of(3, 0, SPAN("reduced"), 9);

	(void)state;
	sink_init(&s);
	open_zip_old(buf_view(&zip), &s.peel);
	assert_int_equal(s.members, 0);
	assert_int_equal(s.notes, 1u << PEEL_UNSUPPORTED);
	sink_clear(&s);
	buf_free(&zip);
	zip = zip_of(6, 1, SPAN("secret"), 9);
	sink_init(&s);
	open_zip_old(buf_view(&zip), &s.peel);
	assert_true(s.member[0].encrypted);
	sink_clear(&s);
	buf_free(&zip);
	/* a bomb: no bits are left, but four gigabytes are claimed */
	zip = zip_of(6, 0, SPAN("\0\0\0"), UINT32_MAX);
	sink_init(&s);
	open_zip_old(buf_view(&zip), &s.peel);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&zip);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(imploded_members_come_out),
		cmocka_unit_test(deflate64_reaches_further),
		cmocka_unit_test(deflate64_reads_what_deflate_wrote),
		cmocka_unit_test(shrunk_members_come_out),
		cmocka_unit_test(what_cannot_be_read_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
