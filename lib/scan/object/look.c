#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "formats/bytes.h"
#include "formats/image/image.h"
#include "formats/magic.h"
#include "scan/object/scanner_int.h"
#include "scan/object/type.h"
#include "scan/set/mask.h"

#define PAGE_MAX  (10u << 20) /* ClamAV's limit as well */
#define PAGE_HEAD 1024u       /* where it looks for tags in what is no text */

/* ---- hashes ----------------------------------------------------------------------- */

static bool
digest_bytes(struct scanner *s, struct span bytes, unsigned kinds,
    unsigned char digest[HASH_KINDS][DIGEST_MAX])
{
	if (digest_begin(s->digest, kinds) != OK)
		return false;
	digest_add(s->digest, bytes.ptr, bytes.len);
	for (unsigned kind = 0; kind < HASH_KINDS; kind++)
		if ((kinds & 1u << kind) != 0)
			digest_end(
			    s->digest, (enum digest_kind)kind, digest[kind]);
	return true;
}

bool
look_digests(struct scanner *s, struct object *o, unsigned kinds)
{
	kinds &= ~o->digests;
	if (kinds == 0)
		return true;
	if (!digest_bytes(s, o->bytes, kinds, o->digest))
		return false;
	o->digests |= kinds;
	return true;
}

static bool
find_hash(struct scanner *s, enum hash_use use, unsigned kinds, uint64_t size,
    unsigned char digest[HASH_KINDS][DIGEST_MAX], struct set_hash *out)
{
	for (unsigned kind = 0; kind < HASH_KINDS; kind++)
		if ((kinds & 1u << kind) != 0 &&
		    set_hash_find(s->set, use, kind, digest[kind], size, out))
			return true;
	return false;
}

static bool
look_up(struct scanner *s, struct object *o, enum hash_use use,
    struct set_hash *out)
{
	unsigned kinds = set_hash_kinds(s->set, use, o->bytes.len);

	if (kinds == 0 || o->bytes.len == 0)
		return false;
	if (!look_digests(s, o, kinds)) {
		scanner_note(s, o, SCAN_R_MEMORY);
		return false;
	}
	return find_hash(s, use, kinds, o->bytes.len, o->digest, out);
}

/* As look_up(), of something that is no object of its own. */
static bool
look_up_part(struct scanner *s, struct span part, enum hash_use use,
    struct set_hash *out)
{
	unsigned kinds = set_hash_kinds(s->set, use, part.len);
	unsigned char digest[HASH_KINDS][DIGEST_MAX];

	return kinds != 0 && part.len > 0 &&
	    digest_bytes(s, part, kinds, digest) &&
	    find_hash(s, use, kinds, part.len, digest, out);
}

/* ---- what was found --------------------------------------------------------------- */

bool
look_allowed(struct scanner *s, const struct object *o)
{
	struct set_hash h;

	for (; o != NULL; o = o->parent) {
		/* What is known of it is a cache: filling it is not a
		 * change. */
		struct object *known = (struct object *)(uintptr_t)o;

		if (look_up(s, known, HASH_ALLOW, &h) || certs_vouch(s, known))
			return true;
	}
	return false;
}

bool
look_found(
    struct scanner *s, const struct object *o, const struct set_name *name)
{
	char text[SCAN_NAME_MAX], source[SCAN_NAME_MAX];

	if (look_allowed(s, o))
		return false;
	set_name_text(s->set, name, text);
	set_source_text(s->set, name, source);
	return scanner_found(s, o, text, source);
}

/* ---- facts about programs ------------------------------------------------------------ */

const struct exe *
look_facts(struct scanner *s, const struct object *o)
{
	if (s->facts_of != o) {
		s->facts_of = o;
		s->has_versions = false;
		icons_forget(s->icons);
		s->is_exe = exe_parse(o->bytes, &s->exe);
	}
	return &s->exe;
}

static const struct exe *
exe_of(struct scanner *s, const struct object *o)
{
	const struct exe *x = look_facts(s, o);

	return s->is_exe ? x : NULL;
}

static bool
look_at_sections(struct scanner *s, const struct object *o)
{
	const struct exe *x = &s->exe; /* has_sections may hold without */
	struct exe_section sect;
	struct set_hash h;

	if (o->format != FORMAT_MSEXE)
		return false;
	(void)exe_of(s, o);
	for (uint32_t i = 0; x->has_sections && i < x->sections; i++)
		if (exe_section_find(o->bytes, x, i, &sect) &&
		    look_up_part(s,
			bytes_sub(o->bytes, sect.raw, sect.raw_size),
			HASH_SECTION, &h) &&
		    look_found(s, o, &h.name))
			return true;
	if (!x->has_sections ||
	    s->set->dir->hash[HASH_IMPORT][DIGEST_MD5].count == 0)
		return false;
	buf_clear(&s->imports);
	pe_imports(o->bytes, x, &s->imports);
	return look_up_part(s, buf_view(&s->imports), HASH_IMPORT, &h) &&
	    look_found(s, o, &h.name);
}

