/* Keys, signatures and certificates. */

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypt/crypt_int.h"

/* ---- Ed25519 ---- */

enum err
sign_key_make(unsigned char secret[SIGN_SECRET_LEN],
    unsigned char public_key[SIGN_PUBLIC_LEN], struct errinfo *ei)
{
	size_t secret_len = SIGN_SECRET_LEN, public_len = SIGN_PUBLIC_LEN;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool good = key != NULL &&
	    EVP_PKEY_get_raw_private_key(key, secret, &secret_len) == 1 &&
	    EVP_PKEY_get_raw_public_key(key, public_key, &public_len) == 1;

	EVP_PKEY_free(key);
	return good ? OK : crypt_fail(ei, ERR_NOMEM, "signing key");
}

enum err
sign_make(const unsigned char secret[SIGN_SECRET_LEN], struct span message,
    unsigned char out[SIGN_LEN], struct errinfo *ei)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, secret, SIGN_SECRET_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = SIGN_LEN;
	bool good = key != NULL && ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, out, &len, (const unsigned char *)message.ptr,
		message.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? OK : crypt_fail(ei, ERR_NOMEM, "signature");
}

enum err
sign_check(const unsigned char public_key[SIGN_PUBLIC_LEN], struct span message,
    const unsigned char signature[SIGN_LEN], struct errinfo *ei)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, public_key, SIGN_PUBLIC_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = key != NULL && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, signature, SIGN_LEN,
		(const unsigned char *)message.ptr, message.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? OK : crypt_fail(ei, ERR_DENIED, "signature");
}

/* ---- PEM in and out ---- */

static BIO *
reader(struct span pem)
{
	if (pem.len == 0 || pem.len > PEM_MAX)
		return NULL;
	return BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

/* No prompt: an encrypted key is not accepted. */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
no_passphrase(char *to, int size, int rwflag, void *arg)
{
	(void)to;
	(void)size;
	(void)rwflag;
	(void)arg;
	return 0;
}

static EVP_PKEY *
read_key(struct span pem)
{
	BIO *bio = reader(pem);
	EVP_PKEY *key = bio == NULL
	    ? NULL
	    : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return key;
}

static X509 *
read_cert(struct span pem)
{
	BIO *bio = reader(pem);
	X509 *x = bio == NULL
	    ? NULL
	    : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return x;
}

static X509_REQ *
read_csr(struct span pem)
{
	BIO *bio = reader(pem);
	X509_REQ *rq = bio == NULL
	    ? NULL
	    : PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return rq;
}

static enum err
give(BIO *bio, struct buf *out, struct errinfo *ei)
{
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	if (n <= 0)
		return crypt_fail(ei, ERR_NOMEM, "PEM");
	buf_add(out, text, (size_t)n);
	return buf_check(out, ei);
}

enum err
key_make(struct buf *out, struct errinfo *ei)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_secmem());
	enum err e;

	if (key == NULL || bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(
		bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		e = crypt_fail(ei, ERR_NOMEM, "private key");
	else
		e = give(bio, out, ei);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return e;
}

static bool
set_name(X509_NAME *name, const char *common_name)
{
	return name != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)common_name, -1, -1, 0) == 1;
}

enum err
csr_make(struct span key_pem, const char *common_name, struct buf *out,
    struct errinfo *ei)
{
	EVP_PKEY *key = read_key(key_pem);
	X509_REQ *rq = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	enum err e;

	if (key == NULL)
		e = crypt_fail(ei, ERR_SYNTAX, "private key");
	else if (rq == NULL || bio == NULL ||
	    X509_REQ_set_version(rq, X509_REQ_VERSION_1) != 1 ||
	    !set_name(X509_REQ_get_subject_name(rq), common_name) ||
	    X509_REQ_set_pubkey(rq, key) != 1 ||
	    X509_REQ_sign(rq, key, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509_REQ(bio, rq) != 1)
		e = crypt_fail(ei, ERR_NOMEM, "certificate request");
	else
		e = give(bio, out, ei);
	BIO_free(bio);
	X509_REQ_free(rq);
	EVP_PKEY_free(key);
	return e;
}

/* ---- issuing ---- */

static bool
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool good;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return good;
}

