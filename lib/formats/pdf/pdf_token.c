#include "formats/pdf/pdf_token.h"

#include <string.h>

#include "formats/bytes.h"
#include "formats/pdf/wide.h"

enum { WHITE = 1, BORDER = 2, DIGIT = 4 };
static const unsigned char class_of[256] = {
	[0] = WHITE,
	['\t'] = WHITE,
	['\n'] = WHITE,
	['\f'] = WHITE,
	['\r'] = WHITE,
	[' '] = WHITE,
	['('] = BORDER,
	[')'] = BORDER,
	['<'] = BORDER,
	['>'] = BORDER,
	['['] = BORDER,
	[']'] = BORDER,
	['{'] = BORDER,
	['}'] = BORDER,
	['/'] = BORDER,
	['%'] = BORDER,
	['+'] = DIGIT,
	['-'] = DIGIT,
	['.'] = DIGIT,
	['0'] = DIGIT,
	['1'] = DIGIT,
	['2'] = DIGIT,
	['3'] = DIGIT,
	['4'] = DIGIT,
	['5'] = DIGIT,
	['6'] = DIGIT,
	['7'] = DIGIT,
	['8'] = DIGIT,
	['9'] = DIGIT,
};

static unsigned class(struct span s, size_t at)
{
	return class_of[(unsigned char)s.ptr[at]];
}

bool
pdf_is_white(char c)
{
	return class_of[(unsigned char)c] == WHITE;
}

bool
pdf_is_border(struct span s, size_t at)
{
	return at >= s.len || (class(s, at) & (WHITE | BORDER)) != 0;
}

/* Blanks and comments. */
static void
skip_white(struct pdf_lex *l)
{
	while (l->at < l->s.len) {
		if (l->s.ptr[l->at] == '%') {
			while (l->at < l->s.len && l->s.ptr[l->at] != '\n' &&
			    l->s.ptr[l->at] != '\r')
				l->at++;
		} else if (class(l->s, l->at) == WHITE) {
			l->at++;
		} else {
			return;
		}
	}
}

/* From behind the opening bracket; brackets within are balanced or escaped. */
static struct span
take_string(struct pdf_lex *l)
{
	size_t from = l->at, open = 1;

	for (; l->at < l->s.len; l->at++) {
		char c = l->s.ptr[l->at];

		if (c == '\\') {
			l->at++;
		} else if (c == '(') {
			open++;
		} else if (c == ')' && --open == 0) {
			l->at++;
			return (
			    struct span){ l->s.ptr + from, l->at - 1 - from };
		}
	}
	l->at = l->s.len;
	return span_from(l->s, from);
}

static struct span
take_hex(struct pdf_lex *l)
{
	struct span rest = span_from(l->s, l->at);
	const char *end = memchr(rest.ptr, '>', rest.len);

	if (end == NULL) {
		l->at = l->s.len;
		return rest;
	}
	rest.len = (size_t)(end - rest.ptr);
	l->at += rest.len + 1;
	return rest;
}

static struct span
take_regular(struct pdf_lex *l)
{
	size_t from = l->at;

	while (!pdf_is_border(l->s, l->at))
		l->at++;
	return (struct span){ l->s.ptr + from, l->at - from };
}

static void
take_delimiter(struct pdf_lex *l, char c, struct pdf_token *t)
{
	t->text = (struct span){ l->s.ptr + l->at - 1, 1 };
	t->kind = PDF_WORD;
	if (c == '(') {
		t->kind = PDF_STRING;
		t->text = take_string(l);
	} else if (c == '/') {
		t->kind = PDF_NAME;
		t->text = take_regular(l);
	} else if (c == '[' || c == ']') {
		t->kind = c == '[' ? PDF_ARRAY : PDF_ARRAY_END;
	} else if ((c == '<' || c == '>') && l->at < l->s.len &&
	    l->s.ptr[l->at] == c) {
		t->kind = c == '<' ? PDF_DICT : PDF_DICT_END;
		l->at++;
	} else if (c == '<') {
		t->kind = PDF_HEX;
		t->text = take_hex(l);
	}
}

