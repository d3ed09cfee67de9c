/* The dated tree of agencies and its import. */

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "org/table.h"

/* ---- reading ---- */

static enum err
read_periods(struct sql *q, struct arena *a, const char *day,
    struct org_agency *rows, size_t max, size_t *count, struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	bool more = false;
	size_t n = 0;
	enum err e = sql_query(q, &r, ei,
	    "SELECT a.agency_id, p.parent_id, a.code, p.name, p.kind,"
	    " p.valid_from, p.valid_to FROM agencies a"
	    " JOIN agency_periods p ON p.agency_id = a.agency_id"
	    " WHERE p.valid_from <= ?1"
	    " AND (p.valid_to = '' OR p.valid_to > ?1) ORDER BY a.code",
	    SQL_STR(day));

	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more) {
		if (n == max) {
			e = err_set(
			    ei, ERR_LIMIT, "more than %zu agencies", max);
			break;
		}
		rows[n] = (struct org_agency){
			.id = sql_uuid(&r, 0),
			.parent = sql_uuid(&r, 1),
			.code = sql_text(&r, 2, a),
			.name = sql_text(&r, 3, a),
			.kind = sql_text(&r, 4, a),
			.from = sql_text(&r, 5, a),
			.to = sql_text(&r, 6, a),
		};
		if (rows[n].to == NULL)
			e = err_set(ei, ERR_NOMEM, "agencies");
		n++;
	}
	sql_end(&r);
	*count = n;
	return e;
}

/* The rows of one day as a tree: positions, NOBODY for none. */
#define NOBODY SIZE_MAX
struct links {
	struct org_agency *rows;
	size_t n, top; /* of the first at the top */
	size_t *by_id; /* positions in the order of ids */
	size_t *up, *down, *next;
};

static int
id_cmp(const void *a, const void *b, void *rows)
{
	const struct org_agency *of = rows;

	return memcmp(of[*(const size_t *)a].id.b, of[*(const size_t *)b].id.b,
	    sizeof(of->id.b));
}

static size_t
find_row(const struct links *t, struct uuid id)
{
	size_t from = 0, to = t->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c = memcmp(t->rows[t->by_id[mid]].id.b, id.b, sizeof(id.b));

		if (c == 0)
			return t->by_id[mid];
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NOBODY;
}

/* Siblings keep the order of the rows.  One whose parent is not valid that
 * day stands at the top. */
static enum err
link_rows(struct links *t, struct arena *a, struct errinfo *ei)
{
	t->by_id = ARENA_NEW(a, size_t, t->n + 1);
	t->up = ARENA_NEW(a, size_t, t->n + 1);
	t->down = ARENA_NEW(a, size_t, t->n + 1);
	t->next = ARENA_NEW(a, size_t, t->n + 1);
	if (t->by_id == NULL || t->up == NULL || t->down == NULL ||
	    t->next == NULL)
		return err_set(ei, ERR_NOMEM, "%zu agencies", t->n);
	for (size_t i = 0; i < t->n; i++) {
		t->by_id[i] = i;
		t->down[i] = NOBODY;
	}
	qsort_r(t->by_id, t->n, sizeof(*t->by_id), id_cmp, t->rows);
	t->top = NOBODY;
	for (size_t i = t->n; i-- > 0;) {
		size_t *first = &t->top;

		t->up[i] = find_row(t, t->rows[i].parent);
		if (t->up[i] == NOBODY)
			t->rows[i].parent = (struct uuid){ 0 };
		else
			first = &t->down[t->up[i]];
		t->next[i] = *first;
		*first = i;
	}
	return OK;
}

/* Parents before children.  Import lets no circle in, so all are reached. */
static size_t
walk(const struct links *t, struct org_agency *out)
{
	size_t at = t->top, n = 0;
	int depth = 0;

	while (at != NOBODY) {
		out[n] = t->rows[at];
		out[n++].depth = depth;
		if (t->down[at] != NOBODY) {
			at = t->down[at];
			depth++;
			continue;
		}
		while (at != NOBODY && t->next[at] == NOBODY) {
			at = t->up[at];
			depth--;
		}
		if (at != NOBODY)
			at = t->next[at];
	}
	return n;
}

