#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/arena.h"

/* Rows of comma-separated text (RFC 4180; a UTF-8 byte-order mark, LF or
 * CRLF, and ';' or tab as the separator when the header row has no ',' are
 * taken too: spreadsheets write them).  Quoted fields may hold newlines. */

#define CSV_FIELDS_MAX 64
#define CSV_FIELD_MAX  4096 /* bytes */

struct csv {
	struct span rest;
	size_t line; /* where the current row began, from 1 */
	char separator;
};
struct csv_row {
	size_t line, count;
	struct span field[CSV_FIELDS_MAX]; /* of the text; or, where doubled
					      quotes were taken out, of the
					      arena */
};

struct csv csv_begin(struct span text);
/* *more is false at the end.  A stray quote, too many or too long fields and
 * invalid UTF-8 are ERR_SYNTAX or ERR_LIMIT with the line; reading goes on
 * behind the bad row with the next call. */
enum err csv_next(struct csv *c, struct arena *a, struct csv_row *row,
    bool *more, struct errinfo *ei) MUST_USE;

#endif
