#include <string.h>

#include "base/clock.h"
#include "crypt/authenticode.h"
#include "formats/bytes.h"
#include "scan/object/scanner_int.h"

/* What a program is signed with: certificates of enemies are signatures, those
 * that are trusted allow what they vouch for, as an allow list does. */

#define CHECKS_MAX 128u /* of signatures of certificates, for one program */

/* WIN_CERTIFICATE; its length is not believed, as ClamAV does not. */
#define HEAD          8u
#define REVISION_2    0x200u
#define PKCS_7_SIGNED 2u

struct chain {
	struct scanner *s;
	const struct object *o;
	struct pe_certificates table;
	struct authenticode *a;
	const struct set_cert *rows;
	size_t count;
	unsigned checks; /* that are left */
};

/* ---- the set's certificates ------------------------------------------------------- */

struct known {
	struct sig sig;
	unsigned uses;
	struct span serial, modulus;
};

/* The next one of this subject, from row *at on. */
static bool
next_known(struct chain *c, size_t *at, const unsigned char *subject,
    struct known *out)
{
	while (*at < c->count) {
		const struct set_cert *row = &c->rows[(*at)++];
		struct reader r;

		if (memcmp(row->subject, subject, CERT_NAME) != 0)
			continue;
		if (!sig_read(
			set_record(c->s->set, row->sig), row->sig, &out->sig)) {
			scanner_note(c->s, c->o, SCAN_R_SET);
			continue;
		}
		r = reader_of(out->sig.sub[0]);
		if (read_number(&r, SUB_KINDS - 1) != SUB_CERT)
			continue;
		out->uses = (unsigned)read_number(&r, UINT8_MAX);
		out->serial = read_span(&r, read_number(&r, SHA1_LEN));
		out->modulus =
		    read_span(&r, read_number(&r, AUTHENTICODE_KEY_MAX));
		if (!r.bad)
			return true;
	}
	return false;
}

static bool
is_trusted(const struct known *k)
{
	return (k->sig.flags & SIG_IS_TRUSTED) != 0;
}

/* Key, and serial number if the line says one. */
static bool
is_this(const struct known *k, const struct signed_cert *cert)
{
	struct span serial = { NULL, SHA1_LEN };

	if (cert == NULL)
		return false;
	serial.ptr = (const char *)cert->serial;
	return (k->serial.len == 0 || span_eq(k->serial, serial)) &&
	    span_eq(k->modulus, cert->modulus);
}

/* ---- blocked ---------------------------------------------------------------------- */

static bool
find_blocked(struct chain *c, struct set_name *out)
{
	for (size_t i = 0; i < authenticode_certs(c->a); i++) {
		struct known k;
		size_t at = 0;

		while (next_known(c, &at, authenticode_subject(c->a, i), &k))
			if (!is_trusted(&k) &&
			    is_this(&k, authenticode_cert(c->a, i))) {
				*out = k.sig.name;
				return true;
			}
	}
	return false;
}

/* ---- trusted ---------------------------------------------------------------------- */

/* The line allows this use, and all that the certificate claims: each is
 * taken to issue others there. */
static bool
is_listed(struct chain *c, size_t i, unsigned use)
{
	const struct signed_cert *cert = authenticode_cert(c->a, i);
	unsigned claims =
	    (cert->uses & (SIGNED_CODE | SIGNED_TIME)) | SIGNED_ISSUER | use;
	struct known k;
	size_t at = 0;

	while (next_known(c, &at, authenticode_subject(c->a, i), &k))
		if (is_trusted(&k) && is_this(&k, cert) &&
		    (claims & ~k.uses) == 0)
			return true;
	return false;
}

static bool
is_issued_by_listed(struct chain *c, size_t i, unsigned use)
{
	const struct signed_cert *cert = authenticode_cert(c->a, i);
	struct known k;
	size_t at = 0;

	while (next_known(c, &at, cert->issuer, &k) && c->checks > 0) {
		if (!is_trusted(&k) || ((use | SIGNED_ISSUER) & ~k.uses) != 0)
			continue;
		c->checks--;
		if (authenticode_by_key(c->a, i, k.modulus))
			return true;
	}
	return false;
}

