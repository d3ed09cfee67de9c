/* Members of a document. */

#include "formats/pdf/pdf_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME_MAX 255u         /* bytes of a member's name */
#define KEEP_MAX      (32u << 20)  /* of one stream, to be read again */
#define KEPT_MAX      (256u << 20) /* of all object streams */

/* "js/7" */
struct label {
	char text[64];
};
static struct span
label(struct label *l, const char *before, const struct pdf_object *o,
    const char *after)
{
	int n;

	if (o->num == PDF_NUMBER_NONE)
		n = snprintf(l->text, sizeof(l->text), "%s?%s", before, after);
	else
		n = snprintf(
		    l->text, sizeof(l->text), "%s%u%s", before, o->num, after);
	return (struct span){ l->text, n > 0 ? (size_t)n : 0 };
}

static void
give_slice(
    struct pdf_doc *d, struct span name, enum format format, struct span bytes)
{
	struct peel_member m = peel_named(name, format);

	m.size = m.packed = bytes.len;
	if (!d->stop && bytes.len > 0 && !peel_slice(d->out, &m, bytes))
		d->stop = true;
}

/* Where decoded bytes go: to the sink, and to a buffer if they are needed
 * once more.  The member is begun by its first byte: of a stream of which
 * nothing can be decoded the raw bytes are given instead. */
struct tee {
	struct pdf_doc *doc;
	struct peel_member member;
	bool begun;
	struct buf *keep; /* or NULL */
};

static bool
tee_add(void *arg, struct span bytes)
{
	struct tee *t = arg;

	if (!t->begun) {
		t->begun = true;
		if (!peel_begin(t->doc->out, &t->member))
			return false;
	}
	if (t->keep != NULL)
		buf_span(t->keep, bytes);
	return peel_add(t->doc->out, bytes);
}

static void
give_decoded(struct pdf_doc *d, const struct pdf_facts *f, struct span raw,
    struct span name, bool plain, bool *predicted, struct buf *keep)
{
	struct tee t = { d, peel_named(name, FORMAT_ANY), false, keep };
	enum pdf_outcome outcome;

	t.member.packed = raw.len;
	outcome = pdf_stream_decode(d, f, raw, plain, predicted, tee_add, &t);
	if (outcome == PDF_STOPPED) {
		d->stop = true;
		return;
	}
	if (outcome == PDF_WORKED)
		pdf_note(d, PEEL_UNSUPPORTED);
	else if (outcome == PDF_BROKEN && !d->encrypted)
		pdf_note(d, PEEL_DAMAGED);
	if (keep != NULL && keep->full)
		pdf_note(d, PEEL_UNSUPPORTED); /* not looked at to its end */
	if (t.begun) {
		d->stop = !peel_end(d->out);
		return;
	}
	give_slice(d, name, FORMAT_ANY, raw);
	if (keep != NULL && raw.len <= keep->max)
		buf_span(keep, raw);
}

/* The name a file specification gives, or "obj N". */
static struct span
file_name(const struct pdf_object *o, struct label *l, struct buf *name)
{
	struct pdf_token t = { o->name_hex ? PDF_HEX : PDF_STRING, o->name };
	struct buf raw = buf_make(4 * FILE_NAME_MAX);

	t.text.len = t.text.len > raw.max ? raw.max : t.text.len;
	pdf_string_read(&t, &raw);
	pdf_text_read(buf_view(&raw), name);
	buf_free(&raw);
	if (name->len > FILE_NAME_MAX)
		buf_cut(name, FILE_NAME_MAX);
	return name->len > 0 ? buf_view(name) : label(l, "obj ", o, "");
}

static void
give_script(struct pdf_doc *d, const struct pdf_object *o, struct span code)
{
	struct buf text = buf_make(code.len * 2 + 16);
	struct label l;

	pdf_text_read(code, &text);
	give_slice(d, label(&l, "js/", o, ""), FORMAT_SCRIPT, buf_view(&text));
	buf_free(&text);
}

static void
give_text(struct pdf_doc *d, const struct pdf_object *o, struct span content)
{
	struct buf text = buf_make(content.len + 16);
	struct label l;

	pdf_contents_text(content, &text);
	give_slice(d, label(&l, "text ", o, ""), FORMAT_ANY, buf_view(&text));
	buf_free(&text);
}

/* What is made of a stream besides itself. */
static void
give_kept(struct pdf_doc *d, const struct pdf_object *o, struct span kept)
{
	if ((o->use & PDF_USE_SCRIPT) != 0)
		give_script(d, o, kept);
	if ((o->use & PDF_USE_CONTENTS) != 0 && !d->stop)
		give_text(d, o, kept);
}

void
pdf_give_stream(struct pdf_doc *d, struct pdf_object *o)
{
	struct buf keep = buf_make(KEEP_MAX),
		   name = buf_make(8 * FILE_NAME_MAX);
	bool file, image, again, predicted;
	struct pdf_facts f;
	struct label l;
	struct span raw, called;

	pdf_facts_read(d, o, &f);
	if (o->given || !pdf_stream_find(d, o, &f, &raw))
		return;
	o->given = true;
	file = (o->use & PDF_USE_FILE) != 0 ||
	    pdf_value_is(d, f.type, "EmbeddedFile");
	again = (o->use & (PDF_USE_SCRIPT | PDF_USE_CONTENTS)) != 0;
	/* Pixels are big, and nobody reads them but as they were packed. */
	image = o->use == 0 && !file && pdf_value_is(d, f.subtype, "Image");
	called = file ? file_name(o, &l, &name) : label(&l, "stream ", o, "");
	give_decoded(
	    d, &f, raw, called, image, &predicted, again ? &keep : NULL);
	if (predicted && !image && !d->stop)
		give_decoded(d, &f, raw, label(&l, "stream ", o, " plain"),
		    true, &predicted, NULL);
	if (again && !d->stop)
		give_kept(d, o, buf_view(&keep));
	buf_free(&keep);
	buf_free(&name);
}

