#include "packers.h"
#include "sink.h"
#include "writing.h"

#include "formats/magic.h"
#include "formats/pack/pack.h"

#define RECORDS_AT 0x64u
#define LANGUAGES  2u
#define BYTES_AT   0x400u /* of files and names */
#define SAMPLE_MAX (1u << 20)

/* ---- up to Symbian 8 ------------------------------------------------------------ */

enum { NOTHING = 0, WIDE = 1, NOT_DEFLATED = 8 };

struct sample {
	struct buf b, bytes; /* bytes: what records lead to */
	unsigned files;
	bool epoc6, deflated;
};

static void
begin(struct sample *s, bool epoc6, unsigned options)
{
	*s = (struct sample){ .b = buf_make(SAMPLE_MAX),
		.bytes = buf_make(SAMPLE_MAX),
		.epoc6 = epoc6,
		.deflated = epoc6 && (options & NOT_DEFLATED) == 0 };
	put_le(&s->b, 0x01000000, 4);
	put_le(&s->b, epoc6 ? 0x10003a12 : 0x1000006d, 4);
	put_le(&s->b, 0x10000419, 4);
	put_until(&s->b, 18);
	put_le(&s->b, LANGUAGES, 2);
	put_until(&s->b, 36);
	put_le(&s->b, options, 2);
	put_until(&s->b, 52);
	put_le(&s->b, RECORDS_AT, 4);
	put_until(&s->b, RECORDS_AT);
}

static size_t
put_bytes(struct sample *s, struct span bytes, bool deflated)
{
	size_t at = BYTES_AT + s->bytes.len;

	if (deflated)
		pack_zlib(&s->bytes, bytes);
	else
		buf_span(&s->bytes, bytes);
	return at;
}

/* A file with the bytes of each of `n` languages. */
static void
put_file(
    struct sample *s, struct span name, const struct span *bytes, unsigned n)
{
	size_t at[LANGUAGES], end[LANGUAGES];

	put_le(&s->b, n > 1, 4);
	put_zeros(&s->b, 8);
	put_le(&s->b, 1, 4);
	put_le(&s->b, put_bytes(s, SPAN("?"), false), 4);
	put_le(&s->b, name.len, 4);
	put_le(&s->b, put_bytes(s, name, false), 4);
	for (unsigned i = 0; i < n; i++) {
		at[i] = put_bytes(s, bytes[i], s->deflated);
		end[i] = BYTES_AT + s->bytes.len;
	}
	for (unsigned i = 0; i < n; i++)
		put_le(&s->b, end[i] - at[i], 4);
	for (unsigned i = 0; i < n; i++)
		put_le(&s->b, at[i], 4);
	for (unsigned i = 0; i < n && s->epoc6; i++)
		put_le(&s->b, bytes[i].len, 4);
	if (s->epoc6)
		put_zeros(&s->b, 8);
	s->files++;
}

/* Options with a name in each language, a condition, and its end. */
static void
put_questions(struct sample *s)
{
	put_le(&s->b, 2, 4);
	put_le(&s->b, 3, 4);
	put_zeros(&s->b, 3 * 8 * LANGUAGES + 16);
	put_le(&s->b, 3, 4);
	put_le(&s->b, 20, 4);
	put_zeros(&s->b, 20);
	put_le(&s->b, 4, 4);
	put_le(&s->b, 8, 4);
	put_zeros(&s->b, 8);
	put_le(&s->b, 5, 4);
	put_le(&s->b, 6, 4);
	s->files += 5;
}

static void
end(struct sample *s)
{
	patch_le(&s->b, 20, s->files, 2);
	assert_true(s->b.len < BYTES_AT);
	put_until(&s->b, BYTES_AT);
	buf_span(&s->b, buf_view(&s->bytes));
	buf_free(&s->bytes);
	assert_int_equal(format_of(buf_view(&s->b)), FORMAT_SIS);
}

static const struct span words[] = { SPAN("the file of the first language"),
	SPAN("that of the second one, which has more words, words, words") };
static const struct span wide_name = { "!\0:\0\\\0b\0\xe9\0", 10 };
#define NAME "!:\\b\xc3\xa9"

