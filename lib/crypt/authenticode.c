#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/authenticode.h"
#include "crypt/crypt_int.h"

#define DER_SEQUENCE 0x30
#define DER_OCTETS   0x04
#define DER_SET      0x31
#define DER_TAGGED   0xa0 /* [0], constructed */

/* SpcIndirectDataContent */
#define INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

struct entry {
	struct span der;
	unsigned char subject[SHA1_LEN];
	bool asked;
	X509 *x; /* NULL: not read yet, or it is malformed */
	struct signed_cert cert;
	unsigned char modulus[AUTHENTICODE_KEY_MAX];
};

struct authenticode {
	struct span der;
	PKCS7 *p7; /* NULL: not read yet, or it cannot be */
	size_t count;
	struct entry entry[AUTHENTICODE_CERTS];
};

/* ---- DER ------------------------------------------------------------------- */

/* The contents of the element that *rest begins with, if it has this tag;
 * *rest is then behind it. */
static bool
take(struct span *rest, int tag, struct span *contents)
{
	const unsigned char *p = (const unsigned char *)rest->ptr;
	const unsigned char *from = p;
	int got = 0, class = 0;
	long len = 0;

	if (rest->len == 0 || rest->len > AUTHENTICODE_MAX ||
	    (ASN1_get_object(&p, &len, &got, &class, (long)rest->len) & 0x81) !=
		0 ||
	    *from != tag)
		return false;
	*contents = (struct span){ (const char *)p, (size_t)len };
	*rest = span_from(*rest, (size_t)(p - from) + (size_t)len);
	return true;
}

static struct span
octets_of(const ASN1_STRING *s)
{
	return (struct span){ (const char *)ASN1_STRING_get0_data(s),
		(size_t)ASN1_STRING_length(s) };
}

static bool
sha1(struct span s, unsigned char out[SHA1_LEN])
{
	return EVP_Digest(s.ptr, s.len, out, NULL, EVP_sha1(), NULL) == 1;
}

/* ---- certificates ---------------------------------------------------------- */

static bool
hash_name(const X509_NAME *name, unsigned char out[SHA1_LEN])
{
	const unsigned char *der = NULL;
	size_t len = 0;
	struct span all, contents;

	if (X509_NAME_get0_der(name, &der, &len) != 1)
		return false;
	all = (struct span){ (const char *)der, len };
	return take(&all, DER_SEQUENCE, &contents) && sha1(contents, out);
}

/* A number as DER has it, the zero in front of a high first bit included. */
static bool
hash_serial(const X509 *x, unsigned char out[SHA1_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(x), &der);
	struct span all = { (const char *)der, len < 0 ? 0 : (size_t)len };
	struct span contents;
	bool ok = take(&all, V_ASN1_INTEGER, &contents) && sha1(contents, out);

	OPENSSL_free(der);
	return ok;
}

/* What is not said is allowed, but to a certificate that says nothing at all. */
static unsigned
uses_of(X509 *x)
{
	static const struct {
		int nid;
		unsigned use;
	} purposes[] = { { NID_code_sign, SIGNED_CODE },
		{ NID_time_stamp, SIGNED_TIME } };
	int critical = -1;
	EXTENDED_KEY_USAGE *eku =
	    X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	unsigned uses = X509_check_ca(x) == 1 ? SIGNED_ISSUER : 0;

	if (eku == NULL && critical == -1 && X509_get_ext_count(x) > 0)
		return uses | SIGNED_CODE | SIGNED_TIME;
	for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++)
		for (size_t k = 0; k < COUNT(purposes); k++)
			if (OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i)) ==
			    purposes[k].nid)
				uses |= purposes[k].use;
	sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
	return uses;
}

static void
read_modulus(struct entry *e)
{
	EVP_PKEY *key = X509_get0_pubkey(e->x);
	BIGNUM *n = NULL;

	if (key != NULL && EVP_PKEY_is_a(key, "RSA") &&
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
	    BN_num_bytes(n) <= (int)sizeof(e->modulus))
		e->cert.modulus = (struct span){ (const char *)e->modulus,
			(size_t)BN_bn2bin(n, e->modulus) };
	BN_free(n);
}

/* OpenSSL takes its time to read a certificate: only those that are asked
 * for. */
