#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/object/scanner_int.h"
#include "scan/object/type.h"

#define SMALL_MAX (1u << 20) /* smaller files are read, larger ones mapped */

static enum err
open_rules(struct scanner *s, struct errinfo *ei)
{
	struct set_region r = s->set->dir->rules;
	const char *p = set_region(s->set, r);

	if (p == NULL)
		return err_set(ei, ERR_CORRUPT, "rules of the set are damaged");
	return rules_open((struct span){ p, (size_t)r.size }, &s->rules, ei);
}

enum err
scanner_new(struct scan_set *set, const struct scan_limits *limits,
    struct scanner **out, struct errinfo *ei)
{
	const struct set_directory *d = set->dir;
	struct scanner *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return err_set(ei, ERR_NOMEM, "scanner");
	s->set = set;
	s->limits = *limits;
	s->text = buf_make(TEXT_NORMAL_MAX);
	s->html.plain = s->html.text = s->html.scripts =
	    buf_make(TEXT_NORMAL_MAX);
	s->imports = buf_make(PE_IMPORTS_MAX);
	s->digest = digest_new();
	s->small = malloc(SMALL_MAX);
	e = s->digest == NULL || s->small == NULL
	    ? err_set(ei, ERR_NOMEM, "scanner")
	    : matcher_new(set, &s->matcher, ei);
	if (e == OK && d->rules.size > 0)
		e = open_rules(s, ei);
	if (e == OK)
		e = links_new(set, &s->links, ei);
	if (e == OK)
		e = icons_new(set, &s->icons, ei);
	if (e != OK) {
		scanner_free(s);
		return e;
	}
	*out = s;
	return OK;
}

void
scanner_free(struct scanner *s)
{
	if (s == NULL)
		return;
	matcher_free(s->matcher);
	rules_close(s->rules);
	links_free(s->links);
	icons_free(s->icons);
	digest_free(s->digest);
	buf_free(&s->text);
	buf_free(&s->html.plain);
	buf_free(&s->html.text);
	buf_free(&s->html.scripts);
	buf_free(&s->imports);
	free(s->small);
	free(s);
}

void
scanner_note(struct scanner *s, const struct object *o, enum scan_reason reason)
{
	if (s->v->outcome != SCAN_CLEAN)
		return;
	s->v->outcome = SCAN_UNSCANNABLE;
	s->v->reason = reason;
	memcpy(s->v->inner, o->inner, sizeof(s->v->inner));
}

void
scanner_give_up(
    struct scanner *s, const struct object *o, enum scan_reason reason)
{
	scanner_note(s, o, reason);
	s->stop = true;
}

/* One more name, unless it is there already or there is no room. */
static void
add_also(struct scan_verdict *v, const char *name)
{
	size_t len = strlen(v->also);
	struct span rest = span_of(v->also);

	if (strcmp(v->name, name) == 0)
		return;
	while (rest.len > 0)
		if (span_is(span_cut(rest, '\n', &rest), name))
			return;
	if (len + strlen(name) + 2 < sizeof(v->also))
		(void)snprintf(v->also + len, sizeof(v->also) - len, "%s%s",
		    len == 0 ? "" : "\n", name);
}

bool
scanner_found(struct scanner *s, const struct object *o, const char *name,
    const char *source)
{
	struct scan_verdict *v = s->v;

	if (v->outcome == SCAN_INFECTED) {
		add_also(v, name);
		return false;
	}
	v->outcome = SCAN_INFECTED;
	v->reason = SCAN_R_NONE;
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	(void)snprintf(v->source, sizeof(v->source), "%s", source);
	memcpy(v->inner, o->inner, sizeof(v->inner));
	s->stop = s->limits.all == 0;
	return s->stop;
}

void
scanner_suspect_by(struct scanner *s, const struct object *o, const char *name,
    const char *source)
{
	struct scan_verdict *v = s->v;

	if (v->outcome == SCAN_INFECTED || v->outcome == SCAN_SUSPICIOUS)
		return;
	v->outcome = SCAN_SUSPICIOUS;
	v->reason = SCAN_R_NONE;
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	(void)snprintf(v->source, sizeof(v->source), "%s", source);
	memcpy(v->inner, o->inner, sizeof(v->inner));
}

void
scanner_suspect(
    struct scanner *s, const struct object *o, const char *heuristic)
{
	static const struct {
		const char *prefix;
		uint32_t bit;
	} kinds[] = { { "Macro.", SCAN_H_MACRO },
		{ "Encrypted.", SCAN_H_ENCRYPTED },
		{ "Disguised.", SCAN_H_DISGUISED }, { "", SCAN_H_ACTIVE } };
	char name[SCAN_NAME_MAX];
	size_t i = 0;

