/* Passwords and sealed bytes. */

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt_int.h"

/* ---- passwords ---- */

#define SCRYPT_LOG_N 15
#define SCRYPT_R     8
#define SCRYPT_P     1
#define SALT_LEN     16
#define HASH_LEN     32
#define SCRYPT_MEM   (UINT64_C(128) << 20)

static enum err
derive(struct span password, const unsigned char *salt, unsigned log_n,
    unsigned char out[HASH_LEN], struct errinfo *ei)
{
	if (EVP_PBE_scrypt(password.len == 0 ? "" : password.ptr, password.len,
		salt, SALT_LEN, UINT64_C(1) << log_n, SCRYPT_R, SCRYPT_P,
		SCRYPT_MEM, out, HASH_LEN) != 1)
		return crypt_fail(ei, ERR_NOMEM, "scrypt");
	return OK;
}

enum err
password_hash(
    struct span password, char out[PASSWORD_HASH_MAX], struct errinfo *ei)
{
	unsigned char salt[SALT_LEN], hash[HASH_LEN];
	struct buf text = buf_make(PASSWORD_HASH_MAX - 1);
	enum err e;

	if (password.len > PASSWORD_MAX)
		return err_set(
		    ei, ERR_LIMIT, "password over %d bytes", PASSWORD_MAX);
	random_bytes(salt, sizeof(salt));
	e = derive(password, salt, SCRYPT_LOG_N, hash, ei);
	if (e == OK) {
		buf_fmt(&text, "scrypt$%d$%d$%d$", SCRYPT_LOG_N, SCRYPT_R,
		    SCRYPT_P);
		base64url_encode(
		    (struct span){ (char *)salt, SALT_LEN }, &text);
		buf_char(&text, '$');
		base64url_encode(
		    (struct span){ (char *)hash, HASH_LEN }, &text);
		e = buf_check(&text, ei);
	}
	if (e == OK)
		memcpy(out, text.ptr, text.len + 1);
	crypt_wipe(hash, sizeof(hash));
	buf_free(&text);
	return e;
}

/* Takes "scrypt$15$8$1$salt$hash" apart. */
static enum err
parse_hash(const char *text, unsigned *log_n, unsigned char salt[SALT_LEN],
    unsigned char hash[HASH_LEN])
{
	struct span rest = span_of(text), part[6];
	struct buf s = buf_make(SALT_LEN), h = buf_make(HASH_LEN);
	uint64_t n = 0, r = 0, p = 0;
	bool good;

	for (size_t i = 0; i < COUNT(part); i++)
		part[i] = span_cut(rest, '$', &rest);
	good = span_is(part[0], "scrypt") && rest.len == 0 &&
	    span_u64(part[1], 17, &n) == OK && n >= 10 &&
	    span_u64(part[2], SCRYPT_R, &r) == OK && r == SCRYPT_R &&
	    span_u64(part[3], SCRYPT_P, &p) == OK && p == SCRYPT_P &&
	    base64url_decode(part[4], &s) == OK && s.len == SALT_LEN &&
	    base64url_decode(part[5], &h) == OK && h.len == HASH_LEN;
	if (good) {
		*log_n = (unsigned)n;
		memcpy(salt, s.ptr, SALT_LEN);
		memcpy(hash, h.ptr, HASH_LEN);
	}
	buf_free(&s);
	buf_free(&h);
	return good ? OK : ERR_CORRUPT;
}

enum err
password_verify(struct span password, const char *hash, struct errinfo *ei)
{
	unsigned char salt[SALT_LEN], want[HASH_LEN], got[HASH_LEN];
	unsigned log_n = 0;
	enum err e = parse_hash(hash, &log_n, salt, want);

	if (e != OK)
		return err_set(ei, e, "damaged password hash");
	if (password.len > PASSWORD_MAX)
		return err_set(ei, ERR_AUTH, "wrong password");
	e = derive(password, salt, log_n, got, ei);
	if (e == OK && !crypt_equal(want, got, HASH_LEN))
		e = err_set(ei, ERR_AUTH, "wrong password");
	crypt_wipe(got, sizeof(got));
	return e;
}

