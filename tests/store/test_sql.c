#include "things.h"

/* Every test runs the same statements on each engine and wants the same. */

static const struct uuid agency = { { 0, 1, 2, 0xff, 0, 5 } };

/* Runs fn as a change of a fresh store. */
static void
in_write(void **state, store_fn *fn, void *arg)
{
	struct store *st = open_things(*state);
	struct errinfo ei = { 0 };

	assert_ok(store_write(st, fn, arg, &ei));
	store_close(st);
}

/* ---- values -------------------------------------------------------------- */

static enum err
insert_and_read(struct sql *q, void *arg, struct errinfo *ei)
{
	struct arena *a = arena_new(1 << 16);
	struct sql_rows r;
	struct span bytes;
	bool more = false;

	(void)arg;
	WANT_OK(sql_exec(q, NULL, ei,
	    "INSERT INTO things (agency_id, id, number, name, bytes, more,"
	    " at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	    SQL_UUID(agency), SQL_UUID(agency), SQL_INT(INT64_MIN),
	    SQL_STR("Thị xã Sơn Tây"), SQL_BLOB(SPAN("a\0b\xff")), SQL_NULL,
	    SQL_INT(INT64_MAX)));
	WANT_OK(sql_query(q, &r, ei,
	    "SELECT id, number, name, bytes, more, at_ms, flag FROM things"
	    " WHERE agency_id = ?1 AND id = ?2 AND name = ?3",
	    SQL_UUID(agency), SQL_UUID(agency), SQL_STR("Thị xã Sơn Tây")));
	WANT_OK(sql_next(&r, &more, ei));
	WANT(more);
	WANT(uuid_eq(sql_uuid(&r, 0), agency));
	WANT(sql_int(&r, 1) == INT64_MIN);
	WANT(strcmp(sql_text(&r, 1, a), "-9223372036854775808") == 0);
	WANT(strcmp(sql_text(&r, 2, a), "Thị xã Sơn Tây") == 0);
	WANT(sql_int(&r, 2) == 0);
	bytes = sql_bytes(&r, 3, a);
	WANT(span_eq(bytes, SPAN("a\0b\xff")));
	WANT(bytes.ptr[4] == '\0');
	WANT(sql_is_null(&r, 4));
	WANT(strcmp(sql_text(&r, 4, a), "") == 0);
	WANT(sql_int(&r, 4) == 0);
	WANT(uuid_none(sql_uuid(&r, 4)));
	WANT(sql_int(&r, 5) == INT64_MAX);
	WANT(!sql_is_null(&r, 6));
	WANT(sql_int(&r, 6) == 0);
	WANT_OK(sql_next(&r, &more, ei));
	WANT(!more);
	WANT_OK(sql_next(&r, &more, ei)); /* stays at the end */
	WANT(!more);
	sql_end(&r);
	sql_end(&r);
	arena_free(a);
	return OK;
}

static void
values_come_back_as_they_were_stored(void **state)
{
	in_write(state, insert_and_read, NULL);
}

static enum err
read_computed(struct sql *q, void *arg, struct errinfo *ei)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "SELECT 7", 7 },
		{ "SELECT count(*) FROM places", 0 },
		{ "SELECT coalesce(sum(n), 0) FROM places", 0 },
		{ "SELECT sum(x) FROM (SELECT 3 AS x UNION SELECT 4) t", 7 },
		{ "SELECT avg(x) FROM (SELECT 1 AS x UNION SELECT 2) t", 1 },
		{ "SELECT 1 < 2", 1 },
		{ "SELECT EXISTS (SELECT 1 FROM places)", 0 },
		{ "SELECT '-12'", -12 },
		{ "SELECT '12 boxes'", 12 },
		{ "SELECT 'x?1' || '?'", 0 },
		{ "SELECT 7 / 2 -- what is ?1\n", 3 },
		{ "SELECT 'a' LIKE 'A'", 0 },
		{ "SELECT NULL", 0 },
	};

	(void)arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t n = 99;

		WANT_OK(sql_get_int(q, &n, ei, cases[i].text));
		WANT(n == cases[i].want);
	}
	return OK;
}

static void
computed_columns_read_the_same(void **state)
{
	in_write(state, read_computed, NULL);
}

