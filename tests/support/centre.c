#include "support/centre.h"

#include <ftw.h>
#include <unistd.h>

#include "accounts/accounts.h"
#include "agencies/agencies.h"
#include "base/file.h"
#include "protection/protection.h"

#define YEAR_MS (INT64_C(365) * DAY_MS)

static const struct module *const rooms[] = {
	&accounts_module,
	&agencies_module,
	&protection_module,
	NULL,
};
static const struct tab tabs[] = { { NULL, NULL } };

/* ---- keys ---- */

/* The library's clock is the system's: these are valid for it. */
static void
make_keys(struct test_centre *t)
{
	static const char *const ips[] = { "127.0.0.1", NULL };
	int64_t now = clock_utc_ms(&clock_system);
	struct cert_request rq = { .common_name = "localhost",
		.ip_names = ips,
		.not_before_ms = now - DAY_MS,
		.not_after_ms = now + YEAR_MS,
		.server = true };
	struct buf csr = buf_make(PEM_MAX);
	struct cert_info info;
	struct errinfo ei = { 0 };

	assert_ok(key_make(&t->ca_key, &ei));
	assert_ok(ca_make(buf_view(&t->ca_key), "Test CA", now - YEAR_MS,
	    now + YEAR_MS, &t->ca_cert, &ei));
	assert_ok(key_make(&t->server_key, &ei));
	assert_ok(csr_make(buf_view(&t->server_key), "localhost", &csr, &ei));
	assert_ok(ca_issue(buf_view(&t->ca_key), buf_view(&t->ca_cert),
	    buf_view(&csr), &rq, &t->server_cert, &ei));
	assert_ok(cert_read(buf_view(&t->ca_cert), &info, &ei));
	hex_encode(info.key_pin, SHA256_LEN, t->c.ca_pin);
	assert_ok(sign_key_make(t->c.sign_secret, t->c.sign_public, &ei));
	t->c.ca_key = buf_view(&t->ca_key);
	t->c.ca_cert = buf_view(&t->ca_cert);
	buf_free(&csr);
}

/* ---- tables and pages ---- */

static void
load_data(struct test_centre *t)
{
	struct buf csv = buf_make(65536), policy = buf_make(65536);
	struct errinfo ei = { 0 };

	assert_ok(file_read(TEST_ROOT "/data/settings.csv", &csv, &ei));
	assert_ok(org_settings_load(t->c.store, buf_view(&csv), &ei));
	assert_ok(file_read(TEST_ROOT "/data/policy.json", &policy, &ei));
	assert_ok(
	    protection_policy_set(&t->c, buf_view(&policy), &org_system, &ei));
	buf_free(&csv);
	buf_free(&policy);
}

static void
load_pages(struct test_centre *t)
{
	struct page_set *pages = NULL;
	struct i18n *en = NULL;
	struct errinfo ei = { 0 };

	assert_ok(page_load(TEST_ROOT "/web/templates", &pages, &ei));
	assert_ok(i18n_open("", "en", &en, &ei));
	t->c.pages = pages;
	t->c.en = t->c.vi = en;
}

void
test_centre_open(
    struct test_centre *t, struct test_database *db, int64_t now_ms)
{
	struct store_options opt = test_database_options(db);
	struct errinfo ei = { 0 };

	*t = (struct test_centre){ .clock = clock_fixed(now_ms),
		.arena = arena_new(64u << 20),
		.ca_key = buf_make(PEM_MAX),
		.ca_cert = buf_make(PEM_MAX),
		.server_key = buf_make(PEM_MAX),
		.server_cert = buf_make(PEM_MAX),
		.dir = "/tmp/khien-centre-XXXXXX" };
	assert_non_null(t->arena);
	assert_non_null(mkdtemp(t->dir));
	t->c.clock = &t->clock;
	t->c.modules = rooms;
	t->c.tabs = tabs;
	t->c.url = "https://127.0.0.1:8443";
	t->c.data_dir = t->dir;
	assert_ok(
	    file_make_dir(arena_fmt(t->arena, "%s/sets", t->dir), 0700, &ei));
	make_keys(t);
	load_pages(t);
	assert_ok(store_open(&opt, &t->c.store, &ei));
	assert_ok(centre_migrate(&t->c, &ei));
	load_data(t);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
test_centre_close(struct test_centre *t)
{
	store_close(t->c.store);
	page_free((struct page_set *)(uintptr_t)t->c.pages);
	i18n_free((struct i18n *)(uintptr_t)t->c.en);
	buf_free(&t->ca_key);
	buf_free(&t->ca_cert);
	buf_free(&t->server_key);
	buf_free(&t->server_cert);
	arena_free(t->arena);
	(void)nftw(t->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- what tests need of it ---- */

struct http_req
test_request(struct test_centre *t)
{
	static const struct route route = { "GET", "/", "computers.read", NULL,
		0 };
	static struct org_session session = { .login = "quantri" };

	return (struct http_req){ .app = &t->c,
		.arena = t->arena,
		.method = "GET",
		.path = "/",
		.content_type = "",
		.remote = "192.0.2.1",
		.route = &route,
		.who = &session,
		.lang = "en" };
}

struct number {
	const char *sql, *text;
	int64_t value;
};

static enum err
read_number(struct sql *q, void *arg, struct errinfo *ei)
{
	struct number *n = arg;

	if (n->text != NULL)
		return sql_get_int(q, &n->value, ei, n->sql, SQL_STR(n->text));
	return sql_get_int(q, &n->value, ei, n->sql);
}

int64_t
test_number(struct store *st, const char *sql)
{
	struct number n = { sql, NULL, 0 };
	struct errinfo ei = { 0 };

	assert_ok(store_read(st, read_number, &n, &ei));
	return n.value;
}

int64_t
test_audited(struct store *st, const char *action)
{
	struct number n = { "SELECT count(*) FROM audit WHERE action = ?1",
		action, 0 };
	struct errinfo ei = { 0 };

	assert_ok(store_read(st, read_number, &n, &ei));
	return n.value;
}

struct find {
	const char *code;
	struct uuid id;
};

static enum err
find_agency(struct sql *q, void *arg, struct errinfo *ei)
{
	struct find *f = arg;

	return org_agency_by_code(q, span_of(f->code), &f->id, ei);
}

struct uuid
test_agency(struct test_centre *t, const char *code, const char *parent)
{
	struct org_agency_row row = { .code = span_of(code),
		.name = span_of(code),
		.parent = span_of(parent),
		.kind = SPAN(""),
		.from = SPAN("2020-01-01"),
		.to = SPAN(""),
		.line = 1 };
	struct find f = { code, { { 0 } } };
	struct org_import got;
	struct errinfo ei = { 0 };

	assert_ok(org_agency_import(
	    t->c.store, t->c.clock, t->arena, &row, 1, &org_system, &got, &ei));
	assert_ok(store_read(t->c.store, find_agency, &f, &ei));
	return f.id;
}

void
test_setting(struct test_centre *t, const char *key, int64_t value)
{
	struct errinfo ei = { 0 };

	assert_ok(org_setting_set(
	    t->c.store, t->c.clock, key, value, &org_system, &ei));
}
