#include "testing.h"

#include "scan/object/type.h"

#define LONGEST 10000u

/* As type.h says it, a character at a time. */
static size_t
slowly(const char *in, size_t n, char *out)
{
	size_t put = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c >= '\t' && c <= '\r')
			c = ' ';
		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		if (c < ' ' || c > 0x7f ||
		    (c == ' ' && put > 0 && out[put - 1] == ' '))
			continue;
		out[put++] = (char)c;
	}
	return put;
}

static uint32_t
draw(uint32_t below)
{
	static uint32_t state = 1670;

	state = state * 1664525 + 1013904223;
	return (state >> 16) % below;
}

/* Of these kinds of characters each is a half as frequent as the one before. */
static char
character(void)
{
	static const char *const kinds[] = { "abcxyz", " ", "AZ@[`{",
		"\n\t\v\r", "\x80\xff\xc1", "\x01\x08\x0e\x1f\x7f" };
	size_t k = 0;

	while (k < 5 && draw(2) == 0)
		k++;
	return kinds[k][draw((uint32_t)strlen(kinds[k]))];
}

static void
many_bytes_at_once_are_as_one_by_one(void **state)
{
	static char in[LONGEST], want[LONGEST];
	struct buf out = buf_make(LONGEST);

	(void)state;
	for (size_t n = 0; n <= LONGEST; n += n < 200 ? 1 : 1633) {
		size_t put;

		for (size_t i = 0; i < n; i++)
			in[i] = character();
		put = slowly(in, n, want);
		buf_clear(&out);
		text_normalise((struct span){ in, n }, &out);
		assert_int_equal(out.len, put);
		if (put > 0)
			assert_memory_equal(out.ptr, want, put);
	}
	buf_free(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_bytes_at_once_are_as_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
