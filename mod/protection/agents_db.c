/* Agents: who they are, how they come in, how they are put out. */

#include <string.h>

#include "base/log.h"
#include "crypt/crypt.h"
#include "protection/protection_int.h"

#define CERT_DAYS 825 /* validity of an agent's certificate */

/* ---- admission ---- */

struct admit_job {
	const struct cert_info *cert;
	struct agent *agent;
	struct arena *a;
	bool revoked;
};

static enum err
find_by_serial(struct sql *q, void *arg, struct errinfo *ei)
{
	struct admit_job *job = arg;
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = sql_query(q, &r, ei,
	    "SELECT c.agency_id, c.agent_id, a.host, a.revoked_ms"
	    " FROM agent_certificates c JOIN agents a"
	    " ON a.agency_id = c.agency_id AND a.agent_id = c.agent_id"
	    " WHERE c.serial = ?1",
	    SQL_STR(job->cert->serial));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && !more)
		e = err_set(ei, ERR_DENIED, "certificate %s is not known",
		    job->cert->serial);
	if (e == OK) {
		const char *host = sql_text(&r, 2, job->a);

		job->agent->agency = sql_uuid(&r, 0);
		job->agent->id = sql_uuid(&r, 1);
		job->revoked = sql_int(&r, 3) != 0;
		if (host != NULL)
			(void)snprintf(job->agent->host,
			    sizeof(job->agent->host), "%s", host);
	}
	sql_end(&r);
	return e;
}

enum err
protection_admit(const struct http_req *rq, void **who, struct errinfo *ei)
{
	struct cert_info cert;
	struct agent *agent = ARENA_NEW(rq->arena, struct agent, 1);
	struct admit_job job = { &cert, agent, rq->arena, false };
	enum err e;

	if (agent == NULL)
		return err_set(ei, ERR_NOMEM, "agent");
	e = cert_read_der(rq->client_cert, &cert, ei);
	if (e == OK)
		e = store_read(centre_of(rq)->store, find_by_serial, &job, ei);
	if (e != OK)
		return e;
	if (job.revoked)
		return err_field(ei, ERR_DENIED, "certificate",
		    "the certificate was revoked");
	*who = agent;
	return OK;
}

/* ---- inventory ---- */

static enum err
optional_text(const json_t *o, const char *key, size_t max, struct span *out,
    struct errinfo *ei)
{
	*out = (struct span){ "", 0 };
	if (json_object_get(o, key) == NULL)
		return OK;
	return json_get_text(o, key, max, out, ei);
}

static enum err
optional_int(const json_t *o, const char *key, int64_t *out, struct errinfo *ei)
{
	*out = 0;
	if (json_object_get(o, key) == NULL)
		return OK;
	return json_get_int(o, key, 0, INT64_C(1) << 50, out, ei);
}

static enum err
text_list(const json_t *o, const char *key, struct arena *a, const char **out,
    struct errinfo *ei)
{
	const json_t *list;
	char *text;
	enum err e;

	*out = "[]";
	if (json_object_get(o, key) == NULL)
		return OK;
	e = json_get_array(o, key, 64, &list, ei);
	for (size_t i = 0; e == OK && i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_string(v) || json_string_length(v) > 64)
			e = err_field(ei, ERR_SYNTAX, key,
			    "field %s must hold short texts", key);
	}
	if (e != OK)
		return e;
	text = json_dumps(list, JSON_COMPACT);
	if (text != NULL)
		*out = arena_text(a, span_of(text));
	free(text);
	return *out == NULL ? err_set(ei, ERR_NOMEM, "inventory") : OK;
}

