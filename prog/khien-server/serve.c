/* Serving: routes, the daily figures, an orderly end. */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "http/assets.h"
#include "server.h"

#define TICK_MS    10000
#define TABLES_MAX 32

/* Every night at 00:00 (UTC+7) the day that ended is measured, once, and
 * before that those which the centre slept through. */
static void
measure_days(const struct centre *c)
{
	struct arena *a = arena_new(65536);
	const struct figure *const *lists =
	    a == NULL ? NULL : centre_figures(c, a);
	struct errinfo ei = { 0 };
	size_t days = 0;
	enum err e = lists == NULL ? err_set(&ei, ERR_NOMEM, "figures")
				   : figure_catch_up(c->store, lists,
					 clock_utc_ms(c->clock), &days, &ei);

	if (e != OK)
		log_error("figures.failed", LOG_S("text", ei.msg));
	else if (days > 0)
		log_info("figures.measured", LOG_I("days", (int64_t)days));
	arena_free(a);
}

sigset_t
stop_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	return set;
}

static void
wait_for_end(const struct centre *c, int signals)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };

	while (poll(&p, 1, TICK_MS) <= 0)
		measure_days(c);
}

static void
list_tables(const struct route **out)
{
	size_t n = 0;

	for (size_t i = 0; all_modules[i] != NULL; i++)
		for (size_t k = 0; all_modules[i]->routes[k] != NULL; k++)
			out[n++] = all_modules[i]->routes[k];
	out[n] = NULL;
}

static enum err
open_assets(struct setup *s, struct assets **out, struct errinfo *ei)
{
	const char *dirs[] = {
		arena_fmt(s->arena, "%s/web", s->config.share_dir),
		s->config.assets_dir,
		NULL,
	};

	return assets_load(dirs, out, ei);
}

int
verb_run(struct setup *s, int argc, char **argv)
{
	const struct route *tables[TABLES_MAX];
	struct http_server_options opt = {
		.address = s->config.address,
		.port = (uint16_t)s->config.port,
		.cert_pem = buf_view(&s->server_cert),
		.key_pem = buf_view(&s->server_key),
		.client_ca_pem = s->centre.ca_cert,
		.tables = tables,
		.authorise = centre_authorise,
		.fail_page = centre_fail_page,
		.app = &s->centre,
	};
	struct assets *assets = NULL;
	struct http_server *srv;
	struct errinfo ei = { 0 };
	sigset_t set = stop_signals();
	int signals = signalfd(-1, &set, SFD_CLOEXEC);

	(void)argc;
	(void)argv;
	list_tables(tables);
	if (signals < 0)
		return fail("signals", &ei);
	if (open_assets(s, &assets, &ei) != OK)
		return fail("assets", &ei);
	opt.assets = assets;
	s->centre.assets = assets_version(assets);
	measure_days(&s->centre);
	if (http_server_start(&opt, &srv, &ei) != OK) {
		assets_free(assets);
		return fail("start", &ei);
	}
	log_info("server.started", LOG_S("address", s->config.address),
	    LOG_I("port", http_server_port(srv)),
	    LOG_S("store", store_engine(s->centre.store)));
	wait_for_end(&s->centre, signals);
	log_info("server.stopping");
	http_server_stop(srv);
	assets_free(assets);
	(void)close(signals);
	return 0;
}
