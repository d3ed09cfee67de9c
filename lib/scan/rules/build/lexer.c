#include "scan/rules/build/lexer.h"

#include <string.h>

#include "formats/bytes.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char
peek(const struct rule_lexer *l, size_t ahead)
{
	if (ahead >= l->text.len - l->at)
		return '\0';
	return l->text.ptr[l->at + ahead];
}

static bool
at_end(const struct rule_lexer *l)
{
	return l->at >= l->text.len;
}

static void
move(struct rule_lexer *l, size_t to)
{
	while (l->at < to)
		if (l->text.ptr[l->at++] == '\n')
			l->line++;
}

/* ---- what stands between tokens --------------------------------------------- */

size_t
rule_skip_comment(struct span text, size_t at)
{
	struct span rest = span_from(text, at);
	bool block = span_starts(rest, "/*");
	const char *end;

	if (!block && !span_starts(rest, "//"))
		return at;
	end = span_find(span_from(rest, 2), block ? SPAN("*/") : SPAN("\n"), 0);
	if (end == NULL)
		return text.len;
	return (size_t)(end - text.ptr) + (block ? 2 : 0);
}

static bool
skip_comment(struct rule_lexer *l)
{
	size_t before = l->at;

	move(l, rule_skip_comment(l->text, l->at));
	return l->at != before;
}

static void
skip_blank(struct rule_lexer *l)
{
	while (!at_end(l))
		if (memchr(" \t\r\n", peek(l, 0), 4) != NULL)
			move(l, l->at + 1);
		else if (!skip_comment(l))
			return;
}

/* ---- tokens ----------------------------------------------------------------- */

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

static void
take_digits(struct rule_lexer *l)
{
	while (is_digit(peek(l, 0)))
		l->at++;
}

static enum rule_token_kind
take_number(struct rule_lexer *l)
{
	if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'o')) {
		l->at += 2;
		while (bytes_hex(peek(l, 0)) >= 0)
			l->at++;
		return RULE_NUMBER;
	}
	take_digits(l);
	if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
		l->at++;
		take_digits(l);
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
	while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
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

/* ---- reading ---------------------------------------------------------------- */

struct rule_lexer
rule_lexer_of(struct span text)
{
	struct rule_lexer l = { .text = text, .line = 1 };

	rule_next(&l);
	return l;
}

void
rule_next(struct rule_lexer *l)
{
	struct rule_token *t = &l->token;
	size_t from;

	l->end = l->at;
	l->end_line = l->line;
	skip_blank(l);
	from = l->at;
	t->line = l->line;
	t->kind = at_end(l) ? RULE_END : take(l);
	t->text = (struct span){ l->text.ptr + from, l->at - from };
}

bool
rule_is(const struct rule_lexer *l, const char *text)
{
	return span_is(l->token.text, text);
}

bool
rule_accept(struct rule_lexer *l, const char *text)
{
	if (!rule_is(l, text))
		return false;
	rule_next(l);
	return true;
}

bool
rule_accept_kind(
    struct rule_lexer *l, enum rule_token_kind kind, struct span *out)
{
	if (l->token.kind != kind)
		return false;
	*out = l->token.text;
	rule_next(l);
	return true;
}

bool
rule_followed_by(const struct rule_lexer *l, const char *text)
{
	struct rule_lexer ahead = *l;

	rule_next(&ahead);
	return rule_is(&ahead, text);
}

bool
rule_next_word(struct rule_lexer *l, struct span *word)
{
	while (l->token.kind != RULE_END && l->token.kind != RULE_BAD) {
		if (rule_accept_kind(l, RULE_WORD, word))
			return true;
		rule_next(l);
	}
	return false;
}

bool
rule_accept_braces(struct rule_lexer *l, struct span *out)
{
	const char *from = l->token.text.ptr;

	while (!at_end(l) && peek(l, 0) != '}')
		if (!skip_comment(l))
			move(l, l->at + 1);
	if (at_end(l))
		return false;
	l->at++;
	*out = (struct span){ from, (size_t)(l->text.ptr + l->at - from) };
	rule_next(l);
	return true;
}

bool
rule_skip_line(struct rule_lexer *l)
{
	if (at_end(l))
		return false;
	while (!at_end(l) && peek(l, 0) != '\n')
		l->at++;
	l->end = l->at;
	l->end_line = l->line;
	if (!at_end(l))
		move(l, l->at + 1);
	return true;
}

bool
rule_number(struct span text, int64_t *out)
{
	int base = 10;
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
	for (size_t i = 0; i < text.len; i++) {
		int digit = bytes_hex(text.ptr[i]);

		if (digit < 0 || digit >= base ||
		    __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	return !__builtin_mul_overflow(v, unit, out);
}
