#ifndef CRYPT_CRYPT_H
#define CRYPT_CRYPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/uuid.h"

/* The one wrapper of OpenSSL 3.  Any thread; objects one thread at a time
 * unless they are const. */

/* ---- digests ---------------------------------------------------------- */

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_KINDS };
#define DIGEST_MAX 32
#define SHA256_LEN 32
#define SHA256_HEX 65 /* with NUL */

size_t digest_len(enum digest_kind kind); /* 16, 20, 32 */

struct digest;                   /* several kinds in one pass */
struct digest *digest_new(void); /* NULL: memory */
void digest_free(struct digest *d);
/* Begin afresh with the kinds in the bit set (1u << kind). */
enum err digest_begin(struct digest *d, unsigned kinds) MUST_USE;
void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_end(struct digest *d, enum digest_kind kind,
    unsigned char out[DIGEST_MAX]); /* only kinds begun; once each */

void sha256(struct span s, unsigned char out[SHA256_LEN]);
bool crypt_equal(const void *a, const void *b, size_t n); /* constant time */
void crypt_wipe(void *p, size_t n);

/* RFC 4648 base64url without padding; decoding is strict. */
void base64url_encode(struct span s, struct buf *out);
enum err base64url_decode(struct span s, struct buf *out) MUST_USE;

/* ---- passwords -------------------------------------------------------- */

#define PASSWORD_HASH_MAX 128
#define PASSWORD_MAX      256

/* scrypt (RFC 7914) N=2^15 r=8 p=1: "scrypt$15$8$1$salt$hash", base64url.
 * About 80 ms and 32 MB. */
enum err password_hash(struct span password, char out[PASSWORD_HASH_MAX],
    struct errinfo *ei) MUST_USE;
/* ERR_AUTH when it does not match, ERR_CORRUPT for a damaged hash. */
enum err password_verify(
    struct span password, const char *hash, struct errinfo *ei) MUST_USE;
/* `n` letters and digits that cannot be mistaken for each other, 5 bits
 * each, in groups of 5 joined by '-'; out holds n + n/5 + 1. */
void password_random(size_t n, char *out);

/* ---- sealed bytes (AES-256-GCM) ---------------------------------------- */

#define SEAL_KEY_LEN 32
#define SEAL_CHUNK   65536
/* Small secrets: nonce || ciphertext || tag; `label` is authenticated. */
enum err seal(const unsigned char key[SEAL_KEY_LEN], struct span label,
    struct span plain, struct buf *out, struct errinfo *ei) MUST_USE;
enum err seal_open(const unsigned char key[SEAL_KEY_LEN], struct span label,
    struct span sealed, struct buf *out, struct errinfo *ei) MUST_USE;
/* Whole files, in chunks that cannot be reordered, dropped or cut short (the
 * STREAM construction).  Reads from one fd, writes to the other.  Opening a
 * changed file gives ERR_CORRUPT; what was written until then is worthless. */
enum err seal_file(const unsigned char key[SEAL_KEY_LEN], struct span label,
    int in, int out, struct errinfo *ei) MUST_USE;
enum err seal_open_file(const unsigned char key[SEAL_KEY_LEN],
    struct span label, int in, int out, struct errinfo *ei) MUST_USE;

/* ---- RSA of others ------------------------------------------------------- */

/* What a textbook RSA signature (a big-endian number) says under this public
 * key (decimal numbers): its last `len` bytes; the rest must be zero.  Only
 * to read formats that were made so: nothing of ours is signed like that. */
enum err
rsa_recover(const char *modulus, const char *exponent, struct span signature,
    unsigned char *out, size_t len, struct errinfo *ei) MUST_USE;

/* ---- signatures (Ed25519, RFC 8032) ------------------------------------ */

#define SIGN_PUBLIC_LEN 32
#define SIGN_SECRET_LEN 32
#define SIGN_LEN        64
enum err sign_key_make(unsigned char secret[SIGN_SECRET_LEN],
    unsigned char public_key[SIGN_PUBLIC_LEN], struct errinfo *ei) MUST_USE;
enum err
sign_make(const unsigned char secret[SIGN_SECRET_LEN], struct span message,
    unsigned char out[SIGN_LEN], struct errinfo *ei) MUST_USE;
/* ERR_DENIED when it is not this key's signature of this message. */
enum err
sign_check(const unsigned char public_key[SIGN_PUBLIC_LEN], struct span message,
    const unsigned char signature[SIGN_LEN], struct errinfo *ei) MUST_USE;

/* ---- keys and certificates (ECDSA P-256, X.509 v3, PEM) ---------------- */

#define PEM_MAX    16384 /* bytes of any PEM text accepted */
#define SERIAL_HEX 41    /* 20 random bytes as hex, NUL included */

/* A fresh private key, PKCS#8 PEM, appended to out. */
enum err key_make(struct buf *out, struct errinfo *ei) MUST_USE;
/* A certificate request for the key; the CA decides subject and names. */
enum err csr_make(struct span key_pem, const char *common_name, struct buf *out,
    struct errinfo *ei) MUST_USE;

struct cert_request {
	const char *common_name;
	const char *const *dns_names; /* NULL-ended; NULL for none */
	const char *const *ip_names;  /* NULL-ended; NULL for none */
	int64_t not_before_ms, not_after_ms;
	bool server, client; /* extended key usage */
};
/* A self-signed CA (path length 0) of its own key. */
enum err
ca_make(struct span key_pem, const char *common_name, int64_t not_before_ms,
    int64_t not_after_ms, struct buf *out, struct errinfo *ei) MUST_USE;
/* Issue for the public key of a CSR, whose own signature is checked first;
 * nothing else of the CSR is taken over.  P-256 keys only. */
enum err ca_issue(struct span ca_key_pem, struct span ca_cert_pem,
    struct span csr_pem, const struct cert_request *rq, struct buf *out,
    struct errinfo *ei) MUST_USE;

struct cert_info {
	char common_name[128];
	char serial[SERIAL_HEX];               /* lower-case hex */
	unsigned char fingerprint[SHA256_LEN]; /* of the whole DER */
	unsigned char key_pin[SHA256_LEN];     /* of SubjectPublicKeyInfo */
	int64_t not_before_ms, not_after_ms;
};
enum err
cert_read(struct span pem, struct cert_info *out, struct errinfo *ei) MUST_USE;
/* The same from DER, as the TLS layer hands it over. */
enum err cert_read_der(
    struct span der, struct cert_info *out, struct errinfo *ei) MUST_USE;
/* Signed by this CA, within its dates at now_ms, for client use. */
enum err cert_check_client(struct span ca_pem, struct span der, int64_t now_ms,
    struct errinfo *ei) MUST_USE;

#endif
