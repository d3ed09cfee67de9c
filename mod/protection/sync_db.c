/* The exchange between an agent and the centre. */

#include <string.h>

#include "protection/protection_int.h"

#define COMMANDS_MAX   50
#define NUMBER_MAX     (INT64_C(1) << 53) /* of a record: exact in any JSON */
#define CLOCK_TRUST_MS 300000 /* an agent's clock may be this far off */

/* ---- parsing ---- */

static enum err
parse_time(const json_t *o, const char *key, int64_t *out, struct errinfo *ei)
{
	struct span text;
	enum err e = json_get_text(o, key, TIME_TEXT_MAX, &text, ei);

	if (e == OK && time_parse_rfc3339(text, out) != OK)
		return err_field(ei, ERR_SYNTAX, key,
		    "field %s must be a time as 2026-11-24T01:02:03.004Z", key);
	return e;
}

static enum err
parse_optional(
    const json_t *body, struct sync *s, struct arena *a, struct errinfo *ei)
{
	const json_t *o;
	enum err e = OK;

	if (json_object_get(body, "last_scan") != NULL)
		e = parse_time(body, "last_scan", &s->last_scan_ms, ei);
	if (e == OK && json_object_get(body, "fault") != NULL)
		e = json_get_text(body, "fault", 200, &s->fault, ei);
	if (e != OK || json_object_get(body, "inventory") == NULL)
		return e;
	s->has_inventory = true;
	e = json_get_object(body, "inventory", &o, ei);
	return e == OK ? inventory_parse(o, a, &s->inventory, ei) : e;
}

static enum err
parse_records(const json_t *list, struct sync *s, struct errinfo *ei)
{
	int64_t least = 1;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);
		struct record *r = &s->records[i];
		enum err e = json_get_int(
		    o, "number", least, NUMBER_MAX, &r->number, ei);

		if (e == OK)
			e = json_get_text(o, "kind", 16, &r->kind, ei);
		if (e == OK)
			e = json_get_object(o, "body", &r->body, ei);
		if (e != OK)
			return e;
		least = r->number + 1;
	}
	s->count = json_array_size(list);
	return OK;
}

enum err
sync_parse(const json_t *body, const struct agent *agent, struct arena *a,
    struct sync *out, struct errinfo *ei)
{
	struct sync s = { .agent = agent };
	struct span print = { 0 };
	unsigned char digest[32];
	const json_t *list = NULL;
	enum err e = json_get_text(body, "fingerprint", 64, &print, ei);

	if (e == OK && hex_decode(print, digest, sizeof(digest)) != OK)
		e = err_field(ei, ERR_SYNTAX, "fingerprint",
		    "field fingerprint must be 64 hex digits");
	if (e == OK)
		e = parse_time(body, "time", &s.agent_time_ms, ei);
	if (e == OK)
		e = json_get_text(body, "version", 32, &s.version, ei);
	if (e == OK)
		e = json_get_int(body, "policy_version", 0, INT64_MAX,
		    &s.policy_version, ei);
	if (e == OK)
		e = json_get_int(
		    body, "set_version", 0, INT64_MAX, &s.set_version, ei);
	if (e == OK)
		e = json_get_uuid(body, "spool", &s.spool, ei);
	if (e == OK)
		e = json_get_array(
		    body, "records", SYNC_RECORDS_MAX, &list, ei);
	if (e == OK)
		e = parse_optional(body, &s, a, ei);
	if (e != OK)
		return e;
	hex_encode(digest, sizeof(digest), s.fingerprint);
	s.records = ARENA_NEW(a, struct record, json_array_size(list) + 1);
	if (s.records == NULL)
		return err_set(ei, ERR_NOMEM, "records");
	e = parse_records(list, &s, ei);
	if (e == OK)
		*out = s;
	return e;
}

/* ---- the transaction ---- */

struct sync_job {
	const struct centre *c;
	const struct sync *s;
	json_t *answer;
	struct uuid spool; /* the one known until now */
	int64_t ack;
};

