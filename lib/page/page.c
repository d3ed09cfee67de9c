/* A set of templates: read from a folder, linked, found by name. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "page/page_int.h"

struct page_set *
page_set_new(void)
{
	struct page_set *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return NULL;
	ps->arena = arena_new(SET_ARENA_MAX);
	if (ps->arena == NULL) {
		free(ps);
		return NULL;
	}
	return ps;
}

void
page_free(struct page_set *ps)
{
	if (ps == NULL)
		return;
	arena_free(ps->arena);
	free(ps);
}

static int
by_name(const void *a, const void *b)
{
	const struct template *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct template *
page_find(const struct page_set *ps, const char *name)
{
	struct template key = { .name = name };

	return bsearch(&key, ps->list, ps->count, sizeof(key), by_name);
}

enum err
page_add(
    struct page_set *ps, const char *name, struct span text, struct errinfo *ei)
{
	struct template *t = &ps->list[ps->count];
	enum err e;

	if (ps->count == TEMPLATES_MAX)
		return err_set(ei, ERR_LIMIT, "%s.html: more than %d templates",
		    name, TEMPLATES_MAX);
	t->name = arena_text(ps->arena, span_of(name));
	if (t->name == NULL)
		return err_set(ei, ERR_NOMEM, "%s.html", name);
	e = template_parse(text, t->name, ps->arena, &t->first, ei);
	if (e == OK)
		ps->count++;
	return e;
}

static enum err
link_nodes(
    struct page_set *ps, const char *name, struct node *n, struct errinfo *ei)
{
	enum err e = OK;

	for (; e == OK && n != NULL; n = n->next) {
		e = link_nodes(ps, name, n->child, ei);
		if (e != OK || n->kind != NODE_PARTIAL)
			continue;
		n->partial = page_find(ps, n->text);
		if (n->partial == NULL)
			e = err_set(ei, ERR_NOT_FOUND,
			    "%s.html:%zu: no template %s", name, n->line,
			    n->text);
	}
	return e;
}

enum err
page_link(struct page_set *ps, struct errinfo *ei)
{
	enum err e = OK;

	qsort(ps->list, ps->count, sizeof(ps->list[0]), by_name);
	for (size_t i = 0; e == OK && i < ps->count; i++)
		e = link_nodes(ps, ps->list[i].name, ps->list[i].first, ei);
	return e;
}

/* ---- reading the folder ---- */

static enum err
add_file(
    struct page_set *ps, const char *path, const char *name, struct errinfo *ei)
{
	struct buf text = buf_make(TEMPLATE_MAX);
	enum err e = file_read(path, &text, ei);

	if (e == OK)
		e = page_add(ps, name, buf_view(&text), ei);
	buf_free(&text);
	return e;
}

static enum err add_folder(struct page_set *ps, const char *dir,
    const char *prefix, int depth, struct errinfo *ei);

static enum err
add_entry(struct page_set *ps, const char *dir, const char *prefix,
    const char *entry, int depth, struct errinfo *ei)
{
	struct span stem = span_of(entry);
	char path[4096], name[256];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/%s", dir, entry);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(ei, ERR_LIMIT, "%s: name too long", dir);
	if (stat(path, &st) != 0)
		return err_sys(ei, "%s", path);
	if (!S_ISDIR(st.st_mode) && !span_ends(stem, ".html"))
		return OK;
	if (!S_ISDIR(st.st_mode))
		stem.len -= strlen(".html");
	n = snprintf(
	    name, sizeof(name), "%s%.*s", prefix, (int)stem.len, stem.ptr);
	if (n < 0 || (size_t)n + 1 >= sizeof(name))
		return err_set(ei, ERR_LIMIT, "%s: name too long", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(ps, path, name, ei);
	name[n] = '/';
	name[n + 1] = '\0';
	return add_folder(ps, path, name, depth + 1, ei);
}

static enum err
add_folder(struct page_set *ps, const char *dir, const char *prefix, int depth,
    struct errinfo *ei)
{
	struct dirent **names;
	enum err e = OK;
	int n;

	if (depth > TEMPLATE_FOLDERS)
		return err_set(ei, ERR_LIMIT, "%s: more than %d folders deep",
		    dir, TEMPLATE_FOLDERS);
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0)
		return err_sys(ei, "folder %s", dir);
	for (int i = 0; i < n; i++) {
		if (e == OK && names[i]->d_name[0] != '.')
			e = add_entry(
			    ps, dir, prefix, names[i]->d_name, depth, ei);
		free(names[i]);
	}
	free(names);
	return e;
}

enum err
page_load(const char *dir, struct page_set **out, struct errinfo *ei)
{
	struct page_set *ps = page_set_new();
	enum err e;

	if (ps == NULL)
		return err_set(ei, ERR_NOMEM, "templates of %s", dir);
	e = add_folder(ps, dir, "", 0, ei);
	if (e == OK)
		e = page_link(ps, ei);
	if (e == OK)
		*out = ps;
	else
		page_free(ps);
	return e;
}
