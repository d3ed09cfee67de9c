/* Arenas and buffers: ceilings that hold, alignment, all or nothing. */

#include "testing.h"

#include "base/arena.h"
#include "base/buf.h"

static void
an_arena_keeps_to_its_ceiling(void **state)
{
	struct arena *a = arena_new(1000);

	(void)state;
	assert_non_null(arena_alloc(a, 1, 600));
	assert_null(arena_alloc(a, 1, 600));
	assert_non_null(arena_alloc(a, 1, 200));
	assert_null(arena_alloc(a, SIZE_MAX / 2, 3)); /* it would wrap */
	assert_null(arena_alloc(a, SIZE_MAX, 1));
	arena_clear(a);
	assert_non_null(arena_alloc(a, 1, 600));
	arena_free(a);
	arena_free(NULL);
}

static void
an_arena_hands_out_zeroed_aligned_memory_once(void **state)
{
	struct arena *a = arena_new(1u << 20);
	unsigned char *p[200];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < COUNT(p); i++) {
			p[i] = arena_alloc(a, 1, i + 1);
			assert_non_null(p[i]);
			assert_int_equal(
			    (uintptr_t)p[i] % _Alignof(max_align_t), 0);
			for (size_t k = 0; k <= i; k++)
				assert_int_equal(p[i][k], 0);
			memset(p[i], (int)i + 1, i + 1);
		}
		for (size_t i = 0; i < COUNT(p); i++) /* none overlaps */
			for (size_t k = 0; k <= i; k++)
				assert_int_equal(p[i][k], i + 1);
		arena_clear(a);
	}
	arena_free(a);
}

static void
an_arena_copies_text(void **state)
{
	struct arena *a = arena_new(4096);
	char bytes[] = "abc";
	struct span s = arena_span(a, (struct span){ bytes, 2 });
	char *text = arena_text(a, (struct span){ bytes, 3 });
	char *line = arena_fmt(a, "%s-%d", "x", 7);

	(void)state;
	memset(bytes, 'z', 3);
	assert_true(span_is(s, "ab"));
	assert_string_equal(text, "abc");
	assert_string_equal(line, "x-7");
	assert_string_equal(arena_text(a, (struct span){ NULL, 0 }), "");
	assert_null(arena_fmt(a, "%5000s", "x"));
	assert_null(arena_text(a, (struct span){ bytes, SIZE_MAX }));
	arena_free(a);
}

static void
a_buffer_takes_all_of_an_append_or_nothing_more(void **state)
{
	struct buf b = buf_make(10);
	struct errinfo ei = { 0 };

	(void)state;
	buf_text(&b, "12345");
	assert_ok(buf_check(&b, &ei));
	buf_text(&b, "67890");
	assert_ok(buf_check(&b, &ei));
	assert_int_equal(b.len, 10);
	buf_char(&b, 'x');
	assert_err(buf_check(&b, &ei), ERR_LIMIT);
	assert_true(span_is(buf_view(&b), "1234567890"));
	assert_string_equal(b.ptr, "1234567890");
	buf_cut(&b, 3);
	assert_ok(buf_check(&b, &ei));
	buf_fmt(&b, "%d", 456);
	assert_string_equal(b.ptr, "123456");
	buf_clear(&b);
	assert_int_equal(buf_view(&b).len, 0);
	buf_free(&b);
}

static void
a_full_buffer_stays_full(void **state)
{
	struct buf b = buf_make(4);
	struct errinfo ei = { 0 };

	(void)state;
	buf_text(&b, "abcde");
	buf_char(&b, 'x'); /* it would fit, but something before is missing */
	assert_int_equal(b.len, 0);
	assert_err(buf_check(&b, &ei), ERR_LIMIT);
	buf_add(&b, "abc", SIZE_MAX);
	assert_err(buf_check(&b, &ei), ERR_LIMIT);
	buf_free(&b);
}

static void
a_buffer_grows_and_formats_long_text(void **state)
{
	struct buf b = buf_make(1u << 20);
	struct errinfo ei = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_fmt(&b, "%09d\n", i);
	assert_ok(buf_check(&b, &ei));
	assert_int_equal(b.len, 100000);
	assert_memory_equal(b.ptr + 99990, "000009999\n", 10);
	buf_fmt(&b, "%0200000d", 1);
	assert_int_equal(b.len, 300000);
	assert_int_equal(b.ptr[299999], '1');
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arena_keeps_to_its_ceiling),
		cmocka_unit_test(an_arena_hands_out_zeroed_aligned_memory_once),
		cmocka_unit_test(an_arena_copies_text),
		cmocka_unit_test(
		    a_buffer_takes_all_of_an_append_or_nothing_more),
		cmocka_unit_test(a_full_buffer_stays_full),
		cmocka_unit_test(a_buffer_grows_and_formats_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
