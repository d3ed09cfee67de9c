#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lite {
	struct conn base;
	sqlite3 *db;
};

struct lite_cursor {
	struct cursor base;
	sqlite3_stmt *stmt;
	struct prepared *cached; /* NULL: stmt is the cursor's own */
	bool has_row, done;
	int changes_before; /* sqlite3_total_changes() */
};

static struct lite *
lite_of(struct conn *c)
{
	return (struct lite *)c;
}

/* ---- errors ------------------------------------------------------------- */

static const struct {
	int rc; /* an extended code, or a primary one for the rest of it */
	enum err code;
	enum trouble trouble;
} results[] = {
	{ SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS, TROUBLE_NONE },
	{ SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS, TROUBLE_NONE },
	{ SQLITE_CONSTRAINT_ROWID, ERR_EXISTS, TROUBLE_NONE },
	{ SQLITE_CONSTRAINT_FOREIGNKEY, ERR_EXISTS, TROUBLE_NONE },
	{ SQLITE_IOERR_SHORT_READ, ERR_CORRUPT, TROUBLE_NONE },
	{ SQLITE_IOERR_NOMEM, ERR_NOMEM, TROUBLE_NONE },
	{ SQLITE_ERROR, ERR_SYNTAX, TROUBLE_NONE },
	{ SQLITE_CONSTRAINT, ERR_SYNTAX, TROUBLE_NONE },
	{ SQLITE_MISMATCH, ERR_SYNTAX, TROUBLE_NONE },
	{ SQLITE_RANGE, ERR_SYNTAX, TROUBLE_NONE },
	{ SQLITE_TOOBIG, ERR_LIMIT, TROUBLE_NONE },
	{ SQLITE_NOMEM, ERR_NOMEM, TROUBLE_NONE },
	{ SQLITE_BUSY, ERR_BUSY, TROUBLE_AGAIN },
	{ SQLITE_LOCKED, ERR_BUSY, TROUBLE_AGAIN },
	{ SQLITE_PROTOCOL, ERR_BUSY, TROUBLE_AGAIN },
	{ SQLITE_READONLY, ERR_DENIED, TROUBLE_NONE },
	{ SQLITE_CORRUPT, ERR_CORRUPT, TROUBLE_NONE },
	{ SQLITE_NOTADB, ERR_CORRUPT, TROUBLE_NONE },
};

static size_t
find_result(int rc)
{
	size_t i;

	for (i = 0; i < COUNT(results); i++)
		if (results[i].rc == rc)
			return i;
	for (i = 0; i < COUNT(results); i++)
		if (results[i].rc == (rc & 0xff))
			return i;
	return COUNT(results);
}

static enum err
fail(struct lite *l, int rc, struct errinfo *ei)
{
	size_t i = find_result(rc);
	enum err code = i < COUNT(results) ? results[i].code : ERR_IO;
	const char *path =
	    l->db == NULL ? NULL : sqlite3_db_filename(l->db, "main");

	if (i < COUNT(results) && results[i].trouble > l->base.trouble)
		l->base.trouble = results[i].trouble;
	err_set(ei, code, "database file %s%s: %s", path == NULL ? "" : path,
	    code == ERR_CORRUPT ? " is damaged" : "",
	    sqlite3_errcode(l->db) == rc ? sqlite3_errmsg(l->db)
					 : sqlite3_errstr(rc));
	if (code == ERR_IO && ei != NULL)
		ei->sys_errno = sqlite3_system_errno(l->db);
	return code;
}

/* ---- connections -------------------------------------------------------- */

static enum err
lite_run(struct conn *c, const char *text, struct errinfo *ei)
{
	int rc = sqlite3_exec(lite_of(c)->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? OK : fail(lite_of(c), rc, ei);
}

static void
lite_disconnect(struct conn *c)
{
	struct lite *l = lite_of(c);

	if (l == NULL)
		return;
	for (size_t i = 0; i < CACHE_SETS; i++)
		for (size_t j = 0; j < CACHE_WAYS; j++) {
			struct prepared *p = &c->cache.slot[i][j];

			(void)sqlite3_finalize(p->handle);
			cache_drop(p);
		}
	(void)sqlite3_close(l->db);
	free(l);
}

/* Holds what agencies report, so it is nobody else's to read.  SQLite gives
 * -wal and -shm the same mode.  Never opens a file that exists: closing it
 * would drop the locks of this process's other connections. */
static enum err
make_file(const char *path, struct errinfo *ei)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return err_sys(ei, "database file %s", path);
	if (fd >= 0)
		(void)close(fd);
	return OK;
}

