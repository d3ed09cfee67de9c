/* Digests, passwords, sealing and signatures against the norms' vectors. */

#include "testing.h"

#include <fcntl.h>
#include <unistd.h>

#include "crypt/crypt.h"

static void
assert_hex(const void *bytes, size_t n, const char *hex)
{
	char text[129];

	assert_true(n <= 64);
	hex_encode(bytes, n, text);
	assert_string_equal(text, hex);
}

/* ---- digests (RFC 1321, FIPS 180-4) ---- */

static void
digests_are_those_of_the_norms(void **state)
{
	static const struct {
		const char *text;
		const char *want[DIGEST_KINDS];
	} cases[] = {
		{ "",
		    { "d41d8cd98f00b204e9800998ecf8427e",
			"da39a3ee5e6b4b0d3255bfef95601890afd80709",
			"e3b0c44298fc1c149afbf4c8996fb924"
			"27ae41e4649b934ca495991b7852b855" } },
		{ "abc",
		    { "900150983cd24fb0d6963f7d28e17f72",
			"a9993e364706816aba3e25717850c26c9cd0d89d",
			"ba7816bf8f01cfea414140de5dae2223"
			"b00361a396177a9cb410ff61f20015ad" } },
	};
	struct digest *d = digest_new();
	unsigned char out[DIGEST_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_err(digest_begin(d, (1u << DIGEST_KINDS) - 1), OK);
		for (const char *c = cases[i].text; *c != '\0'; c++)
			digest_add(d, c, 1);
		for (int k = 0; k < DIGEST_KINDS; k++) {
			digest_end(d, (enum digest_kind)k, out);
			assert_hex(out, digest_len((enum digest_kind)k),
			    cases[i].want[k]);
		}
	}
	sha256(SPAN("abc"), out);
	assert_hex(out, SHA256_LEN, cases[1].want[DIGEST_SHA256]);
	digest_free(d);
	digest_free(NULL);
}

static void
equal_compares_all(void **state)
{
	(void)state;
	assert_true(crypt_equal("abcd", "abcd", 4));
	assert_false(crypt_equal("abcd", "abce", 4));
	assert_false(crypt_equal("xbcd", "abcd", 4));
	assert_true(crypt_equal("a", "b", 0));
}

/* ---- base64url (RFC 4648, chapters 5 and 10) ---- */

static void
base64url_is_strict(void **state)
{
	static const struct {
		const char *plain, *text;
	} good[] = { { "", "" }, { "f", "Zg" }, { "ab", "YWI" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "-_-_" } };
	static const char *const bad[] = { "Z", "Zg==", "Zh", "Zm9", "Zm+v",
		"Zm/v", "Zm 9v", "Zm9v\n", "Zm9vY" };
	struct buf b = buf_make(64);

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		TEST_CASE(good[i].text);
		buf_clear(&b);
		base64url_encode(span_of(good[i].plain), &b);
		assert_true(span_is(buf_view(&b), good[i].text));
		buf_clear(&b);
		assert_err(base64url_decode(span_of(good[i].text), &b), OK);
		assert_true(span_is(buf_view(&b), good[i].plain));
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		TEST_CASE(bad[i]);
		buf_clear(&b);
		assert_err(base64url_decode(span_of(bad[i]), &b), ERR_SYNTAX);
		assert_int_equal(b.len, 0);
	}
	buf_free(&b);
}

/* ---- passwords ---- */

static void
a_password_is_known_by_its_hash_alone(void **state)
{
	char one[PASSWORD_HASH_MAX], two[PASSWORD_HASH_MAX];
	char big[PASSWORD_MAX + 1];
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(password_hash(SPAN("Mật khẩu 1"), one, &ei));
	assert_ok(password_hash(SPAN("Mật khẩu 1"), two, &ei));
	assert_string_not_equal(one, two); /* salted */
	assert_memory_equal(one, "scrypt$15$8$1$", 14);
	assert_ok(password_verify(SPAN("Mật khẩu 1"), one, &ei));
	assert_err(password_verify(SPAN("Mật khẩu 2"), one, &ei), ERR_AUTH);
	assert_err(password_verify(SPAN(""), one, &ei), ERR_AUTH);
	memset(big, 'x', sizeof(big));
	assert_err(password_hash((struct span){ big, sizeof(big) }, one, &ei),
	    ERR_LIMIT);
}

