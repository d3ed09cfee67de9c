/* khien-agent: the service that keeps one computer protected. */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/log.h"
#include "endpoint/agent.h"

#define DIR_DEFAULT "/var/lib/khien-agent"

static void
usage(FILE *to)
{
	struct i18n *t = i18n_open_beside();

	(void)fprintf(to, "khien-agent run [--state DIR]\n    %s\n",
	    i18n_text(t, N_("keep this computer protected until SIGTERM")));
	(void)fprintf(to, "%s\n", i18n_text(t, N_("more in khien-agent(8)")));
	i18n_free(t);
}

/* Before any thread starts, so that only the agent's own loop hears them. */
static void
block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct agent_options opt = { .dir = DIR_DEFAULT };
	struct errinfo ei = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (c == 'v') {
			(void)printf("khien-agent %s\n", KHIEN_VERSION);
			return 0;
		}
		if (c != 's')
			return 2;
		opt.dir = optarg;
	}
	if (optind != argc - 1 || strcmp(argv[optind], "run") != 0) {
		usage(stderr);
		return 2;
	}
	log_setup("khien-agent", LOG_INFO_L);
	block_signals();
	if (agent_run(&opt, &ei) != OK) {
		log_error("agent.ended", LOG_S("why", ei.msg));
		return 3;
	}
	return 0;
}
