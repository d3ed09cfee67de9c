/* Mails (RFC 5322) and files of many (mbox), by the parts of MIME (RFC 2045,
 * 2046): each part is a member, decoded, with its file name or "part 3".
 *
 * Readers differ in what they forgive, so more is taken for a part than the
 * rules say: a boundary that is missing from the head is the first line that
 * looks like one, and text may hold uuencoded files and BinHex wherever it
 * stands.  Bodies of parts that are deeper than DEPTH_MAX are given as mails. */

#include <stdio.h>
#include <string.h>

#include "formats/base64.h"
#include "formats/bytes.h"
#include "formats/text/decode.h"
#include "formats/text/header.h"
#include "formats/text/lines.h"
#include "formats/text/text.h"

#define DEPTH_MAX    8u
#define BOUNDARY_MAX 1000u

struct mail {
	struct peel *out;
	uint32_t parts;
	bool damaged;
	bool wanted; /* the sink has not had enough */
};

static void walk(struct mail *m, struct span message, unsigned depth);

/* ---- a part that is no container ----------------------------------------------------- */

enum encoding { ENC_NONE, ENC_BASE64, ENC_QUOTED, ENC_UU };

static enum encoding
encoding_of(const struct header *h)
{
	static const struct {
		struct span name;
		enum encoding encoding;
	} names[] = {
		{ SPAN("base64"), ENC_BASE64 },
		{ SPAN("quoted-printable"), ENC_QUOTED },
		{ SPAN("x-uuencode"), ENC_UU },
		{ SPAN("uuencode"), ENC_UU },
		{ SPAN("x-uue"), ENC_UU },
		{ SPAN("uue"), ENC_UU },
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (lines_starts(h->encoding, names[i].name))
			return names[i].encoding;
	return ENC_NONE;
}

static bool
give_decoded(struct mail *m, const struct peel_member *member, struct span body,
    enum encoding encoding)
{
	if (!peel_begin(m->out, member))
		return false;
	if (encoding == ENC_BASE64 ? !base64_give(body, m->out)
				   : !decode_quoted(body, m->out))
		return false;
	return peel_end(m->out);
}

/* Text as it is, and the files in it. */
static bool
give_text(struct mail *m, const struct peel_member *member, struct span body)
{
	static const struct span binhex = SPAN("with BinHex");
	bool more = true;

	if (body.len > 0 && !peel_slice(m->out, member, body))
		return false;
	if (memmem(body.ptr, body.len, "begin ", 6) != NULL)
		more = uu_give(body, m->out);
	if (more && memmem(body.ptr, body.len, binhex.ptr, binhex.len) != NULL)
		more = binhex_give(body, m->out, &m->damaged);
	return more && peel_tick(m->out);
}

static void
give_part(struct mail *m, const struct header *h, struct span body,
    enum format format)
{
	struct buf name = buf_make(HEADER_NAME_MAX);
	enum encoding encoding = encoding_of(h);
	struct peel_member member;

	m->parts++;
	header_file_name(h, &name);
	if (name.len == 0)
		buf_fmt(&name, "part %u", m->parts);
	member = peel_named(buf_view(&name), format);
	member.packed = body.len;
	if (encoding == ENC_BASE64 || encoding == ENC_QUOTED)
		m->wanted = give_decoded(m, &member, body, encoding);
	else
		m->wanted = give_text(m, &member, body);
	buf_free(&name);
}

/* ---- parts -------------------------------------------------------------------------- */

/* Where the next line with the boundary begins, from `at` on; the end if
 * there is none.  One that closes the parts is no different: some readers go
 * on. */
static size_t
find_boundary(struct span s, size_t at, struct span mark, size_t *behind)
{
	while (at < s.len) {
		const char *p =
		    memmem(s.ptr + at, s.len - at, mark.ptr, mark.len);
		struct span rest;

		if (p == NULL)
			break;
		at = (size_t)(p - s.ptr);
		rest = span_from(s, at + mark.len);
		if ((at == 0 || s.ptr[at - 1] == '\n' ||
			s.ptr[at - 1] == '\r') &&
		    (rest.len == 0 || span_starts(rest, "--") ||
			memchr(" \t\r\n", rest.ptr[0], 4) != NULL)) {
			struct span line;

			*behind = at;
			(void)lines_next(s, behind, &line);
			return at;
		}
		at += mark.len;
	}
	*behind = s.len;
	return s.len;
}

/* "--" and the boundary: as the head says, or as it looks. */
static void
boundary_of(const struct header *h, struct span body, struct buf *mark)
{
	struct span line, guess = { "", 0 };
	size_t at = 0, behind;

	buf_text(mark, "--");
	if (header_field(h->type_fields, "boundary", mark) && mark->len > 2 &&
	    find_boundary(body, 0, buf_view(mark), &behind) < body.len)
		return;
	while (guess.len == 0 && lines_next(body, &at, &line))
		if (span_starts(line, "--") && span_trim(line).len > 2)
			guess = span_trim(line);
	buf_clear(mark);
	buf_span(mark, guess);
}

static void
walk_parts(
    struct mail *m, const struct header *h, struct span body, unsigned depth)
{
	struct buf mark = buf_make(BOUNDARY_MAX);
	size_t at, end;

	boundary_of(h, body, &mark);
	if (mark.len == 0 || mark.full) {
		m->damaged = true;
		give_part(m, h, body, FORMAT_ANY);
		buf_free(&mark);
		return;
	}
	(void)find_boundary(body, 0, buf_view(&mark), &at);
	while (m->wanted && at < body.len) {
		size_t behind;

		end = find_boundary(body, at, buf_view(&mark), &behind);
		walk(m, bytes_sub(body, at, end - at), depth + 1);
		at = behind;
	}
	buf_free(&mark);
}

/* A mail, or a part: a head and a body. */
static void
walk(struct mail *m, struct span message, unsigned depth)
{
	size_t at = 0;
	struct header h = header_read(message, &at);
	struct span body = span_from(message, at);
	bool parts = lines_starts(h.type, SPAN("multipart/"));
	bool mail = lines_starts(h.type, SPAN("message/rfc822"));

	if (!m->wanted || !peel_tick(m->out)) {
		m->wanted = false;
		return;
	}
	if (depth >= DEPTH_MAX && (parts || mail)) {
		struct peel_member deeper =
		    peel_named(SPAN("mail"), FORMAT_MAIL);

		m->wanted = peel_slice(m->out, &deeper, parts ? message : body);
	} else if (parts) {
		walk_parts(m, &h, body, depth);
	} else if (mail && encoding_of(&h) == ENC_NONE) {
		walk(m, body, depth + 1);
	} else {
		give_part(m, &h, body, mail ? FORMAT_MAIL : FORMAT_ANY);
	}
}

/* ---- files of mails ------------------------------------------------------------------ */

/* Where the next mail of an mbox begins: behind an empty line. */
static size_t
next_mail(struct span s, size_t at)
{
	while (at < s.len) {
		const char *p = memmem(s.ptr + at, s.len - at, "\nFrom ", 6);

		if (p == NULL)
			break;
		at = (size_t)(p - s.ptr) + 1;
		if (at >= 2 &&
		    (s.ptr[at - 2] == '\n' ||
			(at >= 3 && s.ptr[at - 2] == '\r' &&
			    s.ptr[at - 3] == '\n')))
			return at;
	}
	return s.len;
}

void
open_mail(struct span object, struct peel *out)
{
	struct mail m = { .out = out, .wanted = true };
	size_t at = 0, end;
	struct span line;

	while (m.wanted && at < object.len) {
		bool box = span_starts(span_from(object, at), "From ");

		end = box ? next_mail(object, at) : object.len;
		if (box)
			(void)lines_next(object, &at, &line);
		if (at < end)
			walk(&m, bytes_sub(object, at, end - at), 0);
		at = end;
	}
	if (m.damaged && m.wanted)
		peel_note(out, PEEL_DAMAGED);
}
