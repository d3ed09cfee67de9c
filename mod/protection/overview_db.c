/* The first page: how the province stands, every gap named. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "protection/protection_int.h"

struct overview_job {
	const struct http_req *rq;
	json_t *answer;
	int64_t now;
	struct org_agency *tree;
	size_t agencies;
	size_t *by_id;   /* positions in the tree in the order of ids */
	int64_t *sums;   /* [figure][agency]: own values, then subtree sums */
	int64_t *totals; /* [figure]: also of agencies that are no more */
};

static size_t
figure_count(void)
{
	size_t n = 0;

	while (protection_figures[n].name != NULL)
		n++;
	return n;
}

/* The last part of a figure's name: "protected". */
static const char *
short_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (strcmp(name, "protection.detections.open") == 0)
		return "detections_open";
	return dot == NULL ? name : dot + 1;
}

/* ---- the tree ---- */

static int
id_cmp(const void *a, const void *b, void *tree)
{
	const struct org_agency *of = tree;

	return memcmp(of[*(const size_t *)a].id.b, of[*(const size_t *)b].id.b,
	    sizeof(of->id.b));
}

/* The agency's position in the tree, or `agencies`. */
static size_t
position(const struct overview_job *job, struct uuid id)
{
	size_t from = 0, to = job->agencies;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c =
		    memcmp(job->tree[job->by_id[mid]].id.b, id.b, sizeof(id.b));

		if (c == 0)
			return job->by_id[mid];
		if (c < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return job->agencies;
}

/* The tree lists children behind parents: one pass from the end sums up. */
static void
sum_up(struct overview_job *job)
{
	for (size_t i = job->agencies; i-- > 0;) {
		size_t up = position(job, job->tree[i].parent);

		for (size_t f = 0; up < i && f < figure_count(); f++)
			job->sums[f * job->agencies + up] +=
			    job->sums[f * job->agencies + i];
	}
}

static void
add(struct overview_job *job, size_t f, struct uuid agency, int64_t value)
{
	size_t at = position(job, agency);

	job->totals[f] += value;
	if (at < job->agencies)
		job->sums[f * job->agencies + at] += value;
}

/* ---- measuring ---- */

/* Does a computer with this reason count in the figure?  What the figures'
 * own SQL says, so that all of them cost one pass (a test compares). */
static bool
counts_in(const char *figure, const struct reason *why, bool agent)
{
	const char *name = short_name(figure);

	return strcmp(name, "total") == 0 || strcmp(name, why->state) == 0 ||
	    (strcmp(name, "enrolled") == 0 && agent);
}

static bool
of_the_judgement(const char *figure)
{
	return strncmp(figure, "protection.computers.", 21) == 0 &&
	    strcmp(figure, "protection.computers.declared") != 0;
}

static enum err
measure_computers(struct sql *q, struct overview_job *job,
    int64_t reasons[REASONS_MAX], struct errinfo *ei)
{
	struct arena *a = job->rq->arena;
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = sql_query(q, &r, ei,
	    JUDGED_SQL "SELECT agency_id, reason, CASE WHEN agent_id IS NULL"
		       " THEN 0 ELSE 1 END AS agent, count(*) FROM judged"
		       " GROUP BY agency_id, reason, agent",
	    SQL_INT(job->now));

	while (e == OK && (e = sql_next(&r, &more, ei)) == OK && more) {
		const char *text = sql_text(&r, 1, a);
		const struct reason *why =
		    text == NULL ? NULL : protection_reason(text);

		if (why == NULL) {
			e = err_set(ei, ERR_NOMEM, "overview");
			break;
		}
		reasons[why - protection_reasons] += sql_int(&r, 3);
		for (size_t f = 0; f < figure_count(); f++) {
			const char *name = protection_figures[f].name;

			if (of_the_judgement(name) &&
			    counts_in(name, why, sql_int(&r, 2) != 0))
				add(job, f, sql_uuid(&r, 0), sql_int(&r, 3));
		}
	}
	sql_end(&r);
	return e;
}

static enum err
measure(struct sql *q, struct overview_job *job, size_t f, struct errinfo *ei)
{
	struct figure_value *got;
	size_t n;
	enum err e = figure_measure(
	    q, job->rq->arena, &protection_figures[f], job->now, &got, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		add(job, f, got[i].agency, got[i].value);
	return e;
}

static void
put_figures(struct overview_job *job)
{
	json_t *list = json_put_new(job->answer, "figures", json_array());
	json_t *totals = json_put_new(job->answer, "totals", json_object());

	for (size_t f = 0; protection_figures[f].name != NULL; f++) {
		const struct figure *figure = &protection_figures[f];
		int64_t value = job->totals[f];
		json_t *o = json_object();

		json_put_text(o, "name", span_of(figure->name));
		json_put_text(o, "title", span_of(tr(job->rq, figure->title)));
		json_put_text(o, "unit", span_of(tr(job->rq, figure->unit)));
		json_put_text(
		    o, "sentence", span_of(tr(job->rq, figure->sentence)));
		json_put_text(o, "basis", span_of(tr(job->rq, figure->basis)));
		json_put_int(o, "value", value);
		(void)json_array_append_new(list, o);
		json_put_int(totals, short_name(figure->name), value);
	}
}

/* As text as well: where there is nothing to divide, a page that asked for
 * "percent" would look further out and find that of the whole. */
static void
put_share(json_t *o, int64_t good, int64_t total)
{
	struct buf text = buf_make(32);

	if (total > 0) {
		json_put_int(o, "percent", good * 100 / total);
		buf_fmt(&text, "%" PRId64, good * 100 / total);
	} else {
		buf_text(&text, "–");
	}
	json_put_text(o, "share", buf_view(&text));
	buf_free(&text);
}

static void
put_agencies(struct overview_job *job)
{
	json_t *list = json_put_new(job->answer, "agencies", json_array());

	for (size_t i = 0; i < job->agencies; i++) {
		const struct org_agency *a = &job->tree[i];
		json_t *o = json_object();
		int64_t total = 0, good = 0;

		json_put_text(o, "code", span_of(a->code));
		json_put_text(o, "name", span_of(a->name));
		json_put_int(o, "depth", a->depth);
		for (size_t f = 0; protection_figures[f].name != NULL; f++) {
			const char *name =
			    short_name(protection_figures[f].name);
			int64_t v = job->sums[f * job->agencies + i];

			json_put_int(o, name, v);
			if (strcmp(name, "total") == 0)
				total = v;
			if (strcmp(name, "protected") == 0)
				good = v;
		}
		put_share(o, good, total);
		json_put_bool(o, "gap", good < total);
		(void)json_array_append_new(list, o);
	}
}

/* The most common first. */
static void
put_reasons(struct overview_job *job, int64_t counts[REASONS_MAX])
{
	json_t *list = json_put_new(job->answer, "reasons", json_array());

	for (;;) {
		const struct reason *why;
		json_t *o;
		size_t most = 0;

		for (size_t i = 1; protection_reasons[i].reason != NULL; i++)
			if (most == 0 || counts[i] > counts[most])
				most = i;
		if (counts[most] == 0)
			return;
		why = &protection_reasons[most];
		o = json_object();
		json_put_text(o, "reason", span_of(why->reason));
		json_put_text(o, "state", span_of(why->state));
		json_put_text(o, "text", span_of(tr(job->rq, why->text)));
		json_put_text(o, "remedy", span_of(tr(job->rq, why->remedy)));
		json_put_int(o, "count", counts[most]);
		(void)json_array_append_new(list, o);
		counts[most] = 0;
	}
}

static enum err
put_history(struct sql *q, struct overview_job *job, struct errinfo *ei)
{
	static const char *const names[] = {
		"protection.computers.protected",
		"protection.computers.total",
		"protection.detections",
	};
	json_t *history = json_put_new(job->answer, "history", json_object());
	char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
	enum err e = OK;

	time_day(job->now - HISTORY_DAYS * DAY_MS, from);
	time_day(job->now, to);
	for (size_t i = 0; e == OK && i < COUNT(names); i++) {
		json_t *list =
		    json_put_new(history, short_name(names[i]), json_array());
		struct figure_day *days = NULL;
		size_t n = 0;

		e = figure_history(q, job->rq->arena, names[i],
		    (struct uuid){ 0 }, from, to, &days, &n, ei);
		for (size_t k = 0; e == OK && k < n; k++) {
			json_t *o = json_object();

			json_put_text(o, "day", span_of(days[k].day));
			json_put_int(o, "value", days[k].value);
			(void)json_array_append_new(list, o);
		}
	}
	return e;
}

static enum err
read_tree(struct sql *q, struct overview_job *job, struct errinfo *ei)
{
	struct arena *a = job->rq->arena;
	char day[TIME_TEXT_MAX];
	enum err e;

	time_day(job->now, day);
	e = org_agency_tree(q, a, day, &job->tree, &job->agencies, ei);
	if (e != OK)
		return e;
	job->by_id = ARENA_NEW(a, size_t, job->agencies + 1);
	job->sums = ARENA_NEW(a, int64_t, figure_count() * (job->agencies + 1));
	job->totals = ARENA_NEW(a, int64_t, figure_count());
	if (job->by_id == NULL || job->sums == NULL || job->totals == NULL)
		return err_set(ei, ERR_NOMEM, "overview");
	for (size_t i = 0; i < job->agencies; i++)
		job->by_id[i] = i;
	qsort_r(
	    job->by_id, job->agencies, sizeof(*job->by_id), id_cmp, job->tree);
	return OK;
}

static enum err
overview(struct sql *q, void *arg, struct errinfo *ei)
{
	struct overview_job *job = arg;
	int64_t reasons[REASONS_MAX] = { 0 };
	enum err e;

	(void)json_object_clear(job->answer);
	e = read_tree(q, job, ei);
	if (e == OK)
		e = measure_computers(q, job, reasons, ei);
	for (size_t f = 0; e == OK && f < figure_count(); f++)
		if (!of_the_judgement(protection_figures[f].name))
			e = measure(q, job, f, ei);
	if (e != OK)
		return e;
	sum_up(job);
	put_figures(job);
	put_agencies(job);
	put_reasons(job, reasons);
	return put_history(q, job, ei);
}

enum err
overview_read(const struct http_req *rq, json_t **out, struct errinfo *ei)
{
	const struct centre *c = centre_of(rq);
	struct overview_job job = {
		.rq = rq, .answer = json_object(), .now = clock_utc_ms(c->clock)
	};
	enum err e = store_read(c->store, overview, &job, ei);

	if (e == OK)
		*out = job.answer;
	else
		json_decref(job.answer);
	return e;
}
