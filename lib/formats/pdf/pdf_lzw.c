/* LZWDecode (ISO 32000-1, 7.4.4): codes of 9 to 12 bits, first bit highest. */

#include "formats/pdf/pdf_filter_int.h"

#define CLEAR 256u
#define EOD   257u
#define NONE  PDF_LZW_CODES

static void
lzw_clear(struct pdf_lzw *l)
{
	l->width = 9;
	l->next = EOD + 1;
	l->before = NONE;
}

static bool
lzw_start(struct pdf_stage *s, const struct pdf_params *p)
{
	struct pdf_lzw *l = &s->u.lzw;

	lzw_clear(l);
	l->early = p->late ? 0 : 1;
	for (unsigned i = 0; i < 256; i++) {
		l->first[i] = l->last[i] = (unsigned char)i;
		l->length[i] = 1;
	}
	return true;
}

/* The text of a code, written from its end; a prefix is always smaller. */
static struct span
lzw_text(struct pdf_lzw *l, uint32_t code)
{
	size_t n = l->length[code], at = n;

	while (at > 0) {
		l->text[--at] = l->last[code];
		code = l->prefix[code];
	}
	return (struct span){ (char *)l->text, n };
}

/* before + last becomes the next code. */
static void
lzw_learn(struct pdf_lzw *l, unsigned char last)
{
	if (l->next >= PDF_LZW_CODES)
		return;
	l->prefix[l->next] = (uint16_t)l->before;
	l->first[l->next] = l->first[l->before];
	l->length[l->next] = (uint16_t)(l->length[l->before] + 1);
	l->last[l->next] = last;
	l->next++;
	if (l->next + l->early >= 1u << l->width && l->width < 12)
		l->width++;
}

static bool
lzw_code(struct pdf_chain *c, unsigned i, uint32_t code)
{
	struct pdf_lzw *l = &c->stage[i]->u.lzw;
	struct span text;

	if (code == CLEAR) {
		lzw_clear(l);
		return true;
	}
	if (code == EOD) {
		c->stage[i]->done = true;
		return false;
	}
	if (code > l->next || (code == l->next && l->before == NONE) ||
	    (code >= 256 && l->before == NONE) || code >= PDF_LZW_CODES)
		return pdf_stage_broke(c, i);
	if (l->before != NONE)
		lzw_learn(
		    l, code == l->next ? l->first[l->before] : l->first[code]);
	if (code >= l->next) /* the table is full, and this is none of it */
		return pdf_stage_broke(c, i);
	l->before = code;
	text = lzw_text(l, code);
	for (size_t k = 0; k < text.len; k++)
		if (!pdf_stage_byte(c, i, (unsigned char)text.ptr[k]))
			return false;
	return true;
}

static bool
lzw_push(struct pdf_chain *c, unsigned i, struct span bytes)
{
	struct pdf_lzw *l = &c->stage[i]->u.lzw;

	for (size_t k = 0; k < bytes.len; k++) {
		l->bits = l->bits << 8 | (unsigned char)bytes.ptr[k];
		l->held += 8;
		if (l->held < l->width)
			continue;
		l->held -= l->width;
		if (!lzw_code(
			c, i, l->bits >> l->held & ((1u << l->width) - 1)))
			return false;
	}
	return true;
}

const struct pdf_filter pdf_filter_lzw = { .start = lzw_start,
	.push = lzw_push };
