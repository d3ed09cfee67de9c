/* Tree and data -> HTML. */

#include <inttypes.h>
#include <string.h>

#include "page/page_int.h"

struct scope {
	const struct scope *outer;
	const json_t *value;
};

struct render {
	const struct template *page; /* for messages: where we are */
	const struct i18n *lang;
	struct buf *out;
	struct errinfo *ei;
	size_t steps;
	int depth;
};

#define FAIL(r, n, code, fmt, ...)                                             \
	err_set((r)->ei, (code), "%s.html:%zu: " fmt, (r)->page->name,         \
	    (n)->line, __VA_ARGS__)

void
page_escape(struct buf *out, struct span s)
{
	static const char *const entities[256] = { ['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['"'] = "&quot;",
		['\''] = "&#39;" };
	size_t done = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		const char *entity = entities[c];

		/* HTML has no way to write most controls. */
		if (c == 0x7f || (c < 0x20 && strchr("\t\n\r", c) == NULL) ||
		    c == 0)
			entity = "\xef\xbf\xbd";
		if (entity == NULL)
			continue;
		buf_add(out, s.ptr + done, i - done);
		buf_text(out, entity);
		done = i + 1;
	}
	if (s.len > done)
		buf_add(out, s.ptr + done, s.len - done);
}

static const json_t *
member(const json_t *o, struct span key)
{
	return json_object_getn(o, key.ptr, key.len);
}

/* The value of a path: its first part in the nearest scope that has it, the
 * rest inside of that.  NULL if there is none. */
static const json_t *
look_up(const struct scope *s, struct span path)
{
	const json_t *v = NULL;
	struct span part;

	if (span_is(path, "."))
		return s->value;
	part = span_cut(path, '.', &path);
	for (; s != NULL && v == NULL; s = s->outer)
		v = member(s->value, part);
	while (v != NULL && path.len > 0) {
		part = span_cut(path, '.', &path);
		v = member(v, part);
	}
	return v;
}

static bool
shows(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
	case JSON_TRUE:
		return true;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) != 0;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

static enum err
add_value(struct render *r, const struct node *n, const json_t *v)
{
	if (v == NULL || json_is_null(v))
		return OK;
	if (json_is_string(v))
		page_escape(r->out,
		    (struct span){
			json_string_value(v), json_string_length(v) });
	else if (json_is_integer(v))
		buf_fmt(r->out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		buf_fmt(r->out, "%.15g", json_real_value(v));
	else if (json_is_boolean(v))
		buf_text(r->out, json_is_true(v) ? "true" : "false");
	else
		return FAIL(r, n, ERR_SYNTAX,
		    "%s is a list or an object, not a text", n->text);
	return OK;
}

/* Only a drawing of our own may stand unescaped: what does not look like one
 * is a mistake of the page, shown at once rather than abused later. */
static enum err
add_raw(struct render *r, const struct node *n, const json_t *v)
{
	struct span s = v == NULL
	    ? (struct span){ NULL, 0 }
	    : (struct span){ json_string_value(v), json_string_length(v) };

	if (v != NULL && !json_is_null(v) &&
	    (!json_is_string(v) ||
		(s.len > 0 &&
		    !(span_starts(s, "<svg ") && span_ends(s, "</svg>")))))
		return FAIL(r, n, ERR_SYNTAX, "%s is not a drawing", n->text);
	buf_span(r->out, s);
	return OK;
}

static enum err
add_translation(
    struct render *r, const struct node *n, const struct scope *scope)
{
	const char *text =
	    r->lang == NULL ? n->text : i18n_text(r->lang, n->text);
	struct span rest = span_of(text);
	enum err e = OK;

	while (e == OK && rest.len > 0) {
		const char *from = memmem(rest.ptr, rest.len, "%{", 2), *to;
		struct span plain = rest, path;

		if (from != NULL)
			plain.len = (size_t)(from - rest.ptr);
		page_escape(r->out, plain);
		rest = span_from(rest, plain.len);
		if (rest.len == 0)
			break;
		to = memchr(rest.ptr, '}', rest.len);
		if (to == NULL) { /* no placeholder after all */
			page_escape(r->out, rest);
			break;
		}
		path = (struct span){ from + 2, (size_t)(to - from) - 2 };
		e = add_value(r, n, look_up(scope, path));
		rest = span_from(rest, path.len + 3);
	}
	return e;
}

static enum err
walk(struct render *r, const struct node *n, const struct scope *scope);

static enum err
enter(struct render *r, const struct node *n, const struct node *first,
    const struct scope *outer, const json_t *value)
{
	struct scope inner = { outer, value };
	enum err e;

	if (r->depth == RENDER_DEPTH)
		return FAIL(r, n, ERR_LIMIT, "more than %d deep", RENDER_DEPTH);
	r->depth++;
	e = walk(r, first, &inner);
	r->depth--;
	return e;
}

static enum err
add_section(struct render *r, const struct node *n, const struct scope *scope)
{
	const json_t *v = look_up(scope, n->span);
	bool show = v != NULL && shows(v);
	enum err e = OK;

	if (n->kind == NODE_INVERTED)
		return show ? OK : enter(r, n, n->child, scope, scope->value);
	if (!show)
		return OK;
	if (!json_is_array(v))
		return enter(r, n, n->child, scope, v);
	for (size_t i = 0; e == OK && i < json_array_size(v); i++)
		e = enter(r, n, n->child, scope, json_array_get(v, i));
	return e;
}

static enum err
add_partial(struct render *r, const struct node *n, const struct scope *scope)
{
	const struct template *page = r->page;
	enum err e;

	if (r->depth == RENDER_DEPTH)
		return FAIL(r, n, ERR_LIMIT, "more than %d deep", RENDER_DEPTH);
	r->page = n->partial;
	r->depth++;
	e = walk(r, n->partial->first, scope);
	r->depth--;
	r->page = page;
	return e;
}

static enum err
add_node(struct render *r, const struct node *n, const struct scope *scope)
{
	switch (n->kind) {
	case NODE_TEXT:
		buf_span(r->out, n->span);
		return OK;
	case NODE_VALUE:
		return add_value(r, n, look_up(scope, n->span));
	case NODE_RAW:
		return add_raw(r, n, look_up(scope, n->span));
	case NODE_SECTION:
	case NODE_INVERTED:
		return add_section(r, n, scope);
	case NODE_PARTIAL:
		return add_partial(r, n, scope);
	case NODE_TRANSLATED:
		return add_translation(r, n, scope);
	}
	return OK;
}

static enum err
walk(struct render *r, const struct node *n, const struct scope *scope)
{
	enum err e = OK;

	for (; e == OK && n != NULL; n = n->next) {
		if (r->out->full || ++r->steps > RENDER_STEPS)
			return FAIL(r, n, ERR_LIMIT, "%s",
			    "the page grows over its limit");
		e = add_node(r, n, scope);
	}
	return e;
}

enum err
page_render(const struct page_set *ps, const char *name,
    const struct i18n *lang, const json_t *data, struct buf *out,
    struct errinfo *ei)
{
	struct render r = {
		.page = page_find(ps, name), .lang = lang, .out = out, .ei = ei
	};
	struct scope scope = { NULL, data };
	enum err e;

	if (r.page == NULL)
		return err_set(ei, ERR_NOT_FOUND, "no template %s", name);
	e = walk(&r, r.page->first, &scope);
	return e == OK ? buf_check(out, ei) : e;
}
