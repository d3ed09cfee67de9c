#include "scan/rules/build/node.h"

/* The only nodes that hold whatever there is, and that cannot hold, which is
 * an alternative between nothing. */
static const struct gate_node always = { .op = GATE_TRUE, .words = 2 };
static const struct gate_node never = { .op = GATE_OR, .words = 2 };

/* ---- making ------------------------------------------------------------------ */

/* With room for so many operands and kids; NULL when memory is out. */
static struct gate_node *
node_new(
    struct gate_maker *m, enum gate_op op, uint32_t operands, uint32_t kids)
{
	struct gate_node *n = arena_alloc(m->arena, 1,
	    sizeof(*n) + kids * sizeof(void *) + operands * sizeof(uint32_t));

	if (n == NULL) {
		m->nomem = true;
		return NULL;
	}
	n->op = op;
	n->words = 2 + operands;
	n->operand_count = operands;
	n->operands = (uint32_t *)(void *)&n->kids[kids];
	return n;
}

/* Words are counted up to where they are too many. */
static void
adopt(struct gate_node *n, const struct gate_node *kid)
{
	n->kids[n->kid_count++] = kid;
	if (n->words <= GATE_WORDS_MAX)
		n->words += kid->words;
	if (n->depth < kid->depth + 1)
		n->depth = kid->depth + 1;
}

/* ---- what holds -------------------------------------------------------------- */

const struct gate_node *
gate_always(void)
{
	return &always;
}

const struct gate_node *
gate_never(void)
{
	return &never;
}

const struct gate_node *
gate_join(struct gate_maker *m, enum gate_op op,
    const struct gate_node *const *nodes, size_t n)
{
	const struct gate_node *decides = op == GATE_AND ? &never : &always;
	const struct gate_node *nothing = op == GATE_AND ? &always : &never;
	const struct gate_node *last = nothing;
	struct gate_node *made;
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (nodes[i] == decides)
			return decides;
		if (nodes[i] == nothing)
			continue;
		last = nodes[i];
		count += last->op == op ? last->kid_count : 1;
	}
	if (count <= 1)
		return last;
	made = node_new(m, op, 0, count);
	if (made == NULL)
		return &always;
	for (size_t i = 0; i < n; i++) {
		if (nodes[i]->op != op && nodes[i] != nothing)
			adopt(made, nodes[i]);
		for (uint32_t k = 0;
		     nodes[i]->op == op && k < nodes[i]->kid_count; k++)
			adopt(made, nodes[i]->kids[k]);
	}
	return made->words > GATE_WORDS_MAX || made->depth >= GATE_DEPTH
	    ? &always
	    : made;
}

const struct gate_node *
gate_both(struct gate_maker *m, const struct gate_node *left,
    const struct gate_node *right)
{
	const struct gate_node *both[] = { left, right };

	return gate_join(m, GATE_AND, both, 2);
}

const struct gate_node *
gate_string(struct gate_maker *m, uint32_t id)
{
	struct gate_node *n;

	if (id == STRING_ANY)
		return &always;
	n = node_new(m, GATE_STRING, 1, 0);
	if (n == NULL)
		return &always;
	n->operands[0] = id;
	return n;
}

/* Those that we do not look for are taken to be there. */
const struct gate_node *
gate_of(struct gate_maker *m, int64_t need, const uint32_t *ids, size_t n)
{
	uint32_t known = 0, last = STRING_ANY;
	struct gate_node *made;

	for (size_t i = 0; i < n; i++)
		if (ids[i] != STRING_ANY) {
			last = ids[i];
			known++;
		}
	need -= (int64_t)(n - known);
	if (need <= 0)
		return &always;
	if (need > known)
		return &never;
	if (known == 1)
		return gate_string(m, last);
	if (known > GATE_WORDS_MAX - 3)
		return &always;
	made = node_new(m, GATE_OF, 1 + known, 0);
	if (made == NULL)
		return &always;
	made->operands[0] = (uint32_t)need;
	for (size_t i = 0, at = 1; i < n; i++)
		if (ids[i] != STRING_ANY)
			made->operands[at++] = ids[i];
	return made;
}

const struct gate_node *
gate_compare(struct gate_maker *m, enum gate_cmp cmp, const struct gate_node *a,
    const struct gate_node *b)
{
	struct gate_node *n;

	if (a == NULL || b == NULL)
		return &always;
	n = node_new(m, GATE_CMP, 1, 2);
	if (n == NULL)
		return &always;
	n->operands[0] = cmp;
	adopt(n, a);
	adopt(n, b);
	return n->words > GATE_WORDS_MAX ? &always : n;
}

