/* What the room is: its tables, figures and reasons. */

#include <string.h>

#include "protection/protection_int.h"

const struct migration protection_migrations[] = {
	{ "0001-protection",
	    "CREATE TABLE computers (\n" /* the register: what should be there */
	    "  agency_id {UUID} NOT NULL,\n"
	    "  computer_id {UUID} NOT NULL,\n"
	    "  code TEXT NOT NULL,\n"
	    "  name TEXT NOT NULL,\n"
	    "  kind TEXT NOT NULL,\n"
	    "  mac TEXT NOT NULL,\n"
	    "  agent_id {UUID},\n"
	    "  created_ms {TIME} NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, computer_id),\n"
	    "  UNIQUE (agency_id, code)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX computers_agent ON computers (agency_id, agent_id);\n"
	    "CREATE TABLE agents (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  fingerprint TEXT NOT NULL,\n"
	    "  cloned_from {UUID},\n"
	    "  enrolled_ms {TIME} NOT NULL,\n"
	    "  revoked_ms {TIME} NOT NULL,\n"
	    "  host TEXT NOT NULL,\n"
	    "  kind TEXT NOT NULL,\n"
	    "  os TEXT NOT NULL,\n"
	    "  os_version TEXT NOT NULL,\n"
	    "  kernel TEXT NOT NULL,\n"
	    "  arch TEXT NOT NULL,\n"
	    "  cpu TEXT NOT NULL,\n"
	    "  memory_mb INTEGER NOT NULL,\n"
	    "  disk_mb INTEGER NOT NULL,\n"
	    "  addresses {JSON} NOT NULL,\n"
	    "  macs {JSON} NOT NULL,\n"
	    "  version TEXT NOT NULL,\n"
	    "  seen_ms {TIME} NOT NULL,\n"
	    "  offset_ms INTEGER NOT NULL,\n"
	    "  policy_version INTEGER NOT NULL,\n"
	    "  set_version INTEGER NOT NULL,\n"
	    "  set_built_ms {TIME} NOT NULL,\n"
	    "  last_scan_ms {TIME} NOT NULL,\n"
	    "  fault TEXT NOT NULL,\n"
	    "  spool_id {UUID},\n"
	    "  spool_ack INTEGER NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, agent_id)\n"
	    ") {TENANT};\n"
	    /* Which agent a certificate stands for: small, looked up by serial
	     * before the agency is known. */
	    "CREATE TABLE agent_certificates (\n"
	    "  serial TEXT NOT NULL PRIMARY KEY,\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  key_pin {BLOB} NOT NULL,\n"
	    "  token_id {UUID},\n"
	    "  not_after_ms {TIME} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE INDEX agent_certificates_pin"
	    " ON agent_certificates (key_pin);\n"
	    "CREATE TABLE enrolment_tokens (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  token_id {UUID} NOT NULL,\n"
	    "  secret_hash {BLOB} NOT NULL,\n"
	    "  uses_left INTEGER NOT NULL,\n"
	    "  expires_ms {TIME} NOT NULL,\n"
	    "  created_ms {TIME} NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, token_id)\n"
	    ") {TENANT};\n"
	    "CREATE TABLE detections (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  detection_id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  at_ms {TIME} NOT NULL,\n"
	    "  received_ms {TIME} NOT NULL,\n"
	    "  path TEXT NOT NULL,\n"
	    "  inner_path TEXT NOT NULL,\n"
	    "  name TEXT NOT NULL,\n"
	    "  source TEXT NOT NULL,\n"
	    "  outcome TEXT NOT NULL,\n"
	    "  sha256 TEXT NOT NULL,\n"
	    "  size INTEGER NOT NULL,\n"
	    "  set_version INTEGER NOT NULL,\n"
	    "  state TEXT NOT NULL,\n"
	    "  state_ms {TIME} NOT NULL,\n"
	    "  reason TEXT NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, detection_id)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX detections_at ON detections (agency_id, at_ms);\n"
	    "CREATE INDEX detections_time ON detections (at_ms);\n"
	    "CREATE TABLE agent_events (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  event_id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  received_ms {TIME} NOT NULL,\n"
	    "  kind TEXT NOT NULL,\n"
	    "  body {JSON} NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, event_id)\n"
	    ") {TENANT};\n"
	    "CREATE TABLE commands (\n"
	    "  agency_id {UUID} NOT NULL,\n"
	    "  command_id {UUID} NOT NULL,\n"
	    "  agent_id {UUID} NOT NULL,\n"
	    "  kind TEXT NOT NULL,\n"
	    "  detection_id {UUID},\n"
	    "  created_ms {TIME} NOT NULL,\n"
	    "  state TEXT NOT NULL,\n"
	    "  reason TEXT NOT NULL,\n"
	    "  PRIMARY KEY (agency_id, command_id)\n"
	    ") {TENANT};\n"
	    "CREATE INDEX commands_waiting"
	    " ON commands (agency_id, agent_id, state);\n"
	    "CREATE TABLE policies (\n"
	    "  version INTEGER NOT NULL PRIMARY KEY,\n"
	    "  body {JSON} NOT NULL,\n"
	    "  created_ms {TIME} NOT NULL\n"
	    ") {GLOBAL};\n"
	    "CREATE TABLE signature_sets (\n"
	    "  version INTEGER NOT NULL PRIMARY KEY,\n"
	    "  size INTEGER NOT NULL,\n"
	    "  sha256 TEXT NOT NULL,\n"
	    "  signature TEXT NOT NULL,\n"
	    "  created_ms {TIME} NOT NULL\n"
	    ") {GLOBAL}" },
	{ "0002-open-detections",
	    "CREATE INDEX detections_open ON detections (agency_id)"
	    " WHERE state IN ('found', 'failed')" },
	{ "0003-detections-received",
	    "CREATE INDEX detections_received ON detections (received_ms)" },
	{ NULL, NULL },
};

