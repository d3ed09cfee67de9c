#include "scan/rules/build/text.h"

#include <string.h>

#define ROWS_MAX ((size_t)1 << 36) /* bytes; the text is the real limit */

static const struct rule_token no_token = { .kind = RULE_BAD };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_name(char c)
{
	return is_letter(c) || is_digit(c);
}

/* ---- tokens -------------------------------------------------------------- */

static char
peek(const struct rule_lexer *l, size_t ahead)
{
	if (ahead >= l->text.len - l->at)
		return '\0';
	return l->text.ptr[l->at + ahead];
}

static void
step(struct rule_lexer *l)
{
	if (l->text.ptr[l->at++] == '\n')
		l->line++;
}

static bool
at_end(const struct rule_lexer *l)
{
	return l->at >= l->text.len;
}

/* Over a comment; one that does not end goes to the end. */
static bool
skip_comment(struct rule_lexer *l)
{
	if (peek(l, 0) != '/' || (peek(l, 1) != '/' && peek(l, 1) != '*'))
		return false;
	if (peek(l, 1) == '/') {
		while (!at_end(l) && peek(l, 0) != '\n')
			step(l);
		return true;
	}
	l->at += 2;
	while (!at_end(l) && (peek(l, 0) != '*' || peek(l, 1) != '/'))
		step(l);
	l->at = l->text.len - l->at < 2 ? l->text.len : l->at + 2;
	return true;
}

static void
skip_blank(struct rule_lexer *l)
{
	while (!at_end(l))
		if (strchr(" \t\r\n", peek(l, 0)) != NULL && peek(l, 0) != '\0')
			step(l);
		else if (!skip_comment(l))
			return;
}

/* From a quote or slash to the next that no backslash stands before. */
static enum rule_token_kind
take_quoted(struct rule_lexer *l, char quote, enum rule_token_kind kind)
{
	l->at++;
	while (!at_end(l) && peek(l, 0) != quote) {
		if (peek(l, 0) == '\n')
			return RULE_BAD;
		if (peek(l, 0) == '\\')
			l->at++;
		if (!at_end(l) && peek(l, 0) != '\n')
			l->at++;
	}
	if (at_end(l))
		return RULE_BAD;
	l->at++;
	if (kind == RULE_REGEX && peek(l, 0) == 'i')
		l->at++;
	if (kind == RULE_REGEX && peek(l, 0) == 's')
		l->at++;
	return kind;
}

static enum rule_token_kind
take_number(struct rule_lexer *l)
{
	char base = '\0';

	if (peek(l, 0) == '0')
		base = peek(l, 1);

	if (base == 'x' || base == 'o') {
		l->at += 2;
		while (is_hex(peek(l, 0)))
			l->at++;
		return RULE_NUMBER;
	}
	while (is_digit(peek(l, 0)))
		l->at++;
	if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
		l->at++;
		while (is_digit(peek(l, 0)))
			l->at++;
	} else if ((peek(l, 0) == 'K' || peek(l, 0) == 'M') &&
	    peek(l, 1) == 'B') {
		l->at += 2;
	}
	return RULE_NUMBER;
}

static enum rule_token_kind
take_sign(struct rule_lexer *l)
{
	static const char *const two[] = { "..", "==", "!=", "<=", ">=", "<<",
		">>" };
	char c = peek(l, 0);

	for (size_t i = 0; i < COUNT(two); i++)
		if (c == two[i][0] && peek(l, 1) == two[i][1]) {
			l->at += 2;
			return RULE_SIGN;
		}
	l->at++;
	return c < ' ' || c == 0x7f ? RULE_BAD : RULE_SIGN;
}

static enum rule_token_kind
take_name(struct rule_lexer *l, enum rule_token_kind kind)
{
	l->at++;
	while (is_name(peek(l, 0)))
		l->at++;
	if (kind == RULE_STRING && peek(l, 0) == '*')
		l->at++;
	return kind;
}

