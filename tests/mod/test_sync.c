/* What agents report: stored once, about themselves alone. */

#include "agent.h"

#define COUNT_OF(t, table)                                                     \
	test_number((t).c.store, "SELECT count(*) FROM " table)

static struct uuid
fresh(void)
{
	return uuid_make(&clock_system);
}

static void
begin(struct test_centre *t, void **state, struct peer *p)
{
	test_centre_open(t, *state, TEST_NOW);
	(void)test_agency(t, "T", "");
	peer_begin(p, t, "T", "may");
}

static void
end(struct test_centre *t, struct peer *p)
{
	peer_free(p);
	test_centre_close(t);
}

/* ---- once ---- */

static void
a_record_sent_again_is_stored_once(void **state)
{
	struct test_centre t;
	struct peer p;
	const char *both;

	begin(&t, state, &p);
	both = arena_fmt(t.arena, "%s,%s", detection(&p, 1, fresh()),
	    "{\"number\":2,\"kind\":\"gap\",\"body\":{\"from\":2,\"to\":2}}");
	for (int i = 0; i < 3; i++) {
		peer_tell(&p, "", both);
		assert_int_equal(peer_ack(&p), 2);
	}
	assert_int_equal(COUNT_OF(t, "detections"), 1);
	assert_int_equal(COUNT_OF(t, "agent_events WHERE kind = 'gap'"), 1);
	end(&t, &p);
}

static void
an_overlap_stores_only_what_is_new(void **state)
{
	struct test_centre t;
	struct peer p;
	const char *one, *two, *three;

	begin(&t, state, &p);
	one = detection(&p, 1, fresh());
	two = detection(&p, 2, fresh());
	three = detection(&p, 9, fresh());
	peer_tell(&p, "", arena_fmt(t.arena, "%s,%s", one, two));
	peer_tell(&p, "", arena_fmt(t.arena, "%s,%s", two, three));
	assert_int_equal(peer_ack(&p), 9);
	assert_int_equal(COUNT_OF(t, "detections"), 3);
	end(&t, &p);
}

static void
a_new_spool_counts_from_one_again(void **state)
{
	struct test_centre t;
	struct peer p;
	struct uuid same = fresh();

	begin(&t, state, &p);
	peer_tell(&p, "", detection(&p, 7, same));
	p.spool = fresh();
	peer_tell(&p, "", "");
	assert_int_equal(peer_ack(&p), 0);
	/* the first is the old one under a new number, told again */
	peer_tell(&p, "",
	    arena_fmt(t.arena, "%s,%s", detection(&p, 1, same),
		detection(&p, 2, fresh())));
	assert_int_equal(peer_ack(&p), 2);
	assert_int_equal(COUNT_OF(t, "detections"), 2);
	end(&t, &p);
}

static void
a_gap_is_kept_for_people_to_see(void **state)
{
	struct test_centre t;
	struct peer p;

	begin(&t, state, &p);
	peer_tell(&p, "",
	    "{\"number\":40,\"kind\":\"gap\",\"body\":"
	    "{\"from\":1,\"to\":40,\"why\":\"damage\"}}");
	assert_int_equal(peer_ack(&p), 40);
	assert_int_equal(
	    COUNT_OF(
		t, "agent_events WHERE kind = 'gap' AND body LIKE '%damage%'"),
	    1);
	end(&t, &p);
}

static void
what_makes_no_sense_is_kept_and_holds_up_nothing(void **state)
{
	static const char *const bad[] = {
		"{\"number\":%d,\"kind\":\"detection\",\"body\":{}}",
		"{\"number\":%d,\"kind\":\"detection\",\"body\":{\"path\":5}}",
		"{\"number\":%d,\"kind\":\"event\",\"body\":{}}",
		"{\"number\":%d,\"kind\":\"event\",\"body\":{\"event\":1}}",
		"{\"number\":%d,\"kind\":\"event\",\"body\":"
		"{\"event\":\"action\",\"result\":\"eaten\"}}",
		"{\"number\":%d,\"kind\":\"event\",\"body\":"
		"{\"event\":\"command\",\"command\":\"x\"}}",
		"{\"number\":%d,\"kind\":\"something\",\"body\":{}}",
	};
	struct test_centre t;
	struct peer p;
	int number = 0;

	begin(&t, state, &p);
	for (size_t i = 0; i < COUNT(bad); i++) {
		char text[256];

		number++;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof(text), bad[i], number);
#pragma GCC diagnostic pop
		TEST_CASE(text);
		peer_tell(&p, "",
		    arena_fmt(t.arena, "%s,%s", text,
			detection(&p, number + 1, fresh())));
		number++;
		assert_int_equal(peer_ack(&p), number);
	}
	assert_int_equal(
	    COUNT_OF(t, "agent_events WHERE kind = 'malformed'"), COUNT(bad));
	assert_int_equal(COUNT_OF(t, "detections"), COUNT(bad));
	end(&t, &p);
}