static void
a_damaged_hash_is_no_password(void **state)
{
	static const char *const bad[] = { "", "scrypt", "scrypt$15$8$1$$",
		"md5$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt$40$8$1$AAAAAAAAAAAAAAAAAAAAAA$"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
		"scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$x" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct errinfo ei = { 0 };

		TEST_CASE(bad[i]);
		assert_err(
		    password_verify(SPAN("x"), bad[i], &ei), ERR_CORRUPT);
	}
}

/* Made by another program, so that hashes stay good for ever. */
static void
a_hash_is_scrypt_of_the_norm(void **state)
{
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(password_verify(SPAN("pleaseletmein"),
	    "scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$"
	    "IDRn604yJbARUsZ5RbCao7BMs0SMjbSpRsCrLBtr58k",
	    &ei));
}

static void
random_passwords_are_readable_and_differ(void **state)
{
	char a[32], b[32];

	(void)state;
	password_random(25, a);
	password_random(25, b);
	assert_int_equal(strlen(a), 29);
	assert_string_not_equal(a, b);
	assert_int_equal(a[5], '-');
	assert_null(strpbrk(a, "0O1lI"));
}

/* ---- sealing ---- */

static const unsigned char key[SEAL_KEY_LEN] = { 1, 2, 3 };

static void
every_byte_of_a_sealed_secret_counts(void **state)
{
	struct buf sealed = buf_make(4096), plain = buf_make(4096);
	static const unsigned char other[SEAL_KEY_LEN] = { 1, 2, 4 };
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(seal(key, SPAN("label"), SPAN("secret"), &sealed, &ei));
	assert_ok(
	    seal_open(key, SPAN("label"), buf_view(&sealed), &plain, &ei));
	assert_true(span_is(buf_view(&plain), "secret"));
	buf_clear(&plain);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.ptr[i] ^= 1;
		assert_err(seal_open(key, SPAN("label"), buf_view(&sealed),
			       &plain, &ei),
		    ERR_CORRUPT);
		sealed.ptr[i] ^= 1;
		assert_err(seal_open(key, SPAN("label"),
			       (struct span){ sealed.ptr, i }, &plain, &ei),
		    ERR_CORRUPT);
	}
	assert_err(
	    seal_open(other, SPAN("label"), buf_view(&sealed), &plain, &ei),
	    ERR_CORRUPT);
	assert_err(
	    seal_open(key, SPAN("labels"), buf_view(&sealed), &plain, &ei),
	    ERR_CORRUPT);
	assert_int_equal(plain.len, 0);
	buf_free(&sealed);
	buf_free(&plain);
}

static int
temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	assert_true(fd >= 0);
	return fd;
}

static int
file_of(const char *bytes, size_t n)
{
	int fd = temporary();

	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static size_t
content(int fd, char *out, size_t size)
{
	ssize_t n = pread(fd, out, size, 0);

	assert_true(n >= 0);
	(void)close(fd);
	return (size_t)n;
}

static size_t
sealed_file(const char *plain, size_t n, char *out, size_t size)
{
	struct errinfo ei = { 0 };
	int from = file_of(plain, n), to = temporary();

	assert_ok(seal_file(key, SPAN("x"), from, to, &ei));
	(void)close(from);
	return content(to, out, size);
}

static enum err
open_file(const char *sealed, size_t n, char *out, size_t *len)
{
	struct errinfo ei = { 0 };
	int from = file_of(sealed, n), to = temporary();
	enum err e = seal_open_file(key, SPAN("x"), from, to, &ei);

	(void)close(from);
	*len = content(to, out, 4 * SEAL_CHUNK);
	return e;
}

static char plain[3 * SEAL_CHUNK], sealed[4 * SEAL_CHUNK],
    opened[4 * SEAL_CHUNK];

static void
files_of_every_size_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, SEAL_CHUNK - 1, SEAL_CHUNK,
		SEAL_CHUNK + 1, 2 * SEAL_CHUNK, 3 * SEAL_CHUNK };

	(void)state;
	random_bytes(plain, sizeof(plain));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t len = 0,
		       n = sealed_file(plain, sizes[i], sealed, sizeof(sealed));

		assert_err(open_file(sealed, n, opened, &len), OK);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(opened, plain, len);
	}
}

