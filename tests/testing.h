#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

/* What every unit test includes: cmocka and a few asserts that show the
 * errinfo of a call that failed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Name the row of a table of cases: shown when an assertion fails in it. */
#define TEST_CASE(name) print_message("# case: %s\n", (name))

#define assert_ok(expr)                                                        \
	do {                                                                   \
		struct errinfo *test_ei = &ei;                                 \
		enum err test_e;                                               \
		test_ei->msg[0] = '\0';                                        \
		test_e = (expr);                                               \
		if (test_e != OK)                                              \
			fail_msg("%s: %s: %s", #expr, err_name(test_e),        \
			    test_ei->msg);                                     \
	} while (0) /* the test has a local `struct errinfo ei` */

#define assert_err(expr, code)                                                 \
	do {                                                                   \
		enum err test_e = (expr);                                      \
		if (test_e != (code))                                          \
			fail_msg("%s: got %s, want %s", #expr,                 \
			    err_name(test_e), err_name(code));                 \
	} while (0)

#endif
