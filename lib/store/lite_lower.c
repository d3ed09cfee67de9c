/* lower() for SQLite, whose own knows ASCII alone: who searches for "đ" means
 * "Đ" as well.  PostgreSQL does this by itself. */

#include <locale.h>
#include <pthread.h>
#include <sqlite3.h>
#include <wctype.h>

#include "store/store_int.h"

static locale_t letters; /* made once, kept */

static void
make_letters(void)
{
	letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* The character of n bytes at p, which is well-formed. */
static wint_t
decode(const char *p, size_t n)
{
	static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	wint_t c = (unsigned char)p[0] & mask[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static void
lower(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct span s = { (const char *)sqlite3_value_text(values[0]),
		(size_t)sqlite3_value_bytes(values[0]) };
	struct buf out = buf_make(2 * s.len + 1); /* few grow, by a byte */

	(void)count;
	if (s.ptr == NULL) {
		sqlite3_result_null(context);
		return;
	}
	while (s.len > 0) {
		char c = s.ptr[0];
		size_t n = 1;

		if ((unsigned char)c >= 0x80)
			n = span_utf8_step(s);
		else if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if (n > 1)
			buf_utf8(&out, towlower_l(decode(s.ptr, n), letters));
		else
			buf_char(&out, c);
		s = span_from(s, n == 0 ? 1 : n);
	}
	if (out.full)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_text(context, out.len == 0 ? "" : out.ptr,
		    (int)out.len, SQLITE_TRANSIENT);
	buf_free(&out);
}

int
lite_add_lower(sqlite3 *db)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_letters);
	if (letters == (locale_t)0)
		return SQLITE_OK; /* SQLite's own has to do */
	return sqlite3_create_function(db, "lower", 1,
	    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL, lower,
	    NULL, NULL);
}
