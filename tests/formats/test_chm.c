#include "sink.h"
#include "writing.h"

#include "formats/bytes.h"
#include "formats/pack/lzx.h"
#include "formats/pack/pack.h"

/* LZX reads its bits from words of two bytes, the low one first. */
static void
put_words(struct buf *b, struct buf *bits)
{
	if (bits->len % 2 != 0)
		buf_char(bits, 0);
	for (size_t i = 0; i < bits->len; i += 2) {
		buf_char(b, bits->ptr[i + 1]);
		buf_char(b, bits->ptr[i]);
	}
	buf_free(bits);
}

static void
put_block_head(struct bitter *w, unsigned type, size_t size)
{
	put_msb(w, type, 3);
	put_msb(w, (uint32_t)size, 24);
}

/* A stream of one block that is not compressed. */
static void
put_raw(struct buf *b, uint32_t e8_size, struct span bytes)
{
	struct buf bits = buf_make(64);
	struct bitter w = { .to = &bits };

	put_msb(&w, e8_size != 0, 1);
	if (e8_size != 0) {
		put_msb(&w, e8_size >> 16, 16);
		put_msb(&w, e8_size & 0xffff, 16);
	}
	put_block_head(&w, 3, bytes.len);
	end_msb(&w);
	put_words(b, &bits);
	for (unsigned i = 0; i < 3; i++)
		put_le(b, 1, 4);
	buf_span(b, bytes);
	if (bytes.len % 2 != 0)
		buf_char(b, 0);
}

/* Code lengths, zeros but for a few; each pretree code is its number, in
 * five bits. */
static void
put_lens(struct bitter *w, const uint8_t *lens, unsigned n)
{
	unsigned i = 0;

	for (unsigned s = 0; s < 20; s++)
		put_msb(w, 5, 4);
	while (i < n) {
		unsigned zeros = 0;

		while (i + zeros < n && lens[i + zeros] == 0 && zeros < 51)
			zeros++;
		if (zeros >= 20) {
			put_msb(w, 18, 5);
			put_msb(w, zeros - 20, 5);
			i += zeros;
		} else if (zeros >= 4) {
			zeros = zeros > 19 ? 19 : zeros;
			put_msb(w, 17, 5);
			put_msb(w, zeros - 4, 4);
			i += zeros;
		} else {
			put_msb(w, (17u - lens[i++]) % 17u, 5);
		}
	}
}

/* All as they were in the block before. */
static void
put_same_lens(struct bitter *w, unsigned n)
{
	for (unsigned s = 0; s < 20; s++)
		put_msb(w, s == 0, 4);
	for (unsigned i = 0; i < n; i++)
		put_msb(w, 0, 1);
}

/* "abcabcabcabc!" in a verbatim block: a match of nine, three back. */
static void
put_verbatim(struct buf *b)
{
	struct buf bits = buf_make(4096);
	struct bitter w = { .to = &bits };
	uint8_t lens[496] = { ['!'] = 3,
		['a'] = 2,
		['b'] = 2,
		['c'] = 2,
		[256 + (4 << 3 | 7)] = 3 };
	uint8_t lengths[249] = { 1 };

	put_msb(&w, 0, 1);
	put_block_head(&w, 1, 13);
	put_lens(&w, lens, 256);
	put_lens(&w, lens + 256, 240);
	put_lens(&w, lengths, 249);
	put_msb(&w, 0x06, 6); /* 00 01 10: a b c */
	put_msb(&w, 7, 3);    /* the match, */
	put_msb(&w, 0, 1);    /* its length, */
	put_msb(&w, 1, 1);    /* its distance */
	put_msb(&w, 6, 3);    /* ! */
	end_msb(&w);
	put_words(b, &bits);
}

/* The same text in an aligned block, and then a second one whose trees are
 * told as differences from these: nothing changes. */
static void
put_aligned(struct buf *b)
{
	struct buf bits = buf_make(4096);
	struct bitter w = { .to = &bits };
	uint8_t lens[496] = {
		['a'] = 2, ['b'] = 2, ['c'] = 2, [256 + (8 << 3 | 6)] = 2
	};
	uint8_t lengths[249] = { 1 };

	put_msb(&w, 0, 1);
	put_block_head(&w, 2, 23);
	for (unsigned i = 0; i < 8; i++)
		put_msb(&w, 3, 3);
	put_lens(&w, lens, 256);
	put_lens(&w, lens + 256, 240);
	put_lens(&w, lengths, 249);
	for (unsigned i = 0; i < 15; i++)
		put_msb(&w, i % 3, 2);
	put_msb(&w, 3, 2); /* eight bytes, 14 back */
	put_msb(&w, 1, 3); /* and one */
	put_block_head(&w, 1, 1);
	put_same_lens(&w, 256);
	put_same_lens(&w, 240);
	put_same_lens(&w, 249);
	put_msb(&w, 2, 2);
	end_msb(&w);
	put_words(b, &bits);
}

