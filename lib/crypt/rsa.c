#include <openssl/bn.h>

#include "crypt/crypt_int.h"

enum err
rsa_recover(const char *modulus, const char *exponent, struct span signature,
    unsigned char *out, size_t len, struct errinfo *ei)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *n = NULL, *e = NULL, *s = NULL, *m = BN_new();
	bool ok = false;

	if (ctx != NULL && m != NULL && signature.len <= 1024 &&
	    BN_dec2bn(&n, modulus) > 0 && BN_dec2bn(&e, exponent) > 0) {
		s = BN_bin2bn((const unsigned char *)signature.ptr,
		    (int)signature.len, NULL);
		ok = s != NULL && BN_mod_exp(m, s, e, n, ctx) == 1 &&
		    BN_bn2binpad(m, out, (int)len) >= 0;
	}
	BN_free(n);
	BN_free(e);
	BN_free(s);
	BN_free(m);
	BN_CTX_free(ctx);
	return ok ? OK : crypt_fail(ei, ERR_DENIED, "RSA signature");
}
