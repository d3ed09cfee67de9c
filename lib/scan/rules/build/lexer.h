#ifndef SCAN_RULES_BUILD_LEXER_H
#define SCAN_RULES_BUILD_LEXER_H

#include "base/span.h"

/* The tokens of YARA rule text.  Spans point into the text. */

enum rule_token_kind {
	RULE_END,
	RULE_WORD,   /* identifier or keyword */
	RULE_NUMBER, /* 10, 0x1f, 0o17, 2KB, 1.5 */
	RULE_TEXT,   /* "..." with its quotes */
	RULE_REGEX,  /* /.../is */
	RULE_STRING, /* $, $name, $name* */
	RULE_COUNT,  /* #, #name */
	RULE_PLACE,  /* @, @name */
	RULE_LENGTH, /* !, !name */
	RULE_SIGN,   /* an operator or bracket */
	RULE_BAD,    /* nothing of the language, or broken off */
};

struct rule_token {
	enum rule_token_kind kind;
	struct span text;
	size_t line;
};

struct rule_lexer {
	struct span text;
	size_t at, line; /* behind the token */
	struct rule_token token;
	size_t end, end_line; /* of the token before */
};

/* At the first token. */
struct rule_lexer rule_lexer_of(struct span text);
void rule_next(struct rule_lexer *l);

/* Words and signs are known by their text alone: no other token has it. */
bool rule_is(const struct rule_lexer *l, const char *text);
/* Over the token, if it is that. */
bool rule_accept(struct rule_lexer *l, const char *text);
bool rule_accept_kind(
    struct rule_lexer *l, enum rule_token_kind kind, struct span *out);
/* The token behind this one is that. */
bool rule_followed_by(const struct rule_lexer *l, const char *text);
/* To the token behind the next word; false: there is no other word. */
bool rule_next_word(struct rule_lexer *l, struct span *word);

/* From a brace that is the token over the next that closes, which holds no
 * others but in comments; false: it is missing. */
bool rule_accept_braces(struct rule_lexer *l, struct span *out);
/* To the start of the next line, without looking for a token there; false:
 * there is none. */
bool rule_skip_line(struct rule_lexer *l);

/* The value of a RULE_NUMBER; false: not an integer of 63 bits. */
bool rule_number(struct span text, int64_t *out);
/* The place behind a comment that begins at `at`; `at`: none does. */
size_t rule_skip_comment(struct span text, size_t at);

#endif
