/* Import of the register: the computers that should be there. */

#include <stdlib.h>
#include <string.h>

#include "org/table.h"
#include "protection/protection_int.h"

#define REGISTER_MAX 100000 /* rows of one file */

enum { C_AGENCY, C_CODE, C_NAME, C_KIND, C_MAC };

static const struct table_column columns[] = {
	[C_AGENCY] = { "ma_co_quan", "agency", true },
	[C_CODE] = { "ma_may", "code", true },
	[C_NAME] = { "ten_may", "name", true },
	[C_KIND] = { "loai", "kind", true },
	[C_MAC] = { "mac", "mac", false },
	{ NULL, NULL, false },
};

/* A kind as people write it. */
static const struct {
	const char *text, *kind;
} kinds[] = {
	{ "máy chủ", "server" },
	{ "may chu", "server" },
	{ "server", "server" },
	{ "máy trạm", "workstation" },
	{ "may tram", "workstation" },
	{ "workstation", "workstation" },
	{ "thiết bị đầu cuối", "terminal" },
	{ "thiet bi dau cuoi", "terminal" },
	{ "terminal", "terminal" },
};

static const char *
kind_of(struct span text)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (text.len == strlen(kinds[i].text) &&
		    strncasecmp(text.ptr, kinds[i].text, text.len) == 0)
			return kinds[i].kind;
	return NULL;
}

/* aa:bb:cc:dd:ee:ff in lower case; '-' is taken for ':'. */
static bool
mac_of(struct span text, char out[18])
{
	unsigned char bytes[6];

	if (text.len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const char sep = (char)(i < 5 ? text.ptr[3 * i + 2] : ':');

		if ((sep != ':' && sep != '-') ||
		    hex_decode((struct span){ text.ptr + 3 * i, 2 }, bytes + i,
			1) != OK)
			return false;
		hex_encode(bytes + i, 1, out + 3 * i);
		out[3 * i + 2] = ':';
	}
	out[17] = '\0';
	return true;
}

struct register_job {
	const struct http_req *rq;
	struct span csv;
	struct arena *a;
	struct table t;
	struct org_actor who;
	int64_t added, changed;
	struct entry_key *keys; /* of the good rows */
	size_t key_count;
};

struct entry_key {
	struct uuid agency;
	struct span code;
	size_t line;
};

struct entry {
	struct uuid agency;
	struct span code, name;
	const char *kind;
	char mac[18];
};

static const char *
read_entry(struct sql *q, const struct table *t, const struct csv_row *row,
    struct entry *out, const char **column)
{
	struct span agency = table_cell(t, row, C_AGENCY);
	struct span mac = table_cell(t, row, C_MAC);

	*out = (struct entry){
		.code = table_cell(t, row, C_CODE),
		.name = table_cell(t, row, C_NAME),
		.kind = kind_of(table_cell(t, row, C_KIND)),
	};
	*column = "agency";
	if (org_agency_by_code(q, agency, &out->agency, NULL) != OK)
		return N_("no agency has this code");
	*column = "code";
	if (!table_text_ok(out->code, 63))
		return N_("a code has 1 to 63 bytes");
	*column = "name";
	if (!table_text_ok(out->name, 253))
		return N_("a name has 1 to 253 bytes");
	*column = "kind";
	if (out->kind == NULL)
		return N_("the kind must be máy chủ, máy trạm or thiết bị "
			  "đầu cuối");
	*column = "mac";
	if (mac.len > 0 && !mac_of(mac, out->mac))
		return N_("the MAC address must be like 00:11:22:aa:bb:cc");
	return NULL;
}

static enum err
put_entry(struct sql *q, struct register_job *job, const struct entry *en,
    struct errinfo *ei)
{
	const struct centre *c = centre_of(job->rq);
	int64_t known = 0;
	enum err e = sql_get_int(q, &known, ei,
	    "SELECT count(*) FROM computers WHERE agency_id = ?1"
	    " AND code = ?2",
	    SQL_UUID(en->agency), SQL_TEXT(en->code));

	if (e != OK)
		return e;
	job->added += known == 0;
	job->changed += known != 0;
	return sql_exec(q, NULL, ei,
	    "INSERT INTO computers (agency_id, computer_id, code, name, kind,"
	    " mac, agent_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
	    " (SELECT a.agent_id FROM agents a WHERE a.agency_id = ?1"
	    "  AND a.revoked_ms = 0"
	    "  AND ((?6 <> '' AND a.macs LIKE '%\"' || ?6 || '\"%')"
	    "   OR lower(a.host) = lower(?4))"
	    "  AND NOT EXISTS (SELECT 1 FROM computers x WHERE x.agency_id = ?1"
	    "   AND x.agent_id = a.agent_id)"
	    "  ORDER BY a.enrolled_ms DESC LIMIT 1), ?7)"
	    " ON CONFLICT (agency_id, code) DO UPDATE SET"
	    " name = excluded.name, kind = excluded.kind, mac = excluded.mac",
	    SQL_UUID(en->agency), SQL_UUID(uuid_make(c->clock)),
	    SQL_TEXT(en->code), SQL_TEXT(en->name), SQL_STR(en->kind),
	    SQL_STR(en->mac), SQL_INT(clock_utc_ms(c->clock)));
}

