#ifndef FORMATS_PDF_FILTER_H
#define FORMATS_PDF_FILTER_H

#include "formats/peel.h"

/* Stream filters (ISO 32000-1, 7.4) as a chain through which bytes are
 * pushed.  Each stage holds a small buffer, so memory does not depend on
 * what comes out; the work of all stages is counted against one budget, for
 * a chain may grow in its middle and give nothing at its end. */

enum pdf_method {
	PDF_FLATE,
	PDF_LZW,
	PDF_ASCII_HEX,
	PDF_ASCII_85,
	PDF_RUN_LENGTH,
	PDF_PREDICTOR, /* ours: a part of Flate and LZW in the file */
	PDF_METHODS
};
struct pdf_params {
	uint32_t predictor, columns, colors, bits;
	bool late; /* LZW: /EarlyChange 0 */
};
#define PDF_PARAMS_DEFAULT                                                     \
	((struct pdf_params){ .columns = 1, .colors = 1, .bits = 8 })

struct pdf_chain;
typedef bool pdf_to_fn(void *arg, struct span bytes);

struct pdf_chain *pdf_chain_new(void); /* NULL: no memory */
void pdf_chain_free(struct pdf_chain *c);

/* A new chain that ends in `to`, which returns false when it wants no more.
 * `work` is taken down by every byte that enters a stage. */
struct pdf_chain_end {
	pdf_to_fn *to;
	void *arg;
	struct peel *peel; /* for its tick */
	uint64_t *work;
};
void pdf_chain_reset(struct pdf_chain *c, const struct pdf_chain_end *end);
/* False: too many stages, or values of parameters that are not read here. */
bool pdf_chain_add(
    struct pdf_chain *c, enum pdf_method m, const struct pdf_params *p);

enum pdf_outcome {
	PDF_DONE,
	PDF_BROKEN, /* what came out before the fault was given out */
	PDF_WORKED, /* the budget is used up */
	PDF_STOPPED /* by `to` or the tick */
};
enum pdf_outcome pdf_chain_run(struct pdf_chain *c, struct span bytes);

#endif
