/* Accounts and sessions. */

#include <string.h>

#include "crypt/crypt.h"
#include "org/org.h"

#define SECRET_LEN 32

static void
secret_make(char out[ORG_SECRET_TEXT])
{
	unsigned char bytes[SECRET_LEN];
	struct buf b = buf_make(ORG_SECRET_TEXT);

	random_bytes(bytes, sizeof(bytes));
	base64url_encode((struct span){ (char *)bytes, sizeof(bytes) }, &b);
	memcpy(out, b.ptr, ORG_SECRET_TEXT - 1);
	out[ORG_SECRET_TEXT - 1] = '\0';
	crypt_wipe(bytes, sizeof(bytes));
	buf_free(&b);
}

static struct span
token_hash(const char *token, unsigned char out[SHA256_LEN])
{
	sha256(span_of(token), out);
	return (struct span){ (const char *)out, SHA256_LEN };
}

/* ---- adding ---- */

struct account_job {
	const struct clock *c;
	const char *login, *hash;
};

static enum err
account_insert(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct account_job *job = arg;
	enum err e = sql_exec(q, NULL, ei,
	    "INSERT INTO accounts (account_id, login, password, must_change,"
	    " created_ms) VALUES (?1, ?2, ?3, 1, ?4)",
	    SQL_UUID(uuid_make(job->c)), SQL_STR(job->login),
	    SQL_STR(job->hash), SQL_INT(clock_utc_ms(job->c)));

	if (e == ERR_EXISTS)
		return err_field(
		    ei, e, "login", "login %s is taken", job->login);
	if (e != OK)
		return e;
	return org_audit(
	    q, job->c, &org_system, "account.add", job->login, NULL, ei);
}

enum err
org_account_add(struct store *st, const struct clock *c, const char *login,
    const char *password, struct errinfo *ei)
{
	char hash[PASSWORD_HASH_MAX];
	struct account_job job = { c, login, hash };
	enum err e;

	if (strlen(login) == 0 || strlen(login) >= ORG_LOGIN_MAX)
		return err_field(ei, ERR_LIMIT, "login",
		    "a login has 1 to %d bytes", ORG_LOGIN_MAX - 1);
	e = password_hash(span_of(password), hash, ei);
	return e == OK ? store_write(st, account_insert, &job, ei) : e;
}

/* The account starts afresh: no lock, no session, this password once. */
static enum err
account_reset(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct account_job *job = arg;
	int64_t known = 0;
	enum err e = sql_exec(q, &known, ei,
	    "UPDATE accounts SET password = ?2, must_change = 1"
	    " WHERE login = ?1",
	    SQL_STR(job->login), SQL_STR(job->hash));

	if (e == OK && known == 0)
		e = err_field(ei, ERR_NOT_FOUND, "login",
		    "there is no account %s", job->login);
	if (e == OK)
		e = sql_exec(q, NULL, ei,
		    "DELETE FROM signin_failures WHERE login = ?1",
		    SQL_STR(job->login));
	if (e == OK)
		e = sql_exec(q, NULL, ei,
		    "DELETE FROM sessions WHERE account_id ="
		    " (SELECT account_id FROM accounts WHERE login = ?1)",
		    SQL_STR(job->login));
	if (e != OK)
		return e;
	return org_audit(
	    q, job->c, &org_system, "password.reset", job->login, NULL, ei);
}

enum err
org_password_reset(struct store *st, const struct clock *c, const char *login,
    const char *password, struct errinfo *ei)
{
	char hash[PASSWORD_HASH_MAX];
	struct account_job job = { c, login, hash };
	enum err e = password_hash(span_of(password), hash, ei);

	return e == OK ? store_write(st, account_reset, &job, ei) : e;
}

static enum err
account_count(struct sql *q, void *arg, struct errinfo *ei)
{
	return sql_get_int(q, arg, ei, "SELECT count(*) FROM accounts");
}