static bool
random_serial(X509 *x)
{
	unsigned char bytes[20];
	BIGNUM *n;
	bool good;

	random_bytes(bytes, sizeof(bytes));
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return good;
}

static bool
set_dates(X509 *x, int64_t from_ms, int64_t to_ms)
{
	return ASN1_TIME_set(
		   X509_getm_notBefore(x), (time_t)(from_ms / 1000)) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(to_ms / 1000)) !=
	    NULL;
}

enum err
ca_make(struct span key_pem, const char *common_name, int64_t not_before_ms,
    int64_t not_after_ms, struct buf *out, struct errinfo *ei)
{
	EVP_PKEY *key = read_key(key_pem);
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	enum err e;

	if (key == NULL)
		e = crypt_fail(ei, ERR_SYNTAX, "private key");
	else if (x == NULL || bio == NULL ||
	    X509_set_version(x, X509_VERSION_3) != 1 || !random_serial(x) ||
	    !set_dates(x, not_before_ms, not_after_ms) ||
	    !set_name(X509_get_subject_name(x), common_name) ||
	    X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
	    X509_set_pubkey(x, key) != 1 ||
	    !add_extension(
		x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(
		x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_extension(x, x, NID_subject_key_identifier, "hash") ||
	    X509_sign(x, key, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509(bio, x) != 1)
		e = crypt_fail(ei, ERR_NOMEM, "authority certificate");
	else
		e = give(bio, out, ei);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return e;
}

/* "DNS:a,DNS:b,IP:1.2.3.4"; empty for none. */
static void
alternative_names(const struct cert_request *rq, struct buf *out)
{
	const struct {
		const char *kind;
		const char *const *names;
	} lists[] = { { "DNS:", rq->dns_names }, { "IP:", rq->ip_names } };

	for (size_t i = 0; i < COUNT(lists); i++)
		for (const char *const *n = lists[i].names;
		     n != NULL && *n != NULL; n++)
			buf_fmt(out, "%s%s%s", out->len > 0 ? "," : "",
			    lists[i].kind, *n);
}

static const char *
purpose(const struct cert_request *rq)
{
	if (rq->server && rq->client)
		return "serverAuth,clientAuth";
	return rq->server ? "serverAuth" : "clientAuth";
}

static bool
put_extensions(X509 *x, X509 *ca, const struct cert_request *rq)
{
	struct buf names = buf_make(8192);
	bool good;

	alternative_names(rq, &names);
	good = !names.full &&
	    add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, ca, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, ca, NID_ext_key_usage, purpose(rq)) &&
	    add_extension(x, ca, NID_subject_key_identifier, "hash") &&
	    add_extension(x, ca, NID_authority_key_identifier, "keyid") &&
	    (names.len == 0 ||
		add_extension(x, ca, NID_subject_alt_name, names.ptr));
	buf_free(&names);
	return good;
}

/* The request's key, if it is P-256 and signed the request itself. */
static EVP_PKEY *
checked_key(X509_REQ *rq)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(rq);
	char group[32] = "";
	size_t len = 0;

	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1 ||
	    strcmp(group, "prime256v1") != 0 || X509_REQ_verify(rq, key) != 1)
		return NULL;
	return key;
}

static enum err
issue(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key, const struct cert_request *rq,
    struct buf *out, struct errinfo *ei)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	enum err e;

	if (x == NULL || bio == NULL ||
	    X509_set_version(x, X509_VERSION_3) != 1 || !random_serial(x) ||
	    !set_dates(x, rq->not_before_ms, rq->not_after_ms) ||
	    !set_name(X509_get_subject_name(x), rq->common_name) ||
	    X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1 ||
	    X509_set_pubkey(x, key) != 1 || !put_extensions(x, ca, rq) ||
	    X509_sign(x, ca_key, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509(bio, x) != 1)
		e = crypt_fail(ei, ERR_NOMEM, "certificate");
	else
		e = give(bio, out, ei);
	BIO_free(bio);
	X509_free(x);
	return e;
}

