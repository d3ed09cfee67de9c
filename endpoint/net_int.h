#ifndef ENDPOINT_NET_INT_H
#define ENDPOINT_NET_INT_H

/* Messages between agent and net worker.  Text heads end at the first LF. */
enum {
	NET_SETUP = 1, /* JSON: url, ca, cert, key, insecure */
	NET_READY,     /* empty */
	NET_REQUEST,   /* "METHOD PATH\n" body */
	NET_ANSWER,    /* "STATUS RETRY-AFTER\n" body */
	NET_FAULT,     /* "CODE\n" text; CODE: enum err */
};

#endif
