#include "sink.h"
#include "writing.h"

#include "formats/pack/pack.h"

#define TEXT "abcabcabcabc!"

/* A header: the main one has method 2 and type 2 by custom, no one asks. */
static void
put_header(struct buf *b, unsigned flags, unsigned method, size_t packed,
    size_t size, const char *name)
{
	buf_add(b, "\x60\xea", 2);
	put_le(b, 30 + strlen(name) + 1 + 1, 2);
	put_le(b, 30, 1);
	put_le(b, 11, 1);
	put_le(b, 1, 1);
	put_le(b, 2, 1);
	put_le(b, flags, 1);
	put_le(b, method, 1);
	put_le(b, 0, 1);
	put_zeros(b, 5);
	put_le(b, packed, 4);
	put_le(b, size, 4);
	put_le(b, 0x12345678, 4); /* no checksum is compared */
	put_zeros(b, 6);
	buf_add(b, name, strlen(name) + 1);
	buf_char(b, 0); /* no comment */
	put_le(b, 0, 4);
	/* One header more, which is passed over. */
	put_le(b, 3, 2);
	buf_text(b, "ext");
	put_le(b, 0, 4);
	put_le(b, 0, 2);
}

static void
put_end(struct buf *b)
{
	buf_add(b, "\x60\xea", 2);
	put_le(b, 0, 2);
}

static void
put_stored(struct buf *b)
{
	buf_text(b, TEXT);
}

/* Every literal has 9 bits, its number; every place is 3 or 4 back. */
static void
put_flat(struct buf *b)
{
	struct bitter w = { .to = b };

	put_msb(&w, 5, 16);    /* symbols in the block */
	put_msb(&w, 0, 5);     /* one length only: */
	put_msb(&w, 9 + 2, 5); /* nine */
	put_msb(&w, 510, 9);   /* for all literals */
	put_msb(&w, 0, 5);     /* one place only: */
	put_msb(&w, 2, 5);     /* two, which has one more bit */
	put_msb(&w, 'a', 9);
	put_msb(&w, 'b', 9);
	put_msb(&w, 'c', 9);
	put_msb(&w, 253 + 9, 9);
	put_msb(&w, 0, 1);
	put_msb(&w, '!', 9);
	end_msb(&w);
}

/* Two blocks, with trees of the kind a packer makes: gaps, a length over 6,
 * and no place. */
static void
put_trees(struct buf *b)
{
	struct bitter w = { .to = b };

	for (unsigned block = 0; block < 2; block++) {
		put_msb(&w, block == 0 ? 3 : 10, 16);
		/* Code lengths: symbol 2 (a wide gap) "0", 1 (a gap)
		 * "10", 4 (length 2) "11". */
		put_msb(&w, 5, 5);
		put_msb(&w, 0, 3);
		put_msb(&w, 2, 3);
		put_msb(&w, 1, 3);
		put_msb(&w, 1, 2); /* after the third: skip one, symbol 3 */
		put_msb(&w, 2, 3);
		/* Literals: '!', 'a', 'b', 'c', of two bits each. */
		put_msb(&w, 'd', 9);
		put_msb(&w, 0, 1);
		put_msb(&w, '!' - 20, 9);
		put_msb(&w, 3, 2);
		put_msb(&w, 0, 1);
		put_msb(&w, 'a' - '!' - 1 - 20, 9);
		put_msb(&w, 3, 2);
		put_msb(&w, 3, 2);
		put_msb(&w, 3, 2);
		put_msb(&w, 0, 5);
		put_msb(&w, 0, 5);
		for (unsigned i = 0; i < (block == 0 ? 3 : 9); i++)
			put_msb(&w, i % 3 + 1, 2);
	}
	put_msb(&w, 0, 2);
	end_msb(&w);
}

static void
put_fastest(struct buf *b)
{
	struct bitter w = { .to = b };

	for (const char *p = "abc"; *p != '\0'; p++)
		put_msb(&w, (uint8_t)*p, 9); /* "0" and the byte */
	/* Length 9 is 7: unary of three, base 7, three bits. */
	put_msb(&w, 0xe, 4);
	put_msb(&w, 0, 3);
	put_msb(&w, 2, 10); /* "0" and nine bits: two, and one, back */
	put_msb(&w, '!', 9);
	end_msb(&w);
}

static void
each_method_gives_the_same_file(void **state)
{
	static const struct {
		const char *name;
		unsigned method;
		void (*put)(struct buf *b);
	} cases[] = {
		{ "stored", 0, put_stored },
		{ "most, flat codes", 1, put_flat },
		{ "most, two blocks", 2, put_trees },
		{ "as 1, of another name", 3, put_flat },
		{ "fastest", 4, put_fastest },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16), data = buf_make(1u << 16);
		struct sink s;

		TEST_CASE(cases[i].name);
		cases[i].put(&data);
		put_header(&b, 0, 2, 1, 1, "a.arj");
		put_header(
		    &b, 0, cases[i].method, data.len, strlen(TEXT), "one.txt");
		buf_span(&b, buf_view(&data));
		put_header(&b, 0, 0, 3, 3, "two.txt");
		buf_text(&b, "two");
		put_end(&b);
		sink_init(&s);
		open_arj(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 2);
		assert_true(span_is(sink_bytes(&s, "one.txt"), TEXT));
		assert_true(span_is(sink_bytes(&s, "two.txt"), "two"));
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
		buf_free(&b);
		buf_free(&data);
	}
}

static void
what_cannot_be_read_is_told_and_the_rest_is_read(void **state)
{
	static const struct {
		const char *name;
		unsigned flags, method;
		enum peel_problem why;
	} cases[] = {
		{ "garbled", 1, 1, PEEL_ENCRYPTED },
		{ "no such method", 0, 5, PEEL_UNSUPPORTED },
		{ "damaged", 0, 4, PEEL_DAMAGED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16);
		struct sink s;

		TEST_CASE(cases[i].name);
		put_header(&b, 0, 2, 0, 0, "a.arj");
		put_header(&b, cases[i].flags, cases[i].method, 4, 10, "one");
		buf_text(&b, "????");
		put_header(&b, 0, 8, 0, 10, "nothing");
		put_header(&b, 0, 0, 3, 3, "two");
		buf_text(&b, "two");
		put_end(&b);
		sink_init(&s);
		open_arj(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 2);
		assert_int_equal(s.member[0].encrypted, i == 0);
		assert_true(span_is(sink_bytes(&s, "two"), "two"));
		assert_int_equal(s.notes, 1u << cases[i].why);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
what_breaks_off_is_told(void **state)
{
	struct buf b = buf_make(1u << 16);

	(void)state;
	put_header(&b, 0, 2, 0, 0, "a.arj");
	put_header(&b, 0, 4, 100, strlen(TEXT), "one.txt");
	put_fastest(&b);
	for (size_t n = 0; n < b.len; n++) {
		struct sink s;

		sink_init(&s);
		open_arj((struct span){ b.ptr, n }, &s.peel);
		assert_true(s.members <= 1 && s.bytes <= strlen(TEXT));
		assert_int_equal(s.notes, n < 2 ? 0 : 1u << PEEL_DAMAGED);
		sink_clear(&s);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method_gives_the_same_file),
		cmocka_unit_test(
		    what_cannot_be_read_is_told_and_the_rest_is_read),
		cmocka_unit_test(what_breaks_off_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
