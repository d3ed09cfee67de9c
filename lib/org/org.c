#include "org/org.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"

const struct org_actor org_system = { .name = "system", .remote = "" };

const struct migration org_migrations[] = {
	{ "0001-org",
	    "CREATE TABLE agencies (\n"
	    "  agency_id {UUID} NOT NULL PRIMARY KEY,\n"
	    "  code TEXT NOT NULL UNIQUE,\n"
	    "  created_ms {TIME} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE TABLE agency_periods (\n"
	    "  agency_id {UUID} NOT NULL REFERENCES agencies,\n"
	    "  valid_from TEXT NOT NULL,\n"
	    "  valid_to TEXT NOT NULL,\n" /* '' = open */
	    "  name TEXT NOT NULL,\n"
	    "  kind TEXT NOT NULL,\n"
	    "  parent_id {UUID} REFERENCES agencies,\n"
	    "  PRIMARY KEY (agency_id, valid_from)\n"
	    ") {GLOBAL};\n"
	    "CREATE TABLE accounts (\n"
	    "  account_id {UUID} NOT NULL PRIMARY KEY,\n"
	    "  login TEXT NOT NULL UNIQUE,\n"
	    "  password TEXT NOT NULL,\n"
	    "  must_change {BOOL} NOT NULL,\n"
	    "  failures INTEGER NOT NULL,\n"
	    "  locked_until_ms {TIME} NOT NULL,\n"
	    "  created_ms {TIME} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE TABLE sessions (\n"
	    "  token_hash {BLOB} NOT NULL PRIMARY KEY,\n"
	    "  account_id {UUID} NOT NULL REFERENCES accounts,\n"
	    "  csrf TEXT NOT NULL,\n"
	    "  created_ms {TIME} NOT NULL,\n"
	    "  seen_ms {TIME} NOT NULL,\n"
	    "  remote TEXT NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE INDEX sessions_account ON sessions (account_id);\n"
	    "CREATE TABLE settings (\n"
	    "  key TEXT NOT NULL PRIMARY KEY,\n"
	    "  value INTEGER NOT NULL,\n"
	    "  low INTEGER NOT NULL,\n"
	    "  high INTEGER NOT NULL,\n"
	    "  basis TEXT NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE TABLE audit (\n"
	    "  audit_id {UUID} NOT NULL PRIMARY KEY,\n"
	    "  at_ms {TIME} NOT NULL,\n"
	    "  actor_id {UUID},\n"
	    "  actor TEXT NOT NULL,\n"
	    "  remote TEXT NOT NULL,\n"
	    "  action TEXT NOT NULL,\n"
	    "  object TEXT NOT NULL,\n"
	    "  detail {JSON} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE INDEX audit_at ON audit (at_ms)" },
	{ "0002-failures-by-login",
	    "CREATE TABLE signin_failures (\n"
	    "  login TEXT NOT NULL PRIMARY KEY,\n"
	    "  failures INTEGER NOT NULL,\n"
	    "  locked_until_ms {TIME} NOT NULL,\n"
	    "  seen_ms {TIME} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE INDEX signin_failures_seen ON signin_failures (seen_ms);\n"
	    "ALTER TABLE accounts DROP COLUMN failures;\n"
	    "ALTER TABLE accounts DROP COLUMN locked_until_ms" },
	{ NULL, NULL },
};

/* ---- audit ---- */

enum err
org_audit(struct sql *q, const struct clock *c, const struct org_actor *who,
    const char *action, const char *object, const json_t *detail,
    struct errinfo *ei)
{
	char *text = detail == NULL
	    ? NULL
	    : json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
	enum err e = sql_exec(q, NULL, ei,
	    "INSERT INTO audit (audit_id, at_ms, actor_id, actor, remote,"
	    " action, object, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	    SQL_UUID(uuid_make(c)), SQL_INT(clock_utc_ms(c)),
	    uuid_none(who->id) ? SQL_NULL : SQL_UUID(who->id),
	    SQL_STR(who->name), SQL_STR(who->remote), SQL_STR(action),
	    SQL_STR(object), SQL_STR(text == NULL ? "{}" : text));

	free(text);
	return e;
}

/* ---- settings ---- */

struct settings_job {
	struct span csv;
};

static enum err
setting_row(struct sql *q, const struct csv_row *row, struct errinfo *ei)
{
	int64_t value, low, high;

	if (row->count != 5 || span_i64(row->field[1], &value) != OK ||
	    span_i64(row->field[2], &low) != OK ||
	    span_i64(row->field[3], &high) != OK || value < low || value > high)
		return err_set(ei, ERR_SYNTAX,
		    "settings line %zu: want "
		    "key,default,low,high,basis",
		    row->line);
	return sql_exec(q, NULL, ei,
	    "INSERT INTO settings (key, value, low, high, basis)"
	    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET"
	    " low = excluded.low, high = excluded.high,"
	    " basis = excluded.basis",
	    SQL_TEXT(row->field[0]), SQL_INT(value), SQL_INT(low),
	    SQL_INT(high), SQL_TEXT(row->field[4]));
}

static enum err
settings_load(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct settings_job *job = arg;
	struct arena *a = arena_new(1u << 20);
	struct csv csv = csv_begin(job->csv);
	struct csv_row row;
	bool more = true, header = true;
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "settings") : OK;

	while (e == OK) {
		e = csv_next(&csv, a, &row, &more, ei);
		if (e != OK || !more)
			break;
		if (!header)
			e = setting_row(q, &row, ei);
		header = false;
	}
	arena_free(a);
	return e;
}

enum err
org_settings_load(struct store *st, struct span csv, struct errinfo *ei)
{
	struct settings_job job = { csv };

	return store_write(st, settings_load, &job, ei);
}

enum err
org_setting_get(
    struct sql *q, const char *key, int64_t *out, struct errinfo *ei)
{
	enum err e = sql_get_int(q, out, ei,
	    "SELECT value FROM settings WHERE key = ?1", SQL_STR(key));

	if (e == ERR_NOT_FOUND)
		return err_set(ei, e, "setting %s does not exist", key);
	return e;
}

struct setting_job {
	const struct clock *c;
	const char *key;
	int64_t value;
	const struct org_actor *who;
};

static enum err
setting_set(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct setting_job *job = arg;
	int64_t old, changed;
	json_t *detail;
	enum err e = org_setting_get(q, job->key, &old, ei);

	if (e != OK)
		return e;
	e = sql_exec(q, &changed, ei,
	    "UPDATE settings SET value = ?2 WHERE key = ?1"
	    " AND ?2 BETWEEN low AND high",
	    SQL_STR(job->key), SQL_INT(job->value));
	if (e == OK && changed == 0)
		return err_field(ei, ERR_LIMIT, job->key,
		    "setting %s: %lld is out of bounds", job->key,
		    (long long)job->value);
	if (e != OK)
		return e;
	detail = json_object();
	json_put_int(detail, "from", old);
	json_put_int(detail, "to", job->value);
	e = org_audit(
	    q, job->c, job->who, "setting.change", job->key, detail, ei);
	json_decref(detail);
	return e;
}

enum err
org_setting_set(struct store *st, const struct clock *c, const char *key,
    int64_t value, const struct org_actor *who, struct errinfo *ei)
{
	struct setting_job job = { c, key, value, who };

	return store_write(st, setting_set, &job, ei);
}
