/* The text that a content stream shows (ISO 32000-1, 9.4): the strings
 * between BT and ET, one line for each of these.  Bytes are those of the
 * font's encoding, which for plain documents is ASCII. */

#include "formats/pdf/pdf_int.h"

void
pdf_contents_text(struct span content, struct buf *out)
{
	struct pdf_lex l = { content, 0 };
	struct pdf_token t;
	bool within = false;

	for (;;) {
		pdf_lex_next(&l, &t);
		if (t.kind == PDF_END)
			break;
		if (within && (t.kind == PDF_STRING || t.kind == PDF_HEX))
			pdf_string_read(&t, out);
		if (t.kind != PDF_WORD)
			continue;
		if (span_is(t.text, "BT"))
			within = true;
		if (within && span_is(t.text, "ET")) {
			buf_char(out, '\n');
			within = false;
		}
	}
}
