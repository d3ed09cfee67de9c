#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/uuid.h"

/* The one SQL door, over SQLite 3 and PostgreSQL (13 and later, UTF-8).
 * Statement text is constant and written once for both: parameters are ?1,
 * ?2, ... and are always bound.  One writer thread commits many callers'
 * changes together (group commit); readers see one snapshot and never wait
 * for it.  What the engines would do differently is made the same here, or
 * named in README.md. */

struct store; /* any thread */
struct sql;   /* one open transaction; only inside the callback it came to */

struct store_options {
	/* "sqlite:PATH" or a libpq URI "postgresql://..." */
	const char *url;
	int readers;      /* connections for store_read(); 0 = 4, at most 64 */
	int group_rows;   /* most callers in one commit; 0 = 500 */
	int patience_ms;  /* how long a write tries again; 0 = 10000 */
	bool partitioned; /* PostgreSQL: hash-partition tenant tables */
	const struct clock *clock; /* NULL: the system's */
};

/* ERR_BUSY: no server answers (yet); ERR_IO: the server refuses us, or the
 * file cannot be opened; ERR_CORRUPT names the damaged file.  All of a
 * SQLite file is not read for that: damage within is found at use. */
enum err store_open(const struct store_options *opt, struct store **out,
    struct errinfo *ei) MUST_USE;
/* Waits for the callers that are inside; NULL is fine. */
void store_close(struct store *st);
const char *store_engine(const struct store *st); /* "sqlite", "postgresql" */

/* ---- migrations --------------------------------------------------------
 * A room lists its own, in order, for ever: entries are only appended.
 * Statements are separated by ";\n".  Outside of quotes and comments these
 * words stand for the engine's:
 *
 *	word		SQLite			PostgreSQL
 *	{UUID} {BLOB}	BLOB			bytea
 *	{JSON}		TEXT			text
 *	TEXT {TEXT}	TEXT			text COLLATE "C"
 *	{TIME}		INTEGER			bigint	(ms since 1970, UTC)
 *	{BOOL}		INTEGER			bigint	(0 or 1)
 *	INTEGER {INT}	INTEGER			bigint
 *	{TENANT}	STRICT, WITHOUT ROWID	"", or when partitioned
 *						PARTITION BY HASH (agency_id)
 *						and 8 partitions NAME_p0...
 *	{GLOBAL}	STRICT			""
 *
 * {TENANT} ends a CREATE TABLE whose primary key, and every unique one,
 * starts with agency_id; {GLOBAL} ends the others. */
struct migration {
	const char *name; /* "0001-agents"; NULL ends the list */
	const char *text;
};
/* Applies what is missing, each in a transaction, and once however many
 * servers start together.  A migration that was applied with another text is
 * ERR_CORRUPT. */
enum err store_migrate(struct store *st, const char *room,
    const struct migration *list, struct errinfo *ei) MUST_USE;

/* ---- transactions ------------------------------------------------------ */

typedef enum err store_fn(struct sql *q, void *arg, struct errinfo *ei);

/* Runs fn on the writer's thread, in its transaction, under a savepoint: if
 * it fails only its own changes are undone.  Returns after the commit is
 * durable; if the commit itself fails every caller of the group hears it.
 * Changes are as if made one after the other, also with several servers.
 *
 * fn may run again (serialisation failure, lost connection), so it must not
 * touch anything but the database and its own result, which it starts afresh.
 * It must be short, as all writers wait for it, and must not call
 * store_write().  Once a statement failed all later ones fail alike, and the
 * changes are undone even if fn returns OK.
 *
 * ERR_BUSY: a lock was held, or the database was away, for longer than the
 * patience.  The change is undone then, unless the message says that its
 * commit is in doubt: write so that asking again does no harm. */
enum err store_write(
    struct store *st, store_fn *fn, void *arg, struct errinfo *ei) MUST_USE;
/* Runs fn once, on this thread, in a read-only snapshot on a reader's
 * connection; waits while all are taken.  A change is ERR_DENIED.  A long
 * read keeps SQLite's log from being folded back into the file. */
enum err store_read(
    struct store *st, store_fn *fn, void *arg, struct errinfo *ei) MUST_USE;

/* ---- statements -------------------------------------------------------- */

