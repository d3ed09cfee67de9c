#ifndef SCAN_UNPACK_H
#define SCAN_UNPACK_H

#include "scan/object/type.h"
#include "scan/scan.h"

/* One level of packing, through libarchive.  The packed bytes are in memory
 * and must outlive the unpacker.  One thread at a time. */
struct unpack;

/* What can go wrong is a reason, never an error: SCAN_R_NONE is fine.
 * PACK_STREAM with `with_tar` reads a tar inside the stream member by
 * member, which takes no memory for the tar itself. */
enum scan_reason unpack_open(
    struct span packed, enum pack how, bool with_tar, struct unpack **out);
void unpack_close(struct unpack *u); /* accepts NULL */

struct unpack_member {
	const char *name; /* bytes as packed, until the next member; or "" */
	uint64_t size;    /* as it says, or UINT64_MAX */
	bool encrypted;   /* its bytes cannot be read */
	bool withheld;    /* they are not given: it says to be no file */
	bool old;         /* nor are these: a method of open_zip_old() */
};
/* False at the end; *why says whether it was reached in order. */
bool
unpack_next(struct unpack *u, struct unpack_member *out, enum scan_reason *why);
/* The next piece of the member, borrowed until the next call, and where it
 * stands in it: what lies between pieces is zeros.  False at the end of the
 * member, or when *why was set; what came before counts. */
bool unpack_piece(
    struct unpack *u, struct span *piece, uint64_t *at, enum scan_reason *why);

#endif
