#include <string.h>

#include "scan/build/build_int.h"
#include "scan/match/regex.h"

#define SUB_BYTES_MAX 65536u
#define IMAGE_HASH    8u /* bytes */

/* ---- the description block -------------------------------------------------------- */

enum block_kind {
	BLOCK_ENGINE,
	BLOCK_TARGET,
	BLOCK_RANGE,
	BLOCK_FORMAT,
	BLOCK_FORMATS,
	BLOCK_ICON
};

static const struct block_key {
	const char *key;
	enum block_kind kind;
	enum sig_condition condition;
} block_keys[] = {
	{ "Engine", BLOCK_ENGINE, 0 },
	{ "Target", BLOCK_TARGET, 0 },
	{ "FileSize", BLOCK_RANGE, COND_FILE_SIZE },
	{ "EntryPoint", BLOCK_RANGE, COND_ENTRY },
	{ "NumberOfSections", BLOCK_RANGE, COND_SECTIONS },
	{ "Container", BLOCK_FORMAT, COND_CONTAINER },
	{ "Intermediates", BLOCK_FORMATS, COND_INTERMEDIATES },
	{ "HandlerType", BLOCK_FORMAT, COND_HANDLER },
	{ "IconGroup1", BLOCK_ICON, COND_ICON },
	{ "IconGroup2", BLOCK_ICON, COND_ICON },
};

struct block {
	enum set_target target;
	bool fits;
	bool asks_icon;
	struct span icon[ICON_COLUMNS]; /* groups; NULL: any */
};

static enum err
parse_range(struct span s, uint64_t *from, uint64_t *to, struct errinfo *ei)
{
	struct span hi, lo = span_cut(s, '-', &hi);

	*from = *to = 0; /* what is left out is 0 */
	if (lo.len == s.len ||
	    (lo.len > 0 && span_u64(lo, UINT32_MAX, from) != OK) ||
	    (hi.len > 0 && span_u64(hi, UINT32_MAX, to) != OK))
		return err_set(ei, ERR_SYNTAX, "malformed range");
	return OK;
}

static enum err
write_format(struct span name, struct buf *out, struct errinfo *ei)
{
	enum format f = format_of_name(name);

	if (f == FORMATS)
		return err_set(
		    ei, ERR_UNSUPPORTED, "no type " SPAN_FMT, SPAN_ARG(name));
	write_number(out, f);
	return OK;
}

/* "CL_TYPE_A>CL_TYPE_B" */
static enum err
write_formats(struct span names, struct buf *out, struct errinfo *ei)
{
	struct buf list = buf_make(256);
	uint64_t count = 0;
	enum err e = OK;

	while (names.len > 0 && e == OK) {
		e = write_format(span_cut(names, '>', &names), &list, ei);
		count++;
	}
	write_number(out, count);
	buf_span(out, buf_view(&list));
	buf_free(&list);
	return e;
}

/* "*" is every group. */
static enum err
take_icon(
    const char *key, struct span name, struct block *b, struct errinfo *ei)
{
	size_t column = (size_t)(key[strlen(key) - 1] - '1');

	b->asks_icon = true;
	b->icon[column] = name;
	if (span_is(name, "*"))
		b->icon[column].ptr = NULL;
	return build_icon_group(name, ei);
}

static enum err
parse_value(const struct block_key *k, struct span value, struct block *b,
    struct buf *out, struct errinfo *ei)
{
	uint64_t from, to;
	enum err e;

	if (k->kind == BLOCK_TARGET)
		return target_parse(value, &b->target, ei);
	if (k->kind == BLOCK_ENGINE) {
		e = parse_range(value, &from, &to, ei);
		if (e == OK)
			b->fits = from <= ENGINE_LEVEL && ENGINE_LEVEL <= to;
		return e;
	}
	if (k->kind == BLOCK_ICON)
		return take_icon(k->key, value, b, ei);
	write_number(out, k->condition);
	if (k->kind == BLOCK_FORMAT)
		return write_format(value, out, ei);
	if (k->kind == BLOCK_FORMATS)
		return write_formats(value, out, ei);
	e = parse_range(value, &from, &to, ei);
	if (e == OK) {
		write_number(out, from);
		write_number(out, to);
	}
	return e;
}

