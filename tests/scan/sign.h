#ifndef TESTS_SCAN_SIGN_H
#define TESTS_SCAN_SIGN_H

#include <openssl/x509.h>

#include "testing.h"

#include "base/buf.h"

/* Signed programs and lines of .crb files, made with OpenSSL. */

struct signer {
	EVP_PKEY *key;
	X509 *x;
};
/* `by` NULL: itself.  `purpose`: "codeSigning", or NULL; valid from a year
 * ago, for `days`. */
void signer_make(struct signer *s, const char *name, const struct signer *by,
    bool ca, const char *purpose, int days);
void signer_free(struct signer *s);
/* A line of a .crb file, its end included; uses: "1;1;1". */
void signer_line(const struct signer *s, const char *name, bool trusted,
    const char *uses, struct buf *out);

/* A program of one section with these bytes, signed with SHA-256 by the first
 * of `n` certificates, all of which it carries.  Its PKCS #7 begins at
 * *pkcs7, and it ends with the certificates. */
void program_sign(struct span section, const struct signer *const *certs,
    size_t n, struct buf *out, size_t *pkcs7);

#endif
