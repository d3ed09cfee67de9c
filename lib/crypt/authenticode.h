#ifndef CRYPT_AUTHENTICODE_H
#define CRYPT_AUTHENTICODE_H

#include "base/span.h"

/* AUTHENTICODE: a PKCS #7 signature as programs carry it ("Windows
 * Authenticode Portable Executable Signature Format", Microsoft; RFC 2315;
 * countersignatures of PKCS #9).  What is in it, and what was signed by whom;
 * whom to trust is the caller's.  Hostile bytes: only in a worker.  Any
 * thread, each object one at a time. */

#define AUTHENTICODE_MAX     (4u << 20) /* bytes of DER */
#define AUTHENTICODE_CERTS   64u
#define AUTHENTICODE_KEY_MAX 1024u /* bytes of an RSA modulus */
#define SHA1_LEN             20

/* What a certificate may be used for. */
#define SIGNED_CODE   1u
#define SIGNED_TIME   2u
#define SIGNED_ISSUER 4u /* for other certificates */

struct signed_cert {
	/* SHA-1 of the contents of these fields. */
	unsigned char issuer[SHA1_LEN], serial[SHA1_LEN];
	struct span modulus; /* of its RSA key, no zeros in front; lives as
			      * long as the object; empty for other keys */
	unsigned uses;
	int64_t from_ms, to_ms; /* when it is valid */
};

struct authenticode;
/* Finds the first certificates, at most AUTHENTICODE_CERTS, and reads no more
 * than their subjects, which is quick.  `der` must live as long; what stands
 * behind it is not looked at. */
enum err authenticode_parse(
    struct span der, struct authenticode **out, struct errinfo *ei) MUST_USE;
void authenticode_free(struct authenticode *a); /* accepts NULL */
size_t authenticode_certs(const struct authenticode *a);
/* SHA-1 of the contents of the subject. */
const unsigned char *
authenticode_subject(const struct authenticode *a, size_t i);
/* NULL: it is malformed. */
const struct signed_cert *authenticode_cert(struct authenticode *a, size_t i);

struct signed_by {
	size_t signer; /* number of a certificate */
	bool stamped;  /* somebody else says when: */
	size_t stamper;
	int64_t when_ms;
};
/* That these ranges, one after the other, are what was signed, and by whom.
 * ERR_DENIED when they are not; MD5 proves nothing.  A countersignature that
 * is there must be good. */
enum err authenticode_check(struct authenticode *a, const struct span *ranges,
    size_t n, struct signed_by *out, struct errinfo *ei) MUST_USE;

/* Whether certificate i was signed by this RSA key (exponent 65537), or by
 * certificate `by`, which says that it may, and is named as issuer. */
bool authenticode_by_key(struct authenticode *a, size_t i, struct span modulus);
bool authenticode_by_cert(struct authenticode *a, size_t i, size_t by);

#endif
