#include "store/store_int.h"

#include <string.h>

/* ---- one fn in a transaction -------------------------------------------- */

static void
unlink_cursor(struct sql *q, struct cursor *cur)
{
	struct cursor **at = &q->open;

	while (*at != NULL && *at != cur)
		at = &(*at)->next;
	if (*at != NULL)
		*at = cur->next;
}

enum err
sql_run_fn(struct sql *q, store_fn *fn, void *arg, struct errinfo *ei)
{
	enum err e = fn(q, arg, ei);

	while (q->open != NULL) {
		struct cursor *cur = q->open;

		q->open = cur->next;
		q->engine->end(cur);
	}
	if (e != OK || q->failed == OK)
		return e;
	if (ei != NULL)
		*ei = q->why;
	return q->failed;
}

/* Keeps the first failure, which all later calls repeat. */
static enum err
note(struct sql *q, enum err e, struct errinfo *ei)
{
	if (e == OK)
		return OK;
	q->failed = e;
	if (ei != NULL)
		*ei = q->why;
	return e;
}

enum err
sql_raw(struct sql *q, const char *text, struct errinfo *ei)
{
	if (q->failed != OK)
		return note(q, q->failed, ei);
	return note(q, q->engine->run(q->conn, text, &q->why), ei);
}

/* ---- arguments ---------------------------------------------------------- */

/* The same on both engines: SQLite would store any bytes as text. */
static enum err
check_argument(const struct sql_arg *arg, int number, struct errinfo *ei)
{
	if (arg->kind == SQL_A_TEXT && !span_utf8(arg->bytes))
		return err_set(ei, ERR_SYNTAX,
		    "text of parameter %d is not UTF-8 or holds a NUL byte",
		    number);
	if (arg->bytes.len > SQL_VALUE_MAX)
		return err_set(ei, ERR_LIMIT,
		    "parameter %d has %zu bytes, at most %u are allowed",
		    number, arg->bytes.len, SQL_VALUE_MAX);
	return OK;
}

static enum err
check_arguments(const struct sql_arg *args, int *count, struct errinfo *ei)
{
	int n = 0;

	for (; args[n].kind != SQL_A_END; n++) {
		enum err e = OK;

		if (n == SQL_ARGS_MAX)
			return err_set(ei, ERR_LIMIT,
			    "a statement has at most %d parameters",
			    SQL_ARGS_MAX);
		e = check_argument(&args[n], n + 1, ei);
		if (e != OK)
			return e;
	}
	*count = n;
	return OK;
}

/* ---- statements --------------------------------------------------------- */

enum err
sql_query_args(struct sql *q, struct sql_rows *r, struct errinfo *ei,
    const char *text, const struct sql_arg *args)
{
	struct cursor *cur = NULL;
	int count = 0;
	enum err e;

	*r = (struct sql_rows){ .q = q };
	if (q->failed != OK)
		return note(q, q->failed, ei);
	e = check_arguments(args, &count, ei);
	if (e != OK)
		return e;
	e = q->engine->query(q->conn, text, args, count, &cur, &q->why);
	if (e != OK)
		return note(q, e, ei);
	cur->next = q->open;
	q->open = cur;
	r->state = cur;
	return OK;
}

enum err
sql_next(struct sql_rows *r, bool *more, struct errinfo *ei)
{
	bool found = false;
	enum err e;

	if (r->state == NULL) {
		*more = false;
		return OK;
	}
	e = r->q->engine->next(r->q->conn, r->state, &found, &r->q->why);
	if (e != OK || !found)
		sql_end(r);
	if (e == OK)
		*more = found;
	return note(r->q, e, ei);
}

void
sql_end(struct sql_rows *r)
{
	if (r->state == NULL)
		return;
	unlink_cursor(r->q, r->state);
	r->q->engine->end(r->state);
	r->state = NULL;
}

enum err
sql_exec_args(struct sql *q, int64_t *changed, struct errinfo *ei,
    const char *text, const struct sql_arg *args)
{
	struct sql_rows r;
	bool more = true;
	enum err e = sql_query_args(q, &r, ei, text, args);

	if (e != OK)
		return e;
	while (e == OK && more)
		e = q->engine->next(q->conn, r.state, &more, &q->why);
	if (e == OK && changed != NULL)
		*changed = q->engine->changed(q->conn, r.state);
	sql_end(&r);
	return note(q, e, ei);
}

enum err
sql_get_int_args(struct sql *q, int64_t *out, struct errinfo *ei,
    const char *text, const struct sql_arg *args)
{
	struct sql_rows r;
	bool more = false;
	int64_t value = 0;
	enum err e = sql_query_args(q, &r, ei, text, args);

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && !more)
		e = err_set(ei, ERR_NOT_FOUND, "the query has no row");
	if (e == OK)
		value = sql_int(&r, 0);
	sql_end(&r);
	if (e == OK)
		*out = value;
	return e;
}

/* ---- columns ------------------------------------------------------------ */

static struct cell
cell_of(const struct sql_rows *r, int column)
{
	return r->q->engine->cell(r->state, column);
}

/* The number that text begins with, as SQLite's CAST reads it; so "1.50" of a
 * numeric is 1. */
static int64_t
leading_number(struct span s)
{
	size_t n = s.len > 0 && s.ptr[0] == '-';
	int64_t value = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	if (span_i64((struct span){ s.ptr, n }, &value) != OK)
		return 0;
	return value;
}

bool
sql_is_null(const struct sql_rows *r, int column)
{
	return cell_of(r, column).kind == CELL_NULL;
}

int64_t
sql_int(const struct sql_rows *r, int column)
{
	struct cell c = cell_of(r, column);

	if (c.kind == CELL_BYTES)
		return leading_number(c.bytes);
	return c.kind == CELL_INT ? c.number : 0;
}

struct uuid
sql_uuid(const struct sql_rows *r, int column)
{
	struct cell c = cell_of(r, column);
	struct uuid u = { 0 };

	if (c.kind == CELL_BYTES && c.bytes.len == sizeof(u.b))
		memcpy(u.b, c.bytes.ptr, sizeof(u.b));
	else if (c.kind == CELL_HEX &&
	    hex_decode(c.bytes, u.b, sizeof(u.b)) != OK)
		u = (struct uuid){ 0 };
	return u;
}

static struct span
hex_bytes(struct span hex, struct arena *a)
{
	size_t n = hex.len / 2;
	char *p = arena_alloc(a, n + 1, 1);

	if (p == NULL || hex_decode(hex, p, n) != OK)
		return (struct span){ NULL, 0 };
	return (struct span){ p, n };
}

struct span
sql_bytes(const struct sql_rows *r, int column, struct arena *a)
{
	struct cell c = cell_of(r, column);
	char *p;

	if (c.kind == CELL_NULL)
		return (struct span){ "", 0 };
	if (c.kind == CELL_HEX)
		return hex_bytes(c.bytes, a);
	if (c.kind == CELL_INT) {
		p = arena_fmt(a, "%lld", (long long)c.number);
		return (struct span){ p, p == NULL ? 0 : strlen(p) };
	}
	p = arena_text(a, c.bytes);
	return (struct span){ p, p == NULL ? 0 : c.bytes.len };
}

const char *
sql_text(const struct sql_rows *r, int column, struct arena *a)
{
	return sql_bytes(r, column, a).ptr;
}
