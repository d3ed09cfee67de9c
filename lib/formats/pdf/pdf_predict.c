/* Predictors (ISO 32000-1, 7.4.4.4): those of PNG tag every row with the way
 * it was made, that of TIFF is the difference to the pixel on the left. */

#include "formats/pdf/pdf_filter_int.h"

#include <stdlib.h>
#include <string.h>

#define ROW_MAX (1u << 20) /* bytes */

static bool
rows_start(struct pdf_stage *s, const struct pdf_params *p)
{
	struct pdf_rows *r = &s->u.rows;
	uint64_t bits = (uint64_t)p->colors * p->bits;

	if (p->colors == 0 || p->colors > 256 || p->bits == 0 || p->bits > 16 ||
	    (p->bits & (p->bits - 1)) != 0 || p->columns == 0 ||
	    p->columns > ROW_MAX * 8 / bits)
		return false;
	r->params = *p;
	r->row = (size_t)((bits * p->columns + 7) / 8);
	r->pixel = (size_t)((bits + 7) / 8);
	r->now = calloc(2, r->row + 1);
	if (r->now == NULL)
		return false;
	r->before = r->now + r->row + 1;
	return true;
}

static void
rows_stop(struct pdf_stage *s)
{
	struct pdf_rows *r = &s->u.rows;

	free(r->now < r->before ? r->now : r->before);
}

static unsigned
paeth(unsigned a, unsigned b, unsigned c)
{
	int p = (int)a + (int)b - (int)c;
	int pa = abs(p - (int)a), pb = abs(p - (int)b), pc = abs(p - (int)c);

	if (pa <= pb && pa <= pc)
		return a;
	return pb <= pc ? b : c;
}

/* now[0] is the tag; the row before has one too, which does not count. */
static void
undo_png(struct pdf_rows *r, size_t n)
{
	unsigned tag = r->now[0];

	for (size_t i = 1; i <= n; i++) {
		unsigned a = i > r->pixel ? r->now[i - r->pixel] : 0;
		unsigned c = i > r->pixel ? r->before[i - r->pixel] : 0;
		unsigned b = r->before[i], guess = 0;

		if (tag == 1)
			guess = a;
		else if (tag == 2)
			guess = b;
		else if (tag == 3)
			guess = (a + b) / 2;
		else if (tag == 4)
			guess = paeth(a, b, c);
		r->now[i] = (unsigned char)(r->now[i] + guess);
	}
}

static void
undo_tiff_bits(unsigned char *row, size_t n, const struct pdf_params *p)
{
	unsigned bits = p->bits, mask = (1u << bits) - 1;
	size_t all = n * 8 / bits;
	unsigned char left[256] = { 0 };

	for (size_t i = 0; i < all; i++) {
		unsigned char *at = &row[i * bits / 8];
		unsigned shift = 8 - bits - (unsigned)(i * bits % 8);
		unsigned char *l = &left[i % p->colors];

		*l = (unsigned char)((*l + ((unsigned)*at >> shift)) & mask);
		*at = (unsigned char)(((unsigned)*at & ~(mask << shift)) |
		    (unsigned)*l << shift);
	}
}

static void
undo_tiff(struct pdf_rows *r, size_t n)
{
	unsigned char *row = r->now + 1;

	if (r->params.bits < 8) {
		undo_tiff_bits(row, n, &r->params);
		return;
	}
	for (size_t i = r->pixel; i < n && r->params.bits == 8; i++)
		row[i] = (unsigned char)(row[i] + row[i - r->pixel]);
	for (size_t i = r->pixel; i + 1 < n && r->params.bits == 16; i += 2) {
		const unsigned char *a = &row[i - r->pixel];
		unsigned sum = (unsigned)row[i] * 256 + row[i + 1] +
		    (unsigned)a[0] * 256 + a[1];

		row[i] = (unsigned char)(sum >> 8);
		row[i + 1] = (unsigned char)sum;
	}
}

/* The row, as far as it came. */
static bool
give_row(struct pdf_chain *c, unsigned i)
{
	struct pdf_rows *r = &c->stage[i]->u.rows;
	struct pdf_stage *s = c->stage[i];
	unsigned char *now = r->now;
	size_t n = r->have - 1;

	if (r->params.predictor >= 10)
		undo_png(r, n);
	else
		undo_tiff(r, n);
	r->now = r->before;
	r->before = now;
	r->have = 0;
	if (n > PDF_PIECE - s->out_len && !pdf_stage_flush(c, i))
		return false;
	if (n > PDF_PIECE)
		return pdf_stage_pass(
		    c, i, (struct span){ (char *)now + 1, n });
	memcpy(s->out + s->out_len, now + 1, n); /* short ones together */
	s->out_len += n;
	return true;
}

static bool
rows_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_rows *r = &c->stage[i]->u.rows;

	while (bytes.len > 0) {
		size_t n;

		if (r->have == 0 && r->params.predictor < 10)
			r->have = 1; /* TIFF has no tag */
		n = r->row + 1 - r->have;
		if (n > bytes.len)
			n = bytes.len;
		memcpy(r->now + r->have, bytes.ptr, n);
		r->have += n;
		bytes = span_from(bytes, n);
		if (r->have == r->row + 1 && !give_row(c, i))
			return false;
	}
	return true;
}

static void
rows_end(struct pdf_chain *c, unsigned i)
{
	if (c->stage[i]->u.rows.have > 1)
		(void)give_row(c, i);
}

const struct pdf_filter pdf_filter_predictor = { .start = rows_start,
	.push = rows_push,
	.end = rows_end,
	.stop = rows_stop };