static void
make_old(struct sample *s, bool epoc6, unsigned options)
{
	bool wide = (options & WIDE) != 0;

	begin(s, epoc6, options);
	put_file(s, SPAN("one"), words, 1);
	put_questions(s);
	put_file(s, wide ? wide_name : SPAN(NAME), words, LANGUAGES);
	end(s);
}

static void
each_file_comes_out_in_each_language(void **state)
{
	static const struct {
		bool epoc6;
		unsigned options;
	} cases[] = { { false, NOTHING }, { true, WIDE },
		{ true, WIDE | NOT_DEFLATED }, { false, WIDE } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct sink s;
		struct sample c;

		make_old(&c, cases[i].epoc6, cases[i].options);
		sink_init(&s);
		open_sis(buf_view(&c.b), &s.peel);
		assert_int_equal(s.notes, 0);
		assert_int_equal(s.members, 3);
		for (unsigned k = 0; k < 3; k++)
			assert_true(span_eq(
			    buf_view(&s.member[k].bytes), words[k == 2]));
		assert_string_equal(s.member[2].name, NAME);
		sink_clear(&s);
		buf_free(&c.b);
	}
}

/* Where a number of the first record, or of the head, is absurd. */
static void
records_that_lead_nowhere_are_damage(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} bad[] = { { 52, UINT32_MAX }, { 52, 0x10000 }, { RECORDS_AT, 7 },
		{ RECORDS_AT + 28, UINT32_MAX },
		{ RECORDS_AT + 32, UINT32_MAX },
		{ RECORDS_AT + 32, BYTES_AT + 1 } };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		static struct sink s;
		struct sample c;

		make_old(&c, true, WIDE);
		patch_le(&c.b, bad[i].at, bad[i].value, 4);
		sink_init(&s);
		open_sis(buf_view(&c.b), &s.peel);
		assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
		sink_clear(&s);
		buf_free(&c.b);
	}
}

/* A few may share their bytes; all is read a few times at most. */
static void
files_that_are_all_the_same_bytes_end(void **state)
{
	static struct sink s;
	struct sample c;

	(void)state;
	begin(&c, false, NOTHING);
	for (unsigned i = 0; i < 20; i++)
		put_file(&c, SPAN("x"), words, 1);
	end(&c);
	for (unsigned i = 0; i < 20; i++) {
		patch_le(&c.b, RECORDS_AT + 36 * i + 28, c.b.len, 4);
		patch_le(&c.b, RECORDS_AT + 36 * i + 32, 0, 4);
	}
	sink_init(&s);
	open_sis(buf_view(&c.b), &s.peel);
	assert_int_equal(s.members, 4);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&c.b);
}

/* ---- from Symbian 9 on ----------------------------------------------------------- */

/* A field around what stands behind `from`; of no type in arrays. */
static void
wrap(struct buf *b, size_t from, uint32_t type, bool is_long)
{
	struct buf body = buf_make(SAMPLE_MAX);

	buf_span(&body, span_from(buf_view(b), from));
	buf_cut(b, from);
	if (type != 0)
		put_le(b, type, 4);
	put_le(b, body.len | (is_long ? 0x80000000u : 0), 4);
	if (is_long)
		put_le(b, 0, 4);
	buf_span(b, buf_view(&body));
	put_zeros(b, (4 - body.len % 4) % 4);
	buf_free(&body);
}

static void
put_compressed(struct buf *b, struct span bytes, uint32_t method)
{
	size_t from = b->len;

	put_le(b, method, 4);
	put_le(b, bytes.len, 8);
	if (method == 1)
		pack_zlib(b, bytes);
	else
		buf_span(b, bytes);
	wrap(b, from, 3, false);
}

/* The files of one unit: an array of fields, each around compressed bytes. */
static void
put_unit(struct buf *b, uint32_t first, bool is_long)
{
	size_t unit = b->len, file;

	put_le(b, 32, 4);
	for (uint32_t i = 0; i < 2; i++) {
		file = b->len;
		put_compressed(b, words[i], i == 0 ? first : 1);
		wrap(b, file, 0, is_long);
	}
	wrap(b, unit, 2, is_long);
	wrap(b, unit, 0, is_long);
}

