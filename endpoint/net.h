#ifndef ENDPOINT_NET_H
#define ENDPOINT_NET_H

#include "sandbox/sandbox.h"

/* The agent's voice: a khien-worker that speaks TLS to the centre and holds
 * no file, so that the agent itself, which is root, parses no network bytes
 * before they were verified.  One exchange at a time; one thread. */

struct net;

struct net_setup {
	const char *url;       /* "https://host:8443" */
	struct span ca;        /* PEM; empty: trust nobody yet (insecure) */
	struct span cert, key; /* PEM; empty for none */
	bool insecure;         /* only to fetch the CA, whose pin is checked */
};

#define NET_BODY_MAX (2u << 20) /* bytes of a request or an answer */

struct net_answer {
	int status;       /* HTTP */
	int retry_after;  /* seconds; 0 = not said */
	struct span body; /* until the next call */
};

/* Starts the worker and hands it the setup. */
enum err net_start(const struct net_setup *setup, struct net **out,
    struct errinfo *ei) MUST_USE;
void net_stop(struct net *n);    /* accepts NULL */
int net_fd(const struct net *n); /* to poll for an answer */

enum err net_send(struct net *n, const char *method, const char *path,
    struct span body, struct errinfo *ei) MUST_USE;
/* ERR_BUSY after timeout_ms.  Any failure of the exchange is the worker's
 * error (IO, AUTH, LIMIT); ERR_CORRUPT and ERR_NOT_FOUND mean that the worker
 * itself is gone: stop it and start another. */
enum err net_receive(struct net *n, int timeout_ms, struct net_answer *out,
    struct errinfo *ei) MUST_USE;
/* Both, waiting. */
enum err net_do(struct net *n, const char *method, const char *path,
    struct span body, struct net_answer *out, struct errinfo *ei) MUST_USE;

/* The role "net" of khien-worker; returns the exit status. */
int net_worker_main(void);

#endif
