#include "scan/fixture.h"

#include "crypt/crypt.h"

#define MD5_HELLO  "5d41402abc4b2a76b9719d911017c592"
#define SHA1_HELLO "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
#define SHA256_HELLO                                                           \
	"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void
a_hash_matches_by_digest_and_size(void **state)
{
	static const struct {
		const char *name, *line;
		bool want;
	} cases[] = {
		{ "a.hdb", MD5_HELLO ":5:H", true },
		{ "a.hsb", SHA1_HELLO ":5:H", true },
		{ "a.hsb", SHA256_HELLO ":5:H", true },
		{ "a.hdb", SHA256_HELLO ":5:H", true }, /* by its length */
		{ "a.hsb", MD5_HELLO ":5:H", true },
		{ "a.hdb", "5D41402ABC4B2A76B9719D911017C592:5:H", true },
		{ "a.hdb", MD5_HELLO ":6:H", false },
		{ "a.hdb", MD5_HELLO ":*:H", true },
		{ "a.hdb", MD5_HELLO ":*:H:73", true },
		{ "a.hdb", MD5_HELLO ":5:H:231", false },
		{ "a.hdb", MD5_HELLO ":5:H:1:229", false },
		{ "a.hdb", "5d41402abc4b2a76b9719d911017c593:5:H", false },
		{ "a.fp", MD5_HELLO ":5:H", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;

		TEST_CASE(cases[i].line);
		fixture_make(&f, cases[i].name, cases[i].line);
		assert_int_equal(f.problems, 0);
		assert_string_equal(
		    fixture_scan(&f, SPAN("hello")), cases[i].want ? "H" : "");
		if (cases[i].want) {
			assert_string_equal(f.verdict.source, cases[i].name);
			assert_true(f.verdict.has_sha256);
		}
		fixture_clear(&f);
	}
}

static void
a_bad_hash_line_is_named(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{ "abc:5:H", "hash of 3 digits: not MD5, SHA-1 or SHA-256" },
		{ "5d41402abc4b2a76b9719d911017c59z:5:H",
		    "hash is not hex digits" },
		{ MD5_HELLO ":0:H", "size is not a number above 0 or *" },
		{ MD5_HELLO ":-5:H", "size is not a number above 0 or *" },
		{ MD5_HELLO ":4294967295:H",
		    "size is not a number above 0 or *" },
		{ MD5_HELLO "::H", "size is not a number above 0 or *" },
		{ MD5_HELLO ":5:", "signature has no name" },
		{ MD5_HELLO ":5",
		    "2 fields, hash:size:name[:min[:max]] expected" },
		{ MD5_HELLO ":5:H:1:2:3",
		    "6 fields, hash:size:name[:min[:max]] expected" },
		{ MD5_HELLO ":5:H:x", "functionality level is not a number" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;

		TEST_CASE(cases[i].line);
		fixture_make(&f, "a.hdb", cases[i].line);
		assert_int_equal(f.problems, 1);
		assert_int_equal(f.problem_line, 1);
		assert_string_equal(f.problem, cases[i].reason);
		assert_int_equal(f.counts.hashes, 0);
		fixture_clear(&f);
	}
}

/* "Worm" in any object, unless the object is allowed. */
static void
make_with_allowed(struct fixture *f, struct span allowed, const char *size)
{
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };
	unsigned char digest[SHA256_LEN];
	char hex[SHA256_HEX], line[200];

	*f = (struct fixture){ .problems = 0 };
	sha256(allowed, digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(line, sizeof(line), "%s:%s:known good\n", hex, size);
	assert_ok(scan_builder_new(fixture_on_problem, f, &b, &ei));
	assert_ok(
	    scan_builder_add(b, "w.ndb", SPAN("Worm:0:*:776f726d\n"), &ei));
	assert_ok(scan_builder_add(b, "ok.sfp", span_of(line), &ei));
	fixture_open(f, b, &scan_limits_default);
}

static void
an_allowed_object_is_not_found(void **state)
{
	struct fixture f;

	(void)state;
	make_with_allowed(&f, SPAN("a good worm"), "11");
	assert_int_equal(f.counts.allowed, 1);
	assert_string_equal(fixture_scan(&f, SPAN("a good worm")), "");
	assert_string_equal(fixture_scan(&f, SPAN("a good worm!")), "Worm");
	fixture_clear(&f);
	make_with_allowed(&f, SPAN("a good worm"), "*");
	assert_string_equal(fixture_scan(&f, SPAN("a good worm")), "");
	fixture_clear(&f);
	make_with_allowed(&f, SPAN("a good worm"), "12");
	assert_string_equal(fixture_scan(&f, SPAN("a good worm")), "Worm");
	fixture_clear(&f);
}

/* Many at once: the index finds each of them and no other. */
static void
every_one_of_many_hashes_is_found(void **state)
{
	enum { MANY = 3000 };
	struct buf text = buf_make(1 << 20);
	struct fixture f;
	char object[32], name[32];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		unsigned char digest[SHA256_LEN];
		char hex[SHA256_HEX];

		(void)snprintf(object, sizeof(object), "object %d", i);
		sha256(span_of(object), digest);
		hex_encode(digest, sizeof(digest), hex);
		buf_fmt(&text, "%s:%zu:N%d\n", hex, strlen(object), i);
	}
	fixture_make_bytes(
	    &f, "many.hsb", buf_view(&text), &scan_limits_default);
	assert_int_equal(f.counts.hashes, MANY);
	for (int i = 0; i < MANY + 100; i++) {
		(void)snprintf(object, sizeof(object), "object %d", i);
		(void)snprintf(name, sizeof(name), "N%d", i);
		assert_string_equal(
		    fixture_scan(&f, span_of(object)), i < MANY ? name : "");
	}
	fixture_clear(&f);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_matches_by_digest_and_size),
		cmocka_unit_test(a_bad_hash_line_is_named),
		cmocka_unit_test(an_allowed_object_is_not_found),
		cmocka_unit_test(every_one_of_many_hashes_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