/* Both keys as one condition. */
static enum err
write_icon(const struct block *b, struct buf *out, struct errinfo *ei)
{
	if (!b->asks_icon)
		return OK;
	if (b->target != TARGET_PE)
		return err_set(
		    ei, ERR_SYNTAX, "only programs of target 1 have icons");
	write_number(out, COND_ICON);
	write_icon_groups(out, b->icon);
	return OK;
}

static enum err
parse_block(
    struct span text, struct block *b, struct buf *out, struct errinfo *ei)
{
	enum err e = OK;

	*b = (struct block){ .target = TARGET_ANY, .fits = true };
	while (text.len > 0 && e == OK) {
		struct span item = span_cut(text, ',', &text);
		struct span value, key = span_cut(item, ':', &value);
		size_t i = 0;

		while (
		    i < COUNT(block_keys) && !span_is(key, block_keys[i].key))
			i++;
		if (i == COUNT(block_keys))
			return err_set(ei, ERR_UNSUPPORTED,
			    "no key \"" SPAN_FMT "\" in a description block",
			    SPAN_ARG(key));
		if (key.len == item.len)
			return err_set(ei, ERR_SYNTAX,
			    "key \"" SPAN_FMT "\" has no value", SPAN_ARG(key));
		e = parse_value(&block_keys[i], value, b, out, ei);
	}
	return e == OK ? write_icon(b, out, ei) : e;
}

/* ---- subs that are not bodies ------------------------------------------------------- */

/* A trigger, of whatever kind, may only speak of subs before it. */

/* [offset:]trigger/regex/[flags] */
static enum err
add_pcre(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	struct span regex = span_from(s, 0), flags, trigger, at = SPAN("*");
	struct buf out = buf_make(SUB_BYTES_MAX),
		   tree = buf_make(SUB_BYTES_MAX);
	struct sig_place place;
	size_t end;
	uint64_t needs = 0;
	enum err e;

	trigger = span_cut(s, '/', &regex);
	end = regex.len;
	while (end > 0 && regex.ptr[end - 1] != '/')
		end--;
	if (end < 2)
		return err_set(
		    ei, ERR_SYNTAX, "regular expression is not closed");
	flags = span_from(regex, end);
	regex.len = end - 1;
	if (memchr(trigger.ptr, ':', trigger.len) != NULL)
		at = span_cut(trigger, ':', &trigger);
	e = place_parse(at, &place, ei);
	if (e == OK)
		e = expression_compile(
		    b->draft, draft_subs(b->draft), trigger, &tree, &needs, ei);
	if (e == OK)
		e = regex_check(regex, flags, ei);
	write_number(&out, SUB_PCRE);
	write_place(&out, &place);
	write_span(&out, buf_view(&tree));
	write_span(&out, flags);
	write_masked(&out, regex);
	if (e == OK)
		e = draft_sub(b->draft, buf_view(&out), needs, ei);
	buf_free(&out);
	buf_free(&tree);
	return e;
}

/* The number that stands in front. */
static bool
take_number(struct span *s, uint64_t max, uint64_t *out)
{
	size_t n = 0;
	bool ok;

	while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
		n++;
	ok = span_u64((struct span){ s->ptr, n }, max, out) == OK;
	*s = span_from(*s, n);
	return ok;
}

static bool
take(struct span *s, const char *text)
{
	if (!span_starts(*s, text))
		return false;
	*s = span_from(*s, strlen(text));
	return true;
}

/* As C has it: 0x20, 040, 32. */
static bool
take_c_number(struct span s, uint64_t *out)
{
	int base = 10;

	if (take(&s, "0x") || take(&s, "0X"))
		base = 16;
	else if (s.len > 1 && s.ptr[0] == '0')
		base = 8;
	if (s.len == 0 || s.len > 15)
		return false;
	*out = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = body_digit(s.ptr[i]);

		if (d < 0 || d >= base)
			return false;
		*out = *out * (unsigned)base + (unsigned)d;
	}
	return true;
}

/* >5, <0x20, =10 */
static bool
write_comparison(struct span s, struct buf *out)
{
	static const char signs[] = "=><";
	const char *sign = s.len == 0 ? NULL : memchr(signs, s.ptr[0], 3);
	uint64_t n = 0;
	bool negative;

	if (sign == NULL)
		return false;
	s = span_from(s, 1);
	negative = take(&s, "-");
	if (!take_c_number(s, &n))
		return false;
	write_number(out, (uint64_t)(sign - signs) + CMP_EQUAL);
	write_number(out, negative);
	write_number(out, n);
	return true;
}

