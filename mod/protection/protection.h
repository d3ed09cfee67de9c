#ifndef PROTECTION_PROTECTION_H
#define PROTECTION_PROTECTION_H

#include "module/module.h"

/* Is every computer protected, and if not, why?  Enrolment and sync of
 * agents, the register of computers that should be there, coverage,
 * detections, commands, signature sets. */
extern const struct module protection_module;

/* ---- for khien-server (set-up and commands, outside any request) --------- */

/* The text of a new enrolment token for the agency with this code: good for
 * `uses` computers, for the time that the setting protection.token_hours
 * gives.  Appended to out. */
enum err protection_token_make(const struct centre *c, struct span agency_code,
    int64_t uses, const struct org_actor *who, struct buf *out,
    struct errinfo *ei) MUST_USE;

/* The version that the next signature set gets. */
enum err protection_set_next(
    const struct centre *c, int64_t *version, struct errinfo *ei) MUST_USE;
/* Sign the compiled set that lies at DATA_DIR/sets/VERSION.kdb and offer it to
 * all agents from now on. */
enum err protection_set_publish(const struct centre *c, int64_t version,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;

/* The policy of all agents: a new version if the text differs from the one in
 * force.  `json`: docs/api/openapi.yaml, Policy, without "version". */
enum err protection_policy_set(const struct centre *c, struct span json,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;

#endif
