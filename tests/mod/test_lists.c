/* What lists show, pieces of a set, and the limits of what agents say. */

#include "agent.h"

static struct uuid
fresh(void)
{
	return uuid_make(&clock_system);
}

static json_t *
found(struct test_centre *t, struct filter f)
{
	struct http_req rq = test_request(t);
	struct errinfo ei = { 0 };
	json_t *list;

	if (f.page == 0)
		f.page = 1;
	assert_ok(detections_list(&rq, &f, &list, &ei));
	return list;
}

static int64_t
number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static const json_t *
row_of(const json_t *list, size_t i)
{
	return json_array_get(json_object_get(list, "rows"), i);
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* Two agencies, the second below the first, each with one computer. */
struct province {
	struct test_centre t;
	struct peer above, below;
};

static void
province_open(struct province *p, void **state)
{
	test_centre_open(&p->t, *state, TEST_NOW);
	(void)test_agency(&p->t, "T", "");
	(void)test_agency(&p->t, "T.1", "T");
	peer_begin(&p->above, &p->t, "T", "tinh-01");
	peer_begin(&p->below, &p->t, "T.1", "xa-01");
}

static void
province_close(struct province *p)
{
	peer_free(&p->above);
	peer_free(&p->below);
	test_centre_close(&p->t);
}

static void
detections_are_found_by_agency_state_and_text(void **state)
{
	static const struct {
		const char *agency, *state, *text;
		int64_t want;
	} cases[] = {
		{ "", "", "", 3 },
		{ "T", "", "", 3 },
		{ "T.1", "", "", 1 },
		{ "khong-co", "", "", 0 },
		{ "", "found", "", 2 },
		{ "", "quarantined", "", 1 },
		{ "", "", "EICAR", 3 },
		{ "", "", "/home/a", 3 },
		{ "", "", "XA-", 1 },
		{ "T.1", "quarantined", "", 0 },
		{ "", "", "%", 0 },
	};
	struct province p;
	struct uuid id = fresh();

	province_open(&p, state);
	peer_tell(&p.above, "", detection(&p.above, 1, id));
	peer_tell(&p.above, "", action(&p.above, 2, id, "quarantined"));
	peer_tell(&p.above, "", detection(&p.above, 3, fresh()));
	peer_tell(&p.below, "", detection(&p.below, 1, fresh()));
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *list = found(&p.t,
		    (struct filter){ .agency = span_of(cases[i].agency),
			.state = span_of(cases[i].state),
			.text = span_of(cases[i].text) });

		TEST_CASE(cases[i].text);
		assert_int_equal(number_of(list, "total"), cases[i].want);
		assert_int_equal(json_array_size(json_object_get(list, "rows")),
		    cases[i].want);
		json_decref(list);
	}
	province_close(&p);
}

static void
the_newest_detection_comes_first_with_what_may_be_done(void **state)
{
	struct province p;
	struct uuid old = fresh(), new = fresh();
	struct errinfo ei = { 0 };
	json_t *list;

	province_open(&p, state);
	peer_tell(&p.above, "", detection(&p.above, 1, old));
	p.t.clock.set_utc_ms += 60000;
	peer_tell(&p.below, "", detection(&p.below, 1, new));
	peer_tell(&p.below, "", action(&p.below, 2, new, "quarantined"));
	list = found(&p.t, (struct filter){ .page = 1 });
	assert_string_equal(text_of(row_of(list, 0), "host"), "xa-01");
	assert_string_equal(text_of(row_of(list, 0), "agency_code"), "T.1");
	assert_true(json_is_true(json_object_get(row_of(list, 0), "can_act")));
	assert_string_equal(text_of(row_of(list, 1), "host"), "tinh-01");
	assert_false(json_is_true(json_object_get(row_of(list, 1), "can_act")));
	json_decref(list);
	assert_ok(command_for_detection(
	    &p.t.c, "restore", p.below.agent.agency, new, &org_system, &ei));
	list = found(&p.t, (struct filter){ .page = 1 });
	assert_string_equal(text_of(row_of(list, 0), "waiting"), "restore");
	assert_false(json_is_true(json_object_get(row_of(list, 0), "can_act")));
	json_decref(list);
	province_close(&p);
}

static void
pages_of_a_list_neither_lose_nor_repeat_a_row(void **state)
{
	struct province p;
	struct buf records = buf_make(1u << 20);
	bool seen[PAGE_ROWS + 1] = { false };
	int rows = 0;

	province_open(&p, state);
	for (int i = 0; i < PAGE_ROWS + 1; i++) {
		struct uuid id = { { 9 } };

		id.b[15] = (unsigned char)i; /* all at the same instant */
		buf_fmt(&records, "%s%s", i > 0 ? "," : "",
		    detection(&p.above, i + 1, id));
	}
	peer_tell(&p.above, "", records.ptr);
	for (int64_t page = 1; page <= 3; page++) {
		json_t *list = found(&p.t, (struct filter){ .page = page });
		size_t n = json_array_size(json_object_get(list, "rows"));

		assert_int_equal(number_of(list, "total"), PAGE_ROWS + 1);
		assert_int_equal(number_of(list, "pages"), 2);
		for (size_t i = 0; i < n; i++, rows++) {
			struct uuid id;

			assert_int_equal(
			    uuid_parse(
				span_of(text_of(row_of(list, i), "id")), &id),
			    OK);
			assert_false(seen[id.b[15]]);
			seen[id.b[15]] = true;
		}
		json_decref(list);
	}
	assert_int_equal(rows, PAGE_ROWS + 1);
	buf_free(&records);
	province_close(&p);
}

