#ifndef SCAN_RULES_BUILD_OPERAND_H
#define SCAN_RULES_BUILD_OPERAND_H

#include "scan/rules/build/condition.h"
#include "scan/rules/build/lexer.h"

/* The two halves of the parser of conditions: operand.c reads what stands
 * between operators, condition.c the operators. */

#define VARS_MAX 8u /* names of loops within loops */

/* What is known of the value of an expression.  `need` holds whenever it is
 * true, `defined` whenever it is not undefined. */
struct value {
	const struct gate_node *need, *defined;
	const struct gate_node *number; /* NULL: not known */
	/* Of "#a": that $a is there; else NULL. */
	const struct gate_node *counted;
};

struct parser {
	const struct condition_scope *scope;
	struct gate_maker *maker;
	struct rule_lexer l;
	uint32_t nest;
	bool in_loop; /* over strings: "$" is one of them */
	bool failed;  /* not understood: whatever is made is not used */
	struct span vars[VARS_MAX];
	size_t var_count;
};

/* ---- operand.c ---- */

struct value operand(struct parser *p);
/* Behind a number or a share ("%"): "of" and a set. */
struct value operand_of(struct parser *p, const struct value *number);

/* ---- condition.c ---- */

struct value condition_expression(struct parser *p);
struct value condition_arithmetic(struct parser *p); /* without comparisons */

/* ---- both ---- */

static inline bool
is(const struct parser *p, const char *text)
{
	return rule_is(&p->l, text);
}

static inline bool
accept(struct parser *p, const char *text)
{
	return rule_accept(&p->l, text);
}

static inline void
expect(struct parser *p, const char *text)
{
	if (!accept(p, text))
		p->failed = true;
}

static inline struct span
take(struct parser *p)
{
	struct span text = p->l.token.text;

	rule_next(&p->l);
	return text;
}

static inline struct value
truth(const struct gate_node *need)
{
	return (struct value){ need, gate_always(), NULL, NULL };
}

static inline struct value
anything(void)
{
	return truth(gate_always());
}

/* Something that is undefined unless `n` holds. */
static inline struct value
depends(const struct gate_node *n)
{
	return (struct value){ n, n, NULL, NULL };
}

static inline struct value
not_understood(struct parser *p)
{
	p->failed = true;
	return anything();
}

#endif
