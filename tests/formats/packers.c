#include "packers.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include "writing.h"

#define PACKED_MAX (1u << 20)

void
pack_stored(struct buf *b, struct span s)
{
	buf_span(b, s);
}

static void
deflate_all(struct buf *b, struct span s, int window)
{
	unsigned char *packed = malloc(PACKED_MAX);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)s.ptr,
		.avail_in = (uInt)s.len,
		.next_out = packed,
		.avail_out = PACKED_MAX };

	assert_non_null(packed);
	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY),
	    Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(b, packed, z.total_out);
	(void)deflateEnd(&z);
	free(packed);
}

void
pack_deflate(struct buf *b, struct span s)
{
	deflate_all(b, s, -MAX_WBITS);
}

void
pack_zlib(struct buf *b, struct span s)
{
	deflate_all(b, s, MAX_WBITS);
}

void
pack_bzip2(struct buf *b, struct span s)
{
	char *packed = malloc(PACKED_MAX);
	unsigned n = PACKED_MAX;

	assert_non_null(packed);
	assert_int_equal(
	    BZ2_bzBuffToBuffCompress(
		packed, &n, (char *)(uintptr_t)s.ptr, (unsigned)s.len, 9, 0, 0),
	    BZ_OK);
	buf_add(b, packed, n);
	free(packed);
}

static unsigned
bit_at(const struct buf *b, size_t i)
{
	return (uint8_t)b->ptr[i / 8] >> (7 - i % 8) & 1u;
}

/* Takes the heads and checksums away: "BZh9", 48 bits of mark, 32 of
 * checksum, one of being random; at the end a mark and a checksum. */
void
pack_bzip2_nsis(struct buf *b, struct span s)
{
	struct buf plain = buf_make(PACKED_MAX);
	struct bitter w = { .to = b };
	uint64_t last = 0;
	size_t bits, end = 0;

	pack_bzip2(&plain, s);
	bits = plain.len * 8;
	for (size_t i = 32; i < bits; i++) {
		last = (last << 1 | bit_at(&plain, i)) & 0xffffffffffffu;
		if (last == 0x177245385090u)
			end = i - 47;
	}
	assert_true(end > 0);
	put_msb(&w, 0x31, 8);
	for (size_t i = 32 + 48 + 32 + 1; i < end; i++)
		put_msb(&w, bit_at(&plain, i), 1);
	put_msb(&w, 0x17, 8);
	end_msb(&w);
	buf_free(&plain);
}

static void
lzma_all(struct buf *b, struct span s, lzma_filter *filters, unsigned head)
{
	uint8_t *packed = malloc(PACKED_MAX);
	size_t n = 0;

	assert_non_null(packed);
	assert_int_equal(lzma_properties_encode(filters, packed), LZMA_OK);
	buf_add(b, packed, head);
	assert_int_equal(
	    lzma_raw_buffer_encode(filters, NULL, (const uint8_t *)s.ptr, s.len,
		packed, &n, PACKED_MAX),
	    LZMA_OK);
	buf_add(b, packed, n);
	free(packed);
}

void
pack_lzma(struct buf *b, struct span s)
{
	lzma_options_lzma o;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA1, &o },
		{ LZMA_VLI_UNKNOWN, NULL } };

	assert_false(lzma_lzma_preset(&o, 0));
	lzma_all(b, s, filters, 5);
}

void
pack_lzma2(struct buf *b, struct span s)
{
	lzma_options_lzma o;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &o },
		{ LZMA_VLI_UNKNOWN, NULL } };

	assert_false(lzma_lzma_preset(&o, 0));
	lzma_all(b, s, filters, 1);
}
