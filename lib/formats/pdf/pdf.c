#include "formats/pdf/pdf.h"

#include <stdlib.h>

#include "formats/pdf/pdf_int.h"

/* What filters may take in all: many times what any document needs, some
 * seconds at the worst. */
#define WORK_BASE   (512u << 20)
#define WORK_FACTOR 8u

void
pdf_note(struct pdf_doc *d, enum peel_problem why)
{
	if ((d->notes & 1u << why) == 0)
		peel_note(d->out, why);
	d->notes |= 1u << why;
}

void
pdf_suspect(struct pdf_doc *d, enum pdf_suspect which)
{
	static const char *const names[PDF_SUSPECTS] = {
		[PDF_S_JAVASCRIPT] = "Pdf.JavaScript",
		[PDF_S_LAUNCH] = "Pdf.Launch",
		[PDF_S_EMBEDDED] = "Pdf.EmbeddedFile",
		[PDF_S_OBFUSCATED] = "Pdf.ObfuscatedName",
		[PDF_S_ENCRYPTED] = "Encrypted.Pdf",
	};

	if ((d->suspects & 1u << which) == 0)
		peel_suspect(d->out, names[which]);
	d->suspects |= 1u << which;
}

static bool
doc_start(struct pdf_doc *d, struct span object)
{
	d->source = calloc(1, sizeof(*d->source));
	d->chain = pdf_chain_new();
	if (d->source == NULL || d->chain == NULL)
		return false;
	d->sources = 1;
	d->source[0].bytes = object;
	d->source[0].spare = object.len + (1u << 20);
	d->work = WORK_BASE + WORK_FACTOR * (uint64_t)object.len;
	return true;
}

static void
doc_free(struct pdf_doc *d)
{
	for (size_t i = 0; i < d->sources; i++)
		buf_free(&d->source[i].own);
	free(d->source);
	free(d->object);
	free(d->by_number);
	pdf_chain_free(d->chain);
	free(d);
}

static bool
go_on(struct pdf_doc *d, size_t i)
{
	if (!d->stop && i % 1024 == 1023 && !peel_tick(d->out))
		d->stop = true;
	return !d->stop;
}

/* Trailers, and the cross-reference streams that are trailers too. */
static void
look_for_encryption(struct pdf_doc *d)
{
	for (size_t i = 0; i < d->objects && go_on(d, i); i++) {
		const struct pdf_object *o = &d->object[i];
		struct pdf_facts f;

		pdf_facts_read(d, o, &f);
		if (f.encrypt.len > 0 &&
		    (o->num == PDF_NUMBER_NONE ||
			pdf_value_is(d, f.type, "XRef")))
			d->encrypted = true;
	}
	if (!d->encrypted)
		return;
	pdf_note(d, PEEL_ENCRYPTED);
	pdf_suspect(d, PDF_S_ENCRYPTED);
}

static void
doc_open(struct pdf_doc *d)
{
	size_t own;

	pdf_index_build(d);
	look_for_encryption(d);
	own = d->objects;
	for (size_t i = 0; i < own && go_on(d, i); i++)
		pdf_give_objects(d, i);
	if (!d->stop)
		pdf_index_sort(d);
	for (size_t i = 0; i < d->objects && go_on(d, i); i++)
		pdf_mark(d, &d->object[i]);
	for (size_t i = 0; i < d->objects && go_on(d, i); i++) {
		pdf_give_values(d, &d->object[i]);
		if (!d->stop)
			pdf_give_stream(d, &d->object[i]);
	}
}

void
open_pdf(struct span object, struct peel *out)
{
	struct pdf_doc *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		peel_note(out, PEEL_MEMORY);
		return;
	}
	d->out = out;
	if (doc_start(d, object))
		doc_open(d);
	else
		pdf_note(d, PEEL_MEMORY);
	doc_free(d);
}
