/* ASCIIHexDecode, ASCII85Decode and RunLengthDecode (ISO 32000-1, 7.4.2,
 * 7.4.3, 7.4.5).  Characters that do not belong there are passed over. */

#include "formats/pdf/pdf_filter_int.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_stage *s = c->stage[i];

	for (size_t k = 0; k < bytes.len; k++) {
		int v = hex_value(bytes.ptr[k]);

		if (bytes.ptr[k] == '>') {
			s->done = true;
			return false;
		}
		if (v < 0)
			continue;
		s->u.ascii.value = s->u.ascii.value << 4 | (unsigned)v;
		if (++s->u.ascii.n < 2)
			continue;
		s->u.ascii.n = 0;
		if (!pdf_stage_byte(c, i, s->u.ascii.value & 255))
			return false;
	}
	return true;
}

/* An odd digit counts as followed by 0. */
static void
hex_end(struct pdf_chain *c, unsigned i)
{
	struct pdf_stage *s = c->stage[i];

	if (s->u.ascii.n == 1)
		(void)pdf_stage_byte(c, i, s->u.ascii.value << 4 & 255);
}

/* The first n bytes of the four that stand in value. */
static bool
put_group(struct pdf_chain *c, unsigned i, uint32_t value, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if (!pdf_stage_byte(c, i, value >> (24 - 8 * k) & 255))
			return false;
	return true;
}

static bool
a85_char(struct pdf_chain *c, unsigned i, char ch)
{
	struct pdf_stage *s = c->stage[i];

	if (ch == 'z' && s->u.ascii.n == 0)
		return put_group(c, i, 0, 4);
	if (ch < '!' || ch > 'u')
		return true;
	s->u.ascii.value = s->u.ascii.value * 85 + (uint32_t)(ch - '!');
	if (++s->u.ascii.n < 5)
		return true;
	s->u.ascii.begun = true;
	s->u.ascii.n = 0;
	if (!put_group(c, i, s->u.ascii.value, 4))
		return false;
	s->u.ascii.value = 0;
	return true;
}

/* "~>" is the end; but "<~" may stand before all. */
static bool
a85_mark(struct pdf_stage *s)
{
	if (!s->u.ascii.begun && s->u.ascii.n == 1 &&
	    s->u.ascii.value == '<' - '!') {
		s->u.ascii.n = 0;
		s->u.ascii.value = 0;
		s->u.ascii.begun = true;
		return true;
	}
	s->done = true;
	return false;
}

static bool
a85_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	for (size_t k = 0; k < bytes.len; k++) {
		if (bytes.ptr[k] == '~' ? !a85_mark(c->stage[i])
					: !a85_char(c, i, bytes.ptr[k]))
			return false;
	}
	return true;
}

/* n characters are n - 1 bytes, as if padded with 'u'. */
static void
a85_end(struct pdf_chain *c, unsigned i)
{
	struct pdf_stage *s = c->stage[i];
	unsigned n = s->u.ascii.n;

	if (n < 2)
		return;
	for (unsigned k = n; k < 5; k++)
		s->u.ascii.value = s->u.ascii.value * 85 + 84;
	(void)put_group(c, i, s->u.ascii.value, n - 1);
}

static bool
run_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_stage *s = c->stage[i];

	for (size_t k = 0; k < bytes.len; k++) {
		unsigned byte = (unsigned char)bytes.ptr[k], n = 1;

		if (s->u.run.copy == 0) {
			if (byte == 128) {
				s->done = true;
				return false;
			}
			s->u.run.repeat = byte > 128;
			s->u.run.copy = byte > 128 ? 257 - byte : byte + 1;
			continue;
		}
		if (s->u.run.repeat)
			n = s->u.run.copy;
		s->u.run.copy -= n;
		for (unsigned j = 0; j < n; j++)
			if (!pdf_stage_byte(c, i, byte))
				return false;
	}
	return true;
}

const struct pdf_filter pdf_filter_ascii_hex = { .push = hex_push,
	.end = hex_end };
const struct pdf_filter pdf_filter_ascii_85 = { .push = a85_push,
	.end = a85_end };
const struct pdf_filter pdf_filter_run_length = { .push = run_push };
