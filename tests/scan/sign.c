#include "scan/sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "crypt/crypt.h"

#define INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

/* ---- certificates ---- */

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

void
signer_make(struct signer *s, const char *name, const struct signer *by,
    bool ca, const char *purpose, int days)
{
	static long serial = 70000;
	X509_NAME *subject;

	s->key = EVP_RSA_gen(1024);
	s->x = X509_new();
	assert_true(s->key != NULL && s->x != NULL);
	if (by == NULL)
		by = s;
	subject = X509_get_subject_name(s->x);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_version(s->x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(s->x), serial++);
	X509_time_adj_ex(X509_getm_notBefore(s->x), -365, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(s->x), days - 365, 0, NULL);
	X509_set_issuer_name(s->x, X509_get_subject_name(by->x));
	X509_set_pubkey(s->x, s->key);
	add_extension(s->x, NID_basic_constraints, ca ? "CA:TRUE" : "CA:FALSE");
	if (purpose != NULL)
		add_extension(s->x, NID_ext_key_usage, purpose);
	assert_true(X509_sign(s->x, by->key, EVP_sha256()) > 0);
}

void
signer_free(struct signer *s)
{
	X509_free(s->x);
	EVP_PKEY_free(s->key);
}

/* SHA-1 of what is behind the first two bytes: short names and numbers. */
static void
put_hash(struct buf *out, const unsigned char *der, int len)
{
	unsigned char digest[20];
	char text[41];

	assert_true(len > 2 && der[1] < 0x80);
	EVP_Digest(der + 2, (size_t)len - 2, digest, NULL, EVP_sha1(), NULL);
	hex_encode(digest, sizeof(digest), text);
	buf_text(out, text);
}

void
signer_line(const struct signer *s, const char *name, bool trusted,
    const char *uses, struct buf *out)
{
	unsigned char *der = NULL;
	BIGNUM *n = NULL;
	char *hex;
	int len = i2d_X509_NAME(X509_get_subject_name(s->x), &der);

	buf_fmt(out, "%s;%d;", name, trusted);
	put_hash(out, der, len);
	OPENSSL_free(der);
	der = NULL;
	buf_char(out, ';');
	len = i2d_ASN1_INTEGER(X509_get_serialNumber(s->x), &der);
	put_hash(out, der, len);
	OPENSSL_free(der);
	EVP_PKEY_get_bn_param(s->key, OSSL_PKEY_PARAM_RSA_N, &n);
	hex = BN_bn2hex(n);
	buf_fmt(out, ";%s;010001;%s;;test\n", hex, uses);
	OPENSSL_free(hex);
	BN_free(n);
}

/* ---- the program ---- */

#define HEAD  0x200u
#define ENTRY 0x118u /* of the certificate table, in the header */

static void
put32(char *at, uint32_t n)
{
	memcpy(at, &n, sizeof(n));
}

static void
put_program(struct span section, struct buf *out)
{
	char head[HEAD] = "MZ";

	put32(head + 60, 0x80);
	memcpy(head + 0x80, "PE\0\0\x4c\1\1", 7);
	memcpy(head + 0x94, "\xe0\0\2\1\x0b\1", 6);
	put32(head + 0xa8, 0x1000); /* entry point */
	put32(head + 0xb4, 0x400000);
	put32(head + 0xb8, 0x1000);
	put32(head + 0xbc, HEAD);
	put32(head + 0xd0, 0x2000);
	put32(head + 0xd4, HEAD);
	put32(head + 0xf4, 16);
	memcpy(head + 0x178, ".text", 5);
	put32(head + 0x180, HEAD);
	put32(head + 0x184, 0x1000);
	put32(head + 0x188, HEAD);
	put32(head + 0x18c, HEAD);
	buf_add(out, head, sizeof(head));
	buf_span(out, section);
	while (out->len < 2 * (size_t)HEAD)
		buf_char(out, '\1');
}

/* SpcIndirectDataContent of this digest. */
static void
put_content(const unsigned char digest[SHA256_LEN], struct buf *out)
{
	static const char before[] =
	    "\x30\x4c\x30\x17\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0f"
	    "\x30\x09\x03\x01\x00\xa0\x04\xa2\x02\x80\x00\x30\x31\x30\x0d\x06"
	    "\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

	buf_add(out, before, sizeof(before) - 1);
	buf_add(out, digest, SHA256_LEN);
}

static void
sign_content(PKCS7 *p7, const struct signer *s, struct span content)
{
	ASN1_OBJECT *type = OBJ_txt2obj(INDIRECT_DATA, 1);
	PKCS7_SIGNER_INFO *si =
	    PKCS7_add_signature(p7, s->x, s->key, EVP_sha256());
	unsigned char digest[SHA256_LEN];
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_STRING *bytes = ASN1_STRING_type_new(V_ASN1_SEQUENCE);

	assert_true(si != NULL && value != NULL && bytes != NULL);
	sha256(span_from(content, 2), digest);
	PKCS7_add_signed_attribute(
	    si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_dup(type));
	PKCS7_add1_attrib_digest(si, digest, sizeof(digest));
	assert_int_equal(PKCS7_SIGNER_INFO_sign(si), 1);
	ASN1_STRING_set(bytes, content.ptr, (int)content.len);
	ASN1_TYPE_set(value, V_ASN1_SEQUENCE, bytes);
	p7->d.sign->contents->type = type;
	p7->d.sign->contents->d.other = value;
}

void
program_sign(struct span section, const struct signer *const *certs, size_t n,
    struct buf *out, size_t *pkcs7)
{
	struct buf content = buf_make(256);
	unsigned char digest[SHA256_LEN], *der = NULL;
	PKCS7 *p7 = PKCS7_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t at = out->len;
	int len;

	put_program(section, out);
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	EVP_DigestUpdate(ctx, out->ptr + at, 0xd8);
	EVP_DigestUpdate(ctx, out->ptr + at + 0xdc, ENTRY - 0xdc);
	EVP_DigestUpdate(
	    ctx, out->ptr + at + ENTRY + 8, out->len - at - ENTRY - 8);
	EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	put_content(digest, &content);
	PKCS7_set_type(p7, NID_pkcs7_signed);
	sign_content(p7, certs[0], buf_view(&content));
	for (size_t i = 0; i < n; i++)
		PKCS7_add_certificate(p7, certs[i]->x);
	len = i2d_PKCS7(p7, &der);
	assert_true(len > 0);
	*pkcs7 = out->len - at + 8;
	put32(out->ptr + at + ENTRY, 2 * HEAD);
	put32(out->ptr + at + ENTRY + 4, (uint32_t)len + 8);
	buf_add(out, &(uint32_t){ (uint32_t)len + 8 }, 4);
	buf_add(out, "\0\2\2\0", 4);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	PKCS7_free(p7);
	buf_free(&content);
}
