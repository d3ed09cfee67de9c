#ifndef KHIEN_KHIEN_H
#define KHIEN_KHIEN_H

#include <stdio.h>

#include "base/i18n.h"
#include "base/span.h"

/* The command line tool: a table of verbs, each in a file of its own. */

/* Exit statuses; 0 is fine. */
#define STATUS_FOUND  1
#define STATUS_USAGE  2
#define STATUS_FAILED 3

/* Where an installed agent keeps its signature set. */
#define SET_DEFAULT "/var/lib/khien-agent/sets/current.kdb"

struct khien {
	struct i18n *t;
	const char *verb; /* "scan", "db build": for messages */
};

/* The translation of an English message. */
const char *tr(const struct khien *k, const char *msgid);

struct verb {
	const char *name;   /* "db"; NULL ends the table */
	const char *second; /* "build"; NULL: the verb is one word */
	const char *arguments;
	const char *help;    /* msgid: one line */
	const char *options; /* msgid: a line for each, or "" */
	/* argv[0] is the last word of the verb. */
	int (*run)(const struct khien *k, int argc, char **argv);
};

int verb_scan(const struct khien *k, int argc, char **argv);
int verb_db_build(const struct khien *k, int argc, char **argv);
int verb_db_info(const struct khien *k, int argc, char **argv);
int verb_db_verify(const struct khien *k, int argc, char **argv);
int verb_db_find(const struct khien *k, int argc, char **argv);
int verb_db_explain(const struct khien *k, int argc, char **argv);
int verb_db_diff(const struct khien *k, int argc, char **argv);
int verb_agent_enrol(const struct khien *k, int argc, char **argv);
int verb_agent_status(const struct khien *k, int argc, char **argv);
int verb_agent_scan(const struct khien *k, int argc, char **argv);

/* "khien VERB: MESSAGE: THING" on stderr; thing may be NULL.  Return
 * STATUS_USAGE and STATUS_FAILED. */
int wrong_use(const struct khien *k, const char *message, const char *thing);
int failed(const struct khien *k, const char *message);
/* The option that getopt_long() did not like. */
int wrong_option(const struct khien *k, int found, char **argv);

/* Bytes from outside as one line of text: control characters, what is not
 * UTF-8 and what turns the direction of writing become \n, \t or \xHH, and a
 * backslash \\. */
void put_escaped(FILE *out, struct span s);

#endif
