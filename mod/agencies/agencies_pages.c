/* Pages and API of the agencies. */

#include <string.h>

#include "agencies/agencies_int.h"

#define IMPORT_MAX (4u << 20) /* bytes of an uploaded table */

static void
show(const struct http_req *rq, struct http_res *rs, int status, json_t *report,
    const char *fault)
{
	struct errinfo ei = { 0 };
	char day[TIME_TEXT_MAX];
	json_t *data, *rows;

	if (agencies_day(rq, day, &ei) != OK ||
	    agencies_list(rq, day, &rows, &ei) != OK) {
		json_decref(report);
		centre_fail(rq, rs, &ei);
		return;
	}
	data = json_object();
	json_put_text(data, "day", span_of(day));
	page_put_day(data, "day_text", span_of(day));
	json_put_int(data, "count", (int64_t)json_array_size(rows));
	(void)json_put_new(data, "agencies", rows);
	if (report != NULL) {
		json_put_bool(report, "ok", status == 200);
		(void)json_put_new(data, "report", report);
	}
	if (fault != NULL)
		json_put_text(data, "fault", span_of(fault));
	centre_page(rq, rs, status, "agencies", N_("Agencies"), data);
}

static void
agencies_page(const struct http_req *rq, struct http_res *rs)
{
	show(rq, rs, 200, NULL, NULL);
}

static void
import_do(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	json_t *report = NULL;
	enum err e;

	if (!centre_form(rq, rs))
		return;
	e = agencies_import(rq, http_form(rq, "file"), &report, &ei);
	if (e == OK || report != NULL)
		show(rq, rs, e == OK ? 200 : 400, report, NULL);
	else if (e == ERR_SYNTAX || e == ERR_LIMIT)
		show(rq, rs, http_status(e), NULL, centre_words(rq, &ei));
	else
		centre_fail(rq, rs, &ei);
}

/* ---- API ---- */

static void
agencies_get(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	char day[TIME_TEXT_MAX];
	json_t *rows, *answer;

	if (agencies_day(rq, day, &ei) != OK ||
	    agencies_list(rq, day, &rows, &ei) != OK) {
		http_fail(rq, rs, &ei);
		return;
	}
	answer = json_object();
	json_put_text(answer, "day", span_of(day));
	(void)json_put_new(answer, "agencies", rows);
	http_send_json(rs, 200, answer);
}

static void
agencies_post(const struct http_req *rq, struct http_res *rs)
{
	struct errinfo ei = { 0 };
	json_t *report = NULL;
	enum err e;

	if (!centre_form(rq, rs))
		return;
	e = agencies_import(rq, rq->body, &report, &ei);
	if (report == NULL) {
		http_fail(rq, rs, &ei);
		return;
	}
	http_send_json(rs, e == OK ? 200 : 400, report);
}

const struct route agencies_routes[] = {
	{ "GET", "/agencies", "agencies.read", agencies_page, 0 },
	{ "POST", "/agencies", "agencies.write", import_do, IMPORT_MAX },
	{ "GET", "/api/v1/agencies", "agencies.read", agencies_get, 0 },
	{ "POST", "/api/v1/agencies", "agencies.write", agencies_post,
	    IMPORT_MAX },
	{ 0 },
};
