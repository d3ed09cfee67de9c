#include <stdio.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/build/build_int.h"
#include "scan/links/links.h"
#include "scan/match/regex.h"

/* What is known of links in mails: .pdb and .wdb, which list hosts and
 * expressions, .gdb, which has hashes. */

#define FLAGS_MAX 8u /* letters and digits behind the kind; not used */

/* ---- levels ---------------------------------------------------------------- */

static bool
is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return true;
}

/* Takes ":17-", ":17-200" or ":-200" off the end, if it is there. */
static enum err
cut_level(struct span *s, bool *fits, struct errinfo *ei)
{
	const char *colon = memrchr(s->ptr, ':', s->len);
	struct span level, f[2];

	*fits = true;
	if (colon == NULL)
		return OK;
	level = span_from(*s, (size_t)(colon - s->ptr) + 1);
	f[0] = span_cut(level, '-', &f[1]);
	if (f[0].len == level.len || level.len == 1 || !is_number(f[0]) ||
	    !is_number(f[1]))
		return OK;
	s->len = (size_t)(colon - s->ptr);
	return build_level(f, 2, 0, fits, ei);
}

/* ---- hosts and expressions --------------------------------------------------- */

static enum err
check_host(struct span s, struct errinfo *ei)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' ||
		    memchr("/:\\*?#@", s.ptr[i], 7) != NULL)
			return err_set(ei, ERR_SYNTAX,
			    "\"" SPAN_FMT "\" is no host", SPAN_ARG(s));
	return s.len > 0 && s.ptr[0] != '.' && s.ptr[s.len - 1] != '.'
	    ? OK
	    : err_set(ei, ERR_SYNTAX, "a host is empty, or a stop ends it");
}

/* In small letters, as hosts are compared. */
static void
put_host(struct buf *out, struct span host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		buf_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c));
	}
}

static enum err
parse_host(struct span s, struct buf *out, struct errinfo *ei)
{
	enum err e = check_host(s, ei);

	if (e == OK)
		put_host(out, s);
	return e;
}

static enum err
parse_pair(struct span s, struct buf *out, struct errinfo *ei)
{
	struct span shown, real = span_cut(s, ':', &shown);
	enum err e = check_host(real, ei);

	if (e == OK)
		e = check_host(shown, ei);
	if (e != OK)
		return e;
	put_host(out, real);
	buf_char(out, ':');
	put_host(out, shown);
	return OK;
}

/* It matches at the end of a pair, which a slash ends. */
static enum err
parse_regex(struct span s, struct buf *out, struct errinfo *ei)
{
	enum err e = s.len == 0
	    ? err_set(ei, ERR_SYNTAX, "the regular expression is empty")
	    : regex_check(s, LINK_REGEX_FLAGS, ei);

	if (e != OK)
		return e;
	buf_text(out, "(?:");
	buf_span(out, s);
	buf_text(out, ")/\\z");
	return out->full ? OK
			 : regex_check(buf_view(out), LINK_REGEX_FLAGS, ei);
}

struct line_kind {
	char letter;
	enum link_kind kind;
	enum err (*parse)(struct span s, struct buf *out, struct errinfo *ei);
};
static const struct line_kind shown_kinds[] = {
	{ 'H', LINK_SHOWN, parse_host },
	{ 'R', LINK_SHOWN_REGEX, parse_regex },
};
static const struct line_kind allow_kinds[] = {
	{ 'M', LINK_ALLOW, parse_pair },
	{ 'X', LINK_ALLOW_REGEX, parse_regex },
	{ 'Y', LINK_ALLOW_REGEX, parse_regex },
};

/* The line is its own name, cut if need be. */
static enum err
name_of(struct scan_builder *b, struct span line, struct set_name *out,
    struct errinfo *ei)
{
	char text[SCAN_NAME_MAX];
	size_t n = 0;

	if (line.len < SCAN_NAME_MAX)
		return build_plain_name(b, line, out, ei);
	while (n + 4 < sizeof(text) - 3) {
		size_t step = span_utf8_step(span_from(line, n));

		n += step == 0 ? 1 : step;
	}
	(void)snprintf(text, sizeof(text), "%.*s...", (int)n, line.ptr);
	return build_plain_name(b, span_of(text), out, ei);
}

static enum err
put_link(struct scan_builder *b, enum link_kind kind,
    const struct set_name *name, struct span pattern, struct errinfo *ei)
{
	struct buf sub = buf_make(LINK_PATTERN_MAX + 16);
	enum err e;

	write_number(&sub, SUB_LINK);
	write_masked(&sub, pattern);
	draft_begin(b->draft, name, TARGET_ANY);
	draft_link(b->draft, kind, links_hash(pattern));
	e = draft_sub(b->draft, buf_view(&sub), 0, ei);
	if (e == OK)
		e = draft_end(b, b->draft, SPAN(""), 0, ei);
	buf_free(&sub);
	return e;
}

/* "H:host" as its kind says, and where the pattern begins. */
static const struct line_kind *
kind_of(struct span line, const struct line_kind *kinds, size_t n,
    struct span *pattern)
{
	struct span head = span_cut(line, ':', pattern);

