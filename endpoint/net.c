#include "endpoint/net.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "endpoint/net_int.h"

#define GRACE_MS   200
#define WAIT_MS    120000 /* longer than the worker's own time-out */
#define SETUP_MS   10000
#define USER       "khien-net"
#define USER_LEAST "nobody"

struct net {
	struct worker *worker;
};

static const char *
worker_user(void)
{
	struct passwd pw, *found = NULL;
	char bytes[2048];

	if (getpwnam_r(USER, &pw, bytes, sizeof(bytes), &found) == 0 &&
	    found != NULL)
		return USER;
	return USER_LEAST;
}

static enum err
send_setup(
    struct channel *ch, const struct net_setup *setup, struct errinfo *ei)
{
	json_t *o = json_object();
	struct message m;
	char *text;
	enum err e;

	json_put_text(o, "url", span_of(setup->url));
	json_put_text(o, "ca", setup->ca);
	json_put_text(o, "cert", setup->cert);
	json_put_text(o, "key", setup->key);
	json_put_bool(o, "insecure", setup->insecure);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return err_set(ei, ERR_NOMEM, "network worker");
	e = channel_send(ch, NET_SETUP, span_of(text), -1, ei);
	explicit_bzero(text, strlen(text));
	free(text);
	if (e == OK)
		e = channel_receive(ch, SETUP_MS, &m, ei);
	if (e == OK && m.type == NET_FAULT) {
		struct span rest;

		(void)span_cut(m.body, '\n', &rest);
		e = err_set(ei, ERR_SYNTAX, SPAN_FMT, SPAN_ARG(rest));
	} else if (e == OK && m.type != NET_READY) {
		e = err_set(ei, ERR_CORRUPT, "network worker");
	}
	return e;
}

enum err
net_start(const struct net_setup *setup, struct net **out, struct errinfo *ei)
{
	struct worker_spec spec = { .program = worker_program(),
		.role = "net",
		.user = worker_user() };
	struct net *n = calloc(1, sizeof(*n));
	enum err e = n == NULL ? err_set(ei, ERR_NOMEM, "network worker")
			       : worker_start(&spec, &n->worker, ei);

	if (e == OK)
		e = send_setup(worker_channel(n->worker), setup, ei);
	if (e == OK)
		*out = n;
	else
		net_stop(n);
	return e;
}

void
net_stop(struct net *n)
{
	if (n == NULL)
		return;
	(void)worker_stop(n->worker, GRACE_MS);
	free(n);
}

int
net_fd(const struct net *n)
{
	return channel_fd(worker_channel(n->worker));
}

enum err
net_send(struct net *n, const char *method, const char *path, struct span body,
    struct errinfo *ei)
{
	struct buf b = buf_make(MESSAGE_MAX);
	enum err e;

	buf_fmt(&b, "%s %s\n", method, path);
	buf_span(&b, body);
	e = buf_check(&b, ei);
	if (e == OK)
		e = channel_send(worker_channel(n->worker), NET_REQUEST,
		    buf_view(&b), -1, ei);
	buf_free(&b);
	return e;
}

static enum err
take_answer(struct span body, struct net_answer *out, struct errinfo *ei)
{
	struct span rest, head = span_cut(body, '\n', &rest), retry;
	uint64_t status, seconds;

	if (span_u64(span_cut(head, ' ', &retry), 999, &status) != OK ||
	    span_u64(retry, 86400, &seconds) != OK)
		return err_set(ei, ERR_CORRUPT, "network worker");
	*out = (struct net_answer){ (int)status, (int)seconds, rest };
	return OK;
}

static enum err
take_fault(struct span body, struct errinfo *ei)
{
	struct span rest, head = span_cut(body, '\n', &rest);
	uint64_t code;

	if (span_u64(head, ERR_MAX - 1, &code) != OK || code == OK)
		return err_set(ei, ERR_CORRUPT, "network worker");
	return err_set(ei, (enum err)code, SPAN_FMT, SPAN_ARG(rest));
}

enum err
net_receive(
    struct net *n, int timeout_ms, struct net_answer *out, struct errinfo *ei)
{
	struct message m;
	enum err e =
	    channel_receive(worker_channel(n->worker), timeout_ms, &m, ei);

	if (e == ERR_IO)
		return err_set(ei, ERR_CORRUPT, "the network worker died");
	if (e != OK)
		return e;
	if (m.type == NET_ANSWER)
		return take_answer(m.body, out, ei);
	if (m.type == NET_FAULT)
		return take_fault(m.body, ei);
	return err_set(ei, ERR_CORRUPT, "network worker");
}

enum err
net_do(struct net *n, const char *method, const char *path, struct span body,
    struct net_answer *out, struct errinfo *ei)
{
	enum err e = net_send(n, method, path, body, ei);

	return e == OK ? net_receive(n, WAIT_MS, out, ei) : e;
}