static int64_t
pragma_int(struct lite *l, const char *text)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = 0;

	if (sqlite3_prepare_v2(l->db, text, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return value;
}

/* SQLite reads what is missing of the last page as zeros.  Only where a log
 * is to be played back may the file end within a page. */
static enum err
check_length(struct lite *l, struct errinfo *ei)
{
	const char *path = sqlite3_db_filename(l->db, "main");
	const char *log = sqlite3_filename_wal(path);
	int64_t page = pragma_int(l, "PRAGMA page_size");
	struct stat st;

	if (page <= 0 || (stat(log, &st) == 0 && st.st_size > 0) ||
	    stat(path, &st) != 0 || st.st_size % page == 0)
		return OK;
	return err_set(ei, ERR_CORRUPT,
	    "database file %s is damaged: it was cut short", path);
}

/* Reading the schema finds a file that is no database, or was cut short;
 * checking every page would take seconds for each gigabyte at each start. */
static enum err
set_up(struct lite *l, int patience_ms, bool writer, struct errinfo *ei)
{
	static const char common[] = "SELECT count(*) FROM sqlite_schema;"
				     "PRAGMA foreign_keys = ON;"
				     "PRAGMA trusted_schema = OFF;"
				     "PRAGMA cell_size_check = ON;"
				     "PRAGMA case_sensitive_like = ON;"
				     "PRAGMA temp_store = MEMORY;";
	static const char for_writer[] = "PRAGMA journal_mode = WAL;"
					 "PRAGMA synchronous = FULL;"
					 "PRAGMA wal_autocheckpoint = 4000;"
					 "PRAGMA journal_size_limit = 67108864;"
					 "PRAGMA cache_size = -65536;";
	static const char for_reader[] = "PRAGMA query_only = ON;"
					 "PRAGMA cache_size = -16384;";
	enum err e;
	int rc;

	(void)sqlite3_extended_result_codes(l->db, 1);
	(void)sqlite3_busy_timeout(l->db, patience_ms);
	(void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	rc = lite_add_lower(l->db);
	e = rc == SQLITE_OK ? lite_run(&l->base, common, ei) : fail(l, rc, ei);
	if (e == OK && writer)
		e = check_length(l, ei);
	if (e == OK)
		e = lite_run(&l->base, writer ? for_writer : for_reader, ei);
	return e;
}

/* ---- where the file is --------------------------------------------------- */

/* The folders above ours may be closed to this process, which was started
 * inside: then there is no full path to look at, and the relative one, which
 * needs none of them, is the file's name. */
static int
full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	sqlite3_vfs *plain = sqlite3_vfs_find("unix");
	int rc = plain->xFullPathname(plain, path, size, out);

	(void)vfs;
	if (rc == SQLITE_OK || path[0] == '/' || strlen(path) >= (size_t)size)
		return rc;
	memcpy(out, path, strlen(path) + 1);
	return SQLITE_OK;
}

#define OUR_VFS "khien"

static void
register_vfs(void)
{
	static sqlite3_vfs ours;

	ours = *sqlite3_vfs_find("unix");
	ours.zName = OUR_VFS;
	ours.xFullPathname = full_path;
	(void)sqlite3_vfs_register(&ours, 0);
}

static enum err
lite_connect(const struct place *place, bool writer, struct conn **out,
    struct errinfo *ei)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *path = place->target;
	struct lite *l;
	enum err e;
	int rc;

	/* SQLite takes the others for databases that nobody keeps. */
	if (path[0] == '\0' || path[0] == ':')
		return err_set(ei, ERR_SYNTAX,
		    "database address sqlite:%s names no file", path);
	e = make_file(path, ei);
	if (e != OK)
		return e;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return err_set(ei, ERR_NOMEM, "database connection");
	(void)pthread_once(&once, register_vfs);
	rc = sqlite3_open_v2(
	    path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, OUR_VFS);
	e = rc == SQLITE_OK ? set_up(l, place->patience_ms, writer, ei)
			    : fail(l, rc, ei);
	if (e != OK) {
		lite_disconnect(&l->base);
		return e;
	}
	*out = &l->base;
	return OK;
}

