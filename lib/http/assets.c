#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "http/http_int.h"

struct assets {
	struct asset list[ASSETS_MAX];
	size_t count;
	uint64_t all; /* fingerprint of all fingerprints */
	char version[17];
};

static const char *
type_of(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".woff2", "font/woff2" },
	};

	for (size_t i = 0; i < COUNT(types); i++)
		if (span_ends(span_of(name), types[i].ending))
			return types[i].type;
	return NULL;
}

/* FNV-1a: tells versions of our own files apart, nothing more. */
static uint64_t
fingerprint(uint64_t h, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return h;
}

static enum err
shrink(struct asset *to, struct errinfo *ei)
{
	struct buf small = buf_make(ASSET_SIZE_MAX * 2);
	enum err e = OK;

	if (compressible(to->type))
		e = gzip(to->bytes, &small, ei);
	if (e == OK && small.len < to->bytes.len)
		to->gzipped = buf_view(&small);
	else
		buf_free(&small);
	return e;
}

static enum err
add(struct assets *a, const char *dir, const char *name, struct errinfo *ei)
{
	struct buf bytes = buf_make(ASSET_SIZE_MAX);
	char path[4096];
	struct asset *to;
	uint64_t print;
	enum err e;

	if (a->count == ASSETS_MAX)
		return err_set(
		    ei, ERR_LIMIT, "%s: more than %d assets", dir, ASSETS_MAX);
	to = &a->list[a->count];
	(void)snprintf(to->path, sizeof(to->path), "/assets/%s", name);
	if (assets_find(a, to->path) != NULL)
		return err_set(ei, ERR_EXISTS, "asset %s stands twice", name);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	e = file_read(path, &bytes, ei);
	if (e != OK) {
		buf_free(&bytes);
		return e;
	}
	to->type = type_of(name);
	to->bytes = buf_view(&bytes);
	print = fingerprint(UINT64_C(0xcbf29ce484222325), to->bytes);
	(void)snprintf(to->etag, sizeof(to->etag), "W/\"%016llx\"",
	    (unsigned long long)print);
	a->all = fingerprint(a->all, span_of(to->path));
	a->all = fingerprint(a->all, span_of(to->etag));
	a->count++;
	return shrink(to, ei);
}

static enum err
load_dir(struct assets *a, const char *dir, struct errinfo *ei)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);
	enum err e = n < 0 ? err_sys(ei, "folder %s", dir) : OK;

	for (int i = 0; i < n; i++) {
		if (e == OK && type_of(names[i]->d_name) != NULL)
			e = add(a, dir, names[i]->d_name, ei);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return e;
}

enum err
assets_load(const char *const *dirs, struct assets **out, struct errinfo *ei)
{
	struct assets *a = calloc(1, sizeof(*a));
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "assets") : OK;

	for (size_t i = 0; e == OK && dirs[i] != NULL; i++)
		e = load_dir(a, dirs[i], ei);
	if (e == OK)
		(void)snprintf(a->version, sizeof(a->version), "%016llx",
		    (unsigned long long)a->all);
	if (e == OK)
		*out = a;
	else
		assets_free(a);
	return e;
}

void
assets_free(struct assets *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->count; i++) {
		free((char *)(uintptr_t)a->list[i].bytes.ptr);
		free((char *)(uintptr_t)a->list[i].gzipped.ptr);
	}
	free(a);
}

const struct asset *
assets_find(const struct assets *a, const char *path)
{
	if (a == NULL || strncmp(path, "/assets/", 8) != 0)
		return NULL;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->list[i].path, path) == 0)
			return &a->list[i];
	return NULL;
}

const char *
assets_version(const struct assets *a)
{
	return a == NULL ? "" : a->version;
}