static X509 *
read_cert(struct entry *e)
{
	const unsigned char *p = (const unsigned char *)e->der.ptr;
	X509 *x;

	if (e->asked)
		return e->x;
	e->asked = true;
	e->x = x = d2i_X509(NULL, &p, (long)e->der.len);
	if (x == NULL || !hash_name(X509_get_issuer_name(x), e->cert.issuer) ||
	    !hash_serial(x, e->cert.serial) ||
	    !crypt_time(X509_get0_notBefore(x), &e->cert.from_ms) ||
	    !crypt_time(X509_get0_notAfter(x), &e->cert.to_ms)) {
		X509_free(x);
		e->x = NULL;
	} else {
		e->cert.uses = uses_of(x);
		read_modulus(e);
	}
	ERR_clear_error();
	return e->x;
}

/* TBSCertificate: [0] version, number, algorithm, issuer, validity, subject. */
static bool
hash_subject(struct span cert, unsigned char out[SHA1_LEN])
{
	struct span all, body, field;

	if (!take(&cert, DER_SEQUENCE, &all) ||
	    !take(&all, DER_SEQUENCE, &body))
		return false;
	(void)take(&body, DER_TAGGED, &field);
	if (!take(&body, V_ASN1_INTEGER, &field))
		return false;
	for (int i = 0; i < 4; i++)
		if (!take(&body, DER_SEQUENCE, &field))
			return false;
	return sha1(field, out);
}

/* Where the certificates stand: SEQUENCE { OID, [0] { SEQUENCE { version,
 * digests, content, [0] { certificates }, ... } } }. */
static bool
find_certs(struct span der, struct span *certs)
{
	struct span info, signed_data, skipped;

	return take(&der, DER_SEQUENCE, &info) &&
	    take(&info, V_ASN1_OBJECT, &skipped) &&
	    take(&info, DER_TAGGED, &der) &&
	    take(&der, DER_SEQUENCE, &signed_data) &&
	    take(&signed_data, V_ASN1_INTEGER, &skipped) &&
	    take(&signed_data, DER_SET, &skipped) &&
	    take(&signed_data, DER_SEQUENCE, &skipped) &&
	    take(&signed_data, DER_TAGGED, certs);
}

/* Those that make no sense are left out: one such among the others would be a
 * way to hide them. */
static void
find_subjects(struct authenticode *a, struct span certs)
{
	struct span rest = certs, skipped;

	while (a->count < AUTHENTICODE_CERTS &&
	    take(&rest, DER_SEQUENCE, &skipped)) {
		struct entry *e = &a->entry[a->count];

		e->der = (struct span){ certs.ptr, certs.len - rest.len };
		if (hash_subject(e->der, e->subject))
			a->count++;
		certs = rest;
	}
}

enum err
authenticode_parse(
    struct span der, struct authenticode **out, struct errinfo *ei)
{
	struct authenticode *a;
	struct span certs;

	if (der.len == 0 || der.len > AUTHENTICODE_MAX)
		return err_set(
		    ei, ERR_LIMIT, "signature of %zu bytes", der.len);
	if (!find_certs(der, &certs))
		return err_set(ei, ERR_SYNTAX, "signature is not PKCS #7");
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return err_set(ei, ERR_NOMEM, "signature");
	a->der = der;
	find_subjects(a, certs);
	*out = a;
	return OK;
}

void
authenticode_free(struct authenticode *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->count; i++)
		X509_free(a->entry[i].x);
	PKCS7_free(a->p7);
	free(a);
}

size_t
authenticode_certs(const struct authenticode *a)
{
	return a->count;
}

const unsigned char *
authenticode_subject(const struct authenticode *a, size_t i)
{
	return a->entry[i].subject;
}

const struct signed_cert *
authenticode_cert(struct authenticode *a, size_t i)
{
	return read_cert(&a->entry[i]) == NULL ? NULL : &a->entry[i].cert;
}

/* ---- who signed what ------------------------------------------------------- */

static const EVP_MD *
digest_of(const ASN1_OBJECT *o)
{
	static const struct {
		int nid;
		const EVP_MD *(*md)(void);
	} known[] = { { NID_sha1, EVP_sha1 }, { NID_sha256, EVP_sha256 },
		{ NID_sha384, EVP_sha384 }, { NID_sha512, EVP_sha512 } };
	int nid = OBJ_obj2nid(o);

	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i].nid == nid)
			return known[i].md();
	return NULL;
}