static bool
lite_in_transaction(struct conn *c)
{
	return !sqlite3_get_autocommit(lite_of(c)->db);
}

/* BEGIN IMMEDIATE is lock enough, and a COMMIT here is never in doubt. */
static enum err
lite_lock(struct conn *c, struct errinfo *ei)
{
	(void)c;
	(void)ei;
	return OK;
}

static enum err
lite_begin(struct conn *c, int64_t *mark, struct errinfo *ei)
{
	*mark = 0;
	return lite_run(c, "BEGIN IMMEDIATE", ei);
}

static enum err
lite_outcome(struct conn *c, int64_t mark, bool *committed, struct errinfo *ei)
{
	(void)c;
	(void)mark;
	(void)ei;
	*committed = false;
	return OK;
}

/* ---- statements --------------------------------------------------------- */

static enum err
prepare(struct lite *l, const char *text, struct lite_cursor *cur,
    struct errinfo *ei)
{
	struct prepared *p = cache_find(&l->base.cache, text, "");
	const char *tail = "";
	void *evicted;
	int rc;

	if (p != NULL) {
		p->busy = true;
		cur->cached = p;
		cur->stmt = p->handle;
		return OK;
	}
	rc = sqlite3_prepare_v3(
	    l->db, text, -1, SQLITE_PREPARE_PERSISTENT, &cur->stmt, &tail);
	if (rc != SQLITE_OK)
		return fail(l, rc, ei);
	if (cur->stmt == NULL || span_trim(span_of(tail)).len > 0)
		return err_set(ei, ERR_SYNTAX,
		    "statement: there must be exactly one in a call");
	p = cache_claim(&l->base.cache, text, "", &evicted);
	if (p == NULL)
		return OK;
	(void)sqlite3_finalize(evicted);
	p->handle = cur->stmt;
	p->busy = true;
	cur->cached = p;
	return OK;
}

static int
bind_one(sqlite3_stmt *stmt, int number, const struct sql_arg *a)
{
	struct span s = a->bytes;

	if (a->kind == SQL_A_BLOB && a->number != 0)
		s = (struct span){ (const char *)a->uuid.b, sizeof(a->uuid.b) };
	if (s.ptr == NULL)
		s = (struct span){ "", 0 };
	switch (a->kind) {
	case SQL_A_INT:
		return sqlite3_bind_int64(stmt, number, a->number);
	case SQL_A_TEXT:
		return sqlite3_bind_text(
		    stmt, number, s.ptr, (int)s.len, SQLITE_TRANSIENT);
	case SQL_A_BLOB:
		return sqlite3_bind_blob(
		    stmt, number, s.ptr, (int)s.len, SQLITE_TRANSIENT);
	default:
		return sqlite3_bind_null(stmt, number);
	}
}

static enum err
bind(struct lite *l, sqlite3_stmt *stmt, const struct sql_arg *args, int count,
    struct errinfo *ei)
{
	int want = sqlite3_bind_parameter_count(stmt);

	if (want != count)
		return err_set(ei, ERR_SYNTAX,
		    "statement has %d parameters, %d were given", want, count);
	for (int i = 0; i < count; i++) {
		int rc = bind_one(stmt, i + 1, &args[i]);

		if (rc != SQLITE_OK)
			return fail(l, rc, ei);
	}
	return OK;
}

