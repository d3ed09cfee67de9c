#include <string.h>

#include "scan/build/build_int.h"
#include "scan/match/regex.h"

/* What a container says of a member: .cdb.  What is left open ("*") is no
 * condition. */

#define NAME_TEXT_MAX 8192u
/* As POSIX has it: a dot is any byte, $ the very end. */
#define NAME_FLAGS SPAN("sE")

enum {
	F_NAME,
	F_CONTAINER,
	F_CONTAINER_SIZE,
	F_REGEX,
	F_PACKED,
	F_SIZE,
	F_ENCRYPTED,
	F_POSITION,
	F_CRC,
	F_LAST,
	F_LEVEL
};

static const struct {
	size_t field;
	enum sig_condition condition;
} ranges[] = {
	{ F_CONTAINER_SIZE, COND_CONTAINER_SIZE },
	{ F_SIZE, COND_SIZE },
	{ F_POSITION, COND_POSITION },
	{ F_PACKED, COND_PACKED },
};

/* "*", "n" or "n-m" */
static enum err
write_range(struct buf *out, enum sig_condition condition, struct span s,
    struct errinfo *ei)
{
	struct span hi, lo = span_cut(s, '-', &hi);
	uint64_t from, to;

	if (span_is(s, "*"))
		return OK;
	if (lo.len == s.len)
		hi = lo;
	if (span_u64(lo, UINT32_MAX, &from) != OK ||
	    span_u64(hi, UINT32_MAX, &to) != OK)
		return err_set(ei, ERR_SYNTAX,
		    "\"" SPAN_FMT "\" is no number, range or *", SPAN_ARG(s));
	write_number(out, condition);
	write_number(out, from);
	write_number(out, to);
	return OK;
}

static enum err
write_conditions(struct sig_draft *d, const struct span *f, struct errinfo *ei)
{
	struct buf *out = draft_conditions(d);
	enum err e = OK;

	if (span_is(f[F_ENCRYPTED], "0") || span_is(f[F_ENCRYPTED], "1")) {
		write_number(out, COND_ENCRYPTED);
		write_number(out, f[F_ENCRYPTED].ptr[0] == '1');
	} else if (!span_is(f[F_ENCRYPTED], "*")) {
		return err_set(
		    ei, ERR_SYNTAX, "encryption is neither 0, 1 nor *");
	}
	for (size_t i = 0; i < COUNT(ranges) && e == OK; i++)
		e = write_range(
		    out, ranges[i].condition, f[ranges[i].field], ei);
	return e;
}

static enum err
add_name(struct sig_draft *d, struct span regex, struct errinfo *ei)
{
	struct buf sub = buf_make(NAME_TEXT_MAX + 64);
	enum err e;

	if (span_is(regex, "*"))
		regex = SPAN("");
	e = regex.len == 0 ? OK : regex_check(regex, NAME_FLAGS, ei);
	write_number(&sub, SUB_NAME);
	write_span(&sub, NAME_FLAGS);
	write_masked(&sub, regex);
	if (e == OK && sub.full)
		e = err_set(ei, ERR_LIMIT, "name is longer than %u bytes",
		    NAME_TEXT_MAX);
	if (e == OK)
		e = draft_sub(d, buf_view(&sub), 0, ei);
	buf_free(&sub);
	return e;
}

static enum err
parse_container(struct span s, enum format *out, struct errinfo *ei)
{
	*out = span_is(s, "*") ? FORMAT_ANY : format_of_name(s);
	if (*out == FORMATS)
		return err_set(
		    ei, ERR_UNSUPPORTED, "no type " SPAN_FMT, SPAN_ARG(s));
	return OK;
}

/* name:container:its size:regex:packed size:size:encrypted:position:crc:more
 * [:min[:max]].  The checksum and the field behind it are not compared, as
 * ClamAV does not. */
enum err
add_member(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ':', f);
	struct set_name name;
	enum format container = FORMAT_ANY;
	bool fits = true;
	enum err e;

	if (n < F_LEVEL || n > F_LEVEL + 2)
		return err_set(
		    ei, ERR_SYNTAX, "%zu fields, 10 to 12 expected", n);
	e = build_level(f, n, F_LEVEL, &fits, ei);
	if (e == OK && (!fits || build_is_ignored(b, f[F_NAME]))) {
		b->counts.skipped++;
		return OK;
	}
	if (e == OK)
		e = build_name(b, f[F_NAME], &name, ei);
	if (e == OK)
		e = parse_container(f[F_CONTAINER], &container, ei);
	if (e != OK)
		return e;
	draft_begin(b->draft, &name, TARGET_ANY);
	draft_member(b->draft, container);
	e = write_conditions(b->draft, f, ei);
	if (e == OK)
		e = add_name(b->draft, f[F_REGEX], ei);
	return e == OK ? draft_end(b, b->draft, SPAN(""), 0, ei) : e;
}