static void
a_request_out_of_order_is_refused_whole(void **state)
{
	static const struct {
		const char *records, *field;
		enum err want;
	} cases[] = {
		{ "1", "number", ERR_SYNTAX },
		{ "{\"number\":0,\"kind\":\"gap\",\"body\":{}}", "number",
		    ERR_LIMIT },
		{ "{\"number\":2,\"kind\":\"gap\",\"body\":{}},"
		  "{\"number\":2,\"kind\":\"gap\",\"body\":{}}",
		    "number", ERR_LIMIT },
		{ "{\"number\":9223372036854775807,\"kind\":\"gap\","
		  "\"body\":{}},{\"number\":1,\"kind\":\"gap\",\"body\":{}}",
		    "number", ERR_LIMIT },
		{ "{\"number\":1,\"kind\":\"gap\",\"body\":[]}", "body",
		    ERR_SYNTAX },
		{ "{\"number\":1,\"kind\":7,\"body\":{}}", "kind", ERR_SYNTAX },
	};
	struct test_centre t;
	struct peer p;

	begin(&t, state, &p);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };

		TEST_CASE(cases[i].records);
		assert_err(
		    peer_sync(&p, "", cases[i].records, &ei), cases[i].want);
		assert_string_equal(ei.field, cases[i].field);
	}
	assert_int_equal(COUNT_OF(t, "agent_events"), 0);
	end(&t, &p);
}

/* ---- about itself alone ---- */

static void
an_agent_writes_about_its_own_detections_only(void **state)
{
	struct test_centre t;
	struct peer mine, next, far;
	struct uuid id = fresh();

	begin(&t, state, &mine);
	(void)test_agency(&t, "U", "");
	peer_begin(&next, &t, "T", "bên cạnh");
	peer_begin(&far, &t, "U", "cơ quan khác");
	peer_tell(&mine, "", detection(&mine, 1, id));
	peer_tell(&next, "", action(&next, 1, id, "deleted"));
	peer_tell(&far, "", action(&far, 1, id, "deleted"));
	/* and claiming its number does not take it over */
	peer_tell(&next, "", detection(&next, 2, id));
	peer_tell(&next, "", action(&next, 3, id, "deleted"));
	assert_int_equal(COUNT_OF(t, "detections WHERE state = 'found'"), 1);
	peer_tell(&mine, "", action(&mine, 2, id, "quarantined"));
	assert_int_equal(
	    COUNT_OF(t, "detections WHERE state = 'quarantined'"), 1);
	peer_free(&next);
	peer_free(&far);
	end(&t, &mine);
}

static void
an_agent_answers_its_own_commands_only(void **state)
{
	struct test_centre t;
	struct peer mine, next;
	struct errinfo ei = { 0 };
	const char *id, *done;

	begin(&t, state, &mine);
	peer_begin(&next, &t, "T", "bên cạnh");
	assert_ok(command_add(&t.c, "scan", mine.agent.agency, mine.agent.id,
	    (struct uuid){ { 0 } }, &org_system, &ei));
	peer_tell(&next, "", "");
	assert_int_equal(peer_commands(&next), 0);
	peer_tell(&mine, "", "");
	assert_int_equal(peer_commands(&mine), 1);
	id = json_string_value(json_object_get(
	    json_array_get(json_object_get(mine.answer, "commands"), 0), "id"));
	done = arena_fmt(t.arena,
	    "{\"number\":1,\"kind\":\"event\",\"body\":{\"event\":\"command\","
	    "\"command\":\"%s\",\"result\":\"done\"}}",
	    id);
	peer_tell(&next, "", done);
	peer_tell(&mine, "", "");
	assert_int_equal(peer_commands(&mine), 1);
	peer_tell(&mine, "", done);
	assert_int_equal(peer_commands(&mine), 0);
	assert_int_equal(test_audited(t.c.store, "command.scan"), 1);
	peer_free(&next);
	end(&t, &mine);
}