void
pdf_lex_next(struct pdf_lex *l, struct pdf_token *t)
{
	*t = (struct pdf_token){ PDF_END, { l->s.ptr, 0 } };
	skip_white(l);
	if (l->at >= l->s.len)
		return;
	if (class(l->s, l->at) == BORDER) {
		char c = l->s.ptr[l->at++];

		take_delimiter(l, c, t);
		return;
	}
	t->kind = class(l->s, l->at) == DIGIT ? PDF_NUMBER : PDF_WORD;
	t->text = take_regular(l);
}

void
pdf_name_read(struct span raw, struct pdf_name *out)
{
	size_t n = 0;

	*out = (struct pdf_name){ .text = "" };
	for (size_t i = 0; i < raw.len && n < PDF_NAME_MAX; i++, n++) {
		char c = raw.ptr[i];

		if (c == '#' && i + 2 < raw.len &&
		    bytes_hex(raw.ptr[i + 1]) >= 0 &&
		    bytes_hex(raw.ptr[i + 2]) >= 0) {
			c = (char)(bytes_hex(raw.ptr[i + 1]) * 16 +
			    bytes_hex(raw.ptr[i + 2]));
			out->escaped = true;
			i += 2;
		}
		if (n < PDF_NAME_MAX - 1)
			out->text[n] = c;
	}
	if (n == PDF_NAME_MAX)
		*out = (struct pdf_name){ .text = "" };
}

static void
read_hex(struct span s, struct buf *out)
{
	int high = -1;

	for (size_t i = 0; i < s.len; i++) {
		int d = bytes_hex(s.ptr[i]);

		if (d < 0)
			continue;
		if (high < 0) {
			high = d;
			continue;
		}
		buf_char(out, (char)(high * 16 + d));
		high = -1;
	}
	if (high >= 0)
		buf_char(out, (char)(high * 16));
}

/* The escape whose backslash stands before *at; moves behind it. */
static void
read_escape(struct span s, size_t *at, struct buf *out)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	char c = s.ptr[(*at)++];
	const char *known = c == '\0' ? NULL : strchr(from, c);
	unsigned octal = 0;

	if (known != NULL) {
		buf_char(out, to[known - from]);
	} else if (c >= '0' && c <= '7') {
		(*at)--;
		for (int i = 0; i < 3 && *at < s.len && s.ptr[*at] >= '0' &&
		     s.ptr[*at] <= '7';
		     i++)
			octal = octal * 8 + (unsigned)(s.ptr[(*at)++] - '0');
		buf_char(out, (char)octal);
	} else if (c == '\r') { /* a line that goes on */
		if (*at < s.len && s.ptr[*at] == '\n')
			(*at)++;
	} else if (c != '\n') {
		buf_char(out, c);
	}
}

void
pdf_string_read(const struct pdf_token *t, struct buf *out)
{
	struct span s = t->text;
	size_t at = 0;

	if (t->kind == PDF_HEX) {
		read_hex(s, out);
		return;
	}
	while (at < s.len) {
		const char *stop = memchr(s.ptr + at, '\\', s.len - at);
		size_t n =
		    stop == NULL ? s.len - at : (size_t)(stop - s.ptr) - at;

		buf_add(out, s.ptr + at, n);
		at += n + 1;
		if (at < s.len)
			read_escape(s, &at, out);
	}
}

void
pdf_text_read(struct span s, struct buf *out)
{
	if (span_starts(s, "\xfe\xff"))
		wide_add_utf16(out, span_from(s, 2), true);
	else
		buf_span(out, s);
}

