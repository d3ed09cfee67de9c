/* What the console shows: computers, detections, the overview. */

#include <string.h>

#include "protection/protection_int.h"

struct filter
protection_filter(const struct http_req *rq)
{
	struct filter f = {
		.agency = span_trim(http_query(rq, "agency")),
		.state = span_trim(http_query(rq, "state")),
		.text = span_trim(http_query(rq, "q")),
		.page = 1,
	};
	uint64_t page;

	if (span_u64(http_query(rq, "page"), 1000000, &page) == OK && page > 0)
		f.page = (int64_t)page;
	return f;
}

/* The agency of the filter and all below it today: ?2 = its code or "",
 * ?3 = the day. */
#define BELOW_SQL                                                              \
	"below (agency_id) AS (SELECT agency_id FROM agencies"                 \
	" WHERE ?2 = '' OR code = ?2"                                          \
	" UNION SELECT p.agency_id FROM agency_periods p"                      \
	"  JOIN below b ON p.parent_id = b.agency_id"                          \
	"  WHERE p.valid_from <= ?3 AND (p.valid_to = '' OR p.valid_to > "     \
	"?3)) "

/* The name an agency bears on the day ?3 (or bore last). */
#define NAMED_SQL                                                              \
	"named AS (SELECT a.agency_id, a.code, (SELECT name FROM"              \
	" agency_periods p WHERE p.agency_id = a.agency_id"                    \
	" ORDER BY CASE WHEN p.valid_from <= ?3 THEN 0 ELSE 1 END,"            \
	"  p.valid_from DESC LIMIT 1) AS agency_name FROM agencies a) "

struct list_job {
	const struct http_req *rq;
	const struct filter *f;
	json_t *answer;
	char day[TIME_TEXT_MAX];
	int64_t now;
	const char *like; /* %text% with wildcards escaped */
};

static const char *
like_pattern(struct arena *a, struct span text)
{
	struct buf b = buf_make(1024);
	const char *p;

	buf_char(&b, '%');
	for (size_t i = 0; i < text.len && i < 200; i++) {
		if (strchr("%_!", text.ptr[i]) != NULL)
			buf_char(&b, '!');
		buf_char(&b, text.ptr[i]);
	}
	buf_char(&b, '%');
	p = arena_text(a, buf_view(&b));
	buf_free(&b);
	return p == NULL ? "%" : p;
}

static enum err
run_list(const struct http_req *rq, const struct filter *f, store_fn *fn,
    json_t **out, struct errinfo *ei)
{
	const struct centre *c = centre_of(rq);
	struct list_job job = { .rq = rq,
		.f = f,
		.answer = json_object(),
		.now = clock_utc_ms(c->clock),
		.like = like_pattern(rq->arena, f->text) };
	enum err e;

	time_day(job.now, job.day);
	e = store_read(c->store, fn, &job, ei);
	if (e == OK)
		*out = job.answer;
	else
		json_decref(job.answer);
	return e;
}

static void
put_pages(const struct list_job *job, int64_t total)
{
	int64_t pages = (total + PAGE_ROWS - 1) / PAGE_ROWS;

	json_put_int(job->answer, "total", total);
	json_put_int(job->answer, "page", job->f->page);
	json_put_int(job->answer, "pages", pages);
	if (job->f->page > 1)
		json_put_int(job->answer, "before", job->f->page - 1);
	if (job->f->page < pages)
		json_put_int(job->answer, "after", job->f->page + 1);
}

/* ---- agencies to choose from ---- */

struct choose_job {
	const struct http_req *rq;
	struct span chosen;
	json_t *data;
};

