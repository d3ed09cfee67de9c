#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/text/html.h"
#include "formats/text/stage.h"

/* Scripts, token by token.  Variables that a script declares are numbered in
 * their order, within the function that declares them; what others have named
 * keeps its name. */

#define NAMES_MAX  8192u /* that are numbered; others keep theirs */
#define DEPTH_MAX  256u  /* of functions in each other */
#define STRING_MAX (1u << 20)

struct name {
	struct span text;
	uint32_t number;
};
enum declares {
	DECLARES_NOT,
	DECLARES_VAR,
	DECLARES_NAME,
	DECLARES_PARAMETERS
};

struct script {
	struct span in;
	size_t at;
	struct stage out;
	struct name *names; /* a stack: those of outer functions first */
	size_t count;
	uint32_t next;
	size_t scope[DEPTH_MAX];   /* where a function's names begin */
	uint32_t brace[DEPTH_MAX]; /* and its braces */
	size_t depth;
	uint32_t braces;
	enum declares declares;
	bool word;         /* the last token was a word or a number */
	bool member;       /* behind a dot: not a variable */
	bool operand;      /* a slash would divide */
	bool plus;         /* behind a string: it may go on */
	struct buf string; /* not yet put out */
	bool has_string;
};

static char
small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static bool
is_word(char c)
{
	char s = small(c);

	return (s >= 'a' && s <= 'z') || c == '_' || c == '$' ||
	    (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

/* ---- names ----------------------------------------------------------------------------- */

static bool
same_name(struct span a, struct span b)
{
	return span_eq(a, b);
}

static const struct name *
find_name(const struct script *s, struct span text)
{
	for (size_t i = s->count; i > 0; i--)
		if (same_name(s->names[i - 1].text, text))
			return &s->names[i - 1];
	return NULL;
}

/* A name that this function does not have yet. */
static void
declare(struct script *s, struct span text)
{
	size_t from = s->depth == 0 ? 0 : s->scope[s->depth - 1];

	for (size_t i = from; i < s->count; i++)
		if (same_name(s->names[i].text, text))
			return;
	if (s->count < NAMES_MAX)
		s->names[s->count++] = (struct name){ text, s->next++ };
}

static void
open_function(struct script *s)
{
	if (s->depth == DEPTH_MAX)
		return;
	s->scope[s->depth] = s->count;
	s->brace[s->depth++] = s->braces;
}

static void
close_brace(struct script *s)
{
	s->braces -= s->braces > 0;
	if (s->depth > 0 && s->brace[s->depth - 1] == s->braces) {
		s->depth--;
		s->count = s->scope[s->depth];
	}
}

/* ---- strings --------------------------------------------------------------------------- */

static void
flush_string(struct script *s)
{
	if (!s->has_string)
		return;
	stage_char(&s->out, '"');
	stage_span(&s->out, buf_view(&s->string));
	stage_char(&s->out, '"');
	buf_clear(&s->string);
	s->has_string = false;
	if (s->plus)
		stage_char(&s->out, '+');
	s->plus = false;
}

static int
hex_value(struct span s, size_t at, size_t digits)
{
	int v = 0;

	for (size_t i = at; i < at + digits; i++) {
		char c = (char)(i < s.len ? small(s.ptr[i]) : 'x');

		if (!is_digit(c) && (c < 'a' || c > 'f'))
			return -1;
		v = v * 16 + (is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/* Behind a backslash: what it stands for. */
static void
take_escape(struct script *s)
{
	char c = (char)(s->at < s->in.len ? s->in.ptr[s->at++] : '\\');
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
	int v = digits == 0 ? -1 : hex_value(s->in, s->at, digits);

	if (v >= 0) {
		s->at += digits;
		if (v < 256)
			buf_char(&s->string, small((char)v));
		return;
	}
	if (c == '\\' || is_blank(c))
		buf_char(&s->string, '\\');
	if (c == 'n' || c == 't' || c == 'r' || is_blank(c))
		c = ' ';
	buf_char(&s->string, small(c));
}

static void
take_string(struct script *s, char quote)
{
	if (s->plus)
		s->plus = false;
	else
		flush_string(s);
	while (s->at < s->in.len && s->in.ptr[s->at] != quote) {
		char c = s->in.ptr[s->at++];

		if (c == '\\')
			take_escape(s);
		else if (c != '\0' && c != '\r')
			buf_char(
			    &s->string, (char)(c == '\n' ? ' ' : small(c)));
	}
	s->at += s->at < s->in.len;
	s->has_string = s->operand = true;
	s->word = s->member = false;
}

/* ---- words ------------------------------------------------------------------------------- */

static void
begin_word(struct script *s)
{
	flush_string(s);
	if (s->word)
		stage_char(&s->out, ' ');
	s->word = true;
}

/* Words after which a slash begins an expression. */
static bool
is_prefix(struct span word)
{
	static const char *const words[] = { "return", "typeof", "case", "in",
		"delete", "void", "throw", "new", "else", "do" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (span_is(word, words[i]))
			return true;
	return false;
}

static void
take_declaration(struct script *s, struct span word)
{
	if (s->declares == DECLARES_NAME && !s->member) {
		declare(s, word);
		return;
	}
	if (s->declares == DECLARES_VAR || s->declares == DECLARES_PARAMETERS)
		declare(s, word);
	if (s->declares == DECLARES_VAR)
		s->declares = DECLARES_NOT;
}

static void
put_name(struct script *s, struct span word)
{
	const struct name *n = s->member ? NULL : find_name(s, word);

	if (n != NULL) {
		char text[16];

		(void)snprintf(text, sizeof(text), "n%03u", n->number);
		stage_span(&s->out, span_of(text));
		return;
	}
	for (size_t i = 0; i < word.len; i++)
		stage_char(&s->out, small(word.ptr[i]));
}

static void
take_word(struct script *s)
{
	struct span word = { s->in.ptr + s->at, 0 };

	while (s->at + word.len < s->in.len &&
	    is_word(s->in.ptr[s->at + word.len]))
		word.len++;
	s->at += word.len;
	begin_word(s);
	s->operand = !is_prefix(word);
	if (!s->member && span_is(word, "var")) {
		s->declares = DECLARES_VAR;
		stage_span(&s->out, SPAN("var"));
	} else if (!s->member && span_is(word, "function")) {
		s->declares = DECLARES_NAME;
		open_function(s); /* which alone knows its name */
		stage_span(&s->out, SPAN("function"));
	} else {
		take_declaration(s, word);
		put_name(s, word);
	}
	s->member = false;
}

/* Digits, and a fraction without the zeros at its end. */
static void
take_number(struct script *s)
{
	begin_word(s);
	while (s->at < s->in.len && is_digit(s->in.ptr[s->at]))
		stage_char(&s->out, s->in.ptr[s->at++]);
	if (s->at + 1 < s->in.len && s->in.ptr[s->at] == '.' &&
	    is_digit(s->in.ptr[s->at + 1])) {
		size_t end = ++s->at, last = s->at - 1;

		for (; end < s->in.len && is_digit(s->in.ptr[end]); end++)
			last = s->in.ptr[end] == '0' ? last : end;
		stage_span(
		    &s->out, bytes_sub(s->in, s->at - 1, last + 2 - s->at));
		s->at = end;
	}
	s->operand = true;
	s->member = false;
}

/* ---- all else ------------------------------------------------------------------------------- */

/* What ClamAV leaves out: comments between stars, and the marks of others,
 * whose text stays. */
static bool
skip_comment(struct script *s)
{
	struct span rest = span_from(s->in, s->at);
	const char *end;

	if (span_starts(rest, "/*")) {
		end = memmem(rest.ptr + 2, rest.len - 2, "*/", 2);
		s->at = end == NULL ? s->in.len
				    : s->at + (size_t)(end - rest.ptr) + 2;
		return true;
	}
	if (span_starts(rest, "//"))
		s->at += 2;
	else if (span_starts(rest, "-->"))
		s->at += 3;
	else
		return false;
	return true;
}

static void
take_regex(struct script *s)
{
	bool in_class = false;

	flush_string(s);
	stage_char(&s->out, '/');
	for (s->at++; s->at < s->in.len; s->at++) {
		char c = s->in.ptr[s->at];

		if (c == '\n' || c == '\r')
			break;
		stage_char(&s->out, small(c));
		if (c == '\\' && s->at + 1 < s->in.len)
			stage_char(&s->out, small(s->in.ptr[++s->at]));
		else if (c == '[' || c == ']')
			in_class = c == '[';
		else if (c == '/' && !in_class) {
			s->at++;
			break;
		}
	}
	s->operand = true;
	s->word = false;
}

static void
follow_brackets(struct script *s, char c)
{
	switch (c) {
	case '(':
		if (s->declares == DECLARES_NAME)
			s->declares = DECLARES_PARAMETERS;
		break;
	case ')':
		if (s->declares == DECLARES_PARAMETERS)
			s->declares = DECLARES_NOT;
		break;
	case '{':
		s->braces++;
		break;
	case '}':
		close_brace(s);
		break;
	default:
		break;
	}
}

/* Whether the comma goes on with what a "var" began: no bracket is open. */
static void
take_sign(struct script *s)
{
	char c = s->in.ptr[s->at++];

	if (s->has_string && c == '+' && !s->plus &&
	    (s->at == s->in.len || s->in.ptr[s->at] != '+')) {
		s->plus = true;
		s->operand = s->word = false;
		return;
	}
	flush_string(s);
	stage_char(&s->out, c);
	follow_brackets(s, c);
	s->word = false;
	s->member = c == '.';
	s->operand = c == ')' || c == ']' || c == '}';
}

/* "var a = f(1, 2), b": the comma outside of brackets. */
struct list {
	bool on;
	unsigned open;
};

static void
follow_list(struct script *s, struct list *l, char c)
{
	if (s->declares == DECLARES_VAR)
		*l = (struct list){ true, 0 };
	if (!l->on)
		return;
	if (c == '(' || c == '[' || c == '{')
		l->open++;
	else if ((c == ')' || c == ']' || c == '}') && l->open > 0)
		l->open--;
	else if (c == ';' || c == ')' || c == '}')
		l->on = false;
	else if (c == ',' && l->open == 0)
		s->declares = DECLARES_VAR;
}

static void
take_token(struct script *s, struct list *l)
{
	char c = s->in.ptr[s->at];

	if (is_blank(c)) {
		s->at++;
	} else if (c == '"' || c == '\'') {
		s->at++;
		take_string(s, c);
	} else if (skip_comment(s)) {
		return;
	} else if (c == '/' && !s->operand) {
		take_regex(s);
	} else if (is_digit(c)) {
		take_number(s);
	} else if (is_word(c)) {
		take_word(s);
		if (s->declares == DECLARES_VAR)
			*l = (struct list){ true, 0 };
	} else {
		take_sign(s);
		follow_list(s, l, c);
	}
}

void
script_normalise(struct span script, struct buf *out)
{
	struct script s = { .in = script,
		.names = calloc(NAMES_MAX, sizeof(*s.names)),
		.string = buf_make(STRING_MAX) };
	struct list l = { false, 0 };

	s.out.to = out;
	while (s.names != NULL && s.at < script.len && !out->full)
		take_token(&s, &l);
	flush_string(&s);
	stage_flush(&s.out);
	free(s.names);
	buf_free(&s.string);
}
