#include "cfb_make.h"
#include "sink.h"

#include "formats/office/office.h"

#define DAMAGED   (1u << PEEL_DAMAGED)
#define ENCRYPTED (1u << PEEL_ENCRYPTED)

static char big[10000], medium[5000];

static void
fill(char *p, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + i / 251 + salt);
}

static int
before_all(void **state)
{
	(void)state;
	fill(big, sizeof(big), 1);
	fill(medium, sizeof(medium), 2);
	return 0;
}

static void
open_made(struct cfb_made *m, struct sink *s)
{
	sink_init(s);
	open_ole2(buf_view(&m->file), &s->peel);
}

static void
done(struct cfb_made *m, struct sink *s)
{
	sink_clear(s);
	buf_free(&m->file);
}

static const struct cfb_item plain[] = {
	{ "Small", { "hello", 5 } },
	{ "Big", { big, sizeof(big) } },
	{ "Empty", { "", 0 } },
	{ "Storage/\1CompObj", { "inner", 5 } },
	{ "Storage/Deeper/Medium", { medium, sizeof(medium) } },
	{ "Storage/Two", { big, 1000 } },
};
#define PLAIN (sizeof(plain) / sizeof(plain[0]))

static void
assert_plain(const struct sink *s)
{
	static const char *const names[PLAIN] = { "Small", "Big", "Empty",
		"Storage/_1_CompObj", "Storage/Deeper/Medium", "Storage/Two" };

	assert_int_equal(s->members, PLAIN);
	for (size_t i = 0; i < PLAIN; i++)
		assert_true(span_eq(sink_bytes(s, names[i]), plain[i].bytes));
}

static void
streams_come_out_with_their_paths(void **state)
{
	static const unsigned majors[] = { 3, 4 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cfb_made m = cfb_make(majors[i], plain, PLAIN);
		struct sink s;

		open_made(&m, &s);
		assert_plain(&s);
		assert_int_equal(s.notes, 0);
		done(&m, &s);
	}
}

/* Swaps two sectors of 512 bytes and what the FAT says of them. */
static void
a_stream_in_pieces_is_put_together(void **state)
{
	struct cfb_made m = cfb_make(3, plain, PLAIN);
	size_t fat = cfb_made_at(&m, m.fat), a, b;
	struct sink s;
	char keep[512];

	(void)state;
	/* Big goes big, big+2, big+1, big+3 ... */
	cfb_put32(&m, fat + 4 * m.big, m.big + 2);
	cfb_put32(&m, fat + 4 * (m.big + 2), m.big + 1);
	cfb_put32(&m, fat + 4 * (m.big + 1), m.big + 3);
	a = cfb_made_at(&m, m.big + 1);
	b = cfb_made_at(&m, m.big + 2);
	memcpy(keep, m.file.ptr + a, 512);
	memcpy(m.file.ptr + a, m.file.ptr + b, 512);
	memcpy(m.file.ptr + b, keep, 512);
	open_made(&m, &s);
	assert_plain(&s);
	assert_int_equal(s.notes, 0);
	done(&m, &s);
}

