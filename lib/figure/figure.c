#include "figure/figure.h"

#include <string.h>

#define VALUES_MAX  20000 /* agencies of one figure */
#define HISTORY_MAX 4000  /* days in one answer */

/* A centre that was off for longer lost the days before: a clock that jumps
 * ahead must not invent a year. */
#define CATCH_UP_DAYS 31

const struct migration figure_migrations[] = {
	{ "0001-figures",
	    "CREATE TABLE figure_values (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  name TEXT NOT NULL,\n"
	    "  day TEXT NOT NULL,\n"
	    "  value INTEGER NOT NULL,\n"
	    "  measured_ms {TIME} NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, name, day)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX figure_values_day ON figure_values (name, day);\n"
	    "CREATE TABLE figure_days (\n"
	    "  day TEXT NOT NULL PRIMARY KEY,\n"
	    "  measured_ms {TIME} NOT NULL\n"
	    ") {GLOBAL}" },
	{ NULL, NULL },
};

/* First and first-after millisecond of the Vietnamese day of an instant. */
static void
day_bounds(int64_t at_ms, int64_t *from, int64_t *to)
{
	int64_t local = at_ms + VN_OFFSET_MS;

	*from = local - local % DAY_MS - VN_OFFSET_MS;
	*to = *from + DAY_MS;
}

enum err
figure_measure(struct sql *q, struct arena *a, const struct figure *f,
    int64_t at_ms, struct figure_value **out, size_t *count, struct errinfo *ei)
{
	struct figure_value *values =
	    ARENA_NEW(a, struct figure_value, VALUES_MAX);
	struct sql_rows r = { 0 };
	int64_t from, to;
	bool more = false;
	size_t n = 0;
	enum err e;

	if (values == NULL)
		return err_set(ei, ERR_NOMEM, "figure %s", f->name);
	day_bounds(at_ms, &from, &to);
	e = sql_query(
	    q, &r, ei, f->sql, SQL_INT(at_ms), SQL_INT(from), SQL_INT(to));
	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more) {
		if (n == VALUES_MAX) {
			e = err_set(
			    ei, ERR_LIMIT, "figure %s: agencies", f->name);
			break;
		}
		values[n++] =
		    (struct figure_value){ sql_uuid(&r, 0), sql_int(&r, 1) };
	}
	sql_end(&r);
	if (e == OK) {
		*out = values;
		*count = n;
	}
	return e;
}

struct snapshot_job {
	const struct figure *const *lists;
	int64_t at_ms;
};

static enum err
store_value(struct sql *q, const struct figure *f, struct uuid agency,
    int64_t value, int64_t at_ms, const char *day, struct errinfo *ei)
{
	return sql_exec(q, NULL, ei,
	    "INSERT INTO figure_values (agency_id, name, day, value,"
	    " measured_ms) VALUES (?1, ?2, ?3, ?4, ?5)"
	    " ON CONFLICT (agency_id, name, day) DO NOTHING",
	    SQL_UUID(agency), SQL_STR(f->name), SQL_STR(day), SQL_INT(value),
	    SQL_INT(at_ms));
}

/* The row of no agency says that the figure was measured that day: where an
 * agency has no row its value was 0, and not unknown. */
static enum err
store_figure(struct sql *q, const struct figure *f, int64_t at_ms,
    const char *day, struct errinfo *ei)
{
	struct arena *a = arena_new(VALUES_MAX * 64);
	struct figure_value *values = NULL;
	size_t n = 0;
	enum err e = a == NULL
	    ? err_set(ei, ERR_NOMEM, "figure %s", f->name)
	    : figure_measure(q, a, f, at_ms - 1, &values, &n, ei);

	if (e == OK)
		e = store_value(q, f, (struct uuid){ 0 }, 0, at_ms, day, ei);
	for (size_t i = 0; e == OK && i < n; i++)
		e = store_value(
		    q, f, values[i].agency, values[i].value, at_ms, day, ei);
	arena_free(a);
	return e;
}

