#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prog/khien/khien.h"

static const struct verb verbs[] = {
	{ "scan", NULL,
	    "[--json] [--db FILE] [--jobs N] [--cache FILE] [--all] "
	    "[--suspicious LIST] PATH...",
	    N_("look for malware in files and folders"),
	    N_("  --db FILE       compiled signature set\n"
	       "  --jobs N        scan N files at a time; default: one for "
	       "each "
	       "processor\n"
	       "  --cache FILE    pass over files that were clean and have not "
	       "changed since; kept in FILE\n"
	       "  --all           name all signatures that match, not just "
	       "one\n"
	       "  --suspicious LIST  tell of macro, encrypted, active, "
	       "disguised, or all\n"
	       "  --json          one JSON object for each file, then a "
	       "summary\n"),
	    verb_scan },
	{ "db", "build",
	    "-o FILE [--set-version N] [--base SET] [--strict] SOURCE...",
	    N_("compile signature files into a set"),
	    N_("  -o FILE            the set to write\n"
	       "  --set-version N    its number; default: 1\n"
	       "  --base SET         what this set has, and more\n"
	       "  --strict           a line that cannot be used is an error\n"),
	    verb_db_build },
	{ "db", "info", "[--json] FILE", N_("tell what is in a compiled set"),
	    N_("  --json    as a JSON object\n"), verb_db_info },
	{ "db", "verify", "FILE", N_("read a whole set and check it"), "",
	    verb_db_verify },
	{ "db", "find", "[--rows N] FILE NAME",
	    N_("list the signatures whose name contains NAME"),
	    N_("  --rows N    at most N; default: 1000\n"), verb_db_find },
	{ "db", "explain", "[--rows N] FILE [NAME]",
	    N_("tell how the engine understands signatures"),
	    N_("  --rows N    at most N; default: 1000\n"), verb_db_explain },
	{ "db", "diff", "[--rows N] FILE FILE",
	    N_("list what only one of two sets has"),
	    N_("  --rows N    at most N; default: 1000\n"), verb_db_diff },
	{ "agent", "enrol", "--token TOKEN|--token-file FILE [--state DIR]",
	    N_("make this computer one of a centre's"),
	    N_("  --token TOKEN        as the centre's console gave it\n"
	       "  --token-file FILE    a file that holds it\n"
	       "  --state DIR          the agent's folder; default: "
	       "/var/lib/khien-agent\n"),
	    verb_agent_enrol },
	{ "agent", "status", "[--json] [--state DIR]",
	    N_("tell how the agent of this computer is doing"),
	    N_("  --json         as a JSON object\n"
	       "  --state DIR    the agent's folder\n"),
	    verb_agent_status },
	{ "agent", "scan", "[--json] [--state DIR] [PATH...]",
	    N_("ask the agent to scan now; without PATH as the policy says"),
	    N_("  --json         as a JSON object\n"
	       "  --state DIR    the agent's folder\n"),
	    verb_agent_scan },
	{ .name = NULL },
};

const char *
tr(const struct khien *k, const char *msgid)
{
	return i18n_text(k->t, msgid);
}

int
wrong_option(const struct khien *k, int found, char **argv)
{
	const char *option = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	if (optopt > 0 && optopt < 128 && strncmp(option, "--", 2) != 0)
		option = letter;
	return wrong_use(k,
	    found == ':' ? N_("option needs a value") : N_("unknown option"),
	    option);
}

/* ---- help --------------------------------------------------------------------- */

static void
put_verb(const struct verb *v)
{
	(void)printf("khien %s%s%s %s\n", v->name, v->second == NULL ? "" : " ",
	    v->second == NULL ? "" : v->second, v->arguments);
}

static int
help_all(const struct khien *k)
{
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		put_verb(v);
		(void)printf("    %s\n", tr(k, v->help));
	}
	(void)printf("khien --help | --version\n\n%s\n",
	    tr(k, N_("Each verb has its own --help; more in khien(1).")));
	return 0;
}

static int
help_verb(const struct khien *k, const struct verb *v)
{
	put_verb(v);
	(void)printf("%s\n\n%s%s", tr(k, v->help), tr(k, v->options),
	    tr(k, N_("  --help       this text\n")));
	return 0;
}

/* ---- verbs -------------------------------------------------------------------- */

static bool
wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int
run_verb(struct khien *k, const struct verb *v, int argc, char **argv)
{
	char name[64];
	int status;

	(void)snprintf(name, sizeof(name), "%s%s%s", v->name,
	    v->second == NULL ? "" : " ", v->second == NULL ? "" : v->second);
	k->verb = name;
	status =
	    wants_help(argc, argv) ? help_verb(k, v) : v->run(k, argc, argv);
	k->verb = "";
	return status;
}

static int
dispatch(struct khien *k, int argc, char **argv)
{
	bool first_known = false;

	if (argc < 2)
		return wrong_use(k, N_("no verb; see khien --help"), NULL);
	if (strcmp(argv[1], "--help") == 0)
		return help_all(k);
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("khien %s\n", KHIEN_VERSION);
		return 0;
	}
	for (const struct verb *v = verbs; v->name != NULL; v++) {
		if (strcmp(argv[1], v->name) != 0)
			continue;
		first_known = true;
		if (v->second == NULL)
			return run_verb(k, v, argc - 1, argv + 1);
		if (argc > 2 && strcmp(argv[2], v->second) == 0)
			return run_verb(k, v, argc - 2, argv + 2);
	}
	if (first_known && argc > 2 && strcmp(argv[2], "--help") == 0)
		return help_all(k);
	return wrong_use(
	    k, N_("unknown verb"), first_known && argc > 2 ? argv[2] : argv[1]);
}

int
main(int argc, char **argv)
{
	struct khien k = { .t = i18n_open_beside(), .verb = "" };
	int status;

	if (k.t == NULL) {
		(void)fputs("khien: out of memory\n", stderr);
		return STATUS_FAILED;
	}
	status = dispatch(&k, argc, argv);
	if (fflush(stdout) != 0 && status != STATUS_FOUND) {
		k.verb = "";
		status = failed(&k, tr(&k, N_("cannot write the output")));
	}
	i18n_free(k.t);
	return status;
}