static void
each_kind_of_block_is_unpacked(void **state)
{
	struct buf b = buf_make(4096);
	struct lzx *z = lzx_new(15);
	bool ok;

	(void)state;
	put_verbatim(&b);
	lzx_reset(z, buf_view(&b), 0);
	assert_true(span_is(lzx_frame(z, 13, &ok), "abcabcabcabc!"));
	assert_true(ok);
	buf_clear(&b);
	put_aligned(&b);
	lzx_reset(z, buf_view(&b), 0);
	assert_true(span_is(lzx_frame(z, 24, &ok), "abcabcabcabcabcabcabcabc"));
	assert_true(ok);
	buf_clear(&b);
	put_raw(&b, 0, SPAN("plain"));
	lzx_reset(z, buf_view(&b), 0);
	assert_true(span_is(lzx_frame(z, 5, &ok), "plain"));
	assert_true(ok);
	(void)lzx_frame(z, 1, &ok); /* there is no more */
	assert_false(ok);
	lzx_free(z);
	buf_free(&b);
}

static void
calls_become_relative_again(void **state)
{
	/* Call 0x30 made absolute: from place 2 it is 0x32 - 2. */
	static const char packed[] = "ab\xe8\x32\0\0\0cdefghijklmn\xe8____";
	static const char plain[] = "ab\xe8\x30\0\0\0cdefghijklmn\xe8____";
	struct buf b = buf_make(4096);
	struct lzx *z = lzx_new(15);
	struct span got;
	bool ok;

	(void)state;
	put_raw(&b, 1000, SPAN(packed));
	lzx_reset(z, buf_view(&b), 0);
	got = lzx_frame(z, sizeof(packed) - 1, &ok);
	assert_true(ok);
	assert_int_equal(got.len, sizeof(plain) - 1);
	assert_memory_equal(got.ptr, plain, got.len);
	lzx_free(z);
	buf_free(&b);
}

/* ---- whole files ------------------------------------------------------------- */

static void
put_number(struct buf *b, uint64_t v)
{
	for (unsigned shift = 28; shift > 0; shift -= 7)
		if (v >> shift != 0)
			buf_char(b, (char)(0x80 | (v >> shift & 0x7f)));
	buf_char(b, (char)(v & 0x7f));
}

static void
put_entry(struct buf *b, const char *name, unsigned section, uint64_t at,
    uint64_t len)
{
	put_number(b, strlen(name));
	buf_text(b, name);
	put_number(b, section);
	put_number(b, at);
	put_number(b, len);
}

#define STORAGE "::DataSpace/Storage/MSCompressed/"
#define SIZE    70000u

struct sample {
	struct buf content, stored, dir, all;
	size_t starts[3];
};

/* Three frames of letters, each of which starts afresh. */
static void
make_stream(struct sample *s)
{
	char *bytes = malloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)('a' + i % 23);
	for (unsigned i = 0; i < 3; i++) {
		size_t at = i * LZX_FRAME;
		size_t n = SIZE - at < LZX_FRAME ? SIZE - at : LZX_FRAME;

		s->starts[i] = s->content.len;
		put_raw(&s->content, 0, (struct span){ bytes + at, n });
	}
	free(bytes);
}

/* Section 0: a page, then what describes the stream, then the stream. */
static void
make_stored(struct sample *s)
{
	struct buf *b = &s->stored;

	buf_text(b, "<html>");
	put_until(b, 16);
	put_le(b, 6, 4); /* control data, at 16 */
	buf_text(b, "LZXC");
	put_le(b, 2, 4);
	put_le(b, 1, 4);
	put_le(b, 1, 4);
	put_zeros(b, 8);
	put_until(b, 64); /* reset table, at 64 */
	put_le(b, 2, 4);
	put_le(b, 3, 4);
	put_le(b, 8, 4);
	put_le(b, 40, 4);
	put_le(b, SIZE, 8);
	put_le(b, s->content.len, 8);
	put_le(b, LZX_FRAME, 8);
	for (unsigned i = 0; i < 3; i++)
		put_le(b, s->starts[i], 8);
	put_until(b, 128);
	buf_span(b, buf_view(&s->content));
}

static void
make_directory(struct sample *s)
{
	struct buf *b = &s->dir;

	buf_text(b, "PMGL");
	put_zeros(b, 16);
	put_entry(b, "/", 0, 0, 0);
	put_entry(b, "/page", 0, 0, 6);
	put_entry(b, STORAGE "ControlData", 0, 16, 28);
	put_entry(b, STORAGE "Content", 0, 128, s->content.len);
	put_entry(b,
	    STORAGE "Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/"
		    "InstanceData/ResetTable",
	    0, 64, 64);
	put_entry(b, "/last", 1, 69990, 10);
	put_entry(b, "/first", 1, 0, 3);
	put_entry(b, "/across", 1, 32000, 40000 - 4000);
	put_entry(b, "/within", 1, 33000, 5); /* overlaps the last one */
	patch_le(b, 4, 4096 - b->len, 4);
	put_until(b, 4096);
}

