/* The pages of the room. */

#include <string.h>

#include "protection/protection_int.h"

/* ---- overview ---- */

static int64_t
total(const json_t *overview, const char *name)
{
	return json_integer_value(
	    json_object_get(json_object_get(overview, "totals"), name));
}

static void
put_bar(const struct http_req *rq, json_t *overview)
{
	const struct page_part parts[] = {
		{ tr(rq, N_("Protected")), "good",
		    total(overview, "protected") },
		{ tr(rq, N_("Not protected")), "bad",
		    total(overview, "unprotected") },
		{ tr(rq, N_("Unknown")), "unknown",
		    total(overview, "unknown") },
	};
	struct buf svg = buf_make(65536);

	page_bar_svg(
	    &svg, tr(rq, N_("Computers by protection")), parts, COUNT(parts));
	json_put_text(overview, "bar", buf_view(&svg));
	buf_free(&svg);
}

static struct span
day_of(const json_t *days, size_t i)
{
	return span_of(
	    json_string_value(json_object_get(json_array_get(days, i), "day")));
}

/* One value for each day from the first to the last of the list, -1 for one
 * that was not measured.  Returns how many. */
static size_t
fill_days(const json_t *days, int64_t values[HISTORY_DAYS + 1])
{
	int64_t first, ms;
	size_t n = 0;

	if (time_parse_day(day_of(days, 0), &first) != OK)
		return 0;
	for (size_t i = 0; i < json_array_size(days); i++) {
		size_t at;

		if (time_parse_day(day_of(days, i), &ms) != OK || ms < first)
			continue;
		at = (size_t)((ms - first) / DAY_MS);
		if (at > HISTORY_DAYS)
			break;
		while (n < at)
			values[n++] = -1;
		values[n++] = json_integer_value(
		    json_object_get(json_array_get(days, i), "value"));
	}
	return n;
}

static void
put_chart(json_t *charts, const char *title, json_t *days)
{
	int64_t values[HISTORY_DAYS + 1];
	size_t n = fill_days(days, values), i;
	struct buf svg = buf_make(262144);
	json_t *o, *day;

	if (n < 2)
		return;
	o = json_object();
	page_line_svg(&svg, title, values, n);
	json_put_text(o, "title", span_of(title));
	json_put_text(o, "svg", buf_view(&svg));
	page_put_day(o, "first", day_of(days, 0));
	page_put_day(o, "last", day_of(days, json_array_size(days) - 1));
	json_array_foreach (days, i, day)
		page_put_day(day, "text", day_of(days, i));
	(void)json_object_set(o, "days", days);
	(void)json_array_append_new(charts, o);
	buf_free(&svg);
}

static void
put_charts(const struct http_req *rq, json_t *overview)
{
	const json_t *history = json_object_get(overview, "history");
	json_t *charts = json_put_new(overview, "charts", json_array());

	put_chart(charts, tr(rq, N_("Protected computers by day")),
	    json_object_get(history, "protected"));
	put_chart(charts, tr(rq, N_("Detections by day")),
	    json_object_get(history, "detections"));
}

static void
put_percent(json_t *overview)
{
	int64_t all = total(overview, "total");

	if (all > 0) {
		json_put_int(overview, "percent",
		    total(overview, "protected") * 100 / all);
		json_put_bool(overview, "has_computers", true);
	}
}

static void
overview_page(const struct http_req *rq, struct http_res *rs)
{
	struct filter all = { .page = 1 };
	struct errinfo ei = { 0 };
	json_t *data, *latest;

	if (overview_read(rq, &data, &ei) != OK) {
		centre_fail(rq, rs, &ei);
		return;
	}
	if (detections_list(rq, &all, &latest, &ei) != OK) {
		json_decref(data);
		centre_fail(rq, rs, &ei);
		return;
	}
	while (json_array_size(json_object_get(latest, "rows")) > 5)
		(void)json_array_remove(json_object_get(latest, "rows"), 5);
	(void)json_put_new(data, "latest", latest);
	put_percent(data);
	put_bar(rq, data);
	put_charts(rq, data);
	centre_page(rq, rs, 200, "overview", N_("Overview"), data);
}

/* ---- lists ---- */

static void
put_choice(const struct http_req *rq, json_t *list, struct span chosen,
    const struct choice *c)
{
	json_t *o = json_object();

	json_put_text(o, "value", span_of(c->value));
	json_put_text(o, "text", span_of(tr(rq, c->text)));
	json_put_bool(o, "chosen", span_is(chosen, c->value));
	(void)json_array_append_new(list, o);
}

/* All, or one of these. */
static void
put_choices(const struct http_req *rq, json_t *data, struct span chosen,
    const struct choice *choices)
{
	static const struct choice all = { "", N_("All") };
	json_t *list = json_put_new(data, "choices", json_array());

	put_choice(rq, list, chosen, &all);
	for (; choices->value != NULL; choices++)
		put_choice(rq, list, chosen, choices);
}

