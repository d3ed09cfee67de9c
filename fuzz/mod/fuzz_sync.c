#include "room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct agent agent;

static void
begin(void)
{
	room_begin();
	if (!uuid_none(agent.id))
		return;
	agent = (struct agent){ room_agency, room_agent, "may" };
	room_run("INSERT INTO agents (agency_id, agent_id, fingerprint,"
		 " enrolled_ms, revoked_ms, host, kind, os, os_version, kernel,"
		 " arch, cpu, memory_mb, disk_mb, addresses, macs, version,"
		 " seen_ms, offset_ms, policy_version, set_version,"
		 " set_built_ms, last_scan_ms, fault, spool_ack) VALUES"
		 " (x'01000000000000000000000000000000',"
		 " x'02000000000000000000000000000000', '" PRINT "', 0, 0, '',"
		 " '', '', '', '', '', '', 0, 0, '[]', '[]', '', 0, 0, 0, 0,"
		 " 0, 0, '', 0)");
}

static void
check_parsed(const struct sync *s)
{
	int64_t before = 0;

	assert(strlen(s->fingerprint) == 64 && s->count <= SYNC_RECORDS_MAX);
	for (size_t i = 0; i < s->count; i++) {
		assert(s->records[i].number > before);
		assert(json_is_object(s->records[i].body));
		before = s->records[i].number;
	}
}

static int64_t
rows(void)
{
	return room_number("SELECT (SELECT count(*) FROM detections)"
			   " + (SELECT count(*) FROM agent_events)");
}

/* What parses is stored, whatever it says: no record holds up the rest.  Sent
 * again it stores nothing, and the acknowledged number is the last. */
static void
check_stored(struct sync *s)
{
	json_t *answer = NULL;
	int64_t stored;

	memcpy(s->fingerprint, PRINT, sizeof(PRINT));
	for (int again = 0; again < 2; again++) {
		int64_t before = rows();

		assert(protection_sync(&room, s, &answer, NULL) == OK);
		stored = rows() - before;
		assert(again ? stored == 0 : stored <= (int64_t)s->count);
		if (s->count > 0)
			assert(json_integer_value(json_object_get(answer,
				   "ack")) == s->records[s->count - 1].number);
		json_decref(answer);
	}
	assert(room_number("SELECT count(*) FROM agents") == 1);
	if (rows() > 1000) {
		room_run("DELETE FROM detections");
		room_run("DELETE FROM agent_events");
	}
	room_run("UPDATE agents SET spool_id = NULL, spool_ack = 0");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct arena *a;
	json_t *tree = NULL;
	struct sync s;

	begin();
	if (size > 65536 || json_parse(in, &tree, NULL) != OK)
		return 0;
	a = arena_new(8u << 20);
	assert(a != NULL);
	if (sync_parse(tree, &agent, a, &s, NULL) == OK) {
		check_parsed(&s);
		check_stored(&s);
	}
	arena_free(a);
	json_decref(tree);
	return 0;
}
