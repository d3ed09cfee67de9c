#include <string.h>

#include "formats/magic.h"
#include "scan/build/build_int.h"
#include "scan/set/mask.h"

/* What begins in the middle of other things: archives behind a program,
 * programs in data.  As .ftm lines have it, but for the fields that are the
 * same in all. */
static const struct {
	const char *body;
	enum format format;
} embedded[] = {
	{ "4d5a{58-1020}50450000", FORMAT_MSEXE },
	{ "504b0304", FORMAT_ZIPSFX },
	{ "526172211a07", FORMAT_RARSFX },
	{ "377abcaf271c", FORMAT_7ZSFX },
	{ "4d53434600000000{4}00000000", FORMAT_CABSFX },
	{ "efbeadde4e756c6c736f6674496e7374", FORMAT_NULSFT },
	{ "a3484bbe986c4aa9994c530a86d6487d4155332145413035", FORMAT_AUTOIT },
	{ "a3484bbe986c4aa9994c530a86d6487d4155332145413036", FORMAT_AUTOIT },
	{ "49536328{4}0000000000020000", FORMAT_ISHIELD },
	{ "496e7374616c6c536869656c6400", FORMAT_ISHIELD_MSI },
	{ "496e6e6f20536574757020536574757020446174612028", FORMAT_INNO },
};

/* A signature that tells where something of this format begins, in objects
 * of the format `in`. */
static enum err
add_format(struct scan_builder *b, enum format f, enum format in,
    const struct sig_place *place, struct span body, struct errinfo *ei)
{
	const char *name = format_name(f);
	struct set_name ref = { build_text(b, span_of(name)), 0 };
	enum err e;

	draft_begin(b->draft, &ref, TARGET_ANY);
	draft_format(b->draft, f);
	if (in != FORMAT_ANY) {
		write_number(draft_conditions(b->draft), COND_FORMAT);
		write_number(draft_conditions(b->draft), in);
	}
	e = draft_body(b->draft, place, body, 0, ei);
	if (e == OK)
		e = draft_end(b, b->draft, SPAN(""), 1, ei);
	return e;
}

enum err
build_formats(struct scan_builder *b, struct errinfo *ei)
{
	static const struct sig_place anywhere = { FROM_ANY, 0, 0, 0 };
	enum err e = OK;

	for (size_t i = 0; i < COUNT(embedded) && e == OK; i++)
		e = add_format(b, embedded[i].format, FORMAT_ANY, &anywhere,
		    span_of(embedded[i].body), ei);
	return e;
}

/* ---- the lines of a site ------------------------------------------------------------- */

enum { F_KIND, F_OFFSET, F_BYTES, F_NAME, F_REQUIRED, F_TYPE, F_LEVEL };

/* The engine's own table says so too: nothing is gained by asking twice. */
static bool
is_known(const unsigned char *bytes, size_t len, uint64_t at, enum format f)
{
	char object[2 * TYPE_BYTES_MAX] = { 0 };

	if (at > TYPE_BYTES_MAX)
		return false;
	memcpy(object + at, bytes, len);
	return format_of((struct span){ object, sizeof(object) }) == f;
}

/* Bytes at one place, compared as they are. */
static enum err
add_magic(struct scan_builder *b, const struct span *f, enum format format,
    struct errinfo *ei)
{
	unsigned char bytes[TYPE_BYTES_MAX];
	struct set_type row = { .format = (uint16_t)format };
	size_t len = f[F_BYTES].len / 2;
	uint64_t at;

	if (span_u64(f[F_OFFSET], UINT32_MAX, &at) != OK)
		return err_set(ei, ERR_SYNTAX, "offset is not a number");
	if (len == 0 || len > TYPE_BYTES_MAX)
		return err_set(
		    ei, ERR_LIMIT, "not 1 to %u bytes", TYPE_BYTES_MAX);
	if (hex_decode(f[F_BYTES], bytes, len) != OK)
		return err_set(ei, ERR_SYNTAX, "bytes are not hex digits");
	if (is_known(bytes, len, at, format))
		return OK;
	row.at = (uint32_t)at;
	row.len = (uint16_t)len;
	for (size_t i = 0; i < len; i++)
		row.bytes[i] = mask_byte(bytes[i], i);
	buf_add(&b->types, &row, sizeof(row));
	return OK;
}

/* What other engines count among the parts of their own work. */
static bool
is_built_in(struct span body)
{
	for (size_t i = 0; i < COUNT(embedded); i++)
		if (span_is(body, embedded[i].body))
			return true;
	return false;
}

static enum err
add_begin(struct scan_builder *b, const struct span *f, enum format in,
    enum format format, struct errinfo *ei)
{
	struct sig_place place;
	enum err e = place_parse(f[F_OFFSET], &place, ei);

	if (e != OK || is_built_in(f[F_BYTES]))
		return e;
	return add_format(b, format, in, &place, f[F_BYTES], ei);
}

/* kind:offset:bytes:name:required type:type[:min[:max]] */
enum err
add_type(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ':', f);
	enum format format, in;
	bool fits;
	enum err e;

	if (n < F_LEVEL || n > F_LEVEL + 2)
		return err_set(
		    ei, ERR_SYNTAX, "%zu fields, 6 to 8 expected", n);
	e = build_level(f, n, F_LEVEL, &fits, ei);
	if (e != OK)
		return e;
	if (!fits) {
		b->counts.skipped++;
		return OK;
	}
	in = format_of_name(f[F_REQUIRED]);
	format = format_of_name(f[F_TYPE]);
	if (in == FORMATS || format == FORMATS)
		return err_set(ei, ERR_UNSUPPORTED, "no type " SPAN_FMT,
		    SPAN_ARG(f[in == FORMATS ? F_REQUIRED : F_TYPE]));
	if (span_is(f[F_KIND], "0"))
		return add_magic(b, f, format, ei);
	if (span_is(f[F_KIND], "1"))
		return add_begin(b, f, in, format, ei);
	return err_set(ei, ERR_UNSUPPORTED,
	    "lines of kind " SPAN_FMT " have no effect", SPAN_ARG(f[F_KIND]));
}
