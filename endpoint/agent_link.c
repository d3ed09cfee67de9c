/* The link to the centre: syncs, back-off, signature sets.  Main thread. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "crypt/crypt.h"
#include "endpoint/agent_int.h"
#include "endpoint/enrol.h"
#include "endpoint/inventory.h"

#define BACKOFF_BASE_MS    1000
#define BACKOFF_MAX_MS     300000
#define SYNC_DEFAULT_MS    30000
#define EXCHANGE_MAX_MS    120000 /* the worker answers or is buried */
#define RECORDS_MAX        500
#define RECORD_BYTES_MAX   (256u << 10)
#define PIECE              (1u << 20)
#define INVENTORY_EVERY_MS INT64_C(3600000)

enum asked { A_NOTHING, A_SYNC, A_PIECE };

struct link {
	struct agent *a;
	struct net *net;
	enum asked asked;
	int64_t next_ms, deadline_ms; /* monotonic */
	int64_t inventory_ms;         /* when it was last sent */
	unsigned failures;
	bool more; /* the spool held more than one sync takes */
	/* The set that is being fetched. */
	int64_t set_version, set_size, set_have;
	char set_sha256[65];
};

static int64_t
mono_ms(void)
{
	return clock_mono_ns(&clock_system) / 1000000;
}

struct link *
link_new(struct agent *a)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		l->a = a;
		l->next_ms = mono_ms();
	}
	return l;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	net_stop(l->net);
	free(l);
}

int
link_fd(const struct link *l)
{
	return l->net != NULL && l->asked != A_NOTHING ? net_fd(l->net) : -1;
}

/* ---- failures ---- */

/* Full jitter: anything up to the step, never below what the centre said. */
static void
back_off(struct link *l, const char *why, int at_least_s)
{
	unsigned steps = l->failures < 16 ? l->failures : 16;
	int64_t most = (int64_t)BACKOFF_BASE_MS << steps;
	int64_t wait;

	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	wait = (int64_t)random_below((uint64_t)most + 1);
	if (wait < (int64_t)at_least_s * 1000)
		wait = (int64_t)at_least_s * 1000;
	if (l->failures++ % 10 == 0)
		log_warn(
		    "sync.failed", LOG_S("why", why), LOG_I("retry_ms", wait));
	l->asked = A_NOTHING;
	l->next_ms = mono_ms() + wait;
}

static void
bury(struct link *l, const char *why)
{
	net_stop(l->net);
	l->net = NULL;
	back_off(l, why, 0);
}

static bool
have_net(struct link *l)
{
	const struct state *s = &l->a->state;
	struct net_setup setup = {
		.url = state_text(s, "url"),
		.ca = span_of(state_text(s, "ca")),
		.cert = span_of(state_text(s, "cert")),
		.key = span_of(state_text(s, "key")),
	};
	struct errinfo ei = { 0 };

	if (l->net != NULL)
		return true;
	if (net_start(&setup, &l->net, &ei) == OK)
		return true;
	l->net = NULL;
	back_off(l, ei.msg, 0);
	return false;
}

/* ---- asking ---- */

static const char *
kind_name(enum spool_class kind)
{
	switch (kind) {
	case SPOOL_DETECTION:
		return "detection";
	case SPOOL_GAP:
		return "gap";
	case SPOOL_EVENT:
		break;
	}
	return "event";
}

static enum err
put_records(struct link *l, struct arena *arena, json_t *o, struct errinfo *ei)
{
	json_t *list = json_put_new(o, "records", json_array());
	struct spool_record *records = NULL;
	size_t n = 0;
	enum err e = spool_peek(l->a->spool, arena, RECORDS_MAX,
	    RECORD_BYTES_MAX, &records, &n, ei);

	for (size_t i = 0; e == OK && i < n; i++) {
		json_t *r = json_object(), *body = NULL;

		if (json_parse(records[i].body, &body, NULL) != OK)
			body = json_object();
		json_put_int(r, "number", (int64_t)records[i].number);
		json_put_text(r, "kind", span_of(kind_name(records[i].kind)));
		(void)json_put_new(r, "body", body);
		(void)json_array_append_new(list, r);
	}
	l->more = n < spool_waiting(l->a->spool);
	return e;
}

static void
put_inventory(struct link *l, json_t *o)
{
	json_t *inventory = NULL;

	if (l->inventory_ms != 0 &&
	    mono_ms() - l->inventory_ms < INVENTORY_EVERY_MS)
		return;
	if (inventory_read("", &inventory, NULL) == OK)
		(void)json_put_new(o, "inventory", inventory);
}

