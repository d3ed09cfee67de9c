#include "store/store_int.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_MIN 130000 /* pg_current_xact_id() */
/* Any number will do that no other program of the database locks. */
#define LOCK_KEY "82217455467886"

/* Types of parameters and results (pg_type.dat). */
#define OID_BOOL  16u
#define OID_BYTEA 17u
#define OID_INT8  20u
#define OID_INT2  21u
#define OID_INT4  23u
#define OID_TEXT  25u

struct pg {
	struct conn base;
	PGconn *db;
	bool writer;
	uintptr_t statements; /* numbers the prepared ones: "s1" */
};

struct pg_cursor {
	struct cursor base;
	PGresult *res; /* all rows: others may be asked for meanwhile */
	int row, rows;
};

static struct pg *
pg_of(struct conn *c)
{
	return (struct pg *)c;
}

/* ---- errors ------------------------------------------------------------- */

static const struct {
	const char *state; /* the beginning of an SQLSTATE; the first counts */
	enum err code;
	enum trouble trouble;
} states[] = {
	{ "08", ERR_BUSY, TROUBLE_LOST },
	{ "22", ERR_SYNTAX, TROUBLE_NONE },
	{ "23505", ERR_EXISTS, TROUBLE_NONE },
	{ "23503", ERR_EXISTS, TROUBLE_NONE },
	{ "23", ERR_SYNTAX, TROUBLE_NONE },
	{ "25006", ERR_DENIED, TROUBLE_NONE },
	{ "40", ERR_BUSY, TROUBLE_AGAIN }, /* serialisation, deadlock */
	{ "42501", ERR_DENIED, TROUBLE_NONE },
	{ "42", ERR_SYNTAX, TROUBLE_NONE },
	{ "54", ERR_LIMIT, TROUBLE_NONE },
	{ "55P03", ERR_BUSY, TROUBLE_AGAIN },
	{ "57P", ERR_BUSY, TROUBLE_LOST }, /* server stops or starts */
	{ "XX001", ERR_CORRUPT, TROUBLE_NONE },
	{ "XX002", ERR_CORRUPT, TROUBLE_NONE },
	{ "", ERR_IO, TROUBLE_NONE },
};

static const char *
state_of(const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state != NULL ? state : "";
}

static enum err
fail(struct pg *p, const PGresult *res, struct errinfo *ei)
{
	const char *state = state_of(res);
	const char *what = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	struct span s = span_of(state), line;
	size_t i = 0;

	while (!span_starts(s, states[i].state))
		i++;
	line = span_cut(
	    span_of(what != NULL ? what : PQerrorMessage(p->db)), '\n', &s);
	if (states[i].trouble > p->base.trouble)
		p->base.trouble = states[i].trouble;
	/* A writer that may only read speaks to a server that was demoted. */
	if (PQstatus(p->db) == CONNECTION_BAD ||
	    (p->writer && states[i].code == ERR_DENIED &&
		strcmp(state, "25006") == 0))
		p->base.trouble = TROUBLE_LOST;
	return err_set(ei,
	    p->base.trouble == TROUBLE_LOST ? ERR_BUSY : states[i].code,
	    "database postgresql: " SPAN_FMT, SPAN_ARG(line));
}

/* ---- connections -------------------------------------------------------- */

static enum err
pg_run(struct conn *c, const char *text, struct errinfo *ei)
{
	PGresult *res = PQexec(pg_of(c)->db, text);
	ExecStatusType status = PQresultStatus(res);
	enum err e = OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		e = fail(pg_of(c), res, ei);
	PQclear(res);
	return e;
}

static void
pg_disconnect(struct conn *c)
{
	struct pg *p = pg_of(c);

	if (p == NULL)
		return;
	for (size_t i = 0; i < CACHE_SETS; i++)
		for (size_t j = 0; j < CACHE_WAYS; j++)
			cache_drop(&c->cache.slot[i][j]);
	PQfinish(p->db);
	free(p);
}

static void
ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static enum err
check_server(struct pg *p, struct errinfo *ei)
{
	const char *encoding = PQparameterStatus(p->db, "server_encoding");

	if (PQserverVersion(p->db) < VERSION_MIN)
		return err_set(ei, ERR_UNSUPPORTED,
		    "database server is version %d, at least %d is needed",
		    PQserverVersion(p->db), VERSION_MIN);
	if (!span_is(span_of(encoding), "UTF8"))
		return err_set(ei, ERR_UNSUPPORTED,
		    "database has encoding %s, it must be UTF8",
		    encoding == NULL ? "unknown" : encoding);
	return OK;
}

