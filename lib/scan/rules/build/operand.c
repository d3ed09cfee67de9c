#include "scan/rules/build/operand.h"

#include "scan/rules/build/module.h"

/* ---- strings and numbers ------------------------------------------------------ */

/* The next token names a string: it is there. */
static const struct gate_node *
take_string(struct parser *p)
{
	const struct condition_scope *s = p->scope;
	struct span name = span_from(take(p), 1); /* behind $, #, @ or ! */

	if (name.len == 0 && p->in_loop)
		return gate_string(p->maker, STRING_THIS);
	for (uint32_t i = 0; i < s->count && name.len > 0; i++)
		if (span_eq(span_from(s->strings[i].name, 1), name))
			return gate_string(p->maker, s->ids[i]);
	p->failed = true;
	return gate_always();
}

/* "(a..b)" behind "in". */
static void
range(struct parser *p)
{
	expect(p, "(");
	(void)condition_arithmetic(p);
	expect(p, "..");
	(void)condition_arithmetic(p);
	expect(p, ")");
}

/* What may stand behind a string or a set of them and only narrows. */
static void
place(struct parser *p)
{
	if (accept(p, "at"))
		(void)condition_arithmetic(p);
	else if (accept(p, "in"))
		range(p);
}

static struct value
string_value(struct parser *p)
{
	const struct gate_node *n = take_string(p);

	place(p);
	return truth(n);
}

static struct value
count_value(struct parser *p)
{
	struct value v = anything();

	v.need = v.counted = take_string(p);
	if (accept(p, "in"))
		range(p);
	return v;
}

/* @a[i] and !a[i] are undefined where there is no such match. */
static struct value
place_value(struct parser *p)
{
	const struct gate_node *n = take_string(p);

	if (accept(p, "[")) {
		(void)condition_arithmetic(p);
		expect(p, "]");
	}
	return depends(n);
}

static struct value
number_value(struct parser *p)
{
	struct value v = anything();
	int64_t n;

	if (rule_number(take(p), &n))
		v.number = gate_constant(p->maker, n);
	return v;
}

/* ---- sets and loops -------------------------------------------------------------- */

static void
add_strings(struct parser *p, struct span pattern, struct buf *out)
{
	const struct condition_scope *s = p->scope;
	bool prefix = pattern.ptr[pattern.len - 1] == '*';
	size_t before = out->len;

	pattern.len -= prefix;
	for (uint32_t i = 0; i < s->count; i++) {
		struct span name = s->strings[i].name;

		if (prefix && name.len > pattern.len)
			name.len = pattern.len;
		if (span_eq(name, pattern))
			buf_add(out, &s->ids[i], sizeof(s->ids[i]));
	}
	if (out->len == before)
		p->failed = true;
}

/* "them", "($a, $b*)": the strings, as uint32_t; or "(rule_a, rule_b*)":
 * false, for it is one of rules. */
static bool
string_set(struct parser *p, struct buf *out)
{
	struct span name;
	bool strings = true;

	if (accept(p, "them")) {
		add_strings(p, SPAN("$*"), out);
		return true;
	}
	expect(p, "(");
	do {
		if (rule_accept_kind(&p->l, RULE_STRING, &name)) {
			add_strings(p, name, out);
		} else if (rule_accept_kind(&p->l, RULE_WORD, &name)) {
			strings = false;
			(void)accept(p, "*");
		} else {
			p->failed = true;
		}
	} while (!p->failed && accept(p, ","));
	expect(p, ")");
	return strings;
}

static struct value
loop_body(struct parser *p)
{
	struct value v;

	expect(p, ":");
	expect(p, "(");
	v = condition_expression(p);
	expect(p, ")");
	return v;
}

/* How many must be. */
struct quantity {
	bool all;
	int64_t least; /* 0: perhaps none */
};

/* Of a loop over strings: "( $ at 0 )" is not true for one that is not
 * there. */
static bool
body_needs_string(struct parser *p)
{
	bool outer = p->in_loop;
	struct value body;

	p->in_loop = true;
	body = loop_body(p);
	p->in_loop = outer;
	return !gate_possible(body.need, WITHOUT_THIS);
}

/* Behind "of": a set, and if it is a loop, what must be true for each. */
static struct value
of_set(struct parser *p, struct quantity q, bool is_loop)
{
	struct value v = anything();
	struct buf ids = buf_make(SIZE_MAX / 2);
	bool strings = string_set(p, &ids);
	size_t n = BUF_COUNT(&ids, uint32_t);

	if (is_loop)
		strings = body_needs_string(p) && strings;
	else
		place(p);
	if (strings)
		v.need = gate_of(p->maker, q.all ? (int64_t)n : q.least,
		    BUF_ROWS(&ids, uint32_t), n);
	if (ids.full)
		p->maker->nomem = true;
	buf_free(&ids);
	return v;
}

/* "(a..b)", "(a, b, c)", or what is taken from a module. */
static void
iterator(struct parser *p)
{
	if (!accept(p, "(")) {
		(void)condition_arithmetic(p);
		return;
	}
	(void)condition_arithmetic(p);
	if (accept(p, ".."))
		(void)condition_arithmetic(p);
	else
		while (!p->failed && accept(p, ","))
			(void)condition_arithmetic(p);
	expect(p, ")");
}

static struct value
loop_over_values(struct parser *p, struct quantity q)
{
	size_t outer = p->var_count;
	struct value v;

	do {
		if (p->var_count == VARS_MAX ||
		    !rule_accept_kind(
			&p->l, RULE_WORD, &p->vars[p->var_count++]))
			return not_understood(p);
	} while (accept(p, ","));
	if (!accept(p, "in"))
		return not_understood(p);
	iterator(p);
	v = loop_body(p);
	p->var_count = outer;
	/* "All" of no values may be true. */
	if (q.all || q.least <= 0)
		return anything();
	return truth(v.need);
}

