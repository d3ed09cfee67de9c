/* The worker that speaks TLS. */

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "endpoint/net.h"
#include "endpoint/net_int.h"
#include "http/http.h"

#define SETUP_TEXT_MAX 65536

static enum err
send_fault(struct channel *ch, const struct errinfo *ei)
{
	struct buf b = buf_make(2048);
	enum err e;

	buf_fmt(&b, "%d\n%s", (int)ei->code, ei->msg);
	e = channel_send(ch, NET_FAULT, buf_view(&b), -1, NULL);
	buf_free(&b);
	return e;
}

static enum err
make_client(const json_t *o, struct http_client **out, struct errinfo *ei)
{
	struct http_client_options opt = { 0 };
	struct arena *a = arena_new(SETUP_TEXT_MAX);
	struct span url = { 0 };
	enum err e = json_get_text(o, "url", 2048, &url, ei);

	if (e == OK)
		e = json_get_text(o, "ca", SETUP_TEXT_MAX, &opt.ca_pem, ei);
	if (e == OK)
		e = json_get_text(o, "cert", SETUP_TEXT_MAX, &opt.cert_pem, ei);
	if (e == OK)
		e = json_get_text(o, "key", SETUP_TEXT_MAX, &opt.key_pem, ei);
	if (e == OK)
		e = json_get_bool(o, "insecure", &opt.insecure, ei);
	opt.base_url = a == NULL || e != OK ? NULL : arena_text(a, url);
	if (e == OK && opt.base_url == NULL)
		e = err_set(ei, ERR_NOMEM, "network worker");
	if (e == OK)
		e = http_client_new(&opt, out, ei);
	arena_free(a);
	return e;
}

static enum err
on_setup(
    struct channel *ch, struct http_client **client, const struct message *m)
{
	struct http_client *fresh = NULL;
	struct errinfo ei = { 0 };
	json_t *o = NULL;
	enum err e = json_parse(m->body, &o, &ei);

	if (e == OK)
		e = make_client(o, &fresh, &ei);
	json_decref(o);
	if (e != OK)
		return send_fault(ch, &ei);
	http_client_free(*client);
	*client = fresh;
	return channel_send(ch, NET_READY, (struct span){ "", 0 }, -1, NULL);
}

static enum err
exchange(struct http_client *client, struct arena *a, struct span request,
    struct buf *answer, struct errinfo *ei)
{
	struct span body, head = span_cut(request, '\n', &body), path, response;
	const char *method = arena_text(a, span_cut(head, ' ', &path));
	const char *target = arena_text(a, path);
	int status = 0;
	enum err e;

	if (client == NULL || method == NULL || target == NULL)
		return err_set(ei, ERR_SYNTAX, "network worker is not set up");
	e = http_client_do(
	    client, method, target, body, NET_BODY_MAX, &status, &response, ei);
	if (e != OK)
		return e;
	buf_fmt(answer, "%d %d\n", status, http_client_retry_after(client));
	buf_span(answer, response);
	return buf_check(answer, ei);
}

static enum err
on_request(
    struct channel *ch, struct http_client *client, const struct message *m)
{
	struct buf answer = buf_make(MESSAGE_MAX);
	struct arena *a = arena_new(1u << 20);
	struct errinfo ei = { 0 };
	enum err e = a == NULL ? err_set(&ei, ERR_NOMEM, "network worker")
			       : exchange(client, a, m->body, &answer, &ei);

	e = e != OK ? send_fault(ch, &ei)
		    : channel_send(ch, NET_ANSWER, buf_view(&answer), -1, NULL);
	arena_free(a);
	buf_free(&answer);
	return e;
}

/* Name service modules are loaded now: later no file can be opened. */
static void
load_resolver(void)
{
	struct addrinfo *list = NULL;

	if (getaddrinfo("localhost", "443", NULL, &list) == 0)
		freeaddrinfo(list);
}

int
net_worker_main(void)
{
	struct http_client *client = NULL;
	struct channel *ch = NULL;
	struct errinfo ei = { 0 };
	struct message m;
	enum err e;

	load_resolver();
	http_client_begin();
	if (sandbox_enter(&sandbox_net, &ch, &ei) != OK) {
		(void)fprintf(stderr, "khien-worker: %s\n", ei.msg);
		return 3;
	}
	while ((e = channel_receive(ch, CHANNEL_FOREVER, &m, NULL)) == OK) {
		if (m.type == NET_SETUP)
			e = on_setup(ch, &client, &m);
		else if (m.type == NET_REQUEST)
			e = on_request(ch, client, &m);
		else
			e = ERR_CORRUPT;
		if (e != OK)
			break;
	}
	http_client_free(client);
	channel_free(ch);
	return e == ERR_NOT_FOUND ? 0 : 1;
}
