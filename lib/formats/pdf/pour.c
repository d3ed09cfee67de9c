#include "formats/pdf/pour.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PIECE     32768u
#define DICT_MAX  (64u << 20)
#define XZ_MEMORY (128u << 20)

/* False: no more.  *outcome says why. */
static bool
put(struct pour *p, const void *bytes, size_t n, enum pour_outcome *outcome)
{
	*outcome = POUR_DONE;
	if (n > p->left)
		n = (size_t)p->left;
	p->left -= n;
	if (n > 0 && !peel_add(p->out, (struct span){ (const char *)bytes, n }))
		*outcome = POUR_STOPPED;
	return *outcome == POUR_DONE && p->left > 0;
}

enum pour_outcome
pour_raw(struct pour *p, struct span in)
{
	enum pour_outcome outcome;

	(void)put(p, in.ptr, in.len, &outcome);
	return outcome;
}

enum pour_outcome
pour_zero(struct pour *p, uint64_t n)
{
	static const char zeros[PIECE];
	enum pour_outcome outcome = POUR_DONE;

	while (n > 0) {
		size_t now = n < PIECE ? (size_t)n : PIECE;

		n -= now;
		if (!put(p, zeros, now, &outcome))
			break;
	}
	return outcome;
}

/* Bare deflate behind the header of two bytes: neither its check bits nor
 * the sum at the end are believed. */
enum pour_outcome
pour_zlib(struct pour *p, struct span in)
{
	unsigned char out[PIECE];
	z_stream z = { .next_in = NULL };
	enum pour_outcome outcome = POUR_DONE;
	int rc = Z_OK;

	if (in.len < 2 || (in.ptr[0] & 15) != 8)
		return POUR_BROKEN;
	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return POUR_MEMORY;
	in = span_from(in, 2);
	z.next_in = (unsigned char *)(uintptr_t)in.ptr;
	while (rc == Z_OK) {
		if (z.avail_in == 0 && in.len > 0) {
			z.avail_in = in.len < PIECE ? (uInt)in.len : PIECE;
			in = span_from(in, z.avail_in);
		}
		z.next_out = out;
		z.avail_out = PIECE;
		rc = inflate(&z, Z_SYNC_FLUSH);
		if (!put(p, out, PIECE - z.avail_out, &outcome))
			break;
	}
	(void)inflateEnd(&z);
	if (rc != Z_OK && rc != Z_STREAM_END && outcome == POUR_DONE)
		outcome = POUR_BROKEN;
	return outcome;
}

enum pour_outcome
pour_bzip2(struct pour *p, struct span in)
{
	char out[PIECE];
	bz_stream z = { .next_in = NULL };
	enum pour_outcome outcome = POUR_DONE;
	int rc = BZ_OK;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return POUR_MEMORY;
	z.next_in = (char *)(uintptr_t)in.ptr;
	while (rc == BZ_OK) {
		unsigned before;

		if (z.avail_in == 0 && in.len > 0) {
			z.avail_in = in.len < PIECE ? (unsigned)in.len : PIECE;
			in = span_from(in, z.avail_in);
		}
		before = z.avail_in;
		z.next_out = out;
		z.avail_out = PIECE;
		rc = BZ2_bzDecompress(&z);
		if (!put(p, out, PIECE - z.avail_out, &outcome))
			break;
		if (z.avail_out == PIECE && z.avail_in == before && in.len == 0)
			rc = BZ_DATA_ERROR; /* cut off */
	}
	(void)BZ2_bzDecompressEnd(&z);
	if (rc != BZ_OK && rc != BZ_STREAM_END && outcome == POUR_DONE)
		outcome = POUR_BROKEN;
	return outcome;
}

/* Runs a decoder that is set up over `head` and then `in`. */
static enum pour_outcome
run_lzma(lzma_stream *z, struct pour *p, struct span head, struct span in)
{
	uint8_t out[PIECE];
	enum pour_outcome outcome = POUR_DONE;
	lzma_ret rc = LZMA_OK;

	z->next_in = (const uint8_t *)head.ptr;
	z->avail_in = head.len;
	while (rc == LZMA_OK) {
		if (z->avail_in == 0 && in.len > 0) {
			z->next_in = (const uint8_t *)in.ptr;
			z->avail_in = in.len < PIECE ? in.len : PIECE;
			in = span_from(in, z->avail_in);
		}
		z->next_out = out;
		z->avail_out = PIECE;
		rc = lzma_code(z, LZMA_RUN);
		if (!put(p, out, PIECE - z->avail_out, &outcome))
			break;
	}
	lzma_end(z);
	if (outcome != POUR_DONE || rc == LZMA_OK || rc == LZMA_STREAM_END)
		return outcome;
	/* without an end mark the data just ends */
	if (rc == LZMA_BUF_ERROR && in.len == 0 && z->avail_in == 0 &&
	    head.len > 0)
		return POUR_DONE;
	return rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR ? POUR_MEMORY
								 : POUR_BROKEN;
}

