/* What the centre asks for. */

#include <string.h>

#include "base/log.h"
#include "endpoint/agent_int.h"

static json_t *
action_event(struct uuid id, const char *result, int64_t at_ms)
{
	json_t *o = json_object();

	json_put_text(o, "event", SPAN("action"));
	json_put_uuid(o, "detection", id);
	json_put_time(o, "time", at_ms);
	json_put_text(o, "result", span_of(result));
	return o;
}

enum err
quarantine_tell(struct agent *a, struct errinfo *ei)
{
	struct arena *arena = arena_new(64u << 20);
	struct quarantine_item *items = NULL;
	size_t n = 0;
	enum err e = arena == NULL
	    ? err_set(ei, ERR_NOMEM, "quarantine")
	    : quarantine_list(a->quarantine, arena, &items, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		e = record_event(a,
		    action_event(items[i].id, "quarantined", items[i].taken_ms),
		    ei);
	arena_free(arena);
	return e;
}

/* ---- one command each ---- */

/* What people restored is allowed from now on: the next scan would take it
 * again otherwise. */
static enum err
allow_item(struct agent *a, struct uuid id, struct errinfo *ei)
{
	struct arena *arena = arena_new(1u << 21);
	struct quarantine_item item;
	char hex[65];
	enum err e = arena == NULL
	    ? err_set(ei, ERR_NOMEM, "quarantine")
	    : quarantine_get(a->quarantine, id, arena, &item, ei);

	if (e == OK) {
		hex_encode(item.sha256, sizeof(item.sha256), hex);
		if (!state_has(&a->state, "allowed", hex))
			state_add(&a->state, "allowed", hex, STATE_ALLOW_MAX);
		e = state_save(&a->state, ei);
	}
	arena_free(arena);
	return e;
}

static enum err
do_restore(struct agent *a, struct uuid id, struct errinfo *ei)
{
	enum err e = allow_item(a, id, ei);

	return e == OK ? quarantine_restore(a->quarantine, id, NULL, ei) : e;
}

static enum err
do_delete(struct agent *a, struct uuid id, struct errinfo *ei)
{
	return quarantine_delete(a->quarantine, id, ei);
}

static const struct act {
	const char *kind, *result;
	enum err (*run)(struct agent *a, struct uuid id, struct errinfo *ei);
} acts[] = {
	{ "restore", "restored", do_restore },
	{ "delete", "deleted", do_delete },
};

/* A command is begun in the state before it is carried out, and ended in the
 * spool after: one that was begun, and whose item is gone, was done before
 * the agent fell. */
static enum err
run_act(struct agent *a, const struct act *act, const char *id,
    struct uuid item, struct errinfo *ei)
{
	bool begun = strcmp(state_text(&a->state, "begun"), id) == 0;
	enum err e = OK;

	if (!begun) {
		json_put_text(a->state.tree, "begun", span_of(id));
		e = state_save(&a->state, ei);
	}
	if (e == OK)
		e = act->run(a, item, ei);
	if (e == ERR_NOT_FOUND && begun)
		e = OK;
	if (e == OK)
		e = record_event(a,
		    action_event(
			item, act->result, clock_utc_ms(&clock_system)),
		    ei);
	return e;
}

static void
finish(
    struct agent *a, const char *id, enum err result, const struct errinfo *why)
{
	json_t *o = json_object();
	struct errinfo ei = { 0 };

	json_put_text(o, "event", SPAN("command"));
	json_put_text(o, "command", span_of(id));
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(
	    o, "result", result == OK ? SPAN("done") : SPAN("failed"));
	json_put_text(o, "reason", span_of(result == OK ? "" : why->msg));
	if (record_event(a, o, &ei) != OK) {
		set_fault(a, "command", ei.msg);
		return;
	}
	state_add(&a->state, "done", id, STATE_DONE_MAX);
	if (state_save(&a->state, &ei) != OK)
		set_fault(a, "command", ei.msg);
}

static enum err
order_scan(
    struct agent *a, const json_t *command, const char *id, struct errinfo *ei)
{
	const json_t *list = json_object_get(command, "paths");
	const char *paths[PATHS_MAX + 1] = { NULL };
	enum err e;

	for (size_t i = 0; i < json_array_size(list) && i < PATHS_MAX; i++)
		paths[i] = json_string_value(json_array_get(list, i));
	e = scan_order_add(
	    a, list == NULL, id, list == NULL ? NULL : paths, ei);
	if (e != OK)
		return e;
	/* It answers when it ends; if the agent falls, it is asked again. */
	state_add(&a->state, "ordered", id, STATE_DONE_MAX);
	return OK;
}

void
command_do(struct agent *a, const json_t *command)
{
	struct errinfo ei = { 0 };
	struct span kind = { 0 };
	struct uuid id, item = { 0 };
	char text[UUID_TEXT_MAX];
	enum err e = json_get_uuid(command, "id", &id, &ei);

	if (e != OK)
		return;
	uuid_text(id, text);
	if (state_has(&a->state, "done", text) ||
	    state_has(&a->state, "ordered", text))
		return;
	e = json_get_text(command, "kind", 32, &kind, &ei);
	if (e == OK && span_is(kind, "scan")) {
		e = order_scan(a, command, text, &ei);
		if (e != OK)
			finish(a, text, e, &ei);
		return;
	}
	if (e == OK)
		e = json_get_uuid(command, "detection", &item, &ei);
	if (e == OK) {
		e = err_set(&ei, ERR_UNSUPPORTED, "unknown command " SPAN_FMT,
		    SPAN_ARG(kind));
		for (size_t i = 0; i < COUNT(acts); i++)
			if (span_is(kind, acts[i].kind))
				e = run_act(a, &acts[i], text, item, &ei);
	}
	log_info("command", LOG_SP("kind", kind),
	    LOG_S("result", e == OK ? "done" : ei.msg));
	finish(a, text, e, &ei);
}