enum err
inventory_parse(
    const json_t *o, struct arena *a, struct inventory *out, struct errinfo *ei)
{
	struct inventory v = { 0 };
	const struct {
		const char *key;
		size_t max;
		struct span *to;
	} texts[] = {
		{ "host", 253, &v.host },
		{ "kind", 16, &v.kind },
		{ "os", 128, &v.os },
		{ "os_version", 128, &v.os_version },
		{ "kernel", 128, &v.kernel },
		{ "arch", 32, &v.arch },
		{ "cpu", 128, &v.cpu },
	};
	enum err e = OK;

	for (size_t i = 0; e == OK && i < COUNT(texts); i++)
		e = optional_text(
		    o, texts[i].key, texts[i].max, texts[i].to, ei);
	if (e == OK && v.kind.len > 0 && !span_is(v.kind, "server") &&
	    !span_is(v.kind, "workstation") && !span_is(v.kind, "terminal"))
		e = err_field(ei, ERR_SYNTAX, "kind",
		    "field kind must be server, workstation or terminal");
	if (e == OK)
		e = optional_int(o, "memory_mb", &v.memory_mb, ei);
	if (e == OK)
		e = optional_int(o, "disk_mb", &v.disk_mb, ei);
	if (e == OK)
		e = text_list(o, "addresses", a, &v.addresses, ei);
	if (e == OK)
		e = text_list(o, "macs", a, &v.macs, ei);
	if (e == OK)
		*out = v;
	return e;
}

/* ---- enrolment ---- */

struct enrol_job {
	const struct centre *c;
	const struct enrolment *en;
	const struct cert_info *cert;
	struct uuid agent; /* chosen, or the one this key already has */
	int64_t sync_seconds;
};

/* The agent that this key already belongs to: an answer was lost. */
static enum err
find_by_key(
    struct sql *q, struct enrol_job *job, bool *found, struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	enum err e = sql_query(q, &r, ei,
	    "SELECT c.agent_id FROM agent_certificates c JOIN agents a"
	    " ON a.agency_id = c.agency_id AND a.agent_id = c.agent_id"
	    " WHERE c.key_pin = ?1 AND c.agency_id = ?2"
	    " AND (c.token_id = ?3 OR a.cloned_from = ?4)"
	    " AND a.revoked_ms = 0",
	    SQL_BLOB(((struct span){ (const char *)job->cert->key_pin, 32 })),
	    SQL_UUID(job->en->agency), SQL_UUID(job->en->token),
	    SQL_UUID(job->en->cloned_from));

	if (e == OK)
		e = sql_next(&r, found, ei);
	if (e == OK && *found)
		job->agent = sql_uuid(&r, 0);
	sql_end(&r);
	return e;
}

static enum err
check_token(struct sql *q, const struct enrol_job *job, int64_t *uses,
    struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	bool more = false, good = false;
	struct arena *a = arena_new(4096);
	enum err e = a == NULL
	    ? err_set(ei, ERR_NOMEM, "token")
	    : sql_query(q, &r, ei,
		  "SELECT secret_hash, uses_left,"
		  " expires_ms FROM enrolment_tokens"
		  " WHERE agency_id = ?1 AND token_id = ?2",
		  SQL_UUID(job->en->agency), SQL_UUID(job->en->token));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && more) {
		struct span hash = sql_bytes(&r, 0, a);

		good = hash.len == 32 &&
		    crypt_equal(hash.ptr, job->en->secret_hash, 32) &&
		    sql_int(&r, 2) > clock_utc_ms(job->c->clock);
		*uses = sql_int(&r, 1);
	}
	sql_end(&r);
	arena_free(a);
	if (e == OK && !good)
		return err_field(ei, ERR_AUTH, "token",
		    "the token is not known, or has expired");
	return e;
}

static enum err
spend_token(struct sql *q, const struct enrol_job *job, int64_t uses,
    struct errinfo *ei)
{
	if (uses <= 0)
		return err_field(
		    ei, ERR_EXISTS, "token", "the token was used already");
	return sql_exec(q, NULL, ei,
	    "UPDATE enrolment_tokens SET uses_left = uses_left - 1"
	    " WHERE agency_id = ?1 AND token_id = ?2",
	    SQL_UUID(job->en->agency), SQL_UUID(job->en->token));
}