/* ---- numbers ----------------------------------------------------------------- */

const struct gate_node *
gate_constant(struct gate_maker *m, int64_t value)
{
	struct gate_node *n = node_new(m, GATE_CONST, 2, 0);

	if (n != NULL) {
		n->operands[0] = (uint32_t)((uint64_t)value & UINT32_MAX);
		n->operands[1] = (uint32_t)((uint64_t)value >> 32);
	}
	return n;
}

const struct gate_node *
gate_size(struct gate_maker *m)
{
	return node_new(m, GATE_SIZE, 0, 0);
}

/* What is written too long, or too deep for a gate around it, is as good as
 * not known. */
static const struct gate_node *
number(const struct gate_node *n)
{
	return n->words > GATE_WORDS_MAX || n->depth >= GATE_DEPTH / 2 ? NULL
								       : n;
}

const struct gate_node *
gate_read(struct gate_maker *m, uint32_t how, const struct gate_node *at)
{
	struct gate_node *n = NULL;

	if (at != NULL)
		n = node_new(m, GATE_READ, 1, 1);
	if (n == NULL)
		return NULL;
	n->operands[0] = how;
	adopt(n, at);
	return number(n);
}

const struct gate_node *
gate_calculate(struct gate_maker *m, enum gate_op op, const struct gate_node *a,
    const struct gate_node *b)
{
	struct gate_node *n = NULL;

	if (a != NULL && b != NULL)
		n = node_new(m, op, 0, 2);
	if (n == NULL)
		return NULL;
	adopt(n, a);
	adopt(n, b);
	return number(n);
}

bool
gate_value(const struct gate_node *n, int64_t *out)
{
	if (n == NULL || n->op != GATE_CONST)
		return false;
	*out = (int64_t)((uint64_t)n->operands[1] << 32 | n->operands[0]);
	return true;
}

/* ---- questions --------------------------------------------------------------- */

static bool
reads(const struct gate_node *n)
{
	bool any = n->op == GATE_READ;

	for (uint32_t i = 0; i < n->kid_count; i++)
		any = any || reads(n->kids[i]);
	return any;
}

bool
gate_possible(const struct gate_node *n, unsigned without)
{
	bool all = n->op == GATE_AND;

	switch (n->op) {
	case GATE_STRING:
		return (without & WITHOUT_STRINGS) == 0 &&
		    ((without & WITHOUT_THIS) == 0 ||
			n->operands[0] != STRING_THIS);
	case GATE_OF:
		return (without & WITHOUT_STRINGS) == 0;
	case GATE_CMP:
		return (without & WITHOUT_READS) == 0 || !reads(n);
	case GATE_AND:
	case GATE_OR:
		for (uint32_t i = 0; i < n->kid_count; i++)
			if (gate_possible(n->kids[i], without) != all)
				return !all;
		return all;
	default:
		return true;
	}
}

/* Only about the object's bytes. */
static bool
about_bytes(const struct gate_node *n)
{
	bool only = n->kid_count > 0;

	if (n->op == GATE_CMP)
		return reads(n);
	for (uint32_t i = 0; i < n->kid_count; i++)
		only = only && about_bytes(n->kids[i]);
	return only;
}

const struct gate_node *
gate_magic(const struct gate_node *n)
{
	if (n->op != GATE_AND)
		return about_bytes(n) ? n : NULL;
	for (uint32_t i = 0; i < n->kid_count; i++)
		if (about_bytes(n->kids[i]))
			return n->kids[i];
	return NULL;
}

void
gate_strings(const struct gate_node *n, struct buf *out)
{
	uint32_t counts = n->op == GATE_OF ? 1 : 0; /* how many of them */

	if (n->op == GATE_STRING || n->op == GATE_OF)
		buf_add(out, n->operands + counts,
		    (n->operand_count - counts) * sizeof(uint32_t));
	for (uint32_t i = 0; i < n->kid_count; i++)
		gate_strings(n->kids[i], out);
}

void
gate_write(const struct gate_node *n, struct buf *out)
{
	const uint32_t head[] = { (uint32_t)n->op, n->words };

	buf_add(out, head, sizeof(head));
	buf_add(out, n->operands, n->operand_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < n->kid_count; i++)
		gate_write(n->kids[i], out);
}
