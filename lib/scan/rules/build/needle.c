#include "scan/rules/build/needle.h"

#include <string.h>

#define LIST_MAX    (64u << 20) /* bytes */
#define TEXT_MAX    4096u       /* bytes of a string that are looked at */
#define CHOICES_MAX 16u         /* of a regex */
#define RE_DEPTH    24u

void
needles_init(struct needles *n)
{
	n->list = buf_make(LIST_MAX);
	n->bytes = buf_make(4 * LIST_MAX);
}

void
needles_free(struct needles *n)
{
	buf_free(&n->list);
	buf_free(&n->bytes);
}

/* ---- how rare bytes are ------------------------------------------------------- */

/* By hand, from what programs and texts are full of. */
static uint32_t
byte_score(unsigned char c)
{
	static const char common[] = " etaoinsrhldcu";

	if (c == 0x00)
		return 1;
	if (c == 0xff)
		return 4;
	if (strchr(common, c) != NULL)
		return 5;
	if (c == 0x20 || c == 0x0a || c == 0x0d || c == '0' || c == 0xcc ||
	    c == 0x90)
		return 5;
	if ((c >= 'a' && c <= 'z') || c == 0x48 || c == 0x8b || c == 0x89 ||
	    c == 0x01 || c == 0x24)
		return 8;
	return 10;
}

uint32_t
needle_score(const unsigned char *bytes, uint32_t width)
{
	uint32_t score = 0, same = 0;

	for (uint32_t i = 0; i < width; i++) {
		score += byte_score(needle_fold(bytes[i]));
		same += i > 0 && bytes[i] == bytes[i - 1];
	}
	return same + 1 >= width && width > 1 ? 0 : score;
}

static bool
whole(const unsigned char *masks, uint32_t n)
{
	for (uint32_t i = 0; masks != NULL && i < n; i++)
		if (masks[i] != 0xff)
			return false;
	return true;
}

/* The best place in `len` bytes; false: there is none. */
static bool
best_place(const unsigned char *bytes, const unsigned char *masks, size_t len,
    uint32_t width, uint32_t *at, uint32_t *score)
{
	bool any = false;

	for (size_t i = 0; i + width <= len; i++) {
		uint32_t s = needle_score(bytes + i, width);

		if (!whole(masks == NULL ? NULL : masks + i, width) ||
		    (any && s <= *score))
			continue;
		any = true;
		*score = s;
		*at = (uint32_t)i;
	}
	return any;
}

bool
needle_anchor(const struct needles *n, const struct needle *e, uint32_t width,
    uint32_t *at, uint32_t *score)
{
	const unsigned char *bytes =
	    (const unsigned char *)n->bytes.ptr + e->bytes;

	return best_place(bytes,
	    (e->flags & NEEDLE_MASKED) != 0 ? bytes + e->len : NULL, e->len,
	    width, at, score);
}

/* ---- one needle ----------------------------------------------------------------- */

/* Both widths that are searched for in one number, the wider first. */
static uint32_t
worth(const unsigned char *bytes, const unsigned char *masks, size_t len)
{
	uint32_t at, score;

	if (best_place(bytes, masks, len, 4, &at, &score))
		return 100 + score;
	return best_place(bytes, masks, len, 2, &at, &score) ? 1 + score : 0;
}

/* Where to cut NEEDLE_MAX bytes out of more: around the best place. */
static size_t
cut_at(const unsigned char *bytes, const unsigned char *masks, size_t len)
{
	uint32_t at = 0, score;

	if (len <= NEEDLE_MAX || !best_place(bytes, masks, len, 4, &at, &score))
		return 0;
	at = at < NEEDLE_MAX / 2 ? 0 : at - NEEDLE_MAX / 2;
	return at < len - NEEDLE_MAX ? at : len - NEEDLE_MAX;
}

static bool
add(struct needles *n, const unsigned char *bytes, const unsigned char *masks,
    size_t len, unsigned flags)
{
	struct needle e = { .bytes = (uint32_t)n->bytes.len };
	size_t from = cut_at(bytes, masks, len);

	if (len > NEEDLE_MAX) {
		len = NEEDLE_MAX;
		flags &= ~NEEDLE_WORD; /* its edges are not those */
	}
	if (worth(bytes + from, masks == NULL ? NULL : masks + from, len) == 0)
		return false;
	e.len = (uint16_t)len;
	e.flags = (uint16_t)(flags | (masks != NULL ? NEEDLE_MASKED : 0));
	for (size_t i = 0; i < len; i++) {
		unsigned char c = bytes[from + i];

		buf_char(&n->bytes,
		    (char)((flags & NEEDLE_NOCASE) != 0 ? needle_fold(c) : c));
	}
	if (masks != NULL)
		buf_add(&n->bytes, masks + from, len);
	buf_add(&n->list, &e, sizeof(e));
	return !n->bytes.full && !n->list.full;
}