static enum err
insert_agent(struct sql *q, const struct enrol_job *job, struct errinfo *ei)
{
	const struct inventory *v = &job->en->inventory;
	int64_t now = clock_utc_ms(job->c->clock);

	return sql_exec(q, NULL, ei,
	    "INSERT INTO agents (agency_id, agent_id, fingerprint,"
	    " cloned_from, enrolled_ms, revoked_ms, host, kind, os,"
	    " os_version, kernel, arch, cpu, memory_mb, disk_mb, addresses,"
	    " macs, version, seen_ms, offset_ms, policy_version, set_version,"
	    " set_built_ms, last_scan_ms, fault, spool_id, spool_ack)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
	    " ?13, ?14, ?15, ?16, '', ?5, 0, 0, 0, 0, 0, '', NULL, 0)",
	    SQL_UUID(job->en->agency), SQL_UUID(job->agent),
	    SQL_STR(job->en->fingerprint),
	    uuid_none(job->en->cloned_from) ? SQL_NULL
					    : SQL_UUID(job->en->cloned_from),
	    SQL_INT(now), SQL_TEXT(v->host), SQL_TEXT(v->kind), SQL_TEXT(v->os),
	    SQL_TEXT(v->os_version), SQL_TEXT(v->kernel), SQL_TEXT(v->arch),
	    SQL_TEXT(v->cpu), SQL_INT(v->memory_mb), SQL_INT(v->disk_mb),
	    SQL_STR(v->addresses), SQL_STR(v->macs));
}

/* The register's entry that this computer is: same MAC, else same name. */
static enum err
match_register(struct sql *q, const struct enrol_job *job, struct errinfo *ei)
{
	return sql_exec(q, NULL, ei,
	    "UPDATE computers SET agent_id = ?2 WHERE agency_id = ?1"
	    " AND computer_id = (SELECT computer_id FROM computers"
	    "  WHERE agency_id = ?1 AND (agent_id IS NULL OR NOT EXISTS"
	    "   (SELECT 1 FROM agents a WHERE a.agency_id = ?1"
	    "    AND a.agent_id = computers.agent_id AND a.revoked_ms = 0))"
	    "  AND ((mac <> '' AND ?3 LIKE '%\"' || mac || '\"%')"
	    "   OR lower(name) = lower(?4))"
	    "  ORDER BY CASE WHEN mac <> '' AND ?3 LIKE"
	    "   '%\"' || mac || '\"%' THEN 0 ELSE 1 END, code LIMIT 1)",
	    SQL_UUID(job->en->agency), SQL_UUID(job->agent),
	    SQL_STR(job->en->inventory.macs),
	    SQL_TEXT(job->en->inventory.host));
}

static enum err
insert_certificate(
    struct sql *q, const struct enrol_job *job, struct errinfo *ei)
{
	const struct cert_info *cert = job->cert;

	return sql_exec(q, NULL, ei,
	    "INSERT INTO agent_certificates (serial, agency_id, agent_id,"
	    " key_pin, token_id, not_after_ms)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	    SQL_STR(cert->serial), SQL_UUID(job->en->agency),
	    SQL_UUID(job->agent),
	    SQL_BLOB(((struct span){ (const char *)cert->key_pin, 32 })),
	    uuid_none(job->en->token) ? SQL_NULL : SQL_UUID(job->en->token),
	    SQL_INT(cert->not_after_ms));
}

