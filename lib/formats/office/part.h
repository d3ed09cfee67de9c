#ifndef FORMATS_OFFICE_PART_H
#define FORMATS_OFFICE_PART_H

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/peel.h"

/* What the openers of this folder share: the parts that one kind of document
 * borrows from another.  A function that returns bool returns false when the
 * sink wants no more. */

enum office_suspicion {
	OFFICE_MACRO_VBA,
	OFFICE_MACRO_XLM,
	OFFICE_ENCRYPTED,
	OFFICE_RTF_OBJECT,
	OFFICE_SUSPICIONS
};

/* One document on its way to the sink. */
struct office {
	struct peel *out;
	uint64_t object;  /* bytes of the whole document: what memory may be */
	unsigned noted;   /* bits of enum peel_problem already told */
	unsigned told;    /* bits of enum office_suspicion */
	unsigned members; /* that had no name of their own */
	bool hwp_deflated, hwp_distributed; /* as FileHeader says it */
};

struct office office_begin(struct span object, struct peel *out);
void office_note(struct office *o, enum peel_problem why);
void office_suspect(struct office *o, enum office_suspicion what);
/* It needs a password: both.  True, as an opener of parts. */
bool office_secret(struct office *o);
/* "name/N" with the next number; the text lives in `text`. */
#define OFFICE_NAME 48u
struct span
office_name_next(struct office *o, const char *name, char text[OFFICE_NAME]);

/* Deflated bytes as a member, inflated piece by piece. */
struct office_packed {
	struct span name, bytes;
	bool raw;    /* without the frame of zlib */
	bool loose;  /* nothing is said of what is no deflated data */
	size_t skip; /* bytes in front of the member */
};
bool office_inflate(struct office *o, const struct office_packed *p);

/* Of a document of Hangul: what its FileHeader says, and what a stream is
 * that may be deflated. */
void hwp_begin(struct office *o, struct span header);
bool hwp_stream_open(struct office *o, struct span path, struct span stream);

/* The streams of compound files that hold more than meets the eye. */
typedef bool office_part_fn(struct office *o, struct span stream);
office_part_fn word_open;         /* WordDocument */
office_part_fn excel_open;        /* Workbook, Book */
office_part_fn powerpoint_open;   /* PowerPoint Document */
office_part_fn presenter_open;    /* Current User, of PowerPoint */
office_part_fn native_open;       /* \1Ole10Native */
office_part_fn vba_open;          /* any other */
office_part_fn message_body_open; /* compressed RTF of a mail */

/* What OLE 1 kept of an object ([MS-OLEDS] 2.2.4): its header, then the bytes
 * of the program it belongs to. */
bool ole1_open(struct office *o, struct span object);

#endif
