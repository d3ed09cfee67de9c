#include "formats/text/links.h"

#include <string.h>

#include "base/buf.h"
#include "formats/bytes.h"
#include "formats/text/html.h"
#include "formats/text/lines.h"

#define NAME_MAX 12u /* of a tag or an attribute, as far as it matters */

/* What an attribute says. */
enum role { ROLE_LINK, ROLE_TITLE, ROLE_INNER, ROLE_FORM, ROLES };

static const struct {
	struct span tag, name;
	enum role role;
} roles[] = {
	{ SPAN("a"), SPAN("href"), ROLE_LINK },
	{ SPAN("a"), SPAN("title"), ROLE_TITLE },
	{ SPAN("area"), SPAN("href"), ROLE_INNER },
	{ SPAN("img"), SPAN("src"), ROLE_INNER },
	{ SPAN("img"), SPAN("dynsrc"), ROLE_INNER },
	{ SPAN("iframe"), SPAN("src"), ROLE_INNER },
	{ SPAN("frame"), SPAN("src"), ROLE_INNER },
	{ SPAN("input"), SPAN("src"), ROLE_INNER },
	{ SPAN("embed"), SPAN("src"), ROLE_INNER },
	{ SPAN("form"), SPAN("action"), ROLE_FORM },
};

struct tag {
	struct span name;
	struct span value[ROLES]; /* as they are written; ptr NULL: none */
};

struct page {
	struct span in;
	size_t at;
	struct buf form, link, shown, other;
	bool in_form, in_link;
	link_fn *fn;
	void *arg;
	bool go_on;
};

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- texts ----------------------------------------------------------------- */

static void
put(struct buf *b, char c)
{
	if (b->len < LINK_TEXT_MAX)
		buf_char(b, c);
}

static void
put_code(struct buf *b, uint32_t code)
{
	char text[4];
	size_t n = utf8_encode(code, text);

	for (size_t i = 0; i < n; i++)
		put(b, text[i]);
}

/* The character that `s` begins with; how many bytes it is. */
static size_t
put_next(struct buf *b, struct span s)
{
	uint32_t code;
	bool closed;
	size_t n =
	    s.ptr[0] == '&' ? html_entity(span_from(s, 1), &code, &closed) : 0;

	if (n == 0)
		put(b, s.ptr[0]);
	else
		put_code(b, code);
	return n + 1;
}

static void
decode(struct buf *b, struct span s)
{
	buf_clear(b);
	for (size_t i = 0; i < s.len && b->len < LINK_TEXT_MAX;)
		i += put_next(b, span_from(s, i));
}

/* ---- what is told ------------------------------------------------------------ */

static void
tell(struct page *p, const struct buf *real, struct span shown)
{
	if (p->go_on)
		p->go_on = p->fn(p->arg, buf_view(real), shown);
}

static void
end_link(struct page *p)
{
	if (p->in_link)
		tell(p, &p->link, buf_view(&p->shown));
	p->in_link = false;
}

static void
begin_link(struct page *p, const struct tag *t)
{
	struct span title = t->value[ROLE_TITLE];

	end_link(p);
	if (t->value[ROLE_LINK].ptr == NULL)
		return;
	decode(&p->link, t->value[ROLE_LINK]);
	buf_clear(&p->shown);
	p->in_link = true;
	if (p->in_form)
		tell(p, &p->form, buf_view(&p->link));
	if (title.ptr != NULL) {
		decode(&p->other, title);
		tell(p, &p->link, buf_view(&p->other));
	}
}

static void
begin_form(struct page *p, const struct tag *t)
{
	if (t->value[ROLE_FORM].ptr == NULL)
		return;
	decode(&p->form, t->value[ROLE_FORM]);
	p->in_form = true;
	tell(p, &p->form, SPAN(""));
}

static void
apply(struct page *p, const struct tag *t)
{
	struct span inner = t->value[ROLE_INNER];

	if (lines_same(t->name, SPAN("a")))
		begin_link(p, t);
	else if (lines_same(t->name, SPAN("form")))
		begin_form(p, t);
	if (inner.ptr == NULL || (!p->in_link && !p->in_form))
		return;
	decode(&p->other, inner);
	tell(p, p->in_link ? &p->link : &p->form, buf_view(&p->other));
}

/* ---- tags -------------------------------------------------------------------- */

static void
skip_blanks(struct page *p)
{
	while (p->at < p->in.len && is_blank(p->in.ptr[p->at]))
		p->at++;
}

/* To the next of these, blanks among them, or the end. */
static struct span
take_until(struct page *p, const char *ends)
{
	size_t from = p->at;

	while (p->at < p->in.len && !is_blank(p->in.ptr[p->at]) &&
	    (p->in.ptr[p->at] == '\0' ||
		strchr(ends, p->in.ptr[p->at]) == NULL))
		p->at++;
	return bytes_sub(p->in, from, p->at - from);
}

