#include "sink.h"

#include <lzma.h>
#include <zlib.h>

#include "formats/pdf/pdf.h"

/* A stage of 9 bits, rate, one frame; data for code; the end. */
#define BODY                                                                   \
	"\x08\x00\x00\x18\x01\x00"                                             \
	"\xff\x15\x0b\x00\x00\x00\x39\x30\x00\x00\x00\x00hello"                \
	"\xc9\x15\x01\x00\x00\x00\x00\x00"                                     \
	"abc"                                                                  \
	"\x00\x00"
#define FILE_SIZE "\x2d\x00\x00\x00"

static void
put(struct buf *b, const char *head, const void *bytes, size_t n)
{
	buf_text(b, head);
	buf_add(b, FILE_SIZE, 4);
	buf_add(b, bytes, n);
}

static void
assert_unpacked(struct buf *b, size_t len, unsigned notes)
{
	static struct sink s;
	struct buf want = buf_make(1024);

	put(&want, "FWS\x0d", BODY, sizeof(BODY) - 1);
	sink_init(&s);
	open_swf(buf_view(b), &s.peel);
	assert_int_equal(s.members, 1);
	assert_int_equal(s.member[0].format, FORMAT_SWF);
	assert_true(sink_bytes(&s, "FWS").len >= len);
	assert_true(sink_bytes(&s, "FWS").len <= want.len);
	assert_memory_equal(
	    sink_bytes(&s, "FWS").ptr, want.ptr, sink_bytes(&s, "FWS").len);
	assert_int_equal(s.notes, notes);
	sink_clear(&s);
	buf_free(&want);
}

static void
a_packed_file_is_the_same_unpacked(void **state)
{
	unsigned char out[512];
	uLongf n = sizeof(out);
	struct buf b = buf_make(1024);

	(void)state;
	assert_int_equal(
	    compress(out, &n, (const Bytef *)BODY, sizeof(BODY) - 1), Z_OK);
	put(&b, "CWS\x0d", out, n);
	assert_unpacked(&b, 8 + sizeof(BODY) - 1, 0);
	buf_cut(&b, b.len - 12);
	assert_unpacked(&b, 20, 1u << PEEL_DAMAGED);
	buf_free(&b);
}

static void
lzma_is_unpacked_and_its_dictionary_bounded(void **state)
{
	lzma_options_lzma opt;
	lzma_stream z = LZMA_STREAM_INIT;
	unsigned char out[512];
	size_t n;

	(void)state;
	assert_false(lzma_lzma_preset(&opt, 6));
	assert_int_equal(lzma_alone_encoder(&z, &opt), LZMA_OK);
	z.next_in = (const uint8_t *)BODY;
	z.avail_in = sizeof(BODY) - 1;
	z.next_out = out;
	z.avail_out = sizeof(out);
	assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	n = sizeof(out) - z.avail_out;
	lzma_end(&z);
	for (int huge = 0; huge < 2; huge++) {
		struct buf b = buf_make(1024);

		if (huge)
			memset(out + 1, 0xff, 4);
		put(&b, "ZWS\x0d", "\0\0\0\0", 4);
		buf_add(&b, out, 5);
		buf_add(&b, out + 13, n - 13);
		assert_unpacked(&b, 8 + sizeof(BODY) - 1, 0);
		buf_free(&b);
	}
}

static void
binary_data_is_a_member(void **state)
{
	static struct sink s;
	struct buf b = buf_make(1024);

	(void)state;
	put(&b, "FWS\x0d", BODY, sizeof(BODY) - 1);
	sink_init(&s);
	open_swf(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 2);
	assert_true(span_is(sink_bytes(&s, "binary 12345"), "hello"));
	assert_true(span_is(sink_bytes(&s, "binary 00001"), "abc"));
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t n = 0; n < b.len; n++) {
		sink_init(&s);
		open_swf((struct span){ b.ptr, n }, &s.peel);
		sink_clear(&s);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_file_is_the_same_unpacked),
		cmocka_unit_test(lzma_is_unpacked_and_its_dictionary_bounded),
		cmocka_unit_test(binary_data_is_a_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
