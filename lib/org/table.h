#ifndef ORG_TABLE_H
#define ORG_TABLE_H

#include "base/csv.h"
#include "base/i18n.h"
#include "org/org.h"

/* An uploaded table: CSV whose header names its columns, in any order, in
 * Vietnamese or English.  Rows that cannot be read at all become problems
 * beside those that the importer finds. */

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *vi, *en; /* header names; vi NULL ends the list */
	bool needed;
};

struct table {
	struct csv csv;
	struct arena *arena;
	const struct table_column *columns;
	size_t width;              /* columns of the file */
	int at[TABLE_COLUMNS_MAX]; /* position in the file, -1 = absent */
	struct span heading[TABLE_COLUMNS_MAX]; /* as the file writes it */
	struct org_row_problem *problems;
	size_t problem_count, problem_max;
};

/* Reads the header.  ERR_SYNTAX with ei->field = the missing column. */
enum err table_begin(struct table *t, struct span text,
    const struct table_column *columns, struct arena *a,
    struct errinfo *ei) MUST_USE;
/* The next readable row with no cell beyond the header's; *more false at the
 * end. */
enum err table_next(struct table *t, struct csv_row *row, bool *more,
    struct errinfo *ei) MUST_USE;
/* The cell of column i, trimmed; empty if absent. */
struct span table_cell(const struct table *t, const struct csv_row *row, int i);
enum err table_problem(struct table *t, size_t line, const char *column,
    const char *why, struct errinfo *ei) MUST_USE;

/* One problem for a reader: line, column (its English name), heading (what
 * the file calls it) and, translated, why. */
json_t *table_problem_json(const struct table *t,
    const struct org_row_problem *problem, const struct i18n *lang);

/* Text for a name: 1 to `max` bytes of UTF-8 without control characters. */
bool table_text_ok(struct span s, size_t max);

#endif
