#include "endpoint/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

const char *
state_path(const struct state *s, struct arena *a, const char *name)
{
	return arena_fmt(a, "%s/%s", s->dir, name);
}

enum err
state_load(const char *dir, struct state *out, struct errinfo *ei)
{
	struct buf text = buf_make(STATE_FILE_MAX), path = buf_make(4096);
	json_t *tree = NULL;
	enum err e;

	buf_fmt(&path, "%s/agent.json", dir);
	e = buf_check(&path, ei);
	if (e == OK)
		e = file_read(path.ptr, &text, ei);
	if (e == OK)
		e = json_parse(buf_view(&text), &tree, ei);
	if (e == ERR_SYNTAX || (e == OK && !json_is_object(tree)))
		e = err_set(ei, ERR_CORRUPT, "%s is damaged", path.ptr);
	if (e == OK)
		*out = (struct state){ dir, tree };
	else
		json_decref(tree);
	if (text.ptr != NULL)
		explicit_bzero(text.ptr, text.len);
	buf_free(&text);
	buf_free(&path);
	return e;
}

enum err
state_save(const struct state *s, struct errinfo *ei)
{
	char *text = json_dumps(s->tree, JSON_INDENT(1) | JSON_SORT_KEYS);
	struct buf path = buf_make(4096);
	enum err e;

	buf_fmt(&path, "%s/agent.json", s->dir);
	e = text == NULL ? err_set(ei, ERR_NOMEM, "agent state")
			 : buf_check(&path, ei);
	if (e == OK)
		e = file_replace(path.ptr, span_of(text), 0600, ei);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	buf_free(&path);
	return e;
}

void
state_free(struct state *s)
{
	json_decref(s->tree);
	s->tree = NULL;
}

const char *
state_text(const struct state *s, const char *key)
{
	const char *text = json_string_value(json_object_get(s->tree, key));

	return text == NULL ? "" : text;
}

int64_t
state_int(const struct state *s, const char *key)
{
	return json_integer_value(json_object_get(s->tree, key));
}

bool
state_has(const struct state *s, const char *list, const char *text)
{
	const json_t *a = json_object_get(s->tree, list);

	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *v = json_string_value(json_array_get(a, i));

		if (v != NULL && strcmp(v, text) == 0)
			return true;
	}
	return false;
}

void
state_add(struct state *s, const char *list, const char *text, size_t most)
{
	json_t *a = json_object_get(s->tree, list);

	if (a == NULL)
		a = json_put_new(s->tree, list, json_array());
	(void)json_array_append_new(a, json_string(text));
	while (json_array_size(a) > most)
		(void)json_array_remove(a, 0);
}