struct literal {
	size_t len;
	unsigned char bytes[TEXT_MAX];
	bool cut; /* it goes on */
};

static void
literal_add(struct literal *l, unsigned char c)
{
	if (l->len < sizeof(l->bytes))
		l->bytes[l->len++] = c;
	else
		l->cut = true;
}

static void
widen(const struct literal *in, struct literal *out)
{
	out->len = 0;
	out->cut = in->cut;
	for (size_t i = 0; i < in->len; i++) {
		literal_add(out, in->bytes[i]);
		literal_add(out, 0);
	}
}

/* ---- text -------------------------------------------------------------------------- */

static unsigned
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

static bool
is_hex(struct span s, size_t at)
{
	return at < s.len && strchr("0123456789abcdefABCDEF", s.ptr[at]) &&
	    s.ptr[at] != '\0';
}

/* A backslash stands at *at: the byte that it means; false: it is \w and the
 * like, or not of the language. */
static bool
escaped(struct span s, size_t *at, bool regex, unsigned char *out)
{
	static const char letters[] = "tnrfa", bytes[] = "\t\n\r\f\a";
	const char *known;
	char c;

	if (*at + 1 >= s.len)
		return false;
	c = s.ptr[*at + 1];
	*at += 2;
	if (c == 'x') {
		if (!is_hex(s, *at) || !is_hex(s, *at + 1))
			return false;
		*out = (unsigned char)(hex_value(s.ptr[*at]) << 4 |
		    hex_value(s.ptr[*at + 1]));
		*at += 2;
		return true;
	}
	known = strchr(letters, c);
	if (known != NULL && c != '\0') {
		*out = (unsigned char)bytes[known - letters];
		return true;
	}
	*out = (unsigned char)c;
	return !regex || strchr("wWsSdDbB", c) == NULL;
}

static bool
text_literal(struct span value, struct literal *out)
{
	struct span s = { value.ptr + 1, value.len - 2 };

	out->len = 0;
	out->cut = false;
	for (size_t at = 0; at < s.len;) {
		unsigned char c = (unsigned char)s.ptr[at];

		if (c != '\\')
			at++;
		else if (!escaped(s, &at, false, &c))
			return false;
		literal_add(out, c);
	}
	return true;
}

static bool
add_xor(struct needles *n, const struct rule_string *s, const struct literal *l)
{
	size_t len = l->len < NEEDLE_MAX ? l->len : NEEDLE_MAX;
	struct needle e = { (uint32_t)n->bytes.len, (uint16_t)len, NEEDLE_XOR,
		(uint16_t)(s->xor_min | s->xor_max << 8) };

	if (len < NEEDLE_XOR_MIN || s->xor_min > s->xor_max)
		return false;
	buf_add(&n->bytes, l->bytes, len);
	buf_add(&n->list, &e, sizeof(e));
	return !n->bytes.full && !n->list.full;
}

static unsigned
bits_at(const struct literal *l, size_t bit)
{
	unsigned v = 0;

	for (size_t i = bit; i < bit + 6; i++)
		v = v << 1 | (l->bytes[i / 8] >> (7 - i % 8) & 1u);
	return v;
}

/* The digits that stand there however the text lies among the groups of
 * three bytes: those whose six bits are all of the text. */
static bool
add_base64(struct needles *n, const struct literal *l, bool wide)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	static const size_t first_bit[] = { 0, 4, 2 };
	struct literal plain, widened;

	for (size_t lead = 0; lead < COUNT(first_bit); lead++) {
		plain.len = 0;
		plain.cut = false;
		for (size_t bit = first_bit[lead]; bit + 6 <= l->len * 8;
		     bit += 6)
			literal_add(
			    &plain, (unsigned char)digits[bits_at(l, bit)]);
		widen(&plain, &widened);
		if (!add(n, wide ? widened.bytes : plain.bytes, NULL,
			wide ? widened.len : plain.len, 0))
			return false;
	}
	return true;
}

