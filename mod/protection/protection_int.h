#ifndef PROTECTION_PROTECTION_INT_H
#define PROTECTION_PROTECTION_INT_H

#include "protection/protection.h"

extern const struct migration protection_migrations[];
extern const struct route protection_api[], protection_pages[],
    protection_acts[];
extern const struct figure protection_figures[];

/* ---- the judgement ------------------------------------------------------
 * Every computer that should be there (the register) or is there (an agent),
 * once, with the reason why it is not protected.  ?1 = the instant.  What is
 * said to be more than a day later was written while a clock was wrong: it
 * tells nothing. */
#define JUDGED_PARTS                                                           \
	"limits AS (SELECT ?1 + 86400000 AS ahead_ms,"                         \
	" ?1 - 1000 * (SELECT value FROM settings WHERE"                       \
	"  key = 'protection.silent_seconds') AS silent_ms,"                   \
	" ?1 - 3600000 * (SELECT value FROM settings WHERE"                    \
	"  key = 'protection.signatures_hours') AS set_limit_ms,"              \
	" ?1 - 3600000 * (SELECT value FROM settings WHERE"                    \
	"  key = 'protection.scan_hours') AS scan_limit_ms),"                  \
	" machines AS (SELECT c.agency_id, c.computer_id, c.name AS declared," \
	"  c.kind AS declared_kind, a.agent_id, a.host, a.kind, a.os,"         \
	"  a.addresses, a.seen_ms, a.set_version, a.set_built_ms,"             \
	"  a.last_scan_ms, a.fault FROM computers c"                           \
	"  LEFT JOIN agents a ON a.agency_id = c.agency_id"                    \
	"  AND a.agent_id = c.agent_id AND a.revoked_ms = 0"                   \
	" UNION ALL SELECT a.agency_id, NULL, '', '', a.agent_id, a.host,"     \
	"  a.kind, a.os, a.addresses, a.seen_ms, a.set_version,"               \
	"  a.set_built_ms, a.last_scan_ms, a.fault FROM agents a"              \
	"  WHERE a.revoked_ms = 0 AND NOT EXISTS (SELECT 1 FROM computers c"   \
	"   WHERE c.agency_id = a.agency_id AND c.agent_id = a.agent_id)),"    \
	" judged AS (SELECT m.*, CASE WHEN agent_id IS NULL THEN 'no_agent'"   \
	"  WHEN seen_ms NOT BETWEEN silent_ms AND ahead_ms THEN 'silent'"      \
	"  WHEN fault <> '' THEN 'fault'"                                      \
	"  WHEN set_built_ms NOT BETWEEN set_limit_ms AND ahead_ms"            \
	"   THEN 'signatures'"                                                 \
	"  WHEN last_scan_ms NOT BETWEEN scan_limit_ms AND ahead_ms"           \
	"   THEN 'scan'"                                                       \
	"  ELSE '' END AS reason FROM machines m CROSS JOIN limits) "
#define JUDGED_SQL "WITH " JUDGED_PARTS

/* A reason's text for people (English msgid), and the state it means:
 * "protected", "unprotected" or "unknown". */
struct reason {
	const char *reason, *state, *text, *remedy;
};
#define REASONS_MAX 8
extern const struct reason protection_reasons[]; /* the first: protected;
						    reason NULL ends */
const struct reason *protection_reason(const char *reason);

#define HISTORY_DAYS 90 /* before today that the overview looks back */

/* ---- agents ------------------------------------------------------------- */

/* Who an agent's request comes from (http_req.who). */
struct agent {
	struct uuid agency, id;
	char host[256];
};
enum err protection_admit(
    const struct http_req *rq, void **who, struct errinfo *ei) MUST_USE;

struct inventory {
	struct span host, kind, os, os_version, kernel, arch, cpu;
	int64_t memory_mb, disk_mb;
	const char *addresses, *macs; /* JSON arrays as text */
};
/* Limits and types of docs/api/openapi.yaml; text is in the arena or tree. */
enum err inventory_parse(const json_t *o, struct arena *a,
    struct inventory *out, struct errinfo *ei) MUST_USE;

