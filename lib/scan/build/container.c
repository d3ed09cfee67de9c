#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "scan/build/build_int.h"
#include "scan/object/unpack.h"

/* ClamAV's containers: a header of 512 bytes, fields between colons, then a
 * tar, gzipped or not.  A .cvd is signed as a whole; .cld and .cud, which
 * freshclam and site administrators make, are not.  In each a .info file
 * names the members with their SHA-256. */

#define HEADER     512u
#define FIELDS     9u
#define DIGEST_HEX 32u
#define INFO_MAX   65536u
#define MEMBERS    256u

/* The key that the publisher signs with, as every reader of the format has
 * it. */
static const char modulus[] =
    "11864099555164534260307000165845318975152777441202774374659940574324314260"
    "74641447673610606406558447497607888900222834249227624889175655510024677711"
    "09669598189410434699034532232228621591089508178591428456220796841621637175"
    "56759047666692869877014332813738395382038319753204777178019657695769582264"
    "1224262693037";
static const char exponent[] = "100001027";

/* Digits of base 64, the lowest first, to a big-endian number. */
static bool
decode_signature(struct span s, unsigned char *out, size_t len)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789+/";

	memset(out, 0, len);
	for (size_t i = 0; i < s.len; i++) {
		const char *d =
		    s.ptr[i] == '\0' ? NULL : strchr(digits, s.ptr[i]);
		size_t bit = 6 * i, at = bit / 8;
		unsigned value;

		if (d == NULL || at + 1 >= len)
			return false;
		value = (unsigned)(d - digits) << (bit % 8);
		out[len - 1 - at] |= (unsigned char)value;
		out[len - 2 - at] |= (unsigned char)(value >> 8);
	}
	return true;
}

static bool
digest_is(struct span bytes, enum digest_kind kind, const char *hex)
{
	struct digest *d = digest_new();
	unsigned char digest[DIGEST_MAX];
	char text[2 * DIGEST_MAX + 1] = "";

	if (d != NULL && digest_begin(d, 1u << kind) == OK) {
		digest_add(d, bytes.ptr, bytes.len);
		digest_end(d, kind, digest);
		hex_encode(digest, digest_len(kind), text);
	}
	digest_free(d);
	return text[0] != '\0' && strcasecmp(text, hex) == 0;
}

static enum err
check_signature(
    const char *name, struct span md5, struct span dsig, struct errinfo *ei)
{
	unsigned char number[512], plain[16];
	char hex[DIGEST_HEX + 1];

	if (!decode_signature(dsig, number, sizeof(number)) ||
	    rsa_recover(modulus, exponent,
		(struct span){ (const char *)number, sizeof(number) }, plain,
		sizeof(plain), NULL) != OK)
		return err_set(
		    ei, ERR_DENIED, "%s: its signature is malformed", name);
	hex_encode(plain, sizeof(plain), hex);
	return md5.len == DIGEST_HEX && memcmp(hex, md5.ptr, DIGEST_HEX) == 0
	    ? OK
	    : err_set(ei, ERR_DENIED, "%s: its signature is wrong", name);
}

/* "ClamAV-VDB:time:version:signatures:level:md5:signature:builder:stime" */
static enum err
check_header(const char *name, struct span bytes, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	struct span head = { bytes.ptr, HEADER };
	char md5[DIGEST_HEX + 1];
	size_t n;

	if (bytes.len < HEADER || !span_starts(head, "ClamAV-VDB:"))
		return err_set(ei, ERR_CORRUPT, "%s: not a container", name);
	n = build_split(span_trim(head), ':', f);
	if (n < FIELDS - 1 || f[5].len != DIGEST_HEX)
		return err_set(ei, ERR_CORRUPT, "%s: malformed header", name);
	if (!span_ends(span_of(name), ".cvd"))
		return OK;
	(void)snprintf(md5, sizeof(md5), SPAN_FMT, SPAN_ARG(f[5]));
	if (!digest_is(span_from(bytes, HEADER), DIGEST_MD5, md5))
		return err_set(ei, ERR_CORRUPT, "%s: it is damaged", name);
	return check_signature(name, f[5], f[6], ei);
}

/* ---- members --------------------------------------------------------------------- */

/* What a member came to, until the .info that judges it was read. */
struct member {
	char name[SCAN_NAME_MAX];
	unsigned char sha256[SHA256_LEN];
};
struct container {
	struct scan_builder *b;
	const char *name;
	bool first;
	struct member *member;
	size_t members;
	struct buf info;
};