static enum err
step(struct lite *l, struct lite_cursor *cur, struct errinfo *ei)
{
	int rc = sqlite3_step(cur->stmt);

	cur->has_row = rc == SQLITE_ROW;
	cur->done = rc == SQLITE_DONE;
	return cur->has_row || cur->done ? OK : fail(l, rc, ei);
}

static void
lite_end(struct cursor *base)
{
	struct lite_cursor *cur = (struct lite_cursor *)base;

	if (cur->cached != NULL) {
		(void)sqlite3_reset(cur->stmt);
		(void)sqlite3_clear_bindings(cur->stmt);
		cur->cached->busy = false;
	} else {
		(void)sqlite3_finalize(cur->stmt);
	}
	free(cur);
}

/* The first step is made here, so that a change is done, or has failed, when
 * the call returns: as on PostgreSQL. */
static enum err
lite_query(struct conn *c, const char *text, const struct sql_arg *args,
    int count, struct cursor **out, struct errinfo *ei)
{
	struct lite *l = lite_of(c);
	struct lite_cursor *cur = calloc(1, sizeof(*cur));
	enum err e;

	if (cur == NULL)
		return err_set(ei, ERR_NOMEM, "rows of a query");
	cur->changes_before = sqlite3_total_changes(l->db);
	e = prepare(l, text, cur, ei);
	if (e == OK)
		e = bind(l, cur->stmt, args, count, ei);
	if (e == OK)
		e = step(l, cur, ei);
	if (e == OK)
		*out = &cur->base;
	else
		lite_end(&cur->base);
	return e;
}

static enum err
lite_next(struct conn *c, struct cursor *base, bool *more, struct errinfo *ei)
{
	struct lite_cursor *cur = (struct lite_cursor *)base;
	enum err e = OK;

	if (!cur->has_row && !cur->done)
		e = step(lite_of(c), cur, ei);
	if (e != OK)
		return e;
	*more = cur->has_row;
	cur->has_row = false; /* the next call steps on */
	return OK;
}

static struct cell
lite_cell(const struct cursor *base, int column)
{
	sqlite3_stmt *stmt = ((const struct lite_cursor *)base)->stmt;
	struct cell c = { .kind = CELL_BYTES };
	int type = sqlite3_column_type(stmt, column);

	if (type == SQLITE_NULL)
		return (struct cell){ .kind = CELL_NULL };
	if (type == SQLITE_INTEGER)
		return (struct cell){ .kind = CELL_INT,
			.number = sqlite3_column_int64(stmt, column) };
	c.bytes.ptr = type == SQLITE_BLOB
	    ? sqlite3_column_blob(stmt, column)
	    : (const char *)sqlite3_column_text(stmt, column);
	c.bytes.len = (size_t)sqlite3_column_bytes(stmt, column);
	return c;
}

static int64_t
lite_changed(struct conn *c, const struct cursor *base)
{
	const struct lite_cursor *cur = (const struct lite_cursor *)base;
	sqlite3 *db = lite_of(c)->db;

	/* Statements that change no rows keep the count of the one before. */
	if (sqlite3_total_changes(db) == cur->changes_before)
		return 0;
	return sqlite3_changes(db);
}

static const struct sql_word words[] = {
	{ "UUID", "BLOB" },
	{ "BLOB", "BLOB" },
	{ "JSON", "TEXT" },
	{ "TIME", "INTEGER" },
	{ "BOOL", "INTEGER" },
	{ "INT", "INTEGER" },
	{ "TEXT", "TEXT" },
	{ "TENANT", "STRICT, WITHOUT ROWID" },
	{ "GLOBAL", "STRICT" },
	{ NULL, NULL },
};

const struct store_engine store_sqlite = {
	.name = "sqlite",
	.words = words,
	.partitioned_words = words,
	.begin_read = "BEGIN",
	.connect = lite_connect,
	.disconnect = lite_disconnect,
	.begin = lite_begin,
	.run = lite_run,
	.in_transaction = lite_in_transaction,
	.lock = lite_lock,
	.unlock = lite_lock,
	.outcome = lite_outcome,
	.query = lite_query,
	.next = lite_next,
	.cell = lite_cell,
	.changed = lite_changed,
	.end = lite_end,
};
