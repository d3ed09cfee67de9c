#include "scan/rules/build/condition.h"

#include <string.h>

#define NEST_MAX  48u              /* brackets within brackets of a condition */
#define WORDS_MAX 4096u            /* of a gate; a longer one is always open */
#define VARS_MAX  8u               /* names of loops within loops */
#define THIS      (UINT32_MAX - 1) /* the string of the loop around: "$" */

struct gate_node {
	enum gate_op op;
	uint32_t words, depth; /* of the program that it makes */
	uint32_t arg;          /* comparison, bits of a read, how many of */
	int64_t value;
	const struct gate_node *const *kids;
	uint32_t kid_count;
	const uint32_t *strings;
	uint32_t string_count;
};

static const struct gate_node always = { .op = GATE_TRUE, .words = 2 };
/* An alternative between nothing. */
static const struct gate_node never = { .op = GATE_OR, .words = 2 };

/* What is known of the value of an expression.  `need` holds whenever it is
 * true, `defined` whenever it is not undefined. */
struct value {
	const struct gate_node *need, *defined;
	const struct gate_node *number; /* NULL: not known */
	uint32_t counts;                /* "#a": that string */
	bool is_count;
};

struct parser {
	const struct gate_scope *scope;
	struct rule_lexer lexer;
	struct rule_token token;
	uint32_t nest;
	bool in_loop; /* over strings: "$" is one of them */
	bool failed;  /* not understood */
	bool nomem;
	struct span vars[VARS_MAX];
	size_t var_count;
};

static struct value expression(struct parser *p);
static struct value arithmetic(struct parser *p);

/* ---- nodes ------------------------------------------------------------------ */

static struct gate_node *
node_new(struct arena *a, enum gate_op op, uint32_t words)
{
	struct gate_node *n = ARENA_NEW(a, struct gate_node, 1);

	if (n != NULL) {
		n->op = op;
		n->words = words;
	}
	return n;
}

static bool
is_never(const struct gate_node *n)
{
	return n->op == GATE_OR && n->kid_count == 0;
}

/* How many kids `n` becomes as one of an `op`, written to `out` if that is
 * not NULL. */
static uint32_t
flatten(
    const struct gate_node *n, enum gate_op op, const struct gate_node **out)
{
	uint32_t count = n->op == op ? n->kid_count : 1;

	if (n->op == GATE_TRUE)
		return 0;
	for (uint32_t i = 0; i < count && out != NULL; i++)
		out[i] = n->op == op ? n->kids[i] : n;
	return count;
}

/* AND or OR of n nodes, simplified; NULL when memory is out. */
static const struct gate_node *
join(struct arena *a, enum gate_op op, const struct gate_node *const *nodes,
    size_t n)
{
	const struct gate_node **kids;
	struct gate_node *made;
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (nodes[i] == NULL)
			return NULL;
		if (op == GATE_AND && is_never(nodes[i]))
			return &never;
		if (op == GATE_OR && nodes[i]->op == GATE_TRUE)
			return &always;
		count += flatten(nodes[i], op, NULL);
	}
	if (count == 0)
		return op == GATE_AND ? &always : &never;
	made = node_new(a, op, 2);
	kids = ARENA_NEW(a, const struct gate_node *, count);
	if (made == NULL || kids == NULL)
		return NULL;
	made->kids = kids;
	for (size_t i = 0; i < n; i++)
		made->kid_count +=
		    flatten(nodes[i], op, kids + made->kid_count);
	if (count == 1)
		return kids[0];
	for (uint32_t i = 0; i < count; i++) {
		made->words += kids[i]->words;
		if (made->depth < kids[i]->depth + 1)
			made->depth = kids[i]->depth + 1;
		if (made->words > WORDS_MAX || made->depth >= GATE_DEPTH)
			return &always;
	}
	return made;
}

const struct gate_node *
gate_both(struct arena *a, const struct gate_node *left,
    const struct gate_node *right)
{
	const struct gate_node *both[] = { left, right };

	return join(a, GATE_AND, both, 2);
}

const struct gate_node *
gate_always(void)
{
	return &always;
}

static const struct gate_node *
keep(struct parser *p, const struct gate_node *n)
{
	if (n != NULL)
		return n;
	p->nomem = true;
	return &always;
}

static const struct gate_node *
both(struct parser *p, const struct gate_node *a, const struct gate_node *b)
{
	return keep(p, gate_both(p->scope->arena, a, b));
}