void
password_random(size_t n, char *out)
{
	static const char clear[] = "abcdefghjkmnpqrstuvwxyz23456789A";
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && i % 5 == 0)
			out[at++] = '-';
		out[at++] = clear[random_below(32)];
	}
	out[at] = '\0';
}

/* ---- sealed bytes ---- */

#define NONCE_LEN 12
#define TAG_LEN   16

struct gcm {
	const unsigned char *key, *nonce;
	struct span label;
};

/* One AES-256-GCM operation; `tag` is written or checked. */
static bool
gcm_run(const struct gcm *g, bool encrypt, const unsigned char *in, size_t n,
    unsigned char *out, unsigned char tag[TAG_LEN])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0;
	bool good = ctx != NULL && n <= INT32_MAX &&
	    EVP_CipherInit_ex(
		ctx, EVP_aes_256_gcm(), NULL, g->key, g->nonce, encrypt) == 1 &&
	    (g->label.len == 0 ||
		EVP_CipherUpdate(ctx, NULL, &len,
		    (const unsigned char *)g->label.ptr,
		    (int)g->label.len) == 1) &&
	    (n == 0 || EVP_CipherUpdate(ctx, out, &len, in, (int)n) == 1) &&
	    (encrypt ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) ==
		    1) &&
	    EVP_CipherFinal_ex(ctx, out + n, &len) == 1 &&
	    (!encrypt ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) ==
		    1);

	EVP_CIPHER_CTX_free(ctx);
	return good;
}

enum err
seal(const unsigned char key[SEAL_KEY_LEN], struct span label,
    struct span plain, struct buf *out, struct errinfo *ei)
{
	unsigned char nonce[NONCE_LEN], tag[TAG_LEN];
	unsigned char *sealed = malloc(plain.len + TAG_LEN);
	struct gcm g = { key, nonce, label };
	enum err e = OK;

	random_bytes(nonce, sizeof(nonce));
	if (sealed == NULL)
		return err_set(ei, ERR_NOMEM, "sealing %zu bytes", plain.len);
	if (!gcm_run(&g, true, (const unsigned char *)plain.ptr, plain.len,
		sealed, tag))
		e = crypt_fail(ei, ERR_NOMEM, "seal");
	if (e == OK) {
		buf_add(out, nonce, sizeof(nonce));
		buf_add(out, sealed, plain.len);
		buf_add(out, tag, sizeof(tag));
		e = buf_check(out, ei);
	}
	free(sealed);
	return e;
}

enum err
seal_open(const unsigned char key[SEAL_KEY_LEN], struct span label,
    struct span sealed, struct buf *out, struct errinfo *ei)
{
	const unsigned char *p = (const unsigned char *)sealed.ptr;
	unsigned char tag[TAG_LEN], *plain;
	struct gcm g = { key, p, label };
	size_t n;
	enum err e;

	if (sealed.len < NONCE_LEN + TAG_LEN)
		return err_set(ei, ERR_CORRUPT, "sealed bytes cut short");
	n = sealed.len - NONCE_LEN - TAG_LEN;
	plain = malloc(n + TAG_LEN);
	if (plain == NULL)
		return err_set(ei, ERR_NOMEM, "opening %zu bytes", n);
	memcpy(tag, p + NONCE_LEN + n, TAG_LEN);
	if (gcm_run(&g, false, p + NONCE_LEN, n, plain, tag)) {
		buf_add(out, plain, n);
		e = buf_check(out, ei);
	} else {
		e = crypt_fail(ei, ERR_CORRUPT, "sealed bytes");
	}
	crypt_wipe(plain, n);
	free(plain);
	return e;
}

/* ---- sealed files ----
 * A header {magic, 7 random bytes}, then chunks: SEAL_CHUNK bytes of
 * ciphertext (less in the last) and a tag.  The nonce of chunk i is the
 * random bytes, i, and 1 for the last chunk: the STREAM construction. */

static const unsigned char magic[8] = "KHSEAL1";
#define PREFIX_LEN 7

struct stream {
	unsigned char nonce[NONCE_LEN];
	uint32_t chunk;
	struct gcm g;
	unsigned char *plain, *sealed;
};

