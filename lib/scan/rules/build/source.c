#include "scan/rules/build/source.h"

#include "scan/rules/build/lexer.h"

#define ROWS_MAX ((size_t)1 << 36) /* bytes; the text is the real limit */

struct parser {
	struct rule_lexer l;
	struct rule_source *out;
};

/* The item ends with this token, not behind the blanks that follow. */
static void
ends_here(struct rule_lexer *l)
{
	l->end = l->at;
	l->end_line = l->line;
}

/* ---- strings ----------------------------------------------------------------- */

static bool
take_key(struct rule_lexer *l, unsigned *out)
{
	struct span number;
	int64_t v;

	if (!rule_accept_kind(l, RULE_NUMBER, &number) ||
	    !rule_number(number, &v) || v > 255)
		return false;
	*out = (unsigned)v;
	return true;
}

/* "(3)", "(1-255)", or nothing. */
static bool
take_xor(struct rule_lexer *l, struct rule_string *s)
{
	s->xor_min = 0;
	s->xor_max = 255;
	if (!rule_accept(l, "("))
		return true;
	if (!take_key(l, &s->xor_min))
		return false;
	s->xor_max = s->xor_min;
	if (rule_accept(l, "-") && !take_key(l, &s->xor_max))
		return false;
	return rule_accept(l, ")");
}

static bool
take_alphabet(struct rule_lexer *l, struct rule_string *s)
{
	struct span alphabet;

	if (!rule_accept(l, "("))
		return true;
	s->flags |= RULE_ALPHABET;
	return rule_accept_kind(l, RULE_TEXT, &alphabet) && rule_accept(l, ")");
}