static enum rule_token_kind
take(struct rule_lexer *l)
{
	char c = peek(l, 0);

	if (is_letter(c))
		return take_name(l, RULE_WORD);
	if (is_digit(c))
		return take_number(l);
	if (c == '"')
		return take_quoted(l, c, RULE_TEXT);
	if (c == '/')
		return take_quoted(l, c, RULE_REGEX);
	if (c == '$')
		return take_name(l, RULE_STRING);
	if (c == '#')
		return take_name(l, RULE_COUNT);
	if (c == '@')
		return take_name(l, RULE_PLACE);
	if (c == '!' && peek(l, 1) != '=')
		return take_name(l, RULE_LENGTH);
	return take_sign(l);
}

struct rule_token
rule_lexer_next(struct rule_lexer *l)
{
	struct rule_token t;
	size_t from;

	skip_blank(l);
	from = l->at;
	t.line = l->line;
	t.kind = at_end(l) ? RULE_END : take(l);
	t.text = (struct span){ l->text.ptr + from, l->at - from };
	return t;
}

static unsigned
digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

bool
rule_number(struct span text, int64_t *out)
{
	unsigned base = 10;
	int64_t v = 0, unit = 1;

	if (span_starts(text, "0x") || span_starts(text, "0o")) {
		base = text.ptr[1] == 'x' ? 16 : 8;
		text = span_from(text, 2);
	} else if (span_ends(text, "KB") || span_ends(text, "MB")) {
		unit = text.ptr[text.len - 2] == 'K' ? 1 << 10 : 1 << 20;
		text.len -= 2;
	}
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_hex(text.ptr[i]) || digit_value(text.ptr[i]) >= base ||
		    __builtin_mul_overflow(v, (int64_t)base, &v) ||
		    __builtin_add_overflow(
			v, (int64_t)digit_value(text.ptr[i]), &v))
			return false;
	return !__builtin_mul_overflow(v, unit, out);
}

/* ---- items ----------------------------------------------------------------- */

struct parser {
	struct rule_lexer lexer;
	struct rule_token token; /* the one that is looked at */
	struct rule_source *out;
	size_t end, end_line; /* of the token before */
};

static void
advance(struct parser *p)
{
	p->end = p->lexer.at;
	p->end_line = p->lexer.line;
	p->token = rule_lexer_next(&p->lexer);
}

static bool
is(const struct parser *p, enum rule_token_kind kind, const char *text)
{
	return p->token.kind == kind && span_is(p->token.text, text);
}

static bool
accept(struct parser *p, enum rule_token_kind kind, const char *text)
{
	if (!is(p, kind, text))
		return false;
	advance(p);
	return true;
}

static bool
accept_kind(struct parser *p, enum rule_token_kind kind, struct span *out)
{
	if (p->token.kind != kind)
		return false;
	*out = p->token.text;
	advance(p);
	return true;
}

/* A hex string, from behind the equal sign: braces that hold no others, and
 * comments that may hold anything. */
static bool
take_hex(struct parser *p, struct rule_string *s)
{
	struct rule_lexer *l = &p->lexer;
	size_t from = l->at;

	while (!at_end(l) && peek(l, 0) != '}')
		if (!skip_comment(l))
			step(l);
	if (at_end(l))
		return false;
	l->at++;
	s->kind = RULE_S_HEX;
	/* The brace itself is the token that is looked at. */
	s->value = (struct span){ p->token.text.ptr,
		l->at - from + p->token.text.len };
	advance(p);
	return true;
}

static bool
take_key(struct parser *p, unsigned *out)
{
	struct span number;
	int64_t v;

	if (!accept_kind(p, RULE_NUMBER, &number) || !rule_number(number, &v) ||
	    v > 255)
		return false;
	*out = (unsigned)v;
	return true;
}

/* "(3)", "(1-255)", or nothing. */
static bool
take_xor(struct parser *p, struct rule_string *s)
{
	s->xor_min = 0;
	s->xor_max = 255;
	if (!accept(p, RULE_SIGN, "("))
		return true;
	if (!take_key(p, &s->xor_min))
		return false;
	s->xor_max = s->xor_min;
	if (accept(p, RULE_SIGN, "-") && !take_key(p, &s->xor_max))
		return false;
	return accept(p, RULE_SIGN, ")");
}

