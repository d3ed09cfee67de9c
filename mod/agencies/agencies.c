#include "agencies/agencies_int.h"

#include <string.h>

#include "org/table.h"

/* ---- list ---- */

/* Figures shown beside each agency, with all below it, if some room measures them. */
static const struct {
	const char *member, *figure;
} shown[] = {
	{ "computers", "protection.computers.total" },
	{ "protected", "protection.computers.protected" },
};

struct list_job {
	const struct http_req *rq;
	const char *day;
	json_t *rows;
};

static enum err
put_figure(struct sql *q, const struct list_job *job,
    const struct org_agency *tree, size_t n, size_t which, struct errinfo *ei)
{
	const struct centre *c = centre_of(job->rq);
	const struct figure *f = centre_figure(c, shown[which].figure);
	struct figure_value *values;
	int64_t *sums;
	size_t count;
	enum err e;

	if (f == NULL)
		return OK;
	sums = ARENA_NEW(job->rq->arena, int64_t, n + 1);
	if (sums == NULL)
		return err_set(ei, ERR_NOMEM, "%zu agencies", n);
	e = figure_measure(
	    q, job->rq->arena, f, clock_utc_ms(c->clock), &values, &count, ei);
	if (e != OK)
		return e;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < count; k++)
			if (uuid_eq(values[k].agency, tree[i].id))
				sums[i] = values[k].value;
	org_agency_sum(tree, n, sums);
	for (size_t i = 0; i < n; i++)
		json_put_int(
		    json_array_get(job->rows, i), shown[which].member, sums[i]);
	return OK;
}

static json_t *
agency_json(const struct org_agency *a)
{
	json_t *o = json_object();

	json_put_uuid(o, "id", a->id);
	json_put_text(o, "code", span_of(a->code));
	json_put_text(o, "name", span_of(a->name));
	json_put_text(o, "kind", span_of(a->kind));
	if (!uuid_none(a->parent))
		json_put_uuid(o, "parent", a->parent);
	json_put_text(o, "from", span_of(a->from));
	page_put_day(o, "from_text", span_of(a->from));
	page_put_day(o, "to_text", span_of(a->to));
	json_put_text(o, "to", span_of(a->to));
	json_put_int(o, "depth", a->depth);
	return o;
}

static enum err
list(struct sql *q, void *arg, struct errinfo *ei)
{
	struct list_job *job = arg;
	struct org_agency *tree;
	size_t n;
	enum err e =
	    org_agency_tree(q, job->rq->arena, job->day, &tree, &n, ei);

	if (e != OK)
		return e;
	(void)json_array_clear(job->rows);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(job->rows, agency_json(&tree[i]));
	for (size_t i = 0; e == OK && i < COUNT(shown); i++)
		e = put_figure(q, job, tree, n, i, ei);
	return e;
}

enum err
agencies_list(const struct http_req *rq, const char *day, json_t **out,
    struct errinfo *ei)
{
	struct list_job job = { rq, day, json_array() };
	enum err e = store_read(centre_of(rq)->store, list, &job, ei);

	if (e == OK)
		*out = job.rows;
	else
		json_decref(job.rows);
	return e;
}

enum err
agencies_day(
    const struct http_req *rq, char out[TIME_TEXT_MAX], struct errinfo *ei)
{
	struct span day = http_query(rq, "day");
	int64_t ms = clock_utc_ms(centre_of(rq)->clock);

	if (day.len > 0 && time_parse_day(day, &ms) != OK)
		return err_field(
		    ei, ERR_SYNTAX, "day", "the date must be YYYY-MM-DD");
	time_day(ms, out);
	return OK;
}

/* ---- import ---- */

enum { C_CODE, C_NAME, C_PARENT, C_KIND, C_FROM, C_TO };

static const struct table_column columns[] = {
	[C_CODE] = { "ma", "code", true },
	[C_NAME] = { "ten", "name", true },
	[C_PARENT] = { "cap_tren", "parent", false },
	[C_KIND] = { "loai", "kind", false },
	[C_FROM] = { "tu_ngay", "from", false },
	[C_TO] = { "den_ngay", "to", false },
	{ NULL, NULL, false },
};

static json_t *
report_json(const struct http_req *rq, const struct table *t,
    const struct org_import *got)
{
	json_t *o = json_object(), *bad = json_array();

	json_put_int(o, "added", (int64_t)got->added);
	json_put_int(o, "changed", (int64_t)got->changed);
	json_put_int(o, "unchanged", (int64_t)got->unchanged);
	for (size_t i = 0; i < got->problem_count; i++) {
		json_t *p =
		    table_problem_json(t, &got->problems[i], centre_lang(rq));

		(void)json_array_append_new(bad, p);
	}
	(void)json_put_new(o, "bad", bad);
	return o;
}

static enum err
read_rows(struct table *t, const char *today, struct org_agency_row *rows,
    size_t *count, struct errinfo *ei)
{
	struct csv_row row;
	bool more = true;
	size_t n = 0;
	enum err e;

	while ((e = table_next(t, &row, &more, ei)) == OK && more) {
		struct span from = table_cell(t, &row, C_FROM);

		if (n == ORG_AGENCIES_MAX)
			return err_set(
			    ei, ERR_LIMIT, N_("the table has too many rows"));
		rows[n++] = (struct org_agency_row){
			.code = table_cell(t, &row, C_CODE),
			.name = table_cell(t, &row, C_NAME),
			.parent = table_cell(t, &row, C_PARENT),
			.kind = table_cell(t, &row, C_KIND),
			.from = from.len > 0 ? from : span_of(today),
			.to = table_cell(t, &row, C_TO),
			.line = row.line,
		};
	}
	/* what could not be read stands in the same report as the rest */
	for (size_t i = 0; i < t->problem_count && n < ORG_AGENCIES_MAX; i++)
		rows[n++] =
		    (struct org_agency_row){ .line = t->problems[i].line,
			    .why = t->problems[i].why };
	*count = n;
	return e;
}

enum err
agencies_import(const struct http_req *rq, struct span csv, json_t **report,
    struct errinfo *ei)
{
	const struct centre *c = centre_of(rq);
	struct org_actor who = centre_actor(rq);
	struct arena *a = arena_new(64u << 20);
	struct org_import got = { 0 };
	struct org_agency_row *rows;
	char today[TIME_TEXT_MAX];
	struct table t;
	size_t n = 0;
	enum err e;

	*report = NULL;
	rows = a == NULL
	    ? NULL
	    : ARENA_NEW(a, struct org_agency_row, ORG_AGENCIES_MAX);
	if (rows == NULL) {
		arena_free(a);
		return err_set(ei, ERR_NOMEM, "import");
	}
	time_day(clock_utc_ms(c->clock), today);
	e = table_begin(&t, csv, columns, a, ei);
	if (e != OK)
		goto out;
	e = read_rows(&t, today, rows, &n, ei);
	if (e != OK)
		goto out;
	e = org_agency_import(c->store, c->clock, a, rows, n, &who, &got, ei);
	if (e == OK || e == ERR_SYNTAX)
		*report = report_json(rq, &t, &got);
out:
	arena_free(a);
	return e;
}

const struct module agencies_module = {
	.name = "agencies",
	.routes = { agencies_routes },
};