#define SQL_ARGS_MAX  128         /* parameters of a statement */
#define SQL_VALUE_MAX (64u << 20) /* bytes of a text or blob parameter */

/* Text that is not UTF-8, or holds a NUL byte, is ERR_SYNTAX.  The bytes need
 * to live for the call only.  SQL_NULL stands where the column beside it tells
 * its type: "?1 IS NULL" alone does not. */
struct sql_arg {
	enum { SQL_A_END, SQL_A_NULL, SQL_A_INT, SQL_A_TEXT, SQL_A_BLOB } kind;
	int64_t number;
	struct span bytes;
	struct uuid uuid; /* the bytes of a SQL_UUID() */
};
#define SQL_NULL    ((struct sql_arg){ .kind = SQL_A_NULL })
#define SQL_INT(v)  ((struct sql_arg){ .kind = SQL_A_INT, .number = (v) })
#define SQL_TEXT(s) ((struct sql_arg){ .kind = SQL_A_TEXT, .bytes = (s) })
#define SQL_STR(s)  SQL_TEXT(span_of(s))
#define SQL_BLOB(s) ((struct sql_arg){ .kind = SQL_A_BLOB, .bytes = (s) })
#define SQL_UUID(u)                                                            \
	((struct sql_arg){ .kind = SQL_A_BLOB, .uuid = (u), .number = 16 })
#define SQL_ARGS(...)                                                          \
	((const struct sql_arg[]){                                             \
	    __VA_ARGS__ __VA_OPT__(, )(struct sql_arg){ .kind = SQL_A_END } })

/* sql_exec(q, &changed, ei, "UPDATE a SET x = ?1 WHERE id = ?2", SQL_INT(x),
 *     SQL_UUID(id));   `changed` (rows) may be NULL.
 * A broken unique or foreign key is ERR_EXISTS; another constraint, or a
 * statement the engine does not understand, is ERR_SYNTAX. */
#define sql_exec(q, changed, ei, text, ...)                                    \
	sql_exec_args((q), (changed), (ei), (text), SQL_ARGS(__VA_ARGS__))
enum err sql_exec_args(struct sql *q, int64_t *changed, struct errinfo *ei,
    const char *text, const struct sql_arg *args) MUST_USE;

/* Rows of a query.  sql_query(), then sql_next() until *more is false (rows
 * are released then, and by sql_end() at any time; sql_end() twice is fine).
 *	struct sql_rows r;
 *	e = sql_query(q, &r, ei, "SELECT id, name FROM t WHERE x = ?1", ...);
 *	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
 *		...sql_text(&r, 1, arena)...
 *	sql_end(&r);
 * Do not change a table while reading rows of it: read them all first. */
struct sql_rows {
	struct sql *q;
	void *state; /* NULL: no more rows */
};
#define sql_query(q, r, ei, text, ...)                                         \
	sql_query_args((q), (r), (ei), (text), SQL_ARGS(__VA_ARGS__))
enum err sql_query_args(struct sql *q, struct sql_rows *r, struct errinfo *ei,
    const char *text, const struct sql_arg *args) MUST_USE;
enum err sql_next(struct sql_rows *r, bool *more, struct errinfo *ei) MUST_USE;
void sql_end(struct sql_rows *r);

/* Column of the current row, from 0.  NULL reads as 0, empty, none; text as
 * the number it begins with. */
bool sql_is_null(const struct sql_rows *r, int column);
int64_t sql_int(const struct sql_rows *r, int column);
struct uuid sql_uuid(const struct sql_rows *r, int column);
/* Copied into the arena, NUL-terminated behind its length; .ptr is "" for
 * NULL and NULL when the arena is full. */
struct span sql_bytes(const struct sql_rows *r, int column, struct arena *a);
const char *sql_text(const struct sql_rows *r, int column, struct arena *a);

/* The first row's first column, or ERR_NOT_FOUND (which is no failed
 * statement: work goes on). */
#define sql_get_int(q, out, ei, text, ...)                                     \
	sql_get_int_args((q), (out), (ei), (text), SQL_ARGS(__VA_ARGS__))
enum err sql_get_int_args(struct sql *q, int64_t *out, struct errinfo *ei,
    const char *text, const struct sql_arg *args) MUST_USE;

#endif
