/* The API of the room: agents' side, then people's. */

#include <string.h>

#include "base/log.h"
#include "crypt/crypt.h"
#include "protection/protection_int.h"

/* ---- agents ---- */

static void
ca_get(const struct http_req *rq, struct http_res *rs)
{
	json_t *o = json_object();

	json_put_text(o, "ca", centre_of(rq)->ca_cert);
	http_send_json(rs, 200, o);
}

static enum err
parse_enrolment(const struct http_req *rq, const json_t *body,
    struct enrolment *en, struct errinfo *ei)
{
	struct span print = { 0 };
	unsigned char digest[32];
	const json_t *inventory = NULL;
	enum err e = json_get_text(body, "csr", 8192, &en->csr, ei);

	en->remote = rq->remote;
	if (e == OK)
		e = json_get_text(body, "fingerprint", 64, &print, ei);
	if (e == OK && hex_decode(print, digest, sizeof(digest)) != OK)
		e = err_field(ei, ERR_SYNTAX, "fingerprint",
		    "field fingerprint must be 64 hex digits");
	if (e == OK)
		e = json_get_object(body, "inventory", &inventory, ei);
	if (e == OK)
		e = inventory_parse(inventory, rq->arena, &en->inventory, ei);
	if (e == OK)
		hex_encode(digest, sizeof(digest), en->fingerprint);
	return e;
}

static void
enrol_answer(
    const struct http_req *rq, struct http_res *rs, const struct enrolment *en)
{
	struct errinfo ei = { 0 };
	char id[UUID_TEXT_MAX];
	json_t *answer;

	if (protection_enrol(centre_of(rq), rq->arena, en, &answer, &ei) !=
	    OK) {
		log_warn("agent.enrol.refused", LOG_S("remote", rq->remote),
		    LOG_S("why", ei.msg));
		http_fail(rq, rs, &ei);
		return;
	}
	uuid_text(en->agency, id);
	log_info("agent.enrolled", LOG_S("remote", rq->remote),
	    LOG_SP("host", en->inventory.host), LOG_S("agency", id));
	http_send_json(rs, 201, answer);
}

