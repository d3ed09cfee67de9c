#include "proxy.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "/.s.PGSQL.5432"
#define TICK_MS     10

struct proxy {
	char place[64], url[512];
	struct sockaddr_un server;
	int listener;
	pthread_t thread;
	atomic_int cut, cuts, connections;
	atomic_bool stopping;
};

struct pair {
	struct proxy *p;
	int client, server;
};

static bool
is_commit(const char *bytes, ssize_t n)
{
	static const char message[] = "Q\0\0\0\x0b"
				      "COMMIT";

	return n == sizeof(message) &&
	    memcmp(bytes, message, sizeof(message)) == 0;
}

/* False: the connection ends here. */
static bool
from_client(struct pair *pair, const char *bytes, ssize_t n)
{
	struct proxy *p = pair->p;
	int cut = is_commit(bytes, n) ? atomic_load(&p->cut) : PROXY_PASS;
	char answer[64];

	if (cut == PROXY_PASS)
		return send(pair->server, bytes, (size_t)n, MSG_NOSIGNAL) == n;
	atomic_store(&p->cut, PROXY_PASS);
	if (cut == PROXY_CUT_AFTER_COMMIT) {
		(void)!send(pair->server, bytes, (size_t)n, MSG_NOSIGNAL);
		(void)!read(pair->server, answer, sizeof(answer));
	}
	atomic_fetch_add(&p->cuts, 1);
	return false;
}

static bool
pump(struct pair *pair, const struct pollfd fds[2])
{
	char bytes[65536];
	ssize_t n;

	if (fds[0].revents != 0) {
		n = read(pair->client, bytes, sizeof(bytes));
		if (n <= 0 || !from_client(pair, bytes, n))
			return false;
	}
	if (fds[1].revents != 0) {
		n = read(pair->server, bytes, sizeof(bytes));
		if (n <= 0 ||
		    send(pair->client, bytes, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
	}
	return true;
}

static void *
pair_main(void *arg)
{
	struct pair *pair = arg;
	struct proxy *p = pair->p;
	struct pollfd fds[2] = { { pair->client, POLLIN, 0 },
		{ pair->server, POLLIN, 0 } };

	while (!atomic_load(&p->stopping) &&
	    atomic_load(&p->cut) != PROXY_AWAY &&
	    (poll(fds, 2, TICK_MS) <= 0 || pump(pair, fds)))
		;
	(void)close(pair->client);
	(void)close(pair->server);
	free(pair);
	atomic_fetch_sub(&p->connections, 1);
	return NULL;
}

static void
start_pair(struct proxy *p, int client)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	pthread_t thread;

	*pair = (struct pair){ p, client,
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (connect(pair->server, (struct sockaddr *)&p->server,
		sizeof(p->server)) != 0)
		abort();
	atomic_fetch_add(&p->connections, 1);
	if (pthread_create(&thread, NULL, pair_main, pair) != 0)
		abort();
	(void)pthread_detach(thread);
}

static void *
listener_main(void *arg)
{
	struct proxy *p = arg;
	struct pollfd fd = { p->listener, POLLIN, 0 };

	while (!atomic_load(&p->stopping)) {
		int client;

		if (poll(&fd, 1, TICK_MS) <= 0)
			continue;
		client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0 && atomic_load(&p->cut) == PROXY_AWAY)
			(void)close(client);
		else if (client >= 0)
			start_pair(p, client);
	}
	return NULL;
}

/* The address of the database with our folder for the server's. */
static void
choose_addresses(struct proxy *p, const struct test_database *db)
{
	const char *host = strstr(db->url, "host="), *end;

	assert_non_null(host);
	host += strlen("host=");
	end = host + strcspn(host, "&");
	(void)snprintf(p->server.sun_path, sizeof(p->server.sun_path),
	    "%.*s" SOCKET_NAME, (int)(end - host), host);
	(void)snprintf(p->url, sizeof(p->url), "%.*s%s%s",
	    (int)(host - db->url), db->url, p->place, end);
}

struct proxy *
proxy_start(const struct test_database *db)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	struct proxy *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->server.sun_family = AF_UNIX;
	(void)snprintf(p->place, sizeof(p->place), "/tmp/khien-proxy-XXXXXX");
	assert_non_null(mkdtemp(p->place));
	choose_addresses(p, db);
	(void)snprintf(
	    own.sun_path, sizeof(own.sun_path), "%s" SOCKET_NAME, p->place);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(p->listener, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(listen(p->listener, 16), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, listener_main, p), 0);
	return p;
}

void
proxy_stop(struct proxy *p)
{
	char path[128];

	atomic_store(&p->stopping, true);
	(void)pthread_join(p->thread, NULL);
	while (atomic_load(&p->connections) > 0)
		(void)usleep(1000);
	(void)close(p->listener);
	(void)snprintf(path, sizeof(path), "%s" SOCKET_NAME, p->place);
	(void)unlink(path);
	(void)rmdir(p->place);
	free(p);
}

const char *
proxy_url(const struct proxy *p)
{
	return p->url;
}

void
proxy_set(struct proxy *p, enum proxy_cut cut)
{
	atomic_store(&p->cut, (int)cut);
}

int
proxy_cuts(struct proxy *p)
{
	return atomic_load(&p->cuts);
}
