/* FlateDecode: zlib (RFC 1950), but neither the check bits of its header nor
 * its checksum are believed, and bare deflate (RFC 1951) is taken as well:
 * readers do so too. */

#include "formats/pdf/pdf_filter_int.h"

static bool
flate_start(struct pdf_stage *s, const struct pdf_params *p)
{
	(void)p;
	return inflateInit2(&s->u.flate.z, -MAX_WBITS) == Z_OK;
}

static void
flate_stop(struct pdf_stage *s)
{
	(void)inflateEnd(&s->u.flate.z);
}

static bool
inflate_piece(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_stage *s = c->stage[i];
	z_stream *z = &s->u.flate.z;
	int rc = Z_OK;

	z->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
	z->avail_in = (uInt)bytes.len;
	do {
		z->next_out = s->out + s->out_len;
		z->avail_out = (uInt)(PDF_PIECE - s->out_len);
		rc = inflate(z, Z_SYNC_FLUSH);
		s->out_len = PDF_PIECE - z->avail_out;
		if (s->out_len == PDF_PIECE && !pdf_stage_flush(c, i))
			return false;
	} while (rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
	if (rc == Z_STREAM_END)
		s->done = true;
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return pdf_stage_broke(c, i);
	return !s->done;
}

/* Method 8 and a window of at most 32 KB. */
static bool
is_zlib_head(unsigned char byte)
{
	return (byte & 15) == 8 && byte >> 4 <= 7;
}

static bool
flate_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_stage *s = c->stage[i];

	while (s->u.flate.head < 2 && bytes.len > 0) {
		unsigned char byte = (unsigned char)bytes.ptr[0];

		if (s->u.flate.head++ == 0 && !is_zlib_head(byte))
			s->u.flate.head = 3; /* none: it is data already */
		else
			bytes = span_from(bytes, 1);
	}
	return inflate_piece(c, i, bytes);
}

const struct pdf_filter pdf_filter_flate = {
	.start = flate_start, .push = flate_push, .stop = flate_stop
};