static void
enrol_post(const struct http_req *rq, struct http_res *rs)
{
	struct enrolment en = { 0 };
	struct span secret = { 0 };
	struct errinfo ei = { 0 };
	const json_t *body;

	if (http_json_body(rq, &body, &ei) != OK ||
	    json_get_uuid(body, "agency", &en.agency, &ei) != OK ||
	    json_get_uuid(body, "token", &en.token, &ei) != OK ||
	    json_get_text(body, "secret", 64, &secret, &ei) != OK ||
	    parse_enrolment(rq, body, &en, &ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	sha256(secret, en.secret_hash);
	enrol_answer(rq, rs, &en);
}

static void
rekey_post(const struct http_req *rq, struct http_res *rs)
{
	const struct agent *agent = rq->who;
	struct enrolment en = { .agency = agent->agency,
		.cloned_from = agent->id };
	struct errinfo ei = { 0 };
	const json_t *body;

	if (http_json_body(rq, &body, &ei) != OK ||
	    parse_enrolment(rq, body, &en, &ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	enrol_answer(rq, rs, &en);
}

static void
sync_post(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	const json_t *body;
	json_t *answer;
	struct sync s;

	if (http_json_body(rq, &body, &ei) != OK ||
	    sync_parse(body, rq->who, rq->arena, &s, &ei) != OK ||
	    protection_sync(centre_of(rq), &s, &answer, &ei) != OK)
		http_fail(rq, rs, &ei);
	else
		http_send_json(rs, 200, answer);
}

static enum err
query_int(const struct http_req *rq, const char *name, int64_t initial,
    int64_t *out, struct errinfo *ei)
{
	struct span text = http_query(rq, name);
	uint64_t v;

	*out = initial;
	if (text.len == 0)
		return OK;
	if (span_u64(text, INT64_MAX, &v) != OK)
		return err_field(
		    ei, ERR_SYNTAX, name, "%s must be a whole number", name);
	*out = (int64_t)v;
	return OK;
}

static void
set_get(const struct http_req *rq, struct http_res *rs)
{
	struct buf bytes = buf_make(1u << 20);
	struct errinfo ei = { 0 };
	int64_t offset = 0, length = 0;
	uint64_t version = 0;
	enum err e = span_u64(rq->params[0], INT64_MAX, &version);

	if (e != OK)
		e = err_field(
		    &ei, ERR_NOT_FOUND, "version", "no such signature set");
	if (e == OK)
		e = query_int(rq, "offset", 0, &offset, &ei);
	if (e == OK)
		e = query_int(rq, "length", 1 << 20, &length, &ei);
	if (e == OK)
		e = set_piece(centre_of(rq), (int64_t)version, offset, length,
		    &bytes, &ei);
	if (e == OK)
		http_send_bytes(
		    rs, 200, "application/octet-stream", buf_view(&bytes));
	else
		http_fail(rq, rs, &ei);
	buf_free(&bytes);
}

/* ---- people ---- */

typedef enum err list_fn(const struct http_req *, const struct filter *,
    json_t **, struct errinfo *);

static void
list_answer(const struct http_req *rq, struct http_res *rs, list_fn *list)
{
	struct filter f = protection_filter(rq);
	struct errinfo ei = { 0 };
	json_t *answer;

	if (list(rq, &f, &answer, &ei) != OK)
		http_fail(rq, rs, &ei);
	else
		http_send_json(rs, 200, answer);
}

static void
computers_get(const struct http_req *rq, struct http_res *rs)
{
	list_answer(rq, rs, computers_list);
}

static void
detections_get(const struct http_req *rq, struct http_res *rs)
{
	list_answer(rq, rs, detections_list);
}

static void
overview_get(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	json_t *answer;

	if (overview_read(rq, &answer, &ei) != OK)
		http_fail(rq, rs, &ei);
	else
		http_send_json(rs, 200, answer);
}

static void
computers_post(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	json_t *report = NULL;
	enum err e;

	if (!centre_form(rq, rs))
		return;
	e = computers_import(rq, rq->body, &report, &ei);
	if (report == NULL)
		http_fail(rq, rs, &ei);
	else
		http_send_json(rs, e == OK ? 200 : 400, report);
}

static void
token_post(const struct http_req *rq, struct http_res *rs)
{
	struct org_actor who = centre_actor(rq);
	struct buf text = buf_make(4096);
	struct errinfo ei = { 0 };
	const json_t *body;
	struct span code;
	int64_t uses;
	json_t *answer;

	if (!centre_form(rq, rs))
		return;
	if (http_json_body(rq, &body, &ei) != OK ||
	    json_get_text(body, "agency", ORG_CODE_MAX, &code, &ei) != OK ||
	    json_get_int(body, "uses", 1, 100000, &uses, &ei) != OK ||
	    protection_token_make(
		centre_of(rq), code, uses, &who, &text, &ei) != OK) {
		http_fail(rq, rs, &ei);
	} else {
		answer = json_object();
		json_put_text(answer, "token", buf_view(&text));
		http_send_json(rs, 201, answer);
	}
	buf_free(&text);
}

#define SYNC_MAX     (1u << 20) /* bytes of a sync: 500 records fit */
#define REGISTER_MAX (16u << 20)

const struct route protection_api[] = {
	{ "GET", "/api/v1/ca", "public", ca_get, 0 },
	{ "POST", "/api/v1/enrol", "public", enrol_post, 65536 },
	{ "POST", "/api/v1/agent/rekey", "agent", rekey_post, 65536 },
	{ "POST", "/api/v1/agent/sync", "agent", sync_post, SYNC_MAX },
	{ "GET", "/api/v1/agent/sets/{version}", "agent", set_get, 0 },
	{ "GET", "/api/v1/overview", "computers.read", overview_get, 0 },
	{ "GET", "/api/v1/computers", "computers.read", computers_get, 0 },
	{ "POST", "/api/v1/computers", "computers.write", computers_post,
	    REGISTER_MAX },
	{ "POST", "/api/v1/tokens", "agents.enrol", token_post, 4096 },
	{ "GET", "/api/v1/detections", "detections.read", detections_get, 0 },
	{ 0 },
};