static enum err
sync_body(struct link *l, char **out, struct errinfo *ei)
{
	struct agent *a = l->a;
	struct arena *arena = arena_new(4u << 20);
	json_t *o = json_object();
	int64_t last = state_int(&a->state, "last_scan_ms");
	enum err e;

	json_put_text(
	    o, "fingerprint", span_of(state_text(&a->state, "fingerprint")));
	json_put_time(o, "time", clock_utc_ms(&clock_system));
	json_put_text(o, "version", SPAN(KHIEN_VERSION));
	json_put_int(o, "policy_version",
	    json_integer_value(json_object_get(
		json_object_get(a->state.tree, "policy"), "version")));
	json_put_int(o, "set_version", a->set_version);
	if (last > 0)
		json_put_time(o, "last_scan", last);
	json_put_bool(o, "scanning", a->scanning);
	json_put_text(o, "fault", span_of(a->fault));
	json_put_uuid(o, "spool", spool_id(a->spool));
	put_inventory(l, o);
	e = arena == NULL ? err_set(ei, ERR_NOMEM, "sync")
			  : put_records(l, arena, o, ei);
	*out = e == OK ? json_dumps(o, JSON_COMPACT) : NULL;
	if (e == OK && *out == NULL)
		e = err_set(ei, ERR_NOMEM, "sync");
	json_decref(o);
	arena_free(arena);
	return e;
}

static void
send_sync(struct link *l)
{
	struct errinfo ei = { 0 };
	char *body = NULL;
	enum err e;

	(void)pthread_mutex_lock(&l->a->lock);
	e = sync_body(l, &body, &ei);
	(void)pthread_mutex_unlock(&l->a->lock);
	if (e != OK) {
		back_off(l, ei.msg, 0);
		return;
	}
	if (net_send(l->net, "POST", "/api/v1/agent/sync", span_of(body),
		&ei) != OK) {
		bury(l, ei.msg);
	} else {
		l->asked = A_SYNC;
		l->deadline_ms = mono_ms() + EXCHANGE_MAX_MS;
	}
	free(body);
}

static void
ask_piece(struct link *l)
{
	struct errinfo ei = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path),
	    "/api/v1/agent/sets/%lld?offset=%lld&length=%u",
	    (long long)l->set_version, (long long)l->set_have, PIECE);
	if (net_send(l->net, "GET", path, (struct span){ 0 }, &ei) != OK) {
		bury(l, ei.msg);
		return;
	}
	l->asked = A_PIECE;
	l->deadline_ms = mono_ms() + EXCHANGE_MAX_MS;
}

/* ---- signature sets ---- */

static void
staged_path(const struct link *l, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/sets/%lld.part", l->a->dir,
	    (long long)l->set_version);
}

/* What was fetched of versions that are offered no more. */
static void
drop_other_parts(const struct link *l)
{
	char path[PATH_MAX], keep[32];
	struct dirent *entry;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/sets", l->a->dir);
	(void)snprintf(
	    keep, sizeof(keep), "%lld.part", (long long)l->set_version);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL)
		if (span_ends(span_of(entry->d_name), ".part") &&
		    strcmp(entry->d_name, keep) != 0)
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		(void)closedir(d);
}

/* An offer that is signed by the centre's key and not older than what was
 * ever in use. */
static void
take_offer(struct link *l, const json_t *set)
{
	struct state *s = &l->a->state;
	unsigned char key[32], signature[64];
	struct span sha = { 0 }, sig = { 0 };
	struct errinfo ei = { 0 };
	struct stat st;
	char text[256], path[PATH_MAX];

	if (json_get_int(set, "version", 1, INT64_MAX, &l->set_version, &ei) !=
		OK ||
	    json_get_int(set, "size", 1, INT64_C(1) << 40, &l->set_size, &ei) !=
		OK ||
	    json_get_text(set, "sha256", 64, &sha, &ei) != OK ||
	    json_get_text(set, "signature", 128, &sig, &ei) != OK ||
	    hex_decode(sig, signature, 64) != OK || sha.len != 64 ||
	    hex_decode(span_of(state_text(s, "sign_key")), key, 32) != OK) {
		set_fault(l->a, "signature set offered", ei.msg);
		l->set_version = 0;
		return;
	}
	(void)snprintf(l->set_sha256, sizeof(l->set_sha256), "%.64s", sha.ptr);
	(void)snprintf(text, sizeof(text), "khien-set\n%lld\n%lld\n%s\n",
	    (long long)l->set_version, (long long)l->set_size, l->set_sha256);
	/* Offered once more while the scanner still loads it: no news. */
	if (l->set_version == state_int(s, "set_version")) {
		l->set_version = 0;
		return;
	}
	if (l->set_version < state_int(s, "set_version") ||
	    sign_check(key, span_of(text), signature, &ei) != OK) {
		set_fault(l->a, "signature set offered",
		    "older than the one in use, or not signed by the centre");
		l->set_version = 0;
		return;
	}
	drop_other_parts(l);
	staged_path(l, path);
	l->set_have = stat(path, &st) == 0 ? st.st_size : 0;
}

