/* What one object is for another: code, an embedded file, page content. */

#include "formats/pdf/pdf_int.h"

#include <string.h>

#include "formats/bytes.h"

static bool
is(const struct pdf_name *n, const char *text)
{
	return strcmp(n->text, text) == 0;
}

/* Readers need no escape in these; who writes one hides from searches. */
static void
look_for_obfuscation(struct pdf_doc *d, const struct pdf_name *n)
{
	static const char *const common[] = { "JS", "JavaScript", "OpenAction",
		"AA", "Launch", "EmbeddedFile", "EmbeddedFiles", "RichMedia",
		"XFA", "URI", "SubmitForm", "Filter", "FlateDecode",
		"ASCIIHexDecode", "ASCII85Decode", "LZWDecode",
		"RunLengthDecode", "JBIG2Decode", "ObjStm", "AcroForm" };

	for (size_t i = 0; n->escaped && i < sizeof(common) / sizeof(*common);
	     i++)
		if (is(n, common[i]))
			pdf_suspect(d, PDF_S_OBFUSCATED);
}

/* The object a chain of references ends in. */
static struct pdf_object *
target_of(struct pdf_doc *d, struct pdf_token t)
{
	struct pdf_object *o = NULL;

	for (int i = 0; i < 8 && t.kind == PDF_REF; i++) {
		struct pdf_lex l;
		struct pdf_object *next;
		uint32_t num;

		if (!pdf_number_read(t.text, &num))
			break;
		next = pdf_index_find(d, num);
		if (next == NULL)
			break;
		o = next;
		l = (struct pdf_lex){ bytes_sub(pdf_object_bytes(d, o), 0, 256),
			0 };
		pdf_lex_value(&l, &t);
	}
	return o;
}

static void
mark_target(struct pdf_doc *d, const struct pdf_step *step, uint32_t use)
{
	struct pdf_object *o = target_of(d, step->value);

	if (o != NULL)
		o->use |= use;
}

/* A file specification is over: what it embeds has its name. */
static void
name_file(struct pdf_doc *d, const struct pdf_level *l)
{
	struct pdf_object *o = pdf_index_find(d, l->embedded);

	if (o == NULL || l->file.kind == PDF_END)
		return;
	o->name = l->file.text;
	o->name_hex = l->file.kind == PDF_HEX;
}

static void
mark_file(struct pdf_doc *d, struct pdf_step *step, const struct pdf_name *key)
{
	static const char *const names[] = { "UF", "F", "Unix", "Mac", "DOS" };
	enum pdf_kind kind = step->value.kind;
	struct pdf_name around;
	size_t i = 0;

	while (i < 5 && !is(key, names[i]))
		i++;
	if (i == 5)
		return;
	pdf_name_read(step->around, &around);
	if ((kind == PDF_STRING || kind == PDF_HEX) &&
	    (step->level->file.kind == PDF_END || i == 0))
		step->level->file = step->value;
	if (kind == PDF_REF && is(&around, "EF") && step->depth > 1) {
		struct pdf_object *o = target_of(d, step->value);

		if (o == NULL)
			return;
		o->use |= PDF_USE_FILE;
		/* the dictionary around /EF is the specification */
		d->walk.level[step->depth - 1].embedded = o->num;
	}
}

static void
mark_key(struct pdf_doc *d, struct pdf_step *step, const struct pdf_name *key)
{
	static const struct {
		const char *key;
		uint32_t use;
	} uses[] = {
		{ "JS", PDF_USE_SCRIPT },
		{ "Contents", PDF_USE_CONTENTS },
		{ "OpenAction", PDF_USE_ACTION },
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
		if (is(key, uses[i].key) && step->value.kind == PDF_REF)
			mark_target(d, step, uses[i].use);
	if (is(key, "JS") || is(key, "JavaScript"))
		pdf_suspect(d, PDF_S_JAVASCRIPT);
	if (is(key, "EF") || is(key, "EmbeddedFiles"))
		pdf_suspect(d, PDF_S_EMBEDDED);
	mark_file(d, step, key);
}

static void
mark_name(struct pdf_doc *d, const struct pdf_name *key, struct span value)
{
	struct pdf_name n;

	pdf_name_read(value, &n);
	look_for_obfuscation(d, &n);
	if (is(&n, "JavaScript"))
		pdf_suspect(d, PDF_S_JAVASCRIPT);
	if (is(&n, "Launch") && is(key, "S"))
		pdf_suspect(d, PDF_S_LAUNCH);
	if (is(&n, "EmbeddedFile"))
		pdf_suspect(d, PDF_S_EMBEDDED);
}

void
pdf_mark(struct pdf_doc *d, const struct pdf_object *o)
{
	struct pdf_step step;
	struct pdf_name key;

	pdf_walk_start(&d->walk, pdf_object_bytes(d, o));
	while (pdf_walk_next(&d->walk, &step)) {
		if (step.value.kind == PDF_DICT_END ||
		    step.value.kind == PDF_ARRAY_END) {
			name_file(d, step.level);
			continue;
		}
		pdf_name_read(step.key, &key);
		look_for_obfuscation(d, &key);
		mark_key(d, &step, &key);
		if (step.value.kind == PDF_NAME)
			mark_name(d, &key, step.value.text);
	}
}