const struct reason protection_reasons[] = {
	{ "", "protected", N_("Protected"), "" },
	{ "no_agent", "unprotected", N_("No agent"),
	    N_("In the register, but no agent was enrolled: install it.") },
	{ "fault", "unprotected", N_("Fault"),
	    N_("The agent reports that it cannot do its work.") },
	{ "signatures", "unprotected", N_("Signatures too old"),
	    N_("The signature set in use is older than allowed.") },
	{ "scan", "unprotected", N_("Last scan too old"),
	    N_("No complete scan within the time allowed.") },
	{ "silent", "unknown", N_("Agent silent"),
	    N_("Not heard of for longer than allowed: off, gone or stopped. "
	       "Neither protected nor infected: unknown.") },
	{ 0 },
};

const struct reason *
protection_reason(const char *reason)
{
	for (const struct reason *r = protection_reasons; r->reason; r++)
		if (strcmp(r->reason, reason) == 0)
			return r;
	return NULL;
}

/* What the figures rest on: tasks of the letter, by the numbers of README. */
#define BASIS_COVERAGE                                                         \
	N_("letter 1670/UBND-THCB, task L2: every computer is protected")
#define BASIS_REPORTS                                                          \
	N_("letter 1670/UBND-THCB, task L6: assessment and reports")
#define BASIS_REPORTS_DAILY                                                    \
	N_("letter 1670/UBND-THCB, task L6: assessment and reports; letter "   \
	   "2290/BTTTT-CATTT")

#define COUNT_SQL(where)                                                       \
	JUDGED_SQL "SELECT agency_id, count(*) FROM judged WHERE " where       \
		   " GROUP BY agency_id"

const struct figure protection_figures[] = {
	{ "protection.computers.declared", N_("computers"), N_("Expected"),
	    N_("Servers, workstations and terminals in the agency's "
	       "register."),
	    BASIS_COVERAGE,
	    "SELECT agency_id, count(*) FROM computers WHERE ?1 > 0"
	    " AND ?2 < ?3 GROUP BY agency_id" },
	{ "protection.computers.total", N_("computers"), N_("Computers"),
	    N_("Computers in the register, and computers with an agent that "
	       "the register does not know."),
	    BASIS_COVERAGE, COUNT_SQL("?2 < ?3") },
	{ "protection.computers.enrolled", N_("computers"), N_("Enrolled"),
	    N_("Computers whose agent has enrolled and was not revoked."),
	    BASIS_COVERAGE, COUNT_SQL("agent_id IS NOT NULL AND ?2 < ?3") },
	{ "protection.computers.protected", N_("computers"), N_("Protected"),
	    N_("The agent was heard of lately, has no fault, uses signatures "
	       "that are young enough, and completed a scan lately enough."),
	    BASIS_COVERAGE, COUNT_SQL("reason = '' AND ?2 < ?3") },
	{ "protection.computers.unprotected", N_("computers"),
	    N_("Not protected"),
	    N_("No agent, a fault, signatures too old, or the last scan too "
	       "old."),
	    BASIS_COVERAGE,
	    COUNT_SQL("reason NOT IN ('', 'silent') AND ?2 < ?3") },
	{ "protection.computers.unknown", N_("computers"), N_("Unknown"),
	    N_("The agent has been silent for longer than allowed: counted "
	       "neither as protected nor as unprotected."),
	    BASIS_COVERAGE, COUNT_SQL("reason = 'silent' AND ?2 < ?3") },
	{ "protection.detections", N_("times"), N_("Detections"),
	    N_("Malware that computers reported on this day; what one found "
	       "while it was offline counts when it is heard of again."),
	    BASIS_REPORTS_DAILY,
	    "SELECT agency_id, count(*) FROM detections WHERE ?1 > 0"
	    " AND outcome = 'infected' AND received_ms >= ?2 AND received_ms < "
	    "?3"
	    " GROUP BY agency_id" },
	{ "protection.detections.open", N_("times"), N_("Not dealt with"),
	    N_("Detections whose file was neither quarantined nor deleted."),
	    BASIS_REPORTS,
	    "SELECT agency_id, count(*) FROM detections WHERE ?1 > 0"
	    " AND ?2 < ?3 AND state IN ('found', 'failed')"
	    " GROUP BY agency_id" },
	{ 0 },
};

const struct module protection_module = {
	.name = "protection",
	.migrations = protection_migrations,
	.routes = { protection_pages, protection_api, protection_acts },
	.figures = protection_figures,
	.admit_agent = protection_admit,
};
