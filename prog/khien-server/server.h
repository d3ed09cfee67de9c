#ifndef KHIEN_SERVER_SERVER_H
#define KHIEN_SERVER_SERVER_H

#include <signal.h>

#include "module/module.h"

/* The centre's program: configuration, set-up, serving.  One process. */

struct config {
	const char *address;
	int64_t port;
	const char *url;          /* how agents and people reach it */
	const char *const *names; /* DNS names and addresses it answers to */
	const char *data_dir;     /* keys/, sets/, khien.db */
	const char *store;        /* "sqlite:..." or "postgresql://..." */
	bool partitioned;
	const char *share_dir;  /* web/, data/ */
	const char *assets_dir; /* htmx.min.js, pico.min.css */
	const char *locale_dir; /* vi.mo */
};

/* The [khien-server] part of the INI file; text lives in the arena. */
enum err config_load(const char *path, struct arena *a, struct config *out,
    struct errinfo *ei) MUST_USE;

/* Everything a running centre needs, opened from the configuration.  Keys
 * and tables that are missing are made: a second start finds them. */
struct setup {
	struct config config;
	struct arena *arena;
	struct centre centre;
	struct buf server_cert, server_key; /* PEM */
};
enum err setup_open(
    struct setup *s, const char *config_path, struct errinfo *ei) MUST_USE;
void setup_close(struct setup *s);

/* ---- verbs: each returns the exit status -------------------------------- */

int verb_init(struct setup *s, int argc, char **argv);
int verb_password(struct setup *s, int argc, char **argv);
int verb_run(struct setup *s, int argc, char **argv);
int verb_token(struct setup *s, int argc, char **argv);
int verb_publish(struct setup *s, int argc, char **argv);
int verb_set(struct setup *s, int argc, char **argv);
int verb_routes(struct setup *s, int argc, char **argv);

extern const struct module health_module;
extern const struct module *const all_modules[];
extern const struct tab all_tabs[];

/* The signals that end `run`: main() blocks them before any thread starts. */
sigset_t stop_signals(void);

/* A message in the language of who sits at the terminal. */
const char *say(const char *msgid);

/* Prints "khien-server: what: message" and returns 3. */
int fail(const char *what, const struct errinfo *ei);

#endif
