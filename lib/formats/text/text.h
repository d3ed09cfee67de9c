#ifndef TEXT_TEXT_H
#define TEXT_TEXT_H

#include "formats/peel.h"

/* Things that travel as text.  What each gives out, and what it leaves,
 * stands at the head of its source. */

void open_mail(struct span object, struct peel *out); /* and mbox files */
void open_uu(struct span object, struct peel *out);   /* uuencoded files */
void open_binhex(struct span object, struct peel *out);
void open_data_urls(struct span object, struct peel *out);

#endif