/* A commit must be durable when it is answered; whoever runs the server may
 * ask for more than "on", but not for less. */
static enum err
set_up(struct pg *p, int patience_ms, struct errinfo *ei)
{
	char sql[320];
	enum err e = check_server(p, ei);

	(void)PQsetNoticeProcessor(p->db, ignore_notice, NULL);
	(void)snprintf(sql, sizeof(sql),
	    "SET bytea_output = hex; SET standard_conforming_strings = on;"
	    "SET lock_timeout = %d;"
	    "SELECT set_config('synchronous_commit', 'on', false)"
	    " WHERE current_setting('synchronous_commit') = 'off'",
	    patience_ms);
	if (e == OK)
		e = pg_run(&p->base, sql, ei);
	return e;
}

/* Why there is no connection: nobody there (yet), an address that cannot
 * work, or a server that refuses us, which no waiting will change. */
static enum err
fail_connection(PGconn *db, const char *const *names, const char *const *values,
    struct errinfo *ei)
{
	static const enum err codes[] = {
		[PQPING_OK] = ERR_IO,
		[PQPING_REJECT] = ERR_BUSY,
		[PQPING_NO_RESPONSE] = ERR_BUSY,
		[PQPING_NO_ATTEMPT] = ERR_SYNTAX,
	};
	struct span s, line = span_cut(span_of(PQerrorMessage(db)), '\n', &s);

	return err_set(ei, codes[PQpingParams(names, values, 1)],
	    "database postgresql: " SPAN_FMT, SPAN_ARG(line));
}

static enum err
open_connection(const char *uri, PGconn **db, struct errinfo *ei)
{
	/* What stands before dbname may be overridden by the address. */
	static const char *const names[] = { "application_name",
		"connect_timeout", "keepalives_idle", "tcp_user_timeout",
		"dbname", "client_encoding", NULL };
	const char *const values[] = { "khien", "5", "30", "15000", uri, "UTF8",
		NULL };

	*db = PQconnectdbParams(names, values, 1);
	if (PQstatus(*db) == CONNECTION_OK)
		return OK;
	return fail_connection(*db, names, values, ei);
}

static enum err
pg_connect(const struct place *place, bool writer, struct conn **out,
    struct errinfo *ei)
{
	struct pg *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return err_set(ei, ERR_NOMEM, "database connection");
	p->writer = writer;
	e = open_connection(place->target, &p->db, ei);
	if (e == OK)
		e = set_up(p, place->patience_ms, ei);
	if (e != OK) {
		pg_disconnect(&p->base);
		return e;
	}
	*out = &p->base;
	return OK;
}

static bool
pg_in_transaction(struct conn *c)
{
	return PQtransactionStatus(pg_of(c)->db) != PQTRANS_IDLE;
}

/* ---- statements --------------------------------------------------------- */

struct parameters {
	int count;
	Oid types[SQL_ARGS_MAX];
	const char *values[SQL_ARGS_MAX];
	int lengths[SQL_ARGS_MAX], formats[SQL_ARGS_MAX];
	int64_t numbers[SQL_ARGS_MAX]; /* in network order */
	char kinds[SQL_ARGS_MAX + 1];
};

static void
set_parameter(struct parameters *p, int i, const struct sql_arg *a)
{
	static const struct {
		Oid type;
		char kind;
	} types[] = {
		[SQL_A_NULL] = { 0, 'n' }, /* where it stands says which */
		[SQL_A_INT] = { OID_INT8, 'i' },
		[SQL_A_TEXT] = { OID_TEXT, 't' },
		[SQL_A_BLOB] = { OID_BYTEA, 'b' },
	};
	struct span s = a->bytes;

	if (a->kind == SQL_A_BLOB && a->number != 0)
		s = (struct span){ (const char *)a->uuid.b, sizeof(a->uuid.b) };
	if (a->kind == SQL_A_INT) {
		p->numbers[i] = (int64_t)htobe64((uint64_t)a->number);
		s = (struct span){ (const char *)&p->numbers[i],
			sizeof(p->numbers[i]) };
	}
	p->types[i] = types[a->kind].type;
	p->kinds[i] = types[a->kind].kind;
	p->values[i] = s.ptr != NULL ? s.ptr : "";
	if (a->kind == SQL_A_NULL)
		p->values[i] = NULL;
	p->lengths[i] = (int)s.len;
	p->formats[i] = 1;
}

