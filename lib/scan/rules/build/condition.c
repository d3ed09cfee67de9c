#include "scan/rules/build/operand.h"

#define NEST_MAX 48u /* brackets within brackets */

/* Operators, from those that bind most. */

static struct value
unary(struct parser *p)
{
	struct value v;
	size_t signs = 0;
	bool negative = false;
	int64_t n;

	for (; is(p, "-") || is(p, "~"); signs++)
		negative = span_is(take(p), "-");
	v = operand(p);
	if (signs == 0)
		return v;
	v.need = v.defined;
	v.counted = NULL;
	v.number = signs == 1 && negative && gate_value(v.number, &n)
	    ? gate_constant(p->maker, -n)
	    : NULL;
	return v;
}

/* An operator between numbers, by how much it binds; GATE_TRUE: one that is
 * not calculated here. */
struct infix {
	const char *sign;
	unsigned binds;
	enum gate_op op;
};

static const struct infix *
infix_here(const struct parser *p)
{
	static const struct infix all[] = {
		{ "*", 6, GATE_TRUE },
		{ "\\", 6, GATE_TRUE },
		{ "%", 6, GATE_TRUE },
		{ "+", 5, GATE_ADD },
		{ "-", 5, GATE_SUB },
		{ "<<", 4, GATE_TRUE },
		{ ">>", 4, GATE_TRUE },
		{ "&", 3, GATE_BITS },
		{ "^", 2, GATE_TRUE },
		{ "|", 1, GATE_TRUE },
	};

	if (is(p, "%") && rule_followed_by(&p->l, "of"))
		return NULL;
	for (size_t i = 0; i < COUNT(all); i++)
		if (is(p, all[i].sign))
			return &all[i];
	return NULL;
}

/* Operands until an operator that binds less than `least`. */
static struct value
operation(struct parser *p, unsigned least)
{
	struct value left = unary(p), right;
	const struct gate_node *number;
	const struct infix *o;

	while (!p->failed && (o = infix_here(p)) != NULL && o->binds >= least) {
		rule_next(&p->l);
		right = operation(p, o->binds + 1);
		number = o->op == GATE_TRUE ? NULL
					    : gate_calculate(p->maker, o->op,
						  left.number, right.number);
		left =
		    depends(gate_both(p->maker, left.defined, right.defined));
		left.number = number;
	}
	return left;
}

struct value
condition_arithmetic(struct parser *p)
{
	struct value v;

	if (p->failed || p->nest == NEST_MAX)
		return not_understood(p);
	p->nest++;
	v = operation(p, 1);
	p->nest--;
	return v;
}

struct comparison {
	const char *sign;
	enum gate_cmp cmp, mirrored;
};

static const struct comparison *
accept_comparison(struct parser *p)
{
	static const struct comparison all[] = {
		{ "==", GATE_EQ, GATE_EQ },
		{ "!=", GATE_NE, GATE_NE },
		{ "<=", GATE_LE, GATE_GE },
		{ ">=", GATE_GE, GATE_LE },
		{ "<", GATE_LT, GATE_GT },
		{ ">", GATE_GT, GATE_LT },
	};

	for (size_t i = 0; i < COUNT(all); i++)
		if (accept(p, all[i].sign))
			return &all[i];
	return NULL;
}

static bool
accept_text_operator(struct parser *p)
{
	static const char *const words[] = { "contains", "icontains",
		"startswith", "istartswith", "endswith", "iendswith", "iequals",
		"matches" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (accept(p, words[i]))
			return true;
	return false;
}

/* "#a > 2" needs the string, "#a < 2" does not. */
static const struct gate_node *
count_compared(
    const struct value *count, enum gate_cmp cmp, const struct value *with)
{
	int64_t n;

	if (count->counted != NULL && gate_value(with->number, &n) &&
	    ((cmp == GATE_GT && n >= 0) ||
		((cmp == GATE_GE || cmp == GATE_EQ) && n >= 1)))
		return count->counted;
	return gate_always();
}

static struct value
compared(struct parser *p, const struct value *left, const struct comparison *c,
    const struct value *right)
{
	const struct gate_node *need[] = { left->defined, right->defined,
		count_compared(left, c->cmp, right),
		count_compared(right, c->mirrored, left),
		gate_compare(p->maker, c->cmp, left->number, right->number) };

	return truth(gate_join(p->maker, GATE_AND, need, COUNT(need)));
}

static struct value
comparison(struct parser *p)
{
	struct value left = condition_arithmetic(p), right;
	const struct comparison *c;

	if (is(p, "of") || is(p, "%"))
		return operand_of(p, &left);
	while (!p->failed) {
		c = accept_comparison(p);
		if (c == NULL && !accept_text_operator(p))
			break;
		right = condition_arithmetic(p);
		left = c != NULL
		    ? compared(p, &left, c, &right)
		    : truth(gate_both(p->maker, left.defined, right.defined));
	}
	return left;
}

static struct value
negation(struct parser *p)
{
	bool plain = true;
	struct value v;

	while (accept(p, "not") || accept(p, "defined"))
		plain = false;
	v = comparison(p);
	return plain ? v : anything();
}

static struct value
chain(struct parser *p, const char *word, enum gate_op op,
    struct value (*part)(struct parser *p))
{
	struct buf nodes = buf_make(SIZE_MAX / 2); /* pointers */
	struct value v = part(p);

	if (!is(p, word))
		return v;
	buf_add(&nodes, &v.need, sizeof(void *));
	while (!p->failed && accept(p, word)) {
		v = part(p);
		buf_add(&nodes, &v.need, sizeof(void *));
	}
	if (nodes.full)
		p->maker->nomem = true;
	v = truth(gate_join(p->maker, op,
	    BUF_ROWS(&nodes, const struct gate_node *const),
	    BUF_COUNT(&nodes, void *)));
	buf_free(&nodes);
	return v;
}

static struct value
conjunction(struct parser *p)
{
	return chain(p, "and", GATE_AND, negation);
}

struct value
condition_expression(struct parser *p)
{
	struct value v;

	if (p->failed || p->nest == NEST_MAX)
		return not_understood(p);
	p->nest++;
	v = chain(p, "or", GATE_OR, conjunction);
	p->nest--;
	return v;
}

const struct gate_node *
condition_gate(const struct condition_scope *scope, struct span condition)
{
	struct parser p = { .scope = scope,
		.maker = scope->maker,
		.l = rule_lexer_of(condition) };
	struct value v = condition_expression(&p);

	return !p.failed && p.l.token.kind == RULE_END ? v.need : gate_always();
}
