#include "testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/channel_int.h"

struct pair {
	struct channel *a, *b;
	int raw; /* a's end without a channel, when raw was asked for */
};

static struct pair
make_pair(bool raw)
{
	struct errinfo ei = { 0 };
	struct pair p = { .raw = -1 };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	if (raw)
		p.raw = sv[0];
	else
		assert_ok(channel_new(sv[0], &p.a, &ei));
	assert_ok(channel_new(sv[1], &p.b, &ei));
	return p;
}

static void
free_pair(struct pair p)
{
	channel_free(p.a);
	channel_free(p.b);
	if (p.raw != -1)
		(void)close(p.raw);
}

static void
messages_arrive_in_order_and_whole(void **state)
{
	struct errinfo ei = { 0 };
	struct pair p = make_pair(false);
	struct message m;

	(void)state;
	assert_ok(channel_send(p.a, 7, SPAN("one"), -1, &ei));
	assert_ok(channel_send(p.a, 8, SPAN(""), -1, &ei));
	assert_ok(channel_send(p.a, 9, SPAN("three"), -1, &ei));
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	assert_int_equal(m.type, 7);
	assert_true(span_is(m.body, "one"));
	assert_int_equal(m.fd, -1);
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	assert_int_equal(m.type, 8);
	assert_int_equal(m.body.len, 0);
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	assert_true(span_is(m.body, "three"));
	assert_err(channel_receive(p.b, 10, &m, &ei), ERR_BUSY);
	channel_free(p.a);
	p.a = NULL;
	assert_err(channel_receive(p.b, 10, &m, &ei), ERR_NOT_FOUND);
	assert_err(channel_send(p.b, 1, SPAN("x"), -1, &ei), ERR_NOT_FOUND);
	free_pair(p);
}

static void *
send_largest(void *arg)
{
	struct errinfo ei = { 0 };
	char *bytes = calloc(1, MESSAGE_MAX);

	bytes[MESSAGE_MAX - 1] = 'z';
	assert_ok(channel_send(
	    arg, 1, (struct span){ bytes, MESSAGE_MAX }, STDERR_FILENO, &ei));
	free(bytes);
	return NULL;
}

static void
the_largest_message_passes_with_its_file(void **state)
{
	struct errinfo ei = { 0 };
	struct pair p = make_pair(false);
	struct message m;
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, send_largest, p.a), 0);
	assert_ok(channel_receive(p.b, 10000, &m, &ei));
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(m.body.len, MESSAGE_MAX);
	assert_int_equal(m.body.ptr[MESSAGE_MAX - 1], 'z');
	assert_true(m.fd >= 0);
	assert_true((fcntl(m.fd, F_GETFD) & FD_CLOEXEC) != 0);
	(void)close(m.fd);
	assert_err(
	    channel_send(p.a, 1, (struct span){ "", MESSAGE_MAX + 1 }, -1, &ei),
	    ERR_LIMIT);
	assert_err(channel_send(p.a, 0, SPAN(""), -1, &ei), ERR_LIMIT);
	free_pair(p);
}

static void
each_file_comes_with_its_own_message(void **state)
{
	struct errinfo ei = { 0 };
	struct pair p = make_pair(false);
	struct message m;
	int fds[2], copy;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_ok(channel_send(p.a, 1, SPAN("plain"), -1, &ei));
	assert_ok(channel_send(p.a, 2, SPAN("with"), fds[1], &ei));
	assert_ok(channel_send(p.a, 3, SPAN(""), fds[0], &ei));
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	assert_int_equal(m.fd, -1);
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	assert_true(m.fd >= 0);
	assert_int_equal(write(m.fd, "!", 1), 1);
	(void)close(m.fd);
	assert_ok(channel_receive(p.b, 0, &m, &ei));
	copy = m.fd;
	assert_int_equal(read(copy, &c, 1), 1);
	assert_int_equal(c, '!');
	(void)close(copy);
	(void)close(fds[0]);
	(void)close(fds[1]);
	free_pair(p);
}

