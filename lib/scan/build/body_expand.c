#include "scan/build/body.h"

#include <string.h>

/* What a marker accepts, as alternatives: the sets were found by asking
 * clamscan about each of the 256 bytes (tests/scan/diff). */
#define ALNUM "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
struct marker {
	const char *text;
	const char *head, *middle, *tail; /* the bytes, by its place */
	bool negated;                     /* ... that it does not accept */
	bool line;                        /* also "\r\n" */
};
static const struct marker markers[] = {
	{ "(B)", " -./<@_", " \n\r\"'-./<=>@_", " \n\r\"'-/=>_", false, false },
	{ "(L)", "\n", "\n", "\n", false, true },
	{ "(W)", ALNUM, ALNUM, ALNUM, true, false },
};

struct expansion {
	body_variant_fn *fn;
	void *arg;
	unsigned edges;
	bool lead;
	unsigned variants;
};

int
body_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static const struct marker *
marker_at(struct span s, size_t at)
{
	if (at >= s.len || s.ptr[at] != '(')
		return NULL;
	for (size_t i = 0; i < COUNT(markers); i++)
		if (span_starts(span_from(s, at), markers[i].text))
			return &markers[i];
	return NULL;
}

/* Writes a marker as alternatives. */
static void
put_class(struct buf *out, const struct marker *m, const char *bytes,
    bool negated, bool with_cr)
{
	if (m->negated != negated)
		buf_char(out, '!');
	buf_char(out, '(');
	for (const char *p = bytes; *p != '\0'; p++)
		buf_fmt(out, "%s%02x", p == bytes ? "" : "|",
		    (unsigned)(unsigned char)*p);
	if (m->line && with_cr && !negated)
		buf_text(out, "|0d0a");
	buf_char(out, ')');
}

static void
put_middle(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool negated = s.ptr[i] == '!';
		const struct marker *m = marker_at(s, i + negated);

		if (m == NULL) {
			buf_char(out, s.ptr[i]);
			continue;
		}
		i += strlen(m->text) - 1 + negated;
		put_class(out, m, i + 1 == s.len ? m->tail : m->middle, negated,
		    true);
	}
}

/* The index of the ')' that closes the '(' at `open`; s.len if none does. */
static size_t
group_end(struct span s, size_t open)
{
	unsigned depth = 0;

	for (size_t i = open; i < s.len; i++) {
		if (s.ptr[i] == '(')
			depth++;
		else if (s.ptr[i] == ')' && --depth == 0)
			return i;
	}
	return s.len;
}

/* The part before the first '|' that is not in inner parentheses. */
static struct span
cut_option(struct span s, struct span *rest, bool *more)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '(')
			depth++;
		else if (s.ptr[i] == ')' && depth > 0)
			depth--;
		else if (s.ptr[i] == '|' && depth == 0) {
			*more = true;
			*rest = span_from(s, i + 1);
			return (struct span){ s.ptr, i };
		}
	}
	*more = false;
	*rest = span_from(s, s.len);
	return s;
}

static bool
plain_hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (body_digit(s.ptr[i]) < 0)
			return false;
	return s.len > 0 && s.len % 2 == 0;
}

/* Alternatives of one length stay a group; others are written out. */
static enum err
group_is_fixed(
    struct span inside, bool negated, bool *fixed, struct errinfo *ei)
{
	struct span rest = inside;
	size_t count = 0, len = 0;
	bool more = true;

	*fixed = true;
	while (more) {
		struct span o = cut_option(rest, &rest, &more);

		if (o.len == 0)
			return err_set(ei, ERR_SYNTAX, "empty alternative");
		for (size_t i = 0; i < o.len; i++)
			if (o.ptr[i] == '*' || o.ptr[i] == '[' ||
			    o.ptr[i] == '-')
				return err_set(ei, ERR_SYNTAX,
				    "gap of variable length in an alternative");
		if (!plain_hex(o) || (count > 0 && o.len != len))
			*fixed = false;
		len = o.len;
		count++;
	}
	if (count > SPECIAL_MAX)
		return err_set(ei, ERR_LIMIT, "%zu alternatives, at most %u",
		    count, SPECIAL_MAX);
	if (negated && !*fixed)
		return err_set(
		    ei, ERR_SYNTAX, "negated alternatives of unequal length");
	if (count == 1 && !negated)
		*fixed = false;
	return OK;
}