	while (!span_starts(span_of(heuristic), kinds[i].prefix))
		i++;
	if ((s->limits.heuristics & kinds[i].bit) == 0)
		return;
	(void)snprintf(name, sizeof(name), "Heuristics.%s", heuristic);
	scanner_suspect_by(s, o, name, "built-in");
}

bool
scanner_in_time(struct scanner *s, const struct object *o)
{
	if (clock_mono_ns(&clock_system) < s->deadline_ns)
		return true;
	scanner_give_up(s, o, SCAN_R_TIME);
	return false;
}

void
scanner_object(struct scanner *s, struct object *o)
{
	s->v->objects++;
	s->v->read += o->bytes.len;
	if (!look_at(s, o) && scanner_in_time(s, o))
		members_scan(s, o);
	if (s->facts_of == o)
		s->facts_of = NULL;
	if (s->image_of == o)
		s->image_of = NULL;
}

/* ---- the whole file --------------------------------------------------------- */

static void
begin(struct scanner *s, uint64_t size, struct scan_verdict *v)
{
	*v = (struct scan_verdict){ .set_version = s->set->dir->version,
		.size = size };
	s->v = v;
	s->deadline_ns = clock_mono_ns(&clock_system) +
	    (int64_t)s->limits.seconds * 1000000000;
	s->today =
	    (uint32_t)((clock_utc_ms(&clock_system) + VN_OFFSET_MS) / DAY_MS);
	s->packed = size;
	s->unpacked = 0;
	s->members = 0;
	s->stop = false;
}

/* `whole`: the bytes are all of the file. */
static void
scan_root(struct scanner *s, struct span bytes, bool whole, struct span name,
    bool want_sha256)
{
	struct object root = { .bytes = bytes };

	if (!whole)
		scanner_note(s, &root, SCAN_R_SIZE);
	scanner_object(s, &root);
	disguise_look(s, &root, name);
	if (s->set->damaged)
		scanner_note(s, &root, SCAN_R_SET);
	if (!whole ||
	    (!want_sha256 && s->v->outcome != SCAN_INFECTED &&
		s->v->outcome != SCAN_SUSPICIOUS) ||
	    !look_digests(s, &root, 1u << DIGEST_SHA256))
		return;
	s->v->has_sha256 = true;
	memcpy(s->v->sha256, root.digest[DIGEST_SHA256], SHA256_LEN);
}

void
scanner_bytes(struct scanner *s, struct span bytes, bool want_sha256,
    struct scan_verdict *out)
{
	begin(s, bytes.len, out);
	scan_root(s, bytes, true, SPAN(""), want_sha256);
}

static void
unreadable(struct scanner *s, enum scan_reason reason)
{
	struct object root = { .depth = 0 };

	scanner_note(s, &root, reason);
}

static void
scan_mapped(struct scanner *s, int fd, uint64_t size, struct span name,
    bool want_sha256)
{
	uint64_t len = size < s->limits.size ? size : s->limits.size;
	void *p = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED) {
		unreadable(
		    s, errno == ENOMEM ? SCAN_R_MEMORY : SCAN_R_UNREADABLE);
		return;
	}
	s->v->size = size;
	s->packed = size;
	scan_root(
	    s, (struct span){ p, (size_t)len }, len == size, name, want_sha256);
	(void)munmap(p, (size_t)len);
}

static void
scan_small(
    struct scanner *s, int fd, size_t size, struct span name, bool want_sha256)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	/* One that ends where it was said to needs no second look. */
	while (n > 0 && len < SMALL_MAX && (len == 0 || len != size)) {
		n = pread(fd, s->small + len, SMALL_MAX - len, (off_t)len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		unreadable(s, SCAN_R_UNREADABLE);
		return;
	}
	/* It has grown meanwhile. */
	if (len == SMALL_MAX && fstat(fd, &st) == 0 &&
	    st.st_size >= (off_t)SMALL_MAX) {
		scan_mapped(s, fd, (uint64_t)st.st_size, name, want_sha256);
		return;
	}
	s->v->size = len;
	s->packed = len;
	scan_root(s, (struct span){ (const char *)s->small, len }, true, name,
	    want_sha256);
}

void
scanner_file(struct scanner *s, int fd, struct span name, bool want_sha256,
    struct scan_verdict *out)
{
	struct stat st = { 0 };
	bool readable = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	begin(s, readable ? (uint64_t)st.st_size : 0, out);
	if (!readable)
		unreadable(s, SCAN_R_UNREADABLE);
	else if (st.st_size < (off_t)SMALL_MAX)
		scan_small(s, fd, (size_t)st.st_size, name, want_sha256);
	else
		scan_mapped(s, fd, (uint64_t)st.st_size, name, want_sha256);
}
