#ifndef MODULE_MODULE_H
#define MODULE_MODULE_H

#include "figure/figure.h"
#include "http/http.h"
#include "org/org.h"
#include "page/page.h"

/* The centre: what every room of mod/ is handed, and the one descriptor by
 * which a room hands itself to the centre. */

#define MODULE_TABLES_MAX 4 /* route tables of a room, its end included */

struct centre;

struct module {
	const char *name; /* NULL ends a list */
	const struct migration *migrations;
	const struct route *routes[MODULE_TABLES_MAX]; /* NULL-ended */
	const struct figure *figures;
	/* For one room only: who is the agent behind a verified client
	 * certificate?  *who lives in the request's arena.  ERR_DENIED when it
	 * was revoked. */
	enum err (*admit_agent)(
	    const struct http_req *rq, void **who, struct errinfo *ei);
};

/* A tab of the console; pages are shown to those who hold the permission. */
struct tab {
	const char *path, *title; /* title: English msgid; NULL ends */
};

/* Read-only once the server runs: any thread. */
struct centre {
	struct store *store;
	const struct clock *clock;
	const struct page_set *pages;
	const struct i18n *vi, *en;
	const struct module *const *modules; /* NULL-ended */
	const struct tab *tabs;
	const char *url;      /* "https://host:8443", in enrolment tokens */
	const char *data_dir; /* signature sets lie in DIR/sets */
	const char
	    *assets; /* version of style sheets and scripts; NULL: none */
	struct span ca_cert, ca_key; /* PEM */
	char ca_pin[65];             /* SHA-256 of its key, hex */
	unsigned char sign_public[32], sign_secret[32];
};

static inline const struct centre *
centre_of(const struct http_req *rq)
{
	return rq->app;
}

/* ---- requests ---------------------------------------------------------- */

/* http_server_options.authorise: "public" for all; "agent" by certificate;
 * anything else needs a session.  An account that must change its password
 * gets ERR_DENIED with field "password" everywhere but at "own". */
enum err centre_authorise(struct http_req *rq, struct errinfo *ei);
/* http_server_options.fail_page: a page in the reader's language; who is not
 * signed in goes to /signin. */
void centre_fail_page(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei);

/* The signed-in account; NULL on public routes without a session. */
const struct org_session *centre_session(const struct http_req *rq);
struct org_actor centre_actor(const struct http_req *rq);

/* First line of every handler that changes something for an account: the
 * form field "csrf" or the header X-CSRF-Token must be the session's.
 * Otherwise answers 403 and returns false. */
bool centre_form(const struct http_req *rq, struct http_res *rs);

/* Answers an error as a page or as JSON, by the path. */
void centre_fail(
    const struct http_req *rq, struct http_res *rs, const struct errinfo *ei);

/* ---- pages ------------------------------------------------------------- */

const struct i18n *centre_lang(const struct http_req *rq);
/* Translation of an English msgid for this reader. */
const char *tr(const struct http_req *rq, const char *msgid);

/* What went wrong, translated, and the field it is about: "the table lacks a
 * column: ma".  In the request's arena. */
const char *centre_words(const struct http_req *rq, const struct errinfo *ei);

/* Renders web/templates/NAME.html with `data` (taken over) and the members
 * every page has: lang, title, tabs, login, csrf, path. */
void centre_page(const struct http_req *rq, struct http_res *rs, int status,
    const char *name, const char *title, json_t *data);

/* Members for pages, as people here write them: an instant (24/11/2026 08:02;
 * "" for 0) and a day (24/11/2026) of "YYYY-MM-DD" or "". */
void page_put_time(json_t *o, const char *key, int64_t utc_ms);
void page_put_day(json_t *o, const char *key, struct span day);

/* ---- the standing of the whole ------------------------------------------ */

/* Room "module" itself: migrations of org, figure and every module. */
enum err centre_migrate(const struct centre *c, struct errinfo *ei) MUST_USE;
/* All figures of all modules, NULL-ended, in the arena. */
const struct figure *const *
centre_figures(const struct centre *c, struct arena *a);
const struct figure *centre_figure(const struct centre *c, const char *name);

#endif