static bool
has_sections(struct scanner *s)
{
	const struct set_directory *d = s->set->dir;
	uint32_t n = 0;

	for (size_t kind = 0; kind < HASH_KINDS; kind++)
		n |= d->hash[HASH_SECTION][kind].count |
		    d->hash[HASH_IMPORT][kind].count;
	return n > 0;
}

/* ---- bodies ----------------------------------------------------------------------- */

struct look {
	struct scanner *s;
	struct object *o;
};

static const struct exe *
ask_exe(void *arg)
{
	struct look *l = arg;

	return exe_of(l->s, l->o);
}

static size_t
ask_versions(void *arg, const uint64_t **places)
{
	struct look *l = arg;
	struct scanner *s = l->s;
	const struct exe *x = exe_of(s, l->o);

	if (x == NULL)
		return 0;
	if (!s->has_versions) {
		s->has_versions = true;
		s->versions =
		    pe_version_info(l->o->bytes, x, s->version, PE_VERSION_MAX);
	}
	*places = s->version;
	return s->versions;
}

/* Decoded once, and only if a signature asks. */
static bool
ask_image(void *arg, uint64_t *hash)
{
	struct look *l = arg;
	struct scanner *s = l->s;

	if (s->image_of != l->o) {
		s->image_of = l->o;
		s->is_image = image_hash(l->o->bytes, &s->image);
	}
	*hash = s->image;
	return s->is_image;
}

static bool
in_range(struct reader *r, uint64_t n)
{
	uint64_t from = read_number(r, UINT32_MAX);

	return n >= from && n <= read_number(r, UINT32_MAX);
}

/* Whether it came in something of this format; ANY: it is the file itself. */
static bool
is_in(const struct object *o, enum format f)
{
	return o->parent == NULL ? f == FORMAT_ANY
				 : f == o->parent->format ||
		(f != FORMAT_ANY && f == o->parent->also);
}

static uint32_t
containers_of(const struct object *o)
{
	uint32_t n = 0;

	for (; o->parent != NULL; o = o->parent)
		n++;
	return n;
}

/* The innermost container is the last of them.  ANY names none, but asks for
 * one more all the same, as it does for ClamAV. */
static bool
came_through(const struct object *o, struct reader *r)
{
	enum format want[16];
	uint64_t n = read_number(r, COUNT(want));

	for (uint64_t i = 0; i < n; i++)
		want[i] = (enum format)read_number(r, FORMATS - 1);
	if (containers_of(o) < n)
		return false;
	while (n > 0) {
		if (want[--n] == FORMAT_ANY)
			continue;
		if (!is_in(o, want[n]))
			return false;
		o = o->parent;
	}
	return true;
}

static bool
has_icon(struct look *l, struct reader *r)
{
	const struct exe *x = ask_exe(l);
	struct span name[ICON_COLUMNS];

	read_icon_groups(r, name);
	return x != NULL && !r->bad && icons_look(l->s, l->o, x, name);
}

static bool
ask_condition(void *arg, enum sig_condition kind, struct reader *r)
{
	struct look *l = arg;
	const struct exe *x;

	switch (kind) {
	case COND_FILE_SIZE:
		return in_range(r, l->o->bytes.len);
	case COND_ENTRY:
		x = ask_exe(l);
		return x != NULL && in_range(r, x->entry);
	case COND_SECTIONS:
		x = ask_exe(l);
		return x != NULL && in_range(r, x->sections);
	case COND_CONTAINER:
		return is_in(l->o, (enum format)read_number(r, FORMATS - 1));
	case COND_INTERMEDIATES:
		return came_through(l->o, r);
	case COND_HANDLER:
		(void)read_number(r, FORMATS - 1);
		return true;
	case COND_FORMAT:
		return l->o->format == read_number(r, FORMATS - 1);
	case COND_ICON:
		return has_icon(l, r);
	default:
		return false;
	}
}

/* A signature that asks for another look is no detection. */
static bool
wants_handler(const struct sig *sig, enum format *out)
{
	struct reader r = reader_of(sig->conditions);

	while (r.p < r.end && !r.bad) {
		uint64_t kind = read_number(&r, CONDITIONS - 1), n;
		struct span groups[ICON_COLUMNS];

		if (kind == COND_HANDLER) {
			*out = (enum format)read_number(&r, FORMATS - 1);
			return true;
		}
		n = kind == COND_CONTAINER || kind == COND_FORMAT ? 1 : 2;
		if (kind == COND_INTERMEDIATES)
			n = read_number(&r, SUBS_MAX);
		if (kind == COND_ICON) {
			read_icon_groups(&r, groups);
			continue;
		}
		while (n-- > 0)
			(void)read_number(&r, UINT32_MAX);
	}
	return false;
}