static bool
digest_is(
    const EVP_MD *md, const struct span *ranges, size_t n, struct span want)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, ranges[i].ptr, ranges[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, digest, &len) == 1 &&
	    len == want.len && memcmp(digest, want.ptr, len) == 0;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* SpcIndirectDataContent: SEQUENCE { data, DigestInfo }. */
static bool
content_is(struct span content, const struct span *ranges, size_t n)
{
	struct span data, info, algorithm, digest;
	const unsigned char *p;
	const EVP_MD *md;
	ASN1_OBJECT *o;

	if (!take(&content, DER_SEQUENCE, &data) ||
	    !take(&content, DER_SEQUENCE, &info) ||
	    !take(&info, DER_SEQUENCE, &algorithm) ||
	    !take(&info, DER_OCTETS, &digest))
		return false;
	p = (const unsigned char *)algorithm.ptr;
	o = d2i_ASN1_OBJECT(NULL, &p, (long)algorithm.len);
	md = o == NULL ? NULL : digest_of(o);
	ASN1_OBJECT_free(o);
	return md != NULL && digest_is(md, ranges, n, digest);
}

/* The bytes that the signer's digest is of. */
static bool
content_of(const PKCS7 *p7, struct span *out)
{
	const PKCS7 *inner = p7->d.sign->contents;
	char oid[64];
	struct span all;

	if (inner == NULL || inner->d.other == NULL ||
	    OBJ_obj2txt(oid, sizeof(oid), inner->type, 1) <= 0 ||
	    strcmp(oid, INDIRECT_DATA) != 0 ||
	    inner->d.other->type != V_ASN1_SEQUENCE)
		return false;
	all = octets_of(inner->d.other->value.sequence);
	return take(&all, DER_SEQUENCE, out);
}

/* The certificate that a signer names by issuer and number. */
static bool
find_signer(struct authenticode *a, const PKCS7_SIGNER_INFO *si, size_t *out)
{
	const PKCS7_ISSUER_AND_SERIAL *who = si->issuer_and_serial;

	for (size_t i = 0; i < a->count; i++) {
		const X509 *x = read_cert(&a->entry[i]);

		if (x == NULL ||
		    X509_NAME_cmp(X509_get_issuer_name(x), who->issuer) != 0 ||
		    ASN1_INTEGER_cmp(X509_get0_serialNumber(x), who->serial) !=
			0)
			continue;
		*out = i;
		return true;
	}
	return false;
}

/* That the attributes tell of this content and were signed by its signer. */
static bool
signed_content(struct authenticode *a, PKCS7_SIGNER_INFO *si,
    struct span content, const char *type, size_t *signer)
{
	const EVP_MD *md = digest_of(si->digest_alg->algorithm);
	const ASN1_TYPE *told =
	    PKCS7_get_signed_attribute(si, NID_pkcs9_contentType);
	const ASN1_OCTET_STRING *digest = NULL;
	unsigned char *der = NULL;
	EVP_MD_CTX *ctx = NULL;
	char oid[64];
	bool ok;
	int len;

	if (si->auth_attr != NULL)
		digest = PKCS7_digest_from_attributes(si->auth_attr);
	if (md == NULL || told == NULL || told->type != V_ASN1_OBJECT ||
	    OBJ_obj2txt(oid, sizeof(oid), told->value.object, 1) <= 0 ||
	    strcmp(oid, type) != 0 || digest == NULL ||
	    !find_signer(a, si, signer) ||
	    a->entry[*signer].cert.modulus.len == 0 ||
	    !digest_is(md, &content, 1, octets_of(digest)))
		return false;
	len = ASN1_item_i2d((const ASN1_VALUE *)si->auth_attr, &der,
	    ASN1_ITEM_rptr(PKCS7_ATTR_VERIFY));
	ctx = EVP_MD_CTX_new();
	ok = len > 0 && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, md, NULL,
		X509_get0_pubkey(a->entry[*signer].x)) == 1 &&
	    EVP_DigestVerify(ctx, ASN1_STRING_get0_data(si->enc_digest),
		(size_t)ASN1_STRING_length(si->enc_digest), der,
		(size_t)len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return ok;
}

/* A countersignature is a signer of the signature itself. */
static bool
check_stamp(struct authenticode *a, const ASN1_TYPE *told, struct span content,
    struct signed_by *out)
{
	const unsigned char *p;
	PKCS7_SIGNER_INFO *si;
	const ASN1_TYPE *when;
	bool ok;

