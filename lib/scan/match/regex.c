#include "scan/match/regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "scan/set/mask.h"

#define CACHE_BITS     8u      /* of 2^8 slots */
#define MATCH_LIMIT    100000u /* steps, as ClamAV's default */
#define DEPTH_LIMIT    2000u
#define HEAP_LIMIT_KIB 16384u
#define TEXT_MAX       65536u

struct regex {
	uint64_t key;
	pcre2_code *code; /* NULL: does not compile, or an empty slot */
};
struct regex_cache {
	struct regex *slot; /* 2^bits */
	unsigned bits;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	char *text; /* TEXT_MAX bytes, unmasked */
};

static const struct {
	char letter;
	uint32_t option; /* PCRE2's */
	unsigned flag;   /* ours */
} letters[] = {
	{ 'g', 0, REGEX_GLOBAL },
	{ 'r', 0, REGEX_ROLLING },
	{ 'e', 0, REGEX_ENCOMPASS },
	{ 'i', PCRE2_CASELESS, 0 },
	{ 's', PCRE2_DOTALL, 0 },
	{ 'm', PCRE2_MULTILINE, 0 },
	{ 'x', PCRE2_EXTENDED, 0 },
	{ 'A', PCRE2_ANCHORED, 0 },
	{ 'E', PCRE2_DOLLAR_ENDONLY, 0 },
	{ 'U', PCRE2_UNGREEDY, 0 },
};

static bool
parse_flags(struct span s, uint32_t *options, unsigned *flags)
{
	*options = 0;
	*flags = 0;
	for (size_t i = 0; i < s.len; i++) {
		size_t k = 0;

		while (k < COUNT(letters) && letters[k].letter != s.ptr[i])
			k++;
		if (k == COUNT(letters))
			return false;
		*options |= letters[k].option;
		*flags |= letters[k].flag;
	}
	return true;
}

unsigned
regex_flags(struct span flags)
{
	uint32_t options;
	unsigned out;

	return parse_flags(flags, &options, &out) ? out : 0;
}

static pcre2_code *
compile(struct span text, uint32_t options, int *error)
{
	PCRE2_SIZE at;

	return pcre2_compile(
	    (PCRE2_SPTR)text.ptr, text.len, options, error, &at, NULL);
}

enum err
regex_check(struct span text, struct span flags, struct errinfo *ei)
{
	uint32_t options;
	unsigned ours;
	PCRE2_UCHAR why[200];
	pcre2_code *code;
	int error = 0;

	if (text.len > TEXT_MAX)
		return err_set(ei, ERR_LIMIT,
		    "regular expression longer than %u bytes", TEXT_MAX);
	if (!parse_flags(flags, &options, &ours))
		return err_set(ei, ERR_SYNTAX,
		    "flags of a regular expression are of greismxAEU");
	code = compile(text, options, &error);
	if (code == NULL) {
		(void)pcre2_get_error_message(error, why, sizeof(why));
		return err_set(ei, ERR_SYNTAX, "regular expression: %s",
		    (const char *)why);
	}
	pcre2_code_free(code);
	return OK;
}

struct regex_cache *
regex_cache_new(void)
{
	return regex_cache_sized(CACHE_BITS);
}

struct regex_cache *
regex_cache_sized(unsigned bits)
{
	struct regex_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->bits = bits;
	c->slot = calloc((size_t)1 << bits, sizeof(*c->slot));
	c->data = pcre2_match_data_create(1, NULL);
	c->limits = pcre2_match_context_create(NULL);
	c->text = malloc(TEXT_MAX);
	if (c->slot == NULL || c->data == NULL || c->limits == NULL ||
	    c->text == NULL) {
		regex_cache_free(c);
		return NULL;
	}
	(void)pcre2_set_match_limit(c->limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(c->limits, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(c->limits, HEAP_LIMIT_KIB);
	return c;
}

void
regex_cache_free(struct regex_cache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; c->slot != NULL && i < (size_t)1 << c->bits; i++)
		pcre2_code_free(c->slot[i].code);
	free(c->slot);
	pcre2_match_data_free(c->data);
	pcre2_match_context_free(c->limits);
	free(c->text);
	free(c);
}

const struct regex *
regex_get(
    struct regex_cache *c, uint64_t key, struct span masked, struct span flags)
{
	struct regex *r =
	    &c->slot[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bits)];
	uint32_t options;
	unsigned ours;
	int error;

	if (r->key == key && r->code != NULL)
		return r;
	pcre2_code_free(r->code);
	*r = (struct regex){ key, NULL };
	if (masked.len > TEXT_MAX || !parse_flags(flags, &options, &ours))
		return NULL;
	mask_copy(c->text, masked.ptr, masked.len, 0);
	r->code =
	    compile((struct span){ c->text, masked.len }, options, &error);
	return r->code == NULL ? NULL : r;
}

enum regex_result
regex_find(struct regex_cache *c, const struct regex *r, struct span subject,
    size_t from, bool anchored, size_t *start, size_t *end)
{
	const PCRE2_SIZE *at;
	int n = pcre2_match(r->code, (PCRE2_SPTR)subject.ptr, subject.len, from,
	    anchored ? PCRE2_ANCHORED : 0, c->data, c->limits);

	if (n == PCRE2_ERROR_NOMATCH)
		return REGEX_NONE;
	if (n < 0)
		return REGEX_LIMIT;
	at = pcre2_get_ovector_pointer(c->data);
	*start = at[0];
	*end = at[1];
	return REGEX_FOUND;
}