static enum err
refuse_text(struct sql *q, void *arg, struct errinfo *ei)
{
	static const struct {
		struct span text;
		enum err want;
	} cases[] = {
		{ { "", 0 }, OK },
		{ { NULL, 0 }, OK },
		{ { "\xe1\xba\xa1n", 4 }, OK },
		{ { "a\0b", 3 }, ERR_SYNTAX },
		{ { "\0", 1 }, ERR_SYNTAX },
		{ { "\xff", 1 }, ERR_SYNTAX },
		{ { "\xc0\x80", 2 }, ERR_SYNTAX },
		{ { "\xed\xa0\x80", 3 }, ERR_SYNTAX },
		{ { "\xe1\xba", 2 }, ERR_SYNTAX },
	};
	int64_t n = 0;

	(void)arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct uuid id = uuid_make(&clock_system);

		WANT(sql_exec(q, NULL, ei,
			 "INSERT INTO things (agency_id, id, name)"
			 " VALUES (?1, ?2, ?3)",
			 SQL_UUID(agency), SQL_UUID(id),
			 SQL_TEXT(cases[i].text)) == cases[i].want);
	}
	/* What was refused never reached the engine, so work goes on. */
	WANT_OK(sql_get_int(q, &n, ei,
	    "SELECT count(*) FROM things WHERE agency_id = ?1 AND name = ?2",
	    SQL_UUID(agency), SQL_STR("")));
	WANT(n == 2); /* empty is not NULL */
	return OK;
}

static void
text_that_is_not_utf8_is_refused(void **state)
{
	in_write(state, refuse_text, NULL);
}

static enum err
store_large(struct sql *q, void *arg, struct errinfo *ei)
{
	size_t n = SQL_VALUE_MAX / 8;
	char *big = calloc(1, SQL_VALUE_MAX + 1);
	struct arena *a = arena_new(2 * n), *small = arena_new(100);
	struct sql_rows r;
	struct span back;
	bool more = false;

	(void)arg;
	WANT(big);
	memset(big, 0xa5, n);
	WANT_OK(sql_exec(q, NULL, ei,
	    "INSERT INTO things (agency_id, id, bytes) VALUES (?1, ?1, ?2)",
	    SQL_UUID(agency), SQL_BLOB(((struct span){ big, n }))));
	WANT_OK(sql_query(q, &r, ei,
	    "SELECT bytes FROM things WHERE agency_id = ?1", SQL_UUID(agency)));
	WANT_OK(sql_next(&r, &more, ei));
	back = sql_bytes(&r, 0, a);
	WANT(span_eq(back, (struct span){ big, n }));
	WANT(NULL == sql_bytes(&r, 0, small).ptr);
	WANT(NULL == sql_text(&r, 0, small));
	sql_end(&r);
	WANT(sql_exec(q, NULL, ei, "UPDATE things SET bytes = ?1",
		 SQL_BLOB(((struct span){ big, SQL_VALUE_MAX + 1 }))) ==
	    ERR_LIMIT);
	arena_free(a);
	arena_free(small);
	free(big);
	return OK;
}

static void
large_values_have_one_limit(void **state)
{
	in_write(state, store_large, NULL);
}

static enum err
use_null(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t n = 0;

	(void)arg;
	/* The same statement, once with a value and once with none. */
	for (int i = 0; i < 2; i++) {
		struct uuid id = uuid_make(&clock_system);

		WANT_OK(sql_exec(q, NULL, ei,
		    "INSERT INTO things (agency_id, id, number, bytes)"
		    " VALUES (?1, ?2, ?3, ?4)",
		    SQL_UUID(agency), SQL_UUID(id), i ? SQL_INT(5) : SQL_NULL,
		    i ? SQL_BLOB(SPAN("x")) : SQL_NULL));
	}
	WANT_OK(sql_get_int(q, &n, ei,
	    "SELECT count(*) FROM things"
	    " WHERE number IS NULL AND bytes IS NULL"));
	WANT(n == 1);
	return OK;
}

static void
a_parameter_may_be_null(void **state)
{
	in_write(state, use_null, NULL);
}

/* ---- order --------------------------------------------------------------- */

static enum err
read_sorted(struct sql *q, void *arg, struct errinfo *ei)
{
	static const char *const sorted[] = { "", "A", "B", "a", "b", "Đ",
		"ạ" };
	struct arena *a = arena_new(4096);
	struct sql_rows r;
	bool more = false;
	size_t i = 0;

	(void)arg;
	for (size_t n = COUNT(sorted); n-- > 0;) {
		struct place p = { .name = sorted[n] };

		WANT_OK(add_place(q, &p, ei));
	}
	WANT_OK(sql_query(q, &r, ei, "SELECT name FROM places ORDER BY name"));
	for (; sql_next(&r, &more, ei) == OK && more; i++)
		WANT(strcmp(sql_text(&r, 0, a), sorted[i]) == 0);
	WANT(i == COUNT(sorted));
	arena_free(a);
	return OK;
}

static void
text_sorts_by_its_bytes(void **state)
{
	in_write(state, read_sorted, NULL);
}

