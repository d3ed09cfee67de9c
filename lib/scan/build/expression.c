#include <math.h>

#include "scan/build/build_int.h"

#define TREE_BYTES 65536u

struct compiler {
	const struct sig_draft *draft;
	uint32_t subs;
	struct span rest;
};

/* A tree that was written, and the cheapest subs it cannot do without. */
struct tree {
	uint64_t needs;
	double cost; /* infinite: it may hold without any */
};

static enum err parse_list(struct compiler *c, unsigned depth, bool inside,
    struct buf *out, struct tree *tree, struct errinfo *ei);

static bool
next_is(const struct compiler *c, char ch)
{
	return c->rest.len > 0 && c->rest.ptr[0] == ch;
}

static enum err
parse_number(
    struct compiler *c, uint64_t max, uint64_t *out, struct errinfo *ei)
{
	size_t n = 0;

	while (
	    n < c->rest.len && c->rest.ptr[n] >= '0' && c->rest.ptr[n] <= '9')
		n++;
	if (span_u64((struct span){ c->rest.ptr, n }, max, out) != OK)
		return err_set(ei, ERR_SYNTAX,
		    "expression: number up to %llu expected at \"" SPAN_FMT
		    "\"",
		    (unsigned long long)max, SPAN_ARG(c->rest));
	c->rest = span_from(c->rest, n);
	return OK;
}

struct comparison {
	enum sig_compare kind;
	uint64_t number, number2;
};

/* "=n", ">n", "<n", each with ",m", or nothing. */
static enum err
parse_comparison(struct compiler *c, struct comparison *out, struct errinfo *ei)
{
	static const char signs[CMPS] = {
		[CMP_EQUAL] = '=', [CMP_MORE] = '>', [CMP_LESS] = '<'
	};
	enum err e;

	*out = (struct comparison){ CMP_NONE, 0, 0 };
	for (unsigned k = CMP_EQUAL; k < CMPS; k++)
		if (next_is(c, signs[k]))
			out->kind = (enum sig_compare)k;
	if (out->kind == CMP_NONE)
		return OK;
	c->rest = span_from(c->rest, 1);
	e = parse_number(c, UINT16_MAX - 1, &out->number, ei);
	if (e != OK || !next_is(c, ','))
		return e;
	c->rest = span_from(c->rest, 1);
	return parse_number(c, SUBS_MAX, &out->number2, ei);
}

static void
write_node(struct buf *out, enum sig_op op, const struct comparison *cmp,
    uint64_t what)
{
	write_number(out, op);
	write_number(out, cmp->kind);
	write_number(out, cmp->number);
	write_number(out, cmp->number2);
	write_number(out, what);
}

/* What holds without a match needs none. */
static bool
holds_without(const struct comparison *cmp)
{
	return (cmp->kind == CMP_EQUAL && cmp->number == 0) ||
	    cmp->kind == CMP_LESS;
}

static enum err
parse_sub(
    struct compiler *c, struct buf *out, struct tree *tree, struct errinfo *ei)
{
	struct comparison cmp;
	uint64_t sub;
	enum err e = parse_number(c, UINT16_MAX, &sub, ei);

	if (e == OK && sub >= c->subs)
		e = err_set(ei, ERR_SYNTAX, "expression: no subsignature %llu",
		    (unsigned long long)sub);
	if (e == OK)
		e = parse_comparison(c, &cmp, ei);
	if (e != OK)
		return e;
	write_node(out, OP_SUB, &cmp, sub);
	tree->needs = UINT64_C(1) << sub;
	tree->cost =
	    holds_without(&cmp) ? INFINITY : draft_cost(c->draft, tree->needs);
	return OK;
}

static enum err
parse_group(struct compiler *c, unsigned depth, struct buf *out,
    struct tree *tree, struct errinfo *ei)
{
	struct buf inner = buf_make(TREE_BYTES);
	struct comparison cmp;
	enum err e;