static enum err
audit_enrol(struct sql *q, const struct enrol_job *job, struct errinfo *ei)
{
	struct org_actor who = { .id = job->agent, .remote = job->en->remote };
	char host[256], id[UUID_TEXT_MAX];
	bool clone = !uuid_none(job->en->cloned_from);
	json_t *detail = json_object();
	enum err e;

	(void)snprintf(
	    host, sizeof(host), SPAN_FMT, SPAN_ARG(job->en->inventory.host));
	who.name = host;
	uuid_text(job->agent, id);
	json_put_text(detail, "serial", span_of(job->cert->serial));
	if (clone)
		json_put_uuid(detail, "cloned_from", job->en->cloned_from);
	e = org_audit(q, job->c->clock, &who,
	    clone ? "agent.rekey" : "agent.enrol", id, detail, ei);
	json_decref(detail);
	return e;
}

/* It was admitted before this transaction began. */
static enum err
check_original(struct sql *q, const struct enrol_job *job, struct errinfo *ei)
{
	int64_t n = 0;
	enum err e = sql_get_int(q, &n, ei,
	    "SELECT count(*) FROM agents WHERE agency_id = ?1"
	    " AND agent_id = ?2 AND revoked_ms = 0",
	    SQL_UUID(job->en->agency), SQL_UUID(job->en->cloned_from));

	if (e == OK && n == 0)
		return err_field(ei, ERR_DENIED, "certificate",
		    "the certificate was revoked");
	return e;
}

static enum err
enrol(struct sql *q, void *arg, struct errinfo *ei)
{
	struct enrol_job *job = arg;
	bool again = false, clone = !uuid_none(job->en->cloned_from);
	int64_t uses = 0;
	enum err e =
	    clone ? check_original(q, job, ei) : check_token(q, job, &uses, ei);

	if (e == OK)
		e = find_by_key(q, job, &again, ei);
	if (e == OK && !again && !clone)
		e = spend_token(q, job, uses, ei);
	if (e == OK && !again)
		e = insert_agent(q, job, ei);
	if (e == OK && !again)
		e = match_register(q, job, ei);
	if (e == OK)
		e = insert_certificate(q, job, ei);
	if (e == OK)
		e = org_setting_get(
		    q, "agents.sync_seconds", &job->sync_seconds, ei);
	return e == OK ? audit_enrol(q, job, ei) : e;
}

static json_t *
enrolled_json(const struct enrol_job *job, struct span certificate)
{
	json_t *o = json_object();
	char key[65];

	hex_encode(job->c->sign_public, 32, key);
	json_put_uuid(o, "agent", job->agent);
	json_put_uuid(o, "agency", job->en->agency);
	json_put_text(o, "certificate", certificate);
	json_put_text(o, "sign_key", span_of(key));
	json_put_time(o, "time", clock_utc_ms(job->c->clock));
	json_put_int(o, "sync_seconds", job->sync_seconds);
	return o;
}

enum err
protection_enrol(const struct centre *c, struct arena *a,
    const struct enrolment *en, json_t **answer, struct errinfo *ei)
{
	struct buf pem = buf_make(PEM_MAX);
	int64_t now = clock_utc_ms(c->clock);
	struct cert_info cert;
	struct enrol_job job = { .c = c, .en = en, .cert = &cert };
	struct cert_request rq = {
		.common_name = "khien-agent",
		.not_before_ms = now - DAY_MS,
		.not_after_ms = now + CERT_DAYS * DAY_MS,
		.client = true,
	};
	enum err e;

	(void)a;
	e = ca_issue(c->ca_key, c->ca_cert, en->csr, &rq, &pem, ei);
	if (e == ERR_SYNTAX || e == ERR_DENIED || e == ERR_UNSUPPORTED)
		e = err_field(ei, ERR_SYNTAX, "csr",
		    "the certificate request is not valid");
	if (e == OK)
		e = cert_read(buf_view(&pem), &cert, ei);
	job.agent = uuid_make(c->clock);
	if (e == OK)
		e = store_write(c->store, enrol, &job, ei);
	if (e == OK)
		*answer = enrolled_json(&job, buf_view(&pem));
	buf_free(&pem);
	return e;
}

/* ---- revocation ---- */

struct revoke_job {
	const struct centre *c;
	struct uuid agency, agent;
	const struct org_actor *who;
};

