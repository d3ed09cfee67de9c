#include "scan/links/url.h"

#include <string.h>

#include "formats/text/lines.h"
#include "scan/links/url_int.h"

/* ---- bytes ----------------------------------------------------------------- */

static char
small(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static bool
is_letter(char c)
{
	return small(c) >= 'a' && small(c) <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes that are there and not seen, of what `s` begins with. */
static size_t
unseen(struct span s)
{
	/* no-break space, soft hyphen, zero-width space to right-to-left
	 * mark, word joiner, byte order mark */
	static const char *const marks[] = { "\xc2\xa0", "\xc2\xad",
		"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e",
		"\xe2\x80\x8f", "\xe2\x81\xa0", "\xef\xbb\xbf" };

	if ((unsigned char)s.ptr[0] <= ' ' || s.ptr[0] == 0x7f)
		return 1;
	for (size_t i = 0; i < COUNT(marks); i++)
		if (span_starts(s, marks[i]))
			return strlen(marks[i]);
	return 0;
}

struct span
url_clean(struct span text, char out[URL_TEXT_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < text.len && n < URL_TEXT_MAX;) {
		size_t skip = unseen(span_from(text, i));
		char c = text.ptr[i];

		i += skip == 0 ? 1 : skip;
		if (skip == 0)
			out[n++] = c;
		if (skip == 0 && c == '\\')
			out[n - 1] = '/';
	}
	return (struct span){ out, n };
}

size_t
url_unescape(char *text, size_t len, bool *zero)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%' && len - i > 2 &&
		    hex_decode((struct span){ text + i + 1, 2 }, &c, 1) == OK) {
			i += 2;
			*zero = *zero || ((unsigned char)c <= 1 && i + 1 < len);
		}
		text[n++] = c;
	}
	return n;
}

/* ---- schemes --------------------------------------------------------------- */

static const char *const schemes[] = { "https", "http", "ftp" };

/* A link to be opened has its scheme in front, whatever slashes follow. */
static void
cut_real(struct span *s, const char **scheme)
{
	struct span rest, head = span_cut(*s, ':', &rest);

	for (size_t i = 0; i < COUNT(schemes); i++)
		if (head.len < s->len && lines_same(head, span_of(schemes[i])))
			*scheme = schemes[i];
	if (*scheme == NULL)
		return;
	while (rest.len > 0 && rest.ptr[0] == '/')
		rest = span_from(rest, 1);
	*s = rest;
}

/* Of what is shown it is what stands before "://". */
static void
cut_shown(struct span *s, const char **scheme)
{
	size_t at = 0, n;

	while (at < s->len && memchr("/?#", s->ptr[at], 3) == NULL)
		at++;
	if (at == 0 || at == s->len ||
	    !span_starts(span_from(*s, at - 1), "://"))
		return;
	*scheme = "";
	for (size_t i = COUNT(schemes); i-- > 0;) {
		n = strlen(schemes[i]);
		if (at - 1 >= n &&
		    lines_same((struct span){ s->ptr + at - 1 - n, n },
			span_of(schemes[i])))
			*scheme = schemes[i];
	}
	*s = span_from(*s, at + 2);
}

/* Brackets, stops and quotes around what is shown. */
static struct span
strip(struct span s)
{
	while (s.len > 0 && !is_letter(s.ptr[0]) && !is_digit(s.ptr[0]) &&
	    (signed char)s.ptr[0] >= 0)
		s = span_from(s, 1);
	while (s.len > 0 && !is_letter(s.ptr[s.len - 1]) &&
	    !is_digit(s.ptr[s.len - 1]) && (signed char)s.ptr[s.len - 1] >= 0)
		s.len--;
	return s;
}

/* ---- hosts ------------------------------------------------------------------- */

/* Without the user, the port and stops at its ends. */
struct span
url_host_of(struct span authority)
{
	const char *at = memrchr(authority.ptr, '@', authority.len);
	struct span host = authority, rest;

	if (at != NULL)
		host = span_from(authority, (size_t)(at - authority.ptr) + 1);
	while (host.len > 0 && host.ptr[0] == '.')
		host = span_from(host, 1);
	host = span_cut(
	    host, host.len > 0 && host.ptr[0] == '[' ? ']' : ':', &rest);
	while (host.len > 0 && host.ptr[host.len - 1] == '.')
		host.len--;
	return host;
}

static bool
is_host_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '-' || c == '_' ||
	    (signed char)c < 0;
}