static const struct gate_node *
constant(struct parser *p, int64_t value)
{
	struct gate_node *n = node_new(p->scope->arena, GATE_CONST, 4);

	if (n != NULL)
		n->value = value;
	return keep(p, n);
}

/* A node over others, each of which is a number. */
static const struct gate_node *
number_node(struct parser *p, enum gate_op op, uint32_t arg,
    const struct gate_node *a, const struct gate_node *b)
{
	uint32_t count = b == NULL ? 1 : 2;
	uint32_t head = op == GATE_CMP || op == GATE_READ ? 3 : 2;
	struct gate_node *n = node_new(p->scope->arena, op, head);
	const struct gate_node **kids =
	    ARENA_NEW(p->scope->arena, const struct gate_node *, count);

	if (n == NULL || kids == NULL)
		return keep(p, NULL);
	n->arg = arg;
	n->kids = kids;
	n->kid_count = count;
	kids[0] = a;
	if (count == 2)
		kids[1] = b;
	for (uint32_t i = 0; i < count; i++) {
		n->words += kids[i]->words;
		if (n->depth < kids[i]->depth + 1)
			n->depth = kids[i]->depth + 1;
	}
	return n;
}

/* As the last, but NULL, "not known", where a part is not known or the whole
 * would be too deep. */
static const struct gate_node *
calculated(struct parser *p, enum gate_op op, uint32_t arg,
    const struct gate_node *a, const struct gate_node *b)
{
	const struct gate_node *n;

	if (a == NULL || b == NULL)
		return NULL;
	n = number_node(p, op, arg, a, b);
	return p->nomem || n->depth >= GATE_DEPTH / 2 ? NULL : n;
}

static const struct gate_node *
string_node(struct parser *p, uint32_t id)
{
	struct gate_node *n;

	if (id == STRING_ANY)
		return &always;
	n = node_new(p->scope->arena, GATE_STRING, 3);
	if (n != NULL)
		n->arg = id;
	return keep(p, n);
}

/* At least `need` of the n strings, of which those that we do not look for
 * are there. */
static const struct gate_node *
of_node(struct parser *p, int64_t need, const uint32_t *ids, size_t n)
{
	uint32_t *left = ARENA_NEW(p->scope->arena, uint32_t, n == 0 ? 1 : n);
	struct gate_node *made = node_new(p->scope->arena, GATE_OF, 3);

	if (left == NULL || made == NULL)
		return keep(p, NULL);
	for (size_t i = 0; i < n; i++)
		if (ids[i] == STRING_ANY)
			need--;
		else
			left[made->string_count++] = ids[i];
	if (need <= 0)
		return &always;
	if (need > made->string_count)
		return &never;
	if (made->string_count == 1)
		return string_node(p, left[0]);
	made->strings = left;
	made->arg = (uint32_t)need;
	made->words += made->string_count;
	return made->words > WORDS_MAX ? &always : made;
}

#define WITHOUT_THIS    0x01u /* the string of the loop around */
#define WITHOUT_STRINGS 0x02u /* any string */
#define WITHOUT_READS   0x04u /* a comparison of the object's bytes */

static bool
reads(const struct gate_node *n)
{
	bool any = n->op == GATE_READ;

	for (uint32_t i = 0; i < n->kid_count; i++)
		any = any || reads(n->kids[i]);
	return any;
}

/* Could it be open without that, were all else as it likes? */
static bool
possible(const struct gate_node *n, unsigned without)
{
	bool all = n->op == GATE_AND;

	if (n->op == GATE_STRING)
		return (without & WITHOUT_STRINGS) == 0 &&
		    ((without & WITHOUT_THIS) == 0 || n->arg != THIS);
	if (n->op == GATE_OF)
		return (without & WITHOUT_STRINGS) == 0;
	if (n->op == GATE_CMP)
		return (without & WITHOUT_READS) == 0 || !reads(n);
	if (n->op != GATE_AND && n->op != GATE_OR)
		return true;
	for (uint32_t i = 0; i < n->kid_count; i++)
		if (possible(n->kids[i], without) != all)
			return !all;
	return all;
}

/* ---- tokens ------------------------------------------------------------------ */

static void
advance(struct parser *p)
{
	p->token = rule_lexer_next(&p->lexer);
}

