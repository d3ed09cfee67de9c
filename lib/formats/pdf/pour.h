#ifndef FORMATS_PDF_POUR_H
#define FORMATS_PDF_POUR_H

#include "formats/peel.h"

/* Decompresses bytes into the member that is begun, in pieces: memory does
 * not depend on what comes out (LZMA: a dictionary of at most 64 MiB).  What
 * came out before a fault stays. */

enum pour_outcome {
	POUR_DONE,
	POUR_BROKEN,
	POUR_MEMORY,
	POUR_STOPPED /* by the sink: return at once */
};
/* `left` is how much may still come out; it counts down, and reaching 0 is
 * an end like any other. */
struct pour {
	struct peel *out;
	uint64_t left;
};
typedef enum pour_outcome pour_fn(struct pour *p, struct span in);

pour_fn pour_raw, pour_zlib, pour_bzip2;
pour_fn pour_xz;  /* .xz and .lzma */
pour_fn pour_adc; /* Apple's, of disk images */
/* LZMA1 behind its five bytes of properties, with no size before it. */
enum pour_outcome
pour_lzma(struct pour *p, struct span properties, struct span in);
/* Zero bytes. */
enum pour_outcome pour_zero(struct pour *p, uint64_t n);

/* POUR_BROKEN and POUR_MEMORY to the sink, as notes. */
void pour_note(struct peel *out, enum pour_outcome outcome);

#endif