/* Behind "=".  A quote that is not closed ends with the tag. */
static struct span
take_value(struct page *p)
{
	struct span rest, value;
	const char *end;
	char quote = '\0';

	skip_blanks(p);
	rest = span_from(p->in, p->at);
	if (rest.len > 0)
		quote = rest.ptr[0];
	if (quote != '"' && quote != '\'')
		return take_until(p, ">");
	rest = span_from(rest, 1);
	end = memchr(rest.ptr, quote, rest.len);
	if (end == NULL)
		end = memchr(rest.ptr, '>', rest.len);
	value = bytes_sub(
	    rest, 0, end == NULL ? rest.len : (size_t)(end - rest.ptr));
	p->at += 1 + value.len + (end != NULL && *end == quote);
	return value;
}

static void
keep(struct tag *t, struct span name, struct span value)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (lines_same(roles[i].tag, t->name) &&
		    lines_same(roles[i].name, name) &&
		    t->value[roles[i].role].ptr == NULL)
			t->value[roles[i].role] = value;
}

static void
take_attributes(struct page *p, struct tag *t)
{
	while (p->at < p->in.len && p->in.ptr[p->at] != '>') {
		struct span name = take_until(p, "=>/");

		skip_blanks(p);
		if (p->at < p->in.len && p->in.ptr[p->at] == '=') {
			p->at++;
			keep(t, name, take_value(p));
		} else if (name.len == 0 && p->at < p->in.len &&
		    p->in.ptr[p->at] == '/') {
			p->at++;
		}
	}
	p->at += p->at < p->in.len;
}

/* To behind `end`, or the end of the page. */
static void
skip_to(struct page *p, struct span end)
{
	struct span rest = span_from(p->in, p->at);
	const char *found = memmem(rest.ptr, rest.len, end.ptr, end.len);

	p->at +=
	    found == NULL ? rest.len : (size_t)(found - rest.ptr) + end.len;
}

/* What stands in scripts and styles is no page. */
static void
skip_raw(struct page *p, struct span end)
{
	while (p->at < p->in.len) {
		const char *lt =
		    memchr(p->in.ptr + p->at, '<', p->in.len - p->at);

		p->at = lt == NULL ? p->in.len : (size_t)(lt - p->in.ptr);
		if (lines_starts(span_from(p->in, p->at), end))
			return;
		p->at += p->at < p->in.len;
	}
}

static void
take_end_tag(struct page *p)
{
	struct span name;

	p->at += 2;
	name = take_until(p, ">/");
	if (lines_same(name, SPAN("a")))
		end_link(p);
	else if (lines_same(name, SPAN("form")))
		p->in_form = false;
	skip_to(p, SPAN(">"));
}

static void
take_tag(struct page *p)
{
	struct tag t = { .name = { NULL, 0 } };

	p->at++;
	t.name = take_until(p, ">/");
	take_attributes(p, &t);
	if (t.name.len > NAME_MAX)
		return;
	apply(p, &t);
	if (lines_same(t.name, SPAN("script")))
		skip_raw(p, SPAN("</script"));
	else if (lines_same(t.name, SPAN("style")))
		skip_raw(p, SPAN("</style"));
}

/* At "<".  False: it is text. */
static bool
take_markup(struct page *p)
{
	struct span rest = span_from(p->in, p->at);
	char next = '\0';

	if (rest.len > 1)
		next = rest.ptr[1];
	if (span_starts(rest, "<!--"))
		skip_to(p, SPAN("-->"));
	else if (next == '!' || next == '?')
		skip_to(p, SPAN(">"));
	else if (next == '/')
		take_end_tag(p);
	else if (is_letter(next))
		take_tag(p);
	else
		return false;
	return true;
}

void
links_read(struct span page, link_fn *fn, void *arg)
{
	struct page p = { .in = page, .fn = fn, .arg = arg, .go_on = true };

	p.form = p.link = p.shown = p.other = buf_make(LINK_TEXT_MAX + 1);
	while (p.go_on && p.at < page.len) {
		const char *lt;

		if (page.ptr[p.at] == '<' && take_markup(&p))
			continue;
		if (p.in_link) {
			p.at += put_next(&p.shown, span_from(page, p.at));
			continue;
		}
		lt = memchr(page.ptr + p.at + 1, '<', page.len - p.at - 1);
		p.at = lt == NULL ? page.len : (size_t)(lt - page.ptr);
	}
	end_link(&p);
	buf_free(&p.form);
	buf_free(&p.link);
	buf_free(&p.shown);
	buf_free(&p.other);
}
