#ifndef FORMATS_PDF_H
#define FORMATS_PDF_H

#include "formats/peel.h"

/* PDF (ISO 32000).  No table of the file is believed: objects are what looks
 * like "n g obj", wherever that stands, and a stream ends where its /Length
 * says only if "endstream" follows there.  Members:
 *
 *   "stream N"       a decoded stream of object N; as it stands when a filter
 *                    is for pixels (DCT, JPX, CCITT, JBIG2) or unknown
 *   "stream N plain" the same before its predictor was undone
 *   the file's name  an embedded file ("obj N" when it has none)
 *   "js/N"           code, string or stream, as UTF-8; FORMAT_SCRIPT
 *   "js/N raw"       the string with its escapes, when that is different
 *   "text N"         the strings that a content stream shows
 *   "obj N"          an object that starts programs, runs on opening, or is
 *                    a note with text
 *
 * Objects within object streams count as any other.  Suspects: Pdf.JavaScript
 * Pdf.Launch Pdf.EmbeddedFile Pdf.ObfuscatedName Encrypted.Pdf.  Encrypted
 * documents are noted and read as far as they are not encrypted. */
void open_pdf(struct span object, struct peel *out);

/* Flash: "FWS" is the file unpacked, "binary N" what its code carries. */
void open_swf(struct span object, struct peel *out);

/* Shell links of Windows (MS-SHLLINK): "lnk" is a text of UTF-8 lines
 * "arguments: ..." of all strings; "overlay" is what stands behind. */
void open_lnk(struct span object, struct peel *out);

/* XDP, a PDF as base64 in XML: "chunk 1", ... */
void open_xdp(struct span object, struct peel *out);

#endif