static enum err
read_links(struct sql *q, struct arena *a, const char *day, struct links *t,
    struct errinfo *ei)
{
	int64_t most;
	enum err e = sql_get_int(q, &most, ei, "SELECT count(*) FROM agencies");

	if (e != OK)
		return e;
	t->rows = ARENA_NEW(a, struct org_agency, (size_t)most + 1);
	if (t->rows == NULL)
		return err_set(ei, ERR_NOMEM, "%lld agencies", (long long)most);
	e = read_periods(q, a, day, t->rows, (size_t)most, &t->n, ei);
	return e == OK ? link_rows(t, a, ei) : e;
}

enum err
org_agency_tree(struct sql *q, struct arena *a, const char *day,
    struct org_agency **out, size_t *count, struct errinfo *ei)
{
	struct links t = { 0 };
	struct org_agency *tree;
	enum err e = read_links(q, a, day, &t, ei);

	if (e != OK)
		return e;
	tree = ARENA_NEW(a, struct org_agency, t.n + 1);
	if (tree == NULL)
		return err_set(ei, ERR_NOMEM, "%zu agencies", t.n);
	*count = walk(&t, tree);
	*out = tree;
	return OK;
}

void
org_agency_sum(const struct org_agency *tree, size_t n, int64_t *values)
{
	size_t above[ORG_DEPTH_MAX + 1] = { 0 }; /* on the way to tree[i] */

	for (size_t i = 0; i < n; i++) {
		int64_t own = values[i];
		int depth = tree[i].depth;

		if (depth < 0 || depth > ORG_DEPTH_MAX)
			continue;
		above[depth] = i;
		for (int d = 0; d < depth; d++)
			values[above[d]] += own;
	}
}

static enum err
one_uuid(struct sql_rows *r, struct uuid *out, struct errinfo *ei)
{
	bool more = false;
	enum err e = sql_next(r, &more, ei);

	if (e == OK && !more)
		e = ERR_NOT_FOUND;
	if (e == OK)
		*out = sql_uuid(r, 0);
	sql_end(r);
	return e;
}

enum err
org_agency_by_code(
    struct sql *q, struct span code, struct uuid *out, struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	enum err e = sql_query(q, &r, ei,
	    "SELECT agency_id FROM agencies WHERE code = ?1", SQL_TEXT(code));

	if (e == OK)
		e = one_uuid(&r, out, ei);
	if (e == ERR_NOT_FOUND)
		return err_field(ei, e, "code", N_("no agency has this code"));
	return e;
}

/* ---- import ---- */

struct import_job {
	const struct clock *c;
	struct arena *a;
	const struct org_agency_row *rows;
	size_t n;
	const struct org_actor *who;
	struct org_import *out;
	struct uuid *ids; /* of each row; none: new, or not known yet */
	bool *told;       /* of each row: it was complained of */
};

static void
complain(struct import_job *job, size_t i, const char *column, const char *why)
{
	struct org_import *out = job->out;

	if (job->told[i])
		return;
	job->told[i] = true;
	out->problems[out->problem_count++] =
	    (struct org_row_problem){ job->rows[i].line, column, why };
}

static bool
day_ok(struct span s)
{
	int64_t ms;

	return time_parse_day(s, &ms) == OK;
}

/* The rules that need no database; the first one broken. */
static const char *
row_fault(const struct org_agency_row *row, const char **column)
{
	const struct {
		bool broken;
		const char *column, *why;
	} rules[] = {
		{ !table_text_ok(row->code, ORG_CODE_MAX - 1), "code",
		    N_("a code has 1 to 63 bytes") },
		{ !table_text_ok(row->name, ORG_NAME_MAX - 1), "name",
		    N_("a name has 1 to 255 bytes") },
		{ row->kind.len > 0 &&
			!table_text_ok(row->kind, ORG_CODE_MAX - 1),
		    "kind", N_("a kind has at most 63 bytes") },
		{ span_eq(row->parent, row->code), "parent",
		    N_("an agency cannot be its own superior") },
		{ !day_ok(row->from), "from",
		    N_("the date must be YYYY-MM-DD") },
		{ row->to.len > 0 && !day_ok(row->to), "to",
		    N_("the date must be YYYY-MM-DD") },
		{ row->to.len > 0 && span_cmp(row->to, row->from) <= 0, "to",
		    N_("the end must be later than the beginning") },
	};

	if (row->why != NULL)
		return row->why;
	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].broken) {
			*column = rules[i].column;
			return rules[i].why;
		}
	return NULL;
}