static enum err
revoke(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct revoke_job *job = arg;
	char id[UUID_TEXT_MAX];
	int64_t changed;
	enum err e = sql_exec(q, &changed, ei,
	    "UPDATE agents SET revoked_ms = ?3 WHERE agency_id = ?1"
	    " AND agent_id = ?2 AND revoked_ms = 0",
	    SQL_UUID(job->agency), SQL_UUID(job->agent),
	    SQL_INT(clock_utc_ms(job->c->clock)));

	if (e == OK && changed == 0)
		return err_set(ei, ERR_NOT_FOUND, N_("no such agent"));
	if (e != OK)
		return e;
	uuid_text(job->agent, id);
	return org_audit(
	    q, job->c->clock, job->who, "agent.revoke", id, NULL, ei);
}

enum err
protection_revoke(const struct centre *c, struct uuid agency, struct uuid agent,
    const struct org_actor *who, struct errinfo *ei)
{
	struct revoke_job job = { c, agency, agent, who };

	return store_write(c->store, revoke, &job, ei);
}

/* ---- tokens ---- */

struct token_job {
	const struct centre *c;
	struct span code;
	int64_t uses;
	const struct org_actor *who;
	struct uuid agency, token;
	const unsigned char *hash;
};

static enum err
token_insert(struct sql *q, void *arg, struct errinfo *ei)
{
	struct token_job *job = arg;
	int64_t hours, now = clock_utc_ms(job->c->clock);
	char id[UUID_TEXT_MAX];
	enum err e = org_agency_by_code(q, job->code, &job->agency, ei);

	if (e == OK)
		e = org_setting_get(q, "protection.token_hours", &hours, ei);
	if (e == OK)
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO enrolment_tokens (agency_id, token_id,"
		    " secret_hash, uses_left, expires_ms, created_ms)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		    SQL_UUID(job->agency), SQL_UUID(job->token),
		    SQL_BLOB(((struct span){ (const char *)job->hash, 32 })),
		    SQL_INT(job->uses), SQL_INT(now + hours * 3600000),
		    SQL_INT(now));
	if (e != OK)
		return e;
	uuid_text(job->token, id);
	return org_audit(
	    q, job->c->clock, job->who, "token.make", id, NULL, ei);
}

static void
token_text(const struct token_job *job, struct span secret, struct buf *out)
{
	json_t *o = json_object();
	char *text;

	json_put_text(o, "url", span_of(job->c->url));
	json_put_uuid(o, "agency", job->agency);
	json_put_uuid(o, "token", job->token);
	json_put_text(o, "secret", secret);
	json_put_text(o, "pin", span_of(job->c->ca_pin));
	text = json_dumps(o, JSON_COMPACT);
	buf_text(out, "khien1.");
	if (text == NULL)
		out->full = true;
	else
		base64url_encode(span_of(text), out);
	free(text);
	json_decref(o);
}

enum err
protection_token_make(const struct centre *c, struct span agency_code,
    int64_t uses, const struct org_actor *who, struct buf *out,
    struct errinfo *ei)
{
	unsigned char secret[32], hash[32];
	struct buf text = buf_make(64);
	struct token_job job = { .c = c,
		.code = agency_code,
		.uses = uses,
		.who = who,
		.token = uuid_make(c->clock),
		.hash = hash };
	enum err e;

	if (uses < 1 || uses > 100000)
		return err_field(ei, ERR_LIMIT, "uses",
		    N_("a token is good for 1 to 100000 computers"));
	random_bytes(secret, sizeof(secret));
	base64url_encode((struct span){ (char *)secret, 32 }, &text);
	sha256(buf_view(&text), hash);
	e = store_write(c->store, token_insert, &job, ei);
	if (e == OK) {
		token_text(&job, buf_view(&text), out);
		e = buf_check(out, ei);
	}
	buf_free(&text);
	return e;
}