static enum err
choose(struct sql *q, void *arg, struct errinfo *ei)
{
	struct choose_job *job = arg;
	json_t *list = json_put_new(job->data, "agencies", json_array());
	struct org_agency *tree;
	char day[TIME_TEXT_MAX];
	size_t n;
	enum err e;

	time_day(clock_utc_ms(centre_of(job->rq)->clock), day);
	e = org_agency_tree(q, job->rq->arena, day, &tree, &n, ei);
	for (size_t i = 0; e == OK && i < n; i++) {
		json_t *o;

		if (span_is(job->chosen, tree[i].code))
			json_put_text(
			    job->data, "chosen_agency", span_of(tree[i].name));
		if (n > CHOICES_MAX)
			continue;
		o = json_object();
		json_put_text(o, "code", span_of(tree[i].code));
		json_put_text(o, "name", span_of(tree[i].name));
		(void)json_array_append_new(list, o);
	}
	return e;
}

enum err
agencies_to_choose(const struct http_req *rq, struct span chosen, json_t *data,
    struct errinfo *ei)
{
	struct choose_job job = { rq, chosen, data };

	return store_read(centre_of(rq)->store, choose, &job, ei);
}

/* ---- computers ---- */

/* ?4 = state or reason or "", ?5 = pattern. */
#define CHOSEN_SQL                                                             \
	"WITH RECURSIVE " BELOW_SQL ", " NAMED_SQL ", " JUDGED_PARTS           \
	", chosen AS (SELECT j.*, n.code, n.agency_name FROM judged j"         \
	" JOIN named n ON n.agency_id = j.agency_id"                           \
	" WHERE (?2 = '' OR j.agency_id IN (SELECT agency_id FROM below))"     \
	" AND (?4 = '' OR ?4 = reason OR ?4 = CASE reason"                     \
	"  WHEN '' THEN 'protected' WHEN 'silent' THEN 'unknown'"              \
	"  ELSE 'unprotected' END)"                                            \
	" AND (?5 = '%%' OR lower(declared) LIKE lower(?5) ESCAPE '!'"         \
	"  OR lower(COALESCE(host, '')) LIKE lower(?5) ESCAPE '!'"             \
	"  OR lower(n.agency_name) LIKE lower(?5) ESCAPE '!')) "

static json_t *
computer_json(
    const struct list_job *job, const struct sql_rows *r, struct arena *a)
{
	const struct reason *why = protection_reason(sql_text(r, 15, a));
	bool agent = !sql_is_null(r, 6);
	json_t *o = json_object();
	const char *name = sql_text(r, 4, a), *host = sql_text(r, 7, a);

	json_put_uuid(o, "agency", sql_uuid(r, 0));
	json_put_text(o, "agency_code", span_of(sql_text(r, 1, a)));
	json_put_text(o, "agency_name", span_of(sql_text(r, 2, a)));
	json_put_bool(o, "declared", !sql_is_null(r, 3));
	json_put_text(o, "name", span_of(agent && host[0] ? host : name));
	json_put_text(o, "kind",
	    span_of(sql_text(r, agent && !sql_is_null(r, 8) ? 8 : 5, a)));
	if (agent)
		json_put_uuid(o, "agent", sql_uuid(r, 6));
	json_put_text(o, "os", span_of(sql_text(r, 9, a)));
	page_put_time(o, "seen", sql_int(r, 11));
	json_put_int(o, "seen_ms", sql_int(r, 11));
	json_put_int(o, "set_version", sql_int(r, 12));
	page_put_time(o, "last_scan", sql_int(r, 13));
	json_put_text(o, "fault", span_of(sql_text(r, 14, a)));
	json_put_text(o, "reason", span_of(why == NULL ? "" : why->reason));
	json_put_text(o, "state", span_of(why == NULL ? "" : why->state));
	json_put_text(
	    o, "why", span_of(why == NULL ? "" : tr(job->rq, why->text)));
	json_put_text(
	    o, "remedy", span_of(why == NULL ? "" : tr(job->rq, why->remedy)));
	return o;
}

