#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/arena.h"

/* One INI file, read by a table (libinih).  Unknown sections and keys, keys
 * set twice (but those of lists), bad values, lines that are not UTF-8 or
 * over 199 bytes are errors that name file, line and key.  Indentation means
 * nothing; a comment begins with ';' or '#', behind a value with " ;". */

enum conf_type { CONF_TEXT, CONF_INT, CONF_BOOL, CONF_LIST };
#define CONF_LIST_MAX 64

struct conf_key {
	const char *section, *key; /* section NULL ends the table */
	enum conf_type type;
	size_t offset; /* of the const char *, int64_t, bool, or const
			       char *const * (NULL-ended; keys repeat) */
	const char *initial;
	int64_t min, max; /* CONF_INT */
	const char *help; /* English msgid */
};

/* Sets every field of *out from defaults, then from the file (a list there
 * stands instead of its default); text lives in the arena.  path NULL: defaults only.  After
 * a failure *out holds what was read until then. */
enum err conf_load(const char *path, const struct conf_key *table,
    struct arena *a, void *out, struct errinfo *ei) MUST_USE;
enum err
conf_parse(struct span text, const char *name, const struct conf_key *table,
    struct arena *a, void *out, struct errinfo *ei) MUST_USE;

#endif