bool
org_account_any(struct store *st)
{
	int64_t n = 0;

	return store_read(st, account_count, &n, NULL) == OK && n > 0;
}

/* ---- signing in ---- */

struct account {
	struct uuid id;
	char hash[PASSWORD_HASH_MAX];
	bool must_change;
};

struct signin_job {
	const struct clock *c;
	struct span login;
	const char *remote;
	struct account account; /* found */
	bool locked;
	bool good;           /* the password was right */
	const char *failure; /* the audit log's word for a wrong one */
	struct org_signin *out;
};

static enum err
account_find(struct sql *q, void *arg, struct errinfo *ei)
{
	struct signin_job *job = arg;
	struct arena *a = arena_new(4096);
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = a == NULL ? ERR_NOMEM
			       : sql_query(q, &r, ei,
				     "SELECT account_id, password, must_change"
				     " FROM accounts WHERE login = ?1",
				     SQL_TEXT(job->login));

	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && more) {
		const char *hash = sql_text(&r, 1, a);

		job->account.id = sql_uuid(&r, 0);
		job->account.must_change = sql_int(&r, 2) != 0;
		if (hash == NULL || strlen(hash) >= PASSWORD_HASH_MAX)
			e = err_set(ei, ERR_CORRUPT, "account password");
		else
			memcpy(job->account.hash, hash, strlen(hash) + 1);
	} else if (e == OK) {
		e = err_set(ei, ERR_NOT_FOUND, "account");
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

#define LOCK_MAX_MS DAY_MS /* the most that accounts.lock_minutes allows */

/* Failures are counted by login, whether there is such an account or not:
 * a lock tells a stranger nothing.  A lock that ends later than any can was
 * made while the clock was wrong. */
static enum err
read_lock(struct sql *q, struct signin_job *job, struct errinfo *ei)
{
	int64_t until = 0, now = clock_utc_ms(job->c);
	enum err e = sql_get_int(q, &until, ei,
	    "SELECT locked_until_ms FROM signin_failures WHERE login = ?1",
	    SQL_TEXT(job->login));

	job->locked = until > now && until <= now + LOCK_MAX_MS;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
signin_find(struct sql *q, void *arg, struct errinfo *ei)
{
	enum err e = read_lock(q, arg, ei);

	return e == OK ? account_find(q, arg, ei) : e;
}

static enum err
count_failure(struct sql *q, const struct signin_job *job, struct errinfo *ei)
{
	int64_t most, minutes, now = clock_utc_ms(job->c);
	enum err e = org_setting_get(q, "accounts.failures", &most, ei);

	if (e == OK)
		e = org_setting_get(q, "accounts.lock_minutes", &minutes, ei);
	if (e == OK) /* what strangers typed is not kept for ever */
		e = sql_exec(q, NULL, ei,
		    "DELETE FROM signin_failures WHERE seen_ms < ?1",
		    SQL_INT(now - LOCK_MAX_MS));
	if (e == OK)
		e = sql_exec(q, NULL, ei,
		    "INSERT INTO signin_failures AS f (login, failures,"
		    " locked_until_ms, seen_ms) VALUES (?1, 1, 0, ?4)"
		    " ON CONFLICT (login) DO UPDATE SET"
		    " locked_until_ms = CASE WHEN f.failures + 1 >= ?2"
		    "  THEN ?3 ELSE f.locked_until_ms END,"
		    " failures = CASE WHEN f.failures + 1 >= ?2"
		    "  THEN 0 ELSE f.failures + 1 END,"
		    " seen_ms = ?4",
		    SQL_TEXT(job->login), SQL_INT(most),
		    SQL_INT(now + minutes * 60000), SQL_INT(now));
	return e;
}

/* Sessions that ended by time leave with the next sign-in. */
static enum err
forget_sessions(struct sql *q, int64_t now, struct errinfo *ei)
{
	return sql_exec(q, NULL, ei,
	    "DELETE FROM sessions WHERE created_ms <= ?1 - 3600000 *"
	    " (SELECT value FROM settings WHERE key ="
	    "  'accounts.session_hours')",
	    SQL_INT(now));
}

static enum err
open_session(struct sql *q, struct signin_job *job, struct errinfo *ei)
{
	struct org_signin *out = job->out;
	unsigned char hash[SHA256_LEN];
	int64_t now = clock_utc_ms(job->c);
	enum err e = sql_exec(q, NULL, ei,
	    "DELETE FROM signin_failures WHERE login = ?1",
	    SQL_TEXT(job->login));

	if (e == OK)
		e = forget_sessions(q, now, ei);
	if (e != OK)
		return e;
	return sql_exec(q, NULL, ei,
	    "INSERT INTO sessions (token_hash, account_id, csrf, created_ms,"
	    " seen_ms, remote) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
	    SQL_BLOB(token_hash(out->token, hash)), SQL_UUID(job->account.id),
	    SQL_STR(out->session.csrf), SQL_INT(now), SQL_STR(job->remote));
}

/* Looks at the lock again: others tried at the same time. */
static enum err
signin_record(struct sql *q, void *arg, struct errinfo *ei)
{
	struct signin_job *job = arg;
	struct org_actor who = { job->account.id, job->out->session.login,
		job->remote };
	enum err e = read_lock(q, job, ei);

	if (e == OK && !job->locked)
		e = job->good ? open_session(q, job, ei)
			      : count_failure(q, job, ei);
	if (e != OK)
		return e;
	return org_audit(q, job->c, &who,
	    job->locked     ? "signin.locked"
		: job->good ? "signin"
			    : job->failure,
	    who.name, NULL, ei);
}

/* A hash of no known password: an unknown login costs as much time. */
static const char nobody_hash[] = "scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA$"
				  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum err
org_signin(struct store *st, const struct clock *c, struct span login,
    struct span password, const char *remote, struct org_signin *out,
    struct errinfo *ei)
{
	struct org_signin made = { 0 };
	struct signin_job job = { .c = c,
		.login = login,
		.remote = remote,
		.failure = "signin.failed",
		.out = &made };
	enum err e, found;

	if (login.len == 0 || login.len >= ORG_LOGIN_MAX || !span_utf8(login) ||
	    password.len > PASSWORD_MAX)
		return err_set(ei, ERR_AUTH, "wrong login or password");
	found = store_read(st, signin_find, &job, ei);
	if (found != OK && found != ERR_NOT_FOUND)
		return found;
	if (!job.locked)
		job.good = password_verify(password,
			       found == OK ? job.account.hash : nobody_hash,
			       NULL) == OK &&
		    found == OK;
	memcpy(made.session.login, login.ptr, login.len);
	made.session.account = job.account.id;
	made.session.must_change = job.account.must_change;
	secret_make(made.token);
	secret_make(made.session.csrf);
	e = store_write(st, signin_record, &job, ei);
	if (e != OK)
		return e;
	if (job.locked)
		return err_set(ei, ERR_BUSY,
		    "the account is locked after too many failures");
	if (!job.good)
		return err_set(ei, ERR_AUTH, "wrong login or password");
	*out = made;
	return OK;
}

/* ---- sessions ---- */

struct session_job {
	const struct clock *c;
	const char *token;
	struct org_session found;
	int64_t seen_ms;
	/* for changes */
	const struct org_actor *who;
	const char *hash;
};

static void
copy_text(char *to, size_t size, const char *from)
{
	size_t n = from == NULL ? 0 : strlen(from);

	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(to, from, n);
	to[n] = '\0';
}

static enum err
session_find(struct sql *q, void *arg, struct errinfo *ei)
{
	struct session_job *job = arg;
	unsigned char hash[SHA256_LEN];
	struct arena *a = arena_new(4096);
	int64_t now = clock_utc_ms(job->c);
	struct sql_rows r = { 0 };
	bool more = false;
	enum err e = a == NULL ? err_set(ei, ERR_NOMEM, "session") : OK;

	if (e == OK)
		e = sql_query(q, &r, ei,
		    "SELECT s.account_id, a.login, s.csrf, a.must_change,"
		    " s.seen_ms FROM sessions s"
		    " JOIN accounts a ON a.account_id = s.account_id"
		    " WHERE s.token_hash = ?1"
		    /* both ways: the clock may have been wrong then */
		    " AND abs(s.seen_ms - ?2) < 60000 * (SELECT value"
		    "  FROM settings WHERE key = 'accounts.idle_minutes')"
		    " AND abs(s.created_ms - ?2) < 3600000 * (SELECT value"
		    "  FROM settings WHERE key = 'accounts.session_hours')",
		    SQL_BLOB(token_hash(job->token, hash)), SQL_INT(now));
	if (e == OK)
		e = sql_next(&r, &more, ei);
	if (e == OK && !more)
		e = err_set(ei, ERR_AUTH, "not signed in");
	if (e == OK) {
		job->found.account = sql_uuid(&r, 0);
		copy_text(job->found.login, ORG_LOGIN_MAX, sql_text(&r, 1, a));
		copy_text(job->found.csrf, ORG_SECRET_TEXT, sql_text(&r, 2, a));
		job->found.must_change = sql_int(&r, 3) != 0;
		job->seen_ms = sql_int(&r, 4);
	}
	sql_end(&r);
	arena_free(a);
	return e;
}

static enum err
session_touch(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct session_job *job = arg;
	unsigned char hash[SHA256_LEN];

	return sql_exec(q, NULL, ei,
	    "UPDATE sessions SET seen_ms = ?2 WHERE token_hash = ?1",
	    SQL_BLOB(token_hash(job->token, hash)),
	    SQL_INT(clock_utc_ms(job->c)));
}

#define TOUCH_MS 60000 /* how exact the idle time-out is */

enum err
org_session_find(struct store *st, const struct clock *c, const char *token,
    struct org_session *out, struct errinfo *ei)
{
	struct session_job job = { .c = c, .token = token };
	enum err e;

	if (token == NULL || strlen(token) != ORG_SECRET_TEXT - 1)
		return err_set(ei, ERR_AUTH, "not signed in");
	e = store_read(st, session_find, &job, ei);
	if (e == OK && clock_utc_ms(c) - job.seen_ms > TOUCH_MS)
		e = store_write(st, session_touch, &job, ei);
	if (e == OK)
		*out = job.found;
	return e;
}

static enum err
session_end(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct session_job *job = arg;
	unsigned char hash[SHA256_LEN];
	enum err e =
	    sql_exec(q, NULL, ei, "DELETE FROM sessions WHERE token_hash = ?1",
		SQL_BLOB(token_hash(job->token, hash)));

	if (e != OK)
		return e;
	return org_audit(
	    q, job->c, job->who, "signout", job->who->name, NULL, ei);
}

enum err
org_signout(struct store *st, const struct clock *c, const char *token,
    const struct org_actor *who, struct errinfo *ei)
{
	struct session_job job = { .c = c, .token = token, .who = who };

	return store_write(st, session_end, &job, ei);
}

/* ---- passwords ---- */

/* How many of: lower case, upper case, digits, anything else. */
static int
kinds_in(struct span password)
{
	int seen[4] = { 0 };

	for (size_t i = 0; i < password.len; i++) {
		char ch = password.ptr[i];

		if (ch >= 'a' && ch <= 'z')
			seen[0] = 1;
		else if (ch >= 'A' && ch <= 'Z')
			seen[1] = 1;
		else if (ch >= '0' && ch <= '9')
			seen[2] = 1;
		else
			seen[3] = 1;
	}
	return seen[0] + seen[1] + seen[2] + seen[3];
}

/* Characters, not bytes: those of UTF-8 that begin one. */
static int64_t
characters_in(struct span password)
{
	int64_t n = 0;

	for (size_t i = 0; i < password.len; i++)
		n += ((unsigned char)password.ptr[i] & 0xc0) != 0x80;
	return n;
}

static enum err
read_rules(struct sql *q, void *arg, struct errinfo *ei)
{
	struct org_password_rules *rules = arg;
	enum err e =
	    org_setting_get(q, "accounts.password_length", &rules->length, ei);

	if (e == OK)
		e = org_setting_get(
		    q, "accounts.password_kinds", &rules->kinds, ei);
	return e;
}

enum err
org_password_rules(
    struct store *st, struct org_password_rules *out, struct errinfo *ei)
{
	return store_read(st, read_rules, out, ei);
}

static enum err
check_rules(struct store *st, struct span password, struct errinfo *ei)
{
	struct org_password_rules rules;
	enum err e = org_password_rules(st, &rules, ei);

	if (e != OK)
		return e;
	if (!span_utf8(password) || password.len > PASSWORD_MAX)
		return err_field(ei, ERR_LIMIT, "password",
		    "a password has at most %d bytes of UTF-8", PASSWORD_MAX);
	if (characters_in(password) < rules.length ||
	    kinds_in(password) < rules.kinds)
		return err_field(ei, ERR_SYNTAX, "password",
		    "a password has at least %lld characters of %lld kinds",
		    (long long)rules.length, (long long)rules.kinds);
	return OK;
}

static enum err
password_store(struct sql *q, void *arg, struct errinfo *ei)
{
	const struct session_job *job = arg;
	unsigned char hash[SHA256_LEN];
	enum err e = sql_exec(q, NULL, ei,
	    "UPDATE accounts SET password = ?2, must_change = 0"
	    " WHERE account_id = ?1",
	    SQL_UUID(job->found.account), SQL_STR(job->hash));

	if (e == OK)
		e = sql_exec(q, NULL, ei,
		    "DELETE FROM sessions WHERE account_id = ?1"
		    " AND token_hash <> ?2",
		    SQL_UUID(job->found.account),
		    SQL_BLOB(token_hash(job->token, hash)));
	if (e != OK)
		return e;
	return org_audit(q, job->c, job->who, "account.password",
	    job->found.login, NULL, ei);
}

/* The current password again, with the same lock: a session that was left
 * open is no place to guess it. */
static enum err
check_current(struct store *st, const struct session_job *session,
    struct span current, struct errinfo *ei)
{
	struct org_signin as = { .session = session->found };
	struct signin_job job = { .c = session->c,
		.login = span_of(session->found.login),
		.remote = session->who->remote,
		.failure = "account.password.failed",
		.out = &as };
	enum err e = store_read(st, signin_find, &job, ei);

	if (e != OK)
		return e;
	if (!job.locked &&
	    password_verify(current, job.account.hash, NULL) == OK)
		return OK;
	e = store_write(st, signin_record, &job, ei);
	if (e != OK)
		return e;
	if (job.locked)
		return err_set(ei, ERR_BUSY,
		    "the account is locked after too many failures");
	return err_field(
	    ei, ERR_AUTH, "current", "the current password is wrong");
}

enum err
org_password_change(struct store *st, const struct clock *c, const char *token,
    struct span current, struct span wanted, const struct org_actor *who,
    struct errinfo *ei)
{
	char hash[PASSWORD_HASH_MAX];
	struct session_job job = {
		.c = c, .token = token, .who = who, .hash = hash
	};
	enum err e = store_read(st, session_find, &job, ei);

	if (e == OK)
		e = check_current(st, &job, current, ei);
	if (e != OK)
		return e;
	if (span_eq(current, wanted))
		return err_field(ei, ERR_SYNTAX, "password",
		    "the new password is the old one");
	e = check_rules(st, wanted, ei);
	if (e == OK)
		e = password_hash(wanted, hash, ei);
	if (e == OK)
		e = store_write(st, password_store, &job, ei);
	crypt_wipe(hash, sizeof(hash));
	return e;
}