struct enrolment {
	struct uuid agency, token; /* token none: rekey of `cloned_from` */
	struct uuid cloned_from;
	unsigned char secret_hash[32];
	struct span csr;
	char fingerprint[65];
	struct inventory inventory;
	const char *remote;
};
/* *answer: components/schemas/Enrolled. */
enum err protection_enrol(const struct centre *c, struct arena *a,
    const struct enrolment *en, json_t **answer, struct errinfo *ei) MUST_USE;

enum err
protection_revoke(const struct centre *c, struct uuid agency, struct uuid agent,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;

/* ---- sync --------------------------------------------------------------- */

struct record {
	int64_t number;
	struct span kind;
	const json_t *body;
};
#define SYNC_RECORDS_MAX 500
struct sync {
	const struct agent *agent;
	char fingerprint[65];
	int64_t agent_time_ms, last_scan_ms; /* agent's clock; 0 = never */
	struct span version, fault;
	int64_t policy_version, set_version;
	bool has_inventory;
	struct inventory inventory;
	struct uuid spool;
	struct record *records;
	size_t count;
};
enum err sync_parse(const json_t *body, const struct agent *agent,
    struct arena *a, struct sync *out, struct errinfo *ei) MUST_USE;
/* One transaction: standing, records (each once), what the agent must know. */
enum err protection_sync(const struct centre *c, const struct sync *s,
    json_t **answer, struct errinfo *ei) MUST_USE;

/* Stores one record in the sync's transaction.  A record that makes no sense
 * is kept as an event of kind "malformed": it must not hold up the rest. */
enum err record_store(struct sql *q, const struct centre *c,
    const struct sync *s, const struct record *r, struct errinfo *ei) MUST_USE;

/* ---- lists for pages and API ---------------------------------------------*/

#define PAGE_ROWS 100

struct filter {
	struct span agency; /* code, or empty: this one and those below it */
	struct span state;  /* computers: state or reason; detections: state */
	struct span text;   /* host or file name contains */
	int64_t page;       /* from 1 */
};
struct filter protection_filter(const struct http_req *rq);

/* What has become of a detection, and a text for people (English msgid). */
struct choice {
	const char *value, *text;
};
extern const struct choice detection_states[]; /* value NULL ends */

/* {"rows": [...], "total": n, "page": p, "pages": n} */
#define CHOICES_MAX 1000 /* agencies that a page offers to choose from */

/* Members for a page: "agencies" of today with code and name, none where they
 * are more than CHOICES_MAX; "chosen_agency", the name behind a code. */
enum err agencies_to_choose(const struct http_req *rq, struct span chosen,
    json_t *data, struct errinfo *ei) MUST_USE;
enum err computers_list(const struct http_req *rq, const struct filter *f,
    json_t **out, struct errinfo *ei) MUST_USE;
enum err detections_list(const struct http_req *rq, const struct filter *f,
    json_t **out, struct errinfo *ei) MUST_USE;
/* Totals, reasons, agencies, history: what the overview shows. */
enum err overview_read(
    const struct http_req *rq, json_t **out, struct errinfo *ei) MUST_USE;
/* Import of the register of computers; as agencies_import(). */
enum err computers_import(const struct http_req *rq, struct span csv,
    json_t **report, struct errinfo *ei) MUST_USE;

/* ---- commands ------------------------------------------------------------ */

/* "scan" (object none), "restore" or "delete" (object: the detection). */
enum err command_add(const struct centre *c, const char *kind,
    struct uuid agency, struct uuid agent, struct uuid detection,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;
/* For a detection: finds its agent. */
enum err command_for_detection(const struct centre *c, const char *kind,
    struct uuid agency, struct uuid detection, const struct org_actor *who,
    struct errinfo *ei) MUST_USE;

/* ---- signature sets ------------------------------------------------------ */

enum err set_piece(const struct centre *c, int64_t version, int64_t offset,
    int64_t length, struct buf *out, struct errinfo *ei) MUST_USE;

#endif
