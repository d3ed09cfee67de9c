#ifndef AGENCIES_AGENCIES_INT_H
#define AGENCIES_AGENCIES_INT_H

#include "agencies/agencies.h"

/* Rows of the tree on `day` as JSON, for pages and API alike: id, code, name,
 * kind, parent, from, to, depth, and the figures measured now. */
enum err agencies_list(const struct http_req *rq, const char *day, json_t **out,
    struct errinfo *ei) MUST_USE;

/* Import CSV text.  On ERR_SYNTAX with *report set, the report names every
 * bad row; without, the table as a whole cannot be read. */
enum err agencies_import(const struct http_req *rq, struct span csv,
    json_t **report, struct errinfo *ei) MUST_USE;

/* The day asked for ("day" of the query), or today. */
enum err agencies_day(const struct http_req *rq, char out[TIME_TEXT_MAX],
    struct errinfo *ei) MUST_USE;

extern const struct route agencies_routes[];

#endif
