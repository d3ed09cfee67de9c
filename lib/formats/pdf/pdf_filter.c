#include "formats/pdf/pdf_filter_int.h"

#include <stdlib.h>
#include <string.h>

static const struct pdf_filter *const filters[PDF_METHODS] = {
	[PDF_FLATE] = &pdf_filter_flate,
	[PDF_LZW] = &pdf_filter_lzw,
	[PDF_ASCII_HEX] = &pdf_filter_ascii_hex,
	[PDF_ASCII_85] = &pdf_filter_ascii_85,
	[PDF_RUN_LENGTH] = &pdf_filter_run_length,
	[PDF_PREDICTOR] = &pdf_filter_predictor,
};

struct pdf_chain *
pdf_chain_new(void)
{
	return calloc(1, sizeof(struct pdf_chain));
}

static void
stop_stages(struct pdf_chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->stage[i]->filter->stop != NULL)
			c->stage[i]->filter->stop(c->stage[i]);
	c->n = 0;
}

void
pdf_chain_free(struct pdf_chain *c)
{
	if (c == NULL)
		return;
	stop_stages(c);
	for (unsigned i = 0; i < PDF_STAGES_MAX; i++)
		free(c->stage[i]);
	free(c);
}

void
pdf_chain_reset(struct pdf_chain *c, const struct pdf_chain_end *end)
{
	stop_stages(c);
	c->end = *end;
	c->outcome = PDF_DONE;
}

bool
pdf_chain_add(
    struct pdf_chain *c, enum pdf_method m, const struct pdf_params *p)
{
	struct pdf_stage *s;

	if (c->n == PDF_STAGES_MAX)
		return false;
	if (c->stage[c->n] == NULL)
		c->stage[c->n] = malloc(sizeof(*s));
	s = c->stage[c->n];
	if (s == NULL)
		return false;
	s->filter = filters[m];
	s->done = false;
	s->out_len = 0;
	memset(&s->u, 0, sizeof(s->u));
	if (s->filter->start != NULL && !s->filter->start(s, p))
		return false;
	c->n++;
	return true;
}

static bool
stop(struct pdf_chain *c, enum pdf_outcome why)
{
	c->outcome = why;
	return false;
}

/* Every byte that enters a stage, or leaves the chain, is work. */
static bool
count_work(struct pdf_chain *c, size_t n)
{
	uint64_t before = *c->end.work;

	if (before < n)
		return stop(c, PDF_WORKED);
	*c->end.work = before - n;
	if (before >> 17 == (before - n) >> 17 || peel_tick(c->end.peel))
		return true;
	return stop(c, PDF_STOPPED);
}

static bool
enter(struct pdf_chain *c, unsigned i, struct span bytes)
{
	if (!count_work(c, bytes.len))
		return false;
	if (i == c->n)
		return c->end.to(c->end.arg, bytes) || stop(c, PDF_STOPPED);
	return !c->stage[i]->done && c->stage[i]->filter->push(c, i, bytes);
}

bool
pdf_stage_pass(struct pdf_chain *c, unsigned i, struct span bytes)
{
	return bytes.len == 0 || enter(c, i + 1, bytes);
}

bool
pdf_stage_flush(struct pdf_chain *c, unsigned i)
{
	struct pdf_stage *s = c->stage[i];
	size_t n = s->out_len;

	s->out_len = 0;
	return pdf_stage_pass(c, i, (struct span){ (char *)s->out, n });
}

bool
pdf_stage_broke(struct pdf_chain *c, unsigned i)
{
	c->stage[i]->done = true;
	if (c->outcome == PDF_DONE)
		c->outcome = PDF_BROKEN;
	return false;
}

enum pdf_outcome
pdf_chain_run(struct pdf_chain *c, struct span bytes)
{
	bool more = true;

	while (more && bytes.len > 0) {
		size_t n = bytes.len < 65536 ? bytes.len : 65536;

		more = enter(c, 0, (struct span){ bytes.ptr, n });
		bytes = span_from(bytes, n);
	}
	for (unsigned i = 0; i < c->n && c->outcome <= PDF_BROKEN; i++) {
		if (c->stage[i]->filter->end != NULL)
			c->stage[i]->filter->end(c, i);
		if (c->outcome <= PDF_BROKEN)
			(void)pdf_stage_flush(c, i);
	}
	return c->outcome;
}
