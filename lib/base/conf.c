#include "base/conf.h"

#include <ini.h>
#include <string.h>

#include "base/file.h"

#define CONF_FILE_MAX (1u << 20)

struct reading {
	const struct conf_key *table;
	bool *seen; /* one for each key of the table */
	struct arena *arena;
	char *out;
	struct span rest;
	size_t line; /* that the reader gave last, from 1 */
	struct errinfo *ei;
	enum err e;
};

static void
clear_list(const struct conf_key *k, char *out)
{
	memset(out + k->offset, 0, sizeof(const char *const *));
}

static enum err
set_list(
    const struct conf_key *k, struct arena *a, void *field, const char *value)
{
	const char **list, *const *old;
	size_t n = 0;

	(void)k;
	memcpy(&old, field, sizeof(old));
	while (old != NULL && old[n] != NULL)
		n++;
	if (n == CONF_LIST_MAX)
		return ERR_LIMIT;
	list = ARENA_NEW(a, const char *, n + 2);
	if (list == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = old[i];
	if (value[0] != '\0') {
		list[n] = arena_text(a, span_of(value));
		if (list[n] == NULL)
			return ERR_NOMEM;
	}
	memcpy(field, &list, sizeof(list));
	return OK;
}

static enum err
set_text(
    const struct conf_key *k, struct arena *a, void *field, const char *value)
{
	const char *text = arena_text(a, span_of(value));

	(void)k;
	memcpy(field, &text, sizeof(text));
	return text == NULL ? ERR_NOMEM : OK;
}

static enum err
set_int(
    const struct conf_key *k, struct arena *a, void *field, const char *value)
{
	int64_t v;
	enum err e = span_i64(span_of(value), &v);

	(void)a;
	if (e == OK && (v < k->min || v > k->max))
		e = ERR_LIMIT;
	if (e == OK)
		memcpy(field, &v, sizeof(v));
	return e;
}

static enum err
set_bool(
    const struct conf_key *k, struct arena *a, void *field, const char *value)
{
	bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;

	(void)k;
	(void)a;
	if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
		return ERR_SYNTAX;
	memcpy(field, &yes, sizeof(yes));
	return OK;
}

static enum err
set_value(
    const struct conf_key *k, struct arena *a, char *out, const char *value)
{
	static enum err (*const setters[])(
	    const struct conf_key *, struct arena *, void *, const char *) = {
		[CONF_TEXT] = set_text,
		[CONF_INT] = set_int,
		[CONF_BOOL] = set_bool,
		[CONF_LIST] = set_list,
	};

	return setters[k->type](k, a, out + k->offset, value);
}

static const struct conf_key *
find_key(const struct conf_key *table, const char *section, const char *key)
{
	for (const struct conf_key *k = table; k->section != NULL; k++)
		if (strcmp(k->section, section) == 0 &&
		    strcmp(k->key, key) == 0)
			return k;
	return NULL;
}

static enum err
add_pair(
    struct reading *r, const char *section, const char *key, const char *value)
{
	const struct conf_key *k = find_key(r->table, section, key);
	bool *seen;
	enum err e;

	if (k == NULL)
		return err_field(r->ei, ERR_SYNTAX, key,
		    "[%.50s] has no key %.50s", section, key);
	seen = &r->seen[k - r->table];
	if (*seen && k->type != CONF_LIST)
		return err_field(
		    r->ei, ERR_SYNTAX, key, "%s is set twice", key);
	if (!*seen && k->type == CONF_LIST) /* instead of the default */
		clear_list(k, r->out);
	*seen = true;
	e = set_value(k, r->arena, r->out, value);
	if (e != OK)
		return err_field(
		    r->ei, e, key, "%s cannot be \"%.100s\"", key, value);
	return OK;
}

static int
on_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;

	if (r->e == OK)
		r->e = add_pair(r, section, key, value);
	return r->e == OK;
}

/* inih's fgets.  It cuts lines that are longer than its buffer and takes
 * indented ones for more of the value above; here the first are errors and
 * indentation means nothing. */
static char *
next_line(char *to, int size, void *arg)
{
	struct reading *r = arg;
	struct span line;

	if (r->e != OK || r->rest.len == 0)
		return NULL;
	line = span_trim(span_cut(r->rest, '\n', &r->rest));
	r->line++;
	if (!span_utf8(line))
		r->e = err_set(r->ei, ERR_SYNTAX, "text is not UTF-8");
	else if (line.len >= (size_t)size)
		r->e = err_set(r->ei, ERR_LIMIT,
		    "the line is longer than %d bytes", size - 1);
	if (r->e != OK)
		return NULL;
	if (line.len > 0)
		memcpy(to, line.ptr, line.len);
	to[line.len] = '\0';
	return to;
}

static enum err
set_initial(const struct conf_key *table, struct arena *a, void *out,
    struct errinfo *ei)
{
	for (const struct conf_key *k = table; k->section != NULL; k++) {
		enum err e;

		if (k->type == CONF_LIST)
			clear_list(k, out);
		e = set_value(k, a, out, k->initial);
		if (e != OK)
			return err_field(
			    ei, e, k->key, "default of %s", k->key);
	}
	return OK;
}

static size_t
table_len(const struct conf_key *table)
{
	size_t n = 0;

	while (table[n].section != NULL)
		n++;
	return n;
}

enum err
conf_parse(struct span text, const char *name, const struct conf_key *table,
    struct arena *a, void *out, struct errinfo *ei)
{
	struct errinfo inner = { 0 };
	struct reading r = { .table = table,
		.arena = a,
		.out = out,
		.rest = text,
		.ei = &inner };
	int bad_line;
	enum err e = set_initial(table, a, out, ei);

	if (e != OK)
		return e;
	r.seen = ARENA_NEW(a, bool, table_len(table) + 1);
	if (r.seen == NULL)
		return err_set(ei, ERR_NOMEM, "%s", name);
	bad_line = ini_parse_stream(next_line, &r, on_pair, &r);
	if (r.e != OK)
		return err_field(ei, r.e, inner.field, "%s: line %zu: %s", name,
		    r.line, inner.msg);
	if (bad_line != 0)
		return err_set(ei, ERR_SYNTAX, "%s: line %d: want key = value",
		    name, bad_line);
	return OK;
}

enum err
conf_load(const char *path, const struct conf_key *table, struct arena *a,
    void *out, struct errinfo *ei)
{
	struct buf text = buf_make(CONF_FILE_MAX);
	enum err e = path == NULL ? OK : file_read(path, &text, ei);

	if (e == OK)
		e = conf_parse(buf_view(&text),
		    path == NULL ? "defaults" : path, table, a, out, ei);
	buf_free(&text);
	return e;
}
