#include <lzma.h>

#include "formats/exe/pe_pack.h"

#define CHUNK 65536u /* between two ticks */

static uint32_t
dictionary(const struct buf *out)
{
	uint32_t size = 1u << 24;

	if (size > out->max)
		size = (uint32_t)out->max;
	return size < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : size;
}

bool
lzma_unpack(
    struct lzma_bits bits, struct span in, struct buf *out, struct peel *ticker)
{
	lzma_options_lzma opt = { .dict_size = dictionary(out),
		.lc = bits.context,
		.lp = bits.position_literal,
		.pb = bits.position };
	lzma_filter filters[] = { { LZMA_FILTER_LZMA1, &opt },
		{ LZMA_VLI_UNKNOWN, NULL } };
	lzma_stream s = LZMA_STREAM_INIT;
	uint8_t chunk[4096];
	lzma_ret r = LZMA_OK;

	if (opt.lc + opt.lp > LZMA_LCLP_MAX || opt.pb > LZMA_PB_MAX ||
	    lzma_raw_decoder(&s, filters) != LZMA_OK)
		return false;
	s.next_in = (const uint8_t *)in.ptr;
	s.avail_in = in.len;
	for (size_t tick = 0; r == LZMA_OK && !out->full;) {
		s.next_out = chunk;
		s.avail_out = sizeof(chunk);
		if (s.avail_out > out->max - out->len)
			s.avail_out = out->max - out->len;
		if (s.avail_out == 0)
			break;
		r = lzma_code(&s, LZMA_RUN);
		buf_add(out, chunk, (size_t)(s.next_out - chunk));
		if (out->len - tick < CHUNK)
			continue;
		tick = out->len;
		if (!peel_tick(ticker))
			r = LZMA_PROG_ERROR;
	}
	lzma_end(&s);
	return r != LZMA_PROG_ERROR && out->len > 0;
}
