/* What the centre asks of agents: commands, policy, signature sets. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypt/crypt.h"
#include "protection/protection_int.h"

#define PIECE_MAX (1u << 20) /* bytes of a set in one answer */

/* ---- commands ---- */

struct command_job {
	const struct centre *c;
	const char *kind;
	struct uuid agency, agent, detection;
	const struct org_actor *who;
};

static enum err
audit_command(struct sql *q, const struct command_job *job, struct errinfo *ei)
{
	char action[32], id[UUID_TEXT_MAX];
	json_t *detail = json_object();
	enum err e;

	(void)snprintf(action, sizeof(action), "command.%s", job->kind);
	uuid_text(job->agent, id);
	if (!uuid_none(job->detection))
		json_put_uuid(detail, "detection", job->detection);
	e = org_audit(q, job->c->clock, job->who, action, id, detail, ei);
	json_decref(detail);
	return e;
}

/* An agent that is off for a week is asked for one scan, not for one for
 * each click. */
static enum err
asked_already(
    struct sql *q, const struct command_job *job, bool *out, struct errinfo *ei)
{
	int64_t n = 0;
	enum err e = sql_get_int(q, &n, ei,
	    "SELECT count(*) FROM commands WHERE agency_id = ?1"
	    " AND agent_id = ?2 AND state = 'waiting' AND kind = ?3"
	    " AND detection_id IS NULL",
	    SQL_UUID(job->agency), SQL_UUID(job->agent), SQL_STR(job->kind));

	*out = n > 0;
	return e;
}

static enum err
insert_command(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct command_job *job = arg;
	int64_t changed;
	bool asked = false;
	enum err e = asked_already(q, job, &asked, ei);

	if (e != OK || asked)
		return e;
	e = sql_exec(q, &changed, ei,
	    "INSERT INTO commands (agency_id, command_id, agent_id, kind,"
	    " detection_id, created_ms, state, reason)"
	    " SELECT ?1, ?2, agent_id, ?4, ?5, ?6, 'waiting', ''"
	    " FROM agents WHERE agency_id = ?1 AND agent_id = ?3"
	    " AND revoked_ms = 0",
	    SQL_UUID(job->agency), SQL_UUID(uuid_make(job->c->clock)),
	    SQL_UUID(job->agent), SQL_STR(job->kind),
	    uuid_none(job->detection) ? SQL_NULL : SQL_UUID(job->detection),
	    SQL_INT(clock_utc_ms(job->c->clock)));

	if (e == OK && changed == 0)
		return err_set(ei, ERR_NOT_FOUND, N_("no such agent"));
	return e == OK ? audit_command(q, job, ei) : e;
}

enum err
command_add(const struct centre *c, const char *kind, struct uuid agency,
    struct uuid agent, struct uuid detection, const struct org_actor *who,
    struct errinfo *ei)
{
	struct command_job job = { c, kind, agency, agent, detection, who };

	return store_write(c->store, insert_command, &job, ei);
}

/* A detection in quarantine with no command under way, and its agent. */
static enum err
find_detection(struct sql *q, struct command_job *job, struct errinfo *ei)
{
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = sql_query(q, &r, ei,
	    "SELECT d.agent_id, CASE WHEN d.state = 'quarantined'"
	    " AND NOT EXISTS (SELECT 1 FROM commands c"
	    "  WHERE c.agency_id = d.agency_id AND c.agent_id = d.agent_id"
	    "  AND c.detection_id = d.detection_id AND c.state = 'waiting')"
	    " THEN 1 ELSE 0 END FROM detections d"
	    " WHERE d.agency_id = ?1 AND d.detection_id = ?2",
	    SQL_UUID(job->agency), SQL_UUID(job->detection));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && !more)
		e = err_set(ei, ERR_NOT_FOUND, N_("no such detection"));
	if (e == OK && sql_int(&r, 1) == 0)
		e = err_set(ei, ERR_EXISTS,
		    N_("the file is not in quarantine, or a command is under "
		       "way"));
	if (e == OK)
		job->agent = sql_uuid(&r, 0);
	sql_end(&r);
	return e;
}

static enum err
detection_command(struct sql *q, void *arg, struct errinfo *ei)
{
	enum err e = find_detection(q, arg, ei);

	return e == OK ? insert_command(q, arg, ei) : e;
}

enum err
command_for_detection(const struct centre *c, const char *kind,
    struct uuid agency, struct uuid detection, const struct org_actor *who,
    struct errinfo *ei)
{
	struct command_job job = { .c = c,
		.kind = kind,
		.agency = agency,
		.detection = detection,
		.who = who };

	return store_write(c->store, detection_command, &job, ei);
}

/* ---- policy ---- */

struct policy_job {
	const struct centre *c;
	const char *text; /* canonical */
	const struct org_actor *who;
};

