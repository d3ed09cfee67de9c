#ifndef FIGURE_FIGURE_H
#define FIGURE_FIGURE_H

#include "base/json.h"
#include "store/store.h"

/* A figure: a named number about one agency on one day.  Rooms declare what
 * they measure; this registry measures all of them for a day, keeps the
 * values, and reads them back.  Sums over a subtree are made by the reader;
 * ratios are never stored.  Days are of UTC+7 ("YYYY-MM-DD"). */

extern const struct migration figure_migrations[];

struct figure {
	const char *name;     /* "protection.computers.protected"; NULL ends */
	const char *unit;     /* English msgid: "computers" */
	const char *title;    /* English msgid: a few words */
	const char *sentence; /* English msgid: what it counts, exactly */
	const char *basis;    /* the law or letter behind it */
	/* Rows (agency_id, value).  ?1 = the instant in ms, ?2 and ?3 = first
	 * and first-after millisecond of its day. */
	const char *sql;
};

struct figure_value {
	struct uuid agency;
	int64_t value;
};

/* Measure one figure now, without storing it.  Agencies without a row have
 * the value 0. */
enum err figure_measure(struct sql *q, struct arena *a, const struct figure *f,
    int64_t at_ms, struct figure_value **out, size_t *count,
    struct errinfo *ei) MUST_USE;

/* Measure every figure of the list for the day that at_ms - 1 falls in, once:
 * a day that was measured stays as it is (ERR_EXISTS). */
enum err figure_snapshot(struct store *st, const struct figure *const *lists,
    int64_t at_ms, struct errinfo *ei) MUST_USE;

/* Measure the days that ended since the last one that was measured, a month
 * back at most, each as of its end; *days is how many.  Called before agents
 * are served again, what is known is still what was known then. */
enum err figure_catch_up(struct store *st, const struct figure *const *lists,
    int64_t now_ms, size_t *days, struct errinfo *ei) MUST_USE;

struct figure_day {
	const char *day;
	int64_t value; /* over all agencies, or one */
};
/* The stored days from..to (both in) of a figure; agency none = the sum.  A
 * day that was not measured is absent; one that was and found nothing is 0. */
enum err figure_history(struct sql *q, struct arena *a, const char *name,
    struct uuid agency, const char *from, const char *to,
    struct figure_day **out, size_t *count, struct errinfo *ei) MUST_USE;

#endif