enum err
ca_issue(struct span ca_key_pem, struct span ca_cert_pem, struct span csr_pem,
    const struct cert_request *rq, struct buf *out, struct errinfo *ei)
{
	EVP_PKEY *ca_key = read_key(ca_key_pem), *key = NULL;
	X509 *ca = read_cert(ca_cert_pem);
	X509_REQ *csr = NULL;
	enum err e = OK;

	if (ca_key == NULL || ca == NULL) {
		e = crypt_fail(ei, ERR_CORRUPT, "authority");
		goto out;
	}
	csr = read_csr(csr_pem);
	if (csr == NULL) {
		e = crypt_fail(ei, ERR_SYNTAX, "certificate request");
		goto out;
	}
	key = checked_key(csr);
	if (key == NULL) {
		e = crypt_fail(ei, ERR_DENIED, "key of the request");
		goto out;
	}
	e = issue(ca, ca_key, key, rq, out, ei);
out:
	X509_REQ_free(csr);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	return e;
}

/* ---- reading ---- */

bool
crypt_time(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*out = (int64_t)timegm(&tm) * 1000;
	return true;
}

static bool
read_serial(const X509 *x, char out[SERIAL_HEX])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	int n = serial == NULL ? 0 : ASN1_STRING_length(serial);

	if (n < 1 || n > 20)
		return false;
	hex_encode(ASN1_STRING_get0_data(serial), (size_t)n, out);
	return true;
}

static bool
read_pin(X509 *x, unsigned char out[SHA256_LEN])
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	if (n <= 0)
		return false;
	sha256((struct span){ (char *)der, (size_t)n }, out);
	OPENSSL_free(der);
	return true;
}

static enum err
read_info(X509 *x, struct cert_info *out, struct errinfo *ei)
{
	struct cert_info v = { 0 };
	unsigned len = 0;
	int n = X509_NAME_get_text_by_NID(X509_get_subject_name(x),
	    NID_commonName, v.common_name, sizeof(v.common_name));

	if (n < 0 || !read_serial(x, v.serial) || !read_pin(x, v.key_pin) ||
	    X509_digest(x, EVP_sha256(), v.fingerprint, &len) != 1 ||
	    !crypt_time(X509_get0_notBefore(x), &v.not_before_ms) ||
	    !crypt_time(X509_get0_notAfter(x), &v.not_after_ms))
		return crypt_fail(ei, ERR_SYNTAX, "certificate");
	*out = v;
	return OK;
}

enum err
cert_read(struct span pem, struct cert_info *out, struct errinfo *ei)
{
	X509 *x = read_cert(pem);
	enum err e = x == NULL ? crypt_fail(ei, ERR_SYNTAX, "certificate")
			       : read_info(x, out, ei);

	X509_free(x);
	return e;
}

static X509 *
read_der(struct span der)
{
	const unsigned char *p = (const unsigned char *)der.ptr;
	X509 *x;

	if (der.len == 0 || der.len > PEM_MAX)
		return NULL;
	x = d2i_X509(NULL, &p, (long)der.len);
	if (x != NULL && p != (const unsigned char *)der.ptr + der.len) {
		X509_free(x);
		return NULL;
	}
	return x;
}

enum err
cert_read_der(struct span der, struct cert_info *out, struct errinfo *ei)
{
	X509 *x = read_der(der);
	enum err e = x == NULL ? crypt_fail(ei, ERR_SYNTAX, "certificate")
			       : read_info(x, out, ei);

	X509_free(x);
	return e;
}

enum err
cert_check_client(
    struct span ca_pem, struct span der, int64_t now_ms, struct errinfo *ei)
{
	X509 *ca = read_cert(ca_pem), *x = read_der(der);
	X509_STORE *trust = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	enum err e = OK;

	if (ca == NULL || x == NULL) {
		e = crypt_fail(ei, ERR_SYNTAX, "certificate");
		goto out;
	}
	if (trust == NULL || ctx == NULL ||
	    X509_STORE_add_cert(trust, ca) != 1 ||
	    X509_STORE_CTX_init(ctx, trust, x, NULL) != 1) {
		e = crypt_fail(ei, ERR_NOMEM, "certificate");
		goto out;
	}
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(now_ms / 1000));
	if (X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) != 1 ||
	    X509_verify_cert(ctx) != 1)
		e = err_set(ei, ERR_DENIED, "certificate: %s",
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(trust);
	X509_free(x);
	X509_free(ca);
	return e;
}