static void
chunks_cannot_be_dropped_moved_or_added(void **state)
{
	size_t n = sealed_file(plain, sizeof(plain), sealed, sizeof(sealed));
	size_t head = n - 3 * (SEAL_CHUNK + 16), len;
	size_t chunk = SEAL_CHUNK + 16;
	static char moved[4 * SEAL_CHUNK];

	(void)state;
	for (size_t cut = 1; cut < n; cut += 4099)
		assert_err(
		    open_file(sealed, n - cut, opened, &len), ERR_CORRUPT);
	assert_err(open_file(sealed, n - chunk, opened, &len), ERR_CORRUPT);
	memcpy(moved, sealed, n);
	memcpy(moved + head, sealed + head + chunk, chunk);
	memcpy(moved + head + chunk, sealed + head, chunk);
	assert_err(open_file(moved, n, opened, &len), ERR_CORRUPT);
	memcpy(moved, sealed, n);
	moved[n] = 'x';
	assert_err(open_file(moved, n + 1, opened, &len), ERR_CORRUPT);
	for (size_t i = 0; i < n; i += 1009) {
		memcpy(moved, sealed, n);
		moved[i] ^= 0x40;
		assert_err(open_file(moved, n, opened, &len), ERR_CORRUPT);
	}
}

/* ---- signatures (RFC 8032, 7.1, test 2) ---- */

static void
signatures_are_those_of_the_norm(void **state)
{
	unsigned char secret[SIGN_SECRET_LEN], public_key[SIGN_PUBLIC_LEN];
	unsigned char sig[SIGN_LEN];
	struct errinfo ei = { 0 };

	(void)state;
	assert_err(hex_decode(SPAN("4ccd089b28ff96da9db6c346ec114e0f"
				   "5b8a319f35aba624da8cf6ed4fb8a6fb"),
		       secret, sizeof(secret)),
	    OK);
	assert_err(hex_decode(SPAN("3d4017c3e843895a92b70aa74d1b7ebc"
				   "9c982ccf2ec4968cc0cd55f12af4660c"),
		       public_key, sizeof(public_key)),
	    OK);
	assert_ok(sign_make(secret, SPAN("\x72"), sig, &ei));
	assert_hex(sig, SIGN_LEN,
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_ok(sign_check(public_key, SPAN("\x72"), sig, &ei));
	assert_err(sign_check(public_key, SPAN("\x73"), sig, &ei), ERR_DENIED);
	for (size_t i = 0; i < SIGN_LEN; i++) {
		sig[i] ^= 1;
		assert_err(
		    sign_check(public_key, SPAN("\x72"), sig, &ei), ERR_DENIED);
		sig[i] ^= 1;
	}
	assert_ok(sign_key_make(secret, public_key, &ei));
	assert_err(sign_check(public_key, SPAN("\x72"), sig, &ei), ERR_DENIED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_norms),
		cmocka_unit_test(equal_compares_all),
		cmocka_unit_test(base64url_is_strict),
		cmocka_unit_test(a_password_is_known_by_its_hash_alone),
		cmocka_unit_test(a_damaged_hash_is_no_password),
		cmocka_unit_test(a_hash_is_scrypt_of_the_norm),
		cmocka_unit_test(random_passwords_are_readable_and_differ),
		cmocka_unit_test(every_byte_of_a_sealed_secret_counts),
		cmocka_unit_test(files_of_every_size_come_back),
		cmocka_unit_test(chunks_cannot_be_dropped_moved_or_added),
		cmocka_unit_test(signatures_are_those_of_the_norm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
