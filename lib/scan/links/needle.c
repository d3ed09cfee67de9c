#include "scan/links/needle.h"

#include <string.h>

/* Understands as much of an expression as is needed to be sure; of what else
 * there is, it knows no letters. */
struct walk {
	struct span s;
	size_t at;
	unsigned depth;    /* of parentheses */
	struct needle run; /* of letters, up to here */
	struct needle *best;
	bool lost; /* nothing is sure */
};

static void
end_run(struct walk *w)
{
	if (w->run.len > w->best->len)
		*w->best = w->run;
	w->run.len = 0;
}

static void
take_letter(struct walk *w, char c)
{
	if (w->depth > 0)
		return;
	if (w->run.len == NEEDLE_MAX)
		end_run(w);
	w->run.text[w->run.len++] = c;
}

/* What stands before it may be missing. */
static void
take_optional(struct walk *w)
{
	if (w->run.len > 0)
		w->run.len--;
	end_run(w);
}

/* "{2,3}"; a brace may also be a letter, in what else there is. */
static void
take_brace(struct walk *w)
{
	take_optional(w);
	do
		w->at++;
	while (w->at < w->s.len &&
	    memchr("0123456789,", w->s.ptr[w->at], 11) != NULL);
	w->lost = w->lost || w->at == w->s.len || w->s.ptr[w->at] != '}';
}

/* Behind a backslash it stands for itself; letters and digits have a meaning
 * of their own. */
static bool
is_plain(char c)
{
	return c != '\0' && !(c >= '0' && c <= '9') &&
	    !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

/* "[:alpha:]"; 0: that is something else. */
static size_t
name_len(struct span s)
{
	size_t n = 2;

	n += n < s.len && s.ptr[n] == '^';
	while (n < s.len && s.ptr[n] >= 'a' && s.ptr[n] <= 'z')
		n++;
	return span_starts(span_from(s, n), ":]") ? n + 2 : 0;
}

/* Within brackets: how far the next thing goes; 0: not sure. */
static size_t
class_step(struct span s)
{
	char next = '\0';

	if (s.len > 1)
		next = s.ptr[1];
	if (s.ptr[0] == '\\')
		return is_plain(next) || memchr("dsw", next, 3) != NULL ? 2 : 0;
	if (s.ptr[0] != '[')
		return 1;
	if (next == ':')
		return name_len(s);
	return next == '.' || next == '=' ? 0 : 1;
}

/* "[]a[:alpha:]]", to its last bracket. */
static void
skip_class(struct walk *w)
{
	size_t at = w->at + 1, step = 1;

	end_run(w);
	at += at < w->s.len && w->s.ptr[at] == '^';
	at += at < w->s.len && w->s.ptr[at] == ']';
	while (step > 0 && at < w->s.len && w->s.ptr[at] != ']') {
		step = class_step(span_from(w->s, at));
		at += step;
	}
	w->lost = w->lost || step == 0 || at >= w->s.len;
	w->at = at;
}

static void
take_escape(struct walk *w)
{
	char c = '\0';

	if (++w->at < w->s.len)
		c = w->s.ptr[w->at];
	if (is_plain(c))
		take_letter(w, c);
	else
		w->lost = true;
}

static void
take_group(struct walk *w)
{
	end_run(w);
	w->depth++;
	/* options, looks around: all may mean something else now */
	w->lost = w->lost ||
	    memchr("?*", w->at + 1 < w->s.len ? w->s.ptr[w->at + 1] : '?', 2) !=
		NULL;
}

static void
take(struct walk *w, char c)
{
	if (c == '\\')
		take_escape(w);
	else if (c == '[')
		skip_class(w);
	else if (c == '(')
		take_group(w);
	else if (c == ')')
		w->depth -= w->depth > 0;
	else if (c == '|')
		w->lost = w->lost || w->depth == 0;
	else if (c == '*' || c == '?')
		take_optional(w);
	else if (c == '{')
		take_brace(w);
	else if (c == '.' || c == '^' || c == '$' || c == '+')
		end_run(w);
	else
		take_letter(w, c);
}

void
needle_of(struct span regex, struct needle *out)
{
	struct walk w = { .s = regex, .best = out };

	out->len = 0;
	for (; w.at < regex.len && !w.lost; w.at++)
		take(&w, regex.ptr[w.at]);
	end_run(&w);
	if (w.lost)
		out->len = 0;
}

bool
needle_in(const struct needle *n, struct span subject)
{
	return n->len == 0 ||
	    memmem(subject.ptr, subject.len, n->text, n->len) != NULL;
}