static enum err
computers(struct sql *q, void *arg, struct errinfo *ei)
{
	struct list_job *job = arg;
	struct arena *a = job->rq->arena;
	struct sql_rows r = { 0 };
	json_t *rows;
	int64_t total = 0;
	bool more = false;
	enum err e;

	(void)json_object_clear(job->answer);
	rows = json_put_new(job->answer, "rows", json_array());
	e = sql_get_int(q, &total, ei, CHOSEN_SQL "SELECT count(*) FROM chosen",
	    SQL_INT(job->now), SQL_TEXT(job->f->agency), SQL_STR(job->day),
	    SQL_TEXT(job->f->state), SQL_STR(job->like));
	if (e == OK)
		e = sql_query(q, &r, ei,
		    CHOSEN_SQL
		    "SELECT agency_id, code, agency_name, computer_id,"
		    " declared, declared_kind, agent_id, host, kind, os,"
		    " addresses, seen_ms, set_version, last_scan_ms, fault,"
		    " reason FROM chosen ORDER BY CASE reason WHEN '' THEN 1"
		    " ELSE 0 END, code, declared, host, agent_id"
		    " LIMIT ?6 OFFSET ?7",
		    SQL_INT(job->now), SQL_TEXT(job->f->agency),
		    SQL_STR(job->day), SQL_TEXT(job->f->state),
		    SQL_STR(job->like), SQL_INT(PAGE_ROWS),
		    SQL_INT((job->f->page - 1) * PAGE_ROWS));
	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
		(void)json_array_append_new(rows, computer_json(job, &r, a));
	sql_end(&r);
	put_pages(job, total);
	return e;
}

enum err
computers_list(const struct http_req *rq, const struct filter *f, json_t **out,
    struct errinfo *ei)
{
	return run_list(rq, f, computers, out, ei);
}

/* ---- detections ---- */

/* ?1 = now (bound, so that the numbers stay the same), ?4 = state or "",
 * ?5 = pattern.  Only keys: the rest is looked up for one page's rows. */
#define FOUND_SQL                                                              \
	"WITH RECURSIVE " BELOW_SQL ", " NAMED_SQL                             \
	", chosen AS (SELECT d.agency_id, d.detection_id, d.at_ms"             \
	" FROM detections d WHERE ?1 > 0"                                      \
	" AND (?2 = '' OR d.agency_id IN (SELECT agency_id FROM below))"       \
	" AND (?4 = '' OR d.state = ?4)"                                       \
	" AND (?5 = '%%' OR lower(d.path) LIKE lower(?5) ESCAPE '!'"           \
	"  OR lower(d.name) LIKE lower(?5) ESCAPE '!'"                         \
	"  OR d.agent_id IN (SELECT a.agent_id FROM agents a"                  \
	"   WHERE lower(a.host) LIKE lower(?5) ESCAPE '!')"                    \
	"  OR d.agency_id IN (SELECT n.agency_id FROM named n"                 \
	"   WHERE lower(n.agency_name) LIKE lower(?5) ESCAPE '!'))) "

#define FOUND_PAGE_SQL                                                         \
	FOUND_SQL                                                              \
	"SELECT d.agency_id, n.code, n.agency_name, d.detection_id, a.host,"   \
	" d.at_ms, d.path, d.inner_path, d.name, d.sha256, d.state, d.reason," \
	" d.size, (SELECT max(c.kind) FROM commands c WHERE c.agency_id ="     \
	"  d.agency_id AND c.agent_id = d.agent_id AND c.detection_id ="       \
	"  d.detection_id AND c.state = 'waiting'), d.set_version, d.source"   \
	" FROM (SELECT agency_id, detection_id FROM chosen"                    \
	"  ORDER BY at_ms DESC, detection_id DESC LIMIT ?6 OFFSET ?7) k"       \
	" JOIN detections d ON d.agency_id = k.agency_id"                      \
	"  AND d.detection_id = k.detection_id"                                \
	" JOIN named n ON n.agency_id = d.agency_id"                           \
	" LEFT JOIN agents a ON a.agency_id = d.agency_id"                     \
	"  AND a.agent_id = d.agent_id"                                        \
	" ORDER BY d.at_ms DESC, d.detection_id DESC"

