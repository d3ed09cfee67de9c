#include "server.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "accounts/accounts.h"
#include "agencies/agencies.h"
#include "base/file.h"
#include "keys.h"
#include "protection/protection.h"

const struct module *const all_modules[] = {
	&accounts_module,
	&agencies_module,
	&protection_module,
	&health_module,
	NULL,
};

const struct tab all_tabs[] = {
	{ "/", N_("Overview") },
	{ "/agencies", N_("Agencies") },
	{ "/computers", N_("Computers") },
	{ "/detections", N_("Detections") },
	{ NULL, NULL },
};

int
fail(const char *what, const struct errinfo *ei)
{
	(void)fprintf(stderr, "khien-server: %s: %s\n", what, ei->msg);
	return 3;
}

/* A data file of the product, in the arena. */
static enum err
share_file(
    struct setup *s, const char *name, struct span *out, struct errinfo *ei)
{
	struct buf b = buf_make(1u << 20);
	const char *path =
	    arena_fmt(s->arena, "%s/data/%s", s->config.share_dir, name);
	enum err e = file_read(path, &b, ei);

	if (e == OK)
		*out = arena_span(s->arena, buf_view(&b));
	buf_free(&b);
	return e;
}

static enum err
open_pages(struct setup *s, struct errinfo *ei)
{
	struct i18n *vi = NULL, *en = NULL;
	struct page_set *pages = NULL;
	enum err e = i18n_open(s->config.locale_dir, "vi", &vi, ei);

	if (e == OK)
		e = i18n_open(s->config.locale_dir, "en", &en, ei);
	if (e == OK)
		e = page_load(arena_fmt(s->arena, "%s/web/templates",
				  s->config.share_dir),
		    &pages, ei);
	s->centre.vi = vi;
	s->centre.en = en;
	s->centre.pages = pages;
	return e;
}

static enum err
open_store(struct setup *s, struct errinfo *ei)
{
	struct store_options opt = {
		.url = s->config.store,
		.partitioned = s->config.partitioned,
		.clock = s->centre.clock,
	};
	struct span settings, policy;
	enum err e = store_open(&opt, &s->centre.store, ei);

	if (e == OK)
		e = centre_migrate(&s->centre, ei);
	if (e == OK)
		e = share_file(s, "settings.csv", &settings, ei);
	if (e == OK)
		e = org_settings_load(s->centre.store, settings, ei);
	if (e == OK)
		e = share_file(s, "policy.json", &policy, ei);
	if (e == OK)
		e = protection_policy_set(&s->centre, policy, &org_system, ei);
	return e;
}

enum err
setup_open(struct setup *s, const char *config_path, struct errinfo *ei)
{
	enum err e;

	*s = (struct setup){ .arena = arena_new(16u << 20) };
	if (s->arena == NULL)
		return err_set(ei, ERR_NOMEM, "set-up");
	e = config_load(config_path, s->arena, &s->config, ei);
	if (e != OK)
		return e;
	s->centre.clock = &clock_system;
	s->centre.modules = all_modules;
	s->centre.tabs = all_tabs;
	s->centre.url = s->config.url;
	s->centre.data_dir = s->config.data_dir;
	e = file_make_dir(
	    arena_fmt(s->arena, "%s/sets", s->config.data_dir), 0700, ei);
	if (e == OK)
		e = keys_open(s, ei);
	if (e == OK)
		e = open_pages(s, ei);
	return e == OK ? open_store(s, ei) : e;
}

void
setup_close(struct setup *s)
{
	store_close(s->centre.store);
	page_free((struct page_set *)(uintptr_t)s->centre.pages);
	i18n_free((struct i18n *)(uintptr_t)s->centre.vi);
	i18n_free((struct i18n *)(uintptr_t)s->centre.en);
	buf_free(&s->server_cert);
	buf_free(&s->server_key);
	arena_free(s->arena);
}