/* The text for the server, checked against the number of arguments. */
static enum err
translate(const char *text, int count, struct buf *out, struct errinfo *ei)
{
	int highest = 0;
	enum err e = words_translate(span_of(text), out, &highest, ei);

	if (e == OK && highest != count)
		return err_set(ei, ERR_SYNTAX,
		    "statement has %d parameters, %d were given", highest,
		    count);
	return e;
}

static void
statement_name(char out[32], uintptr_t number)
{
	(void)snprintf(out, 32, "s%llu", (unsigned long long)number);
}

/* Prepares into a slot of the cache; *out stays NULL if there is none. */
static enum err
prepare(struct pg *p, const char *text, const char *translated,
    const struct parameters *pa, struct prepared **out, struct errinfo *ei)
{
	char name[32], command[64];
	void *evicted = NULL;
	struct prepared *slot =
	    cache_claim(&p->base.cache, text, pa->kinds, &evicted);
	PGresult *res;
	enum err e = OK;

	if (slot == NULL)
		return OK;
	if (evicted != NULL) {
		statement_name(name, (uintptr_t)evicted);
		(void)snprintf(command, sizeof(command), "DEALLOCATE %s", name);
		e = pg_run(&p->base, command, ei);
	}
	if (e != OK) {
		cache_drop(slot);
		return e;
	}
	statement_name(name, ++p->statements);
	res = PQprepare(p->db, name, translated, pa->count, pa->types);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		e = fail(p, res, ei);
	PQclear(res);
	if (e != OK) {
		cache_drop(slot);
		return e;
	}
	slot->handle = (void *)p->statements;
	*out = slot;
	return OK;
}

static enum err
execute(struct pg *p, const char *text, const struct parameters *pa,
    PGresult **res, struct errinfo *ei)
{
	struct prepared *slot = cache_find(&p->base.cache, text, pa->kinds);
	struct buf b = buf_make(SQL_TEXT_MAX);
	char name[32];
	enum err e = OK;

	if (slot == NULL) {
		e = translate(text, pa->count, &b, ei);
		if (e == OK)
			e = prepare(p, text, b.ptr, pa, &slot, ei);
	}
	if (e == OK && slot != NULL) {
		statement_name(name, (uintptr_t)slot->handle);
		*res = PQexecPrepared(p->db, name, pa->count, pa->values,
		    pa->lengths, pa->formats, 0);
	} else if (e == OK) {
		*res = PQexecParams(p->db, b.ptr, pa->count, pa->types,
		    pa->values, pa->lengths, pa->formats, 0);
	}
	buf_free(&b);
	return e;
}

static void
pg_end(struct cursor *base)
{
	PQclear(((struct pg_cursor *)base)->res);
	free(base);
}