static bool
take_alphabet(struct parser *p, struct rule_string *s)
{
	struct span alphabet;

	if (!accept(p, RULE_SIGN, "("))
		return true;
	s->flags |= RULE_ALPHABET;
	return accept_kind(p, RULE_TEXT, &alphabet) &&
	    accept(p, RULE_SIGN, ")");
}

static bool
take_modifiers(struct parser *p, struct rule_string *s)
{
	static const struct {
		const char *word;
		unsigned flag;
		bool (*argument)(struct parser *p, struct rule_string *s);
	} modifiers[] = {
		{ "nocase", RULE_NOCASE, NULL },
		{ "wide", RULE_WIDE, NULL },
		{ "ascii", RULE_ASCII, NULL },
		{ "fullword", RULE_FULLWORD, NULL },
		{ "private", RULE_PRIVATE, NULL },
		{ "xor", RULE_XOR, take_xor },
		{ "base64", RULE_BASE64, take_alphabet },
		{ "base64wide", RULE_BASE64W, take_alphabet },
	};
	size_t i;

	while (p->token.kind == RULE_WORD) {
		for (i = 0; i < COUNT(modifiers); i++)
			if (span_is(p->token.text, modifiers[i].word))
				break;
		if (i == COUNT(modifiers))
			return true; /* "condition" */
		advance(p);
		s->flags |= modifiers[i].flag;
		if (modifiers[i].argument != NULL &&
		    !modifiers[i].argument(p, s))
			return false;
	}
	return true;
}

static bool
take_string(struct parser *p, struct rule_item *item)
{
	struct rule_string s = { .kind = RULE_S_TEXT };

	if (!accept_kind(p, RULE_STRING, &s.name) || !is(p, RULE_SIGN, "="))
		return false;
	advance(p);
	if (is(p, RULE_SIGN, "{")) {
		if (!take_hex(p, &s))
			return false;
	} else if (accept_kind(p, RULE_REGEX, &s.value)) {
		s.kind = RULE_S_REGEX;
	} else if (!accept_kind(p, RULE_TEXT, &s.value)) {
		return false;
	}
	if (!take_modifiers(p, &s))
		return false;
	buf_add(&p->out->strings, &s, sizeof(s));
	item->strings++;
	return true;
}

static bool
take_meta(struct parser *p)
{
	struct span s;

	if (!accept_kind(p, RULE_WORD, &s) || !accept(p, RULE_SIGN, "="))
		return false;
	(void)accept(p, RULE_SIGN, "-");
	return accept_kind(p, RULE_TEXT, &s) ||
	    accept_kind(p, RULE_NUMBER, &s) || accept_kind(p, RULE_WORD, &s);
}

static bool
section(struct parser *p, const char *name)
{
	return accept(p, RULE_WORD, name) && accept(p, RULE_SIGN, ":");
}

static bool
take_condition(struct parser *p, struct rule_item *item)
{
	const char *from;

	if (!section(p, "condition"))
		return false;
	from = p->token.text.ptr;
	while (!is(p, RULE_SIGN, "}")) {
		/* A brace that is missing shall not cost the next rule. */
		if (p->token.kind == RULE_END || p->token.kind == RULE_BAD ||
		    is(p, RULE_WORD, "rule") || is(p, RULE_WORD, "private") ||
		    is(p, RULE_WORD, "global"))
			return false;
		advance(p);
	}
	item->condition =
	    (struct span){ from, (size_t)(p->token.text.ptr - from) };
	/* The end of the rule is here, not behind the blanks that follow. */
	p->end = p->lexer.at;
	p->end_line = p->lexer.line;
	return true;
}