static void
on_embedded(void *arg, enum format format, size_t at)
{
	struct object *o = ((struct look *)arg)->o;

	if (at > 0 && o->embeddeds < EMBEDDED_SHOWN)
		o->embedded[o->embeddeds++] = (struct embedded){ format, at };
}

static bool
on_found(void *arg, const struct sig *sig, size_t at)
{
	struct look *l = arg;
	enum format again;

	(void)at;
	if (wants_handler(sig, &again) && again != l->o->format) {
		l->o->again = again;
		return true;
	}
	return !look_found(l->s, l->o, &sig->name);
}

static bool
match(struct scanner *s, struct object *o, struct span bytes,
    enum set_target target)
{
	struct look l = { s, o };
	const struct match_facts facts = { &l, ask_condition, ask_exe,
		ask_versions, ask_image, on_embedded, on_found };
	const struct match_object m = { bytes, target, s->deadline_ns, &facts };
	enum match_result r = matcher_scan(s->matcher, &m);

	if (r == MATCH_LATE)
		scanner_give_up(s, o, SCAN_R_TIME);
	else if (r == MATCH_DAMAGED)
		scanner_give_up(s, o, SCAN_R_SET);
	return s->stop;
}

static enum set_target
target_of(enum format f)
{
	static const uint8_t targets[FORMATS] = {
		[FORMAT_MSEXE] = TARGET_PE,
		[FORMAT_MSOLE2] = TARGET_OLE2,
		[FORMAT_HTML] = TARGET_HTML,
		[FORMAT_MAIL] = TARGET_MAIL,
		[FORMAT_GIF] = TARGET_GRAPHICS,
		[FORMAT_PNG] = TARGET_GRAPHICS,
		[FORMAT_JPEG] = TARGET_GRAPHICS,
		[FORMAT_TIFF] = TARGET_GRAPHICS,
		[FORMAT_BMP] = TARGET_GRAPHICS,
		[FORMAT_GRAPHICS] = TARGET_GRAPHICS,
		[FORMAT_ELF] = TARGET_ELF,
		[FORMAT_TEXT_ASCII] = TARGET_TEXT,
		[FORMAT_TEXT_UTF8] = TARGET_TEXT,
		[FORMAT_TEXT_UTF16LE] = TARGET_TEXT,
		[FORMAT_TEXT_UTF16BE] = TARGET_TEXT,
		[FORMAT_SCRIPT] = TARGET_TEXT,
		[FORMAT_MACHO] = TARGET_MACHO,
		[FORMAT_MACHO_UNIBIN] = TARGET_MACHO,
		[FORMAT_PDF] = TARGET_PDF,
		[FORMAT_SWF] = TARGET_FLASH,
		[FORMAT_JAVA] = TARGET_JAVA,
		[FORMAT_BINARY_DATA] = TARGET_OTHER,
	};

	return (enum set_target)targets[f];
}

static bool
match_text(struct scanner *s, struct object *o)
{
	buf_clear(&s->text);
	text_normalise(o->bytes, &s->text);
	if (s->text.full) {
		scanner_note(s, o, SCAN_R_MEMORY);
		return false;
	}
	return match(s, o, buf_view(&s->text), TARGET_TEXT);
}

/* Of a page only its normalised forms are searched. */
static bool
match_page(struct scanner *s, struct object *o)
{
	struct html *h = &s->html;

	buf_clear(&h->plain);
	buf_clear(&h->text);
	buf_clear(&h->scripts);
	html_normalise(o->bytes, h);
	if (h->plain.full || h->text.full || h->scripts.full) {
		scanner_note(s, o, SCAN_R_MEMORY);
		return match(s, o, o->bytes, TARGET_HTML);
	}
	return match(s, o, buf_view(&h->plain), TARGET_HTML) ||
	    match(s, o, buf_view(&h->text), TARGET_HTML) ||
	    match(s, o, buf_view(&h->scripts), TARGET_TEXT);
}

/* Browsers read a page with zeros in it as well, and in 16-bit letters: a tag
 * near the beginning of anything that has no other format makes it one. */
