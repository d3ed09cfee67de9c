#include "agent.h"

/* ---- enrolment ---- */

struct token
token_make(struct test_centre *t, const char *agency, int uses)
{
	struct buf text = buf_make(4096), plain = buf_make(4096);
	struct token token = { 0 };
	struct errinfo ei = { 0 };
	struct span secret;
	json_t *o = NULL;

	assert_ok(protection_token_make(
	    &t->c, span_of(agency), uses, &org_system, &text, &ei));
	assert_true(span_starts(buf_view(&text), "khien1."));
	assert_ok(base64url_decode(span_from(buf_view(&text), 7), &plain));
	assert_ok(json_parse(buf_view(&plain), &o, &ei));
	assert_ok(json_get_uuid(o, "agency", &token.agency, &ei));
	assert_ok(json_get_uuid(o, "token", &token.id, &ei));
	assert_ok(json_get_text(o, "secret", 63, &secret, &ei));
	memcpy(token.secret, secret.ptr, secret.len);
	json_decref(o);
	buf_free(&text);
	buf_free(&plain);
	return token;
}

void
peer_make(struct peer *p, struct test_centre *t, const char *host)
{
	struct errinfo ei = { 0 };

	*p = (struct peer){ .t = t,
		.spool = uuid_make(&clock_system),
		.key = buf_make(PEM_MAX),
		.csr = buf_make(PEM_MAX),
		.cert = buf_make(PEM_MAX),
		.fingerprint = PRINT,
		.host = host };
	assert_ok(key_make(&p->key, &ei));
	assert_ok(csr_make(buf_view(&p->key), host, &p->csr, &ei));
}

void
peer_free(struct peer *p)
{
	buf_free(&p->key);
	buf_free(&p->csr);
	buf_free(&p->cert);
	json_decref(p->answer);
}

enum err
peer_enrol(struct peer *p, const struct token *token, struct errinfo *ei)
{
	struct enrolment en = { .agency = token->agency,
		.token = token->id,
		.csr = buf_view(&p->csr),
		.inventory = { .host = span_of(p->host),
		    .kind = SPAN("workstation"),
		    .os = SPAN("Debian"),
		    .os_version = SPAN("12"),
		    .kernel = SPAN(""),
		    .arch = SPAN(""),
		    .cpu = SPAN(""),
		    .addresses = "[]",
		    .macs = "[]" },
		.remote = "192.0.2.7" };
	struct span cert;
	json_t *answer;
	enum err e;

	memcpy(en.fingerprint, p->fingerprint, sizeof(en.fingerprint));
	sha256(span_of(token->secret), en.secret_hash);
	e = protection_enrol(&p->t->c, p->t->arena, &en, &answer, ei);
	if (e != OK)
		return e;
	p->agent.agency = token->agency;
	assert_err(json_get_uuid(answer, "agent", &p->agent.id, ei), OK);
	assert_err(
	    json_get_text(answer, "certificate", PEM_MAX, &cert, ei), OK);
	buf_clear(&p->cert);
	buf_span(&p->cert, cert);
	(void)snprintf(p->agent.host, sizeof(p->agent.host), "%s", p->host);
	json_decref(answer);
	return OK;
}

void
peer_begin(
    struct peer *p, struct test_centre *t, const char *agency, const char *host)
{
	struct token token = token_make(t, agency, 1);
	struct errinfo ei = { 0 };

	peer_make(p, t, host);
	assert_ok(peer_enrol(p, &token, &ei));
}

/* ---- sync ---- */

enum err
peer_sync(
    struct peer *p, const char *more, const char *records, struct errinfo *ei)
{
	char time[TIME_TEXT_MAX], spool[UUID_TEXT_MAX], *text;
	json_t *body = NULL;
	struct sync s;
	enum err e;

	time_rfc3339(clock_utc_ms(&p->t->clock), time);
	uuid_text(p->spool, spool);
	/* the first of a key wins nothing here: `more` may give "time" */
	text = arena_fmt(p->t->arena,
	    "{%s%s%s%s\"fingerprint\":\"%s\",\"version\":\"0.1\","
	    "\"policy_version\":1,%s\"spool\":\"%s\","
	    "\"records\":[%s]}",
	    more, strstr(more, "\"time\"") == NULL ? "\"time\":\"" : "",
	    strstr(more, "\"time\"") == NULL ? time : "",
	    strstr(more, "\"time\"") == NULL ? "\"," : "", p->fingerprint,
	    strstr(more, "\"set_version\"") == NULL ? "\"set_version\":0," : "",
	    spool, records);
	assert_non_null(text);
	e = json_parse(span_of(text), &body, ei);
	if (e == OK)
		e = sync_parse(body, &p->agent, p->t->arena, &s, ei);
	if (e == OK) {
		json_t *answer;

		e = protection_sync(&p->t->c, &s, &answer, ei);
		if (e == OK) {
			json_decref(p->answer);
			p->answer = answer;
		}
	}
	json_decref(body);
	return e;
}

void
peer_tell(struct peer *p, const char *more, const char *records)
{
	struct errinfo ei = { 0 };

	assert_ok(peer_sync(p, more, records, &ei));
}

int64_t
peer_ack(const struct peer *p)
{
	return json_integer_value(json_object_get(p->answer, "ack"));
}

size_t
peer_commands(const struct peer *p)
{
	return json_array_size(json_object_get(p->answer, "commands"));
}

/* ---- records ---- */

const char *
detection(struct peer *p, int number, struct uuid id)
{
	char time[TIME_TEXT_MAX], text[UUID_TEXT_MAX];

	time_rfc3339(clock_utc_ms(&p->t->clock), time);
	uuid_text(id, text);
	return arena_fmt(p->t->arena,
	    "{\"number\":%d,\"kind\":\"detection\",\"body\":{\"id\":\"%s\","
	    "\"path\":\"/home/a/x\",\"name\":\"Eicar\",\"outcome\":"
	    "\"infected\",\"action\":\"quarantine\",\"time\":\"%s\","
	    "\"size\":68,\"set_version\":1}}",
	    number, text, time);
}

const char *
action(struct peer *p, int number, struct uuid detection, const char *result)
{
	char time[TIME_TEXT_MAX], text[UUID_TEXT_MAX];

	time_rfc3339(clock_utc_ms(&p->t->clock), time);
	uuid_text(detection, text);
	return arena_fmt(p->t->arena,
	    "{\"number\":%d,\"kind\":\"event\",\"body\":{\"event\":\"action\","
	    "\"detection\":\"%s\",\"result\":\"%s\",\"time\":\"%s\"}}",
	    number, text, result, time);
}
