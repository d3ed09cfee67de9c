/* RTF: objects that are embedded as hex digits (\objdata).  Their writers hide
 * them from simple readers, and Word forgives much: blanks, groups and control
 * words between the digits, \bin in their place.  What stands in a group that
 * a reader may ignore ({\*...}) does not belong to the object. */

#include <string.h>

#include "formats/bytes.h"
#include "formats/office/office.h"
#include "formats/office/part.h"

#define WORD_MAX  32u
#define DEPTH_MAX 100000u

struct rtf {
	struct office office;
	struct span text;
	size_t at;
	uint32_t depth;
	uint32_t object;  /* depth of the group with the digits; 0: none */
	uint32_t ignored; /* the same of one that is passed over */
	int nibble;       /* the first of a byte, or -1 */
	struct buf bytes;
	bool wanted;
};

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static void
put_digit(struct rtf *r, int digit)
{
	if (r->nibble >= 0)
		buf_char(&r->bytes, (char)(r->nibble << 4 | digit));
	r->nibble = r->nibble >= 0 ? -1 : digit;
}

static void
end_object(struct rtf *r)
{
	r->object = 0;
	r->ignored = 0;
	if (r->bytes.len > 0)
		r->wanted = ole1_open(&r->office, buf_view(&r->bytes));
	buf_clear(&r->bytes);
	r->nibble = -1;
}

/* \bin5 and so many raw bytes behind one blank. */
static void
take_binary(struct rtf *r, uint64_t n)
{
	struct span raw;

	if (r->at < r->text.len && r->text.ptr[r->at] == ' ')
		r->at++;
	raw = bytes_sub(r->text, r->at, n);
	r->at += raw.len;
	if (r->object != 0 && r->ignored == 0)
		buf_span(&r->bytes, raw);
}

/* Behind the backslash: a word and its number, or one other character. */
static void
take_control(struct rtf *r)
{
	struct span rest = span_from(r->text, r->at);
	struct span word;
	size_t n = 0;
	uint64_t number = 0;

	while (n < rest.len && n < WORD_MAX && is_letter(rest.ptr[n]))
		n++;
	if (n == 0) {
		r->at += rest.len > 0;
		if (rest.len > 0 && rest.ptr[0] == '\'')
			r->at += rest.len < 3 ? rest.len - 1 : 2;
		if (rest.len > 0 && rest.ptr[0] == '*' && r->object != 0 &&
		    r->depth > r->object && r->ignored == 0)
			r->ignored = r->depth;
		return;
	}
	word = (struct span){ rest.ptr, n };
	n += n < rest.len && rest.ptr[n] == '-';
	for (; n < rest.len && rest.ptr[n] >= '0' && rest.ptr[n] <= '9'; n++)
		number = number > UINT32_MAX
		    ? number
		    : number * 10 + (uint64_t)(rest.ptr[n] - '0');
	r->at += n;
	if (span_is(word, "bin"))
		take_binary(r, number);
	else if (span_is(word, "objdata") && r->object == 0) {
		office_suspect(&r->office, OFFICE_RTF_OBJECT);
		r->object = r->depth;
	}
}

static void
take_brace(struct rtf *r, char c)
{
	if (c == '{') {
		r->depth += r->depth < DEPTH_MAX;
		return;
	}
	if (r->object != 0 && r->depth <= r->object)
		end_object(r);
	if (r->ignored == r->depth)
		r->ignored = 0;
	r->depth -= r->depth > 0;
}

void
open_rtf(struct span object, struct peel *out)
{
	struct rtf r = { .office = office_begin(object, out),
		.text = object,
		.nibble = -1,
		.bytes = buf_make(object.len),
		.wanted = true };

	while (r.wanted && r.at < object.len) {
		char c = object.ptr[r.at++];
		int digit = bytes_hex(c);

		if (c == '\\')
			take_control(&r);
		else if (c == '{' || c == '}')
			take_brace(&r, c);
		else if (r.object != 0 && r.ignored == 0 && digit >= 0)
			put_digit(&r, digit);
		if (r.at % 65536 == 0 && !peel_tick(out))
			r.wanted = false;
	}
	if (r.wanted && r.object != 0) {
		office_note(&r.office, PEEL_DAMAGED);
		end_object(&r);
	}
	buf_free(&r.bytes);
}