static enum err
policy_put(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct policy_job *job = arg;
	int64_t same = 0, changed;
	enum err e = sql_get_int(q, &same, ei,
	    "SELECT count(*) FROM policies WHERE body = ?1 AND version ="
	    " (SELECT max(version) FROM policies)",
	    SQL_STR(job->text));

	if (e != OK || same > 0)
		return e;
	e = sql_exec(q, &changed, ei,
	    "INSERT INTO policies (version, body, created_ms)"
	    " SELECT COALESCE(max(version), 0) + 1, ?1, ?2 FROM policies",
	    SQL_STR(job->text), SQL_INT(clock_utc_ms(job->c->clock)));
	if (e != OK)
		return e;
	return org_audit(
	    q, job->c->clock, job->who, "policy.change", "", NULL, ei);
}

/* Written the one way: "//home" and "/srv/../home" would pass for folders
 * that no rule names. */
static bool
plain_path(struct span path)
{
	if (path.len == 0 || path.len > 4096 || path.ptr[0] != '/')
		return false;
	path = span_from(path, 1);
	while (path.len > 0) {
		struct span part = span_cut(path, '/', &path);

		if (part.len == 0 || span_is(part, ".") || span_is(part, ".."))
			return false;
	}
	return true;
}

/* Folders that a policy may not exempt: they would be the whole computer. */
static bool
whole_computer(struct span path)
{
	static const char *const roots[] = { "/", "/usr", "/home", "/etc",
		"/bin", "/sbin", "/lib", "/opt", "/var", "/root" };

	if (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	for (size_t i = 0; i < COUNT(roots); i++)
		if (span_is(path, roots[i]))
			return true;
	return false;
}

static enum err
check_paths(
    const json_t *o, const char *key, bool exclusion, struct errinfo *ei)
{
	const json_t *list;
	enum err e = json_get_array(o, key, 64, &list, ei);

	for (size_t i = 0; e == OK && i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		struct span path = { json_string_value(v),
			json_string_length(v) };

		if (!json_is_string(v) || !plain_path(path) ||
		    (exclusion && whole_computer(path)))
			e = err_field(ei, ERR_SYNTAX, key,
			    "field %s: path %zu is not allowed", key, i + 1);
	}
	return e;
}

/* What agents report as suspicious, if anything. */
static enum err
check_suspicious(const json_t *o, struct errinfo *ei)
{
	static const char *const kinds[] = { "macro", "encrypted", "active",
		"disguised" };
	const json_t *list = NULL;
	enum err e = json_object_get(o, "suspicious") == NULL
	    ? OK
	    : json_get_array(o, "suspicious", COUNT(kinds), &list, ei);

	for (size_t i = 0; e == OK && i < json_array_size(list); i++) {
		const char *kind = json_string_value(json_array_get(list, i));
		size_t k = 0;

		while (k < COUNT(kinds) && kind != NULL &&
		    strcmp(kind, kinds[k]) != 0)
			k++;
		if (kind == NULL || k == COUNT(kinds))
			e = err_field(ei, ERR_SYNTAX, "suspicious",
			    "field suspicious: item %zu must be macro, "
			    "encrypted, active or disguised",
			    i + 1);
	}
	return e;
}

enum err
protection_policy_set(const struct centre *c, struct span json,
    const struct org_actor *who, struct errinfo *ei)
{
	struct policy_job job = { .c = c, .who = who };
	json_t *policy = NULL;
	struct span action;
	char *text = NULL;
	int64_t hours;
	enum err e = json_parse(json, &policy, ei);

	if (e == OK)
		e = json_get_int(policy, "scan_hours", 1, 8784, &hours, ei);
	if (e == OK)
		e = check_paths(policy, "paths", false, ei);
	if (e == OK)
		e = check_paths(policy, "exclude", true, ei);
	if (e == OK)
		e = check_suspicious(policy, ei);
	if (e == OK)
		e = json_get_text(policy, "action", 16, &action, ei);
	if (e == OK && !span_is(action, "quarantine") &&
	    !span_is(action, "report"))
		e = err_field(ei, ERR_SYNTAX, "action",
		    "field action must be quarantine or report");
	if (e == OK) {
		text = json_dumps(policy, JSON_COMPACT | JSON_SORT_KEYS);
		job.text = text;
		e = text == NULL ? err_set(ei, ERR_NOMEM, "policy")
				 : store_write(c->store, policy_put, &job, ei);
	}
	free(text);
	json_decref(policy);
	return e;
}

/* ---- signature sets ---- */

static enum err
set_path(const struct centre *c, int64_t version, char *out, size_t size,
    struct errinfo *ei)
{
	int n = snprintf(
	    out, size, "%s/sets/%lld.kdb", c->data_dir, (long long)version);

	if (n < 0 || (size_t)n >= size)
		return err_set(ei, ERR_LIMIT, "path of signature set %lld",
		    (long long)version);
	return OK;
}

static enum err
set_max(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(
	    q, arg, ei, "SELECT COALESCE(max(version), 0) FROM signature_sets");
}

enum err
protection_set_next(
    const struct centre *c, int64_t *version, struct errinfo *ei)
{
	int64_t highest;
	enum err e = store_read(c->store, set_max, &highest, ei);

	if (e == OK)
		*version = highest + 1;
	return e;
}

/* Size and SHA-256 of the file. */
static enum err
digest_file(
    const char *path, int64_t *size, char hex[SHA256_HEX], struct errinfo *ei)
{
	static const size_t piece = 1u << 16;
	unsigned char hash[DIGEST_MAX];
	struct digest *d = digest_new();
	char *bytes = malloc(piece);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	enum err e = fd < 0 ? err_sys(ei, "open %s", path) : OK;

	if (e == OK && (d == NULL || bytes == NULL))
		e = err_set(ei, ERR_NOMEM, "digest of %s", path);
	if (e == OK)
		e = digest_begin(d, 1u << DIGEST_SHA256);
	*size = 0;
	while (e == OK && (n = read(fd, bytes, piece)) > 0) {
		digest_add(d, bytes, (size_t)n);
		*size += n;
	}
	if (e == OK && n < 0)
		e = err_sys(ei, "read %s", path);
	if (e == OK) {
		digest_end(d, DIGEST_SHA256, hash);
		hex_encode(hash, SHA256_LEN, hex);
	}
	if (fd >= 0)
		(void)close(fd);
	free(bytes);
	digest_free(d);
	return e;
}

struct publish_job {
	const struct centre *c;
	int64_t version, size;
	const char *sha256, *signature;
	const struct org_actor *who;
};

static enum err
publish(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct publish_job *job = arg;
	char version[24];
	enum err e = sql_exec(q, NULL, ei,
	    "INSERT INTO signature_sets (version, size, sha256, signature,"
	    " created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
	    SQL_INT(job->version), SQL_INT(job->size), SQL_STR(job->sha256),
	    SQL_STR(job->signature), SQL_INT(clock_utc_ms(job->c->clock)));

	if (e != OK)
		return e;
	(void)snprintf(
	    version, sizeof(version), "%lld", (long long)job->version);
	return org_audit(
	    q, job->c->clock, job->who, "set.publish", version, NULL, ei);
}

enum err
protection_set_publish(const struct centre *c, int64_t version,
    const struct org_actor *who, struct errinfo *ei)
{
	unsigned char signature[SIGN_LEN];
	char path[4096], hex[SHA256_HEX], text[256], sig_hex[2 * SIGN_LEN + 1];
	struct publish_job job = { .c = c,
		.version = version,
		.sha256 = hex,
		.signature = sig_hex,
		.who = who };
	enum err e = set_path(c, version, path, sizeof(path), ei);

	if (e == OK)
		e = digest_file(path, &job.size, hex, ei);
	if (e != OK)
		return e;
	(void)snprintf(text, sizeof(text), "khien-set\n%lld\n%lld\n%s\n",
	    (long long)version, (long long)job.size, hex);
	e = sign_make(c->sign_secret, span_of(text), signature, ei);
	if (e != OK)
		return e;
	hex_encode(signature, sizeof(signature), sig_hex);
	return store_write(c->store, publish, &job, ei);
}

struct piece_job {
	int64_t version, count;
};

static enum err
set_known(struct sql *q, void *arg, struct errinfo *ei)
{
	struct piece_job *job = arg;

	return sql_get_int(q, &job->count, ei,
	    "SELECT count(*) FROM signature_sets WHERE version = ?1",
	    SQL_INT(job->version));
}

enum err
set_piece(const struct centre *c, int64_t version, int64_t offset,
    int64_t length, struct buf *out, struct errinfo *ei)
{
	struct piece_job job = { .version = version };
	char path[4096], *bytes;
	ssize_t n;
	int fd;
	enum err e = store_read(c->store, set_known, &job, ei);

	if (e == OK && job.count == 0)
		e = err_set(ei, ERR_NOT_FOUND, "no signature set %lld",
		    (long long)version);
	if (e == OK && (length < 1 || length > PIECE_MAX))
		e = err_field(ei, ERR_LIMIT, "length", "length must be 1 to %u",
		    PIECE_MAX);
	if (e == OK)
		e = set_path(c, version, path, sizeof(path), ei);
	if (e != OK)
		return e;
	bytes = malloc((size_t)length);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = bytes == NULL || fd < 0 ? -1
				    : pread(fd, bytes, (size_t)length, offset);
	if (n < 0)
		e = err_sys(ei, "read %s", path);
	else
		buf_add(out, bytes, (size_t)n);
	if (fd >= 0)
		(void)close(fd);
	free(bytes);
	return e;
}