/* ---- statements ---------------------------------------------------------- */

static enum err
count_changes(struct sql *q, void *arg, struct errinfo *ei)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "INSERT INTO places (name, n) VALUES ('a', 1), ('b', 1)", 2 },
		{ "SELECT n FROM places", 0 },
		{ "UPDATE places SET n = 1", 2 },
		{ "UPDATE places SET n = 2 WHERE name = 'c'", 0 },
		{ "INSERT INTO places (name, n) VALUES ('a', 1)"
		  " ON CONFLICT DO NOTHING",
		    0 },
		{ "INSERT INTO places (name, n) VALUES ('a', 7)"
		  " ON CONFLICT (name) DO UPDATE SET n = excluded.n",
		    1 },
		{ "INSERT INTO places (name, n) VALUES ('c', 7) RETURNING n",
		    1 },
		{ "CREATE TABLE other (x INTEGER)", 0 },
		{ "DELETE FROM places", 3 },
		{ "DELETE FROM places", 0 },
	};

	(void)arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t changed = 99;

		WANT_OK(sql_exec(q, &changed, ei, cases[i].text));
		WANT(changed == cases[i].want);
	}
	return OK;
}

static void
changed_rows_are_counted(void **state)
{
	in_write(state, count_changes, NULL);
}

static enum err
read_nested(struct sql *q, void *arg, struct errinfo *ei)
{
	static const char text[] =
	    "SELECT n FROM places WHERE n > ?1 ORDER BY n";
	struct sql_rows outer, inner;
	bool more = false, again = false;
	int64_t sum = 0, n = 0;

	(void)arg;
	WANT_OK(sql_exec(q, NULL, ei,
	    "INSERT INTO places (name, n) VALUES ('a', 1), ('b', 2), ('c', "
	    "3)"));
	WANT_OK(sql_query(q, &outer, ei, text, SQL_INT(0)));
	while (sql_next(&outer, &more, ei) == OK && more) {
		WANT_OK(sql_query(
		    q, &inner, ei, text, SQL_INT(sql_int(&outer, 0))));
		while (sql_next(&inner, &again, ei) == OK && again)
			sum += sql_int(&inner, 0);
	}
	WANT(sum == 2 + 3 + 3);
	/* Left open on purpose: ends with the fn. */
	WANT_OK(sql_query(q, &outer, ei, text, SQL_INT(0)));
	WANT_OK(sql_query(q, &inner, ei, text, SQL_INT(0)));
	WANT_OK(sql_next(&outer, &more, ei));
	WANT(sql_get_int(q, &n, ei,
		 "SELECT n FROM places WHERE name = 'none'") == ERR_NOT_FOUND);
	return OK;
}

static void
rows_of_one_statement_are_read_at_two_places(void **state)
{
	in_write(state, read_nested, NULL);
}

static enum err
run_many(struct sql *q, void *arg, struct errinfo *ei)
{
	(void)arg;
	/* Twice the cache: what was evicted is prepared again. */
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 1200; i++) {
			char text[64];
			int64_t n = 0;

			(void)snprintf(text, sizeof(text), "SELECT ?1 + %d", i);
			WANT_OK(sql_get_int(q, &n, ei, text, SQL_INT(1)));
			WANT(n == i + 1);
		}
	return OK;
}

static void
more_statements_than_the_cache_holds_are_fine(void **state)
{
	in_write(state, run_many, NULL);
}

/* ---- mistakes ------------------------------------------------------------ */

struct mistake {
	const char *text;
	enum err want;
};

static enum err
make_mistake(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct mistake *m = arg;
	int64_t n = 0;
	enum err e = sql_exec(q, NULL, ei, m->text);

	WANT(e == m->want);
	WANT(ei->msg[0] != '\0');
	/* PostgreSQL takes nothing more, and so nor does SQLite. */
	WANT(sql_get_int(q, &n, ei, "SELECT 1") == m->want);
	return OK; /* the store remembers */
}

static void
a_failed_statement_ends_its_transaction(void **state)
{
	static const struct mistake cases[] = {
		{ "INSERT INTO places (name, n) VALUES ('a', 2)", ERR_EXISTS },
		{ "INSERT INTO places (name, n, within) VALUES ('b', 2, 'z')",
		    ERR_EXISTS },
		{ "DELETE FROM places WHERE name = 'a'", ERR_EXISTS },
		{ "INSERT INTO places (name, n) VALUES ('b', NULL)",
		    ERR_SYNTAX },
		{ "INSERT INTO things (agency_id, id, flag)"
		  " VALUES ('a', 'b', 2)",
		    ERR_SYNTAX },
		{ "INSERT INTO places (name, n) VALUES ('b', 'many')",
		    ERR_SYNTAX },
		{ "SELECT nothing FROM nowhere", ERR_SYNTAX },
		{ "SELEC 1", ERR_SYNTAX },
	};
	struct store *st = open_things(*state);
	struct place a = { .name = "a" }, in = { .name = "in", .within = "a" };
	struct errinfo ei = { 0 };

	assert_ok(store_write(st, add_place, &a, &ei));
	assert_ok(store_write(st, add_place, &in, &ei));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mistake m = cases[i];

		TEST_CASE(m.text);
		assert_err(store_write(st, make_mistake, &m, &ei), m.want);
	}
	assert_int_equal(places(st), 2);
	store_close(st);
}

