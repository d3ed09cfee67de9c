#ifndef ENDPOINT_STATE_H
#define ENDPOINT_STATE_H

#include "base/arena.h"
#include "base/json.h"

/* What the agent must remember, in one file that is always whole:
 * DIR/agent.json, mode 0600, replaced atomically.  One thread at a time. */

#define STATE_FILE_MAX  (1u << 20)
#define STATE_DONE_MAX  200  /* ids of commands carried out */
#define STATE_ALLOW_MAX 1000 /* files that people restored */

struct state {
	const char *dir;
	json_t *tree; /* the file's content; members below */
};

/* Members, all text unless said: agent, agency, url, sign_key, fingerprint,
 * ca, cert, key (PEM), policy (object), set_version, last_scan_ms (numbers),
 * done, allowed (arrays of text). */

/* ERR_NOT_FOUND: this computer has not enrolled. */
enum err
state_load(const char *dir, struct state *out, struct errinfo *ei) MUST_USE;
enum err state_save(const struct state *s, struct errinfo *ei) MUST_USE;
void state_free(struct state *s);

/* A member's text, or "". */
const char *state_text(const struct state *s, const char *key);
int64_t state_int(const struct state *s, const char *key);

/* Lists: is the text in it; add it (the oldest gives way). */
bool state_has(const struct state *s, const char *list, const char *text);
void
state_add(struct state *s, const char *list, const char *text, size_t most);

/* DIR/NAME in the arena; NULL when memory is out. */
const char *
state_path(const struct state *s, struct arena *a, const char *name);

#endif