static void
set_nonce(struct stream *s, bool last)
{
	for (int i = 0; i < 4; i++)
		s->nonce[PREFIX_LEN + i] =
		    (unsigned char)(s->chunk >> (24 - 8 * i));
	s->nonce[NONCE_LEN - 1] = last;
	s->chunk++;
}

static enum err
stream_new(struct stream *s, const unsigned char *key, struct span label,
    struct errinfo *ei)
{
	*s = (struct stream){ .g = { key, NULL, label } };
	s->plain = malloc(SEAL_CHUNK + TAG_LEN);
	s->sealed = malloc(SEAL_CHUNK + TAG_LEN);
	if (s->plain == NULL || s->sealed == NULL)
		return err_set(ei, ERR_NOMEM, "sealing");
	return OK;
}

static void
stream_free(struct stream *s)
{
	if (s->plain != NULL)
		crypt_wipe(s->plain, SEAL_CHUNK);
	free(s->plain);
	free(s->sealed);
}

/* Reads until n bytes or the end. */
static enum err
read_full(int fd, unsigned char *to, size_t n, size_t *got, struct errinfo *ei)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = read(fd, to + *got, n - *got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(ei, "read");
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return OK;
}

enum err
seal_file(const unsigned char key[SEAL_KEY_LEN], struct span label, int in,
    int out, struct errinfo *ei)
{
	struct stream s;
	size_t n = SEAL_CHUNK;
	enum err e = stream_new(&s, key, label, ei);

	s.g.nonce = s.nonce;
	random_bytes(s.nonce, PREFIX_LEN);
	if (e == OK)
		e = fd_write_all(out,
		    (struct span){ (const char *)magic, sizeof(magic) }, ei);
	if (e == OK)
		e = fd_write_all(
		    out, (struct span){ (char *)s.nonce, PREFIX_LEN }, ei);
	while (e == OK && n == SEAL_CHUNK) { /* a short chunk is the last */
		e = read_full(in, s.plain, SEAL_CHUNK, &n, ei);
		if (e != OK)
			break;
		set_nonce(&s, n < SEAL_CHUNK);
		if (!gcm_run(&s.g, true, s.plain, n, s.sealed, s.sealed + n))
			e = crypt_fail(ei, ERR_NOMEM, "seal");
		else
			e = fd_write_all(out,
			    (struct span){ (char *)s.sealed, n + TAG_LEN }, ei);
	}
	stream_free(&s);
	return e;
}

static enum err
open_header(struct stream *s, int in, struct errinfo *ei)
{
	unsigned char head[sizeof(magic) + PREFIX_LEN];
	size_t n;
	enum err e = read_full(in, head, sizeof(head), &n, ei);

	if (e != OK)
		return e;
	if (n != sizeof(head) || memcmp(head, magic, sizeof(magic)) != 0)
		return err_set(ei, ERR_CORRUPT, "not a sealed file");
	memcpy(s->nonce, head + sizeof(magic), PREFIX_LEN);
	return OK;
}

enum err
seal_open_file(const unsigned char key[SEAL_KEY_LEN], struct span label, int in,
    int out, struct errinfo *ei)
{
	struct stream s;
	size_t n = SEAL_CHUNK + TAG_LEN;
	enum err e = stream_new(&s, key, label, ei);

	s.g.nonce = s.nonce;
	if (e == OK)
		e = open_header(&s, in, ei);
	while (e == OK && n == SEAL_CHUNK + TAG_LEN) {
		e = read_full(in, s.sealed, SEAL_CHUNK + TAG_LEN, &n, ei);
		if (e != OK)
			break;
		set_nonce(&s, n < SEAL_CHUNK + TAG_LEN);
		if (n < TAG_LEN ||
		    !gcm_run(&s.g, false, s.sealed, n - TAG_LEN, s.plain,
			s.sealed + n - TAG_LEN))
			e = crypt_fail(ei, ERR_CORRUPT, "sealed file");
		else
			e = fd_write_all(out,
			    (struct span){ (char *)s.plain, n - TAG_LEN }, ei);
	}
	stream_free(&s);
	return e;
}
