/* What every part of the agent has to say: to the centre, to its status, to
 * the main thread. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "endpoint/agent_int.h"

enum err
record_event(struct agent *a, json_t *body, struct errinfo *ei)
{
	char *text = json_dumps(body, JSON_COMPACT);
	enum err e = text == NULL
	    ? err_set(ei, ERR_NOMEM, "event")
	    : spool_add(a->spool, SPOOL_EVENT, span_of(text), NULL, ei);

	free(text);
	json_decref(body);
	return e;
}

void
set_fault(struct agent *a, const char *what, const char *why)
{
	(void)snprintf(a->fault, sizeof(a->fault), "%s: %s", what, why);
	log_error("agent.fault", LOG_S("what", what), LOG_S("why", why));
}

void
wake_main(struct agent *a)
{
	uint64_t one = 1;

	(void)!write(a->wake, &one, sizeof(one));
}