static enum err
append_piece(struct link *l, struct span bytes, struct errinfo *ei)
{
	char path[PATH_MAX];
	int fd;
	enum err e;

	staged_path(l, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(ei, "open %s", path);
	if (lseek(fd, l->set_have, SEEK_SET) < 0)
		e = err_sys(ei, "seek %s", path);
	else
		e = fd_write_all(fd, bytes, ei);
	if (e == OK && l->set_have + (int64_t)bytes.len >= l->set_size &&
	    fsync(fd) != 0)
		e = err_sys(ei, "fsync %s", path);
	(void)close(fd);
	if (e == OK)
		l->set_have += (int64_t)bytes.len;
	return e;
}

static enum err
check_staged(const struct link *l, const char *path, struct errinfo *ei)
{
	unsigned char hash[DIGEST_MAX];
	char hex[65], *bytes = malloc(PIECE);
	struct digest *d = digest_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	enum err e = fd < 0 ? err_sys(ei, "open %s", path) : OK;

	if (e == OK &&
	    (bytes == NULL || d == NULL ||
		digest_begin(d, 1u << DIGEST_SHA256) != OK))
		e = err_set(ei, ERR_NOMEM, "signature set");
	while (e == OK && (n = read(fd, bytes, PIECE)) > 0)
		digest_add(d, bytes, (size_t)n);
	if (e == OK && n < 0)
		e = err_sys(ei, "read %s", path);
	if (e == OK) {
		digest_end(d, DIGEST_SHA256, hash);
		hex_encode(hash, SHA256_LEN, hex);
		if (strcmp(hex, l->set_sha256) != 0)
			e = err_set(ei, ERR_CORRUPT,
			    "signature set %lld is not what was signed",
			    (long long)l->set_version);
	}
	if (fd >= 0)
		(void)close(fd);
	free(bytes);
	digest_free(d);
	return e;
}

/* All of it is there: check, exchange, and never go back behind it. */
static void
finish_set(struct link *l)
{
	struct agent *a = l->a;
	char path[PATH_MAX], current[PATH_MAX];
	struct errinfo ei = { 0 };
	enum err e;

	staged_path(l, path);
	(void)snprintf(current, sizeof(current), "%s/sets/current.kdb", a->dir);
	e = check_staged(l, path, &ei);
	if (e == OK && rename(path, current) != 0)
		e = err_sys(&ei, "rename %s", path);
	(void)pthread_mutex_lock(&a->lock);
	if (e == OK) {
		json_put_int(a->state.tree, "set_version", l->set_version);
		e = state_save(&a->state, &ei);
		a->new_set = true;
		(void)pthread_cond_signal(&a->work);
		log_info("set.received", LOG_I("version", l->set_version));
	} else {
		(void)unlink(path);
		set_fault(a, "signature set", ei.msg);
	}
	(void)pthread_mutex_unlock(&a->lock);
	l->set_version = 0;
	if (e != OK)
		back_off(l, ei.msg, 0);
}

/* The agent may have fallen between the last piece and the exchange. */
static void
go_on_with_set(struct link *l)
{
	if (l->set_have < l->set_size)
		ask_piece(l);
	else
		finish_set(l);
}

static void
take_piece(struct link *l, const struct net_answer *answer)
{
	struct errinfo ei = { 0 };

	l->asked = A_NOTHING;
	if (answer->status != 200 || answer->body.len == 0) {
		l->set_version = 0;
		back_off(l, "signature set not given", answer->retry_after);
		return;
	}
	if (append_piece(l, answer->body, &ei) != OK) {
		l->set_version = 0;
		back_off(l, ei.msg, 0);
		return;
	}
	if (l->set_have >= l->set_size)
		finish_set(l);
}

/* ---- the answer to a sync ---- */

static void
take_policy(struct agent *a, const json_t *policy)
{
	struct errinfo ei = { 0 };

	if (!json_is_object(policy))
		return;
	(void)json_object_set(
	    a->state.tree, "policy", (json_t *)(uintptr_t)policy);
	if (state_save(&a->state, &ei) != OK)
		set_fault(a, "policy", ei.msg);
	log_info("policy.received",
	    LOG_I("version",
		json_integer_value(json_object_get(policy, "version"))));
}

static void
take_knowledge(struct link *l, const json_t *o)
{
	struct agent *a = l->a;
	const json_t *commands = json_object_get(o, "commands");
	int64_t ack = 0;
	struct errinfo ei = { 0 };

	if (json_get_int(o, "ack", 0, INT64_MAX, &ack, &ei) == OK &&
	    spool_ack(a->spool, (uint64_t)ack, &ei) != OK)
		set_fault(a, "spool", ei.msg);
	take_policy(a, json_object_get(o, "policy"));
	for (size_t i = 0; i < json_array_size(commands); i++)
		command_do(a, json_array_get(commands, i));
	if (json_is_object(json_object_get(o, "set")) && l->set_version == 0)
		take_offer(l, json_object_get(o, "set"));
	a->last_sync_ms = clock_utc_ms(&clock_system);
}

static void
take_sync(struct link *l, const struct net_answer *answer)
{
	int64_t seconds = SYNC_DEFAULT_MS / 1000, wait;
	json_t *o = NULL;

	l->asked = A_NOTHING;
	if (json_parse(answer->body, &o, NULL) != OK) {
		back_off(l, "the centre's answer is not JSON", 0);
		return;
	}
	(void)pthread_mutex_lock(&l->a->lock);
	take_knowledge(l, o);
	if (spool_waiting(l->a->spool) > 0)
		l->more = true; /* what the commands did */
	(void)pthread_mutex_unlock(&l->a->lock);
	if (json_get_int(o, "sync_seconds", 1, 86400, &seconds, NULL) != OK)
		seconds = SYNC_DEFAULT_MS / 1000;
	json_decref(o);
	if (l->failures > 0)
		log_info("sync.again", LOG_I("failures", l->failures));
	l->failures = 0;
	if (l->inventory_ms == 0 ||
	    mono_ms() - l->inventory_ms >= INVENTORY_EVERY_MS)
		l->inventory_ms = mono_ms();
	/* Spread by a tenth, so that a thousand agents do not march. */
	wait = seconds * 1000;
	wait += (int64_t)random_below((uint64_t)(wait / 10 + 1));
	l->next_ms = mono_ms() + (l->more ? 0 : wait);
}

/* Another computer enrolled with this certificate: this one is a clone. */
static void
become_oneself(struct link *l)
{
	struct agent *a = l->a;
	struct errinfo ei = { 0 };
	char print[65];
	enum err e = inventory_fingerprint("", print, &ei);

	(void)pthread_mutex_lock(&a->lock);
	if (e == OK)
		e = rekey(&a->state, print, &ei);
	(void)pthread_mutex_unlock(&a->lock);
	if (e == OK)
		log_warn("agent.rekeyed",
		    LOG_S("agent", state_text(&a->state, "agent")));
	bury(l, e == OK ? "a new identity" : ei.msg);
}

static void
take_answer(struct link *l, const struct net_answer *answer)
{
	if (l->asked == A_PIECE) {
		take_piece(l, answer);
	} else if (answer->status == 200) {
		take_sync(l, answer);
	} else if (answer->status == 409) {
		become_oneself(l);
	} else {
		char why[64];

		(void)snprintf(
		    why, sizeof(why), "the centre answers %d", answer->status);
		back_off(l, why, answer->retry_after);
	}
}

/* ---- turns ---- */

static void
receive(struct link *l)
{
	struct net_answer answer;
	struct errinfo ei = { 0 };
	enum err e = net_receive(l->net, 0, &answer, &ei);

	if (e == OK)
		take_answer(l, &answer);
	else if (e == ERR_CORRUPT || e == ERR_NOT_FOUND)
		bury(l, ei.msg);
	else if (e != ERR_BUSY)
		back_off(l, ei.msg, 0);
}

static int
until(int64_t at_ms)
{
	int64_t left = at_ms - mono_ms();

	if (left < 0)
		return 0;
	return left > 60000 ? 60000 : (int)left;
}

int
link_turn(struct link *l, bool readable)
{
	bool hurry;

	if (l->asked != A_NOTHING) {
		if (readable)
			receive(l);
		else if (mono_ms() > l->deadline_ms)
			bury(l, "no answer in time");
		if (l->asked != A_NOTHING)
			return until(l->deadline_ms);
	}
	(void)pthread_mutex_lock(&l->a->lock);
	hurry = spool_waiting(l->a->spool) > 0 && l->failures == 0;
	(void)pthread_mutex_unlock(&l->a->lock);
	if (l->set_version > 0 && l->failures == 0 && have_net(l))
		go_on_with_set(l);
	else if ((hurry || mono_ms() >= l->next_ms) && have_net(l))
		send_sync(l);
	return until(l->asked == A_NOTHING ? l->next_ms : l->deadline_ms);
}