	if (head.len == 0 || head.len == line.len || head.len > 1 + FLAGS_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (kinds[i].letter == head.ptr[0])
			return &kinds[i];
	return NULL;
}

static enum err
add_link(struct scan_builder *b, struct span line,
    const struct line_kind *kinds, size_t n, struct errinfo *ei)
{
	struct span pattern, whole = line;
	const struct line_kind *k = kind_of(line, kinds, n, &pattern);
	struct buf text = buf_make(LINK_PATTERN_MAX);
	struct set_name name = { 0 };
	bool fits = true;
	enum err e;

	if (k == NULL)
		return err_set(ei, ERR_SYNTAX,
		    "no line of this file begins so: %c: or %c: expected",
		    kinds[0].letter, kinds[1].letter);
	e = cut_level(&pattern, &fits, ei);
	whole.len = (size_t)(pattern.ptr + pattern.len - line.ptr);
	if (e == OK)
		e = k->parse(pattern, &text, ei);
	if (e == OK && text.full)
		e = err_set(ei, ERR_LIMIT, "pattern is longer than %u bytes",
		    LINK_PATTERN_MAX);
	if (e == OK && (!fits || build_is_ignored(b, whole)))
		b->counts.skipped++;
	else if (e == OK)
		e = name_of(b, whole, &name, ei);
	if (name.text != 0 && e == OK)
		e = put_link(b, k->kind, &name, buf_view(&text), ei);
	buf_free(&text);
	return e;
}

enum err
add_shown_link(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	return add_link(b, line, shown_kinds, COUNT(shown_kinds), ei);
}

enum err
add_allowed_link(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	return add_link(b, line, allow_kinds, COUNT(allow_kinds), ei);
}

/* ---- hashes ------------------------------------------------------------------ */

static const struct {
	struct span text;
	enum url_kind kind;
	const char *name;
} url_lists[] = {
	{ SPAN("S"), URL_MALWARE,
	    "Heuristics.Safebrowsing.Suspected-malware_safebrowsing.clamav."
	    "net" },
	{ SPAN("S1"), URL_BLOCKED, "Heuristics.Phishing.URL.Blocked" },
	{ SPAN("S2"), URL_PHISHING,
	    "Heuristics.Safebrowsing.Suspected-phishing_safebrowsing.clamav."
	    "net" },
};
#define ALLOWED_NAME "Safebrowsing.Allowed"

static enum err
put_url(struct scan_builder *b, size_t list, bool allow, struct span digits,
    struct errinfo *ei)
{
	struct set_hash row = { .size = allow ? URL_ALLOWED
					      : url_lists[list].kind };
	struct buf *rows = &b->hash[HASH_URL][DIGEST_SHA256];
	unsigned char digest[SHA256_LEN];
	enum err e;

	if (hex_decode(digits, digest, sizeof(digest)) != OK)
		return err_set(
		    ei, ERR_SYNTAX, "hash is not 64 hex digits: a SHA-256");
	e = build_plain_name(b,
	    allow ? SPAN(ALLOWED_NAME) : span_of(url_lists[list].name),
	    &row.name, ei);
	if (e != OK)
		return e;
	buf_add(rows, digest, sizeof(digest));
	buf_add(rows, &row, sizeof(row));
	b->counts.hashes++;
	return OK;
}

/* Beginnings of hashes of hosts say which hashes to ask a server for; here
 * all are at hand. */
static enum err
check_prefix(struct span digits, struct errinfo *ei)
{
	unsigned char bytes[SHA256_LEN];

	if (digits.len == 0 || digits.len > 2 * sizeof(bytes) ||
	    hex_decode(digits, bytes, digits.len / 2) != OK)
		return err_set(ei, ERR_SYNTAX, "prefix is not hex digits");
	return OK;
}

/* S|S1|S2:F|W|P:hash[:level] */
enum err
add_url_hash(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1], rest = line;
	size_t list = 0, n;
	bool fits;
	enum err e = cut_level(&rest, &fits, ei);

	n = build_split(rest, ':', f);
	if (e == OK && n != 3)
		e = err_set(ei, ERR_SYNTAX,
		    "%zu fields, list:kind:hash[:min-max] expected", n);
	if (e != OK)
		return e;
	while (list < COUNT(url_lists) && !span_eq(f[0], url_lists[list].text))
		list++;
	if (list == COUNT(url_lists))
		return err_set(ei, ERR_UNSUPPORTED,
		    "no list " SPAN_FMT ": S, S1 or S2", SPAN_ARG(f[0]));
	if (!fits) {
		b->counts.skipped++;
		return OK;
	}
	if (span_is(f[1], "P"))
		return check_prefix(f[2], ei);
	if (!span_is(f[1], "F") && !span_is(f[1], "W"))
		return err_set(ei, ERR_SYNTAX, "kind is neither F, W nor P");
	return put_url(b, list, f[1].ptr[0] == 'W', f[2], ei);
}
