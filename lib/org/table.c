#include "org/table.h"

#include <string.h>
#include <strings.h>

#include "base/i18n.h"

#define PROBLEMS_MAX 1000 /* more bad rows than anybody reads */

static bool
named(struct span cell, const char *name)
{
	return cell.len == strlen(name) &&
	    strncasecmp(cell.ptr, name, cell.len) == 0;
}

enum err
table_begin(struct table *t, struct span text,
    const struct table_column *columns, struct arena *a, struct errinfo *ei)
{
	struct csv_row header;
	bool more = false;
	enum err e;

	*t = (struct table){
		.csv = csv_begin(text), .arena = a, .columns = columns
	};
	e = csv_next(&t->csv, a, &header, &more, ei);
	if (e == ERR_SYNTAX || e == ERR_LIMIT)
		return err_set(ei, e,
		    N_("the first row is not readable: is it CSV in UTF-8?"));
	if (e != OK)
		return e;
	t->width = header.count;
	for (int i = 0; columns[i].vi != NULL; i++) {
		t->at[i] = -1;
		t->heading[i] = span_of(columns[i].vi);
		for (size_t k = 0; more && k < header.count; k++) {
			struct span cell = span_trim(header.field[k]);

			if (!named(cell, columns[i].vi) &&
			    !named(cell, columns[i].en))
				continue;
			t->at[i] = (int)k;
			t->heading[i] = cell;
		}
		if (columns[i].needed && t->at[i] < 0)
			return err_field(ei, ERR_SYNTAX, columns[i].vi,
			    N_("the table lacks a column"));
	}
	return OK;
}

enum err
table_problem(struct table *t, size_t line, const char *column, const char *why,
    struct errinfo *ei)
{
	if (t->problem_count == PROBLEMS_MAX)
		return err_set(
		    ei, ERR_LIMIT, N_("the table has too many bad rows"));
	if (t->problems == NULL)
		t->problems =
		    ARENA_NEW(t->arena, struct org_row_problem, PROBLEMS_MAX);
	if (t->problems == NULL)
		return err_set(ei, ERR_NOMEM, "bad rows");
	t->problems[t->problem_count++] =
	    (struct org_row_problem){ line, column, why };
	return OK;
}

/* Whether a cell at or behind `from` holds anything: spreadsheets write empty
 * cells behind the last column, and empty rows behind the last one. */
static bool
holds(const struct csv_row *row, size_t from)
{
	for (size_t i = from; i < row->count; i++)
		if (span_trim(row->field[i]).len > 0)
			return true;
	return false;
}

/* What is wrong with the shape of a row, or NULL. */
static const char *
misshapen(const struct table *t, const struct csv_row *row)
{
	if (holds(row, t->width))
		return N_("the row has more cells than the table has columns: "
			  "text with commas stands in quotes");
	return row->count < t->width
	    ? N_("the row has fewer cells than the table has columns")
	    : NULL;
}

enum err
table_next(struct table *t, struct csv_row *row, bool *more, struct errinfo *ei)
{
	for (;;) {
		const char *why = N_("the row is not readable: quotes, "
				     "length or encoding");
		size_t line = t->csv.line;
		enum err e = csv_next(&t->csv, t->arena, row, more, ei);

		if (e == OK && *more) {
			if (!holds(row, 0))
				continue;
			line = row->line;
			why = misshapen(t, row);
			if (why == NULL)
				return OK;
		} else if (e != ERR_SYNTAX && e != ERR_LIMIT) {
			return e;
		}
		e = table_problem(t, line, "", why, ei);
		if (e != OK)
			return e;
	}
}

struct span
table_cell(const struct table *t, const struct csv_row *row, int i)
{
	if (t->at[i] < 0 || (size_t)t->at[i] >= row->count)
		return (struct span){ "", 0 };
	return span_trim(row->field[t->at[i]]);
}

json_t *
table_problem_json(const struct table *t, const struct org_row_problem *problem,
    const struct i18n *lang)
{
	json_t *o = json_object();

	json_put_int(o, "line", (int64_t)problem->line);
	json_put_text(o, "column", span_of(problem->column));
	for (int i = 0; t->columns[i].vi != NULL; i++)
		if (strcmp(t->columns[i].en, problem->column) == 0)
			json_put_text(o, "heading", t->heading[i]);
	json_put_text(o, "why", span_of(i18n_text(lang, problem->why)));
	return o;
}

bool
table_text_ok(struct span s, size_t max)
{
	if (s.len == 0 || s.len > max || !span_utf8(s))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return true;
}