static void
make_sample(struct sample *s)
{
	*s = (struct sample){ buf_make(1u << 20), buf_make(1u << 20),
		buf_make(1u << 20), buf_make(1u << 20) };
	make_stream(s);
	make_stored(s);
	make_directory(s);
	buf_text(&s->all, "ITSF");
	put_le(&s->all, 3, 4);
	put_until(&s->all, 0x48);
	put_le(&s->all, 0x60, 8);
	put_le(&s->all, 0x54 + 2 * 4096, 8);
	put_le(&s->all, 0x60 + 0x54 + 2 * 4096, 8);
	buf_text(&s->all, "ITSP");
	put_le(&s->all, 1, 4);
	put_le(&s->all, 0x54, 4);
	put_le(&s->all, 10, 4);
	put_le(&s->all, 4096, 4);
	put_until(&s->all, 0x60 + 0x54);
	buf_span(&s->all, buf_view(&s->dir));
	buf_text(&s->all, "PMGI"); /* an index, of no interest */
	put_until(&s->all, 0x60 + 0x54 + 2 * 4096);
	buf_span(&s->all, buf_view(&s->stored));
}

static void
free_sample(struct sample *s)
{
	buf_free(&s->content);
	buf_free(&s->stored);
	buf_free(&s->dir);
	buf_free(&s->all);
}

static void
check_letters(const struct sink *s, const char *name, size_t at, size_t len)
{
	struct span got = sink_bytes(s, name);

	assert_int_equal(got.len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(got.ptr[i], 'a' + (at + i) % 23);
}

static void
files_come_out_of_both_sections(void **state)
{
	struct sample c;
	struct sink s;

	(void)state;
	make_sample(&c);
	sink_init(&s);
	open_chm(buf_view(&c.all), &s.peel);
	assert_int_equal(s.notes, 0);
	assert_int_equal(s.members, 5);
	assert_true(span_is(sink_bytes(&s, "/page"), "<html>"));
	check_letters(&s, "/first", 0, 3);
	check_letters(&s, "/across", 32000, 36000);
	check_letters(&s, "/within", 33000, 5);
	check_letters(&s, "/last", 69990, 10);
	sink_clear(&s);
	free_sample(&c);
}

static void
a_damaged_frame_costs_the_files_in_it(void **state)
{
	struct sample c;
	struct sink s;
	size_t content;

	(void)state;
	make_sample(&c);
	content = c.all.len - c.content.len;
	/* The second frame begins with a block of no kind. */
	memset(c.all.ptr + content + c.starts[1], 0, 4);
	sink_init(&s);
	open_chm(buf_view(&c.all), &s.peel);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	assert_int_equal(s.members, 5);
	check_letters(&s, "/across", 32000, 768);
	assert_int_equal(sink_bytes(&s, "/within").len, 0);
	check_letters(&s, "/last", 69990, 10);
	sink_clear(&s);
	free_sample(&c);
}

/* 150 members of 40,000 bytes, each a byte behind the one before. */
static void
members_that_overlap_do_not_unpack_without_end(void **state)
{
	struct sample c;
	struct sink s;
	struct buf more = buf_make(4096);
	uint32_t spare;

	(void)state;
	make_sample(&c);
	for (unsigned i = 0; i < 150; i++)
		put_entry(&more, "/x", 1, i, 40000);
	assert_true(bytes_le32(buf_view(&c.dir), 4, &spare));
	assert_true(more.len <= spare);
	memcpy(c.dir.ptr + 4096 - spare, more.ptr, more.len);
	patch_le(&c.dir, 4, spare - more.len, 4);
	memcpy(c.all.ptr + 0x60 + 0x54, c.dir.ptr, 4096);
	sink_init(&s);
	open_chm(buf_view(&c.all), &s.peel);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	assert_true(s.members > 150);
	assert_true(s.bytes <= (uint64_t)(SIZE + LZX_FRAME) * 4);
	sink_clear(&s);
	free_sample(&c);
	buf_free(&more);
}

static void
what_breaks_off_is_told(void **state)
{
	struct sample c;

	(void)state;
	make_sample(&c);
	for (size_t n = 0; n < c.all.len; n += n < 4500 ? 1 : 997) {
		struct sink s;

		sink_init(&s);
		open_chm((struct span){ c.all.ptr, n }, &s.peel);
		assert_int_equal(s.notes != 0, n >= 4);
		assert_true(s.members <= 5);
		sink_clear(&s);
	}
	free_sample(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_block_is_unpacked),
		cmocka_unit_test(calls_become_relative_again),
		cmocka_unit_test(files_come_out_of_both_sections),
		cmocka_unit_test(a_damaged_frame_costs_the_files_in_it),
		cmocka_unit_test(
		    members_that_overlap_do_not_unpack_without_end),
		cmocka_unit_test(what_breaks_off_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
