#ifndef FORMATS_PDF_INT_H
#define FORMATS_PDF_INT_H

#include "formats/pdf/pdf_filter.h"
#include "formats/pdf/pdf_token.h"

/* What open_pdf() knows of one document. */

/* Bytes in which objects stand: the document, or a decoded object stream. */
struct pdf_source {
	struct span bytes;
	struct buf own;
	size_t spare; /* bytes that may be read twice to measure values */
	/* The first "endstream" at or behind `asked`. */
	size_t asked, endstream;
};

#define PDF_NUMBER_NONE 0u /* of a trailer, and where none can be read */
struct pdf_object {
	uint32_t num, source;
	uint32_t use;     /* what others make of it: bits PDF_USE_* */
	bool name_hex;    /* kind of the file name, if it has one */
	bool inner;       /* of a document that is whole in a stream */
	bool given;       /* its stream was given out */
	size_t at, end;   /* of its value */
	struct span name; /* of the file embedded in it */
};
enum {
	PDF_USE_SCRIPT = 1,
	PDF_USE_FILE = 2,
	PDF_USE_CONTENTS = 4,
	PDF_USE_ACTION = 8
};

struct pdf_doc {
	struct peel *out;
	struct pdf_source *source;
	struct pdf_object *object;
	uint32_t *by_number; /* objects sorted by number and place */
	size_t sources, objects, objects_cap, sorted;
	struct pdf_chain *chain;
	struct pdf_walk walk; /* scratch */
	uint64_t work;        /* bytes that filters may still take */
	uint64_t kept;        /* bytes in buffers of object streams */
	unsigned notes, suspects;
	bool stop; /* the sink has enough */
	bool encrypted;
};

void pdf_note(struct pdf_doc *d, enum peel_problem why);
enum pdf_suspect {
	PDF_S_JAVASCRIPT,
	PDF_S_LAUNCH,
	PDF_S_EMBEDDED,
	PDF_S_OBFUSCATED,
	PDF_S_ENCRYPTED,
	PDF_SUSPECTS
};
void pdf_suspect(struct pdf_doc *d, enum pdf_suspect which);

/* ---- pdf_index.c: which objects there are ------------------------------ */

/* Objects of the document itself. */
void pdf_index_build(struct pdf_doc *d);
/* Adds one whose value begins at `at`, and is expected to end by `next`. */
void pdf_index_add(
    struct pdf_doc *d, uint32_t source, uint32_t num, size_t at, size_t next);
/* After which pdf_index_find() knows all that were added. */
void pdf_index_sort(struct pdf_doc *d);
/* The last one of this number, or NULL. */
struct pdf_object *pdf_index_find(const struct pdf_doc *d, uint32_t num);
struct span
pdf_object_bytes(const struct pdf_doc *d, const struct pdf_object *o);

/* ---- pdf_stream.c: what a dictionary says of its stream ------------------ */

/* Where values stand; empty: absent. */
struct pdf_facts {
	struct span type, subtype, length, filter, params, n, first, encrypt;
};
void pdf_facts_read(
    struct pdf_doc *d, const struct pdf_object *o, struct pdf_facts *out);
/* Follows references; empty when they lead nowhere.  No more than a few KB
 * of what is found, so that work stays bounded. */
struct span pdf_value_resolve(struct pdf_doc *d, struct span value);
bool pdf_value_is(struct pdf_doc *d, struct span value, const char *name);
/* A number, itself or by reference. */
bool pdf_value_number(struct pdf_doc *d, struct span value, uint32_t *out);
/* The raw bytes of its stream; false if it has none. */
bool pdf_stream_find(struct pdf_doc *d, const struct pdf_object *o,
    const struct pdf_facts *f, struct span *out);
/* Decodes into `to`.  `plain`: without the last predictor.  *predicted says
 * whether there is one. */
enum pdf_outcome pdf_stream_decode(struct pdf_doc *d, const struct pdf_facts *f,
    struct span raw, bool plain, bool *predicted, pdf_to_fn *to, void *arg);

/* ---- pdf_mark.c: what objects are for others ------------------------------ */

void pdf_mark(struct pdf_doc *d, const struct pdf_object *o);

/* ---- pdf_give.c: members ---------------------------------------------------- */

/* Decodes the stream of o, if it has one, into members. */
void pdf_give_stream(struct pdf_doc *d, struct pdf_object *o);
/* Unpacks object i if it is an object stream. */
void pdf_give_objects(struct pdf_doc *d, size_t i);
/* Code and actions that stand in its dictionary. */
void pdf_give_values(struct pdf_doc *d, const struct pdf_object *o);
/* pdf_text.c: the strings that a content stream shows. */
void pdf_contents_text(struct span content, struct buf *out);

#endif