/* Each row overwrites one number of a good file. */
static void
broken_files_end_and_are_noted(void **state)
{
	static const struct {
		const char *name;
		char place; /* h)eader, f)at, e)ntry, d)irectory's FAT */
		uint32_t at, value;
		size_t members;
	} rows[] = {
		{ "FAT chain into itself", 'f', 2, 0, PLAIN },
		{ "FAT chain too short", 'f', 3, 0xfffffffe, PLAIN },
		{ "FAT chain beyond the end", 'f', 3, 1000, PLAIN },
		{ "stream beyond the end", 'e', 2 * 128 + 116, 1000, PLAIN },
		{ "stream larger than its chain", 'e', 2 * 128 + 120, 20000,
		    PLAIN },
		{ "mini FAT missing", 'h', 60, 0xfffffffe, PLAIN },
		{ "directory missing", 'h', 48, 0xfffffffe, 0 },
		{ "directory beyond the end", 'h', 48, 500, 0 },
		{ "no FAT", 'h', 76, 0xffffffff, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfb_made m = cfb_make(3, plain, PLAIN);
		size_t at = rows[i].at;
		struct sink s;

		TEST_CASE(rows[i].name);
		if (rows[i].place == 'f')
			at = cfb_made_at(&m, m.fat) + 4 * (m.big + at);
		if (rows[i].place == 'e')
			at += cfb_made_entry(&m, 0);
		cfb_put32(&m, at, rows[i].value);
		open_made(&m, &s);
		assert_int_equal(s.members, rows[i].members);
		assert_int_equal(s.notes, DAMAGED);
		done(&m, &s);
	}
}

static void
a_tree_with_loops_gives_each_stream_once(void **state)
{
	struct cfb_made m = cfb_make(3, plain, PLAIN);
	struct sink s;

	(void)state;
	/* Small's left is the root, Empty's left is Big, Deeper leads back. */
	cfb_put32(&m, cfb_made_entry(&m, 1) + 68, 0);
	cfb_put32(&m, cfb_made_entry(&m, 3) + 68, 2);
	cfb_put32(&m, cfb_made_entry(&m, 6) + 76, 4);
	open_made(&m, &s);
	/* Medium is reached by nothing and comes with its bare name. */
	assert_int_equal(s.members, PLAIN);
	(void)sink_bytes(&s, "Medium");
	done(&m, &s);
}

static void
a_file_cut_anywhere_gives_what_is_left(void **state)
{
	struct cfb_made m = cfb_make(3, plain, PLAIN);

	(void)state;
	/* The last 120 bytes only fill up a sector. */
	for (size_t n = 0; n < m.file.len - 120; n += 61) {
		struct sink s;

		sink_init(&s);
		open_ole2((struct span){ m.file.ptr, n }, &s.peel);
		assert_true(s.notes == DAMAGED);
		assert_true(s.members <= PLAIN);
		sink_clear(&s);
	}
	buf_free(&m.file);
}

static void
the_sink_may_stop_at_any_time(void **state)
{
	struct cfb_made m = cfb_make(3, plain, PLAIN);

	(void)state;
	for (uint64_t most = 0; most < 20000; most += 777) {
		struct sink s;

		sink_init(&s);
		s.bytes_max = most;
		open_ole2(buf_view(&m.file), &s.peel);
		sink_clear(&s);
	}
	buf_free(&m.file);
}

static void
names_of_installer_tables_are_unpacked(void **state)
{
	struct cfb_item items[] = { { "AAAA", { "x", 1 } } };
	struct cfb_made m = cfb_make(3, items, 1);
	/* '!', "Pr" "op" "e": 6 bits each, the first one low. */
	static const char packed[] = "\x40\x48\x59\x45\xf2\x44\x28\x48";
	struct sink s;

	(void)state;
	memcpy(m.file.ptr + cfb_made_entry(&m, 1), packed, 8);
	open_made(&m, &s);
	assert_int_equal(s.members, 1);
	assert_string_equal(s.member[0].name, "!Prope");
	done(&m, &s);
}

static void
names_become_utf8(void **state)
{
	static const struct {
		const char *utf16, *want;
	} rows[] = {
		{ "\xd1\x1e"
		  "a\0b\0c\0",
		    "\xe1\xbb\x91"
		    "abc" },
		{ "\x3d\xd8\x00\xde"
		  "/\0b\0",
		    "\xf0\x9f\x98\x80_b" },
		{ "\x3d\xd8"
		  "a\0\x00\xde"
		  "b\0",
		    "\xef\xbf\xbd"
		    "a"
		    "\xef\xbf\xbd"
		    "b" },
		{ "\x05\0a\0b\0c\0", "_5_abc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfb_item items[] = { { "AAAA", { "x", 1 } } };
		struct cfb_made m = cfb_make(3, items, 1);
		struct sink s;

		memcpy(m.file.ptr + cfb_made_entry(&m, 1), rows[i].utf16, 8);
		open_made(&m, &s);
		assert_int_equal(s.members, 1);
		assert_string_equal(s.member[0].name, rows[i].want);
		done(&m, &s);
	}
}

static void
an_encrypted_package_is_told(void **state)
{
	static const struct cfb_item items[] = {
		{ "EncryptionInfo", { "\4\0\4\0@\0\0\0<x/>", 12 } },
		{ "EncryptedPackage", { medium, sizeof(medium) } },
	};
	struct cfb_made m = cfb_make(3, items, 2);
	struct sink s;

	(void)state;
	open_made(&m, &s);
	assert_int_equal(s.notes, ENCRYPTED);
	assert_string_equal(s.suspects.ptr, "Encrypted.Office\n");
	done(&m, &s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_come_out_with_their_paths),
		cmocka_unit_test(a_stream_in_pieces_is_put_together),
		cmocka_unit_test(broken_files_end_and_are_noted),
		cmocka_unit_test(a_tree_with_loops_gives_each_stream_once),
		cmocka_unit_test(a_file_cut_anywhere_gives_what_is_left),
		cmocka_unit_test(the_sink_may_stop_at_any_time),
		cmocka_unit_test(names_of_installer_tables_are_unpacked),
		cmocka_unit_test(names_become_utf8),
		cmocka_unit_test(an_encrypted_package_is_told),
	};

	return cmocka_run_group_tests(tests, before_all, NULL);
}