const struct choice detection_states[] = {
	{ "found", N_("Found, not yet dealt with") },
	{ "failed", N_("Could not be quarantined") },
	{ "suspicious", N_("Suspicious, left where it is") },
	{ "quarantined", N_("In quarantine") },
	{ "restored", N_("Restored") },
	{ "deleted", N_("Deleted") },
	{ NULL, NULL },
};

static const char *
state_text(const char *state)
{
	const struct choice *c = detection_states;

	while (c->value != NULL && strcmp(c->value, state) != 0)
		c++;
	return c->value != NULL ? c->text : state;
}

static json_t *
detection_json(
    const struct list_job *job, const struct sql_rows *r, struct arena *a)
{
	const char *state = sql_text(r, 10, a);
	bool waiting = !sql_is_null(r, 13);
	json_t *o = json_object();

	json_put_uuid(o, "agency", sql_uuid(r, 0));
	json_put_text(o, "agency_code", span_of(sql_text(r, 1, a)));
	json_put_text(o, "agency_name", span_of(sql_text(r, 2, a)));
	json_put_uuid(o, "id", sql_uuid(r, 3));
	json_put_text(o, "host", span_of(sql_text(r, 4, a)));
	page_put_time(o, "at", sql_int(r, 5));
	json_put_int(o, "at_ms", sql_int(r, 5));
	json_put_text(o, "path", span_of(sql_text(r, 6, a)));
	json_put_text(o, "inner", span_of(sql_text(r, 7, a)));
	json_put_text(o, "name", span_of(sql_text(r, 8, a)));
	json_put_text(o, "sha256", span_of(sql_text(r, 9, a)));
	json_put_text(o, "state", span_of(state));
	json_put_text(o, "state_text", span_of(tr(job->rq, state_text(state))));
	json_put_text(o, "reason", span_of(sql_text(r, 11, a)));
	json_put_int(o, "size", sql_int(r, 12));
	json_put_text(o, "waiting", span_of(waiting ? sql_text(r, 13, a) : ""));
	json_put_bool(
	    o, "can_act", strcmp(state, "quarantined") == 0 && !waiting);
	json_put_int(o, "set_version", sql_int(r, 14));
	json_put_text(o, "source", span_of(sql_text(r, 15, a)));
	return o;
}

static enum err
detections(struct sql *q, void *arg, struct errinfo *ei)
{
	struct list_job *job = arg;
	struct arena *a = job->rq->arena;
	struct sql_rows r = { 0 };
	json_t *rows;
	int64_t total = 0;
	bool more = false;
	enum err e;

	(void)json_object_clear(job->answer);
	rows = json_put_new(job->answer, "rows", json_array());
	e = sql_get_int(q, &total, ei, FOUND_SQL "SELECT count(*) FROM chosen",
	    SQL_INT(job->now), SQL_TEXT(job->f->agency), SQL_STR(job->day),
	    SQL_TEXT(job->f->state), SQL_STR(job->like));
	if (e == OK)
		e = sql_query(q, &r, ei, FOUND_PAGE_SQL, SQL_INT(job->now),
		    SQL_TEXT(job->f->agency), SQL_STR(job->day),
		    SQL_TEXT(job->f->state), SQL_STR(job->like),
		    SQL_INT(PAGE_ROWS),
		    SQL_INT((job->f->page - 1) * PAGE_ROWS));
	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more)
		(void)json_array_append_new(rows, detection_json(job, &r, a));
	sql_end(&r);
	put_pages(job, total);
	return e;
}

enum err
detections_list(const struct http_req *rq, const struct filter *f, json_t **out,
    struct errinfo *ei)
{
	return run_list(rq, f, detections, out, ei);
}