/* The pairs "number offset" before /First, and the objects behind it. */
static void
add_objects(struct pdf_doc *d, uint32_t source, size_t first)
{
	struct span s = d->source[source].bytes;
	struct pdf_lex l = { { s.ptr, first }, 0 };
	struct pdf_token num, off;
	uint32_t n, at, next_n = 0, next_at = 0;
	bool have = false;

	for (;;) {
		pdf_lex_next(&l, &num);
		pdf_lex_next(&l, &off);
		n = next_n;
		at = next_at;
		if (num.kind == PDF_END || off.kind == PDF_END || d->stop)
			break;
		if (!pdf_number_read(num.text, &next_n) ||
		    !pdf_number_read(off.text, &next_at) ||
		    next_at > s.len - first) {
			pdf_note(d, PEEL_DAMAGED);
			break;
		}
		if (have)
			pdf_index_add(
			    d, source, n, first + at, first + next_at);
		have = true;
	}
	if (have && !d->stop)
		pdf_index_add(d, source, n, first + at, s.len);
}

static bool
add_source(struct pdf_doc *d, struct buf *bytes)
{
	struct pdf_source *s =
	    reallocarray(d->source, d->sources + 1, sizeof(*s));

	if (s == NULL) {
		pdf_note(d, PEEL_MEMORY);
		return false;
	}
	d->source = s;
	s = &d->source[d->sources++];
	*s = (struct pdf_source){ .bytes = buf_view(bytes), .own = *bytes };
	s->spare = bytes->len;
	d->kept += bytes->cap;
	return true;
}

void
pdf_give_objects(struct pdf_doc *d, size_t i)
{
	struct pdf_object *o = &d->object[i];
	struct buf bytes = buf_make(KEEP_MAX);
	struct pdf_facts f;
	struct label l;
	struct span raw;
	uint32_t first;
	bool predicted;

	pdf_facts_read(d, o, &f);
	if (!pdf_value_is(d, f.type, "ObjStm") ||
	    !pdf_value_number(d, f.first, &first) ||
	    !pdf_stream_find(d, o, &f, &raw))
		return;
	o->given = true;
	give_decoded(
	    d, &f, raw, label(&l, "stream ", o, ""), false, &predicted, &bytes);
	if (predicted && !d->stop)
		give_decoded(d, &f, raw, label(&l, "stream ", o, " plain"),
		    true, &predicted, NULL);
	if (d->stop || first > bytes.len || d->kept + bytes.cap > KEPT_MAX ||
	    !add_source(d, &bytes)) {
		if (!d->stop && bytes.len > 0)
			pdf_note(d, PEEL_DAMAGED);
		buf_free(&bytes);
		return;
	}
	add_objects(d, (uint32_t)(d->sources - 1), first);
}

/* A string of code, as it is meant and as it stands. */
static void
give_string(
    struct pdf_doc *d, const struct pdf_object *o, const struct pdf_token *t)
{
	struct buf code = buf_make(t->text.len + 16);
	struct label l;

	pdf_string_read(t, &code);
	give_script(d, o, buf_view(&code));
	if (!span_eq(buf_view(&code), t->text))
		give_slice(d, label(&l, "js/", o, " raw"), FORMAT_ANY, t->text);
	buf_free(&code);
}

/* The value of o with the white space around it. */
static struct span
whole_object(const struct pdf_doc *d, const struct pdf_object *o)
{
	struct span s = d->source[o->source].bytes;
	size_t end = o->end;

	while (end < s.len && end - o->end < 16 && pdf_is_white(s.ptr[end]))
		end++;
	return (struct span){ s.ptr + o->at, end - o->at };
}

/* Whether a value makes its object one to look at as a whole: it starts
 * programs, or shows a note. */
static bool
is_notable(const struct pdf_name *key, const struct pdf_token *value)
{
	struct pdf_name n;

	if (strcmp(key->text, "Contents") == 0)
		return value->kind == PDF_STRING || value->kind == PDF_HEX;
	if (value->kind != PDF_NAME || strcmp(key->text, "S") != 0)
		return false;
	pdf_name_read(value->text, &n);
	return strcmp(n.text, "Launch") == 0;
}

void
pdf_give_values(struct pdf_doc *d, const struct pdf_object *o)
{
	bool notable = (o->use & PDF_USE_ACTION) != 0;
	struct pdf_step step;
	struct label l;

	pdf_walk_start(&d->walk, pdf_object_bytes(d, o));
	while (!d->stop && pdf_walk_next(&d->walk, &step)) {
		struct pdf_name key;
		enum pdf_kind kind = step.value.kind;

		if (kind == PDF_DICT_END || kind == PDF_ARRAY_END)
			continue;
		pdf_name_read(step.key, &key);
		if ((kind == PDF_STRING || kind == PDF_HEX) &&
		    (strcmp(key.text, "JS") == 0 ||
			(step.depth == 0 && (o->use & PDF_USE_SCRIPT) != 0)))
			give_string(d, o, &step.value);
		notable = notable || is_notable(&key, &step.value);
	}
	if (notable)
		give_slice(d, label(&l, "obj ", o, ""), FORMAT_ANY,
		    whole_object(d, o));
}
