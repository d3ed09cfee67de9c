/* The control socket: how `khien agent` on the same computer asks. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "endpoint/agent_int.h"

#define CONTROL_MS 2000 /* a caller that says nothing is let go */

static enum err
address(const char *dir, struct sockaddr_un *out, struct errinfo *ei)
{
	int n;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(
	    out->sun_path, sizeof(out->sun_path), "%s/control.sock", dir);
	if (n < 0 || (size_t)n >= sizeof(out->sun_path))
		return err_set(ei, ERR_LIMIT,
		    "%s: the path is too long for a socket", dir);
	return OK;
}

enum err
control_listen(const char *dir, int *fd, struct errinfo *ei)
{
	struct sockaddr_un to;
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum err e = address(dir, &to, ei);

	if (e == OK && s < 0)
		e = err_sys(ei, "control socket");
	if (e == OK) {
		(void)unlink(to.sun_path);
		if (bind(s, (struct sockaddr *)&to, sizeof(to)) != 0 ||
		    chmod(to.sun_path, 0600) != 0 || listen(s, 8) != 0)
			e = err_sys(ei, "%s", to.sun_path);
	}
	if (e == OK)
		*fd = s;
	else if (s >= 0)
		(void)close(s);
	return e;
}

/* One line, without its LF. */
static enum err
read_line(int fd, struct buf *out, struct errinfo *ei)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char piece[4096];
		ssize_t n;

		if (poll(&p, 1, CONTROL_MS) <= 0)
			return err_set(ei, ERR_BUSY, "no answer");
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return err_set(ei, ERR_IO, "the other side hung up");
		buf_add(out, piece, (size_t)n);
		if (out->full)
			return err_set(
			    ei, ERR_LIMIT, "over %d bytes", AGENT_ASK_MAX);
		if (out->ptr[out->len - 1] == '\n') {
			out->len--;
			return OK;
		}
	}
}

static json_t *
status_json(struct agent *a)
{
	json_t *o = json_object();

	json_put_text(o, "agent", span_of(state_text(&a->state, "agent")));
	json_put_text(o, "agency", span_of(state_text(&a->state, "agency")));
	json_put_text(o, "centre", span_of(state_text(&a->state, "url")));
	json_put_text(o, "version", SPAN(KHIEN_VERSION));
	if (a->last_sync_ms != 0)
		json_put_time(o, "last_sync", a->last_sync_ms);
	if (state_int(&a->state, "last_scan_ms") != 0)
		json_put_time(
		    o, "last_scan", state_int(&a->state, "last_scan_ms"));
	json_put_bool(o, "scanning", a->scanning);
	json_put_int(o, "scans_waiting", (int64_t)a->queued);
	json_put_int(o, "records_waiting", (int64_t)spool_waiting(a->spool));
	json_put_int(o, "set_version", a->set_version);
	json_put_text(o, "fault", span_of(a->fault));
	return o;
}

static json_t *
fault_json(const struct errinfo *ei)
{
	json_t *o = json_object();

	json_put_text(o, "error", span_of(ei->msg));
	return o;
}

static json_t *
ask_scan(struct agent *a, const json_t *question)
{
	const char *paths[PATHS_MAX + 1] = { NULL };
	struct errinfo ei = { 0 };
	const json_t *list;
	enum err e = json_get_array(question, "paths", PATHS_MAX, &list, &ei);

	for (size_t i = 0; e == OK && i < json_array_size(list); i++) {
		paths[i] = json_string_value(json_array_get(list, i));
		if (paths[i] == NULL || paths[i][0] != '/')
			e = err_set(
			    &ei, ERR_SYNTAX, "a path must begin with /");
	}
	if (e == OK)
		e = scan_order_add(a, json_array_size(list) == 0, "",
		    json_array_size(list) == 0 ? NULL : paths, &ei);
	return e == OK ? status_json(a) : fault_json(&ei);
}

/* Lock held. */
static json_t *
answer_to(struct agent *a, struct span line)
{
	struct errinfo ei = { 0 };
	struct span what = { 0 };
	json_t *question = NULL, *answer;

	if (json_parse(line, &question, &ei) != OK ||
	    json_get_text(question, "do", 32, &what, &ei) != OK)
		answer = fault_json(&ei);
	else if (span_is(what, "status"))
		answer = status_json(a);
	else if (span_is(what, "scan"))
		answer = ask_scan(a, question);
	else {
		(void)err_set(&ei, ERR_UNSUPPORTED, "what is " SPAN_FMT "?",
		    SPAN_ARG(what));
		answer = fault_json(&ei);
	}
	json_decref(question);
	return answer;
}

void
control_accept(struct agent *a, int fd)
{
	int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	struct buf line = buf_make(AGENT_ASK_MAX);
	json_t *answer = NULL;
	char *text;

	if (s < 0)
		return;
	if (read_line(s, &line, NULL) == OK) {
		(void)pthread_mutex_lock(&a->lock);
		answer = answer_to(a, buf_view(&line));
		(void)pthread_mutex_unlock(&a->lock);
	}
	text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
	if (text != NULL && fd_write_all(s, span_of(text), NULL) == OK)
		(void)!write(s, "\n", 1);
	free(text);
	json_decref(answer);
	buf_free(&line);
	(void)close(s);
}

enum err
agent_ask(const char *dir, struct span question, struct buf *answer,
    struct errinfo *ei)
{
	struct sockaddr_un to;
	int s = -1;
	enum err e = address(dir, &to, ei);

	if (e != OK)
		return e;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(ei, "control socket");
	if (connect(s, (struct sockaddr *)&to, sizeof(to)) != 0)
		e = err_sys(ei, "no agent answers at %s", to.sun_path);
	if (e == OK)
		e = fd_write_all(s, question, ei);
	if (e == OK)
		e = fd_write_all(s, SPAN("\n"), ei);
	if (e == OK)
		e = read_line(s, answer, ei);
	(void)close(s);
	return e;
}