static struct buf
make_new(uint32_t method, bool is_long)
{
	struct buf b = buf_make(SAMPLE_MAX);
	size_t data;

	put_le(&b, 0x10201a7a, 4);
	put_zeros(&b, 12);
	put_le(&b, 0xbeef, 2);
	wrap(&b, 16, 34, false); /* a checksum */
	put_compressed(&b, SPAN("what is installed where"), 1);
	data = b.len;
	put_le(&b, 31, 4);
	put_unit(&b, method, is_long);
	put_unit(&b, 1, false);
	wrap(&b, data, 2, is_long);
	wrap(&b, data, 30, is_long);
	wrap(&b, 16, 12, is_long);
	return b;
}

static void
fields_within_fields_are_files(void **state)
{
	static struct sink s;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct buf b = make_new(i % 2, i / 2);

		assert_int_equal(format_of(buf_view(&b)), FORMAT_SIS);
		buf_text(&b, "something behind it");
		sink_init(&s);
		open_sis(buf_view(&b), &s.peel);
		assert_int_equal(s.notes, 0);
		assert_int_equal(s.members, 5);
		assert_true(span_is(
		    sink_bytes(&s, "script"), "what is installed where"));
		assert_true(span_eq(sink_bytes(&s, "file.0"), words[0]));
		assert_true(span_eq(sink_bytes(&s, "file.1"), words[1]));
		assert_true(span_eq(sink_bytes(&s, "file.3"), words[1]));
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
a_method_that_is_not_known_is_told(void **state)
{
	static struct sink s;
	struct buf b = make_new(2, false);

	(void)state;
	sink_init(&s);
	open_sis(buf_view(&b), &s.peel);
	assert_int_equal(s.notes, 1u << PEEL_UNSUPPORTED);
	assert_int_equal(s.members, 4);
	sink_clear(&s);
	buf_free(&b);
}

static void
fields_too_deep_or_too_long_are_damage(void **state)
{
	static struct sink s;
	struct buf b = buf_make(SAMPLE_MAX);

	(void)state;
	put_le(&b, 0x10201a7a, 4);
	put_zeros(&b, 12);
	for (unsigned i = 0; i < 20; i++)
		wrap(&b, 16, 12, false);
	for (unsigned i = 0; i < 2; i++) {
		sink_init(&s);
		open_sis(buf_view(&b), &s.peel);
		assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
		assert_int_equal(s.members, 0);
		sink_clear(&s);
		patch_le(&b, 20, UINT32_MAX, 4);
	}
	buf_free(&b);
}

/* ---- both ------------------------------------------------------------------------ */

static void
an_installer_torn_anywhere_gives_what_it_can(void **state)
{
	struct sample old;

	(void)state;
	make_old(&old, true, WIDE);
	for (unsigned i = 0; i < 2; i++) {
		struct buf b = i == 0 ? old.b : make_new(1, true);

		for (size_t n = 12; n < b.len; n++) {
			char *torn = malloc(n);
			static struct sink s;

			assert_non_null(torn);
			memcpy(torn, b.ptr, n);
			sink_init(&s);
			open_sis((struct span){ torn, n }, &s.peel);
			assert_true(s.members <= 5);
			sink_clear(&s);
			free(torn);
		}
		buf_free(&b);
	}
}

static void
who_wants_no_more_gets_no_more(void **state)
{
	static struct sink s;
	struct buf b = make_new(1, false);
	struct sample old;

	(void)state;
	make_old(&old, true, WIDE);
	for (unsigned i = 0; i < 2; i++) {
		sink_init(&s);
		s.bytes_max = 10;
		open_sis(buf_view(i == 0 ? &b : &old.b), &s.peel);
		assert_true(s.stopped);
		assert_int_equal(s.members, 0);
		sink_clear(&s);
	}
	buf_free(&b);
	buf_free(&old.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file_comes_out_in_each_language),
		cmocka_unit_test(records_that_lead_nowhere_are_damage),
		cmocka_unit_test(files_that_are_all_the_same_bytes_end),
		cmocka_unit_test(fields_within_fields_are_files),
		cmocka_unit_test(a_method_that_is_not_known_is_told),
		cmocka_unit_test(fields_too_deep_or_too_long_are_damage),
		cmocka_unit_test(an_installer_torn_anywhere_gives_what_it_can),
		cmocka_unit_test(who_wants_no_more_gets_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
