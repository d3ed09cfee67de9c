#include "scan/fixture.h"

#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "scan/set/set.h"

static const char signatures[] =
    "A:0:*:deadbeefcafebabe*68656c6c6f(61|62)??77\n"
    "B:1:EOF-9,4:6865[1-3]6f\n";

/* The bytes of a compiled set, with this file in it too; the caller frees the
 * buf. */
static struct buf
make_set_with(const char *name, struct span text)
{
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };
	struct buf out = buf_make(4 << 20);
	int fd = memory_file(SPAN(""));
	char path[64];

	assert_ok(scan_builder_new(NULL, NULL, &b, &ei));
	assert_ok(scan_builder_add(b, "dir/a.ndb", span_of(signatures), &ei));
	assert_ok(scan_builder_add(
	    b, "a.hdb", SPAN("5d41402abc4b2a76b9719d911017c592:5:H\n"), &ei));
	assert_ok(scan_builder_add(b, name, text, &ei));
	assert_ok(scan_builder_write(b, 42, 1234567, fd, &ei));
	scan_builder_free(b);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_ok(file_read(path, &out, &ei));
	(void)close(fd);
	return out;
}

static struct buf
make_set(void)
{
	return make_set_with("none.ndb", SPAN(""));
}

static enum err
open_bytes(struct span bytes, struct scan_set **out)
{
	int fd = memory_file(bytes);
	enum err e = scan_set_open(fd, out, NULL);

	(void)close(fd);
	return e;
}

/* Make the digest right again, as a hostile builder would. */
static void
reseal(struct buf *b)
{
	struct set_header *h = (struct set_header *)(void *)b->ptr;

	sha256(span_from(buf_view(b), sizeof(*h)), h->digest);
}

static void
a_set_tells_what_is_in_it(void **state)
{
	struct buf b = make_set();
	struct scan_set *set = NULL;
	struct scan_set_info info;

	(void)state;
	assert_err(open_bytes(buf_view(&b), &set), OK);
	scan_set_info(set, &info);
	assert_true(info.version == 42);
	assert_true(info.built_ms == 1234567);
	assert_true(info.file_size == b.len);
	assert_int_equal(info.counts.hashes, 1);
	assert_int_equal(info.counts.bodies, 3);
	scan_set_close(set);
	buf_free(&b);
}

static void
the_same_signatures_make_the_same_set(void **state)
{
	struct buf a = make_set(), b = make_set();

	(void)state;
	assert_true(span_eq(buf_view(&a), buf_view(&b)));
	buf_free(&a);
	buf_free(&b);
}

