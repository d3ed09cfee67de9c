#include "scan/pool/wire.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypt/crypt.h"

bool
wire_take(struct span *body, void *out, size_t n)
{
	if (body->len < n)
		return false;
	memcpy(out, body->ptr, n);
	*body = span_from(*body, n);
	return true;
}

enum err
wire_failure(struct span body, struct errinfo *ei)
{
	struct wire_failure f;

	if (!wire_take(&body, &f, sizeof(f)) || f.code == OK ||
	    f.code >= ERR_MAX)
		return err_set(ei, ERR_CORRUPT, "worker failed senselessly");
	return err_set(ei, (enum err)f.code, "%.*s",
	    (int)(body.len < ERRMSG_MAX ? body.len : ERRMSG_MAX), body.ptr);
}

enum err
wire_send_failure(struct channel *ch, uint16_t type, const struct errinfo *why)
{
	struct wire_failure f = { (uint32_t)why->code };
	struct buf b = buf_make(sizeof(f) + ERRMSG_MAX);
	enum err e;

	buf_add(&b, &f, sizeof(f));
	buf_text(&b, why->msg);
	e = channel_send(ch, type, buf_view(&b), -1, NULL);
	buf_free(&b);
	return e;
}

void
wire_warm_up(void)
{
	unsigned char digest[SHA256_LEN];

	/* Member names that are UTF-16 in the archive become UTF-8. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	sha256(SPAN(""), digest);
}

/* ---- in the worker -------------------------------------------------------------- */

enum err
wire_unexpected(const struct message *m)
{
	if (m->fd != -1)
		(void)close(m->fd);
	return ERR_CORRUPT;
}

static enum err
receive(struct channel *ch, wire_idle_fn *idle, void *arg, struct message *m)
{
	enum err e = idle == NULL ? ERR_BUSY : channel_receive(ch, 0, m, NULL);

	if (e == ERR_BUSY && idle != NULL && idle(arg, ch) != OK)
		return ERR_IO;
	return e == ERR_BUSY ? channel_receive(ch, CHANNEL_FOREVER, m, NULL)
			     : e;
}

int
wire_serve(const struct sandbox_profile *profile, wire_serve_fn *fn, void *arg)
{
	return wire_serve_idle(profile, fn, NULL, arg);
}

int
wire_serve_idle(const struct sandbox_profile *profile, wire_serve_fn *fn,
    wire_idle_fn *idle, void *arg)
{
	struct channel *ch = NULL;
	struct errinfo ei = { 0 };
	struct message m;
	enum err e;

	wire_warm_up();
	if (sandbox_enter(profile, &ch, &ei) != OK) {
		(void)fprintf(stderr, "khien-worker: %s\n", ei.msg);
		return 3;
	}
	do {
		e = receive(ch, idle, arg, &m);
		if (e == OK)
			e = fn(arg, ch, &m);
	} while (e == OK);
	channel_free(ch);
	return e == ERR_NOT_FOUND ? 0 : 1;
}
