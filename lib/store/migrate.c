#include "store/store_int.h"

#include <string.h>

/* One migration of a room, applied once. */
struct step {
	const struct store *st;
	const char *room;
	const struct migration *m;
};

static const char ledger[] = "CREATE TABLE IF NOT EXISTS schema_migrations (\n"
			     "  room TEXT NOT NULL,\n"
			     "  name TEXT NOT NULL,\n"
			     "  text TEXT NOT NULL,\n"
			     "  applied_ms {TIME} NOT NULL,\n"
			     "  PRIMARY KEY (room, name)\n"
			     ") {GLOBAL}";

static enum err
make_partitions(
    struct sql *q, struct span table, struct buf *b, struct errinfo *ei)
{
	enum err e = OK;

	for (int i = 0; i < STORE_PARTITIONS && e == OK; i++) {
		buf_clear(b);
		buf_fmt(b,
		    "CREATE TABLE %.*s_p%d PARTITION OF %.*s"
		    " FOR VALUES WITH (MODULUS %d, REMAINDER %d)",
		    (int)table.len, table.ptr, i, (int)table.len, table.ptr,
		    STORE_PARTITIONS, i);
		e = buf_check(b, ei);
		if (e == OK)
			e = sql_raw(q, b->ptr, ei);
	}
	return e;
}

static enum err
apply_text(
    struct sql *q, const struct store *st, struct span text, struct errinfo *ei)
{
	struct buf b = buf_make(SQL_TEXT_MAX);
	struct span statement, tenant = { "", 0 };
	enum err e = OK;

	while (e == OK && words_statement(&text, &statement)) {
		buf_clear(&b);
		e = words_expand(statement, store_words(st), &b, &tenant, ei);
		if (e == OK)
			e = sql_raw(q, b.ptr, ei);
		if (e == OK && tenant.len > 0 && store_partitioned(st))
			e = make_partitions(q, tenant, &b, ei);
	}
	buf_free(&b);
	return e;
}

/* *applied tells whether the room's migration is in the ledger. */
static enum err
look_up(struct sql *q, const struct step *s, bool *applied, struct errinfo *ei)
{
	int64_t same = 0;
	enum err e = sql_get_int(q, &same, ei,
	    "SELECT CASE WHEN text = ?3 THEN 1 ELSE 0 END"
	    "  FROM schema_migrations WHERE room = ?1 AND name = ?2",
	    SQL_STR(s->room), SQL_STR(s->m->name), SQL_STR(s->m->text));

	*applied = e == OK;
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e == OK && !same)
		return err_set(ei, ERR_CORRUPT,
		    "migration %s of %s was applied with another text",
		    s->m->name, s->room);
	return e;
}

static enum err
apply(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct step *s = arg;
	bool applied = false;
	enum err e = apply_text(q, s->st, SPAN(ledger), ei);

	if (e == OK)
		e = look_up(q, s, &applied, ei);
	if (e != OK || applied)
		return e;
	e = apply_text(q, s->st, span_of(s->m->text), ei);
	if (e != OK)
		return e;
	return sql_exec(q, NULL, ei,
	    "INSERT INTO schema_migrations (room, name, text, applied_ms)"
	    " VALUES (?1, ?2, ?3, ?4)",
	    SQL_STR(s->room), SQL_STR(s->m->name), SQL_STR(s->m->text),
	    SQL_INT(store_now_ms(s->st)));
}

enum err
store_migrate(struct store *st, const char *room, const struct migration *list,
    struct errinfo *ei)
{
	enum err e = OK;

	for (; list->name != NULL && e == OK; list++) {
		struct step s = { .st = st, .room = room, .m = list };

		e = store_write_locked(st, apply, &s, ei);
	}
	return e;
}
