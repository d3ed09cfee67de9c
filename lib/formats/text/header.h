#ifndef TEXT_HEADER_H
#define TEXT_HEADER_H

#include "base/buf.h"

/* The head of a mail, or of a part of one (RFC 5322, 2045, 2183): the fields
 * that say how its body is to be read.  Spans are of the head itself. */
struct header {
	struct span type;        /* "multipart/mixed"; empty: not said */
	struct span encoding;    /* "base64" */
	struct span type_fields; /* what follows in Content-Type */
	struct span disposition; /* what follows in Content-Disposition */
};
#define HEADER_NAME_MAX 256u

/* Reads the head at *at, which is then behind the empty line that ends it, or
 * at the first line that is no field. */
struct header header_read(struct span s, size_t *at);
/* A parameter, unquoted, into `out`; false: it is not there.  Continuations
 * and percent signs as RFC 2231 has them. */
bool header_field(struct span fields, const char *name, struct buf *out);
/* The file name of a part: from either field, words as RFC 2047 has them
 * decoded. */
void header_file_name(const struct header *h, struct buf *out);

#endif
