#include "room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
begin(void)
{
	static bool begun;

	room_begin();
	if (begun)
		return;
	begun = true;
	room_run("INSERT INTO agencies (agency_id, code, created_ms) VALUES"
		 " (x'01000000000000000000000000000000', 'T', 0)");
}

/* Any table comes in whole or not at all, with a report of why not; twice in
 * a row it adds nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct arena *a = arena_new(64u << 20);
	struct http_req rq;
	json_t *report = NULL;
	int64_t rows;
	enum err e;

	begin();
	rq = room_request(a);
	assert(a != NULL);
	if (size > 16384)
		goto out;
	e = computers_import(&rq, in, &report, NULL);
	assert(e == OK || e == ERR_SYNTAX || e == ERR_LIMIT);
	rows = room_number("SELECT count(*) FROM computers");
	if (report != NULL) {
		assert((e == OK) ==
		    (json_array_size(json_object_get(report, "bad")) == 0));
		assert(json_integer_value(json_object_get(report, "added")) ==
		    rows);
		assert(json_integer_value(json_object_get(report, "changed")) ==
		    0);
	} else {
		assert(rows == 0);
	}
	json_decref(report);
	if (e == OK && rows > 0) {
		assert(computers_import(&rq, in, &report, NULL) == OK);
		assert(
		    json_integer_value(json_object_get(report, "added")) == 0);
		json_decref(report);
		room_run("DELETE FROM computers");
		room_run("DELETE FROM audit");
	}
out:
	arena_free(a);
	return 0;
}