static bool
is_word(const struct parser *p, const char *word)
{
	return p->token.kind == RULE_WORD && span_is(p->token.text, word);
}

static bool
is_sign(const struct parser *p, const char *sign)
{
	return p->token.kind == RULE_SIGN && span_is(p->token.text, sign);
}

static bool
accept_word(struct parser *p, const char *word)
{
	if (!is_word(p, word))
		return false;
	advance(p);
	return true;
}

static bool
accept_sign(struct parser *p, const char *sign)
{
	if (!is_sign(p, sign))
		return false;
	advance(p);
	return true;
}

static void
expect_sign(struct parser *p, const char *sign)
{
	if (!accept_sign(p, sign))
		p->failed = true;
}

static bool
followed_by(const struct parser *p, const char *word)
{
	struct rule_lexer ahead = p->lexer;

	return span_is(rule_lexer_next(&ahead).text, word);
}

/* ---- values ------------------------------------------------------------------- */

static struct value
anything(void)
{
	return (struct value){ &always, &always, NULL, 0, false };
}

static struct value
truth(const struct gate_node *need)
{
	return (struct value){ need, &always, NULL, 0, false };
}

/* Something that is undefined unless `n` holds. */
static struct value
depends(const struct gate_node *n)
{
	return (struct value){ n, n, NULL, 0, false };
}

static struct value
not_understood(struct parser *p)
{
	p->failed = true;
	return anything();
}

/* The number of the string of that name. */
static uint32_t
string_id(struct parser *p, struct span name)
{
	const struct gate_scope *s = p->scope;

	name = span_from(name, 1); /* behind the $, #, @ or ! */
	if (name.len == 0) {
		if (!p->in_loop)
			p->failed = true;
		return p->in_loop ? THIS : STRING_ANY;
	}
	for (uint32_t i = 0; i < s->count; i++)
		if (span_eq(span_from(s->strings[i].name, 1), name))
			return s->ids[i];
	p->failed = true;
	return STRING_ANY;
}

/* "(a..b)" behind "in". */
static void
range(struct parser *p)
{
	expect_sign(p, "(");
	(void)arithmetic(p);
	expect_sign(p, "..");
	(void)arithmetic(p);
	expect_sign(p, ")");
}

/* What may stand behind a string or a set of them and only narrows. */
static void
place(struct parser *p)
{
	if (accept_word(p, "at"))
		(void)arithmetic(p);
	else if (accept_word(p, "in"))
		range(p);
}

static struct value
string_value(struct parser *p)
{
	const struct gate_node *n = string_node(p, string_id(p, p->token.text));

	advance(p);
	place(p);
	return truth(n);
}

static struct value
count_value(struct parser *p)
{
	uint32_t id = string_id(p, p->token.text);
	struct value v = truth(string_node(p, id));

	advance(p);
	if (accept_word(p, "in"))
		range(p);
	v.is_count = true;
	v.counts = id;
	return v;
}

/* @a[i] and !a[i] are undefined where there is no such match. */
static struct value
place_value(struct parser *p)
{
	const struct gate_node *n = string_node(p, string_id(p, p->token.text));

	advance(p);
	if (accept_sign(p, "[")) {
		(void)arithmetic(p);
		expect_sign(p, "]");
	}
	return depends(n);
}

static struct value
number_value(struct parser *p)
{
	struct value v = anything();
	int64_t n;

	if (rule_number(p->token.text, &n))
		v.number = constant(p, n);
	advance(p);
	return v;
}

/* ---- sets and loops -------------------------------------------------------------- */

struct set {
	struct buf ids; /* uint32_t */
	bool rules;     /* it is one of rules */
};