struct code_index {
	struct span code;
	size_t row;
};

/* By code, then by the day: a file may tell an agency's whole history. */
static int
by_code_and_day(const void *a, const void *b, void *rows)
{
	const struct org_agency_row *of = rows;
	const struct code_index *x = a, *y = b;
	int c = span_cmp(x->code, y->code);

	if (c == 0)
		c = span_cmp(of[x->row].from, of[y->row].from);
	return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

static int
by_code(const void *a, const void *b)
{
	return span_cmp(((const struct code_index *)a)->code,
	    ((const struct code_index *)b)->code);
}

static const struct code_index *
in_file(const struct code_index *index, size_t n, struct span code)
{
	struct code_index key = { code, 0 };

	return bsearch(&key, index, n, sizeof(*index), by_code);
}

static void
check_rows(struct import_job *job, const struct code_index *index)
{
	for (size_t k = 0; k < job->n; k++) {
		size_t i = index[k].row;
		const struct org_agency_row *row = &job->rows[i];
		const char *column = "", *why = row_fault(row, &column);

		if (why != NULL)
			complain(job, i, column, why);
		else if (k > 0 && span_eq(index[k - 1].code, row->code) &&
		    span_eq(job->rows[index[k - 1].row].from, row->from))
			complain(job, i, "code",
			    N_("the same code stands in another row"));
	}
}

static enum err
find_superiors(struct sql *q, struct import_job *job,
    const struct code_index *index, struct errinfo *ei)
{
	for (size_t i = 0; i < job->n; i++) {
		struct uuid parent;
		enum err e = OK;

		if (job->told[i] || job->rows[i].parent.len == 0 ||
		    in_file(index, job->n, job->rows[i].parent) != NULL)
			continue;
		e = org_agency_by_code(q, job->rows[i].parent, &parent, ei);
		if (e == ERR_NOT_FOUND)
			complain(job, i, "parent",
			    N_("no agency has the superior's code"));
		else if (e != OK)
			return e;
	}
	return OK;
}

struct period {
	const char *from, *to, *name, *kind;
	struct uuid parent;
	bool found;
};

/* The agency's latest period that began no later than `day`. */
static enum err
last_period(struct sql *q, struct arena *a, struct uuid id, struct span day,
    struct period *out, struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	enum err e = sql_query(q, &r, ei,
	    "SELECT valid_from, valid_to, name, kind, parent_id"
	    " FROM agency_periods WHERE agency_id = ?1 AND valid_from <= ?2"
	    " ORDER BY valid_from DESC LIMIT 1",
	    SQL_UUID(id), SQL_TEXT(day));

	if (e == OK)
		e = sql_next(&r, &out->found, ei);
	if (e == OK && out->found) {
		out->from = sql_text(&r, 0, a);
		out->to = sql_text(&r, 1, a);
		out->name = sql_text(&r, 2, a);
		out->kind = sql_text(&r, 3, a);
		out->parent = sql_uuid(&r, 4);
		if (out->kind == NULL)
			e = err_set(ei, ERR_NOMEM, "agency period");
	}
	sql_end(&r);
	return e;
}

static enum err
put_period(struct sql *q, const struct org_agency_row *row, struct uuid id,
    struct uuid parent, struct errinfo *ei)
{
	return sql_exec(q, NULL, ei,
	    "INSERT INTO agency_periods (agency_id, valid_from, valid_to,"
	    " name, kind, parent_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	    " ON CONFLICT (agency_id, valid_from) DO UPDATE SET"
	    " valid_to = excluded.valid_to, name = excluded.name,"
	    " kind = excluded.kind, parent_id = excluded.parent_id",
	    SQL_UUID(id), SQL_TEXT(row->from), SQL_TEXT(row->to),
	    SQL_TEXT(row->name), SQL_TEXT(row->kind),
	    uuid_none(parent) ? SQL_NULL : SQL_UUID(parent));
}

static bool
same_words(const struct period *p, const struct org_agency_row *row,
    struct uuid parent)
{
	return p->found && span_is(row->name, p->name) &&
	    span_is(row->kind, p->kind) && uuid_eq(p->parent, parent);
}

/* Nothing new: the period in force, or one of long ago told again. */
static bool
unchanged(const struct period *last, const struct period *then,
    const struct org_agency_row *row, struct uuid parent)
{
	return (same_words(last, row, parent) && span_is(row->to, last->to)) ||
	    (same_words(then, row, parent) && span_is(row->from, then->from) &&
		strcmp(then->from, last->from) != 0);
}

#define EVER SPAN("9999-12-31")

static enum err
apply_row(struct sql *q, struct import_job *job, size_t i, struct errinfo *ei)
{
	const struct org_agency_row *row = &job->rows[i];
	struct uuid parent = { 0 };
	struct period last = { 0 }, then = { 0 };
	enum err e = last_period(q, job->a, job->ids[i], EVER, &last, ei);

	if (e == OK)
		e = last_period(q, job->a, job->ids[i], row->from, &then, ei);
	if (e == OK && row->parent.len > 0)
		e = org_agency_by_code(q, row->parent, &parent, ei);
	if (e != OK)
		return e;
	if (unchanged(&last, &then, row, parent)) {
		job->out->unchanged++;
		return OK;
	}
	if (last.found && span_cmp(row->from, span_of(last.from)) < 0) {
		complain(job, i, "from",
		    N_("the date is before the agency's current period"));
		return OK;
	}
	if (last.found) /* ends when the new one begins, or had ended before */
		e = sql_exec(q, NULL, ei,
		    "UPDATE agency_periods SET valid_to = ?3"
		    " WHERE agency_id = ?1 AND valid_from = ?2"
		    " AND valid_from < ?3"
		    " AND (valid_to = '' OR valid_to > ?3)",
		    SQL_UUID(job->ids[i]), SQL_STR(last.from),
		    SQL_TEXT(row->from));
	if (e == OK)
		e = put_period(q, row, job->ids[i], parent, ei);
	if (last.found)
		job->out->changed++;
	else
		job->out->added++;
	return e;
}

/* Codes of all new rows first, so that a superior may come later. */
static enum err
add_codes(struct sql *q, struct import_job *job, struct errinfo *ei)
{
	for (size_t i = 0; i < job->n; i++) {
		enum err e = org_agency_by_code(
		    q, job->rows[i].code, &job->ids[i], NULL);

		if (e == OK)
			continue;
		if (e != ERR_NOT_FOUND)
			return err_set(ei, e, "agency codes");
		job->ids[i] = uuid_make(job->c);
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO agencies (agency_id, code, created_ms)"
		    " VALUES (?1, ?2, ?3)",
		    SQL_UUID(job->ids[i]), SQL_TEXT(job->rows[i].code),
		    SQL_INT(clock_utc_ms(job->c)));
		if (e != OK)
			return e;
	}
	return OK;
}