/* ---- commands ---- */

static void
a_file_is_restored_or_deleted_once_and_from_quarantine(void **state)
{
	struct test_centre t;
	struct peer p;
	struct uuid id = fresh();
	struct errinfo ei = { 0 };

	begin(&t, state, &p);
	peer_tell(&p, "", detection(&p, 1, id));
	assert_err(command_for_detection(
		       &t.c, "restore", p.agent.agency, id, &org_system, &ei),
	    ERR_EXISTS);
	peer_tell(&p, "", action(&p, 2, id, "quarantined"));
	assert_ok(command_for_detection(
	    &t.c, "restore", p.agent.agency, id, &org_system, &ei));
	assert_err(command_for_detection(
		       &t.c, "delete", p.agent.agency, id, &org_system, &ei),
	    ERR_EXISTS);
	peer_tell(&p, "", "");
	assert_int_equal(peer_commands(&p), 1);
	assert_err(command_for_detection(&t.c, "delete", p.agent.agency,
		       fresh(), &org_system, &ei),
	    ERR_NOT_FOUND);
	assert_int_equal(test_audited(t.c.store, "command.restore"), 1);
	assert_int_equal(test_audited(t.c.store, "command.delete"), 0);
	end(&t, &p);
}

static void
a_scan_that_waits_is_not_asked_for_twice(void **state)
{
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	begin(&t, state, &p);
	for (int i = 0; i < 3; i++)
		assert_ok(command_add(&t.c, "scan", p.agent.agency, p.agent.id,
		    (struct uuid){ { 0 } }, &org_system, &ei));
	peer_tell(&p, "", "");
	assert_int_equal(peer_commands(&p), 1);
	assert_int_equal(test_audited(t.c.store, "command.scan"), 1);
	end(&t, &p);
}

static void
a_revoked_agent_gets_no_command(void **state)
{
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	begin(&t, state, &p);
	assert_ok(protection_revoke(
	    &t.c, p.agent.agency, p.agent.id, &org_system, &ei));
	assert_err(command_add(&t.c, "scan", p.agent.agency, p.agent.id,
		       (struct uuid){ { 0 } }, &org_system, &ei),
	    ERR_NOT_FOUND);
	assert_int_equal(COUNT_OF(t, "commands"), 0);
	end(&t, &p);
}

/* ---- the clock ---- */

static int64_t
scan_age(struct test_centre *t)
{
	return t->clock.set_utc_ms -
	    test_number(t->c.store, "SELECT last_scan_ms FROM agents");
}

static void
a_scan_is_dated_by_the_centre_s_clock(void **state)
{
	struct test_centre t;
	struct peer p;

	begin(&t, state, &p);
	/* an agent four years behind, whose last scan is an hour old */
	peer_tell(&p,
	    "\"time\":\"2021-01-01T01:00:00.000Z\","
	    "\"last_scan\":\"2021-01-01T00:00:00.000Z\",",
	    "");
	assert_int_equal(scan_age(&t), 3600000);
	/* its clock is set back behind that scan: nothing new is known */
	t.clock.set_utc_ms += DAY_MS;
	peer_tell(&p,
	    "\"time\":\"2020-01-01T00:00:00.000Z\","
	    "\"last_scan\":\"2021-01-01T00:00:00.000Z\",",
	    "");
	assert_int_equal(scan_age(&t), 3600000 + DAY_MS);
	peer_tell(&p, "", "");
	assert_int_equal(
	    test_number(t.c.store, "SELECT last_scan_ms FROM agents"), 0);
	end(&t, &p);
}

static void
a_detection_is_never_of_tomorrow(void **state)
{
	struct test_centre t;
	struct peer p;

	begin(&t, state, &p);
	t.clock.set_utc_ms += 60000; /* within what is trusted */
	{
		const char *later = detection(&p, 1, fresh());

		t.clock.set_utc_ms -= 60000;
		peer_tell(&p, "", later);
	}
	assert_int_equal(
	    test_number(t.c.store, "SELECT at_ms FROM detections"), TEST_NOW);
	end(&t, &p);
}

/* ---- what the agent must know ---- */

