#include "formats/pack/codec.h"

#include <bzlib.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>

#include "formats/bytes.h"

#define PIECE_MAX (1u << 30) /* what a library takes at once */

bool
codec_stored(struct span in, struct flow *f, size_t *used)
{
	uint64_t before = f->total;

	flow_span(f, in);
	if (used != NULL)
		*used = (size_t)(f->total - before);
	return true;
}

/* ---- zlib -------------------------------------------------------------------- */

static bool
inflate_all(struct span in, int window, struct flow *f, size_t *used)
{
	z_stream z = { 0 };
	size_t fed = 0, room;
	int e = Z_OK;

	if (inflateInit2(&z, window) != Z_OK) {
		peel_note(f->out, PEEL_MEMORY);
		return true;
	}
	while (e == Z_OK && flow_wants(f)) {
		if (z.avail_in == 0) {
			struct span piece = bytes_sub(in, fed, PIECE_MAX);

			z.next_in = (Bytef *)(uintptr_t)piece.ptr;
			z.avail_in = (uInt)piece.len;
			fed += piece.len;
		}
		z.next_out = flow_room(f, &room);
		room = room > PIECE_MAX ? PIECE_MAX : room;
		z.avail_out = (uInt)room;
		e = inflate(&z, Z_NO_FLUSH);
		flow_wrote(f, room - z.avail_out);
	}
	if (used != NULL)
		*used = fed - z.avail_in;
	(void)inflateEnd(&z);
	return e == Z_STREAM_END || e == Z_OK;
}

bool
codec_deflate(struct span in, struct flow *f, size_t *used)
{
	return inflate_all(in, -MAX_WBITS, f, used);
}

bool
codec_zlib(struct span in, struct flow *f, size_t *used)
{
	return inflate_all(in, MAX_WBITS, f, used);
}

/* ---- bzip2 ------------------------------------------------------------------- */

bool
codec_bzip2(struct span in, struct flow *f, size_t *used)
{
	bz_stream z = { 0 };
	size_t fed = 0, room;
	int e = BZ_OK;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK) {
		peel_note(f->out, PEEL_MEMORY);
		return true;
	}
	while (e == BZ_OK && flow_wants(f)) {
		if (z.avail_in == 0) {
			struct span piece = bytes_sub(in, fed, PIECE_MAX);

			z.next_in = (char *)(uintptr_t)piece.ptr;
			z.avail_in = (unsigned)piece.len;
			fed += piece.len;
		}
		z.next_out = (char *)flow_room(f, &room);
		room = room > PIECE_MAX ? PIECE_MAX : room;
		z.avail_out = (unsigned)room;
		e = BZ2_bzDecompress(&z);
		flow_wrote(f, room - z.avail_out);
		/* It says OK as well when it starves. */
		if (e == BZ_OK && z.avail_in == 0 && fed == in.len &&
		    z.avail_out > 0)
			break;
	}
	if (used != NULL)
		*used = fed - z.avail_in;
	(void)BZ2_bzDecompressEnd(&z);
	return e == BZ_STREAM_END || !flow_wants(f);
}

/* ---- LZMA -------------------------------------------------------------------- */

static bool
lzma_all(
    lzma_stream *z, lzma_ret e, struct span in, struct flow *f, size_t *used)
{
	size_t room;

	z->next_in = (const uint8_t *)in.ptr;
	z->avail_in = in.len;
	while (e == LZMA_OK && flow_wants(f)) {
		z->next_out = flow_room(f, &room);
		z->avail_out = room;
		e = lzma_code(z, LZMA_RUN);
		flow_wrote(f, room - z->avail_out);
	}
	if (used != NULL)
		*used = in.len - z->avail_in;
	lzma_end(z);
	if (e == LZMA_MEM_ERROR || e == LZMA_MEMLIMIT_ERROR)
		peel_note(f->out, PEEL_MEMORY);
	return e == LZMA_STREAM_END || e == LZMA_OK;
}

static bool
lzma_raw(struct span in, size_t head, lzma_filter *filters, struct flow *f,
    size_t *used)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_filter *last = &filters[filters[0].id == LZMA_FILTER_X86 ? 1 : 0];
	bool ok = false;

	if (used != NULL)
		*used = 0;
	if (lzma_properties_decode(last, NULL, (const uint8_t *)in.ptr,
		in.len < head ? in.len : head) != LZMA_OK)
		return false;
	/* An empty file may claim gigabytes. */
	if (lzma_raw_decoder_memusage(filters) > FLOW_SIZE_MAX + (1u << 20))
		peel_note(f->out, PEEL_UNSUPPORTED);
	else
		ok = lzma_all(&z, lzma_raw_decoder(&z, filters),
		    span_from(in, head), f, used);
	lzma_filters_free(last, NULL);
	if (used != NULL)
		*used += in.len < head ? in.len : head;
	return ok;
}

bool
codec_lzma(struct span in, struct flow *f, size_t *used)
{
	lzma_filter filters[] = { { LZMA_FILTER_LZMA1, NULL },
		{ LZMA_VLI_UNKNOWN, NULL } };

	return lzma_raw(in, 5, filters, f, used);
}

bool
codec_lzma_x86(struct span in, struct flow *f, size_t *used)
{
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL },
		{ LZMA_FILTER_LZMA1, NULL }, { LZMA_VLI_UNKNOWN, NULL } };

	return lzma_raw(in, 5, filters, f, used);
}

bool
codec_lzma2(struct span in, struct flow *f, size_t *used)
{
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, NULL },
		{ LZMA_VLI_UNKNOWN, NULL } };

	return lzma_raw(in, 1, filters, f, used);
}

bool
codec_lzma_alone(struct span in, struct flow *f, size_t *used)
{
	lzma_stream z = LZMA_STREAM_INIT;

	return lzma_all(&z, lzma_alone_decoder(&z, FLOW_SIZE_MAX + (1u << 20)),
	    in, f, used);
}

bool
codec_lzma_likely(struct span s)
{
	uint32_t dictionary;

	/* 5d: lc 3, lp 0, pb 2; the range decoder begins with a zero. */
	return s.len > 6 && s.ptr[0] == 0x5d && s.ptr[5] == 0 &&
	    (s.ptr[6] & 0x80) == 0 && bytes_le32(s, 1, &dictionary) &&
	    dictionary >= 4096 && (dictionary & 0xfff) == 0;
}