static enum err
misuse(struct sql *q, void *arg, struct errinfo *ei)
{
	int64_t n = 0;

	(void)arg;
	return sql_get_int(q, &n, ei, "SELECT ?1 + ?2", SQL_INT(1));
}

static enum err
run_two(struct sql *q, void *arg, struct errinfo *ei)
{
	(void)arg;
	return sql_exec(q, NULL, ei, "DELETE FROM places; DELETE FROM things");
}

static enum err
too_many(struct sql *q, void *arg, struct errinfo *ei)
{
	struct sql_arg args[SQL_ARGS_MAX + 2];

	(void)arg;
	for (size_t i = 0; i <= SQL_ARGS_MAX; i++)
		args[i] = SQL_INT(1);
	args[SQL_ARGS_MAX + 1] = (struct sql_arg){ .kind = SQL_A_END };
	return sql_exec_args(q, NULL, ei, "SELECT 1", args);
}

static void
wrong_numbers_of_things_are_refused(void **state)
{
	static const struct {
		store_fn *fn;
		enum err want;
	} cases[] = {
		{ misuse, ERR_SYNTAX },
		{ run_two, ERR_SYNTAX },
		{ too_many, ERR_LIMIT },
	};
	struct store *st = open_things(*state);

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_err(
		    store_write(st, cases[i].fn, NULL, NULL), cases[i].want);
	store_close(st);
}

static void
a_reader_may_not_write(void **state)
{
	struct store *st = open_things(*state);
	struct place p = { .name = "a" };
	struct errinfo ei = { 0 };

	assert_err(store_read(st, add_place, &p, &ei), ERR_DENIED);
	assert_int_equal(places(st), 0);
	store_close(st);
}

/* ---- letters --------------------------------------------------------------- */

static enum err
lower_letters(struct sql *q, void *arg, struct errinfo *ei)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "ABC-xyz 09 [@]", "abc-xyz 09 [@]" },
		{ "SỞ ĐỊA CHÍNH", "sở địa chính" },
		{ "Ưu Ớt ĂẮẰẲẴẶ Ỹ", "ưu ớt ăắằẳẵặ ỹ" },
		{ "\xf0\x9f\x9b\xa1 \xe2\x82\xac",
		    "\xf0\x9f\x9b\xa1 \xe2\x82\xac" },
	};

	(void)arg;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t same = 0;

		WANT_OK(sql_get_int(q, &same, ei,
		    "SELECT count(*) FROM places WHERE lower(?1) = ?2"
		    " OR name = ''",
		    SQL_STR(cases[i].text), SQL_STR(cases[i].want)));
		if (same != 1)
			return err_set(
			    ei, ERR_UNSUPPORTED, "lower(%s)", cases[i].text);
	}
	return OK;
}

static enum err
one_place_and_letters(struct sql *q, void *arg, struct errinfo *ei)
{
	struct place p = { .name = "a place" };

	WANT_OK(add_place(q, &p, ei));
	return lower_letters(q, arg, ei);
}

static void
letters_of_vietnamese_have_their_small_ones(void **state)
{
	in_write(state, one_place_and_letters, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_of_vietnamese_have_their_small_ones),
		cmocka_unit_test(values_come_back_as_they_were_stored),
		cmocka_unit_test(computed_columns_read_the_same),
		cmocka_unit_test(text_that_is_not_utf8_is_refused),
		cmocka_unit_test(large_values_have_one_limit),
		cmocka_unit_test(a_parameter_may_be_null),
		cmocka_unit_test(text_sorts_by_its_bytes),
		cmocka_unit_test(changed_rows_are_counted),
		cmocka_unit_test(rows_of_one_statement_are_read_at_two_places),
		cmocka_unit_test(more_statements_than_the_cache_holds_are_fine),
		cmocka_unit_test(a_failed_statement_ends_its_transaction),
		cmocka_unit_test(wrong_numbers_of_things_are_refused),
		cmocka_unit_test(a_reader_may_not_write),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
