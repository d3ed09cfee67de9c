#include <string.h>

#include "formats/bytes.h"
#include "formats/text/links.h"
#include "scan/links/links.h"
#include "scan/object/scanner_int.h"

/* Links in mails that show one place and lead to another. */

#define BODY_MAX  (10u << 20) /* of a part: as pages are read */
#define LINKS_MAX 20000u      /* of a part */
#define TIME_EACH 64u         /* links between looks at the clock */

struct letter {
	struct scanner *s;
	const struct object *o;
	uint32_t links;
};

static void
found(struct letter *l, const struct links_hit *hit)
{
	char source[SCAN_NAME_MAX];

	if (look_allowed(l->s, l->o))
		return;
	set_source_text(l->s->set, &hit->from, source);
	scanner_suspect_by(l->s, l->o, hit->name, source);
}

static bool
on_link(void *arg, struct span real, struct span shown)
{
	struct letter *l = arg;
	struct links_hit hit;
	enum links_result r;

	if (l->links++ == LINKS_MAX) {
		scanner_note(l->s, l->o, SCAN_R_COUNT);
		return false;
	}
	if (l->links % TIME_EACH == 0 && !scanner_in_time(l->s, l->o))
		return false;
	r = links_check(l->s->links, real, shown, &hit);
	if (r == LINKS_FOUND)
		found(l, &hit);
	else if (r == LINKS_DAMAGED)
		scanner_give_up(l->s, l->o, SCAN_R_SET);
	return r == LINKS_CLEAN;
}

/* Letters of 16 bits become bytes, and zeros that hide a tag go. */
static struct span
without_zeros(struct scanner *s, struct span body)
{
	buf_clear(&s->text);
	while (body.len > 0) {
		struct span piece = span_cut(body, '\0', &body);

		buf_span(&s->text, piece);
	}
	return buf_view(&s->text);
}

bool
letters_look(struct scanner *s, const struct object *o)
{
	static const bool texts[FORMATS] = { [FORMAT_HTML] = true,
		[FORMAT_TEXT_ASCII] = true,
		[FORMAT_TEXT_UTF8] = true,
		[FORMAT_TEXT_UTF16LE] = true,
		[FORMAT_TEXT_UTF16BE] = true,
		[FORMAT_SCRIPT] = true,
		[FORMAT_BINARY_DATA] = true };
	struct letter l = { .s = s, .o = o };
	struct span body = bytes_sub(o->bytes, 0, BODY_MAX);

	if (s->links == NULL || o->parent == NULL ||
	    o->parent->format != FORMAT_MAIL || !texts[o->format])
		return false;
	if (memchr(body.ptr, '\0', body.len) != NULL)
		body = without_zeros(s, body);
	links_read(body, on_link, &l);
	return s->stop;
}