/* trigger(>>offset#[h|d|a|i][l|b][e]count#comparison[,comparison]) */
static enum err
add_bytes(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	struct buf out = buf_make(SUB_BYTES_MAX);
	struct span first, second;
	uint64_t sub = 0, offset = 0, count = 0;
	bool back, ok;
	char base = 'a', order = '\0';
	enum err e;

	ok = take_number(&s, UINT16_MAX, &sub) && sub < draft_subs(b->draft) &&
	    take(&s, "(");
	back = take(&s, "<<");
	ok = ok && (back || take(&s, ">>"));
	if (take(&s, "-"))
		back = !back;
	ok = ok && take_number(&s, UINT32_MAX, &offset) && take(&s, "#");
	if (s.len > 0 && memchr("hdai", s.ptr[0], 4) != NULL) {
		base = s.ptr[0];
		s = span_from(s, 1);
	}
	if (s.len > 0 && memchr("lb", s.ptr[0], 2) != NULL) {
		order = s.ptr[0];
		s = span_from(s, 1);
	}
	write_number(&out, SUB_BYTES);
	write_number(&out, sub);
	write_number(&out, back);
	write_number(&out, offset);
	write_number(&out, (unsigned char)base);
	write_number(&out, (unsigned char)order);
	write_number(&out, take(&s, "e"));
	ok = ok && take_number(&s, 4096, &count) && count > 0 &&
	    take(&s, "#") && s.len > 0 && s.ptr[s.len - 1] == ')';
	write_number(&out, count);
	if (ok) {
		s.len--;
		first = span_cut(s, ',', &second);
		write_number(&out, first.len == s.len ? 1 : 2);
		ok = write_comparison(first, &out) &&
		    (first.len == s.len || write_comparison(second, &out));
	}
	e = ok ? draft_sub(b->draft, buf_view(&out), UINT64_C(1) << sub, ei)
	       : err_set(ei, ERR_SYNTAX, "malformed byte comparison");
	buf_free(&out);
	return e;
}

/* ---- bodies with modifiers ------------------------------------------------------------ */

static enum err
parse_modifiers(struct span s, unsigned *flags, struct errinfo *ei)
{
	static const struct {
		char letter;
		unsigned flag;
	} letters[] = { { 'i', VARIANT_NOCASE }, { 'w', DRAFT_WIDE },
		{ 'a', DRAFT_ASCII }, { 'f', VARIANT_WORD } };

	for (size_t i = 0; i < s.len; i++) {
		size_t k = 0;

		while (k < COUNT(letters) && letters[k].letter != s.ptr[i])
			k++;
		if (k == COUNT(letters))
			return err_set(
			    ei, ERR_SYNTAX, "modifiers are of i, w, a and f");
		*flags |= letters[k].flag;
	}
	return OK;
}

/* [offset:]body[::modifiers] */
static enum err
add_sub_body(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	const char *mods = memmem(s.ptr, s.len, "::", 2);
	struct span at = SPAN("*");
	struct sig_place place;
	unsigned flags = 0;
	enum err e = OK;

	if (mods != NULL) {
		size_t n = (size_t)(mods - s.ptr);

		e = parse_modifiers(span_from(s, n + 2), &flags, ei);
		s.len = n;
	}
	if (memchr(s.ptr, ':', s.len) != NULL)
		at = span_cut(s, ':', &s);
	if (e == OK)
		e = place_parse(at, &place, ei);
	if (e == OK && place.from == FROM_MACRO)
		e = err_set(ei, ERR_SYNTAX,
		    "only signatures of their own are in groups");
	return e == OK ? draft_body(b->draft, &place, s, flags, ei) : e;
}

/* ${min-max}group$: how far from the sub before it one of the group's
 * signatures stands. */
