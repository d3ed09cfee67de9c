#include "endpoint/enrol.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "endpoint/inventory.h"
#include "endpoint/net.h"

#define TOKEN_MAX 4096
#define PREFIX    "khien1."

/* ---- the token ---- */

static enum err
parse_token(struct span text, json_t **out, struct errinfo *ei)
{
	struct buf b = buf_make(TOKEN_MAX);
	enum err e;

	text = span_trim(text);
	if (!span_starts(text, PREFIX) || text.len > TOKEN_MAX ||
	    base64url_decode(span_from(text, sizeof(PREFIX) - 1), &b) != OK)
		e = err_set(ei, ERR_SYNTAX, "this is not an enrolment token");
	else
		e = json_parse(buf_view(&b), out, ei);
	buf_free(&b);
	return e;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? "" : text;
}

/* ---- asking ---- */

/* The centre's own words for a refusal. */
static enum err
refusal(const struct net_answer *answer, struct errinfo *ei)
{
	static const struct {
		int status;
		enum err code;
	} codes[] = { { 400, ERR_SYNTAX }, { 401, ERR_AUTH },
		{ 403, ERR_DENIED }, { 409, ERR_EXISTS }, { 503, ERR_BUSY } };
	json_t *o = NULL;
	enum err code = ERR_IO;

	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].status == answer->status)
			code = codes[i].code;
	if (json_parse(answer->body, &o, NULL) == OK)
		(void)err_set(ei, code, "the centre answers: %.300s",
		    text_of(json_object_get(o, "error"), "message"));
	else
		(void)err_set(
		    ei, code, "the centre answers %d", answer->status);
	json_decref(o);
	return code;
}

/* Fetches the authority's certificate and holds it against the pin. */
static enum err
fetch_ca(const char *url, const char *pin, json_t **out, struct errinfo *ei)
{
	struct net_setup setup = { .url = url, .insecure = true };
	struct net_answer answer;
	struct cert_info info;
	struct net *net = NULL;
	struct span ca = { 0 };
	json_t *o = NULL;
	char hex[65];
	enum err e = net_start(&setup, &net, ei);

	if (e == OK)
		e = net_do(
		    net, "GET", "/api/v1/ca", (struct span){ 0 }, &answer, ei);
	if (e == OK && answer.status != 200)
		e = refusal(&answer, ei);
	if (e == OK)
		e = json_parse(answer.body, &o, ei);
	if (e == OK)
		e = json_get_text(o, "ca", PEM_MAX, &ca, ei);
	if (e == OK)
		e = cert_read(ca, &info, ei);
	if (e == OK) {
		hex_encode(info.key_pin, sizeof(info.key_pin), hex);
		if (strlen(pin) != 64 || !crypt_equal(hex, pin, 64))
			e = err_set(ei, ERR_AUTH,
			    "%s is not the centre that "
			    "the token is of: its key is another",
			    url);
	}
	if (e == OK)
		*out = json_incref(json_object_get(o, "ca"));
	json_decref(o);
	net_stop(net);
	return e;
}

/* {"csr","fingerprint","inventory"} and a fresh key in `key`. */
static enum err
make_request(
    struct buf *key, json_t *to, const char *fingerprint, struct errinfo *ei)
{
	struct buf csr = buf_make(PEM_MAX);
	json_t *inventory = NULL;
	enum err e = key->len > 0 ? OK : key_make(key, ei);

	if (e == OK)
		e = csr_make(buf_view(key), "khien-agent", &csr, ei);
	if (e == OK)
		e = inventory_read("", &inventory, ei);
	if (e == OK) {
		json_put_text(to, "csr", buf_view(&csr));
		json_put_text(to, "fingerprint", span_of(fingerprint));
		(void)json_put_new(to, "inventory", inventory);
	}
	buf_free(&csr);
	return e;
}

/* POSTs the request; *out is the answer's tree. */
static enum err
ask(const struct net_setup *setup, const char *path, const json_t *request,
    json_t **out, struct errinfo *ei)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct net_answer answer;
	struct net *net = NULL;
	enum err e = text == NULL ? err_set(ei, ERR_NOMEM, "enrolment")
				  : net_start(setup, &net, ei);

	if (e == OK)
		e = net_do(net, "POST", path, span_of(text), &answer, ei);
	if (e == OK && answer.status != 201)
		e = refusal(&answer, ei);
	if (e == OK)
		e = json_parse(answer.body, out, ei);
	net_stop(net);
	free(text);
	return e;
}