static enum err
snapshot(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct snapshot_job *job = arg;
	char day[TIME_TEXT_MAX];
	int64_t added = 0;
	enum err e;

	time_day(job->at_ms - 1, day);
	e = sql_exec(q, &added, ei,
	    "INSERT INTO figure_days (day, measured_ms) VALUES (?1, ?2)"
	    " ON CONFLICT (day) DO NOTHING",
	    SQL_STR(day), SQL_INT(job->at_ms));
	if (e == OK && added == 0)
		return err_set(ei, ERR_EXISTS, "day %s was measured", day);
	for (size_t l = 0; e == OK && job->lists[l] != NULL; l++)
		for (const struct figure *f = job->lists[l];
		     e == OK && f->name != NULL; f++)
			e = store_figure(q, f, job->at_ms, day, ei);
	return e;
}

enum err
figure_snapshot(struct store *st, const struct figure *const *lists,
    int64_t at_ms, struct errinfo *ei)
{
	struct snapshot_job job = { lists, at_ms };

	return store_write(st, snapshot, &job, ei);
}

struct last_job {
	char day[TIME_TEXT_MAX]; /* "" when none was measured yet */
};

static enum err
last_measured(struct sql *q, void *arg, struct errinfo *ei)
{
	struct last_job *job = arg;
	struct arena *a = arena_new(4096);
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = a == NULL
	    ? err_set(ei, ERR_NOMEM, "figures")
	    : sql_query(q, &r, ei, "SELECT max(day) FROM figure_days");

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && more && !sql_is_null(&r, 0)) {
		struct span day = sql_bytes(&r, 0, a);

		if (day.ptr != NULL && day.len < sizeof(job->day))
			memcpy(job->day, day.ptr, day.len);
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

enum err
figure_catch_up(struct store *st, const struct figure *const *lists,
    int64_t now_ms, size_t *days, struct errinfo *ei)
{
	struct last_job last = { "" };
	int64_t midnight, at, day_ms;
	size_t n = 0;
	enum err e = store_read(st, last_measured, &last, ei);

	day_bounds(now_ms, &midnight, &day_ms);
	at = midnight;
	if (e == OK && time_parse_day(span_of(last.day), &day_ms) == OK) {
		if (day_ms == midnight - DAY_MS)
			at = midnight + DAY_MS; /* nothing to do */
		else if (day_ms < midnight)
			at = day_ms + 2 * DAY_MS;
		if (at < midnight - CATCH_UP_DAYS * DAY_MS)
			at = midnight - CATCH_UP_DAYS * DAY_MS;
	}
	for (; e == OK && at <= midnight; at += DAY_MS) {
		e = figure_snapshot(st, lists, at, ei);
		n += e == OK;
		if (e == ERR_EXISTS)
			e = OK;
	}
	if (e == OK)
		*days = n;
	return e;
}

enum err
figure_history(struct sql *q, struct arena *a, const char *name,
    struct uuid agency, const char *from, const char *to,
    struct figure_day **out, size_t *count, struct errinfo *ei)
{
	static const struct uuid nobody = { { 0 } };
	struct figure_day *days = ARENA_NEW(a, struct figure_day, HISTORY_MAX);
	struct sql_rows r = { 0 };
	bool more = false;
	size_t n = 0;
	enum err e;

	if (days == NULL)
		return err_set(ei, ERR_NOMEM, "history of %s", name);
	e = sql_query(q, &r, ei,
	    "SELECT day, CAST(sum(value) AS BIGINT) FROM figure_values"
	    " WHERE name = ?1 AND day BETWEEN ?2 AND ?3"
	    " AND (?4 = 1 OR agency_id = ?5 OR agency_id = ?6)"
	    " GROUP BY day ORDER BY day LIMIT 4000",
	    SQL_STR(name), SQL_STR(from), SQL_STR(to),
	    SQL_INT(uuid_none(agency)), SQL_UUID(agency), SQL_UUID(nobody));
	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
		days[n++] =
		    (struct figure_day){ sql_text(&r, 0, a), sql_int(&r, 1) };
	sql_end(&r);
	if (e == OK) {
		*out = days;
		*count = n;
	}
	return e;
}