/* One form of a text, plain or widened. */
static bool
add_form(struct needles *n, const struct rule_string *s,
    const struct literal *l, bool wide)
{
	unsigned flags = 0;

	if ((s->flags & RULE_XOR) != 0)
		return add_xor(n, s, l);
	if ((s->flags & (RULE_BASE64 | RULE_BASE64W)) != 0)
		return ((s->flags & RULE_BASE64) == 0 ||
			   add_base64(n, l, false)) &&
		    ((s->flags & RULE_BASE64W) == 0 || add_base64(n, l, true));
	if ((s->flags & RULE_NOCASE) != 0)
		flags |= NEEDLE_NOCASE;
	if ((s->flags & RULE_FULLWORD) != 0 && !l->cut)
		flags |= NEEDLE_WORD | (wide ? NEEDLE_WIDE : 0);
	return add(n, l->bytes, NULL, l->len, flags);
}

/* Plain unless it is only wide. */
static bool
add_forms(
    struct needles *n, const struct rule_string *s, const struct literal *l)
{
	struct literal wide;

	if (((s->flags & RULE_WIDE) == 0 || (s->flags & RULE_ASCII) != 0) &&
	    !add_form(n, s, l, false))
		return false;
	if ((s->flags & RULE_WIDE) == 0)
		return true;
	widen(l, &wide);
	return add_form(n, s, &wide, true);
}

static bool
add_text(struct needles *n, const struct rule_string *s)
{
	struct literal l;

	return (s->flags & RULE_ALPHABET) == 0 && text_literal(s->value, &l) &&
	    add_forms(n, s, &l);
}

/* ---- hex strings -------------------------------------------------------------------- */

struct hex {
	struct literal bytes, masks; /* of the run under way */
	struct literal best, best_masks;
	uint32_t worth;
};

static void
end_run(struct hex *h)
{
	uint32_t w = worth(h->bytes.bytes, h->masks.bytes, h->bytes.len);

	if (w > h->worth) {
		h->worth = w;
		h->best = h->bytes;
		h->best_masks = h->masks;
	}
	h->bytes.len = h->masks.len = 0;
}

/* Over "[...]", or "(...)" with others in it, or a comment. */
static size_t
skip_group(struct span s, size_t at)
{
	size_t depth = 0;

	for (; at < s.len; at++) {
		if (strchr("([", s.ptr[at]) != NULL && s.ptr[at] != '\0')
			depth++;
		if ((s.ptr[at] == ')' || s.ptr[at] == ']') && --depth == 0)
			return at + 1;
	}
	return at;
}

static size_t
skip_comment(struct span s, size_t at)
{
	bool block = at + 1 < s.len && s.ptr[at + 1] == '*';

	for (at += 2; at < s.len; at++)
		if (block ? s.ptr[at] == '/' && s.ptr[at - 1] == '*'
			  : s.ptr[at] == '\n')
			return at + 1;
	return at;
}

static bool
hex_byte(struct hex *h, struct span s, size_t at)
{
	unsigned value = 0, mask = 0;

	for (size_t i = at; i < at + 2; i++) {
		value <<= 4;
		mask <<= 4;
		if (i < s.len && s.ptr[i] == '?')
			continue;
		if (!is_hex(s, i))
			return false;
		value |= hex_value(s.ptr[i]);
		mask |= 15;
	}
	literal_add(&h->bytes, (unsigned char)value);
	literal_add(&h->masks, (unsigned char)mask);
	return true;
}

static bool
hex_runs(struct hex *h, struct span s)
{
	size_t at = 0;

	while (at < s.len) {
		char c = s.ptr[at];

		if (strchr(" \t\r\n-", c) != NULL) {
			at++;
		} else if (c == '/') {
			at = skip_comment(s, at);
		} else if (c == '(' || c == '[') {
			end_run(h);
			/* A comment in there might hold a bracket. */
			if (memchr(s.ptr + at, '/', s.len - at) != NULL)
				break;
			at = skip_group(s, at);
		} else if (c == '~') {
			end_run(h);
			at += 3;
		} else {
			if (!hex_byte(h, s, at))
				return false;
			at += 2;
		}
	}
	end_run(h);
	return true;
}

static bool
add_hex(struct needles *n, const struct rule_string *s)
{
	struct hex h = { .worth = 0 };
	struct span inner = { s->value.ptr + 1, s->value.len - 2 };

	if (!hex_runs(&h, inner) || h.worth == 0)
		return false;
	return add(n, h.best.bytes,
	    whole(h.best_masks.bytes, (uint32_t)h.best.len)
		? NULL
		: h.best_masks.bytes,
	    h.best.len, 0);
}

/* ---- regular expressions --------------------------------------------------------------- */

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
re_peek(const struct regex *r)
{
	if (r->at >= r->s.len)
		return '\0';
	return r->s.ptr[r->at];
}

static void
better(struct choices *best, const struct choices *other)
{
	if (other->count > 0 && other->worth > best->worth)
		*best = *other;
}