static bool
take_modifiers(struct rule_lexer *l, struct rule_string *s)
{
	static const struct {
		const char *word;
		unsigned flag;
		bool (*argument)(struct rule_lexer *l, struct rule_string *s);
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
	size_t i = 0;

	while (i < COUNT(modifiers)) {
		if (!rule_accept(l, modifiers[i].word)) {
			i++;
			continue;
		}
		s->flags |= modifiers[i].flag;
		if (modifiers[i].argument != NULL &&
		    !modifiers[i].argument(l, s))
			return false;
		i = 0;
	}
	return true;
}

static bool
take_string(struct parser *p, struct rule_item *item)
{
	struct rule_string s = { .kind = RULE_S_TEXT };
	struct rule_lexer *l = &p->l;

	if (!rule_accept_kind(l, RULE_STRING, &s.name) || !rule_accept(l, "="))
		return false;
	if (rule_is(l, "{")) {
		s.kind = RULE_S_HEX;
		if (!rule_accept_braces(l, &s.value))
			return false;
	} else if (rule_accept_kind(l, RULE_REGEX, &s.value)) {
		s.kind = RULE_S_REGEX;
	} else if (!rule_accept_kind(l, RULE_TEXT, &s.value)) {
		return false;
	}
	if (!take_modifiers(l, &s))
		return false;
	buf_add(&p->out->strings, &s, sizeof(s));
	item->strings++;
	return true;
}

/* ---- items ------------------------------------------------------------------- */

static bool
section(struct rule_lexer *l, const char *name)
{
	return rule_accept(l, name) && rule_accept(l, ":");
}

static bool
take_meta(struct rule_lexer *l)
{
	struct span s;

	if (!rule_accept_kind(l, RULE_WORD, &s) || !rule_accept(l, "="))
		return false;
	(void)rule_accept(l, "-");
	return rule_accept_kind(l, RULE_TEXT, &s) ||
	    rule_accept_kind(l, RULE_NUMBER, &s) ||
	    rule_accept_kind(l, RULE_WORD, &s);
}

static bool
take_condition(struct rule_lexer *l, struct rule_item *item)
{
	const char *from;

	if (!section(l, "condition"))
		return false;
	from = l->token.text.ptr;
	while (!rule_is(l, "}")) {
		/* A brace that is missing shall not cost the next rule. */
		if (l->token.kind == RULE_END || l->token.kind == RULE_BAD ||
		    rule_is(l, "rule") || rule_is(l, "private") ||
		    rule_is(l, "global"))
			return false;
		rule_next(l);
	}
	item->condition =
	    (struct span){ from, (size_t)(l->token.text.ptr - from) };
	ends_here(l);
	return true;
}

/* From "rule" to its opening brace. */
static bool
take_head(struct rule_lexer *l, struct rule_item *item)
{
	struct span tag;

	if (!rule_accept(l, "rule") ||
	    !rule_accept_kind(l, RULE_WORD, &item->name))
		return false;
	if (rule_accept(l, ":"))
		while (rule_accept_kind(l, RULE_WORD, &tag))
			;
	return rule_accept(l, "{");
}

/* From "rule" on; stops at its closing brace. */
static bool
take_rule(struct parser *p, struct rule_item *item)
{
	struct rule_lexer *l = &p->l;

	if (!take_head(l, item))
		return false;
	if (rule_is(l, "meta")) {
		if (!section(l, "meta"))
			return false;
		while (!rule_is(l, "strings") && !rule_is(l, "condition"))
			if (!take_meta(l))
				return false;
	}
	item->string =
	    (uint32_t)BUF_COUNT(&p->out->strings, struct rule_string);
	if (rule_is(l, "strings")) {
		if (!section(l, "strings"))
			return false;
		while (!rule_is(l, "condition"))
			if (!take_string(p, item))
				return false;
	}
	return take_condition(l, item);
}

static bool
take_statement(struct rule_lexer *l, struct rule_item *item)
{
	struct span quoted;

	item->kind = rule_is(l, "import") ? RULE_I_IMPORT : RULE_I_INCLUDE;
	rule_next(l);
	quoted = l->token.text;
	if (l->token.kind != RULE_TEXT)
		return false;
	item->name = (struct span){ quoted.ptr + 1, quoted.len - 2 };
	ends_here(l);
	return true;
}

/* One item; false leaves the parser where it could not go on. */
static bool
take_item(struct parser *p, struct rule_item *item)
{
	if (rule_is(&p->l, "import") || rule_is(&p->l, "include"))
		return take_statement(&p->l, item);
	for (;;) {
		if (rule_accept(&p->l, "global"))
			item->global = true;
		else if (rule_accept(&p->l, "private"))
			item->private = true;
		else
			return take_rule(p, item);
	}
}

/* ---- broken items ------------------------------------------------------------ */

/* Does an item seem to begin here, at the start of a line? */
static bool
looks_like_item(struct span line)
{
	static const char *const words[] = { "rule", "private", "global",
		"import", "include" };
	struct rule_lexer l;

	while (span_starts(line, " ") || span_starts(line, "\t"))
		line = span_from(line, 1);
	for (size_t i = 0; i < COUNT(words); i++)
		if (span_starts(line, words[i])) {
			l = rule_lexer_of(line);
			return rule_is(&l, words[i]);
		}
	return false;
}

/* To the next line on which an item seems to begin, that of the token that
 * did not fit included, unless it is the first of the broken item. */
static void
recover(struct rule_lexer *l, const char *from)
{
	if (l->token.kind == RULE_WORD && l->token.text.ptr != from &&
	    looks_like_item(l->token.text)) {
		l->at = (size_t)(l->token.text.ptr - l->text.ptr);
		l->line = l->token.line;
		ends_here(l);
		return;
	}
	while (rule_skip_line(l))
		if (looks_like_item(span_from(l->text, l->at)))
			return;
}

enum err
rule_source_parse(struct span text, struct rule_source *out, struct errinfo *ei)
{
	struct parser p = { rule_lexer_of(text), out };
	struct rule_lexer *l = &p.l;

	*out = (struct rule_source){ text, buf_make(ROWS_MAX),
		buf_make(ROWS_MAX) };
	for (; l->token.kind != RULE_END; rule_next(l)) {
		struct rule_item item = { .line = l->token.line };
		const char *from = l->token.text.ptr;
		size_t strings = out->strings.len;

		if (!take_item(&p, &item)) {
			recover(l, from);
			buf_cut(&out->strings, strings);
			item.kind = RULE_I_BROKEN;
			item.strings = 0;
		}
		item.text =
		    (struct span){ from, (size_t)(text.ptr + l->end - from) };
		item.last_line = l->end_line;
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
