#ifndef TEXT_HTML_H
#define TEXT_HTML_H

#include "base/buf.h"

/* Pages as signatures for HTML are written against: three texts of one page,
 * as ClamAV makes them (docs/dev/clamscan.md has what differs). */
struct html {
	struct buf plain;   /* small letters, without comments */
	struct buf text;    /* without tags, but with their links */
	struct buf scripts; /* as script_normalise() has them */
};
/* Each is as long as the page at most, or a little longer.  Cut where memory
 * ends. */
void html_normalise(struct span page, struct html *out);
/* Whether text is a page: it holds one of the tags that say so. */
bool html_is_page(struct span text);
/* What an entity stands for; `s` begins behind its ampersand.  How many bytes
 * it is, 0 for none; `closed`: with a semicolon. */
size_t html_entity(struct span s, uint32_t *code, bool *closed);

/* A script: blanks and comments gone, strings joined and decoded, variables
 * that it declares numbered.  Adds to `out`. */
void script_normalise(struct span script, struct buf *out);

#endif
