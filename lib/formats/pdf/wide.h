#ifndef FORMATS_PDF_WIDE_H
#define FORMATS_PDF_WIDE_H

#include "base/buf.h"

/* Other encodings to UTF-8; half a pair of surrogates is U+FFFD. */
void wide_add_utf16(struct buf *out, struct span s, bool big_endian);
/* One byte a character, as ISO 8859-1. */
void wide_add_latin1(struct buf *out, struct span s);

#endif
