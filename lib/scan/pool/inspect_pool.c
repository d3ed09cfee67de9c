#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "scan/pool/wire.h"

#define STALL_MS (10 * 60000) /* longest silence of an inspector */

static enum err
send_set(struct channel *ch, const char *path, struct errinfo *ei)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum err e;

	if (fd < 0 && errno == ENOENT)
		return err_set(ei, ERR_NOT_FOUND, "no signature set %s", path);
	if (fd < 0)
		return err_sys(ei, "signature set %s", path);
	e = channel_send(ch, INSPECT_SET, SPAN(""), fd, ei);
	(void)close(fd);
	return e;
}

/* The text up to the next NUL, or NULL. */
static const char *
take_text(struct span *body)
{
	const char *text = body->ptr;
	size_t n = strnlen(text, body->len);

	if (n == body->len)
		return NULL;
	*body = span_from(*body, n + 1);
	return text;
}

static bool
take_row(struct span body, struct scan_row *out)
{
	struct wire_row head;

	if (!wire_take(&body, &head, sizeof(head)) || head.label >= SCAN_LABELS)
		return false;
	out->label = (enum scan_label)head.label;
	out->name = take_text(&body);
	out->source = out->name == NULL ? NULL : take_text(&body);
	out->text = out->source == NULL ? NULL : take_text(&body);
	return out->text != NULL;
}

static enum err
read_rows(struct channel *ch, scan_row_fn *fn, void *arg, struct errinfo *ei)
{
	struct scan_row row;
	struct message m;

	for (;;) {
		if (channel_receive(ch, STALL_MS, &m, ei) != OK)
			return err_set(
			    ei, ERR_IO, "the worker that reads the set died");
		if (m.fd != -1)
			(void)close(m.fd);
		if (m.type == INSPECT_FAILED)
			return wire_failure(m.body, ei);
		if (m.type == INSPECT_DONE)
			return OK;
		if (m.type != INSPECT_ROW || !take_row(m.body, &row))
			return err_set(ei, ERR_CORRUPT,
			    "the worker that reads the set talks nonsense");
		fn(arg, &row);
	}
}

enum err
scan_inspect(const char *set_path, const char *other_path,
    const struct scan_query *query, scan_row_fn *fn, void *arg,
    struct errinfo *ei)
{
	struct worker_spec spec = {
		.program = worker_program(), .role = "inspect", .user = "nobody"
	};
	struct wire_ask ask = { query->rows, (uint32_t)query->ask, 0 };
	struct buf b = buf_make(MESSAGE_MAX);
	struct worker *w = NULL;
	enum err e = worker_start(&spec, &w, ei);

	buf_add(&b, &ask, sizeof(ask));
	buf_span(&b, query->text);
	if (e == OK)
		e = send_set(worker_channel(w), set_path, ei);
	if (e == OK && other_path != NULL)
		e = send_set(worker_channel(w), other_path, ei);
	if (e == OK)
		e = buf_check(&b, ei);
	if (e == OK)
		e = channel_send(
		    worker_channel(w), INSPECT_ASK, buf_view(&b), -1, ei);
	if (e == OK)
		e = read_rows(worker_channel(w), fn, arg, ei);
	buf_free(&b);
	(void)worker_stop(w, e == OK ? 500 : 0);
	return e;
}