/* The run of literal bytes ends: is it the best so far? */
static void
run_end(struct literal *run, struct choices *best)
{
	struct choices one = { .count = 1 };

	if (run->len > 0) {
		size_t from = cut_at(run->bytes, NULL, run->len);
		size_t len = run->len < NEEDLE_MAX ? run->len : NEEDLE_MAX;

		memcpy(one.choice[0].bytes, run->bytes + from, len);
		one.choice[0].len = (uint16_t)len;
		one.worth = worth(run->bytes + from, NULL, len);
		better(best, &one);
	}
	run->len = 0;
}

/* "[...]", of which the first byte behind "[" or "[^" may be "]". */
static void
skip_class(struct regex *r)
{
	r->at++;
	if (re_peek(r) == '^')
		r->at++;
	if (re_peek(r) == ']')
		r->at++;
	while (r->at < r->s.len && re_peek(r) != ']')
		r->at += re_peek(r) == '\\' ? 2 : 1;
	if (r->at >= r->s.len)
		r->failed = true;
	r->at++;
}

/* {n}, {n,m}, {n,}, {,m}: else the brace is a letter. */
static bool
interval(struct regex *r, size_t *least)
{
	size_t at = r->at + 1, from = at, n = 0;

	while (at < r->s.len && r->s.ptr[at] >= '0' && r->s.ptr[at] <= '9' &&
	    at - from < 6)
		n = n * 10 + (size_t)(r->s.ptr[at++] - '0');
	if (at < r->s.len && r->s.ptr[at] == ',') {
		at++;
		while (
		    at < r->s.len && r->s.ptr[at] >= '0' && r->s.ptr[at] <= '9')
			at++;
	} else if (at == from) {
		return false;
	}
	if (at >= r->s.len || r->s.ptr[at] != '}')
		return false;
	r->at = at + 1;
	*least = n;
	return true;
}

/* How often the piece before must stand there at least; *exact: it was not
 * repeated at all. */
static size_t
quantifier(struct regex *r, bool *exact)
{
	size_t least = 1;
	char c = re_peek(r);

	*exact = false;
	if (c == '*' || c == '?')
		least = 0;
	else if (c == '{' && interval(r, &least))
		r->at--;
	else if (c != '+') {
		*exact = true;
		return 1;
	}
	r->at++;
	if (re_peek(r) == '?') /* not greedy */
		r->at++;
	return least;
}

/* One piece of a sequence: what it adds to the run or to the best. */
static void
piece(
    struct regex *r, struct literal *run, struct choices *best, unsigned depth)
{
	struct choices inner = { .count = 0 };
	unsigned char c = (unsigned char)re_peek(r);
	bool byte = false, exact;
	size_t least;

	if (c == '(') {
		r->at++;
		alternatives(r, &inner, depth + 1);
		if (re_peek(r) != ')')
			r->failed = true;
		r->at++;
	} else if (c == '[') {
		skip_class(r);
	} else if (c == '\\') {
		byte = escaped(r->s, &r->at, true, &c);
		if (r->at > r->s.len ||
		    (!byte && strchr("wWsSdDbB", c) == NULL))
			r->failed = true;
	} else {
		r->at++;
		byte = strchr(".^$", c) == NULL;
		if (strchr("*+?", c) != NULL)
			r->failed = true;
	}
	least = quantifier(r, &exact);
	if (byte && least > 0)
		literal_add(run, c);
	if (byte && exact)
		return;
	run_end(run, best);
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
	while (!r->failed && r->at < r->s.len && re_peek(r) != '|' &&
	    re_peek(r) != ')')
		piece(r, &run, out, depth);
	run_end(&run, out);
}

static void
alternatives(struct regex *r, struct choices *out, unsigned depth)
{
	struct choices one;
	bool all;

	if (depth > RE_DEPTH) {
		r->failed = true;
		return;
	}
	sequence(r, out, depth);
	all = out->count > 0;
	while (!r->failed && re_peek(r) == '|') {
		r->at++;
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

static bool
add_regex(struct needles *n, const struct rule_string *s)
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
		if (!add_forms(n, &as, &body))
			return false;
	}
	return true;
}

bool
needles_add(struct needles *n, const struct rule_string *s)
{
	static bool (*const kinds[])(
	    struct needles * n, const struct rule_string *s) = {
		[RULE_S_TEXT] = add_text,
		[RULE_S_REGEX] = add_regex,
		[RULE_S_HEX] = add_hex,
	};
	size_t list = n->list.len, bytes = n->bytes.len;

	if (kinds[s->kind](n, s))
		return true;
	buf_cut(&n->list, list);
	buf_cut(&n->bytes, bytes);
	return false;
}
