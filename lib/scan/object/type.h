#ifndef SCAN_TYPE_H
#define SCAN_TYPE_H

#include "base/buf.h"
#include "formats/format.h"
#include "scan/set/format.h"

/* What an object is, by its first bytes. */

/* How it is unpacked. */
enum pack {
	PACK_NONE,
	PACK_ARCHIVE, /* zip, tar, 7z, ...: members with names */
	PACK_STREAM,  /* gzip, xz, ...: one nameless member */
	PACK_LOCAL,   /* a zip, by what stands before each member alone */
};
enum pack type_pack(struct span object);

/* A zip may stand behind anything: a program that unpacks itself, a picture,
 * another zip.  What it counts from, and where the bytes before it end. */
struct zip_place {
	size_t base, front;
};
/* `loose`: a little may stand behind it. */
bool type_zip_at_end(struct span object, bool loose, struct zip_place *out);

/* The kind of document that a zip is (OOXML), or FORMAT_ANY. */
enum format type_document(struct span zip);

/* Scripts hide in white space and capital letters: signatures for target 7
 * are written against text in small letters, each run of white space one
 * blank, control characters and bytes above 7f left out. */
#define TEXT_NORMAL_MAX (20u << 20) /* ClamAV's limit as well */
void text_normalise(struct span object, struct buf *out);

#endif
