#include <string.h>

#include "scan/rules/build/needle.h"

#define CHOICES_MAX 16u
#define DEPTH_MAX   24u

/* Literals of which every match holds one. */
struct choices {
	size_t count; /* 0: nothing is known */
	uint32_t worth;
	struct {
		uint16_t len;
		unsigned char bytes[NEEDLE_MAX];
	} choice[CHOICES_MAX];
};

struct regex {
	struct span s;
	size_t at;
	bool failed; /* not understood */
};

static void alternatives(struct regex *r, struct choices *out, unsigned depth);

static char
peek(const struct regex *r)
{
	if (r->at >= r->s.len)
		return '\0';
	return r->s.ptr[r->at];
}

static bool
accept(struct regex *r, char c)
{
	if (r->at >= r->s.len || r->s.ptr[r->at] != c)
		return false;
	r->at++;
	return true;
}

static void
better(struct choices *best, const struct choices *other)
{
	if (other->count > 0 && other->worth > best->worth)
		*best = *other;
}

/* The run of literal bytes ends: is it the best so far? */
static void
end_run(struct literal *run, struct choices *best)
{
	struct choices one = { .count = 1 };
	struct run part = run_cut(literal_run(run));

	memcpy(one.choice[0].bytes, part.bytes, part.len);
	one.choice[0].len = (uint16_t)part.len;
	one.worth = run_worth(part);
	better(best, &one);
	run->len = 0;
}

/* Behind "[", of which the first byte or that behind "^" may be "]". */
static void
skip_class(struct regex *r)
{
	(void)accept(r, '^');
	(void)accept(r, ']');
	while (r->at < r->s.len && peek(r) != ']')
		r->at += peek(r) == '\\' ? 2 : 1;
	if (!accept(r, ']'))
		r->failed = true;
}

static void
skip_digits(struct regex *r)
{
	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
}

/* {n}, {n,m}, {n,}, {,m}: else the brace is a letter. */
static bool
interval(struct regex *r, size_t *least)
{
	struct regex ahead = *r;
	size_t n = 0, from = ++ahead.at;

	while (
	    peek(&ahead) >= '0' && peek(&ahead) <= '9' && ahead.at - from < 6)
		n = n * 10 + (size_t)(ahead.s.ptr[ahead.at++] - '0');
	if (accept(&ahead, ','))
		skip_digits(&ahead);
	else if (ahead.at == from)
		return false;
	if (!accept(&ahead, '}'))
		return false;
	*r = ahead;
	*least = n;
	return true;
}

/* How often the piece before must stand there at least; *exact: it was not
 * repeated at all. */
static size_t
quantifier(struct regex *r, bool *exact)
{
	size_t least = 1;

	*exact = false;
	if (accept(r, '*') || accept(r, '?'))
		least = 0;
	else if (!accept(r, '+') && (peek(r) != '{' || !interval(r, &least))) {
		*exact = true;
		return 1;
	}
	(void)accept(r, '?'); /* not greedy */
	return least;
}

/* What stands alone: true for a byte, which is then in *c; else *inner is
 * what is known of it. */
static bool
atom(struct regex *r, unsigned char *c, struct choices *inner, unsigned depth)
{
	bool byte;

	*c = (unsigned char)peek(r);
	if (*c == '\\') {
		byte = literal_escape(r->s, &r->at, true, c);
		if (r->at > r->s.len ||
		    (!byte && strchr("wWsSdDbB", *c) == NULL))
			r->failed = true;
		return byte;
	}
	r->at++;
	if (*c == '(') {
		alternatives(r, inner, depth + 1);
		if (!accept(r, ')'))
			r->failed = true;
	} else if (*c == '[') {
		skip_class(r);
	} else if (strchr("*+?", *c) != NULL) {
		r->failed = true;
	}
	return strchr("([.^$", *c) == NULL;
}

/* One piece of a sequence: what it adds to the run or to the best. */
static void
piece(
    struct regex *r, struct literal *run, struct choices *best, unsigned depth)
{
	struct choices inner = { .count = 0 };
	unsigned char c;
	bool byte = atom(r, &c, &inner, depth), exact;
	size_t least = quantifier(r, &exact);

	if (byte && least > 0)
		literal_add(run, c);
	if (byte && exact)
		return;
	end_run(run, best);
	/* What may repeat also stands before what follows it. */
	if (byte && least > 0)
		literal_add(run, c);
	if (least > 0)
		better(best, &inner);
}

static void
sequence(struct regex *r, struct choices *out, unsigned depth)
{
	struct literal run = { .len = 0 };

	out->count = 0;
	out->worth = 0;
	while (
	    !r->failed && r->at < r->s.len && peek(r) != '|' && peek(r) != ')')
		piece(r, &run, out, depth);
	end_run(&run, out);
}

static void
alternatives(struct regex *r, struct choices *out, unsigned depth)
{
	struct choices one;
	bool all;

	if (depth > DEPTH_MAX) {
		r->failed = true;
		return;
	}
	sequence(r, out, depth);
	all = out->count > 0;
	while (!r->failed && accept(r, '|')) {
		sequence(r, &one, depth);
		if (one.count == 0 || !all ||
		    out->count + one.count > CHOICES_MAX) {
			all = false;
			continue;
		}
		memcpy(&out->choice[out->count], one.choice,
		    one.count * sizeof(one.choice[0]));
		out->count += one.count;
		if (one.worth < out->worth)
			out->worth = one.worth;
	}
	if (!all)
		out->count = 0;
}

/* The body without its slashes and flags, "\/" being a plain slash in it. */
static bool
regex_body(struct span value, struct literal *out, bool *nocase)
{
	size_t end = value.len;

	while (end > 1 && value.ptr[end - 1] != '/')
		end--;
	*nocase = memchr(value.ptr + end, 'i', value.len - end) != NULL;
	out->len = 0;
	out->cut = false;
	for (size_t i = 1; i + 1 < end; i++) {
		if (value.ptr[i] == '\\' && value.ptr[i + 1] != '/')
			literal_add(out, (unsigned char)value.ptr[i++]);
		else if (value.ptr[i] == '\\')
			i++;
		literal_add(out, (unsigned char)value.ptr[i]);
	}
	return !out->cut;
}

bool
needle_add_regex(struct needles *n, const struct rule_string *s)
{
	struct rule_string as = *s;
	struct choices all = { .count = 0 };
	struct literal body;
	struct regex r;
	bool nocase;

	if (!regex_body(s->value, &body, &nocase))
		return false;
	r = (struct regex){ { (const char *)body.bytes, body.len }, 0, false };
	alternatives(&r, &all, 0);
	if (r.failed || r.at != r.s.len || all.count == 0 || all.worth == 0)
		return false;
	as.flags &= ~RULE_FULLWORD; /* its edges are not those of the match */
	if (nocase)
		as.flags |= RULE_NOCASE;
	for (size_t i = 0; i < all.count; i++) {
		body.len = all.choice[i].len;
		memcpy(body.bytes, all.choice[i].bytes, body.len);
		if (!needle_add_forms(n, &as, &body))
			return false;
	}
	return true;
}
