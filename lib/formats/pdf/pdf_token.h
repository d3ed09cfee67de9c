#ifndef FORMATS_PDF_TOKEN_H
#define FORMATS_PDF_TOKEN_H

#include "base/buf.h"

/* The words of PDF (ISO 32000-1, 7.2 and 7.3), and a walk over the keys and
 * values of one object.  Nothing is copied; spans lie within the input. */

enum pdf_kind {
	PDF_END,
	PDF_NAME,   /* without its slash, escapes untouched */
	PDF_STRING, /* what stands between the brackets, escapes untouched */
	PDF_HEX,
	PDF_NUMBER,
	PDF_WORD, /* true, R, stream, ... and stray delimiters */
	PDF_REF,  /* "n g R": from the walk only; text is n */
	PDF_DICT, /* << */
	PDF_DICT_END,
	PDF_ARRAY,
	PDF_ARRAY_END
};
struct pdf_token {
	enum pdf_kind kind;
	struct span text;
};
struct pdf_lex {
	struct span s;
	size_t at;
};

bool pdf_is_white(char c);
/* White, a delimiter, or the end. */
bool pdf_is_border(struct span s, size_t at);
/* PDF_END once nothing is left. */
void pdf_lex_next(struct pdf_lex *l, struct pdf_token *t);
/* The same, where "n g R" is one. */
void pdf_lex_value(struct pdf_lex *l, struct pdf_token *t);

/* Names are compared decoded ("J#53" is "JS"). */
#define PDF_NAME_MAX 32u /* longer ones are none that we know */
struct pdf_name {
	char text[PDF_NAME_MAX];
	bool escaped;
};
void pdf_name_read(struct span raw, struct pdf_name *out);
/* Of PDF_STRING and PDF_HEX. */
void pdf_string_read(const struct pdf_token *t, struct buf *out);
/* UTF-16BE with a byte order mark to UTF-8; anything else as it is. */
void pdf_text_read(struct span s, struct buf *out);
/* An unsigned decimal, with nothing around it. */
bool pdf_number_read(struct span s, uint32_t *out);

/* One step of the walk: a value, with the key it stands under (that of the
 * array's for elements), the key of the dictionary around that, and how many
 * dictionaries and arrays are around it.  At PDF_DICT_END `level` is what was
 * collected for that dictionary. */
struct pdf_level {
	bool dict, has_key;
	struct span key;
	struct pdf_token file; /* a string under /F or /UF */
	uint32_t embedded;     /* the object under /EF; 0: none */
};
struct pdf_step {
	unsigned depth;
	struct span key, around;
	struct pdf_token value;
	size_t value_at;
	struct pdf_level *level;
};
#define PDF_DEPTH_MAX 256u
struct pdf_walk {
	struct pdf_lex lex;
	unsigned depth;
	bool over, too_deep;
	struct pdf_level level[PDF_DEPTH_MAX + 1];
};
void pdf_walk_start(struct pdf_walk *w, struct span s);
/* False after the end of the first value; w->lex.at is behind it. */
bool pdf_walk_next(struct pdf_walk *w, struct pdf_step *out);

#endif