/* A number; with "%" a share of which at least one must be. */
static struct quantity
number_quantity(struct parser *p, const struct value *number)
{
	struct quantity q = { false, 0 };

	(void)gate_value(number->number, &q.least);
	if (accept(p, "%") && q.least > 1)
		q.least = 1;
	return q;
}

struct value
operand_of(struct parser *p, const struct value *number)
{
	struct quantity q = number_quantity(p, number);

	return accept(p, "of") ? of_set(p, q, false) : not_understood(p);
}

static bool
word_quantity(struct parser *p, struct quantity *out)
{
	*out = (struct quantity){ is(p, "all"), is(p, "any") };
	return accept(p, "all") || accept(p, "any") || accept(p, "none");
}

static struct value
loop(struct parser *p)
{
	struct quantity q;

	if (!word_quantity(p, &q)) {
		struct value number = condition_arithmetic(p);

		q = number_quantity(p, &number);
	}
	return accept(p, "of") ? of_set(p, q, true) : loop_over_values(p, q);
}

/* ---- words ------------------------------------------------------------------------- */

/* enum gate_read bits of uint16(0) and its kind; 0: it is none of them. */
static uint32_t
read_kind(struct span word)
{
	static const struct {
		const char *name;
		uint32_t how;
	} reads[] = {
		{ "uint8", 1 },
		{ "uint16", 2 },
		{ "uint32", 4 },
		{ "int8", 1 | GATE_SIGNED },
		{ "int16", 2 | GATE_SIGNED },
		{ "int32", 4 | GATE_SIGNED },
	};
	uint32_t order = span_ends(word, "be") ? GATE_BIG : 0;

	if (order != 0)
		word.len -= 2;
	for (size_t i = 0; i < COUNT(reads); i++)
		if (span_is(word, reads[i].name))
			return reads[i].how | order;
	return 0;
}

static struct value
read_value(struct parser *p)
{
	uint32_t how = read_kind(take(p));
	struct value at, v;

	expect(p, "(");
	at = condition_arithmetic(p);
	expect(p, ")");
	v = depends(at.defined);
	v.number = gate_read(p->maker, how, at.number);
	return v;
}

/* Fields and functions of these modules are undefined when the object does
 * not begin as its format does; their constants (upper case) are not, and
 * is_pe is a plain 0. */
static struct value
module_value(struct parser *p, struct span module, struct span field)
{
	const struct gate_node *n =
	    module_begins(p->maker, p->scope->modules & module_bit(module));

	if (n == NULL || (field.ptr[0] >= 'A' && field.ptr[0] <= 'Z'))
		return anything();
	return span_starts(field, "is_") ? truth(n) : depends(n);
}

static void
arguments(struct parser *p)
{
	if (accept(p, ")"))
		return;
	do
		(void)condition_expression(p);
	while (!p->failed && accept(p, ","));
	expect(p, ")");
}

/* What stands behind a name: fields, indices, arguments; the first field. */
static struct span
tail(struct parser *p)
{
	struct span first = { "", 0 }, field;

	while (!p->failed) {
		if (accept(p, ".")) {
			if (!rule_accept_kind(&p->l, RULE_WORD, &field))
				p->failed = true;
			else if (first.len == 0)
				first = field;
		} else if (accept(p, "[")) {
			(void)condition_expression(p);
			expect(p, "]");
		} else if (accept(p, "(")) {
			arguments(p);
		} else {
			break;
		}
	}
	return first;
}

static struct value
name_value(struct parser *p)
{
	struct span name = take(p), field = tail(p);
	const struct gate_node *rule;

	for (size_t i = 0; i < p->var_count; i++)
		if (span_eq(p->vars[i], name))
			return anything();
	if (field.len > 0)
		return module_value(p, name, field);
	rule = p->scope->rule(p->scope->arg, name);
	if (rule == NULL || rule->words > GATE_WORDS_MAX / 8 ||
	    rule->depth > GATE_DEPTH / 2)
		return anything();
	return truth(rule);
}

static struct value
word_value(struct parser *p)
{
	struct value v = anything();
	struct quantity q;

	if (accept(p, "for"))
		return loop(p);
	if (word_quantity(p, &q))
		return accept(p, "of") ? of_set(p, q, false)
				       : not_understood(p);
	if (accept(p, "true") || accept(p, "entrypoint"))
		return v;
	if (accept(p, "false"))
		return truth(gate_never());
	if (accept(p, "filesize")) {
		v.number = gate_size(p->maker);
		return v;
	}
	return read_kind(p->l.token.text) != 0 ? read_value(p) : name_value(p);
}

/* ---- any of them ------------------------------------------------------------- */

struct value
operand(struct parser *p)
{
	struct value v;

	if (accept(p, "(")) {
		v = condition_expression(p);
		expect(p, ")");
		return v;
	}
	switch (p->l.token.kind) {
	case RULE_WORD:
		return word_value(p);
	case RULE_NUMBER:
		return number_value(p);
	case RULE_STRING:
		return string_value(p);
	case RULE_COUNT:
		return count_value(p);
	case RULE_PLACE:
	case RULE_LENGTH:
		return place_value(p);
	case RULE_TEXT:
	case RULE_REGEX:
		rule_next(&p->l);
		return anything();
	default:
		return not_understood(p);
	}
}
