#ifndef FORMATS_OFFICE_FORMULA_H
#define FORMATS_OFFICE_FORMULA_H

#include "formats/office/part.h"

/* FORMULAS OF EXCEL AS TEXT, a line for each cell of a macro sheet.  The words
 * are those of clamscan, since signatures speak of them; where it gives up at
 * a token, this goes on. */

/* The text of one document's macros on its way to the sink, as one member. */
struct macro_text {
	struct office *office;
	struct buf line; /* what the sink does not have yet */
	bool wanted;
};
/* What follows does nothing once the sink wants no more. */
void macro_text_begin(struct macro_text *t, struct office *o);
/* "0006     25   FORMULA : Cell Formula", without its end. */
void macro_text_head(
    struct macro_text *t, unsigned type, size_t size, const char *head);
/* Characters of 8 bits as they are, or of 16 as UTF-8. */
void macro_text_chars(struct macro_text *t, struct span bytes, bool wide);
void macro_text_end_line(struct macro_text *t);
bool macro_text_end(struct macro_text *t);

/* How tokens are laid out: [MS-XLS] 2.5.198, [MS-XLSB] 2.5.98. */
enum formula_kind { FORMULA_BIFF8, FORMULA_BIFF12, FORMULA_KINDS };

/* " ptgInt 5 ptgInt 7 ptgAdd", in the order of the tokens. */
void
formula_add(struct macro_text *t, enum formula_kind kind, struct span tokens);

/* The name of a function, or of a command. */
#define FORMULA_COMMAND 0x8000u
#define FORMULA_UNKNOWN "<unknown function>"
const char *formula_function(uint16_t number);

#endif