/* What the centre said, and the key, into the state. */
static enum err
keep_answer(json_t *state, const json_t *answer, struct span key,
    const char *fingerprint, struct errinfo *ei)
{
	static const struct {
		const char *from, *to;
	} members[] = { { "agent", "agent" }, { "agency", "agency" },
		{ "certificate", "cert" }, { "sign_key", "sign_key" } };

	for (size_t i = 0; i < COUNT(members); i++) {
		struct span text;
		enum err e =
		    json_get_text(answer, members[i].from, PEM_MAX, &text, ei);

		if (e != OK)
			return e;
		json_put_text(state, members[i].to, text);
	}
	json_put_text(state, "key", key);
	json_put_text(state, "fingerprint", span_of(fingerprint));
	return OK;
}

/* ---- enrolment ---- */

static enum err
enrol_with(struct state *s, const json_t *token, struct errinfo *ei)
{
	struct buf key = buf_make(PEM_MAX);
	json_t *request = json_object(), *answer = NULL, *ca = NULL;
	struct net_setup setup = { .url = text_of(token, "url") };
	char fingerprint[65];
	enum err e = fetch_ca(setup.url, text_of(token, "pin"), &ca, ei);

	if (e == OK)
		e = inventory_fingerprint("", fingerprint, ei);
	if (e == OK)
		e = make_request(&key, request, fingerprint, ei);
	if (e != OK)
		goto out;
	for (size_t i = 0; i < 3; i++) {
		static const char *const members[] = { "agency", "token",
			"secret" };

		json_put_text(
		    request, members[i], span_of(text_of(token, members[i])));
	}
	setup.ca =
	    (struct span){ json_string_value(ca), json_string_length(ca) };
	e = ask(&setup, "/api/v1/enrol", request, &answer, ei);
	if (e == OK)
		e = keep_answer(
		    s->tree, answer, buf_view(&key), fingerprint, ei);
	if (e == OK) {
		json_put_text(s->tree, "url", span_of(setup.url));
		json_put_text(s->tree, "ca", setup.ca);
		e = state_save(s, ei);
	}
out:
	json_decref(request);
	json_decref(answer);
	json_decref(ca);
	if (key.ptr != NULL)
		crypt_wipe(key.ptr, key.len);
	buf_free(&key);
	return e;
}

enum err
enrol(const char *dir, struct span token, struct errinfo *ei)
{
	struct state s = { .dir = dir };
	json_t *o = NULL;
	enum err e = state_load(dir, &s, ei);

	if (e == OK) {
		state_free(&s);
		return err_set(ei, ERR_EXISTS,
		    "this computer has enrolled already (%s/agent.json)", dir);
	}
	if (e != ERR_NOT_FOUND)
		return e;
	e = parse_token(token, &o, ei);
	if (e == OK)
		e = file_make_dir(dir, 0700, ei);
	s.tree = json_object();
	if (e == OK)
		e = enrol_with(&s, o, ei);
	state_free(&s);
	json_decref(o);
	return e;
}

/* ---- clones ---- */

/* What a cloned spool holds, its original tells the centre. */
static void
empty_spool(const struct state *s)
{
	struct dirent **names;
	char dir[4096], path[4400];
	int n;

	(void)snprintf(dir, sizeof(dir), "%s/spool", s->dir);
	n = scandir(dir, &names, NULL, NULL);
	for (int i = 0; i < n; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			(void)unlink(path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

enum err
rekey(struct state *s, const char *fingerprint, struct errinfo *ei)
{
	struct buf key = buf_make(PEM_MAX);
	struct net_setup setup = {
		.url = state_text(s, "url"),
		.ca = span_of(state_text(s, "ca")),
		.cert = span_of(state_text(s, "cert")),
		.key = span_of(state_text(s, "key")),
	};
	json_t *request = json_object(), *answer = NULL;
	enum err e;

	/* The new key is kept before it is used: a lost answer is asked for
	 * again with the same key, and the centre gives the same agent. */
	buf_text(&key, state_text(s, "new_key"));
	e = make_request(&key, request, fingerprint, ei);
	if (e == OK) {
		json_put_text(s->tree, "new_key", buf_view(&key));
		e = state_save(s, ei);
	}
	if (e == OK)
		e = ask(&setup, "/api/v1/agent/rekey", request, &answer, ei);
	if (e == OK)
		empty_spool(s);
	if (e == OK)
		e = keep_answer(
		    s->tree, answer, buf_view(&key), fingerprint, ei);
	if (e == OK) {
		(void)json_object_del(s->tree, "new_key");
		(void)json_object_del(s->tree, "last_scan_ms");
		e = state_save(s, ei);
	}
	json_decref(request);
	json_decref(answer);
	if (key.ptr != NULL)
		crypt_wipe(key.ptr, key.len);
	buf_free(&key);
	return e;
}
