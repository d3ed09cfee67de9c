/* Everything but serving: what an administrator does at the machine. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypt/crypt.h"
#include "protection/protection.h"
#include "scan/scan.h"
#include "server.h"

#define PASSWORD_LETTERS 25 /* 125 bits */

static int
wrong_use(const char *verb, const char *msgid)
{
	(void)fprintf(stderr, "khien-server %s: %s\n", verb, say(msgid));
	return 2;
}

/* ---- init ---- */

static int
first_agency(struct setup *s, const char *code, const char *name)
{
	struct org_agency_row row = {
		.code = span_of(code),
		.name = span_of(name),
		.parent = SPAN(""),
		.kind = SPAN(""),
		.to = SPAN(""),
		.line = 1,
	};
	struct org_import got;
	struct errinfo ei = { 0 };
	char today[TIME_TEXT_MAX];

	time_day(clock_utc_ms(s->centre.clock), today);
	row.from = span_of(today);
	if (org_agency_import(s->centre.store, s->centre.clock, s->arena, &row,
		1, &org_system, &got, &ei) != OK)
		return fail("agency", &ei);
	return 0;
}

/* Gives LOGIN a random password by SET and prints both, once. */
static int
random_password(struct setup *s, const char *login,
    enum err (*set)(struct store *, const struct clock *, const char *,
	const char *, struct errinfo *))
{
	char password[PASSWORD_LETTERS + PASSWORD_LETTERS / 5 + 1];
	struct errinfo ei = { 0 };
	enum err e;

	password_random(PASSWORD_LETTERS, password);
	e = set(s->centre.store, s->centre.clock, login, password, &ei);
	if (e == OK)
		(void)printf("account %s\npassword %s\n", login, password);
	crypt_wipe(password, sizeof(password));
	return e == OK ? 0 : fail("account", &ei);
}

#define SKIPPED_SHOWN 100

/* Lines that cannot be used are named, up to a point; all are counted. */
static void
on_skipped(void *arg, const struct scan_problem *p)
{
	int *shown = arg;

	if (++*shown <= SKIPPED_SHOWN)
		log_warn("signature.skipped", LOG_S("file", p->file),
		    LOG_I("line", (int64_t)p->line), LOG_S("why", p->reason));
}

static int
build_set(struct setup *s, const char *const *sources, size_t n)
{
	struct scan_counts counts;
	struct errinfo ei = { 0 };
	int64_t version = 0;
	int shown = 0;
	const char *path;
	enum err e = protection_set_next(&s->centre, &version, &ei);

	if (e != OK)
		return fail("signature set", &ei);
	path = arena_fmt(s->arena, "%s/sets/%lld.kdb", s->config.data_dir,
	    (long long)version);
	e = scan_build_files(sources, n, path,
	    &(struct scan_build_options){ .version = (uint64_t)version },
	    on_skipped, &shown, &counts, &ei);
	if (e == OK)
		e = protection_set_publish(
		    &s->centre, version, &org_system, &ei);
	if (e != OK)
		return fail("signature set", &ei);
	(void)printf("set %lld: %llu hashes, %llu bodies, %llu yara, "
		     "%llu skipped\n",
	    (long long)version, (unsigned long long)counts.hashes,
	    (unsigned long long)counts.bodies, (unsigned long long)counts.yara,
	    (unsigned long long)counts.skipped);
	return 0;
}

static int
first_set(struct setup *s)
{
	struct errinfo ei = { 0 };
	int64_t version = 0;

	if (protection_set_next(&s->centre, &version, &ei) != OK)
		return fail("signature set", &ei);
	return version > 1 ? 0 : build_set(s, NULL, 0);
}

int
verb_init(struct setup *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "agency", required_argument, NULL, 'a' },
		{ "name", required_argument, NULL, 'n' },
		{ "login", required_argument, NULL, 'l' },
		{ 0 },
	};
	const char *agency = NULL, *name = NULL, *login = "quantri";
	int opt, status = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			agency = optarg;
		else if (opt == 'n')
			name = optarg;
		else if (opt == 'l')
			login = optarg;
		else
			return 2;
	}
	if ((agency == NULL) != (name == NULL))
		return wrong_use("init", N_("--agency and --name go together"));
	if (agency != NULL)
		status = first_agency(s, agency, name);
	if (status == 0)
		status = first_set(s);
	if (status != 0 || org_account_any(s->centre.store))
		return status;
	return random_password(s, login, org_account_add);
}

/* ---- password ---- */

int
verb_password(struct setup *s, int argc, char **argv)
{
	if (argc != 2)
		return wrong_use("password", N_("name one account"));
	return random_password(s, argv[1], org_password_reset);
}

/* ---- token ---- */

int
verb_token(struct setup *s, int argc, char **argv)
{
	struct buf text = buf_make(4096);
	struct errinfo ei = { 0 };
	uint64_t uses = 1;
	enum err e;

	if (argc < 2 || argc > 3 ||
	    (argc == 3 && span_u64(span_of(argv[2]), 100000, &uses) != OK))
		return wrong_use("token",
		    N_("name an agency, and if needed how many computers"));
	e = protection_token_make(&s->centre, span_of(argv[1]), (int64_t)uses,
	    &org_system, &text, &ei);
	if (e == OK)
		(void)printf("%s\n", text.ptr);
	buf_free(&text);
	return e == OK ? 0 : fail("token", &ei);
}

/* ---- publish ---- */

int
verb_publish(struct setup *s, int argc, char **argv)
{
	if (argc < 2)
		return wrong_use(
		    "publish", N_("name files or folders of signatures"));
	return build_set(s, (const char *const *)(argv + 1), (size_t)argc - 1);
}

/* ---- set ---- */

int
verb_set(struct setup *s, int argc, char **argv)
{
	struct errinfo ei = { 0 };
	int64_t value;

	if (argc != 3 || span_i64(span_of(argv[2]), &value) != OK)
		return wrong_use("set", N_("name a setting and a number"));
	if (org_setting_set(s->centre.store, s->centre.clock, argv[1], value,
		&org_system, &ei) != OK)
		return fail("set", &ei);
	return 0;
}

/* ---- routes ---- */

int
verb_routes(struct setup *s, int argc, char **argv)
{
	(void)s;
	(void)argc;
	(void)argv;
	for (size_t i = 0; all_modules[i] != NULL; i++)
		for (size_t k = 0; all_modules[i]->routes[k] != NULL; k++)
			for (const struct route *r = all_modules[i]->routes[k];
			     r->method != NULL; r++)
				(void)printf("%s %s %s\n", r->method,
				    r->pattern, r->permission);
	return 0;
}