	if (depth == 0)
		return err_set(ei, ERR_LIMIT, "expression: nested too deep");
	c->rest = span_from(c->rest, 1);
	e = parse_list(c, depth - 1, true, &inner, tree, ei);
	if (e == OK && !next_is(c, ')'))
		e = err_set(ei, ERR_SYNTAX,
		    "expression: ) expected at \"" SPAN_FMT "\"",
		    SPAN_ARG(c->rest));
	if (e == OK) {
		c->rest = span_from(c->rest, 1);
		e = parse_comparison(c, &cmp, ei);
	}
	if (e == OK && cmp.kind != CMP_NONE) {
		write_node(out, OP_ANY, &cmp, 1);
		if (holds_without(&cmp))
			tree->cost = INFINITY;
	}
	if (e == OK)
		buf_span(out, buf_view(&inner));
	buf_free(&inner);
	return e;
}

static void
join(enum sig_op op, struct tree *all, const struct tree *one, uint64_t count)
{
	if (count > 0 && op == OP_ANY)
		*all = (struct tree){ all->needs | one->needs,
			all->cost + one->cost };
	else if (count == 0 || one->cost < all->cost)
		*all = *one;
}

/* Whether the operator behind the next operand is another one. */
static bool
turns(const struct compiler *c, enum sig_op op)
{
	unsigned depth = 0;

	for (size_t i = 1; i < c->rest.len; i++) {
		char ch = c->rest.ptr[i];

		if (ch == '(')
			depth++;
		else if (ch == ')' && depth-- == 0)
			return false;
		else if (depth == 0 && (ch == '&' || ch == '|'))
			return (op == OP_ALL) != (ch == '&');
	}
	return false;
}

/* What was read so far becomes the first operand of the other operator. */
static void
wrap(struct buf *list, enum sig_op *op, uint64_t *count)
{
	static const struct comparison none = { CMP_NONE, 0, 0 };
	struct buf whole = buf_make(TREE_BYTES);

	write_node(&whole, *op, &none, *count);
	buf_span(&whole, buf_view(list));
	buf_clear(list);
	buf_span(list, buf_view(&whole));
	buf_free(&whole);
	*op = *op == OP_ALL ? OP_ANY : OP_ALL;
	*count = 1;
}

/* Operands with & or | between them.  Where the two meet, within parentheses
 * what came before belongs together, outside of them what follows: (0&1|2)
 * is ((0&1)|2), but 0&1|2 is 0&(1|2). */
static enum err
parse_list(struct compiler *c, unsigned depth, bool inside, struct buf *out,
    struct tree *tree, struct errinfo *ei)
{
	static const struct comparison none = { CMP_NONE, 0, 0 };
	struct buf list = buf_make(TREE_BYTES);
	enum sig_op op = OP_ALL;
	uint64_t count = 0;
	bool rest = false;
	enum err e = depth == 0
	    ? err_set(ei, ERR_LIMIT, "expression: nested too deep")
	    : OK;

	while (e == OK) {
		struct tree one = { 0, INFINITY };

		if (rest)
			e = parse_list(c, depth - 1, false, &list, &one, ei);
		else
			e = next_is(c, '(')
			    ? parse_group(c, depth, &list, &one, ei)
			    : parse_sub(c, &list, &one, ei);
		if (e == OK)
			join(op, tree, &one, count++);
		if (e != OK || (!next_is(c, '&') && !next_is(c, '|')))
			break;
		if (count == 1)
			op = next_is(c, '&') ? OP_ALL : OP_ANY;
		if (!inside)
			rest = turns(c, op);
		else if ((op == OP_ALL) != next_is(c, '&'))
			wrap(&list, &op, &count);
		c->rest = span_from(c->rest, 1);
	}
	if (e == OK && count > 1)
		write_node(out, op, &none, count);
	buf_span(out, buf_view(&list));
	if (e == OK && list.full)
		e = err_set(ei, ERR_LIMIT, "expression: too long");
	buf_free(&list);
	return e;
}

enum err
expression_compile(const struct sig_draft *d, uint32_t subs, struct span text,
    struct buf *out, uint64_t *needs, struct errinfo *ei)
{
	struct compiler c = { d, subs, text };
	struct tree tree = { 0, INFINITY };
	enum err e =
	    parse_list(&c, EXPRESSION_DEPTH / 2, false, out, &tree, ei);

	if (e == OK && c.rest.len > 0)
		e = err_set(ei, ERR_SYNTAX,
		    "expression: unexpected \"" SPAN_FMT "\"",
		    SPAN_ARG(c.rest));
	if (e != OK)
		return e;
	*needs = isinf(tree.cost) ? 0 : tree.needs;
	return buf_check(out, ei);
}