static enum err
pg_query(struct conn *c, const char *text, const struct sql_arg *args,
    int count, struct cursor **out, struct errinfo *ei)
{
	struct parameters pa = { .count = count };
	struct pg_cursor *cur;
	ExecStatusType status;
	enum err e;

	for (int i = 0; i < count; i++)
		set_parameter(&pa, i, &args[i]);
	cur = calloc(1, sizeof(*cur));
	if (cur == NULL)
		return err_set(ei, ERR_NOMEM, "rows of a query");
	cur->row = -1;
	e = execute(pg_of(c), text, &pa, &cur->res, ei);
	status = PQresultStatus(cur->res);
	if (e == OK && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		e = fail(pg_of(c), cur->res, ei);
	if (e != OK) {
		pg_end(&cur->base);
		return e;
	}
	cur->rows = PQntuples(cur->res);
	*out = &cur->base;
	return OK;
}

static enum err
pg_next(struct conn *c, struct cursor *base, bool *more, struct errinfo *ei)
{
	struct pg_cursor *cur = (struct pg_cursor *)base;

	(void)c;
	(void)ei;
	if (cur->row < cur->rows)
		cur->row++;
	*more = cur->row < cur->rows;
	return OK;
}

static struct cell
pg_cell(const struct cursor *base, int column)
{
	const struct pg_cursor *cur = (const struct pg_cursor *)base;
	Oid type = PQftype(cur->res, column);
	struct span s;

	if (PQgetisnull(cur->res, cur->row, column))
		return (struct cell){ .kind = CELL_NULL };
	s.ptr = PQgetvalue(cur->res, cur->row, column);
	s.len = (size_t)PQgetlength(cur->res, cur->row, column);
	if (type == OID_BOOL)
		return (
		    struct cell){ .kind = CELL_INT, .number = span_is(s, "t") };
	if (type == OID_INT8 || type == OID_INT4 || type == OID_INT2)
		return (struct cell){ .kind = CELL_INT,
			.number = strtoll(s.ptr, NULL, 10) };
	if (type == OID_BYTEA) /* "\x6b68" */
		return (
		    struct cell){ .kind = CELL_HEX, .bytes = span_from(s, 2) };
	return (struct cell){ .kind = CELL_BYTES, .bytes = s };
}

static int64_t
pg_changed(struct conn *c, const struct cursor *base)
{
	const struct pg_cursor *cur = (const struct pg_cursor *)base;

	(void)c;
	if (span_starts(span_of(PQcmdStatus(cur->res)), "SELECT"))
		return 0;
	return strtoll(PQcmdTuples(cur->res), NULL, 10);
}

/* ---- transactions ------------------------------------------------------- */

/* However long another server migrates. */
static enum err
pg_lock(struct conn *c, struct errinfo *ei)
{
	return pg_run(c,
	    "BEGIN; SET LOCAL lock_timeout = 0;"
	    "SELECT pg_advisory_lock(" LOCK_KEY "); COMMIT",
	    ei);
}

static enum err
pg_unlock(struct conn *c, struct errinfo *ei)
{
	return pg_run(c, "SELECT pg_advisory_unlock(" LOCK_KEY ")", ei);
}

/* Serializable, because that is what one writer of SQLite gives: what an fn
 * read still holds when it commits, though other servers write too. */
static enum err
pg_begin(struct conn *c, int64_t *mark, struct errinfo *ei)
{
	PGresult *res = PQexec(pg_of(c)->db,
	    "BEGIN ISOLATION LEVEL SERIALIZABLE;"
	    "SELECT pg_current_xact_id()::text");
	enum err e = OK;

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		e = fail(pg_of(c), res, ei);
	else
		*mark = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
	PQclear(res);
	return e;
}

static enum err
pg_outcome(struct conn *c, int64_t mark, bool *committed, struct errinfo *ei)
{
	char sql[96];
	const char *status = "";
	PGresult *res;
	enum err e = OK;

	(void)snprintf(sql, sizeof(sql),
	    "SELECT coalesce(pg_xact_status('%lld'::xid8), '')",
	    (long long)mark);
	res = PQexec(pg_of(c)->db, sql);
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		status = PQgetvalue(res, 0, 0);
	else
		e = fail(pg_of(c), res, ei);
	if (span_is(span_of(state_of(res)), "22023"))
		status = "aborted"; /* a number this server did not reach */
	if (span_is(span_of(status), "committed") ||
	    span_is(span_of(status), "aborted")) {
		*committed = span_is(span_of(status), "committed");
		e = OK;
	} else if (e == OK) {
		/* The old connection's process may not have noticed yet. */
		c->trouble = TROUBLE_AGAIN;
		e = err_set(ei, ERR_BUSY,
		    "database postgresql: a commit is still under way");
	}
	PQclear(res);
	return e;
}

/* Text sorts by its bytes, as in SQLite, whatever the database's locale. */
#define PG_WORDS                                                               \
	{ "UUID", "bytea" }, { "BLOB", "bytea" }, { "JSON", "text" },          \
	    { "TIME", "bigint" }, { "BOOL", "bigint" }, { "INT", "bigint" },   \
	    { "TEXT", "text COLLATE \"C\"" },                                  \
	{                                                                      \
		"GLOBAL", ""                                                   \
	}

static const struct sql_word words[] = {
	PG_WORDS,
	{ "TENANT", "" },
	{ NULL, NULL },
};
static const struct sql_word partitioned_words[] = {
	PG_WORDS,
	{ "TENANT", "PARTITION BY HASH (agency_id)" },
	{ NULL, NULL },
};

const struct store_engine store_pg = {
	.name = "postgresql",
	.words = words,
	.partitioned_words = partitioned_words,
	.begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	.connect = pg_connect,
	.disconnect = pg_disconnect,
	.run = pg_run,
	.begin = pg_begin,
	.in_transaction = pg_in_transaction,
	.lock = pg_lock,
	.unlock = pg_unlock,
	.outcome = pg_outcome,
	.query = pg_query,
	.next = pg_next,
	.cell = pg_cell,
	.changed = pg_changed,
	.end = pg_end,
};
