/* What people do to one agent or detection: the same act by page and API. */

#include <string.h>

#include "protection/protection_int.h"

typedef enum err act_fn(const struct centre *c, struct uuid agency,
    struct uuid id, const struct org_actor *who, struct errinfo *ei);

/* Answers 202 to a program, and takes a person back to the list. */
static void
act(const struct http_req *rq, struct http_res *rs, act_fn *fn,
    const char *back)
{
	struct org_actor who = centre_actor(rq);
	struct errinfo ei = { 0 };
	struct uuid agency, id;
	enum err e;

	if (!centre_form(rq, rs))
		return;
	e = http_param_uuid(rq, 0, &agency, &ei);
	if (e == OK)
		e = http_param_uuid(rq, 1, &id, &ei);
	if (e == OK)
		e = fn(centre_of(rq), agency, id, &who, &ei);
	if (e != OK)
		centre_fail(rq, rs, &ei);
	else if (strncmp(rq->path, "/api/", 5) == 0)
		http_send_json(rs, 202, json_object());
	else
		http_send_redirect(rs, back);
}

static enum err
restore(const struct centre *c, struct uuid agency, struct uuid id,
    const struct org_actor *who, struct errinfo *ei)
{
	return command_for_detection(c, "restore", agency, id, who, ei);
}

static enum err delete (const struct centre *c, struct uuid agency,
    struct uuid id, const struct org_actor *who, struct errinfo *ei) {
	return command_for_detection(c, "delete", agency, id, who, ei);
}

static enum err
scan(const struct centre *c, struct uuid agency, struct uuid id,
    const struct org_actor *who, struct errinfo *ei)
{
	return command_add(c, "scan", agency, id, (struct uuid){ 0 }, who, ei);
}

static void
restore_do(const struct http_req *rq, struct http_res *rs)
{
	act(rq, rs, restore, "/detections");
}

static void
delete_do(const struct http_req *rq, struct http_res *rs)
{
	act(rq, rs, delete, "/detections");
}

static void
scan_do(const struct http_req *rq, struct http_res *rs)
{
	act(rq, rs, scan, "/computers");
}

static void
revoke_do(const struct http_req *rq, struct http_res *rs)
{
	act(rq, rs, protection_revoke, "/computers");
}

#define AGENT     "/agents/{agency}/{agent}"
#define DETECTION "/detections/{agency}/{detection}"
#define BOTH(path, permission, handler)                                        \
	{ "POST", path, permission, handler, 4096 },                           \
	{                                                                      \
		"POST", "/api/v1" path, permission, handler, 4096              \
	}

const struct route protection_acts[] = {
	BOTH(DETECTION "/restore", "detections.restore", restore_do),
	BOTH(DETECTION "/delete", "detections.delete", delete_do),
	BOTH(AGENT "/scan", "agents.command", scan_do),
	BOTH(AGENT "/revoke", "agents.revoke", revoke_do),
	{ 0 },
};
