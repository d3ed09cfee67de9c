#ifndef PACK_PACK_H
#define PACK_PACK_H

#include "formats/peel.h"

/* Containers that libarchive does not read.  What each gives out, and what
 * it leaves, stands at the head of its source. */

void open_szdd(struct span object, struct peel *out); /* SZDD, SZ, KWAJ */
void open_arj(struct span object, struct peel *out);
void open_chm(struct span object, struct peel *out);  /* ITSF */
void open_nsis(struct span object, struct peel *out); /* in or alone */
/* Archives that begin behind the first byte of any object, to its end. */
void open_embedded(struct span object, struct peel *out);
void open_inno(struct span object, struct peel *out);
void open_autoit(struct span object, struct peel *out);
/* Of a zip, members by methods that libarchive does not read. */
void open_zip_old(struct span object, struct peel *out);
void open_ishield(struct span object, struct peel *out); /* cabinets */
void open_ishield_msi(struct span object, struct peel *out);
void open_sis(struct span object, struct peel *out); /* EPOC, Symbian */

#endif