static enum err expand_groups(
    struct expansion *x, struct span text, unsigned depth, struct errinfo *ei);

/* Write out each option of the group at open..end and go on with it. */
static enum err
expand_one(struct expansion *x, struct span text, size_t open, size_t end,
    unsigned depth, struct errinfo *ei)
{
	struct span rest = { text.ptr + open + 1, end - open - 1 };
	struct buf b = buf_make(BODY_TEXT_MAX);
	enum err e = OK;
	bool more = true;

	if (depth == BODY_NEST_MAX)
		return err_set(ei, ERR_LIMIT,
		    "more than %u groups of unequal length", BODY_NEST_MAX);
	while (more && e == OK) {
		struct span o = cut_option(rest, &rest, &more);

		buf_clear(&b);
		buf_add(&b, text.ptr, open);
		buf_span(&b, o);
		buf_span(&b, span_from(text, end + 1));
		e = buf_check(&b, ei);
		if (e == OK)
			e = expand_groups(x, buf_view(&b), depth + 1, ei);
	}
	buf_free(&b);
	return e;
}

static enum err
expand_groups(
    struct expansion *x, struct span text, unsigned depth, struct errinfo *ei)
{
	struct body_variant v = { text, x->edges, x->lead };

	for (size_t i = 0; i < text.len; i++) {
		bool negated = i > 0 && text.ptr[i - 1] == '!', fixed;
		size_t end;
		enum err e;

		if (text.ptr[i] != '(')
			continue;
		end = group_end(text, i);
		if (end == text.len)
			return err_set(
			    ei, ERR_SYNTAX, "parenthesis is not closed");
		e = group_is_fixed(
		    (struct span){ text.ptr + i + 1, end - i - 1 }, negated,
		    &fixed, ei);
		if (e != OK)
			return e;
		if (!fixed)
			return expand_one(x, text, i, end, depth, ei);
		i = end;
	}
	if (++x->variants > BODY_VARIANTS_MAX)
		return err_set(ei, ERR_LIMIT,
		    "alternatives make more than %u patterns",
		    BODY_VARIANTS_MAX);
	return x->fn(x->arg, &v, ei);
}

/* One choice of how the markers at both ends match: a byte, or the edge of
 * the object. */
static enum err
expand_ends(struct expansion *x, struct span inner, const struct marker *head,
    const struct marker *tail, struct errinfo *ei)
{
	struct buf b = buf_make(BODY_TEXT_MAX);
	enum err e;

	if (head != NULL)
		put_class(&b, head, head->head, false, false);
	put_middle(&b, inner);
	if (tail != NULL)
		put_class(&b, tail, tail->tail, false, true);
	x->lead = head != NULL;
	e = buf_check(&b, ei);
	if (e == OK)
		e = expand_groups(x, buf_view(&b), 0, ei);
	buf_free(&b);
	return e;
}

enum err
body_expand(
    struct span text, body_variant_fn *fn, void *arg, struct errinfo *ei)
{
	struct expansion x = { .fn = fn, .arg = arg };
	const struct marker *head, *tail = NULL;
	enum err e = OK;

	if (text.len > BODY_TEXT_MAX)
		return err_set(ei, ERR_LIMIT, "body of %zu bytes, at most %u",
		    text.len, BODY_TEXT_MAX);
	head = marker_at(text, 0);
	if (head != NULL)
		text = span_from(text, strlen(head->text));
	if (text.len >= 4 && text.ptr[text.len - 4] != '!')
		tail = marker_at(text, text.len - 3);
	if (tail != NULL)
		text.len -= strlen(tail->text);
	for (unsigned i = 0; i < 4 && e == OK; i++) {
		bool at_start = (i & 1) != 0, at_end = (i & 2) != 0;

		if ((at_start && head == NULL) || (at_end && tail == NULL))
			continue;
		x.edges = (at_start ? VARIANT_EDGE_START : 0) |
		    (at_end ? VARIANT_EDGE_END : 0);
		e = expand_ends(
		    &x, text, at_start ? NULL : head, at_end ? NULL : tail, ei);
	}
	return e;
}