bool
pdf_number_read(struct span s, uint32_t *out)
{
	uint64_t n;

	*out = 0;
	if (s.len > 0 && s.ptr[0] == '+')
		s = span_from(s, 1);
	if (span_u64(s, UINT32_MAX, &n) != OK)
		return false;
	*out = (uint32_t)n;
	return true;
}

void
pdf_walk_start(struct pdf_walk *w, struct span s)
{
	w->lex = (struct pdf_lex){ s, 0 };
	w->depth = 0;
	w->over = w->too_deep = false;
	w->level[0] = (struct pdf_level){ .dict = false };
}

/* A number may begin "n g R". */
static void
look_for_ref(struct pdf_lex *l, struct pdf_token *t)
{
	struct pdf_lex ahead = *l;
	struct pdf_token gen, r;
	uint32_t n;

	if (t->text.len > 10 || !pdf_number_read(t->text, &n))
		return;
	pdf_lex_next(&ahead, &gen);
	if (gen.kind != PDF_NUMBER || gen.text.len > 5)
		return;
	pdf_lex_next(&ahead, &r);
	if (r.kind != PDF_WORD || !span_is(r.text, "R"))
		return;
	*l = ahead;
	t->kind = PDF_REF;
}

void
pdf_lex_value(struct pdf_lex *l, struct pdf_token *t)
{
	pdf_lex_next(l, t);
	if (t->kind == PDF_NUMBER)
		look_for_ref(l, t);
}

static bool
walk_open(struct pdf_walk *w, struct pdf_step *out)
{
	struct pdf_level *parent = &w->level[w->depth];

	if (w->depth == PDF_DEPTH_MAX) {
		w->too_deep = w->over = true;
		return false;
	}
	w->level[++w->depth] =
	    (struct pdf_level){ .dict = out->value.kind == PDF_DICT,
		    /* elements of an array stand under its key */
		    .key = parent->key };
	return true;
}

static bool
walk_close(struct pdf_walk *w, struct pdf_step *out)
{
	if (w->depth == 0) { /* closes what was never opened */
		w->over = true;
		return false;
	}
	out->level = &w->level[w->depth--];
	out->depth = w->depth;
	w->over = w->depth == 0;
	return true;
}

/* What stands under a key, or as an element. */
static bool
walk_value(struct pdf_walk *w, struct pdf_step *out)
{
	struct pdf_level *in = &w->level[w->depth];

	if (out->value.kind == PDF_NUMBER)
		look_for_ref(&w->lex, &out->value);
	out->depth = w->depth;
	out->key = in->key;
	out->around = w->depth > 0 ? w->level[w->depth - 1].key : in->key;
	out->level = in;
	in->has_key = false;
	if (out->value.kind == PDF_DICT || out->value.kind == PDF_ARRAY)
		return walk_open(w, out);
	w->over = w->depth == 0;
	return true;
}

/* A word that is no value: a dictionary before it was never closed. */
static bool
ends_object(const struct pdf_token *t)
{
	return t->kind == PDF_WORD && t->text.len >= 6 &&
	    (span_is(t->text, "endobj") || span_is(t->text, "stream") ||
		span_is(t->text, "endstream"));
}

bool
pdf_walk_next(struct pdf_walk *w, struct pdf_step *out)
{
	while (!w->over) {
		struct pdf_level *in = &w->level[w->depth];

		out->value_at = w->lex.at;
		pdf_lex_next(&w->lex, &out->value);
		if (out->value.kind == PDF_END)
			break;
		if (ends_object(&out->value)) {
			w->lex.at = out->value_at;
			break;
		}
		if (out->value.kind == PDF_DICT_END ||
		    out->value.kind == PDF_ARRAY_END)
			return walk_close(w, out);
		if (!in->dict || in->has_key)
			return walk_value(w, out);
		if (out->value.kind != PDF_NAME)
			continue; /* a key that is none: damaged */
		in->key = out->value.text;
		in->has_key = true;
	}
	w->over = true;
	return false;
}
