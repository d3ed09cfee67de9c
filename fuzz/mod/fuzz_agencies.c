#include "room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct look {
	struct arena *a;
	size_t standing;
};

static enum err
read_tree(struct sql *q, void *arg, struct errinfo *ei)
{
	struct look *l = arg;
	struct org_agency *tree;
	size_t n = 0;
	enum err e = org_agency_tree(q, l->a, ROOM_DAY, &tree, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++)
		assert(tree[i].depth >= 0 && tree[i].depth < ORG_DEPTH_MAX &&
		    (i == 0 || tree[i].depth <= tree[i - 1].depth + 1));
	l->standing = n;
	return e;
}

/* Who is valid today stands in the tree, once. */
static void
check_tree(struct arena *a)
{
	struct look l = { a, 0 };

	assert(store_read(room.store, read_tree, &l, NULL) == OK);
	assert((int64_t)l.standing ==
	    room_number("SELECT count(*) FROM agency_periods WHERE valid_from"
			" <= '" ROOM_DAY "' AND (valid_to = '' OR valid_to >"
			" '" ROOM_DAY "')"));
}

static void
forget(void)
{
	room_run("DELETE FROM agency_periods");
	room_run("DELETE FROM agencies");
	room_run("DELETE FROM audit");
}

/* Any table comes in whole or not at all, with a report of why not; twice in
 * a row it changes nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct arena *a = arena_new(64u << 20);
	struct http_req rq;
	json_t *report = NULL;
	enum err e;

	room_begin();
	rq = room_request(a);
	assert(a != NULL);
	if (size > 16384)
		goto out;
	e = agencies_import(&rq, in, &report, NULL);
	assert(e == OK || e == ERR_SYNTAX || e == ERR_LIMIT);
	if (report != NULL)
		assert((e == OK) ==
		    (json_array_size(json_object_get(report, "bad")) == 0));
	if (e == OK) {
		check_tree(a);
		json_decref(report);
		assert(agencies_import(&rq, in, &report, NULL) == OK);
		assert(
		    json_integer_value(json_object_get(report, "added")) == 0);
		forget();
	} else {
		assert(room_number("SELECT count(*) FROM agencies") == 0);
	}
	json_decref(report);
out:
	arena_free(a);
	return 0;
}