/* The last label, behind the last stop; *rest stands before that. */
static struct span
last_label(struct span host, struct span *rest)
{
	const char *stop = memrchr(host.ptr, '.', host.len);

	*rest = (struct span){ host.ptr,
		stop == NULL ? 0 : (size_t)(stop - host.ptr) };
	return stop == NULL ? host : span_from(host, rest->len + 1);
}

/* "a.example": at least two labels, the last one of letters. */
static bool
is_name(struct span host)
{
	struct span rest, last = last_label(host, &rest);
	size_t label = 0;

	for (size_t i = 0; i < rest.len; i++) {
		if (rest.ptr[i] == '.' ? label == 0
				       : !is_host_byte(rest.ptr[i]))
			return false;
		label = rest.ptr[i] == '.' ? 0 : label + 1;
	}
	if (label == 0 || last.len < 2)
		return false;
	if (span_starts(last, "xn--"))
		return true;
	for (size_t i = 0; i < last.len; i++)
		if (!is_letter(last.ptr[i]))
			return false;
	return true;
}

struct span
url_authority(struct span s)
{
	size_t n = 0;

	while (n < s.len && memchr("/?#", s.ptr[n], 3) == NULL)
		n++;
	return (struct span){ s.ptr, n };
}

/* Unescaped, where it stands; what an escape hid ends it as well. */
static struct span
open_authority(struct span s, char *text, bool *zero)
{
	char clean[URL_TEXT_MAX];
	struct span a = url_authority(s);
	size_t n = url_unescape(text + (a.ptr - text), a.len, zero);

	a = url_clean((struct span){ a.ptr, n }, clean);
	memcpy(text, a.ptr, a.len);
	return url_authority((struct span){ text, a.len });
}

bool
url_read(struct span in, enum url_side side, struct url *out)
{
	char text[URL_TEXT_MAX];
	struct span s = url_clean(in, text), authority, host;
	const char *scheme = NULL;

	out->cloaked = false;
	if (side == URL_SHOWN) {
		s = strip(s);
		cut_shown(&s, &scheme);
	} else {
		cut_real(&s, &scheme);
	}
	authority = open_authority(s, text, &out->cloaked);
	host = url_host_of(authority);
	if (host.len == 0 || host.len >= URL_HOST_MAX)
		return false;
	if (scheme == NULL &&
	    (!is_name(host) || memchr(authority.ptr, '@', authority.len)))
		return false;
	for (size_t i = 0; i < host.len; i++)
		out->host_text[i] = small(host.ptr[i]);
	out->host = (struct span){ out->host_text, host.len };
	out->scheme = span_of(scheme == NULL ? "" : scheme);
	memcpy(out->scheme_text, out->scheme.ptr, out->scheme.len);
	out->scheme.ptr = out->scheme_text;
	return true;
}

/* ---- owners -------------------------------------------------------------------- */

/* What registries of countries sell names below, beside the country. */
static const char *const sold[] = { "ac", "ai", "biz", "co", "com", "edu", "go",
	"gob", "gov", "health", "id", "info", "int", "io", "ltd", "me", "mil",
	"name", "ne", "net", "nom", "or", "org", "plc", "pro", "sch", "tv" };

static bool
is_sold(struct span label)
{
	for (size_t i = 0; i < COUNT(sold); i++)
		if (span_is(label, sold[i]))
			return true;
	return false;
}

static struct span
owner_of(struct span host)
{
	struct span rest, before, top = last_label(host, &rest);
	struct span second = last_label(rest, &before);
	size_t from = (size_t)(second.ptr - host.ptr);

	if (rest.len == 0)
		return host;
	if (top.len == 2 && before.len > 0 && is_sold(second))
		from = (size_t)(last_label(before, &rest).ptr - host.ptr);
	return span_from(host, from);
}

bool
url_is_number(struct span host)
{
	struct span rest, last = last_label(host, &rest);
	bool hex = span_starts(last, "0x");

	for (size_t i = hex ? 2 : 0; i < last.len; i++)
		if (!is_digit(last.ptr[i]) &&
		    (!hex || memchr("abcdef", last.ptr[i], 6) == NULL))
			return false;
	return last.len > 0;
}

bool
url_same_owner(struct span a, struct span b)
{
	if (span_eq(a, b))
		return true;
	return !url_is_number(a) && !url_is_number(b) &&
	    span_eq(owner_of(a), owner_of(b));
}