static bool
is_issued_by(struct chain *c, size_t i, size_t by)
{
	if (c->checks == 0 ||
	    memcmp(authenticode_cert(c->a, i)->issuer,
		authenticode_subject(c->a, by), SHA1_LEN) != 0)
		return false;
	c->checks--;
	return authenticode_by_cert(c->a, i, by);
}

/* Whether certificate i, or one above it, is trusted for this use; each is
 * come upon once. */
static bool
leads_to_listed(struct chain *c, size_t i, unsigned use)
{
	size_t way[AUTHENTICODE_CERTS] = { i }, n = 1;
	uint64_t met = UINT64_C(1) << i;

	for (size_t k = 0; k < n; k++) {
		const struct signed_cert *cert =
		    authenticode_cert(c->a, way[k]);

		if (cert == NULL || (cert->uses & use) == 0 ||
		    cert->modulus.len == 0)
			continue;
		if (is_listed(c, way[k], use) ||
		    is_issued_by_listed(c, way[k], use))
			return true;
		for (size_t j = 0; j < authenticode_certs(c->a); j++)
			if ((met >> j & 1) == 0 && is_issued_by(c, way[k], j)) {
				met |= UINT64_C(1) << j;
				way[n++] = j;
			}
	}
	return false;
}

static bool
valid_at(const struct signed_cert *cert, int64_t ms)
{
	return ms >= cert->from_ms && ms <= cert->to_ms;
}

static bool
is_vouched(struct chain *c)
{
	struct signed_by by;
	struct set_name name;

	if (c->table.range[PE_SIGNED_RANGES - 1].len > 0 ||
	    find_blocked(c, &name) ||
	    authenticode_check(
		c->a, c->table.range, PE_SIGNED_RANGES, &by, NULL) != OK)
		return false;
	if (!by.stamped)
		by.when_ms = clock_utc_ms(&clock_system);
	else if (!valid_at(authenticode_cert(c->a, by.stamper), by.when_ms) ||
	    !leads_to_listed(c, by.stamper, SIGNED_TIME))
		return false;
	return valid_at(authenticode_cert(c->a, by.signer), by.when_ms) &&
	    leads_to_listed(c, by.signer, SIGNED_CODE);
}

/* ---- the program ------------------------------------------------------------------ */

static bool
read_table(
    const struct object *o, const struct exe *x, struct pe_certificates *out)
{
	uint16_t revision, type;

	pe_certificates(o->bytes, x, out);
	return bytes_le16(out->table, 4, &revision) &&
	    bytes_le16(out->table, 6, &type) && revision == REVISION_2 &&
	    type == PKCS_7_SIGNED;
}

/* Else the set has nothing to say of who signed it. */
static bool
may_be_known(const struct scanner *s, const struct object *o)
{
	return s->set->dir->certs.size > 0 && o->format == FORMAT_MSEXE;
}

/* False: it is not signed. */
static bool
begin(struct chain *c, struct scanner *s, const struct object *o,
    const struct exe *x)
{
	struct set_region all = s->set->dir->certs;

	*c = (struct chain){ .s = s,
		.o = o,
		.count = all.size / sizeof(struct set_cert),
		.checks = CHECKS_MAX };
	if (!read_table(o, x, &c->table))
		return false;
	c->rows = set_region(s->set, all);
	if (c->rows == NULL) {
		scanner_note(s, o, SCAN_R_SET);
		return false;
	}
	return authenticode_parse(
		   span_from(c->table.table, HEAD), &c->a, NULL) == OK;
}

bool
certs_look(struct scanner *s, const struct object *o)
{
	struct set_name name;
	struct chain c;
	bool found;

	if (!may_be_known(s, o))
		return false;
	found = begin(&c, s, o, look_facts(s, o)) && find_blocked(&c, &name);
	authenticode_free(c.a);
	return found && look_found(s, o, &name);
}

bool
certs_vouch(struct scanner *s, struct object *o)
{
	struct chain c;
	struct exe x; /* not the one that is looked at: that is in use */

	if (o->asked_certs || !may_be_known(s, o))
		return o->is_vouched;
	o->asked_certs = true;
	(void)exe_parse(o->bytes, &x);
	o->is_vouched = begin(&c, s, o, &x) && is_vouched(&c);
	authenticode_free(c.a);
	return o->is_vouched;
}