static enum err
put_filter(const struct http_req *rq, json_t *data, const struct filter *f,
    struct errinfo *ei)
{
	json_put_text(data, "agency", f->agency);
	json_put_text(data, "state", f->state);
	json_put_text(data, "q", f->text);
	return agencies_to_choose(rq, f->agency, data, ei);
}

/* The list; its last page for one that is no more: rows went while somebody
 * turned pages. */
static enum err
page_of(enum err (*list)(const struct http_req *rq, const struct filter *f,
	    json_t **out, struct errinfo *ei),
    const struct http_req *rq, struct filter *f, json_t **out,
    struct errinfo *ei)
{
	enum err e = list(rq, f, out, ei);
	int64_t pages;

	if (e != OK)
		return e;
	pages = json_integer_value(json_object_get(*out, "pages"));
	if (pages == 0 || f->page <= pages)
		return OK;
	json_decref(*out);
	f->page = pages;
	return list(rq, f, out, ei);
}

static void
computers_show(
    const struct http_req *rq, struct http_res *rs, int status, json_t *extra)
{
	static const struct choice choices[] = {
		{ "protected", N_("Protected") },
		{ "unprotected", N_("Not protected") },
		{ "unknown", N_("Unknown") },
		{ "no_agent", N_("No agent") },
		{ "silent", N_("Agent silent") },
		{ "fault", N_("Fault") },
		{ "signatures", N_("Signatures too old") },
		{ "scan", N_("Last scan too old") },
		{ NULL, NULL },
	};
	struct filter f = protection_filter(rq);
	struct errinfo ei = { 0 };
	json_t *data;

	if (page_of(computers_list, rq, &f, &data, &ei) != OK) {
		json_decref(extra);
		centre_fail(rq, rs, &ei);
		return;
	}
	if (put_filter(rq, data, &f, &ei) != OK) {
		json_decref(data);
		json_decref(extra);
		centre_fail(rq, rs, &ei);
		return;
	}
	put_choices(rq, data, f.state, choices);
	if (extra != NULL) {
		(void)json_object_update(data, extra);
		json_decref(extra);
	}
	centre_page(rq, rs, status, "computers", N_("Computers"), data);
}

static void
computers_page(const struct http_req *rq, struct http_res *rs)
{
	computers_show(rq, rs, 200, NULL);
}

static void
detections_page(const struct http_req *rq, struct http_res *rs)
{
	struct filter f = protection_filter(rq);
	struct errinfo ei = { 0 };
	json_t *data;

	if (page_of(detections_list, rq, &f, &data, &ei) != OK) {
		centre_fail(rq, rs, &ei);
		return;
	}
	if (put_filter(rq, data, &f, &ei) != OK) {
		json_decref(data);
		centre_fail(rq, rs, &ei);
		return;
	}
	put_choices(rq, data, f.state, detection_states);
	centre_page(rq, rs, 200, "detections", N_("Detections"), data);
}

/* ---- acts ---- */

static void
import_do(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	json_t *report = NULL, *extra;
	enum err e;

	if (!centre_form(rq, rs))
		return;
	e = computers_import(rq, http_form(rq, "file"), &report, &ei);
	if (e != OK && e != ERR_SYNTAX && e != ERR_LIMIT) {
		json_decref(report);
		centre_fail(rq, rs, &ei);
		return;
	}
	extra = json_object();
	if (report != NULL) {
		json_put_bool(report, "ok", e == OK);
		(void)json_put_new(extra, "report", report);
	} else {
		json_put_text(extra, "fault", span_of(centre_words(rq, &ei)));
	}
	computers_show(rq, rs, http_status(e), extra);
}

static void
token_do(const struct http_req *rq, struct http_res *rs)
{
	struct org_actor who = centre_actor(rq);
	struct buf text = buf_make(4096);
	struct errinfo ei = { 0 };
	json_t *extra = json_object();
	uint64_t uses = 0;
	enum err e;

	if (!centre_form(rq, rs)) {
		json_decref(extra);
		return;
	}
	e = span_u64(http_form(rq, "uses"), 100000, &uses);
	if (e != OK)
		e = err_field(&ei, ERR_SYNTAX, "uses",
		    "a token is good for 1 to 100000 computers");
	if (e == OK)
		e = protection_token_make(centre_of(rq),
		    http_form(rq, "agency"), (int64_t)uses, &who, &text, &ei);
	if (e == OK) {
		json_put_text(extra, "token", buf_view(&text));
		json_put_int(extra, "uses", (int64_t)uses);
		json_put_text(extra, "agency_code", http_form(rq, "agency"));
	} else {
		json_put_text(extra, "fault", span_of(tr(rq, ei.msg)));
	}
	buf_free(&text);
	computers_show(rq, rs, e == OK ? 200 : http_status(e), extra);
}

const struct route protection_pages[] = {
	{ "GET", "/", "computers.read", overview_page, 0 },
	{ "GET", "/computers", "computers.read", computers_page, 0 },
	{ "POST", "/computers", "computers.write", import_do, 16u << 20 },
	{ "POST", "/tokens", "agents.enrol", token_do, 4096 },
	{ "GET", "/detections", "detections.read", detections_page, 0 },
	{ 0 },
};
