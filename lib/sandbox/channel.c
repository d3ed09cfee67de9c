#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "sandbox/channel_int.h"

#define SEND_STALL_MS  30000
#define FDS_PER_FRAME  1
#define FDS_MAX_KERNEL 253 /* SCM_MAX_FD */

enum err
channel_new(int fd, struct channel **out, struct errinfo *ei)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return err_set(ei, ERR_NOMEM, "channel");
	ch->fd = fd;
	ch->passed = -1;
	ch->stall_ms = SEND_STALL_MS;
	*out = ch;
	return OK;
}

void
channel_free(struct channel *ch)
{
	if (ch == NULL)
		return;
	if (ch->passed != -1)
		(void)close(ch->passed);
	(void)close(ch->fd);
	free(ch->body);
	free(ch);
}

int
channel_fd(const struct channel *ch)
{
	return ch->fd;
}

static enum err
break_off(
    struct channel *ch, enum err code, const char *why, struct errinfo *ei)
{
	ch->broken = code;
	return err_set(ei, code, "channel: %s", why);
}

/* Waits for `events` until the deadline (monotonic ns; negative: for ever).
 */
static enum err
wait_for(const struct channel *ch, short events, int64_t deadline)
{
	struct pollfd p = { .fd = ch->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline < 0
		    ? -1
		    : (deadline - clock_mono_ns(&clock_system) + 999999) /
			1000000;
		if (deadline >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, (int)(left > INT_MAX ? INT_MAX : left));
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n > 0 ? OK : n == 0 ? ERR_BUSY : ERR_IO;
}

static int64_t
deadline_in(int ms)
{
	return ms < 0 ? -1
		      : clock_mono_ns(&clock_system) + (int64_t)ms * 1000000;
}

/* ---- sending ----------------------------------------------------------- */

/* Drop the first n bytes. */
static void
advance(struct msghdr *m, size_t n)
{
	while (n > 0 && n >= m->msg_iov->iov_len) {
		n -= m->msg_iov->iov_len;
		m->msg_iov++;
		m->msg_iovlen--;
	}
	if (n > 0) {
		m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
		m->msg_iov->iov_len -= n;
	}
}

static enum err
send_all(struct channel *ch, struct msghdr *m, size_t left, struct errinfo *ei)
{
	ssize_t n;

	while (left > 0) {
		n = sendmsg(ch->fd, m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			left -= (size_t)n;
			advance(m, (size_t)n);
			/* The file went with the first byte. */
			m->msg_control = NULL;
			m->msg_controllen = 0;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return break_off(ch, ERR_IO, "the peer is gone", ei);
		if (wait_for(ch, POLLOUT, deadline_in(ch->stall_ms)) != OK)
			return break_off(
			    ch, ERR_IO, "the peer does not read", ei);
	}
	return OK;
}

static void
attach(struct msghdr *m, int fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

enum err
channel_send(struct channel *ch, uint16_t type, struct span body, int fd,
    struct errinfo *ei)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct frame head = { .length = (uint32_t)body.len, .type = type };
	struct iovec iov[2] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)(uintptr_t)body.ptr,
		    .iov_len = body.len },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (ch->broken != OK)
		return err_set(ei, ch->broken, "channel: broken before");
	if (body.len > MESSAGE_MAX || type == 0)
		return err_set(ei, ERR_LIMIT,
		    "message of %zu bytes, at most %u may be sent", body.len,
		    MESSAGE_MAX);
	if (fd != -1) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		attach(&m, fd);
	}
	return send_all(ch, &m, sizeof(head) + body.len, ei);
}

/* ---- receiving --------------------------------------------------------- */

/* Keeps the one file that may travel with a message; false if there was more
 * than that, all closed. */
static bool
keep_passed(struct channel *ch, struct msghdr *m)
{
	bool fine = (m->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	     c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (ch->passed == -1 && fine) {
				ch->passed = fd;
			} else {
				(void)close(fd);
				fine = false;
			}
		}
	}
	return fine;
}

/* One recvmsg into `to`.  A file may come with the frame only: to a body the
 * kernel is given no room for one, closes it and says so. */
static enum err
take(struct channel *ch, void *to, size_t len, bool in_body, size_t *got,
    struct errinfo *ei)
{
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(sizeof(int) * FDS_MAX_KERNEL)];
	struct iovec iov = { .iov_base = to, .iov_len = len };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = in_body ? NULL : control,
		.msg_controllen = in_body ? 0 : sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(ch->fd, &m,
		    (ch->waits ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return ERR_BUSY;
	if (n < 0)
		return break_off(ch, ERR_IO, "the peer is gone", ei);
	if (!keep_passed(ch, &m))
		return break_off(
		    ch, ERR_CORRUPT, "a file where none belongs", ei);
	if (n == 0 && ch->head_got == 0)
		return break_off(ch, ERR_NOT_FOUND, "closed", ei);
	if (n == 0)
		return break_off(ch, ERR_IO, "closed within a message", ei);
	*got += (size_t)n;
	return OK;
}

static enum err
check_head(struct channel *ch, struct errinfo *ei)
{
	char *p;

	if (ch->head.zero != 0 || ch->head.type == 0)
		return break_off(ch, ERR_CORRUPT, "not a message", ei);
	if (ch->head.length > MESSAGE_MAX)
		return break_off(ch, ERR_CORRUPT, "message too long", ei);
	if (ch->head.length <= ch->cap)
		return OK;
	p = realloc(ch->body, ch->head.length);
	if (p == NULL)
		return break_off(ch, ERR_NOMEM, "no memory for a message", ei);
	ch->body = p;
	ch->cap = ch->head.length;
	return OK;
}

/* Take what is there; *whole once a message is complete. */
static enum err
advance_message(struct channel *ch, bool *whole, struct errinfo *ei)
{
	enum err e;

	*whole = false;
	if (ch->head_got < sizeof(ch->head)) {
		e = take(ch, (char *)&ch->head + ch->head_got,
		    sizeof(ch->head) - ch->head_got, false, &ch->head_got, ei);
		if (e != OK || ch->head_got < sizeof(ch->head))
			return e;
		e = check_head(ch, ei);
		if (e != OK)
			return e;
	}
	if (ch->body_got < ch->head.length) {
		e = take(ch, ch->body + ch->body_got,
		    ch->head.length - ch->body_got, true, &ch->body_got, ei);
		if (e != OK)
			return e;
	}
	*whole = ch->body_got == ch->head.length;
	return OK;
}

enum err
channel_receive(
    struct channel *ch, int timeout_ms, struct message *out, struct errinfo *ei)
{
	int64_t deadline = deadline_in(timeout_ms);
	bool whole = false;
	enum err e = OK;

	if (ch->broken != OK)
		return err_set(ei, ch->broken, "channel: broken before");
	ch->waits = timeout_ms < 0;
	while (e == OK && !whole) {
		e = advance_message(ch, &whole, ei);
		if (e == ERR_BUSY)
			e = wait_for(ch, POLLIN, deadline);
	}
	if (e == ERR_BUSY)
		return err_set(ei, ERR_BUSY, "channel: nothing yet");
	if (e != OK)
		return ch->broken != OK
		    ? e
		    : break_off(ch, ERR_IO, "cannot wait", ei);
	*out = (struct message){
		.type = ch->head.type,
		.body = { ch->body, ch->head.length },
		.fd = ch->passed,
	};
	ch->passed = -1;
	ch->head_got = ch->body_got = 0;
	return OK;
}
