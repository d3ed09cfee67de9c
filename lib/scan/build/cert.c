#include <string.h>

#include "crypt/authenticode.h"
#include "scan/build/build_int.h"

/* Certificates that programs are signed with, trusted or blocked: .crb. */

enum {
	F_NAME,
	F_TRUSTED,
	F_SUBJECT,
	F_SERIAL,
	F_KEY,
	F_EXPONENT, /* 65537, whatever it says: as ClamAV has it */
	F_CODE,
	F_TIME,
	F_CERT,
	F_SINCE, /* not looked at there either */
	F_COMMENT,
	F_LEVEL
};

struct certificate {
	bool trusted;
	unsigned uses;
	unsigned char subject[SHA1_LEN], serial[SHA1_LEN];
	size_t serial_len;
	unsigned char key[AUTHENTICODE_KEY_MAX];
	size_t key_len;
};

static enum err
parse_flag(struct span s, const char *what, bool *out, struct errinfo *ei)
{
	*out = span_is(s, "1");
	if (!*out && !span_is(s, "0"))
		return err_set(ei, ERR_SYNTAX, "%s is neither 0 nor 1", what);
	return OK;
}

static enum err
parse_uses(const struct span *f, unsigned *out, struct errinfo *ei)
{
	static const struct {
		size_t field;
		unsigned use;
		const char *what;
	} uses[] = { { F_CODE, SIGNED_CODE, "use for code" },
		{ F_TIME, SIGNED_TIME, "use for times" },
		{ F_CERT, SIGNED_ISSUER, "use for certificates" } };

	*out = 0;
	for (size_t i = 0; i < COUNT(uses); i++) {
		bool is;
		enum err e =
		    parse_flag(f[uses[i].field], uses[i].what, &is, ei);

		if (e != OK)
			return e;
		*out |= is ? uses[i].use : 0;
	}
	return OK;
}

static enum err
parse_key(struct span s, struct certificate *c, struct errinfo *ei)
{
	while (span_starts(s, "00"))
		s = span_from(s, 2);
	c->key_len = s.len / 2;
	if (c->key_len > sizeof(c->key))
		return err_set(ei, ERR_LIMIT, "key is longer than %zu bytes",
		    sizeof(c->key));
	if (hex_decode(s, c->key, c->key_len) != OK)
		return err_set(ei, ERR_SYNTAX, "key is not hex digits");
	if (c->key_len == 0)
		return err_set(ei, ERR_SYNTAX, "certificate has no key");
	return OK;
}

static enum err
parse_certificate(
    const struct span *f, struct certificate *c, struct errinfo *ei)
{
	enum err e = parse_flag(f[F_TRUSTED], "trust", &c->trusted, ei);

	if (e == OK)
		e = parse_uses(f, &c->uses, ei);
	if (e == OK && hex_decode(f[F_SUBJECT], c->subject, SHA1_LEN) != OK)
		e = err_set(ei, ERR_SYNTAX, "subject is not a SHA-1");
	c->serial_len = f[F_SERIAL].len == 0 ? 0 : SHA1_LEN;
	if (e == OK && hex_decode(f[F_SERIAL], c->serial, c->serial_len) != OK)
		e = err_set(ei, ERR_SYNTAX, "serial number is not a SHA-1");
	return e == OK ? parse_key(f[F_KEY], c, ei) : e;
}

static enum err
write_certificate(
    struct sig_draft *d, const struct certificate *c, struct errinfo *ei)
{
	struct buf sub = buf_make(AUTHENTICODE_KEY_MAX + 64);
	enum err e;

	write_number(&sub, SUB_CERT);
	write_number(&sub, c->uses);
	write_span(
	    &sub, (struct span){ (const char *)c->serial, c->serial_len });
	write_span(&sub, (struct span){ (const char *)c->key, c->key_len });
	e = draft_sub(d, buf_view(&sub), 0, ei);
	buf_free(&sub);
	return e;
}

/* name;trusted;subject;serial;key;exponent;code;time;certificates;since;comment
 * [;min[;max]] */
enum err
add_certificate(struct scan_builder *b, struct span line, struct errinfo *ei)
{
	struct span f[FIELDS_MAX + 1];
	size_t n = build_split(line, ';', f);
	struct certificate c = { 0 };
	struct set_name name;
	bool fits = true;
	enum err e;

	if (n < F_LEVEL || n > F_LEVEL + 2)
		return err_set(
		    ei, ERR_SYNTAX, "%zu fields, 11 to 13 expected", n);
	e = build_level(f, n, F_LEVEL, &fits, ei);
	if (e == OK && (!fits || build_is_ignored(b, f[F_NAME]))) {
		b->counts.skipped++;
		return OK;
	}
	if (e == OK)
		e = parse_certificate(f, &c, ei);
	if (e == OK)
		e = build_name(b, f[F_NAME], &name, ei);
	if (e != OK)
		return e;
	draft_begin(b->draft, &name, TARGET_PE);
	draft_certificate(b->draft, c.subject, c.trusted);
	e = write_certificate(b->draft, &c, ei);
	return e == OK ? draft_end(b, b->draft, SPAN(""), 0, ei) : e;
}
