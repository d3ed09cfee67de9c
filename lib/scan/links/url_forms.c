#include <string.h>

#include "scan/links/url_int.h"

/* As Google's Safe Browsing describes it: a link is unescaped until nothing
 * changes, "." and ".." go from its path, and what is no plain character is
 * escaped; then its hosts and paths are made shorter. */

#define UNESCAPE_MAX 4u /* times */
#define HOSTS_MAX    5u
#define PATHS_MAX    6u /* the path itself among them */

struct form {
	char text[URL_FORM_MAX];
	size_t len;
};
struct canon {
	struct url url;
	char text[URL_TEXT_MAX]; /* the link, unescaped */
	struct form path;        /* from its slash on, with the query */
	size_t query;            /* where that begins: "?", or the end */
};

static void
put(struct form *f, char c)
{
	if (f->len < sizeof(f->text))
		f->text[f->len++] = c;
}

static void
put_escaped(struct form *f, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char b = (unsigned char)c;

	if (b > ' ' && b < 0x7f && c != '#' && c != '%') {
		put(f, c);
		return;
	}
	put(f, '%');
	put(f, digits[b >> 4]);
	put(f, digits[b & 15]);
}

/* Back to behind the slash before the last folder. */
static void
drop_folder(struct form *f)
{
	if (f->len > 1)
		f->len--;
	while (f->len > 1 && f->text[f->len - 1] != '/')
		f->len--;
}

/* "a/./b//../c" as "/a/c". */
static void
put_path(struct form *f, struct span path)
{
	put(f, '/');
	while (path.len > 0) {
		struct span rest, part = span_cut(path, '/', &rest);
		bool slash = part.len < path.len;

		path = rest;
		if (span_is(part, ".."))
			drop_folder(f);
		if (part.len == 0 || span_is(part, ".") || span_is(part, ".."))
			continue;
		for (size_t i = 0; i < part.len; i++)
			put_escaped(f, part.ptr[i]);
		if (slash)
			put(f, '/');
	}
}

static bool
canon_read(struct span in, struct canon *c)
{
	struct span s = url_clean(in, c->text), rest, path, query;
	size_t n = 0, was = s.len + 1;
	bool zero = false;

	if (!url_read(in, URL_REAL, &c->url))
		return false;
	s = span_cut(s, '#', &rest);
	for (size_t i = 0; i < UNESCAPE_MAX && s.len < was; i++) {
		was = s.len;
		s.len = url_unescape(c->text, s.len, &zero);
	}
	/* Behind the scheme and its slashes comes the host. */
	if (c->url.scheme.len > 0)
		n = c->url.scheme.len + 1;
	while (c->url.scheme.len > 0 && n < s.len && s.ptr[n] == '/')
		n++;
	s = span_from(s, n);
	path = span_from(s, url_authority(s).len);
	path = span_cut(path, '?', &query);
	c->path.len = 0;
	put_path(&c->path, span_from(path, 1));
	c->query = c->path.len;
	if (query.len > 0)
		put(&c->path, '?');
	for (size_t i = 0; i < query.len; i++)
		put_escaped(&c->path, query.ptr[i]);
	return true;
}

struct telling {
	url_form_fn *fn;
	void *arg;
	struct form form;
};

static bool
tell(struct telling *t, struct span host, const struct canon *c, size_t len)
{
	if (host.len + len > sizeof(t->form.text))
		return true;
	memcpy(t->form.text, host.ptr, host.len);
	memcpy(t->form.text + host.len, c->path.text, len);
	return t->fn(t->arg, (struct span){ t->form.text, host.len + len });
}

static bool
tell_paths(struct telling *t, struct span host, const struct canon *c)
{
	bool query = c->query < c->path.len;
	size_t told = 1 + query;

	if ((query && !tell(t, host, c, c->path.len)) ||
	    !tell(t, host, c, c->query))
		return false;
	for (size_t n = 1; n < c->query && told < PATHS_MAX; n++) {
		if (c->path.text[n - 1] != '/')
			continue;
		told++;
		if (!tell(t, host, c, n))
			return false;
	}
	return true;
}

static size_t
labels_of(struct span host)
{
	size_t n = 1;

	for (size_t i = 0; i < host.len; i++)
		n += host.ptr[i] == '.';
	return n;
}

bool
url_forms(struct span text, url_form_fn *fn, void *arg)
{
	struct telling t = { .fn = fn, .arg = arg };
	struct canon c;
	struct span host;
	size_t labels;

	if (!canon_read(text, &c))
		return true;
	host = c.url.host;
	if (!tell_paths(&t, host, &c))
		return false;
	labels = url_is_number(host) ? 0 : labels_of(host);
	while (labels > 2) {
		(void)span_cut(host, '.', &host);
		if (--labels <= HOSTS_MAX && !tell_paths(&t, host, &c))
			return false;
	}
	return true;
}