/* ---- circles ---- */

/* What is wrong with the superiors of row `i`, or NULL. */
static const char *
superiors_fault(const struct links *t, size_t i)
{
	size_t at = t->up[i];

	for (int depth = 1; at != NOBODY; depth++) {
		if (at == i)
			return N_("the superiors go round in a circle");
		if (depth >= ORG_DEPTH_MAX)
			return N_("there are more than 16 levels of superiors");
		at = t->up[at];
	}
	return NULL;
}

/* Also when the circle closes only on a later day, or through agencies that
 * are not in the file. */
static enum err
check_day(
    struct sql *q, struct import_job *job, const char *day, struct errinfo *ei)
{
	struct arena *a = arena_new(64u << 20);
	struct links t = { 0 };
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "agencies")
			       : read_links(q, a, day, &t, ei);

	for (size_t i = 0; e == OK && i < job->n; i++) {
		size_t at = find_row(&t, job->ids[i]);
		const char *why = at == NOBODY ? NULL : superiors_fault(&t, at);

		if (why != NULL)
			complain(job, i, "parent", why);
	}
	arena_free(a);
	return e;
}

/* Superiors change only on days when a period begins. */
static enum err
check_superiors(struct sql *q, struct import_job *job, struct errinfo *ei)
{
	struct span first = EVER;
	const char **days;
	struct sql_rows r = { 0 };
	int64_t most;
	size_t n = 0;
	bool more = false;
	enum err e;

	for (size_t i = 0; i < job->n; i++)
		if (span_cmp(job->rows[i].from, first) < 0)
			first = job->rows[i].from;
	e = sql_get_int(q, &most, ei,
	    "SELECT count(DISTINCT valid_from) FROM agency_periods"
	    " WHERE valid_from >= ?1",
	    SQL_TEXT(first));
	if (e != OK)
		return e;
	days = ARENA_NEW(job->a, const char *, (size_t)most + 1);
	if (days == NULL)
		return err_set(ei, ERR_NOMEM, "%lld days", (long long)most);
	e = sql_query(q, &r, ei,
	    "SELECT DISTINCT valid_from FROM agency_periods"
	    " WHERE valid_from >= ?1 ORDER BY valid_from",
	    SQL_TEXT(first));
	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
		if ((days[n++] = sql_text(&r, 0, job->a)) == NULL)
			e = err_set(ei, ERR_NOMEM, "days");
	sql_end(&r);
	for (size_t i = 0; e == OK && i < n; i++)
		e = check_day(q, job, days[i], ei);
	return e;
}

