#include "testing.h"

#include "formats/format.h"

static void
a_format_has_one_name_with_and_without_clamavs_prefix(void **state)
{
	(void)state;
	for (unsigned f = 0; f < FORMATS; f++) {
		struct span name = span_of(format_name((enum format)f));

		assert_int_equal(format_of_name(name), f);
	}
	assert_int_equal(format_of_name(SPAN("CL_TYPE_MSEXE")), FORMAT_MSEXE);
	assert_int_equal(format_of_name(SPAN("CL_TYPE_")), FORMATS);
	assert_int_equal(format_of_name(SPAN("")), FORMATS);
	assert_string_equal(format_name(FORMATS), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_format_has_one_name_with_and_without_clamavs_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
