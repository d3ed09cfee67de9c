#include <string.h>

#include "scan/scan.h"

const struct scan_limits scan_limits_default = {
	.depth = 16,
	.size = UINT64_C(1) << 30,
	.member_size = UINT64_C(256) << 20,
	.ratio = 250,
	.count = 100000,
	.seconds = 120,
};

const char *
scan_outcome_name(enum scan_outcome o)
{
	static const char *const names[SCAN_OUTCOMES] = {
		[SCAN_CLEAN] = "clean",
		[SCAN_INFECTED] = "infected",
		[SCAN_SUSPICIOUS] = "suspicious",
		[SCAN_UNSCANNABLE] = "unscannable",
	};

	return (unsigned)o < SCAN_OUTCOMES ? names[o] : "unknown";
}

const char *
scan_reason_name(enum scan_reason r)
{
	static const char *const names[SCAN_REASONS] = {
		[SCAN_R_NONE] = "none",
		[SCAN_R_DEPTH] = "depth",
		[SCAN_R_SIZE] = "size",
		[SCAN_R_RATIO] = "ratio",
		[SCAN_R_COUNT] = "count",
		[SCAN_R_ENCRYPTED] = "encrypted",
		[SCAN_R_DAMAGED] = "damaged",
		[SCAN_R_UNSUPPORTED] = "unsupported",
		[SCAN_R_TIME] = "time",
		[SCAN_R_MEMORY] = "memory",
		[SCAN_R_UNREADABLE] = "unreadable",
		[SCAN_R_WORKER] = "worker",
		[SCAN_R_SET] = "set",
	};

	return (unsigned)r < SCAN_REASONS ? names[r] : "unknown";
}

/* ---- wire ---------------------------------------------------------------------
 * This, and behind it the bytes of name, source and inner. */

struct wire {
	uint8_t outcome, reason, has_sha256, zero;
	uint32_t objects;
	uint64_t set_version, size, read;
	unsigned char sha256[32];
	uint16_t name_len, source_len, inner_len, also_len;
};

void
scan_verdict_encode(const struct scan_verdict *v, struct buf *out)
{
	struct wire w = {
		.outcome = (uint8_t)v->outcome,
		.reason = (uint8_t)v->reason,
		.has_sha256 = v->has_sha256,
		.objects = v->objects,
		.set_version = v->set_version,
		.size = v->size,
		.read = v->read,
		.name_len = (uint16_t)strnlen(v->name, SCAN_NAME_MAX - 1),
		.source_len = (uint16_t)strnlen(v->source, SCAN_NAME_MAX - 1),
		.inner_len = (uint16_t)strnlen(v->inner, SCAN_INNER_MAX - 1),
		.also_len = (uint16_t)strnlen(v->also, SCAN_ALSO_MAX - 1),
	};

	if (v->has_sha256)
		memcpy(w.sha256, v->sha256, sizeof(w.sha256));
	buf_add(out, &w, sizeof(w));
	buf_add(out, v->name, w.name_len);
	buf_add(out, v->source, w.source_len);
	buf_add(out, v->inner, w.inner_len);
	buf_add(out, v->also, w.also_len);
}

/* The next `len` bytes as a string of at most max - 1 without NUL. */
static bool
take_text(struct span *s, size_t len, char *out, size_t max)
{
	if (len >= max || len > s->len ||
	    (len > 0 && memchr(s->ptr, '\0', len) != NULL))
		return false;
	if (len > 0)
		memcpy(out, s->ptr, len);
	out[len] = '\0';
	*s = span_from(*s, len);
	return true;
}

/* Found means a name and no reason, unscannable the other way round. */
static bool
consistent(const struct scan_verdict *v)
{
	bool found =
	    v->outcome == SCAN_INFECTED || v->outcome == SCAN_SUSPICIOUS;

	return (v->name[0] != '\0') == found &&
	    (v->source[0] == '\0' || found) && (v->also[0] == '\0' || found) &&
	    (v->reason != SCAN_R_NONE) == (v->outcome == SCAN_UNSCANNABLE) &&
	    (v->inner[0] == '\0' || v->outcome != SCAN_CLEAN);
}

enum err
scan_verdict_decode(struct span s, struct scan_verdict *out, struct errinfo *ei)
{
	struct scan_verdict v = { 0 };
	struct wire w;

	if (s.len < sizeof(w))
		return err_set(ei, ERR_CORRUPT, "verdict of %zu bytes", s.len);
	memcpy(&w, s.ptr, sizeof(w));
	s = span_from(s, sizeof(w));
	if (w.outcome >= SCAN_OUTCOMES || w.reason >= SCAN_REASONS ||
	    w.has_sha256 > 1 || w.zero != 0)
		return err_set(ei, ERR_CORRUPT, "verdict of an unknown kind");
	v.outcome = (enum scan_outcome)w.outcome;
	v.reason = (enum scan_reason)w.reason;
	v.objects = w.objects;
	v.set_version = w.set_version;
	v.size = w.size;
	v.read = w.read;
	v.has_sha256 = w.has_sha256 != 0;
	if (v.has_sha256)
		memcpy(v.sha256, w.sha256, sizeof(v.sha256));
	if (!take_text(&s, w.name_len, v.name, sizeof(v.name)) ||
	    !take_text(&s, w.source_len, v.source, sizeof(v.source)) ||
	    !take_text(&s, w.inner_len, v.inner, sizeof(v.inner)) ||
	    !take_text(&s, w.also_len, v.also, sizeof(v.also)) || s.len != 0 ||
	    !consistent(&v))
		return err_set(ei, ERR_CORRUPT, "verdict contradicts itself");
	*out = v;
	return OK;
}

enum err
scan_heuristics_parse(struct span list, uint32_t *bits, struct errinfo *ei)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} names[] = {
		{ "macro", SCAN_H_MACRO },
		{ "encrypted", SCAN_H_ENCRYPTED },
		{ "active", SCAN_H_ACTIVE },
		{ "disguised", SCAN_H_DISGUISED },
		{ "all",
		    SCAN_H_MACRO | SCAN_H_ENCRYPTED | SCAN_H_ACTIVE |
			SCAN_H_DISGUISED },
	};

	*bits = 0;
	do {
		struct span name = span_cut(list, ',', &list);
		size_t i = 0;

		while (i < COUNT(names) && !span_is(name, names[i].name))
			i++;
		if (i == COUNT(names))
			return err_set(ei, ERR_SYNTAX, "no heuristic " SPAN_FMT,
			    SPAN_ARG(name));
		*bits |= names[i].bits;
	} while (list.len > 0);
	return OK;
}
