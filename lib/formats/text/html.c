#include "formats/text/html.h"

#include <string.h>

#include "formats/bytes.h"
#include "formats/text/lines.h"
#include "formats/text/stage.h"

#define NAME_MAX   16u /* of a tag or an attribute, as far as it matters */
#define ENTITY_MAX 10u

enum raw { RAW_NONE, RAW_SCRIPT, RAW_STYLE }; /* not to be read as text */

struct page {
	struct span in;
	size_t at;
	struct buf *scripts;
	bool gap;        /* a blank waits in the plain page */
	bool behind_tag; /* where blanks do not count */
	bool text_gap;   /* the same in the text */
	size_t skip;     /* up to here nothing goes into the text */
	enum raw raw;
	struct stage plain, text; /* last */
};

static char
small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

/* Single quotes become double ones. */
static char
plain_quote(char c)
{
	if (c == '\'')
		return '"';
	return c;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\f');
}

/* NUL and CR are not there. */
static bool
is_nothing(char c)
{
	return c == '\0' || c == '\r';
}

static void
put(struct page *p, char c)
{
	if (p->gap && !p->behind_tag && !stage_empty(&p->plain))
		stage_char(&p->plain, ' ');
	p->gap = p->behind_tag = false;
	stage_char(&p->plain, c);
}

static void
put_text(struct page *p, char c)
{
	if (p->text_gap)
		stage_char(&p->text, ' ');
	p->text_gap = false;
	stage_char(&p->text, c);
}

/* ---- entities ------------------------------------------------------------------------- */

/* Latin-1 from 160 on, and what else has a name. */
static const char *const entities[] = { "nbsp", "iexcl", "cent", "pound",
	("curr"
	 "en"),
	"yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
	"reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
	"para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12",
	"frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml",
	"Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml",
	"Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
	"Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave",
	"Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave",
	"aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
	"egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
	"iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
	"divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute",
	"thorn", "yuml" };