enum pour_outcome
pour_xz(struct pour *p, struct span in)
{
	lzma_stream z = LZMA_STREAM_INIT;

	if (lzma_auto_decoder(&z, XZ_MEMORY, 0) != LZMA_OK)
		return POUR_MEMORY;
	return run_lzma(&z, p, (struct span){ in.ptr, 0 }, in);
}

enum pour_outcome
pour_lzma(struct pour *p, struct span properties, struct span in)
{
	lzma_stream z = LZMA_STREAM_INIT;
	unsigned char head[13];
	uint32_t dict;

	if (properties.len != 5)
		return POUR_BROKEN;
	memset(head, 0xff, sizeof(head)); /* the size is not known */
	memcpy(head, properties.ptr, 5);
	dict = (uint32_t)head[1] | (uint32_t)head[2] << 8 |
	    (uint32_t)head[3] << 16 | (uint32_t)head[4] << 24;
	if (dict > DICT_MAX) { /* 64 MiB is 04 00 00 00 */
		head[1] = head[2] = head[3] = 0;
		head[4] = 4;
	}
	if (lzma_alone_decoder(&z, XZ_MEMORY) != LZMA_OK)
		return POUR_MEMORY;
	return run_lzma(&z, p, (struct span){ (char *)head, sizeof(head) }, in);
}

/* ---- ADC ------------------------------------------------------------------ */

/* Bytes as they are, or copies of the last 64 KiB.  The window is twice as
 * big, so that it moves once in 64 KiB. */
#define ADC_BACK 65536u
struct adc {
	struct pour *p;
	enum pour_outcome outcome;
	size_t len, given; /* of window */
	unsigned char window[2 * ADC_BACK + 128];
};

static bool
adc_flush(struct adc *a)
{
	bool more =
	    put(a->p, a->window + a->given, a->len - a->given, &a->outcome);

	if (a->len > ADC_BACK) {
		memmove(a->window, a->window + a->len - ADC_BACK, ADC_BACK);
		a->len = ADC_BACK;
	}
	a->given = a->len;
	return more;
}

static bool
adc_copy(struct adc *a, size_t back, size_t n)
{
	if (back > a->len) {
		a->outcome = POUR_BROKEN;
		return false;
	}
	for (size_t i = 0; i < n; i++, a->len++)
		a->window[a->len] = a->window[a->len - back];
	return true;
}

/* One command at in[*at], which moves behind it. */
static bool
adc_step(struct adc *a, struct span in, size_t *at)
{
	const unsigned char *b = (const unsigned char *)in.ptr + *at;
	size_t left = in.len - *at, n = *b & 0x7f;

	a->outcome = POUR_BROKEN;
	if (*b & 0x80) {
		if (left < n + 2)
			return false;
		memcpy(a->window + a->len, b + 1, n + 1);
		a->len += n + 1;
		*at += n + 2;
	} else if (*b & 0x40) {
		if (left < 3)
			return false;
		*at += 3;
		if (!adc_copy(
			a, ((size_t)b[1] << 8 | b[2]) + 1, (*b & 0x3fu) + 4))
			return false;
	} else {
		if (left < 2)
			return false;
		*at += 2;
		if (!adc_copy(a, ((size_t)(*b & 3) << 8 | b[1]) + 1,
			(size_t)(*b >> 2) + 3))
			return false;
	}
	a->outcome = POUR_DONE;
	return a->len < 2 * ADC_BACK || adc_flush(a);
}

enum pour_outcome
pour_adc(struct pour *p, struct span in)
{
	struct adc *a = calloc(1, sizeof(*a));
	enum pour_outcome why;
	size_t at = 0;

	if (a == NULL)
		return POUR_MEMORY;
	a->p = p;
	while (at < in.len && adc_step(a, in, &at))
		;
	why = a->outcome;
	if (why != POUR_STOPPED)
		(void)adc_flush(a);
	if (a->outcome == POUR_STOPPED)
		why = POUR_STOPPED;
	free(a);
	return why;
}

void
pour_note(struct peel *out, enum pour_outcome outcome)
{
	if (outcome == POUR_BROKEN)
		peel_note(out, PEEL_DAMAGED);
	else if (outcome == POUR_MEMORY)
		peel_note(out, PEEL_MEMORY);
}
