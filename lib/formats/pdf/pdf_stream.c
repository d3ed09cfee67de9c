#include "formats/pdf/pdf_int.h"

#include <string.h>

#include "formats/bytes.h"

#define HOPS_MAX 8 /* references to references */
/* How much is read of a value: many objects may refer to one that is big. */
#define VALUE_MAX 4096u
#define GAP_MAX   256u /* between a dictionary and its stream */

struct span
pdf_value_resolve(struct pdf_doc *d, struct span value)
{
	for (int i = 0; i < HOPS_MAX; i++) {
		struct pdf_lex l = { bytes_sub(value, 0, VALUE_MAX), 0 };
		struct pdf_token t;
		struct pdf_object *o;
		uint32_t num;

		pdf_lex_value(&l, &t);
		if (t.kind != PDF_REF)
			return l.s;
		if (!pdf_number_read(t.text, &num))
			break;
		o = pdf_index_find(d, num);
		if (o == NULL)
			break;
		value = pdf_object_bytes(d, o);
	}
	return (struct span){ value.ptr, 0 };
}

static struct pdf_token
first_token(struct pdf_doc *d, struct span value)
{
	struct pdf_lex l = { pdf_value_resolve(d, value), 0 };
	struct pdf_token t;

	pdf_lex_next(&l, &t);
	return t;
}

bool
pdf_value_is(struct pdf_doc *d, struct span value, const char *name)
{
	struct pdf_token t = first_token(d, value);
	struct pdf_name n;

	if (t.kind != PDF_NAME)
		return false;
	pdf_name_read(t.text, &n);
	return strcmp(n.text, name) == 0;
}

bool
pdf_value_number(struct pdf_doc *d, struct span value, uint32_t *out)
{
	struct pdf_token t = first_token(d, value);

	*out = 0;
	return t.kind == PDF_NUMBER && pdf_number_read(t.text, out);
}

void
pdf_facts_read(
    struct pdf_doc *d, const struct pdf_object *o, struct pdf_facts *out)
{
	static const struct {
		const char *key;
		size_t field;
	} known[] = {
		{ "Type", offsetof(struct pdf_facts, type) },
		{ "Subtype", offsetof(struct pdf_facts, subtype) },
		{ "Length", offsetof(struct pdf_facts, length) },
		{ "Filter", offsetof(struct pdf_facts, filter) },
		{ "DecodeParms", offsetof(struct pdf_facts, params) },
		{ "DP", offsetof(struct pdf_facts, params) },
		{ "N", offsetof(struct pdf_facts, n) },
		{ "First", offsetof(struct pdf_facts, first) },
		{ "Encrypt", offsetof(struct pdf_facts, encrypt) },
	};
	struct span s = pdf_object_bytes(d, o);
	struct pdf_step step;
	struct pdf_name key;

	memset(out, 0, sizeof(*out));
	pdf_walk_start(&d->walk, s);
	while (pdf_walk_next(&d->walk, &step)) {
		if (step.depth != 1 || !step.level->dict ||
		    step.value.kind == PDF_DICT_END)
			continue;
		pdf_name_read(step.key, &key);
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (strcmp(key.text, known[i].key) == 0)
				memcpy((char *)out + known[i].field,
				    &(struct span){ s.ptr + step.value_at,
					s.len - step.value_at },
				    sizeof(struct span));
	}
}

/* Whether the stream that begins at `from` ends after `n` bytes. */
static bool
ends_there(struct span s, size_t from, uint64_t n)
{
	size_t at;

	if (n > s.len - from)
		return false;
	at = from + (size_t)n;
	for (int i = 0; i < 16 && at < s.len && pdf_is_white(s.ptr[at]); i++)
		at++;
	return bytes_are(s, at, SPAN("endstream")) ||
	    bytes_are(s, at, SPAN("endobj"));
}