static void
a_policy_is_data_and_changes_by_version(void **state)
{
	static const char other[] =
	    "{\"scan_hours\":12,\"paths\":[\"/home\"],\"exclude\":[],"
	    "\"action\":\"report\"}";
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };

	begin(&t, state, &p);
	peer_tell(&p, "", ""); /* it says that it has version 1 */
	assert_null(json_object_get(p.answer, "policy"));
	assert_ok(protection_policy_set(&t.c, SPAN(other), &org_system, &ei));
	assert_ok(protection_policy_set(
	    &t.c, SPAN(other), &org_system, &ei)); /* the same: no change */
	peer_tell(&p, "", "");
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(p.answer, "policy"), "version")),
	    2);
	assert_int_equal(test_audited(t.c.store, "policy.change"), 2);
	end(&t, &p);
}

static void
a_policy_that_would_exempt_the_computer_is_refused(void **state)
{
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "{\"scan_hours\":0,\"paths\":[],\"exclude\":[],"
		  "\"action\":\"report\"}",
		    "scan_hours" },
		{ "{\"scan_hours\":1,\"paths\":[\"home\"],\"exclude\":[],"
		  "\"action\":\"report\"}",
		    "paths" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[\"/\"],"
		  "\"action\":\"report\"}",
		    "exclude" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[\"/home//\"],"
		  "\"action\":\"report\"}",
		    "exclude" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[\"/a/../\"],"
		  "\"action\":\"report\"}",
		    "exclude" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[\"//home\"],"
		  "\"action\":\"report\"}",
		    "exclude" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[],"
		  "\"action\":\"ignore\"}",
		    "action" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[],"
		  "\"action\":\"report\",\"suspicious\":\"macro\"}",
		    "suspicious" },
		{ "{\"scan_hours\":1,\"paths\":[],\"exclude\":[],"
		  "\"action\":\"report\",\"suspicious\":[\"macros\"]}",
		    "suspicious" },
	};
	struct test_centre t;

	test_centre_open(&t, *state, TEST_NOW);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errinfo ei = { 0 };

		TEST_CASE(cases[i].json);
		assert_true(protection_policy_set(&t.c, span_of(cases[i].json),
				&org_system, &ei) != OK);
		assert_string_equal(ei.field, cases[i].field);
	}
	assert_int_equal(COUNT_OF(t, "policies"), 1);
	test_centre_close(&t);
}

static void
the_newest_set_is_offered_to_who_has_an_older_one(void **state)
{
	struct test_centre t;
	struct peer p;
	struct errinfo ei = { 0 };
	FILE *f;

	begin(&t, state, &p);
	f = fopen(arena_fmt(t.arena, "%s/sets/1.kdb", t.dir), "w");
	assert_non_null(f);
	(void)fputs("a set", f);
	(void)fclose(f);
	assert_ok(protection_set_publish(&t.c, 1, &org_system, &ei));
	assert_err(
	    protection_set_publish(&t.c, 1, &org_system, &ei), ERR_EXISTS);
	peer_tell(&p, "", "");
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(p.answer, "set"), "size")),
	    5);
	peer_tell(&p, "\"set_version\":1,", "");
	assert_null(json_object_get(p.answer, "set"));
	assert_int_equal(test_audited(t.c.store, "set.publish"), 1);
	end(&t, &p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_sent_again_is_stored_once),
		cmocka_unit_test(an_overlap_stores_only_what_is_new),
		cmocka_unit_test(a_new_spool_counts_from_one_again),
		cmocka_unit_test(a_gap_is_kept_for_people_to_see),
		cmocka_unit_test(
		    what_makes_no_sense_is_kept_and_holds_up_nothing),
		cmocka_unit_test(a_request_out_of_order_is_refused_whole),
		cmocka_unit_test(an_agent_writes_about_its_own_detections_only),
		cmocka_unit_test(an_agent_answers_its_own_commands_only),
		cmocka_unit_test(
		    a_file_is_restored_or_deleted_once_and_from_quarantine),
		cmocka_unit_test(a_scan_that_waits_is_not_asked_for_twice),
		cmocka_unit_test(a_revoked_agent_gets_no_command),
		cmocka_unit_test(a_scan_is_dated_by_the_centre_s_clock),
		cmocka_unit_test(a_detection_is_never_of_tomorrow),
		cmocka_unit_test(a_policy_is_data_and_changes_by_version),
		cmocka_unit_test(
		    a_policy_that_would_exempt_the_computer_is_refused),
		cmocka_unit_test(
		    the_newest_set_is_offered_to_who_has_an_older_one),
	};

	return test_on_every_engine(tests, COUNT(tests));
}