	if (told->type != V_ASN1_SEQUENCE)
		return false;
	p = ASN1_STRING_get0_data(told->value.sequence);
	si = d2i_PKCS7_SIGNER_INFO(
	    NULL, &p, ASN1_STRING_length(told->value.sequence));
	if (si == NULL)
		return false;
	when = PKCS7_get_signed_attribute(si, NID_pkcs9_signingTime);
	out->stamped = true;
	ok = when != NULL &&
	    (when->type == V_ASN1_UTCTIME ||
		when->type == V_ASN1_GENERALIZEDTIME) &&
	    crypt_time(when->value.asn1_string, &out->when_ms) &&
	    signed_content(
		a, si, content, "1.2.840.113549.1.7.1", &out->stamper);
	PKCS7_SIGNER_INFO_free(si);
	return ok;
}

/* The one signer; NULL if this is no such signature. */
static PKCS7_SIGNER_INFO *
signer_of(struct authenticode *a)
{
	const unsigned char *p = (const unsigned char *)a->der.ptr;
	STACK_OF(PKCS7_SIGNER_INFO) * signers;

	if (a->p7 == NULL)
		a->p7 = d2i_PKCS7(NULL, &p, (long)a->der.len);
	if (a->p7 == NULL || !PKCS7_type_is_signed(a->p7))
		return NULL;
	signers = PKCS7_get_signer_info(a->p7);
	return sk_PKCS7_SIGNER_INFO_num(signers) == 1
	    ? sk_PKCS7_SIGNER_INFO_value(signers, 0)
	    : NULL;
}

static bool
check(struct authenticode *a, const struct span *ranges, size_t n,
    struct signed_by *out)
{
	PKCS7_SIGNER_INFO *si = signer_of(a);
	const ASN1_TYPE *stamp;
	struct span content;

	if (si == NULL || !content_of(a->p7, &content) ||
	    !content_is(content, ranges, n) ||
	    !signed_content(a, si, content, INDIRECT_DATA, &out->signer))
		return false;
	stamp = PKCS7_get_attribute(si, NID_pkcs9_countersignature);
	return stamp == NULL ||
	    check_stamp(a, stamp, octets_of(si->enc_digest), out);
}

enum err
authenticode_check(struct authenticode *a, const struct span *ranges, size_t n,
    struct signed_by *out, struct errinfo *ei)
{
	struct signed_by by = { 0 };
	bool good = check(a, ranges, n, &by);

	ERR_clear_error();
	if (!good)
		return err_set(ei, ERR_DENIED, "signature is not good");
	*out = by;
	return OK;
}

/* ---- who signed whom ------------------------------------------------------- */

static EVP_PKEY *
key_of(struct span modulus)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_bin2bn(
	    (const unsigned char *)modulus.ptr, (int)modulus.len, NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (b != NULL && ctx != NULL && n != NULL &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_uint(b, OSSL_PKEY_PARAM_RSA_E, 65537) == 1)
		params = OSSL_PARAM_BLD_to_param(b);
	if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	BN_free(n);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(b);
	return key;
}

static bool
signed_with(X509 *x, EVP_PKEY *key)
{
	int md = NID_undef;
	bool ok = x != NULL && key != NULL &&
	    X509_get_signature_info(x, &md, NULL, NULL, NULL) == 1 &&
	    digest_of(OBJ_nid2obj(md)) != NULL && X509_verify(x, key) == 1;

	ERR_clear_error();
	return ok;
}

bool
authenticode_by_key(struct authenticode *a, size_t i, struct span modulus)
{
	EVP_PKEY *key;
	bool ok;

	if (modulus.len == 0 || modulus.len > AUTHENTICODE_KEY_MAX)
		return false;
	key = key_of(modulus);
	ok = signed_with(read_cert(&a->entry[i]), key);
	EVP_PKEY_free(key);
	return ok;
}

bool
authenticode_by_cert(struct authenticode *a, size_t i, size_t by)
{
	struct entry *to = &a->entry[i], *from = &a->entry[by];

	return read_cert(to) != NULL && read_cert(from) != NULL &&
	    (from->cert.uses & SIGNED_ISSUER) != 0 &&
	    from->cert.modulus.len > 0 &&
	    memcmp(to->cert.issuer, from->subject, SHA1_LEN) == 0 &&
	    signed_with(to->x, X509_get0_pubkey(from->x));
}
