#include <string.h>
#include <unistd.h>

#include "scan/inspect/inspect.h"
#include "scan/pool/wire.h"

/* The role "inspect": a set may come from anywhere, so it is read here. */

struct inspector {
	struct channel *ch;
	struct scan_set *set[2];
	bool lost; /* the parent does not listen any more */
};

static bool
send_row(void *arg, const struct scan_row *row)
{
	struct inspector *w = arg;
	struct wire_row head = { (uint32_t)row->label };
	struct buf b = buf_make(MESSAGE_MAX);

	buf_add(&b, &head, sizeof(head));
	buf_add(&b, row->name, strlen(row->name) + 1);
	buf_add(&b, row->source, strlen(row->source) + 1);
	buf_add(&b, row->text, strlen(row->text) + 1);
	w->lost =
	    channel_send(w->ch, INSPECT_ROW, buf_view(&b), -1, NULL) != OK;
	buf_free(&b);
	return !w->lost;
}

static enum err
on_set(struct inspector *w, const struct message *m)
{
	struct errinfo why = { 0 };
	size_t i = w->set[0] == NULL ? 0 : 1;
	enum err e;

	if (m->fd == -1 || w->set[i] != NULL)
		return wire_unexpected(m);
	e = scan_set_open(m->fd, &w->set[i], &why);
	(void)close(m->fd);
	return e == OK ? OK : wire_send_failure(w->ch, INSPECT_FAILED, &why);
}

static enum err
on_ask(struct inspector *w, const struct message *m)
{
	struct span body = m->body;
	struct errinfo why = { 0 };
	struct scan_query q;
	struct wire_ask ask;
	enum err e;

	if (m->fd != -1 || w->set[0] == NULL ||
	    !wire_take(&body, &ask, sizeof(ask)) || ask.ask >= SCAN_ASKS)
		return wire_unexpected(m);
	q = (struct scan_query){ (enum scan_ask)ask.ask, body, ask.rows };
	e = inspect_run(w->set[0], w->set[1], &q, send_row, w, &why);
	if (w->lost)
		return ERR_IO;
	if (e != OK)
		return wire_send_failure(w->ch, INSPECT_FAILED, &why);
	return channel_send(w->ch, INSPECT_DONE, SPAN(""), -1, NULL);
}

static enum err
on_message(void *arg, struct channel *ch, const struct message *m)
{
	struct inspector *w = arg;

	w->ch = ch;
	if (m->type == INSPECT_SET)
		return on_set(w, m);
	if (m->type == INSPECT_ASK)
		return on_ask(w, m);
	return wire_unexpected(m);
}

int
scan_inspect_worker_main(void)
{
	struct inspector w = { 0 };
	int status = wire_serve(&sandbox_scan, on_message, &w);

	scan_set_close(w.set[0]);
	scan_set_close(w.set[1]);
	return status;
}