/* A list names an agency as it is called today, though it was renamed. */
static void
an_agency_bears_the_name_of_today(void **state)
{
	struct org_agency_row row = { .code = SPAN("T.1"),
		.name = SPAN("Xã mới"),
		.parent = SPAN("T"),
		.kind = SPAN(""),
		.from = SPAN(TEST_DAY),
		.to = SPAN("") };
	struct org_import got;
	struct province p;
	struct errinfo ei = { 0 };
	json_t *list;

	province_open(&p, state);
	peer_tell(&p.below, "", detection(&p.below, 1, fresh()));
	assert_ok(org_agency_import(p.t.c.store, p.t.c.clock, p.t.arena, &row,
	    1, &org_system, &got, &ei));
	list = found(&p.t, (struct filter){ .page = 1 });
	assert_string_equal(text_of(row_of(list, 0), "agency_name"), "Xã mới");
	json_decref(list);
	p.t.clock.set_utc_ms -= DAY_MS;
	list = found(&p.t, (struct filter){ .page = 1 });
	assert_string_equal(text_of(row_of(list, 0), "agency_name"), "T.1");
	json_decref(list);
	province_close(&p);
}

/* ---- sets ---- */

static void
a_set_is_handed_out_in_pieces_once_it_was_published(void **state)
{
	static const struct {
		int64_t version, offset, length;
		enum err want;
		const char *bytes;
	} cases[] = {
		{ 1, 0, 100, OK, "0123456789" },
		{ 1, 4, 3, OK, "456" },
		{ 1, 10, 5, OK, "" },
		{ 1, INT64_C(1) << 40, 5, OK, "" },
		{ 1, 0, 0, ERR_LIMIT, "" },
		{ 1, 0, (1 << 20) + 1, ERR_LIMIT, "" },
		{ 2, 0, 1, ERR_NOT_FOUND, "" }, /* it lies there, unsigned */
		{ INT64_MAX, 0, 1, ERR_NOT_FOUND, "" },
	};
	struct test_centre t;
	struct errinfo ei = { 0 };

	test_centre_open(&t, *state, TEST_NOW);
	for (int i = 1; i <= 2; i++) {
		FILE *f =
		    fopen(arena_fmt(t.arena, "%s/sets/%d.kdb", t.dir, i), "w");

		assert_non_null(f);
		(void)fputs("0123456789", f);
		(void)fclose(f);
	}
	assert_ok(protection_set_publish(&t.c, 1, &org_system, &ei));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = buf_make(1u << 20);

		assert_err(set_piece(&t.c, cases[i].version, cases[i].offset,
			       cases[i].length, &out, &ei),
		    cases[i].want);
		assert_true(span_is(buf_view(&out), cases[i].bytes));
		buf_free(&out);
	}
	test_centre_close(&t);
}

/* ---- inventory ---- */

static void
an_inventory_out_of_its_limits_is_refused_by_field(void **state)
{
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "{}", "" },
		{ "{\"kind\":\"server\",\"memory_mb\":0}", "" },
		{ "{\"kind\":\"phone\"}", "kind" },
		{ "{\"host\":7}", "host" },
		{ "{\"arch\":\"0123456789012345678901234567890123\"}", "arch" },
		{ "{\"memory_mb\":-1}", "memory_mb" },
		{ "{\"disk_mb\":\"much\"}", "disk_mb" },
		{ "{\"disk_mb\":1.5}", "disk_mb" },
		{ "{\"addresses\":\"192.0.2.1\"}", "addresses" },
		{ "{\"macs\":[7]}", "macs" },
		{ "{\"macs\":[null]}", "macs" },
	};
	struct arena *a = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };
		struct inventory v;
		json_t *o = NULL;

		TEST_CASE(cases[i].json);
		assert_ok(json_parse(span_of(cases[i].json), &o, &ei));
		assert_int_equal(inventory_parse(o, a, &v, &ei) == OK,
		    cases[i].field[0] == '\0');
		assert_string_equal(ei.field, cases[i].field);
		json_decref(o);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detections_are_found_by_agency_state_and_text),
		cmocka_unit_test(
		    the_newest_detection_comes_first_with_what_may_be_done),
		cmocka_unit_test(pages_of_a_list_neither_lose_nor_repeat_a_row),
		cmocka_unit_test(an_agency_bears_the_name_of_today),
		cmocka_unit_test(
		    a_set_is_handed_out_in_pieces_once_it_was_published),
		cmocka_unit_test(
		    an_inventory_out_of_its_limits_is_refused_by_field),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
