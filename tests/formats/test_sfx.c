#include "sink.h"
#include "writing.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include "formats/pack/pack.h"

static void
put_zip_member(struct buf *b, const char *name, unsigned flags, size_t size)
{
	buf_text(b, "PK\3\4");
	put_le(b, 20, 2);
	put_le(b, flags, 2);
	put_zeros(b, 10);
	put_le(b, size, 4);
	put_le(b, size, 4);
	put_le(b, strlen(name), 2);
	put_le(b, 0, 2);
	buf_text(b, name);
	buf_text(b, "data");
}

static void
put_zip(struct buf *b)
{
	size_t at;

	put_zip_member(b, "one", 8, 0);
	put_zip_member(b, "two", 8, 0);
	at = b->len;
	buf_text(b, "PK\1\2");
	put_zeros(b, 42);
	buf_text(b, "PK\5\6");
	put_zeros(b, 8);
	put_le(b, b->len - 12 - at, 4);
	put_zeros(b, 6);
}

static void
put_rar4(struct buf *b)
{
	size_t at;

	buf_add(b, "Rar!\x1a\x07\0", 7);
	at = b->len;
	put_le(b, 0, 2);
	buf_char(b, 0x73);
	put_le(b, 0, 2);
	put_le(b, 13, 2);
	put_zeros(b, 6);
	patch_le(b, at, crc32(0, (const Bytef *)b->ptr + at + 2, 11), 2);
}

static void
put_rar5(struct buf *b)
{
	size_t at;

	buf_add(b, "Rar!\x1a\x07\1\0", 8);
	at = b->len;
	put_le(b, 0, 4);
	buf_add(b, "\x83\0\1\0\0", 5); /* a size of three, in two bytes */
	patch_le(b, at, crc32(0, (const Bytef *)b->ptr + at + 4, 5), 4);
}

static void
put_7z(struct buf *b)
{
	buf_text(b, "7z\xbc\xaf\x27\x1c");
	put_le(b, 4, 2);
	put_le(b, 0, 4);
	put_le(b, 2, 8);
	put_le(b, 3, 8);
	put_le(b, 0, 4);
	patch_le(b, b->len - 24,
	    crc32(0, (const Bytef *)b->ptr + b->len - 20, 20), 4);
	buf_text(b, "12345");
}

static void
put_cab(struct buf *b)
{
	buf_add(b, "MSCF\0\0\0\0", 8);
	put_le(b, 60, 4);
	put_le(b, 0, 4);
	put_le(b, 44, 4);
	put_le(b, 0, 4);
	put_le(b, 0x103, 2);
	put_zeros(b, 34);
}

static void
put_arj(struct buf *b)
{
	buf_text(b, "\x60\xea");
	put_le(b, 34, 2);
	put_zeros(b, 34);
	put_le(b, crc32(0, (const Bytef *)b->ptr + b->len - 34, 34), 4);
}

static void
put_gzip(struct buf *b)
{
	unsigned char packed[200];
	z_stream z = { .next_in = (Bytef *)(uintptr_t) "text",
		.avail_in = 4,
		.next_out = packed,
		.avail_out = sizeof(packed) };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(b, packed, z.total_out);
	(void)deflateEnd(&z);
}

static void
put_bzip2(struct buf *b)
{
	char packed[200];
	unsigned n = sizeof(packed);

	assert_int_equal(BZ2_bzBuffToBuffCompress(packed, &n,
			     (char *)(uintptr_t) "text", 4, 9, 0, 0),
	    BZ_OK);
	buf_add(b, packed, n);
}

static void
put_xz(struct buf *b)
{
	uint8_t packed[200];
	size_t n = 0;

	assert_int_equal(
	    lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL,
		(const uint8_t *)"text", 4, packed, &n, sizeof(packed)),
	    LZMA_OK);
	buf_add(b, packed, n);
}

static const struct {
	const char *name;
	void (*put)(struct buf *b);
	size_t spoil; /* a byte without which it is none */
} cases[] = {
	{ "zip", put_zip, 4 },
	{ "rar 4", put_rar4, 9 },
	{ "rar 5", put_rar5, 6 },
	{ "7z", put_7z, 12 },
	{ "cab", put_cab, 25 },
	{ "arj", put_arj, 8 },
	{ "gzip", put_gzip, 2 },
	{ "bzip2", put_bzip2, 3 },
	{ "xz", put_xz, 8 },
};

static void
an_archive_behind_a_program_is_a_slice_to_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16);
		struct sink s;
		struct span got;
		size_t before;

		TEST_CASE(cases[i].name);
		buf_text(&b,
		    "MZ PK\3\4 Rar! 7z MSCF BZh \x60\xea \x1f\x8b "
		    "and so on");
		before = b.len;
		cases[i].put(&b);
		buf_text(&b, "the end");
		sink_init(&s);
		open_embedded(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 1);
		got = sink_bytes(&s, "");
		assert_memory_equal(got.ptr, b.ptr + b.len - got.len, got.len);
		assert_int_equal(b.len - got.len, before);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
a_mark_with_nonsense_behind_it_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16);
		struct sink s;

		TEST_CASE(cases[i].name);
		buf_char(&b, 'x');
		cases[i].put(&b);
		b.ptr[1 + cases[i].spoil] = (char)~b.ptr[1 + cases[i].spoil];
		/* The second member of a zip is one as well. */
		b.len = i == 0 ? 30 : b.len;
		sink_init(&s);
		open_embedded(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 0);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
what_begins_the_object_is_not_embedded(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = buf_make(1u << 16);
		struct sink s;

		if (i == 0)
			continue; /* its members begin zips of their own */
		TEST_CASE(cases[i].name);
		cases[i].put(&b);
		sink_init(&s);
		open_embedded(buf_view(&b), &s.peel);
		assert_int_equal(s.members, 0);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
there_are_only_so_many_of_a_kind_and_of_all(void **state)
{
	struct buf b = buf_make(1u << 20);
	struct sink s;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		put_gzip(&b);
		put_rar5(&b);
	}
	for (unsigned i = 0; i < 100; i++)
		put_arj(&b);
	sink_init(&s);
	open_embedded(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 16);
	assert_int_equal(s.member[15].bytes.len, 95 * 42);
	sink_clear(&s);
	buf_free(&b);
}

static void
marks_without_end_are_given_up(void **state)
{
	struct buf b = buf_make(1u << 20);
	struct sink s;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		buf_text(&b, "\x60\xea");
	sink_init(&s);
	open_embedded(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 0);
	assert_int_equal(s.notes, 1u << PEEL_UNSUPPORTED);
	sink_clear(&s);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_archive_behind_a_program_is_a_slice_to_the_end),
		cmocka_unit_test(a_mark_with_nonsense_behind_it_is_none),
		cmocka_unit_test(what_begins_the_object_is_not_embedded),
		cmocka_unit_test(there_are_only_so_many_of_a_kind_and_of_all),
		cmocka_unit_test(marks_without_end_are_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