static void
add_strings(struct parser *p, struct span pattern, struct buf *out)
{
	const struct gate_scope *s = p->scope;
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

/* "them", "($a, $b*)", "(rule_a, rule_b*)" */
static void
string_set(struct parser *p, struct set *out)
{
	out->ids = buf_make(SIZE_MAX / 2);
	out->rules = false;
	if (accept_word(p, "them")) {
		add_strings(p, SPAN("$*"), &out->ids);
		return;
	}
	expect_sign(p, "(");
	do {
		if (p->token.kind == RULE_STRING) {
			add_strings(p, p->token.text, &out->ids);
		} else if (p->token.kind == RULE_WORD) {
			out->rules = true;
			if (followed_by(p, "*"))
				advance(p);
		} else {
			p->failed = true;
		}
		advance(p);
	} while (!p->failed && accept_sign(p, ","));
	expect_sign(p, ")");
	if (out->ids.full)
		p->nomem = true;
}

/* How many must be: `all`, or a number, of which 0 means "perhaps none". */
struct quantity {
	bool all;
	int64_t least;
};

static struct value
of_set(struct parser *p, struct quantity q)
{
	struct value v = anything();
	struct set set;
	size_t n;

	string_set(p, &set);
	place(p);
	n = set.ids.len / sizeof(uint32_t);
	if (!set.rules && !p->failed && !p->nomem)
		v = truth(of_node(p, q.all ? (int64_t)n : q.least,
		    (const uint32_t *)(const void *)set.ids.ptr, n));
	buf_free(&set.ids);
	return v;
}

static struct value
loop_body(struct parser *p)
{
	struct value v;

	expect_sign(p, ":");
	expect_sign(p, "(");
	v = expression(p);
	expect_sign(p, ")");
	return v;
}

/* "for any of them : ( $ at 0 )": strings for which the body cannot be true
 * when they are not there must be there. */
static struct value
loop_over_strings(struct parser *p, struct quantity q)
{
	struct value v = anything(), body;
	bool outer = p->in_loop;
	struct set set;
	size_t n;

	string_set(p, &set);
	p->in_loop = true;
	body = loop_body(p);
	p->in_loop = outer;
	n = set.ids.len / sizeof(uint32_t);
	if (!set.rules && !p->failed && !p->nomem &&
	    !possible(body.need, WITHOUT_THIS))
		v = truth(of_node(p, q.all ? (int64_t)n : q.least,
		    (const uint32_t *)(const void *)set.ids.ptr, n));
	buf_free(&set.ids);
	return v;
}

/* "(a..b)", "(a, b, c)", or what is taken from a module. */
static void
iterator(struct parser *p)
{
	if (!accept_sign(p, "(")) {
		(void)arithmetic(p);
		return;
	}
	(void)arithmetic(p);
	if (accept_sign(p, ".."))
		(void)arithmetic(p);
	else
		while (!p->failed && accept_sign(p, ","))
			(void)arithmetic(p);
	expect_sign(p, ")");
}

static struct value
loop_over_values(struct parser *p, struct quantity q)
{
	size_t outer = p->var_count;
	struct value v;

	do {
		if (p->token.kind != RULE_WORD || p->var_count == VARS_MAX)
			return not_understood(p);
		p->vars[p->var_count++] = p->token.text;
		advance(p);
	} while (accept_sign(p, ","));
	if (!accept_word(p, "in"))
		return not_understood(p);
	iterator(p);
	v = loop_body(p);
	p->var_count = outer;
	/* "All" of no values may be true. */
	if (q.all || q.least <= 0)
		return anything();
	return truth(v.need);
}

/* "any", "all", "none" or a number, with "%" a share of which at least one
 * must be; the "of" comes next. */
static struct quantity
quantity_of(struct parser *p, struct value v)
{
	struct quantity q = { false, 0 };

	if (v.number != NULL && v.number->op == GATE_CONST)
		q.least = v.number->value;
	if (accept_sign(p, "%") && q.least > 1)
		q.least = 1;
	return q;
}

static bool
word_quantity(struct parser *p, struct quantity *out)
{
	*out = (struct quantity){ is_word(p, "all"), is_word(p, "any") };
	if (!is_word(p, "all") && !is_word(p, "any") && !is_word(p, "none"))
		return false;
	advance(p);
	return true;
}

static struct value
loop(struct parser *p)
{
	struct quantity q;

	if (!word_quantity(p, &q))
		q = quantity_of(p, arithmetic(p));
	if (accept_word(p, "of"))
		return loop_over_strings(p, q);
	return loop_over_values(p, q);
}

/* ---- identifiers ------------------------------------------------------------------- */

/* uint16(0) and its kind. */
static bool
is_read(struct span word, uint32_t *how)
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
		{ "uint8be", 1 | GATE_BIG },
		{ "uint16be", 2 | GATE_BIG },
		{ "uint32be", 4 | GATE_BIG },
		{ "int8be", 1 | GATE_BIG | GATE_SIGNED },
		{ "int16be", 2 | GATE_BIG | GATE_SIGNED },
		{ "int32be", 4 | GATE_BIG | GATE_SIGNED },
	};

	for (size_t i = 0; i < COUNT(reads); i++)
		if (span_is(word, reads[i].name)) {
			*how = reads[i].how;
			return true;
		}
	return false;
}