/* Who it is, and how far its spool was stored. */
static enum err
read_standing(struct sql *q, struct sync_job *job, struct errinfo *ei)
{
	const struct agent *agent = job->s->agent;
	struct arena *a = arena_new(4096);
	struct sql_rows r = { 0 };
	const char *print = NULL;
	bool more = false;
	enum err e = a == NULL
	    ? err_set(ei, ERR_NOMEM, "agent")
	    : sql_query(q, &r, ei,
		  "SELECT fingerprint, spool_id, spool_ack,"
		  " revoked_ms FROM agents"
		  " WHERE agency_id = ?1 AND agent_id = ?2",
		  SQL_UUID(agent->agency), SQL_UUID(agent->id));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && (!more || sql_int(&r, 3) != 0))
		e = err_field(ei, ERR_DENIED, "certificate",
		    "the certificate was revoked");
	if (e == OK) {
		print = sql_text(&r, 0, a);
		job->spool = sql_uuid(&r, 1);
		job->ack = sql_int(&r, 2);
		if (print == NULL || strcmp(print, job->s->fingerprint) != 0)
			e = err_field(ei, ERR_EXISTS, "fingerprint",
			    "another computer enrolled with this certificate");
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

static enum err
store_records(struct sql *q, struct sync_job *job, struct errinfo *ei)
{
	const struct sync *s = job->s;
	enum err e = OK;

	if (!uuid_eq(job->spool, s->spool))
		job->ack = 0;
	for (size_t i = 0; e == OK && i < s->count; i++) {
		if (s->records[i].number <= job->ack)
			continue;
		e = record_store(q, job->c, s, &s->records[i], ei);
		job->ack = s->records[i].number;
	}
	return e;
}

/* When the last scan ended, by the centre's clock; -1: not to be known,
 * because the agent's clock was set back behind it. */
static int64_t
scan_time(const struct sync *s, int64_t now)
{
	int64_t ago = s->agent_time_ms - s->last_scan_ms;

	if (s->last_scan_ms == 0)
		return 0;
	if (ago < -CLOCK_TRUST_MS)
		return -1;
	return ago < 0 ? now : now - ago;
}

static enum err
update_standing(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	const struct sync *s = job->s;
	int64_t now = clock_utc_ms(job->c->clock);

	return sql_exec(q, NULL, ei,
	    "UPDATE agents SET seen_ms = ?3, offset_ms = ?4, version = ?5,"
	    " policy_version = ?6, set_version = ?7, set_built_ms ="
	    " COALESCE((SELECT created_ms FROM signature_sets"
	    "  WHERE version = ?7), 0), last_scan_ms ="
	    " CASE WHEN ?8 < 0 THEN last_scan_ms ELSE ?8 END, fault = ?9,"
	    " spool_id = ?10, spool_ack = ?11"
	    " WHERE agency_id = ?1 AND agent_id = ?2",
	    SQL_UUID(s->agent->agency), SQL_UUID(s->agent->id), SQL_INT(now),
	    SQL_INT(now - s->agent_time_ms), SQL_TEXT(s->version),
	    SQL_INT(s->policy_version), SQL_INT(s->set_version),
	    SQL_INT(scan_time(s, now)), SQL_TEXT(s->fault), SQL_UUID(s->spool),
	    SQL_INT(job->ack));
}

static enum err
update_inventory(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	const struct inventory *v = &job->s->inventory;
	const struct agent *agent = job->s->agent;

	if (!job->s->has_inventory)
		return OK;
	return sql_exec(q, NULL, ei,
	    "UPDATE agents SET host = ?3, kind = ?4, os = ?5,"
	    " os_version = ?6, kernel = ?7, arch = ?8, cpu = ?9,"
	    " memory_mb = ?10, disk_mb = ?11, addresses = ?12, macs = ?13"
	    " WHERE agency_id = ?1 AND agent_id = ?2",
	    SQL_UUID(agent->agency), SQL_UUID(agent->id), SQL_TEXT(v->host),
	    SQL_TEXT(v->kind), SQL_TEXT(v->os), SQL_TEXT(v->os_version),
	    SQL_TEXT(v->kernel), SQL_TEXT(v->arch), SQL_TEXT(v->cpu),
	    SQL_INT(v->memory_mb), SQL_INT(v->disk_mb), SQL_STR(v->addresses),
	    SQL_STR(v->macs));
}

/* ---- the answer ---- */

static enum err
put_commands(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	const struct agent *agent = job->s->agent;
	json_t *list = json_put_new(job->answer, "commands", json_array());
	struct arena *a = arena_new(65536);
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = a == NULL
	    ? err_set(ei, ERR_NOMEM, "commands")
	    : sql_query(q, &r, ei,
		  "SELECT command_id, kind, detection_id"
		  " FROM commands WHERE agency_id = ?1"
		  " AND agent_id = ?2"
		  " AND state = 'waiting'"
		  " ORDER BY command_id LIMIT ?3",
		  SQL_UUID(agent->agency), SQL_UUID(agent->id),
		  SQL_INT(COMMANDS_MAX));

	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more) {
		json_t *o = json_object();

		json_put_uuid(o, "id", sql_uuid(&r, 0));
		json_put_text(o, "kind", span_of(sql_text(&r, 1, a)));
		if (!sql_is_null(&r, 2))
			json_put_uuid(o, "detection", sql_uuid(&r, 2));
		(void)json_array_append_new(list, o);
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

static enum err
put_policy(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	struct arena *a = arena_new(1u << 20);
	struct sql_rows r = { 0 };
	json_t *policy = NULL;
	bool more = false;
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "policy")
			       : sql_query(q, &r, ei,
				     "SELECT version, body FROM policies"
				     " ORDER BY version DESC LIMIT 1");

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && more && sql_int(&r, 0) != job->s->policy_version) {
		e = json_parse(sql_bytes(&r, 1, a), &policy, ei);
		if (e == OK) {
			json_put_int(policy, "version", sql_int(&r, 0));
			(void)json_put_new(job->answer, "policy", policy);
		}
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

static enum err
put_set(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	struct arena *a = arena_new(4096);
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "set")
			       : sql_query(q, &r, ei,
				     "SELECT version, size, sha256, signature"
				     " FROM signature_sets WHERE version > ?1"
				     " ORDER BY version DESC LIMIT 1",
				     SQL_INT(job->s->set_version));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && more) {
		json_t *o = json_put_new(job->answer, "set", json_object());

		json_put_int(o, "version", sql_int(&r, 0));
		json_put_int(o, "size", sql_int(&r, 1));
		json_put_text(o, "sha256", span_of(sql_text(&r, 2, a)));
		json_put_text(o, "signature", span_of(sql_text(&r, 3, a)));
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

static enum err
put_answer(struct sql *q, const struct sync_job *job, struct errinfo *ei)
{
	int64_t seconds = 0;
	enum err e = org_setting_get(q, "agents.sync_seconds", &seconds, ei);

	json_put_time(job->answer, "time", clock_utc_ms(job->c->clock));
	json_put_int(job->answer, "ack", job->ack);
	json_put_int(job->answer, "sync_seconds", seconds);
	if (e == OK)
		e = put_commands(q, job, ei);
	if (e == OK)
		e = put_policy(q, job, ei);
	return e == OK ? put_set(q, job, ei) : e;
}

static enum err
sync_run(struct sql *q, void *arg, struct errinfo *ei)
{
	struct sync_job *job = arg;
	enum err e;

	(void)json_object_clear(job->answer);
	e = read_standing(q, job, ei);
	if (e == OK)
		e = store_records(q, job, ei);
	if (e == OK)
		e = update_standing(q, job, ei);
	if (e == OK)
		e = update_inventory(q, job, ei);
	return e == OK ? put_answer(q, job, ei) : e;
}

enum err
protection_sync(const struct centre *c, const struct sync *s, json_t **answer,
    struct errinfo *ei)
{
	struct sync_job job = { .c = c, .s = s, .answer = json_object() };
	enum err e = store_write(c->store, sync_run, &job, ei);

	if (e == OK)
		*answer = job.answer;
	else
		json_decref(job.answer);
	return e;
}

/* ---- records ---- */

/* An agent's instant by the centre's clock, if the two are far apart. */
static int64_t
centre_time(const struct centre *c, const struct sync *s, int64_t agent_ms)
{
	int64_t now = clock_utc_ms(c->clock), offset = now - s->agent_time_ms;
	int64_t at = agent_ms;

	if (offset > CLOCK_TRUST_MS || offset < -CLOCK_TRUST_MS)
		at += offset;
	return at > now ? now : at;
}

static enum err
keep_event(struct sql *q, const struct centre *c, const struct sync *s,
    const char *kind, const json_t *body, struct errinfo *ei)
{
	char *text = json_dumps(body, JSON_COMPACT);
	enum err e = sql_exec(q, NULL, ei,
	    "INSERT INTO agent_events (agency_id, event_id, agent_id,"
	    " received_ms, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	    SQL_UUID(s->agent->agency), SQL_UUID(uuid_make(c->clock)),
	    SQL_UUID(s->agent->id), SQL_INT(clock_utc_ms(c->clock)),
	    SQL_STR(kind), SQL_STR(text == NULL ? "{}" : text));

	free(text);
	return e;
}

struct detection {
	struct uuid id;
	int64_t at_ms, size, set_version;
	struct span path, inner, name, source, outcome, sha256, action;
};

static enum err
detection_parse(const json_t *o, struct detection *out, struct errinfo *ei)
{
	struct detection d = {
		.inner = { "", 0 }, .source = { "", 0 }, .sha256 = { "", 0 }
	};
	const struct {
		const char *key;
		size_t max;
		bool needed;
		struct span *to;
	} texts[] = {
		{ "path", 16384, true, &d.path },
		{ "inner", 4096, false, &d.inner },
		{ "name", 255, true, &d.name },
		{ "source", 255, false, &d.source },
		{ "outcome", 16, true, &d.outcome },
		{ "sha256", 64, false, &d.sha256 },
		{ "action", 16, true, &d.action },
	};
	enum err e = json_get_uuid(o, "id", &d.id, ei);

	for (size_t i = 0; e == OK && i < COUNT(texts); i++)
		if (texts[i].needed || json_object_get(o, texts[i].key))
			e = json_get_text(
			    o, texts[i].key, texts[i].max, texts[i].to, ei);
	if (e == OK)
		e = parse_time(o, "time", &d.at_ms, ei);
	if (e == OK)
		e = json_get_int(o, "size", 0, INT64_MAX, &d.size, ei);
	if (e == OK)
		e = json_get_int(
		    o, "set_version", 0, INT64_MAX, &d.set_version, ei);
	if (e == OK)
		*out = d;
	return e;
}

static enum err
store_detection(struct sql *q, const struct centre *c, const struct sync *s,
    const json_t *body, struct errinfo *ei)
{
	struct detection d;

	if (detection_parse(body, &d, ei) != OK)
		return keep_event(q, c, s, "malformed", body, ei);
	return sql_exec(q, NULL, ei,
	    "INSERT INTO detections (agency_id, detection_id, agent_id,"
	    " at_ms, received_ms, path, inner_path, name, source, outcome,"
	    " sha256, size, set_version, state, state_ms, reason)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
	    " CASE ?10 WHEN 'suspicious' THEN 'suspicious' ELSE 'found' END,"
	    " ?5, '') ON CONFLICT (agency_id, detection_id)"
	    " DO NOTHING",
	    SQL_UUID(s->agent->agency), SQL_UUID(d.id), SQL_UUID(s->agent->id),
	    SQL_INT(centre_time(c, s, d.at_ms)),
	    SQL_INT(clock_utc_ms(c->clock)), SQL_TEXT(d.path),
	    SQL_TEXT(d.inner), SQL_TEXT(d.name), SQL_TEXT(d.source),
	    SQL_TEXT(d.outcome), SQL_TEXT(d.sha256), SQL_INT(d.size),
	    SQL_INT(d.set_version));
}

static enum err
optional_reason(const json_t *o, struct span *out, struct errinfo *ei)
{
	*out = (struct span){ "", 0 };
	if (json_object_get(o, "reason") == NULL)
		return OK;
	return json_get_text(o, "reason", 512, out, ei);
}

static enum err
store_action(struct sql *q, const struct centre *c, const struct sync *s,
    const json_t *body, struct errinfo *ei)
{
	struct span result, reason;
	struct uuid detection;
	int64_t at;

	if (json_get_uuid(body, "detection", &detection, ei) != OK ||
	    json_get_text(body, "result", 16, &result, ei) != OK ||
	    parse_time(body, "time", &at, ei) != OK ||
	    optional_reason(body, &reason, ei) != OK ||
	    !(span_is(result, "quarantined") || span_is(result, "failed") ||
		span_is(result, "restored") || span_is(result, "deleted")))
		return keep_event(q, c, s, "malformed", body, ei);
	return sql_exec(q, NULL, ei,
	    "UPDATE detections SET state = ?4, state_ms = ?5, reason = ?6"
	    " WHERE agency_id = ?1 AND detection_id = ?2 AND agent_id = ?3",
	    SQL_UUID(s->agent->agency), SQL_UUID(detection),
	    SQL_UUID(s->agent->id), SQL_TEXT(result),
	    SQL_INT(centre_time(c, s, at)), SQL_TEXT(reason));
}

static enum err
store_command(struct sql *q, const struct centre *c, const struct sync *s,
    const json_t *body, struct errinfo *ei)
{
	struct span result, reason;
	struct uuid command;

	if (json_get_uuid(body, "command", &command, ei) != OK ||
	    json_get_text(body, "result", 16, &result, ei) != OK ||
	    optional_reason(body, &reason, ei) != OK ||
	    !(span_is(result, "done") || span_is(result, "failed")))
		return keep_event(q, c, s, "malformed", body, ei);
	return sql_exec(q, NULL, ei,
	    "UPDATE commands SET state = ?4, reason = ?5"
	    " WHERE agency_id = ?1 AND command_id = ?2 AND agent_id = ?3",
	    SQL_UUID(s->agent->agency), SQL_UUID(command),
	    SQL_UUID(s->agent->id), SQL_TEXT(result), SQL_TEXT(reason));
}

static enum err
store_scan(struct sql *q, const struct centre *c, const struct sync *s,
    const json_t *body, struct errinfo *ei)
{
	return keep_event(q, c, s, "scan", body, ei);
}

static enum err
store_event(struct sql *q, const struct centre *c, const struct sync *s,
    const json_t *body, struct errinfo *ei)
{
	static const struct {
		const char *name;
		enum err (*store)(struct sql *, const struct centre *,
		    const struct sync *, const json_t *, struct errinfo *);
	} kinds[] = {
		{ "action", store_action },
		{ "command", store_command },
		{ "scan", store_scan },
	};
	const char *name = json_string_value(json_object_get(body, "event"));

	for (size_t i = 0; name != NULL && i < COUNT(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].store(q, c, s, body, ei);
	return keep_event(q, c, s, "malformed", body, ei);
}

enum err
record_store(struct sql *q, const struct centre *c, const struct sync *s,
    const struct record *r, struct errinfo *ei)
{
	if (span_is(r->kind, "detection"))
		return store_detection(q, c, s, r->body, ei);
	if (span_is(r->kind, "event"))
		return store_event(q, c, s, r->body, ei);
	return keep_event(q, c, s,
	    span_is(r->kind, "gap") ? "gap" : "malformed", r->body, ei);
}