enum fate { FATE_FEED, FATE_INFO, FATE_PASS };

static enum fate
fate_of(const struct container *c, const char *name)
{
	bool first = scan_builder_turn(name) == SCAN_TURN_FIRST;

	if (span_ends(span_of(name), ".info"))
		return FATE_INFO;
	return first == c->first && build_knows(name) ? FATE_FEED : FATE_PASS;
}

static enum err
read_member(struct container *c, struct unpack *u, const char *name,
    enum fate fate, struct errinfo *ei)
{
	struct digest *d = digest_new();
	unsigned char digest[DIGEST_MAX];
	enum scan_reason why = SCAN_R_NONE;
	struct span piece;
	uint64_t at;
	enum err e = OK;

	if (d == NULL || digest_begin(d, 1u << DIGEST_SHA256) != OK)
		e = err_set(ei, ERR_NOMEM, "%s", c->name);
	if (e == OK && fate == FATE_FEED)
		e = build_open(c->b, name, ei);
	while (e == OK && unpack_piece(u, &piece, &at, &why)) {
		digest_add(d, piece.ptr, piece.len);
		if (fate == FATE_FEED)
			build_feed(c->b, piece);
		else if (fate == FATE_INFO)
			buf_span(&c->info, piece);
	}
	if (e == OK && why != SCAN_R_NONE)
		e = err_set(
		    ei, ERR_CORRUPT, "%s: %s is damaged", c->name, name);
	if (e == OK && fate == FATE_FEED)
		e = build_close(c->b, ei);
	if (e == OK && fate != FATE_INFO && c->members < MEMBERS) {
		struct member *m = &c->member[c->members++];

		digest_end(d, DIGEST_SHA256, digest);
		memcpy(m->sha256, digest, SHA256_LEN);
		(void)snprintf(m->name, sizeof(m->name), "%s", name);
	}
	digest_free(d);
	return e;
}

static enum err
read_members(struct container *c, struct span packed, struct errinfo *ei)
{
	bool gzip = span_starts(packed, "\x1f\x8b");
	struct unpack *u = NULL;
	struct unpack_member m;
	enum scan_reason why =
	    unpack_open(packed, gzip ? PACK_STREAM : PACK_ARCHIVE, true, &u);
	enum err e = OK;

	while (e == OK && why == SCAN_R_NONE && unpack_next(u, &m, &why)) {
		char name[SCAN_NAME_MAX];

		(void)snprintf(name, sizeof(name), "%s", m.name);
		e = read_member(c, u, name, fate_of(c, name), ei);
	}
	if (e == OK && why != SCAN_R_NONE)
		e = err_set(ei, ERR_CORRUPT, "%s: it is damaged", c->name);
	unpack_close(u);
	return e;
}

/* "main.hdb:5220903:sha256" lines; what is not named is let be. */
static enum err
check_info(struct container *c, struct errinfo *ei)
{
	struct span text = buf_view(&c->info);

	while (text.len > 0) {
		struct span line = span_cut(text, '\n', &text);
		struct span f[FIELDS_MAX + 1];
		unsigned char digest[SHA256_LEN];

		if (build_split(line, ':', f) < 3 ||
		    hex_decode(span_trim(f[2]), digest, SHA256_LEN) != OK)
			continue;
		for (size_t i = 0; i < c->members; i++)
			if (span_is(f[0], c->member[i].name) &&
			    memcmp(digest, c->member[i].sha256, SHA256_LEN) !=
				0)
				return err_set(ei, ERR_CORRUPT,
				    "%s: %s is not the file it was made with",
				    c->name, c->member[i].name);
	}
	return OK;
}

enum err
build_container(struct scan_builder *b, const char *name, struct span bytes,
    bool first, struct errinfo *ei)
{
	struct container c = { .b = b,
		.name = name,
		.first = first,
		.member = calloc(MEMBERS, sizeof(*c.member)),
		.info = buf_make(INFO_MAX) };
	enum err e = c.member == NULL ? err_set(ei, ERR_NOMEM, "%s", name)
				      : check_header(name, bytes, ei);

	if (e == OK)
		e = read_members(&c, span_from(bytes, HEADER), ei);
	if (e == OK)
		e = check_info(&c, ei);
	free(c.member);
	buf_free(&c.info);
	return e;
}
