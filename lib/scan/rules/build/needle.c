#include "scan/rules/build/needle.h"

#include <string.h>

#define LIST_MAX (64u << 20) /* bytes */

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

struct run
needle_run(const struct needles *n, const struct needle *e)
{
	const unsigned char *bytes =
	    BUF_ROWS(&n->bytes, const unsigned char) + e->bytes;

	return (struct run){ bytes,
		(e->flags & NEEDLE_MASKED) != 0 ? bytes + e->len : NULL,
		e->len };
}

/* ---- runs -------------------------------------------------------------------- */

/* Any long anchor is worth more than a short one. */
uint32_t
run_worth(struct run r)
{
	uint32_t at;
	int32_t score;

	if (anchor_place(r, RULES_WIDTH, NULL, &at, &score))
		return 400 + (uint32_t)score;
	return anchor_place(r, 2, NULL, &at, &score) ? 1 + (uint32_t)score : 0;
}

struct run
run_cut(struct run r)
{
	uint32_t at = 0;
	int32_t score;

	if (r.len <= NEEDLE_MAX)
		return r;
	if (!anchor_place(r, RULES_WIDTH, NULL, &at, &score))
		at = 0;
	at = at < NEEDLE_MAX / 2 ? 0 : at - NEEDLE_MAX / 2;
	if (at > r.len - NEEDLE_MAX)
		at = (uint32_t)(r.len - NEEDLE_MAX);
	return (struct run){ r.bytes + at,
		r.masks == NULL ? NULL : r.masks + at, NEEDLE_MAX };
}

static bool
append(struct needles *n, struct run r, unsigned flags, unsigned keys)
{
	struct needle e = { (uint32_t)n->bytes.len, (uint16_t)r.len,
		(uint16_t)flags, (uint16_t)keys };

	for (size_t i = 0; i < r.len; i++)
		buf_char(&n->bytes,
		    (char)((flags & NEEDLE_NOCASE) != 0
			    ? needle_fold(r.bytes[i])
			    : r.bytes[i]));
	if (r.masks != NULL)
		buf_add(&n->bytes, r.masks, r.len);
	buf_add(&n->list, &e, sizeof(e));
	return !n->bytes.full && !n->list.full;
}

bool
needle_add(struct needles *n, struct run r, unsigned flags)
{
	struct run part = run_cut(r);

	if (part.len < r.len)
		flags &= ~NEEDLE_WORD; /* its edges are not those */
	if (part.masks != NULL)
		flags |= NEEDLE_MASKED;
	return run_worth(part) != 0 && append(n, part, flags, 0);
}

/* ---- literals ---------------------------------------------------------------- */

void
literal_add(struct literal *l, unsigned char c)
{
	if (l->len < sizeof(l->bytes))
		l->bytes[l->len++] = c;
	else
		l->cut = true;
}

struct run
literal_run(const struct literal *l)
{
	return (struct run){ l->bytes, NULL, l->len };
}

bool
literal_escape(struct span s, size_t *at, bool regex, unsigned char *out)
{
	static const char letters[] = "tnrfa", bytes[] = "\t\n\r\f\a";
	struct span rest = span_from(s, *at + 1);
	const char *known;
	char c;

	if (rest.len == 0)
		return false;
	c = rest.ptr[0];
	*at += 2;
	if (c == 'x') {
		if (rest.len < 3 ||
		    hex_decode((struct span){ rest.ptr + 1, 2 }, out, 1) != OK)
			return false;
		*at += 2;
		return true;
	}
	known = memchr(letters, c, sizeof(letters) - 1);
	*out = (unsigned char)(known != NULL ? bytes[known - letters] : c);
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
		else if (!literal_escape(s, &at, false, &c))
			return false;
		literal_add(out, c);
	}
	return true;
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

/* ---- forms ------------------------------------------------------------------- */

static bool
add_xor(struct needles *n, const struct rule_string *s, struct run r)
{
	if (r.len > NEEDLE_MAX)
		r.len = NEEDLE_MAX;
	return r.len >= NEEDLE_XOR_MIN && s->xor_min <= s->xor_max &&
	    append(n, r, NEEDLE_XOR, s->xor_min | s->xor_max << 8);
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

	for (size_t lead = 0; lead < COUNT(first_bit); lead++) {
		struct literal out = { .len = 0 };

		for (size_t bit = first_bit[lead]; bit + 6 <= l->len * 8;
		     bit += 6) {
			literal_add(
			    &out, (unsigned char)digits[bits_at(l, bit)]);
			if (wide)
				literal_add(&out, 0);
		}
		if (!needle_add(n, literal_run(&out), 0))
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
		return add_xor(n, s, literal_run(l));
	if ((s->flags & (RULE_BASE64 | RULE_BASE64W)) != 0)
		return ((s->flags & RULE_BASE64) == 0 ||
			   add_base64(n, l, false)) &&
		    ((s->flags & RULE_BASE64W) == 0 || add_base64(n, l, true));
	if ((s->flags & RULE_NOCASE) != 0)
		flags |= NEEDLE_NOCASE;
	if ((s->flags & RULE_FULLWORD) != 0 && !l->cut)
		flags |= NEEDLE_WORD | (wide ? NEEDLE_WIDE : 0);
	return needle_add(n, literal_run(l), flags);
}

/* Plain unless it is only wide. */
bool
needle_add_forms(
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
	    needle_add_forms(n, s, &l);
}

bool
needles_add(struct needles *n, const struct rule_string *s)
{
	static bool (*const kinds[])(
	    struct needles * n, const struct rule_string *s) = {
		[RULE_S_TEXT] = add_text,
		[RULE_S_REGEX] = needle_add_regex,
		[RULE_S_HEX] = needle_add_hex,
	};
	size_t list = n->list.len, bytes = n->bytes.len;

	if (kinds[s->kind](n, s))
		return true;
	buf_cut(&n->list, list);
	buf_cut(&n->bytes, bytes);
	return false;
}