static void
a_damaged_set_is_refused(void **state)
{
	struct buf b = make_set();
	struct scan_set *set = NULL;

	(void)state;
	for (size_t i = 0; i < b.len; i++) {
		enum err e;

		b.ptr[i] ^= 4;
		e = open_bytes(buf_view(&b), &set);
		if (e == OK) {
			e = scan_set_verify(set, NULL);
			scan_set_close(set);
		}
		assert_true(e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
		b.ptr[i] ^= 4;
	}
	for (size_t n = 0; n < b.len; n += 13)
		assert_err(
		    open_bytes((struct span){ b.ptr, n }, &set), ERR_CORRUPT);
	buf_char(&b, 'x');
	assert_err(open_bytes(buf_view(&b), &set), ERR_CORRUPT);
	buf_free(&b);
}

/* What is found in the bytes with this set, or why they are not scanned. */
static struct scan_verdict
scan_with(struct span set_bytes, struct span bytes)
{
	struct scan_verdict v = { .outcome = SCAN_UNSCANNABLE,
		.reason = SCAN_R_SET };
	struct scan_set *set = NULL;
	struct scanner *s = NULL;

	if (open_bytes(set_bytes, &set) == OK &&
	    scanner_new(set, &scan_limits_default, &s, NULL) == OK)
		scanner_bytes(s, bytes, false, &v);
	scanner_free(s);
	scan_set_close(set);
	return v;
}

/* Many hashes, so that a file meets some chunks of the set and not others. */
static void
what_a_damaged_set_misses_is_not_clean(void **state)
{
	static const struct span found[] = { SPAN("hello"),
		SPAN("\xde\xad\xbe\xef\xca\xfe\xba\xbe--helloa-w") };
	struct buf text = buf_make(1 << 20), b;
	size_t whole = 0;

	(void)state;
	for (unsigned i = 0; i < 8000; i++)
		buf_fmt(&text, "%032x:%u:N\n", i * 2654435761u, 6 + i % 99);
	b = make_set_with("many.hdb", buf_view(&text));
	for (size_t i = 0; i < COUNT(found); i++)
		assert_int_equal(
		    scan_with(buf_view(&b), found[i]).outcome, SCAN_INFECTED);
	for (size_t at = 0; at < b.len; at += 1499) {
		b.ptr[at] ^= 4;
		for (size_t i = 0; i < COUNT(found); i++) {
			struct scan_verdict v =
			    scan_with(buf_view(&b), found[i]);

			whole += v.outcome == SCAN_INFECTED;
			assert_true(v.outcome == SCAN_INFECTED ||
			    v.reason == SCAN_R_SET);
		}
		b.ptr[at] ^= 4;
	}
	assert_true(whole > 0);
	buf_free(&text);
	buf_free(&b);
}

static void
another_format_version_is_unsupported(void **state)
{
	struct buf b = make_set();
	struct scan_set *set = NULL;

	(void)state;
	((struct set_header *)(void *)b.ptr)->format = SET_FORMAT + 1;
	assert_err(open_bytes(buf_view(&b), &set), ERR_UNSUPPORTED);
	buf_free(&b);
}

/* Each number of a set, made wrong in several ways under a right digest: the
 * set is refused, or scanning with it stays within it (the sanitizers
 * watch). */
static void
no_number_in_a_set_leads_outside(void **state)
{
	static const uint32_t values[] = { 0xffffffff, 0x7fffffff, 0x10000, 0 };
	struct buf b = make_set();
	size_t refused = 0;

	(void)state;
	for (size_t at = sizeof(struct set_header); at + 4 <= b.len; at += 4)
		for (size_t i = 0; i < COUNT(values); i++) {
			struct scan_set *set = NULL;
			struct scanner *s = NULL;
			struct scan_verdict v;
			uint32_t old;

			memcpy(&old, b.ptr + at, 4);
			memcpy(b.ptr + at, &values[i], 4);
			reseal(&b);
			memcpy(b.ptr + at, &values[i], 4);
			if (open_bytes(buf_view(&b), &set) != OK) {
				refused++;
			} else if (scanner_new(set, &scan_limits_default, &s,
				       NULL) == OK) {
				scanner_bytes(s, SPAN("hello"), false, &v);
				scanner_bytes(s,
				    SPAN("\xde\xad\xbe\xef\xca\xfe\xba\xbe"
					 "helloa.w heo"),
				    false, &v);
			}
			scanner_free(s);
			scan_set_close(set);
			memcpy(b.ptr + at, &old, 4);
		}
	assert_true(refused > 300);
	buf_free(&b);
}

/* What signatures of each kind look for; EICAR is the last. */
static const struct {
	const char *name, *text, *plain;
} hunted[] = {
	{ "a.ndb", "A:0:*:736f6d652062616420627974657320616e64206d6f7265\n",
	    "some bad bytes and more" },
	{ "b.ndb", "B:0:*:6d61736b6564206?7920626164206f6e65*656e64\n",
	    "masked by bad one..end" },
	{ "c.ndb", "C:0:*:6f6e65206f6620(7468657365207468696e6773|666f7572)\n",
	    "one of these things" },
	{ "d.ndb",
	    "D:0:*:6162(7468657365207468696e6773|6f7468657273206861726d)"
	    "6364\n",
	    "abothers harmcd" },
	{ "e.yar",
	    "rule E { strings: $a = \"a nasty text worm\" condition: $a }\n",
	    "a nasty text worm" },
	{ "f.yar",
	    "rule F { strings: $a = { DE AD BE EF CA FE BA BE } "
	    "condition: $a }\n",
	    "\xde\xad\xbe\xef\xca\xfe\xba\xbe" },
	{ "none.ndb", "", NULL },
};

/* True when eight bytes of `plain` stand anywhere, each XORed with `key`. */
static bool
holds(struct span set, struct span plain, unsigned key)
{
	for (size_t at = 0; at + 8 <= plain.len; at++) {
		char piece[8];

		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = (char)(plain.ptr[at + i] ^ (int)key);
		if (memmem(set.ptr, set.len, piece, sizeof(piece)) != NULL)
			return true;
	}
	return false;
}

/* Otherwise every scanner, ours included, would find its viruses in it. */
static void
a_set_does_not_hold_what_it_looks_for(void **state)
{
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };
	struct fixture f = { .problems = 0 };
	struct span set;

	(void)state;
	assert_ok(scan_builder_new(fixture_on_problem, &f, &b, &ei));
	for (size_t i = 0; i < COUNT(hunted); i++)
		assert_ok(scan_builder_add(
		    b, hunted[i].name, span_of(hunted[i].text), &ei));
	fixture_open(&f, b, &scan_limits_default);
	assert_int_equal(f.problems, 0);
	set = (struct span){ (const char *)f.set->base, f.set->len };
	for (size_t i = 0; i < COUNT(hunted); i++) {
		struct span plain = hunted[i].plain == NULL
		    ? eicar()
		    : span_of(hunted[i].plain);

		TEST_CASE(hunted[i].name);
		assert_string_not_equal(fixture_scan(&f, plain), "");
		assert_int_equal(f.verdict.outcome, SCAN_INFECTED);
		for (unsigned key = 0; key < 256; key++)
			assert_false(holds(set, plain, key));
	}
	assert_string_equal(fixture_scan(&f, set), "");
	assert_int_equal(f.verdict.outcome, SCAN_CLEAN);
	fixture_clear(&f);
}

static void
an_unknown_ending_is_unsupported(void **state)
{
	static const char *const names[] = { "a.txt", "a", "ndb", "a.cbx",
		"a.ndb.gz", "" };
	struct scan_builder *b = NULL;
	struct errinfo ei = { 0 };

	(void)state;
	assert_ok(scan_builder_new(NULL, NULL, &b, &ei));
	for (size_t i = 0; i < COUNT(names); i++)
		assert_err(scan_builder_add(b, names[i], SPAN(""), &ei),
		    ERR_UNSUPPORTED);
	scan_builder_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_tells_what_is_in_it),
		cmocka_unit_test(the_same_signatures_make_the_same_set),
		cmocka_unit_test(a_damaged_set_is_refused),
		cmocka_unit_test(what_a_damaged_set_misses_is_not_clean),
		cmocka_unit_test(another_format_version_is_unsupported),
		cmocka_unit_test(no_number_in_a_set_leads_outside),
		cmocka_unit_test(a_set_does_not_hold_what_it_looks_for),
		cmocka_unit_test(an_unknown_ending_is_unsupported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
