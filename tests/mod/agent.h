#ifndef TESTS_MOD_AGENT_H
#define TESTS_MOD_AGENT_H

#include "protection/protection_int.h"
#include "support/centre.h"

/* Agents as the centre sees them: enrolled by a token, speaking by sync. */

#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct peer {
	struct test_centre *t;
	struct agent agent;
	struct uuid spool;
	struct buf key, csr, cert; /* PEM */
	char fingerprint[65];
	const char *host;
	json_t *answer; /* of the last sync, or NULL */
};

/* A token for the agency; id and secret as an agent reads them from it. */
struct token {
	struct uuid agency, id;
	char secret[64];
};
struct token token_make(struct test_centre *t, const char *agency, int uses);

/* A computer with a key of its own, not enrolled yet. */
void peer_make(struct peer *p, struct test_centre *t, const char *host);
void peer_free(struct peer *p);
enum err
peer_enrol(struct peer *p, const struct token *token, struct errinfo *ei);
/* Both, by a token of its own; fails the test if it cannot. */
void peer_begin(struct peer *p, struct test_centre *t, const char *agency,
    const char *host);

/* One sync as JSON text; "%s" parts of `records` are the caller's affair.
 * `more` is put beside the needed members: "\"fault\":\"x\"," or "". */
enum err peer_sync(
    struct peer *p, const char *more, const char *records, struct errinfo *ei);
/* The same, which must be taken. */
void peer_tell(struct peer *p, const char *more, const char *records);
int64_t peer_ack(const struct peer *p); /* of the last answer */
size_t peer_commands(const struct peer *p);

/* The text of one record, in the test's arena. */
const char *detection(struct peer *p, int number, struct uuid id);
const char *
action(struct peer *p, int number, struct uuid detection, const char *result);

#endif
