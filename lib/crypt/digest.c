#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt_int.h"

enum err
crypt_fail(struct errinfo *ei, enum err code, const char *what)
{
	unsigned long n = ERR_peek_error();
	const char *reason = n == 0 ? NULL : ERR_reason_error_string(n);
	enum err e = err_set(
	    ei, code, "%s: %s", what, reason == NULL ? "not accepted" : reason);

	ERR_clear_error();
	return e;
}

/* ---- digests ---- */

struct digest {
	unsigned kinds;
	EVP_MD_CTX *ctx[DIGEST_KINDS];
};

static const EVP_MD *
algorithm(enum digest_kind kind)
{
	static const EVP_MD *(*const makers[DIGEST_KINDS])(void) = {
		[DIGEST_MD5] = EVP_md5,
		[DIGEST_SHA1] = EVP_sha1,
		[DIGEST_SHA256] = EVP_sha256,
	};

	return makers[kind]();
}

size_t
digest_len(enum digest_kind kind)
{
	static const size_t lens[DIGEST_KINDS] = {
		[DIGEST_MD5] = 16, [DIGEST_SHA1] = 20, [DIGEST_SHA256] = 32
	};

	return lens[kind];
}

struct digest *
digest_new(void)
{
	struct digest *d = calloc(1, sizeof(*d));

	for (int k = 0; d != NULL && k < DIGEST_KINDS; k++) {
		d->ctx[k] = EVP_MD_CTX_new();
		if (d->ctx[k] == NULL) {
			digest_free(d);
			d = NULL;
		}
	}
	return d;
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	for (int k = 0; k < DIGEST_KINDS; k++)
		EVP_MD_CTX_free(d->ctx[k]);
	free(d);
}

enum err
digest_begin(struct digest *d, unsigned kinds)
{
	d->kinds = 0;
	for (int k = 0; k < DIGEST_KINDS; k++)
		if ((kinds & 1u << k) != 0 &&
		    EVP_DigestInit_ex(
			d->ctx[k], algorithm((enum digest_kind)k), NULL) != 1)
			return ERR_UNSUPPORTED;
	d->kinds = kinds;
	return OK;
}

void
digest_add(struct digest *d, const void *bytes, size_t n)
{
	for (int k = 0; k < DIGEST_KINDS; k++)
		if ((d->kinds & 1u << k) != 0 &&
		    EVP_DigestUpdate(d->ctx[k], bytes, n) != 1)
			abort();
}

void
digest_end(
    struct digest *d, enum digest_kind kind, unsigned char out[DIGEST_MAX])
{
	if (EVP_DigestFinal_ex(d->ctx[kind], out, NULL) != 1)
		abort();
}

void
sha256(struct span s, unsigned char out[SHA256_LEN])
{
	if (EVP_Digest(s.ptr, s.len, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

bool
crypt_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void
crypt_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

/* ---- base64url ---- */

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
base64url_encode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)s.ptr[i + k] : 0u);
		for (size_t k = 0; k <= n; k++)
			buf_char(out, letters[v >> (18 - 6 * k) & 63]);
	}
}

enum err
base64url_decode(struct span s, struct buf *out)
{
	size_t before = out->len;
	uint32_t v = 0;
	unsigned bits = 0;

	if (s.len % 4 == 1)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.len; i++) {
		const char *at =
		    s.ptr[i] == '\0' ? NULL : strchr(letters, s.ptr[i]);

		if (at == NULL) {
			v = 1; /* as wrong as spare bits */
			break;
		}
		v = v << 6 | (uint32_t)(at - letters);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_char(out, (char)(v >> bits & 255));
			v &= (1u << bits) - 1;
		}
	}
	if (v == 0 && !out->full)
		return OK;
	buf_cut(out, before);
	/* Spare bits must be zero: one text for one value. */
	return v != 0 ? ERR_SYNTAX : ERR_LIMIT;
}
