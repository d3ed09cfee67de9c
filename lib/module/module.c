#include "module/module.h"

#include <string.h>

#include "base/log.h"
#include "crypt/crypt.h"

#define COOKIE      "__Host-khien"
#define LANG_COOKIE "khien-lang"

/* ---- who ---- */

static bool
is_api(const struct http_req *rq)
{
	return strncmp(rq->path, "/api/", 5) == 0 ||
	    strcmp(rq->path, "/health") == 0;
}

static bool
changes(const struct http_req *rq)
{
	return strcmp(rq->method, "GET") != 0 &&
	    strcmp(rq->method, "HEAD") != 0;
}

/* A browser says where a request comes from; another site's is refused. */
static bool
foreign_site(const struct http_req *rq)
{
	const char *site = http_header(rq, "Sec-Fetch-Site");

	return changes(rq) && site != NULL &&
	    strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

static enum err
admit_agent(struct http_req *rq, struct errinfo *ei)
{
	const struct centre *c = centre_of(rq);

	if (rq->client_cert.len == 0)
		return err_set(ei, ERR_AUTH, "a client certificate is needed");
	for (size_t i = 0; c->modules[i] != NULL; i++)
		if (c->modules[i]->admit_agent != NULL)
			return c->modules[i]->admit_agent(rq, &rq->who, ei);
	return err_set(ei, ERR_UNSUPPORTED, "agents");
}

static enum err
admit_session(struct http_req *rq, bool needed, struct errinfo *ei)
{
	const struct centre *c = centre_of(rq);
	struct org_session found, *kept;
	enum err e = org_session_find(
	    c->store, c->clock, http_cookie(rq, COOKIE), &found, ei);

	if (e == ERR_AUTH && !needed)
		return OK;
	if (e != OK)
		return e;
	kept = ARENA_NEW(rq->arena, struct org_session, 1);
	if (kept == NULL)
		return err_set(ei, ERR_NOMEM, "session");
	*kept = found;
	rq->who = kept;
	if (needed && found.must_change &&
	    strcmp(rq->route->permission, "own") != 0)
		return err_field(ei, ERR_DENIED, "password",
		    "the password must be changed first");
	return OK;
}

static const char *
chosen_lang(const struct http_req *rq)
{
	const char *lang = http_cookie(rq, LANG_COOKIE);

	return lang != NULL && strcmp(lang, "en") == 0 ? "en" : "vi";
}

enum err
centre_authorise(struct http_req *rq, struct errinfo *ei)
{
	const char *permission = rq->route->permission;

	rq->lang = chosen_lang(rq);
	if (strcmp(permission, "agent") == 0)
		return admit_agent(rq, ei);
	if (foreign_site(rq))
		return err_set(
		    ei, ERR_DENIED, N_("the request comes from another site"));
	return admit_session(rq, strcmp(permission, "public") != 0, ei);
}

const struct org_session *
centre_session(const struct http_req *rq)
{
	if (rq->route == NULL || strcmp(rq->route->permission, "agent") == 0)
		return NULL;
	return rq->who;
}

struct org_actor
centre_actor(const struct http_req *rq)
{
	const struct org_session *s = centre_session(rq);

	if (s == NULL)
		return (struct org_actor){ .name = "", .remote = rq->remote };
	return (struct org_actor){ s->account, s->login, rq->remote };
}

bool
centre_form(const struct http_req *rq, struct http_res *rs)
{
	const struct org_session *s = centre_session(rq);
	const char *header = http_header(rq, "X-CSRF-Token");
	struct span given =
	    header != NULL ? span_of(header) : http_form(rq, "csrf");
	struct errinfo ei = { 0 };

	if (s != NULL && given.len == ORG_SECRET_TEXT - 1 &&
	    crypt_equal(given.ptr, s->csrf, given.len))
		return true;
	(void)err_field(&ei, ERR_DENIED, "csrf",
	    N_("the form has expired: load the page again"));
	centre_fail(rq, rs, &ei);
	return false;
}

/* ---- pages ---- */

const struct i18n *
centre_lang(const struct http_req *rq)
{
	const struct centre *c = centre_of(rq);

	return rq->lang != NULL && strcmp(rq->lang, "en") == 0 ? c->en : c->vi;
}

const char *
tr(const struct http_req *rq, const char *msgid)
{
	return i18n_text(centre_lang(rq), msgid);
}

const char *
centre_words(const struct http_req *rq, const struct errinfo *ei)
{
	struct buf b = buf_make(ERRMSG_MAX + sizeof(ei->field));
	const char *text = tr(rq, ei->msg), *whole;

	buf_text(&b, text);
	if (ei->field[0] != '\0')
		buf_fmt(&b, ": %s", ei->field);
	whole = arena_text(rq->arena, buf_view(&b));
	buf_free(&b);
	return whole == NULL ? text : whole;
}

void
page_put_time(json_t *o, const char *key, int64_t utc_ms)
{
	char text[TIME_TEXT_MAX] = "";

	if (utc_ms != 0)
		time_people(utc_ms, text);
	json_put_text(o, key, span_of(text));
}

void
page_put_day(json_t *o, const char *key, struct span day)
{
	char text[TIME_TEXT_MAX] = "";
	int64_t ms;

	if (time_parse_day(day, &ms) == OK) {
		time_people(ms, text);
		text[strlen("24/11/2026")] = '\0';
	}
	json_put_text(o, key, span_of(text));
}

static json_t *
tabs_for(const struct http_req *rq)
{
	json_t *list = json_array();

	for (const struct tab *t = centre_of(rq)->tabs; t->title != NULL; t++) {
		json_t *o = json_object();

		json_put_text(o, "path", span_of(t->path));
		json_put_text(o, "title", span_of(tr(rq, t->title)));
		json_put_bool(o, "current", strcmp(t->path, rq->path) == 0);
		(void)json_array_append_new(list, o);
	}
	return list;
}

static void
put_frame(const struct http_req *rq, json_t *data, const char *title)
{
	const struct org_session *s = centre_session(rq);
	bool inside = s != NULL && !s->must_change;

	json_put_text(data, "lang", span_of(i18n_lang(centre_lang(rq))));
	json_put_text(data, "title", span_of(tr(rq, title)));
	json_put_text(data, "path", span_of(rq->path));
	json_put_text(data, "assets", span_of(centre_of(rq)->assets));
	json_put_bool(data, "is_vi", strcmp(rq->lang, "vi") == 0);
	json_put_text(data, "login", span_of(s == NULL ? "" : s->login));
	json_put_text(data, "csrf", span_of(s == NULL ? "" : s->csrf));
	(void)json_put_new(data, "tabs", inside ? tabs_for(rq) : json_array());
}

void
centre_page(const struct http_req *rq, struct http_res *rs, int status,
    const char *name, const char *title, json_t *data)
{
	struct buf html = buf_make(PAGE_MAX);
	struct errinfo ei = { 0 };
	enum err e;

	put_frame(rq, data, title);
	e = page_render(
	    centre_of(rq)->pages, name, centre_lang(rq), data, &html, &ei);
	json_decref(data);
	if (e == OK)
		http_send_html(rs, status, buf_view(&html));
	else
		http_fail(rq, rs, &ei);
	buf_free(&html);
}

/* ---- failures ---- */

/* What went wrong, in a person's words; the technical text stands beside. */
static const char *
fault_title(enum err code)
{
	static const struct {
		enum err code;
		const char *text;
	} titles[] = {
		{ ERR_SYNTAX, N_("The request is not valid") },
		{ ERR_LIMIT, N_("That is too much at once") },
		{ ERR_NOT_FOUND, N_("There is no such page") },
		{ ERR_EXISTS, N_("That exists already") },
		{ ERR_DENIED, N_("You may not do this") },
		{ ERR_BUSY, N_("Please try again in a moment") },
	};

	for (size_t i = 0; i < COUNT(titles); i++)
		if (titles[i].code == code)
			return titles[i].text;
	return N_("The centre has a fault; it is in the log");
}

/* Not every text of a library is translated: rather the title alone than one
 * that the reader may not understand. */
static bool
readable(const struct http_req *rq, const char *msgid)
{
	return strcmp(i18n_lang(centre_lang(rq)), "en") == 0 ||
	    tr(rq, msgid) != msgid;
}

/* A script that asked for a part of a page shall load another one: it would
 * follow a redirect by itself, and put that page where the part belongs. */
static void
send_elsewhere(const struct http_req *rq, struct http_res *rs, int status,
    const char *path)
{
	if (http_header(rq, "HX-Request") == NULL) {
		http_send_redirect(rs, path);
		return;
	}
	http_set_header(rs, "HX-Redirect", path);
	http_send_bytes(rs, status, "text/plain", (struct span){ NULL, 0 });
}

void
centre_fail_page(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei)
{
	int status = http_status(ei->code);
	struct http_req spoken = *rq;
	json_t *data;

	spoken.lang = chosen_lang(rq); /* nobody was asked where no route is */
	rq = &spoken;
	if (ei->code == ERR_AUTH && strcmp(rq->method, "GET") == 0) {
		send_elsewhere(rq, rs, status, "/signin");
		return;
	}
	if (ei->code == ERR_DENIED && strcmp(ei->field, "password") == 0) {
		send_elsewhere(rq, rs, status, "/password");
		return;
	}
	if (status >= 500)
		log_error("request.failed", LOG_S("path", rq->path),
		    LOG_S("error", err_name(ei->code)), LOG_S("text", ei->msg));
	data = json_object();
	json_put_int(data, "status", status);
	if (status < 500 && readable(rq, ei->msg))
		json_put_text(data, "message", span_of(tr(rq, ei->msg)));
	centre_page(rq, rs, status, "error", fault_title(ei->code), data);
}

void
centre_fail(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei)
{
	if (is_api(rq))
		http_fail(rq, rs, ei);
	else
		centre_fail_page(rq, rs, ei);
}

/* ---- the whole ---- */

enum err
centre_migrate(const struct centre *c, struct errinfo *ei)
{
	enum err e = store_migrate(c->store, "org", org_migrations, ei);

	if (e == OK)
		e = store_migrate(c->store, "figure", figure_migrations, ei);
	for (size_t i = 0; e == OK && c->modules[i] != NULL; i++)
		if (c->modules[i]->migrations != NULL)
			e = store_migrate(c->store, c->modules[i]->name,
			    c->modules[i]->migrations, ei);
	return e;
}

const struct figure *const *
centre_figures(const struct centre *c, struct arena *a)
{
	size_t n = 0, at = 0;
	const struct figure **lists;

	while (c->modules[n] != NULL)
		n++;
	lists = ARENA_NEW(a, const struct figure *, n + 1);
	for (size_t i = 0; lists != NULL && i < n; i++)
		if (c->modules[i]->figures != NULL)
			lists[at++] = c->modules[i]->figures;
	return lists;
}

const struct figure *
centre_figure(const struct centre *c, const char *name)
{
	for (size_t i = 0; c->modules[i] != NULL; i++) {
		const struct figure *f = c->modules[i]->figures;

		for (; f != NULL && f->name != NULL; f++)
			if (strcmp(f->name, name) == 0)
				return f;
	}
	return NULL;
}