static int
by_line(const void *a, const void *b)
{
	const struct org_row_problem *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static enum err
refuse(const struct import_job *job, struct errinfo *ei)
{
	job->out->added = job->out->changed = job->out->unchanged = 0;
	qsort(job->out->problems, job->out->problem_count,
	    sizeof(*job->out->problems), by_line);
	return err_set(ei, ERR_SYNTAX, "%zu bad rows", job->out->problem_count);
}

static enum err
audit_import(struct sql *q, const struct import_job *job, struct errinfo *ei)
{
	json_t *detail = json_object();
	enum err e;

	json_put_int(detail, "added", (int64_t)job->out->added);
	json_put_int(detail, "changed", (int64_t)job->out->changed);
	e = org_audit(q, job->c, job->who, "agency.import", "", detail, ei);
	json_decref(detail);
	return e;
}

static enum err
import(struct sql *q, void *arg, struct errinfo *ei)
{
	struct import_job *job = arg;
	struct code_index *index = ARENA_NEW(job->a, struct code_index, job->n);
	enum err e = OK;

	if (index == NULL)
		return err_set(ei, ERR_NOMEM, "import of %zu rows", job->n);
	*job->out = (struct org_import){ .problems = job->out->problems };
	memset(job->told, 0, job->n * sizeof(*job->told));
	for (size_t i = 0; i < job->n; i++)
		index[i] = (struct code_index){ job->rows[i].code, i };
	qsort_r(index, job->n, sizeof(*index), by_code_and_day,
	    (void *)(uintptr_t)job->rows);
	check_rows(job, index);
	e = find_superiors(q, job, index, ei);
	if (e == OK && job->out->problem_count > 0)
		return refuse(job, ei);
	if (e == OK)
		e = add_codes(q, job, ei);
	for (size_t i = 0; e == OK && i < job->n; i++)
		e = apply_row(q, job, index[i].row, ei);
	if (e == OK && job->out->problem_count == 0)
		e = check_superiors(q, job, ei);
	if (e == OK && job->out->problem_count > 0)
		return refuse(job, ei);
	return e == OK ? audit_import(q, job, ei) : e;
}

enum err
org_agency_import(struct store *st, const struct clock *c, struct arena *a,
    const struct org_agency_row *rows, size_t n, const struct org_actor *who,
    struct org_import *out, struct errinfo *ei)
{
	struct import_job job = { c, a, rows, n, who, out, NULL, NULL };

	*out = (struct org_import){ 0 };
	if (n > ORG_AGENCIES_MAX)
		return err_set(
		    ei, ERR_LIMIT, "more than %d rows", ORG_AGENCIES_MAX);
	out->problems = ARENA_NEW(a, struct org_row_problem, n + 1);
	job.ids = ARENA_NEW(a, struct uuid, n + 1);
	job.told = ARENA_NEW(a, bool, n + 1);
	if (out->problems == NULL || job.ids == NULL || job.told == NULL)
		return err_set(ei, ERR_NOMEM, "import of %zu rows", n);
	return store_write(st, import, &job, ei);
}