static const struct {
	const char *name;
	uint32_t code;
} others[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' } };

static bool
named_entity(struct span name, uint32_t *code)
{
	for (size_t i = 0; i < COUNT(others); i++)
		if (span_is(name, others[i].name)) {
			*code = others[i].code;
			return true;
		}
	for (size_t i = 0; i < COUNT(entities); i++)
		if (span_is(name, entities[i])) {
			*code = 160 + (uint32_t)i;
			return true;
		}
	return false;
}

/* "#65" or "#x41"; digits read, at most nine. */
static bool
numbered_entity(struct span s, size_t *n, uint32_t *code)
{
	unsigned base = s.len > 1 && small(s.ptr[1]) == 'x' ? 16 : 10;
	size_t from = base == 16 ? 2 : 1;

	*code = 0;
	for (*n = from; *n < s.len && *n < from + 9; ++*n) {
		char c = small(s.ptr[*n]);
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
		    : c >= 'a' && c <= 'f'            ? (unsigned)(c - 'a') + 10
						      : 16;

		if (digit >= base)
			break;
		*code = *code * base + digit;
	}
	return true;
}

size_t
html_entity(struct span s, uint32_t *code, bool *closed)
{
	size_t n = 0;

	if (s.len > 0 && s.ptr[0] == '#') {
		(void)numbered_entity(s, &n, code);
		*closed = n < s.len && s.ptr[n] == ';';
		return n + *closed;
	}
	while (n < s.len && n < ENTITY_MAX &&
	    ((small(s.ptr[n]) >= 'a' && small(s.ptr[n]) <= 'z') ||
		(s.ptr[n] >= '0' && s.ptr[n] <= '9')))
		n++;
	*closed = n < s.len && s.ptr[n] == ';';
	return *closed && named_entity(bytes_sub(s, 0, n), code) ? n + 1 : 0;
}

/* The text does not have what stands for something, known or not. */
static size_t
entity_end(struct span s, size_t at)
{
	while (at < s.len &&
	    ((small(s.ptr[at]) >= 'a' && small(s.ptr[at]) <= 'z') ||
		(s.ptr[at] >= '0' && s.ptr[at] <= '9') || s.ptr[at] == '#'))
		at++;
	return at + (at < s.len && s.ptr[at] == ';');
}

/* At an ampersand: what it stands for, as the plain page has it. */
static void
take_entity(struct page *p, bool link)
{
	uint32_t code;
	bool closed;
	size_t n = html_entity(span_from(p->in, p->at + 1), &code, &closed);
	struct buf wide = buf_make(32);

	p->skip = entity_end(p->in, p->at + 1);
	p->at += 1 + n;
	if (n == 0) {
		put(p, '&');
	} else if (code < 256) {
		char c = (char)code;

		if (closed)
			c = small(c);
		put(p, c);
	} else {
		buf_fmt(&wide, "&#x%04x;", code);
		for (size_t i = 0; i < wide.len; i++)
			put(p, wide.ptr[i]);
	}
	if (link && n > 0 && code < 256)
		put_text(p, (char)code);
	buf_free(&wide);
}

/* ---- tags ------------------------------------------------------------------------------ */

/* The attributes whose values belong to the text. */
static bool
is_link(struct span tag, struct span name)
{
	return (span_is(tag, "a") && span_is(name, "href")) ||
	    (span_is(tag, "img") && span_is(name, "src"));
}

struct word {
	char text[NAME_MAX];
	size_t len;
};

static void
add(struct word *w, char c)
{
	if (w->len < NAME_MAX)
		w->text[w->len] = small(c);
	w->len++;
}

static struct span
word_span(const struct word *w)
{
	return (struct span){ w->text, w->len < NAME_MAX ? w->len : NAME_MAX };
}

/* A value: quotes become double ones, a data: URL stops at its name. */
static void
take_value(struct page *p, bool link)
{
	char quote = p->in.ptr[p->at];
	bool quoted = quote == '"' || quote == '\'', data = false;
	size_t from = ++p->at - !quoted;

	p->at = from;
	p->text_gap = p->text_gap || link;
	if (quoted)
		put(p, '"');
	data = quoted && lines_starts(span_from(p->in, p->at), SPAN("data:"));
	for (; p->at < p->in.len; p->at++) {
		char c = p->in.ptr[p->at];

		if (c == '>' || (quoted && c == quote) ||
		    (!quoted && is_blank(c)))
			break;
		if (is_nothing(c) || (data && p->at - from >= 4))
			continue;
		if (is_blank(c)) {
			p->gap = true;
			p->text_gap = p->text_gap || link;
			link = false;
			continue;
		}
		if (c == '&') {
			take_entity(p, link && !data);
			p->at--;
			continue;
		}
		put(p, plain_quote(small(c)));
		if (link && !data)
			put_text(p, plain_quote(c));
	}
	p->gap = false;
	if (quoted && p->at < p->in.len && p->in.ptr[p->at] == quote) {
		put(p, '"');
		p->at++;
		p->gap = true;
	}
	p->text_gap = p->text_gap || link;
}

/* Blanks around "=" are gone. */
static bool
value_follows(struct page *p)
{
	size_t at = p->at;

	while (at < p->in.len &&
	    (is_blank(p->in.ptr[at]) || is_nothing(p->in.ptr[at])))
		at++;
	if (at == p->in.len || p->in.ptr[at] != '=')
		return false;
	at++;
	while (at < p->in.len &&
	    (is_blank(p->in.ptr[at]) || is_nothing(p->in.ptr[at])))
		at++;
	p->at = at;
	p->gap = false;
	put(p, '=');
	return at < p->in.len && p->in.ptr[at] != '>';
}

static void
end_tag(struct page *p, struct span tag)
{
	p->gap = false;
	if (p->at < p->in.len) {
		put(p, '>');
		p->at++;
	}
	p->behind_tag = true;
	if (span_is(tag, "script"))
		p->raw = RAW_SCRIPT;
	else if (span_is(tag, "style"))
		p->raw = RAW_STYLE;
}

/* At "<": to behind its ">". */
static void
take_tag(struct page *p)
{
	struct word tag = { .len = 0 }, name = { .len = 0 };
	bool named = false;

	put(p, '<');
	p->text_gap = true;
	for (p->at++; p->at < p->in.len && p->in.ptr[p->at] != '>';) {
		char c = p->in.ptr[p->at];

		if (is_blank(c)) {
			p->gap = named = true;
			name.len = 0;
			p->at++;
			if (value_follows(p))
				take_value(p, false);
			continue;
		}
		p->at++;
		if (is_nothing(c))
			continue;
		if (c == '/' && p->at < p->in.len && p->in.ptr[p->at] == '>')
			p->gap = false;
		put(p, plain_quote(small(c)));
		add(named ? &name : &tag, c);
		if (named && value_follows(p))
			take_value(
			    p, is_link(word_span(&tag), word_span(&name)));
	}
	end_tag(p, word_span(&tag));
}

/* "<!...>" is not there, nor are the blanks behind it. */
static void
skip_comment(struct page *p)
{
	struct span rest = span_from(p->in, p->at);
	const char *end = memchr(rest.ptr, '>', rest.len);

	p->text_gap = true;
	p->at += end == NULL ? rest.len : (size_t)(end - rest.ptr) + 1;
	while (p->at < p->in.len && is_blank(p->in.ptr[p->at]))
		p->at++;
}

/* ---- scripts and styles ------------------------------------------------------------------ */

/* Where "</script" or "</style" begins, or the end. */
static size_t
raw_end(const struct page *p, struct span tag)
{
	for (size_t at = p->at; at < p->in.len; at++) {
		const char *lt = memchr(p->in.ptr + at, '<', p->in.len - at);

		if (lt == NULL)
			break;
		at = (size_t)(lt - p->in.ptr);
		if (lines_starts(span_from(p->in, at), tag))
			return at;
	}
	return p->in.len;
}

/* Without any blanks in the plain page; a script once more, read as such. */
static void
take_raw(struct page *p)
{
	bool script = p->raw == RAW_SCRIPT;
	size_t end = raw_end(p, script ? SPAN("</script") : SPAN("</style"));
	struct span inner = bytes_sub(p->in, p->at, end - p->at);
	struct buf *out = p->scripts;

	for (size_t i = 0; i < inner.len; i++)
		if (!is_nothing(inner.ptr[i]) && !is_blank(inner.ptr[i]))
			put(p, plain_quote(small(inner.ptr[i])));
	if (script) {
		buf_text(out, out->len > 0 ? "\n<script>" : "<script>");
		script_normalise(inner, out);
		buf_text(out, "</script>");
	}
	p->raw = RAW_NONE;
	p->at = end;
}

/* ---- the page ----------------------------------------------------------------------------- */

static void
take_char(struct page *p)
{
	char c = p->in.ptr[p->at++];

	if (is_nothing(c))
		return;
	if (is_blank(c)) {
		p->gap = p->text_gap = true;
		return;
	}
	put(p, small(c));
	if (p->at > p->skip)
		put_text(p, small(c));
}

void
html_normalise(struct span page, struct html *out)
{
	struct page p;

	memset(&p, 0, offsetof(struct page, plain));
	p.plain.len = p.plain.before = p.text.len = p.text.before = 0;
	p.in = page;
	p.plain.to = &out->plain;
	p.text.to = &out->text;
	p.scripts = &out->scripts;

	while (p.at < page.len) {
		char c = page.ptr[p.at];

		if (p.raw != RAW_NONE)
			take_raw(&p);
		else if (c == '<' && p.at + 1 < page.len &&
		    page.ptr[p.at + 1] == '!')
			skip_comment(&p);
		else if (c == '<')
			take_tag(&p);
		else if (c == '&') {
			p.text_gap = true;
			take_entity(&p, false);
		} else
			take_char(&p);
	}
	if (p.text_gap)
		stage_char(&p.text, ' ');
	stage_flush(&p.plain);
	stage_flush(&p.text);
}

bool
html_is_page(struct span text)
{
	static const struct span tags[] = { SPAN("html>"), SPAN("head>"),
		SPAN("a href="), SPAN("img"), SPAN("script"), SPAN("object"),
		SPAN("iframe"), SPAN("table") };
	size_t at = 0;

	while (at < text.len) {
		const char *lt = memchr(text.ptr + at, '<', text.len - at);

		if (lt == NULL)
			return false;
		at = (size_t)(lt - text.ptr) + 1;
		if (at == text.len ||
		    memchr("haisot", small(text.ptr[at]), 6) == NULL)
			continue;
		for (size_t i = 0; i < COUNT(tags); i++)
			if (lines_starts(span_from(text, at), tags[i]))
				return true;
	}
	return false;
}