static struct value
read_value(struct parser *p, uint32_t how)
{
	struct value at, v;

	advance(p);
	expect_sign(p, "(");
	at = arithmetic(p);
	expect_sign(p, ")");
	v = depends(at.defined);
	if (at.number != NULL && at.number->depth < GATE_DEPTH / 2)
		v.number = number_node(p, GATE_READ, how, at.number, NULL);
	return v;
}

static const struct gate_node *
begins_with(struct parser *p, uint32_t how, int64_t value)
{
	const struct gate_node *at = constant(p, 0), *v = constant(p, value);

	return number_node(
	    p, GATE_CMP, GATE_EQ, number_node(p, GATE_READ, how, at, NULL), v);
}

/* Either byte order, thin and fat, 32 and 64 bits. */
static const struct gate_node *
begins_as_macho(struct parser *p)
{
	static const uint32_t magics[] = { 0xfeedface, 0xfeedfacf, 0xcefaedfe,
		0xcffaedfe, 0xcafebabe, 0xcafebabf, 0xbebafeca, 0xbfbafeca };
	const struct gate_node *any[COUNT(magics)];

	for (size_t i = 0; i < COUNT(magics); i++)
		any[i] = begins_with(p, 4 | GATE_BIG, magics[i]);
	return keep(p, join(p->scope->arena, GATE_OR, any, COUNT(any)));
}

/* Fields and functions of these modules are undefined when the object does
 * not begin as its format does; their constants (upper case) are not, and
 * is_pe is a plain 0. */
static struct value
module_value(struct parser *p, struct span module, struct span field)
{
	const struct gate_scope *s = p->scope;
	const struct gate_node *n = NULL;

	if (field.len == 0 || (field.ptr[0] >= 'A' && field.ptr[0] <= 'Z'))
		return anything();
	if ((s->pe && span_is(module, "pe")) ||
	    (s->dotnet && span_is(module, "dotnet")))
		n = begins_with(p, 2, 0x5a4d);
	else if (s->elf && span_is(module, "elf"))
		n = begins_with(p, 4 | GATE_BIG, 0x7f454c46);
	else if (s->macho && span_is(module, "macho"))
		n = begins_as_macho(p);
	if (n == NULL)
		return anything();
	return span_starts(field, "is_") ? truth(n) : depends(n);
}

static void
arguments(struct parser *p)
{
	if (accept_sign(p, ")"))
		return;
	do
		(void)expression(p);
	while (!p->failed && accept_sign(p, ","));
	expect_sign(p, ")");
}

/* What stands behind a name: fields, indices, arguments; the first field. */
static struct span
tail(struct parser *p)
{
	struct span field = { "", 0 };

	while (!p->failed) {
		if (accept_sign(p, ".")) {
			if (p->token.kind != RULE_WORD)
				p->failed = true;
			else if (field.len == 0)
				field = p->token.text;
			advance(p);
		} else if (accept_sign(p, "[")) {
			(void)expression(p);
			expect_sign(p, "]");
		} else if (accept_sign(p, "(")) {
			arguments(p);
		} else {
			break;
		}
	}
	return field;
}

static struct value
name_value(struct parser *p)
{
	struct span name = p->token.text, field;
	const struct gate_node *rule;

	advance(p);
	field = tail(p);
	for (size_t i = 0; i < p->var_count; i++)
		if (span_eq(p->vars[i], name))
			return anything();
	if (field.len > 0)
		return module_value(p, name, field);
	rule = p->scope->rule(p->scope->arg, name);
	if (rule == NULL || rule->words > WORDS_MAX / 8 ||
	    rule->depth > GATE_DEPTH / 2)
		return anything();
	return truth(rule);
}

static struct value
word_value(struct parser *p)
{
	struct quantity q;
	uint32_t how;

	if (accept_word(p, "for"))
		return loop(p);
	if (word_quantity(p, &q)) {
		if (!accept_word(p, "of"))
			return not_understood(p);
		return of_set(p, q);
	}
	if (accept_word(p, "true") || accept_word(p, "entrypoint"))
		return anything();
	if (accept_word(p, "false"))
		return truth(&never);
	if (accept_word(p, "filesize")) {
		struct value v = anything();

		v.number = keep(p, node_new(p->scope->arena, GATE_SIZE, 2));
		if (p->nomem)
			v.number = NULL;
		return v;
	}
	if (is_read(p->token.text, &how))
		return read_value(p, how);
	return name_value(p);
}

