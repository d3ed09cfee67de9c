#ifndef FORMATS_MAGIC_H
#define FORMATS_MAGIC_H

#include "formats/format.h"

/* What an object is, by its content alone.  BINARY_DATA when nothing is
 * known of it; one of the TEXT_* when it reads as text. */
enum format format_of(struct span object);

#endif