/* Found once for all streams that begin before it. */
static size_t
find_endstream(struct pdf_source *s, size_t from)
{
	const char *end;

	if (s->asked <= from && from <= s->endstream && s->endstream > 0)
		return s->endstream;
	end = memmem(s->bytes.ptr + from, s->bytes.len - from, "endstream", 9);
	s->asked = from;
	s->endstream =
	    end == NULL ? s->bytes.len : (size_t)(end - s->bytes.ptr);
	return s->endstream;
}

/* Behind the line that "stream" ends. */
static size_t
data_start(struct span s, size_t at)
{
	size_t line = at;

	while (line < s.len && line - at < 16 &&
	    (s.ptr[line] == ' ' || s.ptr[line] == '\t'))
		line++;
	if (line < s.len && (s.ptr[line] == '\r' || s.ptr[line] == '\n'))
		at = line;
	if (at < s.len && s.ptr[at] == '\r')
		at++;
	if (at < s.len && s.ptr[at] == '\n')
		at++;
	return at;
}

bool
pdf_stream_find(struct pdf_doc *d, const struct pdf_object *o,
    const struct pdf_facts *f, struct span *out)
{
	struct pdf_source *src = &d->source[o->source];
	struct pdf_lex l = {
		bytes_sub(src->bytes, 0, (uint64_t)o->end + GAP_MAX), o->end
	};
	struct span s = src->bytes;
	struct pdf_token t;
	uint32_t length;
	size_t from, to;

	if (o->source != 0 || o->end >= s.len)
		return false;
	pdf_lex_next(&l, &t);
	if (t.kind != PDF_WORD || !span_starts(t.text, "stream"))
		return false;
	from = data_start(s, (size_t)(t.text.ptr - s.ptr) + 6);
	if (pdf_value_number(d, f->length, &length) &&
	    ends_there(s, from, length)) {
		*out = (struct span){ s.ptr + from, length };
		return true;
	}
	to = find_endstream(src, from);
	if (to == s.len)
		pdf_note(d, PEEL_DAMAGED);
	if (to > from && s.ptr[to - 1] == '\n')
		to--;
	if (to > from && s.ptr[to - 1] == '\r')
		to--;
	*out = (struct span){ s.ptr + from, to - from };
	return true;
}

/* ---- filters ------------------------------------------------------------- */

enum { PIXELS = PDF_METHODS, IDENTITY, UNKNOWN };

static unsigned
method_of(struct span raw)
{
	static const struct {
		const char *name, *brief;
		unsigned method;
	} known[] = {
		{ "FlateDecode", "Fl", PDF_FLATE },
		{ "LZWDecode", "LZW", PDF_LZW },
		{ "ASCIIHexDecode", "AHx", PDF_ASCII_HEX },
		{ "ASCII85Decode", "A85", PDF_ASCII_85 },
		{ "RunLengthDecode", "RL", PDF_RUN_LENGTH },
		{ "DCTDecode", "DCT", PIXELS },
		{ "CCITTFaxDecode", "CCF", PIXELS },
		{ "JBIG2Decode", "", PIXELS },
		{ "JPXDecode", "", PIXELS },
		{ "Crypt", "", IDENTITY },
	};
	struct pdf_name n;

	pdf_name_read(raw, &n);
	if (n.text[0] == '\0')
		return UNKNOWN;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(n.text, known[i].name) == 0 ||
		    strcmp(n.text, known[i].brief) == 0)
			return known[i].method;
	return UNKNOWN;
}

/* Methods of a /Filter, which is a name or an array of names; how many. */
#define FILTERS_MAX 16u
static unsigned
read_filters(struct pdf_doc *d, struct span value, unsigned *method)
{
	struct pdf_lex l = { pdf_value_resolve(d, value), 0 };
	struct pdf_token t;
	unsigned n = 0;

	pdf_lex_next(&l, &t);
	if (t.kind == PDF_NAME) {
		method[0] = method_of(t.text);
		return 1;
	}
	if (t.kind != PDF_ARRAY)
		return 0;
	for (;;) {
		struct span left = span_from(l.s, l.at);

		pdf_lex_value(&l, &t);
		if (t.kind == PDF_REF)
			t = first_token(d, left);
		if (t.kind == PDF_END || t.kind == PDF_ARRAY_END)
			return n;
		if (n == FILTERS_MAX) {
			method[n - 1] = UNKNOWN;
			return n;
		}
		method[n++] = t.kind == PDF_NAME ? method_of(t.text) : UNKNOWN;
	}
}

