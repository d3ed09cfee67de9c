/* Template text -> tree.  Everything that can be wrong with a template is
 * found here, so that rendering can only fail by its data. */

#include <string.h>

#include "page/page_int.h"

struct parser {
	struct span rest;
	size_t line;
	const char *name;
	struct arena *arena;
	struct errinfo *ei;
	struct {
		struct node *node;
		struct node **tail;
	} open[TEMPLATE_DEPTH]; /* sections around this place */
	size_t depth;
	struct node **tail; /* where the next node goes */
};

#define FAIL(p, code, fmt, ...)                                                \
	err_set((p)->ei, (code), "%s.html:%zu: " fmt, (p)->name, (p)->line,    \
	    __VA_ARGS__)

static bool
path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* "a", "a.b.c" or ".": no empty part. */
static bool
path_ok(struct span s)
{
	bool dot = true; /* a dot would be wrong here */

	if (span_is(s, "."))
		return true;
	for (size_t i = 0; i < s.len; i++) {
		if (!path_char(s.ptr[i]) || (dot && s.ptr[i] == '.'))
			return false;
		dot = s.ptr[i] == '.';
	}
	return !dot;
}

static bool
name_ok(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!path_char(s.ptr[i]) && s.ptr[i] != '/')
			return false;
	return s.len > 0;
}

static enum err
add_node(
    struct parser *p, enum node_kind kind, struct span text, struct node **out)
{
	struct node *n = ARENA_NEW(p->arena, struct node, 1);
	char *copy = n == NULL ? NULL : arena_text(p->arena, text);

	if (copy == NULL)
		return FAIL(p, ERR_NOMEM, "%s", "no memory left");
	*n = (struct node){ .kind = kind,
		.line = p->line,
		.text = copy,
		.span = { copy, text.len } };
	*p->tail = n;
	p->tail = &n->next;
	if (out != NULL)
		*out = n;
	return OK;
}

static enum err
open_section(struct parser *p, enum node_kind kind, struct span path)
{
	struct node *n;
	enum err e;

	if (p->depth == TEMPLATE_DEPTH)
		return FAIL(p, ERR_LIMIT, "more than %d sections in another",
		    TEMPLATE_DEPTH);
	e = add_node(p, kind, path, &n);
	if (e != OK)
		return e;
	p->open[p->depth].node = n;
	p->open[p->depth++].tail = p->tail;
	p->tail = &n->child;
	return OK;
}

static enum err
close_section(struct parser *p, struct span path)
{
	const struct node *n;

	if (p->depth == 0)
		return FAIL(p, ERR_SYNTAX, "{{/" SPAN_FMT "}} closes nothing",
		    SPAN_ARG(path));
	n = p->open[p->depth - 1].node;
	if (!span_eq(n->span, path))
		return FAIL(p, ERR_SYNTAX,
		    "{{/" SPAN_FMT "}} closes {{%s}} of line %zu",
		    SPAN_ARG(path), n->text, n->line);
	p->tail = p->open[--p->depth].tail;
	return OK;
}

static enum err
add_tag(struct parser *p, struct span tag)
{
	static const char signs[] = "&#^>_/";
	static const enum node_kind kinds[] = { NODE_RAW, NODE_SECTION,
		NODE_INVERTED, NODE_PARTIAL, NODE_TRANSLATED };
	const char *at =
	    tag.len == 0 ? NULL : memchr(signs, tag.ptr[0], sizeof(signs) - 1);
	enum node_kind kind = NODE_VALUE;
	struct span arg = at == NULL ? tag : span_from(tag, 1);

	if (at != NULL && *at != '/')
		kind = kinds[at - signs];
	if (kind == NODE_TRANSLATED &&
	    (arg.len == 0 || strchr(" \t\r\n", arg.ptr[0]) == NULL)) {
		kind = NODE_VALUE; /* {{_name}}: a name may begin so */
		arg = tag;
	}
	arg = span_trim(arg);
	if (kind == NODE_TRANSLATED    ? arg.len == 0
		: kind == NODE_PARTIAL ? !name_ok(arg)
				       : !path_ok(arg))
		return FAIL(p, ERR_SYNTAX, "{{" SPAN_FMT "}} is not a tag",
		    SPAN_ARG(tag));
	if (at != NULL && *at == '/')
		return close_section(p, arg);
	if (kind == NODE_SECTION || kind == NODE_INVERTED)
		return open_section(p, kind, arg);
	return add_node(p, kind, arg, NULL);
}

static void
count_lines(struct parser *p, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		p->line += s.ptr[i] == '\n';
}

/* Text up to the next tag, then the tag. */
static enum err
next(struct parser *p)
{
	const char *from = memmem(p->rest.ptr, p->rest.len, "{{", 2), *to;
	struct span text = p->rest, tag;
	enum err e = OK;

	if (from != NULL)
		text.len = (size_t)(from - text.ptr);
	if (text.len > 0)
		e = add_node(p, NODE_TEXT, text, NULL);
	if (e != OK)
		return e;
	count_lines(p, text);
	p->rest = span_from(p->rest, text.len);
	if (p->rest.len == 0)
		return OK;
	p->rest = span_from(p->rest, 2);
	to =
	    p->rest.len == 0 ? NULL : memmem(p->rest.ptr, p->rest.len, "}}", 2);
	if (to == NULL)
		return FAIL(p, ERR_SYNTAX, "%s", "{{ without }}");
	tag = (struct span){ p->rest.ptr, (size_t)(to - p->rest.ptr) };
	/* {{_ by %{name}}}: the text has the first of three. */
	if (p->rest.len > tag.len + 2 && to[2] == '}')
		tag.len++;
	e = add_tag(p, tag);
	count_lines(p, tag);
	p->rest = span_from(p->rest, tag.len + 2);
	return e;
}

enum err
template_parse(struct span text, const char *name, struct arena *a,
    struct node **out, struct errinfo *ei)
{
	struct node *first = NULL;
	struct parser p = { .rest = text,
		.line = 1,
		.name = name,
		.arena = a,
		.ei = ei,
		.tail = &first };
	enum err e = OK;

	if (text.len > TEMPLATE_MAX)
		return FAIL(&p, ERR_LIMIT, "more than %u bytes", TEMPLATE_MAX);
	if (!span_utf8(text))
		return FAIL(&p, ERR_SYNTAX, "%s", "not UTF-8");
	while (e == OK && p.rest.len > 0)
		e = next(&p);
	if (e != OK)
		return e;
	if (p.depth > 0) {
		p.line = p.open[p.depth - 1].node->line;
		return FAIL(&p, ERR_SYNTAX, "{{%s}} is never closed",
		    p.open[p.depth - 1].node->text);
	}
	*out = first;
	return OK;
}
