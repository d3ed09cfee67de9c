#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "base/buf.h"
#include "store/store.h"

#define SQL_TEXT_MAX     (1u << 18) /* bytes of a statement or a migration */
#define STORE_PARTITIONS 8          /* of each tenant table */

/* ---- words.c: statement text ------------------------------------------- */

/* What a {WORD} of a migration stands for; name NULL ends the table. */
struct sql_word {
	const char *name, *text;
};

/* "?1" becomes "$1" outside of quotes and comments; *highest is the largest
 * number seen.  A '?' without a number is ERR_SYNTAX. */
enum err words_translate(struct span text, struct buf *out, int *highest,
    struct errinfo *ei) MUST_USE;
/* {WORD} and the type INTEGER become the engine's.  *tenant is the name of
 * the table that a {TENANT} ends, borrowed from `text`, or empty. */
enum err words_expand(struct span text, const struct sql_word *words,
    struct buf *out, struct span *tenant, struct errinfo *ei) MUST_USE;
/* Cuts the next statement off at ";\n" or the end; false when none is left. */
bool words_statement(struct span *rest, struct span *statement);

/* ---- cache.c: prepared statements of one connection --------------------- */

#define CACHE_SETS 64
#define CACHE_WAYS 8

struct prepared {
	char *text;     /* NULL: the slot is free */
	char kinds[64]; /* the parameters' kinds, where they matter, else "" */
	uint64_t used;  /* when, for choosing whom to evict */
	bool busy;      /* an open cursor reads from it */
	void *handle;   /* the engine's */
};
struct cache {
	struct prepared slot[CACHE_SETS][CACHE_WAYS];
	uint64_t ticks;
};

/* The statement with that text and these kinds, or NULL; a busy one is not
 * found. */
struct prepared *
cache_find(struct cache *c, const char *text, const char *kinds);
/* A slot to fill: *evicted is the handle that the caller must release.  NULL
 * when all are busy, memory is out, or `kinds` is too long: do without. */
struct prepared *cache_claim(
    struct cache *c, const char *text, const char *kinds, void **evicted);
void cache_drop(struct prepared *p); /* forgets it, not the handle */

/* ---- engines ------------------------------------------------------------ */

enum trouble { /* the worse, the larger */
	TROUBLE_NONE,
	TROUBLE_AGAIN, /* roll back and run the transaction again */
	TROUBLE_LOST,  /* the same, on a new connection */
};

/* One connection; the first member of the engine's own. */
struct conn {
	enum trouble trouble; /* set by whichever call met it */
	struct cache cache;
};

/* One result; the first member of the engine's own. */
struct cursor {
	struct cursor *next; /* the other open ones of the transaction */
};

struct cell {
	enum { CELL_NULL, CELL_INT, CELL_BYTES, CELL_HEX } kind;
	int64_t number;
	struct span bytes; /* of the engine: until the next row */
};

/* Where the database is. */
struct place {
	char *target;    /* path or URI */
	int patience_ms; /* most to wait for a lock that others hold */
};

struct store_engine {
	const char *name;
	const struct sql_word *words, *partitioned_words;
	const char *begin_read;

	enum err (*connect)(const struct place *place, bool writer,
	    struct conn **out, struct errinfo *ei);
	void (*disconnect)(struct conn *c); /* accepts NULL */
	/* Begins a change.  *mark is what outcome() needs to know of it, or 0
	 * where a COMMIT is never in doubt. */
	enum err (*begin)(struct conn *c, int64_t *mark, struct errinfo *ei);
	/* Statements without parameters; rows are not wanted. */
	enum err (*run)(struct conn *c, const char *text, struct errinfo *ei);
	bool (*in_transaction)(struct conn *c);
	/* While held, no other process migrates the same database. */
	enum err (*lock)(struct conn *c, struct errinfo *ei);
	enum err (*unlock)(struct conn *c, struct errinfo *ei);
	/* On a new connection, after one was lost in COMMIT: did it happen?
	 * ERR_BUSY: that cannot be told. */
	enum err (*outcome)(
	    struct conn *c, int64_t mark, bool *committed, struct errinfo *ei);

	/* Runs the statement.  The bytes of args are not needed afterwards. */
	enum err (*query)(struct conn *c, const char *text,
	    const struct sql_arg *args, int count, struct cursor **out,
	    struct errinfo *ei);
	enum err (*next)(
	    struct conn *c, struct cursor *cur, bool *more, struct errinfo *ei);
	struct cell (*cell)(const struct cursor *cur, int column);
	int64_t (*changed)(struct conn *c, const struct cursor *cur);
	void (*end)(struct cursor *cur);
};

extern const struct store_engine store_sqlite, store_pg;

/* ---- transactions ------------------------------------------------------- */

struct sql {
	const struct store_engine *engine;
	struct conn *conn;
	struct cursor *open;
	/* The first statement that failed: PostgreSQL refuses all that follow
	 * in the transaction, so we do it for both. */
	enum err failed;
	struct errinfo why;
};

/* Runs fn under a savepoint (`nested`) or as the whole transaction; ends the
 * rows it left open.  Its changes are undone by the caller if not nested. */
enum err sql_run_fn(struct sql *q, store_fn *fn, void *arg, struct errinfo *ei);
/* A statement that is not prepared: migrations. */
enum err sql_raw(struct sql *q, const char *text, struct errinfo *ei);
struct span sql_bytes_of(struct cell cell, struct arena *a);

/* As store_write(), but alone in its transaction and under engine->lock(). */
enum err store_write_locked(
    struct store *st, store_fn *fn, void *arg, struct errinfo *ei);
const struct sql_word *store_words(const struct store *st);
bool store_partitioned(const struct store *st);
int64_t store_now_ms(const struct store *st);

/* ---- SQLite ---- */

struct sqlite3;
int lite_add_lower(struct sqlite3 *db); /* a result code of SQLite */

#endif