static int
key_cmp(const void *a, const void *b)
{
	const struct entry_key *x = a, *y = b;
	int c = memcmp(x->agency.b, y->agency.b, sizeof(x->agency.b));

	if (c == 0)
		c = span_cmp(x->code, y->code);
	return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

/* The later of two rows about one computer. */
static enum err
complain_of_twins(struct register_job *job, struct errinfo *ei)
{
	const struct entry_key *k = job->keys;
	enum err e = OK;

	qsort(job->keys, job->key_count, sizeof(*job->keys), key_cmp);
	for (size_t i = 1; e == OK && i < job->key_count; i++)
		if (uuid_eq(k[i].agency, k[i - 1].agency) &&
		    span_eq(k[i].code, k[i - 1].code))
			e = table_problem(&job->t, k[i].line, "code",
			    N_("the same code stands in another row"), ei);
	return e;
}

static enum err
register_rows(struct sql *q, struct register_job *job, struct errinfo *ei)
{
	struct csv_row row;
	bool more = true;
	enum err e;

	job->keys = ARENA_NEW(job->a, struct entry_key, REGISTER_MAX);
	job->key_count = 0;
	if (job->keys == NULL)
		return err_set(ei, ERR_NOMEM, "register");
	while ((e = table_next(&job->t, &row, &more, ei)) == OK && more) {
		const char *column, *why;
		struct entry en;

		if (job->key_count == REGISTER_MAX)
			return err_set(
			    ei, ERR_LIMIT, N_("the table has too many rows"));
		why = read_entry(q, &job->t, &row, &en, &column);
		e = why != NULL
		    ? table_problem(&job->t, row.line, column, why, ei)
		    : put_entry(q, job, &en, ei);
		if (e != OK)
			return e;
		if (why == NULL)
			job->keys[job->key_count++] =
			    (struct entry_key){ en.agency, en.code, row.line };
	}
	return e == OK ? complain_of_twins(job, ei) : e;
}

static enum err
register_import(struct sql *q, void *arg, struct errinfo *ei)
{
	struct register_job *job = arg;
	json_t *detail;
	enum err e = table_begin(&job->t, job->csv, columns, job->a, ei);

	job->added = job->changed = 0;
	if (e == OK)
		e = register_rows(q, job, ei);
	if (e == OK && job->t.problem_count > 0)
		return err_set(
		    ei, ERR_SYNTAX, "%zu bad rows", job->t.problem_count);
	if (e != OK)
		return e;
	detail = json_object();
	json_put_int(detail, "added", job->added);
	json_put_int(detail, "changed", job->changed);
	e = org_audit(q, centre_of(job->rq)->clock, &job->who,
	    "computer.import", "", detail, ei);
	json_decref(detail);
	return e;
}

static int
by_line(const void *a, const void *b)
{
	const struct org_row_problem *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static json_t *
report_json(const struct register_job *job, bool good)
{
	json_t *o = json_object(), *bad;

	if (job->t.problem_count > 0)
		qsort(job->t.problems, job->t.problem_count,
		    sizeof(*job->t.problems), by_line);
	json_put_int(o, "added", good ? job->added : 0);
	json_put_int(o, "changed", good ? job->changed : 0);
	bad = json_put_new(o, "bad", json_array());
	for (size_t i = 0; i < job->t.problem_count; i++) {
		json_t *p = table_problem_json(
		    &job->t, &job->t.problems[i], centre_lang(job->rq));

		(void)json_array_append_new(bad, p);
	}
	return o;
}

enum err
computers_import(const struct http_req *rq, struct span csv, json_t **report,
    struct errinfo *ei)
{
	struct register_job job = { .rq = rq,
		.csv = csv,
		.a = arena_new(256u << 20),
		.who = centre_actor(rq) };
	enum err e;

	*report = NULL;
	if (job.a == NULL)
		return err_set(ei, ERR_NOMEM, "import");
	e = store_write(centre_of(rq)->store, register_import, &job, ei);
	if (e == OK || job.t.problem_count > 0)
		*report = report_json(&job, e == OK);
	arena_free(job.a);
	return e;
}