static void
send_raw(int s, const void *bytes, size_t n, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
	struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(control, 0, sizeof(control));
	if (count > 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	assert_int_equal(sendmsg(s, &m, 0), (ssize_t)n);
}

static size_t
open_files(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
nonsense_is_corrupt_and_stays_so(void **state)
{
	static const struct {
		const char *name;
		struct frame head;
	} cases[] = {
		{ "type 0", { .length = 1, .type = 0 } },
		{ "not zero", { .length = 1, .type = 1, .zero = 1 } },
		{ "too long", { .length = MESSAGE_MAX + 1, .type = 1 } },
		{ "longest", { .length = UINT32_MAX, .type = 1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };
		struct pair p = make_pair(true);
		struct message m;

		TEST_CASE(cases[i].name);
		send_raw(p.raw, &cases[i].head, sizeof(cases[i].head), NULL, 0);
		assert_err(channel_receive(p.b, 1000, &m, &ei), ERR_CORRUPT);
		assert_err(channel_receive(p.b, 1000, &m, &ei), ERR_CORRUPT);
		assert_err(
		    channel_send(p.b, 1, SPAN(""), -1, &ei), ERR_CORRUPT);
		free_pair(p);
	}
}

static void
files_that_do_not_belong_are_closed(void **state)
{
	const int fds[3] = { 2, 2, 2 };
	const struct frame head = { .length = 4, .type = 1 };
	static const struct {
		const char *name;
		size_t head_files, more_files, body_files;
	} cases[] = {
		{ "two at once", 2, 0, 0 },
		{ "three at once", 3, 0, 0 },
		{ "one in each half of the frame", 1, 1, 0 },
		{ "one with the body", 0, 0, 1 },
		{ "two with the body", 1, 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t before = open_files();
		struct errinfo ei = { 0 };
		struct pair p = make_pair(true);
		struct message m;

		TEST_CASE(cases[i].name);
		send_raw(p.raw, &head, 4, fds, cases[i].head_files);
		send_raw(p.raw, (const char *)&head + 4, 4, fds,
		    cases[i].more_files);
		send_raw(p.raw, "body", 4, fds, cases[i].body_files);
		assert_err(channel_receive(p.b, 1000, &m, &ei), ERR_CORRUPT);
		free_pair(p);
		assert_int_equal(open_files(), before);
	}
}

static void
a_message_cut_anywhere_is_an_error_not_a_message(void **state)
{
	struct {
		struct frame head;
		char body[4];
	} whole = { { .length = 4, .type = 1 }, "body" };

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		struct errinfo ei = { 0 };
		struct pair p = make_pair(true);
		struct message m;

		if (n > 0)
			send_raw(p.raw, &whole, n, NULL, 0);
		/* Nothing is lost by not waiting for the rest. */
		assert_err(channel_receive(p.b, 0, &m, &ei), ERR_BUSY);
		if (n % 2 == 0) {
			send_raw(p.raw, (char *)&whole + n, sizeof(whole) - n,
			    NULL, 0);
			assert_ok(channel_receive(p.b, 0, &m, &ei));
			assert_true(span_is(m.body, "body"));
		} else {
			(void)close(p.raw);
			p.raw = -1;
			assert_err(channel_receive(p.b, 1000, &m, &ei), ERR_IO);
		}
		free_pair(p);
	}
}

static void
a_peer_that_does_not_read_does_not_stop_the_sender(void **state)
{
	static char bytes[1 << 20];
	struct errinfo ei = { 0 };
	struct pair p = make_pair(false);

	(void)state;
	p.a->stall_ms = 100;
	assert_err(channel_send(
		       p.a, 1, (struct span){ bytes, sizeof(bytes) }, -1, &ei),
	    ERR_IO);
	free_pair(p);
}

static void
a_peer_that_is_gone_does_not_kill_the_sender(void **state)
{
	struct errinfo ei = { 0 };
	struct pair p = make_pair(false);

	(void)state;
	channel_free(p.b);
	p.b = NULL;
	assert_err(channel_send(p.a, 1, SPAN("x"), -1, &ei), ERR_IO);
	free_pair(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_in_order_and_whole),
		cmocka_unit_test(the_largest_message_passes_with_its_file),
		cmocka_unit_test(each_file_comes_with_its_own_message),
		cmocka_unit_test(nonsense_is_corrupt_and_stays_so),
		cmocka_unit_test(files_that_do_not_belong_are_closed),
		cmocka_unit_test(
		    a_message_cut_anywhere_is_an_error_not_a_message),
		cmocka_unit_test(
		    a_peer_that_does_not_read_does_not_stop_the_sender),
		cmocka_unit_test(a_peer_that_is_gone_does_not_kill_the_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
