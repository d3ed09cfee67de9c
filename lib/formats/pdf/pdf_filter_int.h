#ifndef FORMATS_PDF_FILTER_INT_H
#define FORMATS_PDF_FILTER_INT_H

#include "formats/pdf/pdf_filter.h"

#include <zlib.h>

#define PDF_STAGES_MAX 16u
#define PDF_PIECE      16384u
#define PDF_LZW_CODES  4096u

struct pdf_lzw {
	uint32_t bits, held, width, next, early;
	uint32_t before; /* the code before, or PDF_LZW_CODES */
	uint16_t prefix[PDF_LZW_CODES];
	uint16_t length[PDF_LZW_CODES];
	unsigned char first[PDF_LZW_CODES], last[PDF_LZW_CODES];
	unsigned char text[PDF_LZW_CODES];
};
struct pdf_rows { /* predictors */
	struct pdf_params params;
	size_t row, pixel; /* bytes */
	size_t have;       /* of `now`, its tag counted */
	unsigned char *now, *before;
};
struct pdf_stage {
	const struct pdf_filter *filter;
	bool done; /* its end mark was met, or it broke */
	unsigned char out[PDF_PIECE];
	size_t out_len;
	union {
		struct {
			z_stream z;
			unsigned head; /* bytes of the zlib header seen */
			unsigned char head_byte;
		} flate;
		struct {
			uint32_t n, value;
			bool begun;
		} ascii;
		struct {
			uint32_t copy;
			bool repeat;
		} run;
		struct pdf_lzw lzw;
		struct pdf_rows rows;
	} u;
};
/* push(): false when the stage wants no more, or a later one does not.
 * end(): gives out what it still holds.  stop(): frees. */
struct pdf_filter {
	bool (*start)(struct pdf_stage *s, const struct pdf_params *p);
	bool (*push)(struct pdf_chain *c, unsigned i, struct span bytes);
	void (*end)(struct pdf_chain *c, unsigned i);
	void (*stop)(struct pdf_stage *s);
};
struct pdf_chain {
	struct pdf_chain_end end;
	unsigned n;
	enum pdf_outcome outcome;
	struct pdf_stage *stage[PDF_STAGES_MAX]; /* made when first used */
};

extern const struct pdf_filter pdf_filter_flate, pdf_filter_lzw,
    pdf_filter_ascii_hex, pdf_filter_ascii_85, pdf_filter_run_length,
    pdf_filter_predictor;

/* Hands bytes of stage i to the one behind it. */
bool pdf_stage_pass(struct pdf_chain *c, unsigned i, struct span bytes);
bool pdf_stage_flush(struct pdf_chain *c, unsigned i);
/* The stage met a fault: what it gave stays, no more is taken. */
bool pdf_stage_broke(struct pdf_chain *c, unsigned i);

static inline bool
pdf_stage_byte(struct pdf_chain *c, unsigned i, unsigned byte)
{
	struct pdf_stage *s = c->stage[i];

	s->out[s->out_len++] = (unsigned char)byte;
	return s->out_len < PDF_PIECE || pdf_stage_flush(c, i);
}

#endif
