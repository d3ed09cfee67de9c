#include "fuzz/scan/fuzz_scan.h"

#include "scan/build/body.h"

#define WITNESS_MAX (4u << 20)

struct witness {
	struct buf line;
	struct scanner *scanner;
};

static bool
is_option(const struct body *b, const struct body_special *sp, unsigned fill)
{
	const char *option = b->options.ptr + sp->bytes;

	for (uint32_t i = 0; i < sp->count; i++, option += sp->len) {
		uint32_t same = 0;

		while (same < sp->len && (unsigned char)option[same] == fill)
			same++;
		if (same == sp->len)
			return true;
	}
	return false;
}

/* Bytes that the special accepts; false when none were found. */
static bool
fill_special(
    const struct body *b, const struct body_special *sp, unsigned char *out)
{
	unsigned fill = 0;

	if (sp->negated == 0) {
		memcpy(out + sp->at, b->options.ptr + sp->bytes, sp->len);
		return true;
	}
	while (fill < 256 && is_option(b, sp, fill))
		fill++;
	memset(out + sp->at, (int)fill, sp->len);
	return fill < 256;
}

/* The shortest object that the variant describes. */
static bool
make_object(const struct body *b, struct buf *out)
{
	const struct body_special *sp =
	    (const struct body_special *)(const void *)b->specials.ptr;

	for (uint32_t i = 0; i < b->parts; i++) {
		const struct body_part *part = &b->part[i];
		size_t at;

		if (out->len + part->gap_min + part->len > WITNESS_MAX)
			return false;
		for (uint32_t k = 0; i > 0 && k < part->gap_min; k++)
			buf_char(out, '.');
		at = out->len;
		buf_add(out, b->bytes.ptr + part->bytes, part->len);
		for (uint32_t k = 0; k < part->specials; k++)
			if (!fill_special(b, &sp[part->special + k],
				(unsigned char *)out->ptr + at))
				return false;
	}
	return !out->full;
}

static enum err
check_variant(void *arg, const struct body_variant *v, struct errinfo *ei)
{
	struct witness *w = arg;
	struct body b;
	struct buf object = buf_make(WITNESS_MAX + 1);
	struct scan_verdict verdict;

	body_init(&b);
	if (body_parse(v->text, &b, ei) == OK && make_object(&b, &object)) {
		scanner_bytes(w->scanner, buf_view(&object), false, &verdict);
		assert(verdict.outcome == SCAN_INFECTED ||
		    verdict.reason == SCAN_R_TIME);
	}
	buf_free(&object);
	body_clear(&b);
	return OK;
}

/* A body that is taken is found in the shortest object that each of its
 * variants describes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct witness w = { .line = buf_make(1u << 19) };
	struct scan_counts counts;
	struct scan_set *set;
	enum err e;

	if (size > BODY_TEXT_MAX || memchr(data, '\n', size) != NULL ||
	    memchr(data, ':', size) != NULL)
		return 0;
	buf_text(&w.line, "T:0:*:");
	buf_span(&w.line, text);
	set = fuzz_build("t.ndb", buf_view(&w.line), NULL, NULL, &counts);
	assert(counts.skipped + counts.bodies == 2); /* EICAR is one */
	e = scanner_new(set, &fuzz_limits, &w.scanner, NULL);
	assert(e == OK);
	if (counts.bodies == 2) {
		e = body_expand(text, check_variant, &w, NULL);
		assert(e == OK);
	}
	scanner_free(w.scanner);
	scan_set_close(set);
	buf_free(&w.line);
	return 0;
}