/* ---- operators, from those that bind most ---------------------------------------------- */

static struct value
primary(struct parser *p)
{
	struct value v = anything();

	if (accept_sign(p, "(")) {
		v = expression(p);
		expect_sign(p, ")");
		return v;
	}
	switch (p->token.kind) {
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
		advance(p);
		return v;
	default:
		return not_understood(p);
	}
}

static struct value
unary(struct parser *p)
{
	struct value v;
	size_t signs = 0;
	bool negative = false;

	while (is_sign(p, "-") || is_sign(p, "~")) {
		negative = is_sign(p, "-");
		signs++;
		advance(p);
	}
	v = primary(p);
	if (signs == 0)
		return v;
	v.is_count = false;
	if (signs == 1 && negative && v.number != NULL &&
	    v.number->op == GATE_CONST)
		v.number = constant(p, -v.number->value);
	else
		v.number = NULL;
	v.need = v.defined;
	return v;
}

/* An operator between numbers, by how much it binds; GATE_TRUE: one that is
 * not calculated here. */
static const struct operator
{
	const char *sign;
	unsigned binds;
	enum gate_op op;
}
operators[] = {
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

static const struct operator* operator_here(const struct parser *p)
{
	if (p->token.kind != RULE_SIGN ||
	    (is_sign(p, "%") && followed_by(p, "of")))
		return NULL;
	for (size_t i = 0; i < COUNT(operators); i++)
		if (is_sign(p, operators[i].sign))
			return &operators[i];
	return NULL;
}

/* Operands until an operator that binds less than `least`. */
static struct value
operation(struct parser *p, unsigned least)
{
	struct value left = unary(p), right;
	const struct operator* o;

	while (
	    !p->failed && (o = operator_here(p)) != NULL && o->binds >= least) {
		advance(p);
		right = operation(p, o->binds + 1);
		left.defined = both(p, left.defined, right.defined);
		left.need = left.defined;
		left.is_count = false;
		left.number = o->op == GATE_TRUE
		    ? NULL
		    : calculated(p, o->op, 0, left.number, right.number);
	}
	return left;
}

static struct value
arithmetic(struct parser *p)
{
	struct value v;

	if (p->failed || p->nest == NEST_MAX)
		return not_understood(p);
	p->nest++;
	v = operation(p, 1);
	p->nest--;
	return v;
}

static const struct comparison {
	const char *sign;
	enum gate_cmp cmp, mirrored;
} comparisons[] = {
	{ "==", GATE_EQ, GATE_EQ },
	{ "!=", GATE_NE, GATE_NE },
	{ "<=", GATE_LE, GATE_GE },
	{ ">=", GATE_GE, GATE_LE },
	{ "<", GATE_LT, GATE_GT },
	{ ">", GATE_GT, GATE_LT },
};

static const struct comparison *
comparison_here(struct parser *p)
{
	for (size_t i = 0; i < COUNT(comparisons); i++)
		if (accept_sign(p, comparisons[i].sign))
			return &comparisons[i];
	return NULL;
}

static bool
text_operator(struct parser *p)
{
	static const char *const words[] = { "contains", "icontains",
		"startswith", "istartswith", "endswith", "iendswith", "iequals",
		"matches" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (accept_word(p, words[i]))
			return true;
	return false;
}

/* "#a > 2" needs the string, "#a < 2" does not. */
static const struct gate_node *
count_compared(struct parser *p, const struct value *count, enum gate_cmp cmp,
    const struct gate_node *with)
{
	if (with == NULL || with->op != GATE_CONST)
		return &always;
	if ((cmp == GATE_GT && with->value >= 0) ||
	    ((cmp == GATE_GE || cmp == GATE_EQ) && with->value >= 1))
		return string_node(p, count->counts);
	return &always;
}

static struct value
compared(struct parser *p, const struct value *left, const struct comparison *c,
    const struct value *right)
{
	const struct gate_node *need = both(p, left->defined, right->defined);

	if (left->is_count)
		need = both(
		    p, need, count_compared(p, left, c->cmp, right->number));
	if (right->is_count)
		need = both(p, need,
		    count_compared(p, right, c->mirrored, left->number));
	if (left->number != NULL && right->number != NULL && !p->nomem)
		need = both(p, need,
		    number_node(
			p, GATE_CMP, c->cmp, left->number, right->number));
	return truth(need);
}

static struct value
comparison(struct parser *p)
{
	struct value left = arithmetic(p), right;
	const struct comparison *c;

	if (is_word(p, "of") || is_sign(p, "%")) {
		struct quantity q = quantity_of(p, left);

		if (!accept_word(p, "of"))
			return not_understood(p);
		return of_set(p, q);
	}
	while (!p->failed) {
		c = comparison_here(p);
		if (c == NULL && !text_operator(p))
			break;
		right = arithmetic(p);
		left = c != NULL ? compared(p, &left, c, &right)
				 : truth(both(p, left.defined, right.defined));
	}
	return left;
}

static struct value
negation(struct parser *p)
{
	bool plain = true;
	struct value v;

	while (is_word(p, "not") || is_word(p, "defined")) {
		plain = false;
		advance(p);
	}
	v = comparison(p);
	return plain ? v : anything();
}

static struct value
chain(struct parser *p, const char *word, enum gate_op op,
    struct value (*operand)(struct parser *p))
{
	struct buf nodes = buf_make(SIZE_MAX / 2); /* pointers */
	struct value v = operand(p);
	const size_t each = sizeof(void *);

	if (!is_word(p, word))
		return v;
	buf_add(&nodes, &v.need, each);
	while (!p->failed && accept_word(p, word)) {
		v = operand(p);
		buf_add(&nodes, &v.need, each);
	}
	if (nodes.full)
		p->nomem = true;
	v = truth(p->failed || p->nomem
		? &always
		: keep(p,
		      join(p->scope->arena, op,
			  (const struct gate_node *const *)(const void *)
			      nodes.ptr,
			  nodes.len / each)));
	buf_free(&nodes);
	return v;
}

static struct value
conjunction(struct parser *p)
{
	return chain(p, "and", GATE_AND, negation);
}

static struct value
expression(struct parser *p)
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
gate_bound(
    const struct gate_scope *scope, struct span condition, bool *understood)
{
	struct parser p = { .scope = scope, .lexer = { condition, 0, 1 } };
	struct value v;

	advance(&p);
	v = expression(&p);
	*understood = !p.failed && p.token.kind == RULE_END;
	if (p.nomem)
		return NULL;
	return *understood ? v.need : &always;
}

/* ---- what is asked of a gate ------------------------------------------------------------ */

bool
gate_needs_string(const struct gate_node *n)
{
	return !possible(n, WITHOUT_STRINGS);
}

bool
gate_needs_bytes(const struct gate_node *n)
{
	return !possible(n, WITHOUT_STRINGS | WITHOUT_READS);
}

bool
gate_never(const struct gate_node *n)
{
	return is_never(n);
}

/* Only about the object's bytes. */
static bool
about_bytes(const struct gate_node *n)
{
	bool only = n->op == GATE_CMP ? reads(n) : n->kid_count > 0;

	for (uint32_t i = 0; n->op != GATE_CMP && i < n->kid_count; i++)
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
	if (n->op == GATE_STRING)
		buf_add(out, &n->arg, sizeof(n->arg));
	if (n->op == GATE_OF)
		buf_add(out, n->strings, n->string_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < n->kid_count; i++)
		gate_strings(n->kids[i], out);
}

static void
write_word(struct buf *out, uint32_t word)
{
	buf_add(out, &word, sizeof(word));
}

void
gate_write(const struct gate_node *n, struct buf *out)
{
	uint32_t op = (uint32_t)n->op;

	write_word(out, op);
	write_word(out, n->words);
	if (op == GATE_STRING || op == GATE_OF || op == GATE_CMP ||
	    op == GATE_READ)
		write_word(out, n->arg);
	if (op == GATE_CONST) {
		write_word(out, (uint32_t)((uint64_t)n->value & UINT32_MAX));
		write_word(out, (uint32_t)((uint64_t)n->value >> 32));
	}
	if (op == GATE_OF)
		buf_add(out, n->strings, n->string_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < n->kid_count; i++)
		gate_write(n->kids[i], out);
}