static enum err
add_macro(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	uint32_t i = draft_subs(b->draft);
	struct buf out = buf_make(64);
	uint64_t min = 0, max = 0, group = 0;
	bool ok = take(&s, "${") && take_number(&s, UINT32_MAX, &min) &&
	    take(&s, "-") && take_number(&s, UINT32_MAX, &max) &&
	    take(&s, "}") && take_number(&s, GROUPS_MAX - 1, &group) &&
	    take(&s, "$") && s.len == 0;
	enum err e;

	if (!ok)
		e = err_set(ei, ERR_SYNTAX, "malformed macro");
	else if (i == 0 || !draft_is_body(b->draft, i - 1))
		e = err_set(ei, ERR_SYNTAX, "macro does not follow a body");
	else {
		write_number(&out, SUB_MACRO);
		write_number(&out, min);
		write_number(&out, max);
		write_number(&out, group);
		e = draft_sub(
		    b->draft, buf_view(&out), UINT64_C(1) << (i - 1), ei);
	}
	buf_free(&out);
	return e;
}

/* fuzzy_img#hash[#0]: how a picture looks; nothing but the same is known. */
static enum err
add_image(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	struct span distance, hash = span_from(s, strlen("fuzzy_img#"));
	struct buf out = buf_make(64);
	unsigned char bytes[IMAGE_HASH];
	uint32_t half[2] = { 0, 0 };
	enum err e;

	hash = span_cut(hash, '#', &distance);
	if (hex_decode(hash, bytes, sizeof(bytes)) != OK ||
	    (distance.len > 0 && !span_is(distance, "0")))
		return err_set(ei, ERR_SYNTAX,
		    "fuzzy_img# with 16 hex digits, and #0, expected");
	for (size_t i = 0; i < sizeof(bytes); i++)
		half[i / 4] = half[i / 4] << 8 | bytes[i];
	write_number(&out, SUB_IMAGE);
	write_number(&out, half[0]);
	write_number(&out, half[1]);
	e = draft_sub(b->draft, buf_view(&out), 0, ei);
	buf_free(&out);
	return e;
}

static enum err
add_sub(struct scan_builder *b, struct span s, struct errinfo *ei)
{
	if (s.len == 0)
		return err_set(ei, ERR_SYNTAX, "empty subsignature");
	if (span_starts(s, "fuzzy_img#"))
		return add_image(b, s, ei);
	if (span_starts(s, "${"))
		return add_macro(b, s, ei);
	if (memchr(s.ptr, '/', s.len) != NULL)
		return add_pcre(b, s, ei);
	if (memchr(s.ptr, '#', s.len) != NULL)
		return add_bytes(b, s, ei);
	return add_sub_body(b, s, ei);
}

/* ---- the line --------------------------------------------------------------------------- */

static enum err
add_subs(struct scan_builder *b, const struct span *sub, uint32_t n,
    struct errinfo *ei)
{
	struct errinfo why = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		enum err e = add_sub(b, sub[i], &why);

		if (e != OK)
			return err_set(
			    ei, e, "subsignature %u: %s", i, why.msg);
	}
	return OK;
}

/* name;block;expression;sub0;sub1;... */
enum err
add_logical(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ';', f);
	struct buf tree = buf_make(SUB_BYTES_MAX);
	struct set_name name;
	struct block block = { .fits = true };
	uint64_t needs;
	enum err e;

	if (n < 4 || n > 3 + SUBS_MAX)
		return err_set(ei, ERR_SYNTAX,
		    "%zu fields, name;block;expression;subsignatures (at most "
		    "%u) expected",
		    n, SUBS_MAX);
	if (build_is_ignored(b, f[0])) {
		b->counts.skipped++;
		return OK;
	}
	e = build_name(b, f[0], &name, ei);
	draft_begin(b->draft, &name, TARGET_ANY);
	if (e == OK)
		e = parse_block(f[1], &block, draft_conditions(b->draft), ei);
	if (e == OK && !block.fits) {
		b->counts.skipped++;
		return OK;
	}
	draft_target(b->draft, block.target);
	b->asks_icons = b->asks_icons || block.asks_icon;
	if (e == OK)
		e = add_subs(b, f + 3, (uint32_t)n - 3, ei);
	if (e == OK)
		e = expression_compile(
		    b->draft, (uint32_t)n - 3, f[2], &tree, &needs, ei);
	if (e == OK)
		e = draft_end(b, b->draft, buf_view(&tree), needs, ei);
	buf_free(&tree);
	return e;
}