/* From "rule" on; stops at its closing brace. */
static bool
take_rule(struct parser *p, struct rule_item *item)
{
	struct span tag;

	if (!accept(p, RULE_WORD, "rule") ||
	    !accept_kind(p, RULE_WORD, &item->name))
		return false;
	if (accept(p, RULE_SIGN, ":"))
		while (p->token.kind == RULE_WORD)
			(void)accept_kind(p, RULE_WORD, &tag);
	if (!accept(p, RULE_SIGN, "{"))
		return false;
	if (is(p, RULE_WORD, "meta")) {
		if (!section(p, "meta"))
			return false;
		while (!is(p, RULE_WORD, "strings") &&
		    !is(p, RULE_WORD, "condition"))
			if (!take_meta(p))
				return false;
	}
	item->string =
	    (uint32_t)(p->out->strings.len / sizeof(struct rule_string));
	if (is(p, RULE_WORD, "strings")) {
		if (!section(p, "strings"))
			return false;
		while (!is(p, RULE_WORD, "condition"))
			if (!take_string(p, item))
				return false;
	}
	return take_condition(p, item);
}

static bool
take_statement(struct parser *p, struct rule_item *item)
{
	bool import = is(p, RULE_WORD, "import");

	item->kind = import ? RULE_I_IMPORT : RULE_I_INCLUDE;
	advance(p);
	if (p->token.kind != RULE_TEXT)
		return false;
	item->name =
	    (struct span){ p->token.text.ptr + 1, p->token.text.len - 2 };
	p->end = p->lexer.at;
	p->end_line = p->lexer.line;
	return true;
}

/* One item; false leaves the parser where it could not go on. */
static bool
take_item(struct parser *p, struct rule_item *item)
{
	if (is(p, RULE_WORD, "import") || is(p, RULE_WORD, "include"))
		return take_statement(p, item);
	for (;;) {
		if (accept(p, RULE_WORD, "global"))
			item->global = true;
		else if (accept(p, RULE_WORD, "private"))
			item->private = true;
		else
			break;
	}
	return take_rule(p, item);
}

/* Does an item seem to begin here, at the start of a line? */
static bool
looks_like_item(struct span line)
{
	static const char *const words[] = { "rule", "private", "global",
		"import", "include" };
	size_t blank = 0;

	while (blank < line.len &&
	    (line.ptr[blank] == ' ' || line.ptr[blank] == '\t'))
		blank++;
	line = span_from(line, blank);
	for (size_t i = 0; i < COUNT(words); i++)
		if (span_starts(line, words[i]) &&
		    (line.len == strlen(words[i]) ||
			!is_name(line.ptr[strlen(words[i])])))
			return true;
	return false;
}

/* To the next line on which an item seems to begin, that of the token that
 * did not fit included, unless it is the first of the broken item. */
static void
recover(struct parser *p, const char *from)
{
	struct rule_lexer *l = &p->lexer;
	size_t at = (size_t)(p->token.text.ptr - l->text.ptr);

	if (p->token.kind == RULE_WORD && p->token.text.ptr != from &&
	    looks_like_item(p->token.text)) {
		l->at = p->end = at;
		l->line = p->end_line = p->token.line;
		return;
	}
	while (!at_end(l)) {
		while (!at_end(l) && peek(l, 0) != '\n')
			step(l);
		p->end = l->at;
		p->end_line = l->line;
		if (!at_end(l))
			step(l);
		if (looks_like_item(span_from(l->text, l->at)))
			return;
	}
}

enum err
rule_source_parse(struct span text, struct rule_source *out, struct errinfo *ei)
{
	struct parser p = {
		.lexer = { text, 0, 1 }, .token = no_token, .out = out
	};

	*out = (struct rule_source){ text, buf_make(ROWS_MAX),
		buf_make(ROWS_MAX), false };
	for (advance(&p); p.token.kind != RULE_END; advance(&p)) {
		struct rule_item item = { .line = p.token.line };
		const char *from = p.token.text.ptr;
		size_t strings = out->strings.len;

		if (!take_item(&p, &item)) {
			recover(&p, from);
			buf_cut(&out->strings, strings);
			item.kind = RULE_I_BROKEN;
			item.strings = 0;
			out->broken = true;
		}
		item.text =
		    (struct span){ from, (size_t)(text.ptr + p.end - from) };
		item.last_line = p.end_line;
		buf_add(&out->items, &item, sizeof(item));
	}
	return out->items.full || out->strings.full
	    ? err_set(ei, ERR_NOMEM, "YARA rules")
	    : OK;
}

void
rule_source_free(struct rule_source *s)
{
	buf_free(&s->items);
	buf_free(&s->strings);
}