/* The parameters of filter number i. */
static struct span
find_params(struct pdf_doc *d, struct span value, unsigned i)
{
	struct span s = pdf_value_resolve(d, value);
	struct pdf_step step;
	unsigned n = 0;

	if (first_token(d, s).kind != PDF_ARRAY)
		return i == 0 ? s : (struct span){ s.ptr, 0 };
	pdf_walk_start(&d->walk, s);
	while (pdf_walk_next(&d->walk, &step)) {
		if (step.depth != 1 || step.value.kind == PDF_DICT_END ||
		    step.value.kind == PDF_ARRAY_END)
			continue;
		if (n++ == i)
			return pdf_value_resolve(
			    d, span_from(s, step.value_at));
	}
	return (struct span){ s.ptr, 0 };
}

static void
read_params(struct pdf_doc *d, struct span s, struct pdf_params *out)
{
	static const struct {
		const char *key;
		size_t field;
	} known[] = {
		{ "Predictor", offsetof(struct pdf_params, predictor) },
		{ "Columns", offsetof(struct pdf_params, columns) },
		{ "Colors", offsetof(struct pdf_params, colors) },
		{ "BitsPerComponent", offsetof(struct pdf_params, bits) },
	};
	struct pdf_step step;
	struct pdf_name key;
	uint32_t n;

	*out = PDF_PARAMS_DEFAULT;
	pdf_walk_start(&d->walk, s);
	while (pdf_walk_next(&d->walk, &step)) {
		if (step.depth != 1 || step.value.kind == PDF_DICT_END ||
		    !pdf_value_number(d, span_from(s, step.value_at), &n))
			continue;
		pdf_name_read(step.key, &key);
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (strcmp(key.text, known[i].key) == 0)
				memcpy((char *)out + known[i].field, &n,
				    sizeof(n));
		if (strcmp(key.text, "EarlyChange") == 0)
			out->late = n == 0;
	}
}

/* Adds filter i.  False: the chain ends before it. */
static bool
add_filter(struct pdf_doc *d, const struct pdf_facts *f, unsigned i,
    unsigned method, bool plain, bool *predicted)
{
	struct pdf_params p = PDF_PARAMS_DEFAULT;

	if (method == IDENTITY)
		return true;
	if (method == UNKNOWN)
		pdf_note(d, PEEL_UNSUPPORTED);
	if (method >= PDF_METHODS)
		return false;
	if (method == PDF_FLATE || method == PDF_LZW)
		read_params(d, find_params(d, f->params, i), &p);
	if (!pdf_chain_add(d->chain, (enum pdf_method)method, &p)) {
		pdf_note(d, PEEL_UNSUPPORTED);
		return false;
	}
	*predicted = p.predictor > 1;
	if (p.predictor <= 1 || plain)
		return true;
	if (pdf_chain_add(d->chain, PDF_PREDICTOR, &p))
		return true;
	pdf_note(d, PEEL_UNSUPPORTED);
	return false;
}

enum pdf_outcome
pdf_stream_decode(struct pdf_doc *d, const struct pdf_facts *f, struct span raw,
    bool plain, bool *predicted, pdf_to_fn *to, void *arg)
{
	struct pdf_chain_end end = { to, arg, d->out, &d->work };
	unsigned method[FILTERS_MAX], n = read_filters(d, f->filter, method);

	*predicted = false;
	pdf_chain_reset(d->chain, &end);
	for (unsigned i = 0; i < n; i++)
		if (!add_filter(
			d, f, i, method[i], plain && i == n - 1, predicted))
			break;
	return pdf_chain_run(d->chain, raw);
}
