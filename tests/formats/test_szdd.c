#include "sink.h"
#include "writing.h"

#include <zlib.h>

#include "formats/pack/pack.h"

/* "abcabcabcabc!": literals, a match that overlaps itself, a literal.  The
 * window's first byte stands at `start`. */
static void
put_lzss(struct buf *b, unsigned start)
{
	unsigned length = 9 - 3;

	buf_char(b, 0x17); /* 3 bytes, a match, a byte; the rest is not there */
	buf_text(b, "abc");
	buf_char(b, (char)(start & 0xff));
	buf_char(b, (char)((start >> 4 & 0xf0) | length));
	buf_char(b, '!');
}

static void
put_szdd(struct buf *b)
{
	buf_add(b, "SZDD\x88\xf0\x27\x33", 8);
	buf_text(b, "A_");
	put_le(b, 13, 4);
	put_lzss(b, 4096 - 16);
}

static void
put_qbasic(struct buf *b)
{
	buf_add(b, "SZ \x88\xf0\x27\x33\xd1", 8);
	put_le(b, 13, 4);
	put_lzss(b, 4096 - 18);
}

static void
put_kwaj(struct buf *b, unsigned method, bool named)
{
	buf_add(b, "KWAJ\x88\xf0\x27\xd1", 8);
	put_le(b, method, 2);
	put_le(b, named ? 34 : 18, 2);
	put_le(b, named ? 0x1f : 1, 2);
	put_le(b, 13, 4);
	if (!named)
		return;
	put_le(b, 0, 2);
	put_le(b, 3, 2);
	buf_text(b, "???");
	buf_add(b, "SETUP", 6);
	buf_add(b, "EX", 3);
}

static void
put_stored(struct buf *b)
{
	put_kwaj(b, 0, true);
	buf_text(b, "abcabcabcabc!");
}

static void
put_turned(struct buf *b)
{
	put_kwaj(b, 1, false);
	for (const char *p = "abcabcabcabc!"; *p != '\0'; p++)
		buf_char(b, (char)~*p);
}

static void
put_kwaj_lzss(struct buf *b)
{
	put_kwaj(b, 2, true);
	put_lzss(b, 4096 - 18);
}

/* One tree of 8-bit literals, said in one of the four ways. */
static void
put_literal_tree(struct bitter *w, unsigned way)
{
	if (way == 0)
		return;
	put_msb(w, 8, 4);
	for (unsigned i = 1; i < 256; i++) {
		if (way == 1)
			put_msb(w, i % 2 == 0 ? 0 : 3, i % 2 == 0 ? 1 : 2);
		if (way == 1 && i % 2 == 1)
			put_msb(w, 8, 4);
		if (way == 2)
			put_msb(w, 1, 2);
		if (way == 3)
			put_msb(w, 8, 4);
	}
}

static void
put_lzh(struct buf *b, unsigned way)
{
	struct bitter w = { .to = b };

	put_kwaj(b, 3, false);
	put_msb(&w, 0, 16);
	put_msb(&w, way, 4);
	put_msb(&w, 0, 4);
	put_literal_tree(&w, way);
	put_msb(&w, 0, 4); /* a run */
	put_msb(&w, 2, 5); /* of three */
	for (const char *p = "abc"; *p != '\0'; p++)
		put_msb(&w, (uint8_t)*p, 8);
	put_msb(&w, 7, 4); /* a match of nine */
	put_msb(&w, 0, 6); /* from three back */
	put_msb(&w, 3, 6);
	put_msb(&w, 0, 4);
	put_msb(&w, 0, 5);
	put_msb(&w, '!', 8);
	end_msb(&w);
}

static void
put_lzh_0(struct buf *b)
{
	put_lzh(b, 0);
}

static void
put_lzh_1(struct buf *b)
{
	put_lzh(b, 1);
}

static void
put_lzh_2(struct buf *b)
{
	put_lzh(b, 2);
}

static void
put_lzh_3(struct buf *b)
{
	put_lzh(b, 3);
}

static void
put_mszip_block(struct buf *b, const char *text, const char *before)
{
	unsigned char packed[256];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text,
		.avail_in = (uInt)strlen(text),
		.next_out = packed,
		.avail_out = sizeof(packed) };

	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	if (before != NULL)
		(void)deflateSetDictionary(
		    &z, (const Bytef *)before, (uInt)strlen(before));
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	put_le(b, z.total_out + 2, 2);
	buf_text(b, "CK");
	buf_add(b, packed, z.total_out);
	(void)deflateEnd(&z);
}

static void
put_mszip(struct buf *b)
{
	put_kwaj(b, 4, false);
	put_mszip_block(b, "abcabcabc", NULL);
	put_mszip_block(b, "abc!", "abcabcabc");
	put_le(b, 0, 2);
}

static void
each_head_and_method_gives_the_same_file(void **state)
{
	static const struct {
		const char *name;
		void (*put)(struct buf *b);
		const char *member;
	} cases[] = {
		{ "SZDD", put_szdd, "" },
		{ "QBasic", put_qbasic, "" },
		{ "KWAJ stored, named", put_stored, "SETUP.EX" },
		{ "KWAJ turned over", put_turned, "" },
		{ "KWAJ LZSS", put_kwaj_lzss, "SETUP.EX" },
		{ "KWAJ LZH, flat trees", put_lzh_0, "" },
		{ "KWAJ LZH, steps of one", put_lzh_1, "" },
		{ "KWAJ LZH, steps of two bits", put_lzh_2, "" },
		{ "KWAJ LZH, four bits each", put_lzh_3, "" },
		{ "KWAJ MSZIP of two blocks", put_mszip, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16);
		struct sink s;

		TEST_CASE(cases[i].name);
		cases[i].put(&b);
		sink_init(&s);
		open_szdd(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 1);
		assert_true(
		    span_is(sink_bytes(&s, cases[i].member), "abcabcabcabc!"));
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
		buf_free(&b);
	}
}

/* From every place at which it may break off: no more than the whole, no
 * crash; and nothing at all of another thing. */
static void
what_breaks_off_gives_what_was_there(void **state)
{
	struct buf b = buf_make(1u << 16);

	(void)state;
	put_lzh_1(&b);
	for (size_t n = 0; n < b.len; n++) {
		struct sink s;

		sink_init(&s);
		open_szdd((struct span){ b.ptr, n }, &s.peel);
		assert_true(s.members <= 1 && s.bytes <= 13);
		assert_true(n < 8 || s.members == 1 || s.notes != 0);
		sink_clear(&s);
	}
	b.ptr[0] = 'X';
	for (unsigned i = 0; i < 2; i++) {
		struct sink s;

		sink_init(&s);
		open_szdd(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 0);
		assert_int_equal(s.notes, i << PEEL_UNSUPPORTED);
		sink_clear(&s);
		memcpy(b.ptr, "KWAJ", 4);
		b.ptr[8] = 5; /* no such method */
	}
	buf_free(&b);
}

static void
it_stops_when_the_sink_does(void **state)
{
	struct buf b = buf_make(1u << 20);
	struct sink s;

	(void)state;
	put_szdd(&b);
	for (unsigned i = 0; i < 50000; i++)
		buf_add(&b, "\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9);
	sink_init(&s);
	s.bytes_max = 10000;
	open_szdd(buf_view(&b), &s.peel);
	assert_true(s.stopped && s.bytes < 20000);
	sink_clear(&s);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_head_and_method_gives_the_same_file),
		cmocka_unit_test(what_breaks_off_gives_what_was_there),
		cmocka_unit_test(it_stops_when_the_sink_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
