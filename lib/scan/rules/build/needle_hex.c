#include <string.h>

#include "formats/bytes.h"
#include "scan/rules/build/lexer.h"
#include "scan/rules/build/needle.h"

struct masked {
	struct literal bytes, masks;
};

struct hex {
	struct masked run, best; /* the one under way, and the best so far */
	uint32_t worth;          /* of the best */
};

static struct run
masked_run(const struct masked *m)
{
	bool whole = true;

	for (size_t i = 0; i < m->masks.len; i++)
		whole = whole && m->masks.bytes[i] == 0xff;
	return (struct run){ m->bytes.bytes, whole ? NULL : m->masks.bytes,
		m->bytes.len };
}

static void
end_run(struct hex *h)
{
	uint32_t worth = run_worth(masked_run(&h->run));

	if (worth > h->worth) {
		h->worth = worth;
		h->best = h->run;
	}
	h->run.bytes.len = h->run.masks.len = 0;
}

/* Over "[...]", or "(...)" with others in it. */
static size_t
skip_group(struct span s, size_t at)
{
	size_t depth = 0;

	for (; at < s.len; at++) {
		if (s.ptr[at] == '(' || s.ptr[at] == '[')
			depth++;
		if ((s.ptr[at] == ')' || s.ptr[at] == ']') && --depth == 0)
			return at + 1;
	}
	return at;
}

/* Two digits, of which a "?" may be any. */
static bool
hex_byte(struct masked *m, struct span s)
{
	unsigned value = 0, mask = 0;

	for (size_t i = 0; i < 2; i++) {
		bool any = i < s.len && s.ptr[i] == '?';
		int digit = any ? 0 : i < s.len ? bytes_hex(s.ptr[i]) : -1;

		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
		mask = mask << 4 | (any ? 0 : 15);
	}
	literal_add(&m->bytes, (unsigned char)value);
	literal_add(&m->masks, (unsigned char)mask);
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
		} else if (rule_skip_comment(s, at) > at) {
			at = rule_skip_comment(s, at);
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
			if (!hex_byte(&h->run, span_from(s, at)))
				return false;
			at += 2;
		}
	}
	end_run(h);
	return true;
}

bool
needle_add_hex(struct needles *n, const struct rule_string *s)
{
	struct hex h = { .worth = 0 };
	struct span inner = { s->value.ptr + 1, s->value.len - 2 };

	return hex_runs(&h, inner) && h.worth > 0 &&
	    needle_add(n, masked_run(&h.best), 0);
}
