#ifndef ORG_ORG_H
#define ORG_ORG_H

#include "base/json.h"
#include "store/store.h"

/* What every room stands on: who is asking, the dated tree of agencies, the
 * settings, and the audit log.  Functions that take a `struct sql` run inside
 * the caller's transaction, so that one change and its audit row are one.
 * Any thread. */

extern const struct migration org_migrations[];

/* ---- who --------------------------------------------------------------- */

#define ORG_LOGIN_MAX   64 /* bytes with NUL */
#define ORG_NAME_MAX    256
#define ORG_SECRET_TEXT 44 /* 32 bytes as base64url, with NUL */

/* Who does something: an account, an agent, or the system itself. */
struct org_actor {
	struct uuid id;     /* none for the system */
	const char *name;   /* login, host name or "system" */
	const char *remote; /* address, or "" */
};
extern const struct org_actor org_system;

/* One account kind so far: the province's administrator, who may do all. */
struct org_session {
	struct uuid account;
	char login[ORG_LOGIN_MAX];
	char csrf[ORG_SECRET_TEXT];
	bool must_change; /* may only change the password */
};

/* The answer to a person's attempt to sign in. */
struct org_signin {
	char token[ORG_SECRET_TEXT]; /* of the cookie; stored only hashed */
	struct org_session session;
};

/* A new account with this password, which must be changed at first use.
 * ERR_EXISTS if the login is taken. */
enum err org_account_add(struct store *st, const struct clock *c,
    const char *login, const char *password, struct errinfo *ei) MUST_USE;
bool org_account_any(struct store *st); /* is there an account at all? */
/* Another password for who lost theirs; it must be changed at first use, the
 * lock opens and every session ends.  ERR_NOT_FOUND without such a login. */
enum err org_password_reset(struct store *st, const struct clock *c,
    const char *login, const char *password, struct errinfo *ei) MUST_USE;

/* ERR_AUTH when login or password is wrong (it does not tell which);
 * ERR_BUSY while the login is locked after too many failures, be there such
 * an account or not.  Both are in the audit log. */
enum err org_signin(struct store *st, const struct clock *c, struct span login,
    struct span password, const char *remote, struct org_signin *out,
    struct errinfo *ei) MUST_USE;
/* ERR_AUTH when the token is unknown, idle too long or expired. */
enum err org_session_find(struct store *st, const struct clock *c,
    const char *token, struct org_session *out, struct errinfo *ei) MUST_USE;
enum err org_signout(struct store *st, const struct clock *c, const char *token,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;
/* What a new password must be, by the settings. */
struct org_password_rules {
	int64_t length; /* characters at least */
	int64_t kinds;  /* of lower case, upper case, digits, signs at least */
};
enum err org_password_rules(struct store *st, struct org_password_rules *out,
    struct errinfo *ei) MUST_USE;
/* Ends every other session of the account.  ERR_SYNTAX with field
 * "password" says which rule the new one breaks, ERR_AUTH with field
 * "current" that the old one is wrong; wrong ones count and lock as in
 * org_signin(). */
enum err org_password_change(struct store *st, const struct clock *c,
    const char *token, struct span current, struct span wanted,
    const struct org_actor *who, struct errinfo *ei) MUST_USE;

/* ---- settings ---------------------------------------------------------- */

/* Numbers that a province may set, with their defaults and the law behind
 * them in data/settings.csv; SQL reads them from the table `settings`. */
enum err org_settings_load(struct store *st, struct span csv,
    struct errinfo *ei) MUST_USE; /* adds what is missing, corrects bounds */
enum err org_setting_get(
    struct sql *q, const char *key, int64_t *out, struct errinfo *ei) MUST_USE;
/* ERR_NOT_FOUND for an unknown key, ERR_LIMIT outside its bounds. */
enum err
org_setting_set(struct store *st, const struct clock *c, const char *key,
    int64_t value, const struct org_actor *who, struct errinfo *ei) MUST_USE;

/* ---- agencies ---------------------------------------------------------- */

#define ORG_AGENCIES_MAX 20000
#define ORG_CODE_MAX     64 /* bytes with NUL */
#define ORG_DEPTH_MAX    16

/* An agency as it stood on one day.  Text lives in the arena. */
struct org_agency {
	struct uuid id, parent; /* parent none: at the top */
	const char *code, *name, *kind;
	const char *from, *to; /* "YYYY-MM-DD"; to "" = still valid; the day
				  `to` itself is no longer in */
	int depth;             /* 0 at the top */
};

/* The tree on `day`, parents before children, siblings by code. */
enum err org_agency_tree(struct sql *q, struct arena *a, const char *day,
    struct org_agency **out, size_t *count, struct errinfo *ei) MUST_USE;
/* values[i] belongs to tree[i]; afterwards it is the sum of the agency and of
 * all below it. */
void org_agency_sum(const struct org_agency *tree, size_t n, int64_t *values);
enum err org_agency_by_code(struct sql *q, struct span code, struct uuid *out,
    struct errinfo *ei) MUST_USE;

/* One row of an import: what shall hold from `from` on. */
struct org_agency_row {
	struct span code, name, parent, kind, from, to;
	size_t line;     /* of the file, for messages */
	const char *why; /* the row could not even be read: English msgid */
};
struct org_row_problem {
	size_t line;
	const char *column; /* the row's member at fault */
	const char *why;    /* English msgid */
};
struct org_import {
	size_t added, changed, unchanged;
	struct org_row_problem *problems; /* in the arena */
	size_t problem_count;
};
/* All rows or, when one is bad, none; every bad row is in the report.
 * A row whose `from` is later than the agency's latest one ends that and
 * begins a new period; the same `from` corrects it.  Rows may come in any
 * order, several for one agency too; superiors must be free of circles on
 * every day. */
enum err
org_agency_import(struct store *st, const struct clock *c, struct arena *a,
    const struct org_agency_row *rows, size_t n, const struct org_actor *who,
    struct org_import *out, struct errinfo *ei) MUST_USE;

/* ---- audit ------------------------------------------------------------- */

/* One row, in the transaction of the change.  `detail` is borrowed and may be
 * NULL; never put a secret in it. */
enum err org_audit(struct sql *q, const struct clock *c,
    const struct org_actor *who, const char *action, const char *object,
    const json_t *detail, struct errinfo *ei) MUST_USE;

#endif