static bool
hides_page(const struct object *o)
{
	static const bool kinds[FORMATS] = { [FORMAT_BINARY_DATA] = true,
		[FORMAT_TEXT_UTF8] = true,
		[FORMAT_TEXT_UTF16LE] = true,
		[FORMAT_TEXT_UTF16BE] = true };
	struct span head = bytes_sub(o->bytes, 0, PAGE_HEAD);
	char narrow[PAGE_HEAD / 2];
	size_t n = 0;

	if (!kinds[o->format] || o->bytes.len > PAGE_MAX)
		return false;
	if (html_is_page(head))
		return true;
	if (o->format != FORMAT_TEXT_UTF16LE && !span_starts(head, "\xff\xfe"))
		return false;
	for (; 2 * n < head.len && n < sizeof(narrow); n++)
		narrow[n] = head.ptr[2 * n];
	return html_is_page((struct span){ narrow, n });
}

/* Signatures for text are written against the normalised form; those for any
 * target may be against either. */
static bool
match_as_it_is(struct scanner *s, struct object *o)
{
	enum set_target target = target_of(o->format);
	bool text = target == TARGET_TEXT || target == TARGET_MAIL;

	if (target == TARGET_HTML && o->bytes.len <= PAGE_MAX)
		return match_page(s, o);
	if (hides_page(o) && match_page(s, o))
		return true;
	if (match(s, o, o->bytes, target == TARGET_TEXT ? TARGET_ANY : target))
		return true;
	return text && o->bytes.len <= TEXT_NORMAL_MAX && match_text(s, o);
}

static bool
look_at_bodies(struct scanner *s, struct object *o)
{
	if (match_as_it_is(s, o))
		return true;
	if (o->again == FORMAT_ANY || o->again == o->format)
		return false;
	o->format = o->again;
	return match_as_it_is(s, o);
}

/* ---- rules ------------------------------------------------------------------------ */

static void
on_rule(void *arg, const struct rules_match *m)
{
	struct look *l = arg;
	char text[SCAN_NAME_MAX];

	(void)snprintf(text, sizeof(text), "YARA.%s", m->name);
	(void)scanner_found(l->s, l->o, text, m->source);
}

static bool
look_at_rules(struct scanner *s, struct object *o)
{
	static const enum scan_reason reasons[] = {
		[RULES_TIME] = SCAN_R_TIME,
		[RULES_MEMORY] = SCAN_R_MEMORY,
		[RULES_FAILED] = SCAN_R_UNSUPPORTED,
	};
	int64_t left = s->deadline_ns - clock_mono_ns(&clock_system);
	int seconds = (int)(left / 1000000000) + 1;
	struct look l = { s, o };
	struct rules_match match;
	enum rules_result r;

	if (s->rules == NULL || o->bytes.len == 0)
		return false;
	r = rules_scan(s->rules, o->bytes, seconds, &match);
	if (r == RULES_FOUND && !look_allowed(s, o)) {
		if (s->limits.all == 0)
			on_rule(&l, &match);
		else
			r = rules_scan_all(
			    s->rules, o->bytes, seconds, on_rule, &l);
	}
	if (r != RULES_NONE && r != RULES_FOUND)
		scanner_note(s, o, reasons[r]);
	return s->stop;
}

static bool
type_fits(const struct set_type *t, struct span bytes)
{
	struct span s = bytes_sub(bytes, t->at, t->len);
	size_t i = 0;

	while (i < s.len && i < TYPE_BYTES_MAX &&
	    mask_byte((unsigned char)s.ptr[i], i) == t->bytes[i])
		i++;
	return i == t->len;
}

/* What the set's own table says, else the engine's. */
static enum format
type_of(struct scanner *s, struct span bytes)
{
	struct set_region all = s->set->dir->types;
	const struct set_type *t = set_region(s->set, all);
	enum format f;

	for (uint64_t i = t == NULL ? 0 : all.size / sizeof(*t); i-- > 0;)
		if (t[i].format < FORMATS && type_fits(&t[i], bytes))
			return (enum format)t[i].format;
	f = format_of(bytes);
	return f == FORMAT_TEXT_ASCII && html_is_page(bytes) ? FORMAT_HTML : f;
}

bool
look_at(struct scanner *s, struct object *o)
{
	struct set_hash h;

	if (o->format == FORMAT_ANY)
		o->format = type_of(s, o->bytes);
	if (o->format == FORMAT_ZIP)
		o->also = type_document(o->bytes);
	if (look_up(s, o, HASH_HIT, &h) && look_found(s, o, &h.name))
		return true;
	if (look_up(s, o, HASH_INDICATOR, &h) && h.name.number >= s->today &&
	    look_found(s, o, &h.name))
		return true;
	if (certs_look(s, o) || (has_sections(s) && look_at_sections(s, o)))
		return true;
	return look_at_bodies(s, o) || look_at_rules(s, o) ||
	    letters_look(s, o);
}
