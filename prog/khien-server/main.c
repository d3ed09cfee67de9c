/* khien-server: the centre. */

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server.h"

static const struct verb {
	const char *name, *args, *help; /* help: English msgid */
	int (*run)(struct setup *s, int argc, char **argv);
} verbs[] = {
	{ "init", "[--agency CODE --name NAME] [--login LOGIN]",
	    N_("make keys, tables, the first agency, set and account"),
	    verb_init },
	{ "run", "", N_("serve agents and people until SIGTERM"), verb_run },
	{ "password", "LOGIN", N_("print a new random password of an account"),
	    verb_password },
	{ "token", "AGENCY-CODE [COMPUTERS]", N_("print an enrolment token"),
	    verb_token },
	{ "publish", "SOURCE...", N_("compile, sign and offer a signature set"),
	    verb_publish },
	{ "set", "SETTING NUMBER", N_("change a setting"), verb_set },
	{ "routes", "", N_("list every door with its permission"),
	    verb_routes },
};

static struct i18n *terminal; /* NULL: English */

const char *
say(const char *msgid)
{
	return terminal == NULL ? msgid : i18n_text(terminal, msgid);
}

static void
usage(FILE *to)
{
	(void)fprintf(to, "khien-server [--config FILE] VERB ...\n");
	for (size_t i = 0; i < COUNT(verbs); i++)
		(void)fprintf(to, "khien-server %s %s\n    %s\n", verbs[i].name,
		    verbs[i].args, say(verbs[i].help));
	(void)fprintf(to, "%s\n", say(N_("more in khien-server(8)")));
}

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
run_verb(const struct verb *v, const char *config, int argc, char **argv)
{
	struct errinfo ei = { 0 };
	struct setup s;
	int status;

	if (v->run == verb_run) {
		sigset_t set = stop_signals();

		(void)sigprocmask(SIG_BLOCK, &set, NULL);
	}
	optind = 0; /* the verb reads its own options */
	if (setup_open(&s, config, &ei) != OK)
		status = fail(config, &ei);
	else
		status = v->run(&s, argc, argv);
	setup_close(&s);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	const char *config = "/etc/khien/khien-server.ini";
	const struct verb *verb;
	int opt;

	log_setup("khien-server", LOG_INFO_L);
	terminal = i18n_open_beside(); /* for as long as the program */
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return 0;
		}
		if (opt == 'v') {
			(void)printf("khien-server %s\n", KHIEN_VERSION);
			return 0;
		}
		if (opt != 'c')
			return 2;
		config = optarg;
	}
	verb = optind < argc ? find_verb(argv[optind]) : NULL;
	if (verb == NULL) {
		usage(stderr);
		return 2;
	}
	return run_verb(verb, config, argc - optind, argv + optind);
}
